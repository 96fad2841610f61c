"""The connected half of the provider: one account, with everything in canonical fields."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from reconciler.errors import InvalidInput
from reconciler.model.credential import Credential
from reconciler.model.mark import Mark
from reconciler.model.observed import Fields, KnownKey, Observed, ObservedTenant
from reconciler.providers.base import ConnectionSettings, Evidence, Issued, OwnCredential, Verification
from reconciler.providers.by_api import SessionByApi
from reconciler.providers.pacing import Pacer
from reconciler.providers.trend_cloud_one import mapping
from reconciler.providers.trend_cloud_one.client import PAGE, Client


class Session(SessionByApi):
    """See `reconciler.providers.base.Session`. Two calls observe an account of up to 100 keys and roles each."""

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

    @property
    def calls(self) -> int:
        """How many requests were sent so far."""
        return self._client.calls

    def observe(self, known: Sequence[KnownKey] = ()) -> ObservedTenant:  # noqa: ARG002  the lists tell everything
        """List keys and roles. The key in use is told by its credential, which begins with its id."""
        keys = self._client.list_keys()
        roles = self._client.list_roles()
        return ObservedTenant(
            levels=tuple(mapping.observed_level(role) for role in roles),
            keys=tuple(mapping.observed_key(key) for key in keys),
            own_key_id=self._client.own_key_id,
        )

    def own_credential(self) -> OwnCredential:
        """The key's role, by its id. One call. Keys of this product have no end (T11)."""
        own = self._client.own_key()
        limited = ", ".join([*(own.allowedIPs or ()), *(own.allowedCIDRs or ())])
        return OwnCredential(
            evidence=Evidence.DOCUMENTED,
            source="T11",
            key_id=own.id,
            tells_expiry=True,
            roles=(own.roleID,) if own.roleID else (),
            remark=f"it may be used from {limited} only" if limited else "",
        )

    def create_level(self, name: str, fields: Fields, mark: Mark) -> str:
        """Create a role."""
        return self._client.create_role(mapping.role_body({**fields, "name": name}, mark))

    def update_level(self, vendor_id: str, fields: Fields, mark: Mark) -> None:
        """Send the whole role."""
        self._client.modify_role(vendor_id, mapping.role_body(fields, mark))

    def delete_level(self, vendor_id: str) -> None:
        """Delete the role; one that is gone already is success."""
        self._client.delete_role(vendor_id)

    def create_key(self, name: str, fields: Fields, level_id: str, mark: Mark) -> Issued:
        """Create a key. `Issued.secret` holds `apiKey` (`ID:SECRET`, what services are sent), `keyId` and `endpoint`."""
        return self._client.create_key(mapping.key_body({**fields, "name": name}, level_id, mark))

    def update_key(self, vendor_id: str, changed: Fields, level_id: str | None, mark: Mark) -> None:
        """Send the changed properties only; nothing at all if there are none."""
        body = mapping.key_body(changed, level_id, mark)
        if body:
            self._client.modify_key(vendor_id, body)

    def regenerate_key(self, vendor_id: str) -> Issued:  # noqa: ARG002  the protocol's
        """A key keeps its secret for life (T12): never called, for the traits say so."""
        raise InvalidInput("this product gives an existing key no new secret: issue a new key")

    def delete_key(self, vendor_id: str) -> None:
        """Delete the key; one that is gone already is success."""
        self._client.delete_key(vendor_id)

    def find_key(self, name: str, mark: Mark) -> Observed | None:  # noqa: ARG002  lists cannot be searched by alias
        """The key with that mark, whatever it is called by now."""
        return next((key for key in map(mapping.observed_key, self._client.list_keys()) if key.mark == mark), None)

    def find_level(self, name: str, mark: Mark) -> Observed | None:  # noqa: ARG002  lists cannot be searched by name
        """The role with that mark, whatever it is called by now."""
        found = map(mapping.observed_level, self._client.list_roles())
        return next((level for level in found if level.mark == mark), None)

    def verify(self, issued: Issued) -> Verification:
        """Authenticate with a new secret as the key that it belongs to.

        A key that is disabled, or that may not be used from every address, may be refused and be good all the same.
        """
        return self._client.verify(issued)

    def close(self) -> None:
        """Give connections back."""
        self._client.close()
