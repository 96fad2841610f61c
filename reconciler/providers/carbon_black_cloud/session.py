"""The connected half of the provider: one organisation, with everything in canonical fields."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from reconciler.errors import InvalidInput, NotFound, NotPermitted, OutcomeUnknown
from reconciler.model.credential import Credential
from reconciler.model.desired import KeyState
from reconciler.model.mark import Mark
from reconciler.model.observed import Fields, KnownKey, Observed, ObservedTenant
from reconciler.model.secret import Secret
from reconciler.providers import naming
from reconciler.providers.base import (
    ConnectionSettings,
    Evidence,
    Issued,
    OwnCredential,
    Trace,
    Verification,
)
from reconciler.providers.carbon_black_cloud import audit, endpoint_map, mapping
from reconciler.providers.carbon_black_cloud.capabilities import BY_HAND_FIELDS
from reconciler.providers.carbon_black_cloud.client import PAGE, Client
from reconciler.providers.carbon_black_cloud.endpoint_map import MapOperation
from reconciler.providers.pacing import Pacer

_LOOKS: Final = 3
"""How often the audit log is asked about a new secret: nobody documents how soon it tells."""
_BETWEEN_LOOKS: Final = 1.0
_SKEW: Final = timedelta(minutes=2)
"""How far the vendor's clock may be behind the one that a handoff's time comes from."""


class Session:
    """See `reconciler.providers.base.Session`.

    Two calls observe an organisation with driver handoff; four with driver console, if it has fewer than 500 keys.
    """

    def __init__(
        self,
        endpoint: str,
        credential: Credential,
        settings: ConnectionSettings,
        *,
        page: int = PAGE,
        pacer: Pacer | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._sleep = sleep or settings.sleep
        self._client = Client(endpoint, credential, settings, page=page, pacer=pacer, clock=clock, sleep=self._sleep)
        self._console = settings.options.get("driver") == "console"
        self._map: dict[str, MapOperation] = (
            endpoint_map.parse(settings.endpoint_map) if self._console and settings.endpoint_map is not None else {}
        )
        self._org: dict[str, Any] = {"orgKey": self._client.org_key}
        if "orgId" in settings.options:
            self._org["orgId"] = settings.options["orgId"]
        self._seen: dict[str, Observed] = {}
        self._recorded: dict[str, str] = {}
        """The levels that our records name for keys."""
        self._addresses: dict[str, tuple[str, ...]] = {}
        """What keys were limited to by this session: the vendor does not tell."""

    @property
    def calls(self) -> int:
        """How many requests were sent so far."""
        return self._client.calls

    def observe(self, known: Sequence[KnownKey] = ()) -> ObservedTenant:
        """Levels from the permitted roles; keys from our records or from the console's list; and their grants."""
        levels = tuple(mapping.observed_level(role) for role in self._client.permitted_roles())
        keys = self._listed() if self._console else self._known(known)
        self._seen = {key.vendor_id: key for key in keys}
        self._recorded = {key.vendor_id: key.level_id for key in known}
        return ObservedTenant(levels=levels, keys=keys, own_key_id=self._client.api_id)

    def own_credential(self) -> OwnCredential:
        """What the key's own grant gives it. Two calls. Keys of this product have no end (assumed, as the fields say)."""
        names = {role.urn: role.name for role in self._client.permitted_roles()}
        grant = self._client.grants([self._client.api_id]).get(self._client.api_id)
        return OwnCredential(
            evidence=Evidence.DOCUMENTED,
            source="S2",
            key_id=self._client.api_id,
            tells_expiry=True,
            roles=tuple(names.get(urn, urn) for urn in grant.in_force) if grant is not None else (),
        )

    def create_level(self, name: str, fields: Fields, mark: Mark) -> str:
        """Create an access level. Its URN is in the answer, or else it is found by our mark."""
        operation = self._operation("createLevel")
        answer = self._client.perform(operation, self._level_values({**fields, "name": name}, mark))
        if "id" in operation.reply:
            found = endpoint_map.at(answer, operation.reply["id"])
            if isinstance(found, str) and found:
                return found
        else:
            level = self.find_level(name, mark)
            if level is not None:
                return level.vendor_id
        what = f"{operation.call} was answered with success, but the access level's URN cannot be told"
        raise OutcomeUnknown(what, hint="it may have acted all the same: look before doing anything else")

    def update_level(self, vendor_id: str, fields: Fields, mark: Mark) -> None:
        """Send the whole level."""
        values = {**self._level_values(fields, mark), "id": vendor_id}
        self._client.perform(self._operation("updateLevel"), values)

    def delete_level(self, vendor_id: str) -> None:
        """Delete the level; one that is gone already is success."""
        self._delete("deleteLevel", vendor_id)

    def create_key(self, name: str, fields: Fields, level_id: str, mark: Mark) -> Issued:
        """Create a key, which may do nothing until `finish_key` gives it its grant."""
        values = {**self._key_values({**fields, "name": name}, mark), "level": level_id}
        issued = self._client.issue(self._operation("createKey"), values)
        self._addresses[issued.vendor_id] = tuple(fields["allowedIPs"])
        return issued

    def finish_key(self, vendor_id: str, fields: Fields, level_id: str, mark: Mark) -> None:
        """Give the key its level, or take it away where the key is to be locked. A console may have granted it before."""
        if fields["state"] == KeyState.ACTIVE:
            name = naming.vendor_name(fields["name"], mark)
            self._client.ensure_grant(vendor_id, name, level_id, create=True)
        else:
            self._client.delete_grant(vendor_id)

    def accept_key(self, fields: Mapping[str, Secret | str]) -> Issued:
        """A key that a person made: `apiId` and `apiSecret`."""
        return self._client.accept(fields)

    def clicked(self, name: str, since: datetime) -> str | None:
        """The id of the newest key of that name in the audit log; None where we may not read it."""
        try:
            return audit.added(self._client.audit(audit.ADDED, since=since - _SKEW), name)
        except NotPermitted:
            return None

    def last_change(self, vendor_id: str, since: datetime) -> Trace | None:
        """Who changed a key, by the audit log. NotPermitted where we may not read it (`org.audits` READ)."""
        records = self._client.audit(audit.about(vendor_id), since=since)
        return audit.changed(records, vendor_id, self._client.api_id)

    def update_key(self, vendor_id: str, changed: Fields, level_id: str | None, mark: Mark) -> None:
        """Lock first, change what the key is next, and give access last. Nothing at all if nothing changed."""
        state = changed.get("state")
        if state == KeyState.LOCKED:
            self._client.delete_grant(vendor_id)
        edits = {name: changed[name] for name in BY_HAND_FIELDS if name in changed}
        if edits:
            self._edit(vendor_id, edits, mark)
        if state == KeyState.LOCKED:
            return
        seen = self._seen.get(vendor_id)
        level = level_id or (self._recorded.get(vendor_id) if state is not None else None)
        if level is not None:
            name = changed.get("name") or (seen.name if seen is not None else vendor_id)
            named = naming.vendor_name(name, mark)
            self._client.ensure_grant(vendor_id, named, level, create=state == KeyState.ACTIVE)
        elif state == KeyState.ACTIVE:
            raise InvalidInput(
                f"key {vendor_id} has no grant, and its access level is not known here",
                hint="please report this: it is a bug of ours",
            )

    def regenerate_key(self, vendor_id: str) -> Issued:
        """Give the key a new secret; the former one is dead at once (S14)."""
        return self._client.issue(self._operation("regenerateKey"), {**self._org, "id": vendor_id}, vendor_id)

    def delete_key(self, vendor_id: str) -> None:
        """Delete the key; one that is gone already is success. Conflict while a notification rule holds it (S9)."""
        self._delete("deleteKey", vendor_id)

    def find_key(self, name: str, mark: Mark) -> Observed | None:  # noqa: ARG002  only the mark tells
        """The key with that mark, where the console's list may be read."""
        if not self._console:
            return None
        return next((key for key in self._listed() if key.mark == mark), None)

    def find_level(self, name: str, mark: Mark) -> Observed | None:  # noqa: ARG002  only the mark tells
        """The access level with that mark."""
        levels = (mapping.observed_level(role) for role in self._client.permitted_roles())
        return next((level for level in levels if level.mark == mark), None)

    def verify(self, issued: Issued) -> Verification:
        """Use the secret once. Where the answer leaves it open, the audit log says whether a session began."""
        key = issued.vendor_id
        before = self._client.audit_if_permitted(audit.logins(key))
        answer = self._client.sign_in(issued)
        if answer is not Verification.UNVERIFIABLE or before is None:
            return answer
        known = audit.of_key(before, key)
        for look in range(_LOOKS):
            if look:
                self._sleep(_BETWEEN_LOOKS)
            after = self._client.audit_if_permitted(audit.logins(key)) or ()
            verdict = audit.verdict(known, audit.of_key(after, key), restricted=bool(self._addresses.get(key)))
            if verdict is not Verification.UNVERIFIABLE:
                return verdict
        return Verification.UNVERIFIABLE

    def close(self) -> None:
        """Give connections back."""
        self._client.close()

    def _known(self, known: Sequence[KnownKey]) -> tuple[Observed, ...]:
        grants = self._client.grants([key.vendor_id for key in known])
        return tuple(mapping.known_key(key, grants.get(key.vendor_id)) for key in known)

    def _listed(self) -> tuple[Observed, ...]:
        connectors = self._client.connectors()
        grants = self._client.grants([one.connectorId for one in connectors])
        return tuple(mapping.observed_key(one, grants.get(one.connectorId)) for one in connectors)

    def _edit(self, vendor_id: str, edits: Fields, mark: Mark) -> None:
        """Change a key through the map. The request holds all that can be edited, for it may replace the whole."""
        operation = self._operation("updateKey")
        seen = self._seen.get(vendor_id)
        fields = {
            **(seen.fields if seen is not None else {}),
            **({"allowedIPs": self._addresses[vendor_id]} if vendor_id in self._addresses else {}),
            **edits,
        }
        missing = sorted(BY_HAND_FIELDS - set(fields))
        if missing:
            raise InvalidInput(
                f"key {vendor_id} was not changed: the request would lose its {', '.join(missing)}, which cannot be read",
                hint="please report this: it is a bug of ours",
            )
        self._client.perform(operation, {**self._key_values(fields, mark), "id": vendor_id})
        self._addresses[vendor_id] = tuple(fields["allowedIPs"])

    def _delete(self, name: str, vendor_id: str) -> None:
        try:
            self._client.perform(self._operation(name), {**self._org, "id": vendor_id})
        except NotFound:
            return

    def _operation(self, name: str) -> MapOperation:
        if name not in self._map:
            hint = "it is made by hand in the console" if not self._console else "the endpoint map leaves it out"
            raise InvalidInput(f"this product has no documented request for {name}", hint=hint)
        return self._map[name]

    def _key_values(self, fields: Fields, mark: Mark) -> dict[str, Any]:
        networks = list(fields["allowedIPs"])
        return {
            **self._org,
            "name": naming.vendor_name(fields["name"], mark),
            "description": mark.attach(fields["description"]),
            "allowedIPs": networks,
            "allowedIPsText": ", ".join(networks),
        }

    def _level_values(self, fields: Fields, mark: Mark) -> dict[str, Any]:
        permissions = {name: list(operations) for name, operations in fields["permissions"].items()}
        return {
            **self._org,
            "name": fields["name"],
            "description": mark.attach(fields["description"]),
            "permissions": permissions,
            "permissionList": [f"{name}:{one}" for name, operations in permissions.items() for one in operations],
        }
