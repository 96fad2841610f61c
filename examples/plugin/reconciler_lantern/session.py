"""The connected half: one account, with everything in canonical fields."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from reconciler.errors import InvalidInput
from reconciler.model.credential import Credential
from reconciler.model.mark import Mark
from reconciler.model.observed import Fields, KnownKey, Observed, ObservedTenant
from reconciler.providers.base import ConnectionSettings, Evidence, Issued, OwnCredential, Verification
from reconciler.providers.by_api import SessionByApi
from reconciler_lantern import mapping
from reconciler_lantern.client import DELETE_KEY, DELETE_ROLE, Client


class Session(SessionByApi):
    """See `reconciler.providers.base.Session`."""

    def __init__(self, endpoint: str, credential: Credential, settings: ConnectionSettings) -> None:
        self._client = Client(endpoint, credential, settings)

    @property
    def calls(self) -> int:
        """How many requests were sent so far."""
        return self._client.calls

    def observe(self, known: Sequence[KnownKey] = ()) -> ObservedTenant:  # noqa: ARG002  the lists tell everything
        """List keys and roles, and find out which key is ours."""
        keys = tuple(map(mapping.observed_key, self._client.keys()))
        levels = tuple(map(mapping.observed_level, self._client.roles()))
        return ObservedTenant(levels, keys, self._client.own_key().id)

    def own_credential(self) -> OwnCredential:
        """Which key is ours, its role and its end (G 1.2)."""
        own = self._client.own_key()
        ends = datetime.fromtimestamp(own.ends, UTC) if own.ends else None
        return OwnCredential(
            Evidence.DOCUMENTED, "G 1.2", key_id=own.id, tells_expiry=True, expires=ends, roles=(own.role,)
        )

    def create_level(self, name: str, fields: Fields, mark: Mark) -> str:
        """Create a role."""
        return self._client.create_role(mapping.role_body({**fields, "name": name}, mark))

    def update_level(self, vendor_id: str, fields: Fields, mark: Mark) -> None:
        """Send the whole role."""
        self._client.change_role(vendor_id, mapping.role_body(fields, mark))

    def delete_level(self, vendor_id: str) -> None:
        """Delete the role."""
        self._client.delete(DELETE_ROLE, vendor_id)

    def create_key(self, name: str, fields: Fields, level_id: str, mark: Mark) -> Issued:
        """Create a key. `Issued.secret` holds `secret`, `keyId` and `endpoint`."""
        return self._client.create_key(mapping.key_body({**fields, "name": name}, level_id, mark))

    def update_key(self, vendor_id: str, changed: Fields, level_id: str | None, mark: Mark) -> None:
        """Send the changed properties only; nothing at all if there are none."""
        body = mapping.key_body(changed, level_id, mark)
        if body:
            self._client.change_key(vendor_id, body)

    def regenerate_key(self, vendor_id: str) -> Issued:  # noqa: ARG002  the protocol's
        """Never called: the traits say that a key keeps its secret for life."""
        raise InvalidInput("this product gives an existing key no new secret: issue a new key")

    def delete_key(self, vendor_id: str) -> None:
        """Delete the key."""
        self._client.delete(DELETE_KEY, vendor_id)

    def find_key(self, name: str, mark: Mark) -> Observed | None:
        """The key of that name with that mark."""
        found = map(mapping.observed_key, self._client.keys())
        return next((key for key in found if key.name == name and key.mark == mark), None)

    def find_level(self, name: str, mark: Mark) -> Observed | None:
        """The role of that name with that mark."""
        found = map(mapping.observed_level, self._client.roles())
        return next((level for level in found if level.name == name and level.mark == mark), None)

    def verify(self, issued: Issued) -> Verification:
        """Authenticate with a new secret as the key that it belongs to."""
        return self._client.verify(issued)

    def close(self) -> None:
        """Give connections back."""
        self._client.close()
