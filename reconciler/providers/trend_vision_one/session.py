"""The connected half of the provider: one Vision One, with everything in canonical fields."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NoReturn

from reconciler.errors import InvalidInput
from reconciler.model.credential import Credential
from reconciler.model.mark import Mark
from reconciler.model.observed import Fields, KnownKey, Observed, ObservedTenant
from reconciler.providers.base import ConnectionSettings, Evidence, Issued, OwnCredential, Verification
from reconciler.providers.by_api import SessionByApi
from reconciler.providers.naming import vendor_name
from reconciler.providers.pacing import Pacer
from reconciler.providers.times import from_text
from reconciler.providers.trend_vision_one import mapping
from reconciler.providers.trend_vision_one.client import PAGE, Client


class Session(SessionByApi):
    """See `reconciler.providers.base.Session`. One call observes a tenant of up to 200 keys; `listRoles` makes it two."""

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
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = Client(
            endpoint, credential, settings, page=page, pacer=pacer, clock=clock, sleep=sleep or settings.sleep
        )
        self._roles: tuple[str, ...] = tuple(settings.options.get("roles", ()))
        self._asks_for_roles = settings.options.get("listRoles") is True
        self._now = now

    @property
    def calls(self) -> int:
        """How many requests were sent so far."""
        return self._client.calls

    def observe(self, known: Sequence[KnownKey] = ()) -> ObservedTenant:  # noqa: ARG002  the list tells everything
        """List keys, and the roles that keys may be given.

        Roles are those that the tenant's options name and those that keys have; with `listRoles` (the call is assumed)
        also those that the vendor lists.
        """
        keys = self._client.list_keys()
        listed = self._client.list_roles() if self._asks_for_roles else ()
        roles = sorted({*listed, *self._roles, *(key.role for key in keys if key.role)})
        return ObservedTenant(
            levels=tuple(map(mapping.observed_role, roles)),
            keys=tuple(map(mapping.observed_key, keys)),
            own_key_id=self._client.own_key_id,
        )

    def own_credential(self) -> OwnCredential:
        """The key's role and end, if its id is stored beside the token. One call."""
        own = self._client.own_key()
        if own is None:
            remark = (
                "the API does not say which key calls: store its keyId beside the token, and its role and end are told"
            )
            return OwnCredential(Evidence.DOCUMENTED, "T14", remark=remark)
        return OwnCredential(
            evidence=Evidence.DOCUMENTED,
            source="T14, T16",
            key_id=own.id,
            tells_expiry=True,
            expires=from_text(own.expiredDateTime),
            roles=(own.role,) if own.role else (),
        )

    def create_level(self, name: str, fields: Fields, mark: Mark) -> NoReturn:  # noqa: ARG002  the protocol's
        """Roles are not managed."""
        raise _no_levels()

    def update_level(self, vendor_id: str, fields: Fields, mark: Mark) -> NoReturn:  # noqa: ARG002  the protocol's
        """Roles are not managed."""
        raise _no_levels()

    def delete_level(self, vendor_id: str) -> NoReturn:  # noqa: ARG002  the protocol's
        """Roles are not managed."""
        raise _no_levels()

    def create_key(self, name: str, fields: Fields, level_id: str, mark: Mark) -> Issued:
        """Create one key. `Issued.secret` holds `token`, `keyId` and `endpoint`, what the vendor's SDK needs."""
        body = mapping.key_to_create({**fields, "name": name}, level_id, mark, self._now())
        return self._client.create_key(body)

    def update_key(self, vendor_id: str, changed: Fields, level_id: str | None, mark: Mark) -> None:
        """Change the given fields only; no call at all if there are none. Conflict if others go on changing the key."""
        body = mapping.key_to_update(changed, level_id, mark)
        if body:
            self._client.modify_key(vendor_id, body)

    def regenerate_key(self, vendor_id: str) -> Issued:  # noqa: ARG002  the protocol's
        """A key keeps its token for life: never called, for the traits say so."""
        raise InvalidInput("this product gives an existing key no new token: issue a new key")

    def delete_key(self, vendor_id: str) -> None:
        """Delete the key; one that is gone already is success."""
        self._client.delete_key(vendor_id)

    def find_key(self, name: str, mark: Mark) -> Observed | None:
        """The key of that name and generation with that mark."""
        found = map(mapping.observed_key, self._client.list_keys(vendor_name(name, mark)))
        return next((key for key in found if key.mark == mark), None)

    def find_level(self, name: str, mark: Mark) -> None:
        """Roles carry no marks."""

    def verify(self, issued: Issued) -> Verification:
        """Authenticate with a new token. A key that is disabled is refused, and good all the same."""
        return self._client.verify(issued)

    def close(self) -> None:
        """Give connections back."""
        self._client.close()


def _no_levels() -> InvalidInput:
    return InvalidInput("roles are not managed here", hint="make one in the console, refer to it with {existing: NAME}")
