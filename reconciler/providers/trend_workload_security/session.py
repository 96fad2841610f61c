"""The connected half of the provider: one tenant, with everything in canonical fields."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from reconciler.errors import NotPermitted
from reconciler.model.credential import Credential
from reconciler.model.mark import Mark
from reconciler.model.observed import Fields, KnownKey, Observed, ObservedTenant
from reconciler.providers.base import ConnectionSettings, Evidence, Issued, OwnCredential, Verification
from reconciler.providers.by_api import SessionByApi
from reconciler.providers.pacing import Pacer
from reconciler.providers.times import from_milliseconds
from reconciler.providers.trend_workload_security import mapping
from reconciler.providers.trend_workload_security.client import PAGE, Client
from reconciler.providers.trend_workload_security.records import RoleRecord


class Session(SessionByApi):
    """See `reconciler.providers.base.Session`. Three calls observe a tenant of fewer than 5,000 keys and roles."""

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
        self._unknown_rights: dict[str, tuple[tuple[str, str, str], ...]] = {}

    @property
    def calls(self) -> int:
        """How many requests were sent so far."""
        return self._client.calls

    def observe(self, known: Sequence[KnownKey] = ()) -> ObservedTenant:  # noqa: ARG002  the lists tell everything
        """List keys and roles, and find out which key is ours."""
        keys = self._client.search_keys()
        roles = self._client.search_roles()
        own = self._client.current_key()
        levels = tuple(mapping.observed_level(role) for role in roles)
        self._unknown_rights = {level.vendor_id: mapping.unknown_rights(level) for level in levels}
        return ObservedTenant(
            levels=levels,
            keys=tuple(mapping.observed_key(key) for key in keys),
            own_key_id=str(own.ID) if own is not None else None,
        )

    def own_credential(self) -> OwnCredential:
        """Which key is ours, when it ends, and every right of its role. Two calls."""
        own, remark = self._client.current_key(), ""
        role: RoleRecord | None = None
        try:
            roles = self._client.search_roles()
            role = next((one for one in roles if own is not None and own.roleID == one.ID), None)
        except NotPermitted:
            remark = (
                "its role cannot be read: it lacks platformRights.administratorRoleRights.canViewAdministratorRoles"
            )
        if own is None:
            return OwnCredential(
                Evidence.DOCUMENTED, "T1, T5", remark=remark or "an account's key cannot ask about itself"
            )
        return OwnCredential(
            evidence=Evidence.DOCUMENTED,
            source="T1",
            key_id=str(own.ID),
            tells_expiry=True,
            expires=from_milliseconds(own.expiryDate),
            roles=(role.name,) if role is not None else (),
            permissions=mapping.granted(role) if role is not None else None,
            remark=remark,
        )

    def create_level(self, name: str, fields: Fields, mark: Mark) -> str:
        """Create an administrator role."""
        return self._client.create_role(mapping.role_to_create({**fields, "name": name}, mark))

    def update_level(self, vendor_id: str, fields: Fields, mark: Mark) -> None:
        """Send the whole role, with every right that is not wanted as false, those of newer servers included."""
        body = mapping.role_to_update(fields, mark, also_revoked=self._unknown_rights.get(vendor_id, ()))
        self._client.modify_role(vendor_id, body)

    def delete_level(self, vendor_id: str) -> None:
        """Delete the role; one that is gone already is success."""
        self._client.delete_role(vendor_id)

    def create_key(self, name: str, fields: Fields, level_id: str, mark: Mark) -> Issued:
        """Create a key. `Issued.secret` holds `secretKey`, `keyId` and `endpoint`, what the vendor's SDK needs."""
        return self._client.create_key(mapping.key_to_create({**fields, "name": name}, level_id, mark))

    def update_key(self, vendor_id: str, changed: Fields, level_id: str | None, mark: Mark) -> None:
        """Send the changed properties only; nothing at all if there are none."""
        body = mapping.key_to_update(changed, level_id, mark)
        if body:
            self._client.modify_key(vendor_id, body)

    def regenerate_key(self, vendor_id: str) -> Issued:
        """Give the key a new secret; the former one stops authenticating at once (T3)."""
        return self._client.regenerate_key(vendor_id)

    def delete_key(self, vendor_id: str) -> None:
        """Delete the key; one that is gone already is success."""
        self._client.delete_key(vendor_id)

    def find_key(self, name: str, mark: Mark) -> Observed | None:
        """The key of that name with that mark."""
        found = map(mapping.observed_key, self._client.search_keys(_exactly("keyName", name)))
        return next((key for key in found if key.mark == mark), None)

    def find_level(self, name: str, mark: Mark) -> Observed | None:
        """The role of that name with that mark."""
        found = map(mapping.observed_level, self._client.search_roles(_exactly("name", name)))
        return next((level for level in found if level.mark == mark), None)

    def verify(self, issued: Issued) -> Verification:
        """Authenticate with a new secret as the key that it belongs to."""
        return self._client.verify(issued)

    def close(self) -> None:
        """Give connections back."""
        self._client.close()


def _exactly(field: str, value: str) -> dict[str, object]:
    """A criterion that takes `_` and `%` for what they are: wildcards are on by default (A6)."""
    return {"fieldName": field, "stringTest": "equal", "stringValue": value, "stringWildcards": False}
