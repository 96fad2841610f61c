"""The connected half of the provider: one tenant, with everything in canonical fields."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NoReturn

from reconciler.errors import Conflict, InvalidInput, NotFound, NotPermitted, Rejected
from reconciler.model.credential import Credential
from reconciler.model.mark import Mark
from reconciler.model.observed import Fields, KnownKey, Observed, ObservedTenant
from reconciler.providers.base import ConnectionSettings, Evidence, Issued, OwnCredential, Verification
from reconciler.providers.by_api import SessionByApi
from reconciler.providers.cortex_cloud import mapping, scopes
from reconciler.providers.cortex_cloud.capabilities import LEAST_ROLE
from reconciler.providers.cortex_cloud.client import PAGE, Client
from reconciler.providers.cortex_cloud.records import KeyRecord
from reconciler.providers.pacing import Pacer
from reconciler.providers.times import from_milliseconds

_ADMIN: Final = "admin entity"
"""What the vendor says of such scopes (4): "Scope cannot be updated for admin entity"."""


class Session(SessionByApi):
    """See `reconciler.providers.base.Session`.

    Observing takes two calls (keys, roles) and one more for the scope of each key that carries a mark: others' scopes are
    not ours to compare, and each costs a call of the ten a second that the whole tenant has.
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
        self._client = Client(
            endpoint, credential, settings, page=page, pacer=pacer, clock=clock, sleep=sleep or settings.sleep
        )
        self._connections = settings.connections
        self._least_role = str(settings.options.get("leastRole", LEAST_ROLE))
        self._editable = settings.options.get("editableKeys", True) is not False
        self._role_names: dict[str, str] = {}
        """Display names by role id, as far as they were read."""

    @property
    def calls(self) -> int:
        """How many requests were sent so far."""
        return self._client.calls

    def observe(self, known: Sequence[KnownKey] = ()) -> ObservedTenant:
        """List keys and roles, and read the scopes of marked keys, and of `known` ones even without a mark."""
        keys = self._client.list_keys()
        levels = self._roles()
        asked_for = {key.vendor_id for key in known}
        marked = [key for key in keys if mapping.comment_parts(key)[2] is not None or str(key.id) in asked_for]
        found = self._scopes(marked)
        ids = {name: role for role, name in self._role_names.items()}
        return ObservedTenant(
            levels=levels,
            keys=tuple(mapping.observed_key(key, ids, found.get(key.id)) for key in keys),
            own_key_id=self._client.key_id,
        )

    def own_credential(self) -> OwnCredential:
        """The key's roles and end. One call."""
        own = self._client.key(self._client.key_id)
        if own is None:
            remark = "the list of keys does not name the key that we call with"
            return OwnCredential(Evidence.DOCUMENTED, "DOC, PROBE", key_id=self._client.key_id, remark=remark)
        level = (own.security_level or "").lower()
        return OwnCredential(
            evidence=Evidence.DOCUMENTED,
            source="DOC, PROBE",
            key_id=str(own.id),
            tells_expiry=True,
            expires=from_milliseconds(own.expiration),
            roles=tuple(own.roles),
            remark="it is a standard key, which is itself sent with every call: make an advanced one"
            if level == "standard"
            else "",
        )

    def create_level(self, name: str, fields: Fields, mark: Mark) -> str:
        """Create a role, under a name that its content decides."""
        body = mapping.role_to_create({**fields, "name": name}, mark)
        vendor_id = self._client.create_role(body)
        self._role_names[vendor_id] = body["pretty_name"]
        return vendor_id

    def update_level(self, vendor_id: str, fields: Fields, mark: Mark) -> None:  # noqa: ARG002  the protocol's
        """A role cannot be changed: always Rejected."""
        raise Rejected(f"role {vendor_id} cannot be changed", hint="the product has no call for it: make another role")

    def delete_level(self, vendor_id: str) -> None:
        """Delete the role. Conflict while a key has it: what such a key could do afterwards is not known."""
        name = self._find_role_name(vendor_id)
        if name is None:
            return
        users = self._client.keys_of_role(name)
        if users:
            ids = ", ".join(str(key.id) for key in users[:5])
            raise Conflict(f"keys still have the role {name!r}: {ids}", hint="give them another access level first")
        self._client.delete_role(vendor_id)
        self._role_names.pop(vendor_id, None)

    def create_key(self, name: str, fields: Fields, level_id: str, mark: Mark) -> Issued:
        """Create a key with the least role; `finish_key` gives it its scope, and after that its real role.

        Where keys cannot be edited it gets its real role at once. `Issued.secret` holds `keyId`, `key`, `securityLevel` and
        `endpoint`. InvalidInput without `expires`; Rejected if one of the two roles does not exist; no call then.
        """
        if fields["expires"] is None:
            raise InvalidInput("a key without expires cannot be created: the vendor would end it after about a week")
        role = self._role_name(level_id)
        if self._editable:
            self._require_least_role()
            role = self._least_role
        return self._client.create_key(mapping.key_to_create({**fields, "name": name}, role, mark))

    def finish_key(self, vendor_id: str, fields: Fields, level_id: str, mark: Mark) -> None:
        """Give a new key its scope, then its real role."""
        self._set_scope(vendor_id, fields["scope"])
        role = self._role_name(level_id)
        if self._editable and role != self._least_role:
            body = mapping.key_to_update(fields["name"], fields["description"], [role], fields["securityLevel"], mark)
            self._client.edit_key(vendor_id, body)

    def update_key(self, vendor_id: str, changed: Fields, level_id: str | None, mark: Mark) -> None:
        """Change scope, and role and comment. Nothing in between reaches more than the key did before, or shall afterwards.

        A narrower scope is set before the new role, a wider one after it; one that is neither is set before it. The vendor
        refuses to write the scope of an administrator: where the old or the new role is one, the key has the least role
        meanwhile.
        """
        self._refuse_own(vendor_id, "edited")
        rest = {name: value for name, value in changed.items() if name != "scope"}
        for name in rest:
            if name not in {"name", "description"}:
                raise Rejected(
                    f"{name} of key {vendor_id} cannot be changed", hint="it is set at creation: replace the key"
                )
        edits = bool(rest) or level_id is not None
        if "scope" not in changed:
            if edits:
                self._edit(vendor_id, rest, self._wanted_role(level_id), mark)
            return
        wished = changed["scope"]
        try:
            if level_id is not None and scopes.within(scopes.observed(self._client.scope(vendor_id)), wished):
                self._edit(vendor_id, rest, self._role_name(level_id), mark)
                edits = False
            self._set_scope(vendor_id, wished)
        except (Rejected, NotPermitted) as refused:  # with which status it says so is not known
            if level_id is None or _ADMIN not in refused.what.lower():
                raise
            self._require_least_role()
            self._edit(vendor_id, rest, self._least_role, mark)
            self._set_scope(vendor_id, wished)
            edits = True
        if edits:
            self._edit(vendor_id, rest, self._wanted_role(level_id), mark)

    def regenerate_key(self, vendor_id: str) -> NoReturn:
        """A key cannot get a new secret: always Rejected."""
        raise Rejected(
            f"key {vendor_id} cannot get a new secret", hint="the product has no call for it: make a new key"
        )

    def delete_key(self, vendor_id: str) -> None:
        """Delete the key; one that is gone already is success. Never the one that we call with."""
        self._refuse_own(vendor_id, "deleted")
        self._client.delete_key(vendor_id)

    def find_key(self, name: str, mark: Mark) -> Observed | None:  # noqa: ARG002  a key has no name but its mark
        """The key with that mark: the whole list is read, for the vendor does not search in comments."""
        found = next((key for key in self._client.list_keys() if mapping.comment_parts(key)[2] == mark), None)
        if found is None:
            return None
        if not set(found.roles) <= set(self._role_names.values()):
            self._roles()
        ids = {name: role for role, name in self._role_names.items()}
        return mapping.observed_key(found, ids, scopes.observed(self._client.scope(str(found.id))))

    def find_level(self, name: str, mark: Mark) -> Observed | None:  # noqa: ARG002  its name depends on its content
        """The role with that mark."""
        return next((level for level in self._roles() if level.mark == mark), None)

    def verify(self, issued: Issued) -> Verification:
        """Authenticate with a new secret as the key that it belongs to."""
        return self._client.verify(issued)

    def close(self) -> None:
        """Give connections back."""
        self._client.close()

    def _roles(self) -> tuple[Observed, ...]:
        roles = self._client.roles()
        self._role_names = {role.role_id: role.pretty_name for role in roles}
        return tuple(mapping.observed_level(role) for role in roles)

    def _find_role_name(self, role_id: str) -> str | None:
        if role_id not in self._role_names:
            self._roles()
        return self._role_names.get(role_id)

    def _role_name(self, role_id: str) -> str:
        name = self._find_role_name(role_id)
        if name is None:
            raise NotFound(f"the tenant has no role with the id {role_id}", hint="plan again: it may have been deleted")
        return name

    def _require_least_role(self) -> None:
        if self._least_role not in self._role_names.values():
            self._roles()
        if self._least_role not in self._role_names.values():
            raise Rejected(
                f"the tenant has no role named {self._least_role!r}, which new keys start with",
                hint="name one that exists and may do little in the tenant's options: leastRole",
            )

    def _scopes(self, keys: Sequence[KeyRecord]) -> dict[int, dict[str, Any]]:
        """Scopes by key id. Several calls are under way at once, so that a slow answer does not cost a turn."""
        if not keys:
            return {}
        with ThreadPoolExecutor(min(self._connections, len(keys))) as pool:
            found = list(pool.map(lambda key: self._client.scope(str(key.id)), keys))
        return {key.id: scopes.observed(scope) for key, scope in zip(keys, found, strict=True)}

    def _set_scope(self, vendor_id: str, wished: scopes.Scope) -> None:
        """Make the scope what is wished. What is so already is left alone: writing costs a call, and admins' are refused."""
        current = self._client.scope(vendor_id)
        if scopes.observed(current) == wished:
            return
        datasets = current is not None and current.datasets_rows is not None
        self._client.edit_scope(vendor_id, scopes.to_put(wished, datasets=datasets))

    def _wanted_role(self, level_id: str | None) -> str | None:
        return None if level_id is None else self._role_name(level_id)

    def _edit(self, vendor_id: str, changed: Fields, role: str | None, mark: Mark) -> None:
        """Edit role (unless None) and comment. The call replaces both, so what is not to change is read first."""
        now = self._client.key(vendor_id)
        if now is None:
            raise NotFound(f"there is no key {vendor_id} any more", hint="plan again")
        name, description, _ = mapping.comment_parts(now)
        body = mapping.key_to_update(
            changed.get("name", name),
            changed.get("description", description),
            now.roles if role is None else [role],
            (now.security_level or "").lower(),
            mark,
        )
        self._client.edit_key(vendor_id, body)

    def _refuse_own(self, vendor_id: str, what: str) -> None:
        if vendor_id == self._client.key_id:
            raise Rejected(f"key {vendor_id} is not {what}: it is the one that the reconciler itself calls with")
