"""The connected half of the provider: one account, with everything in canonical fields."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NoReturn

from reconciler.errors import (
    ContractBroken,
    Denied,
    InvalidInput,
    OutcomeUnknown,
    ReconcilerError,
    Rejected,
    RetryLater,
    Stopped,
)
from reconciler.model.credential import Credential
from reconciler.model.desired import KeyState
from reconciler.model.mark import Mark
from reconciler.model.observed import Fields, KnownKey, Observed, ObservedTenant
from reconciler.model.secret import Secret
from reconciler.providers.base import ConnectionSettings, Evidence, Issued, OwnCredential, Verification
from reconciler.providers.lacework import mapping
from reconciler.providers.lacework.client import Client


class Session:
    """See `reconciler.providers.base.Session`. Three calls observe an account of up to 5,000 users."""

    def __init__(
        self,
        endpoint: str,
        credential: Credential,
        settings: ConnectionSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._client = Client(endpoint, credential, settings, clock=clock, sleep=sleep or settings.sleep)
        self._own: frozenset[str] | None = None

    @property
    def calls(self) -> int:
        """How many requests were sent so far."""
        return self._client.calls

    def observe(self, known: Sequence[KnownKey] = ()) -> ObservedTenant:
        """List users. Keys cannot be looked up: those of our records are returned as they are known."""
        users = self._client.users()
        own = self._own_users()
        return ObservedTenant(
            levels=tuple(mapping.observed_user(user, own) for user in users),
            keys=tuple(map(mapping.known_key, known)),
            own_key_id=self._client.key_id,
        )

    def own_credential(self) -> OwnCredential:
        """The groups of the user whose key it is, where the vendor tells. Three calls. Keys have no end (KEYDOC)."""
        self._client.authenticate()
        own = [user for user in self._client.users() if user.userGuid in self._own_users()] if self._own_users() else []
        return OwnCredential(
            evidence=Evidence.DOCUMENTED,
            source="APIDOC, KEYDOC",
            key_id=self._client.key_id,
            tells_expiry=True,
            roles=tuple(sorted({group.userGroupGuid for user in own for group in user.userGroups or ()})),
            remark="" if own else "the vendor tells whose key it is to some callers only, mostly to administrators",
        )

    def create_level(self, name: str, fields: Fields, mark: Mark) -> str:
        """Create a service user and make it a member of its groups.

        When that fails half-way, the user is removed again if the vendor refuses a group, and is an unknown outcome
        otherwise: whoever looks finds it by its mark, and an update completes it.
        """
        guid = self._client.create_user(mapping.user_to_create(name, fields, mark))
        try:
            self._client.join(guid, mapping.groups(fields["groups"]))
        except (Rejected, Denied):
            with suppress(ReconcilerError):  # what stays carries our mark: the next run takes it away
                self._client.delete_user(guid)
            raise
        except (RetryLater, ContractBroken) as trouble:
            what = f"the service user {guid} was created but is not yet in all of its groups: {trouble.what}"
        else:
            return guid
        raise OutcomeUnknown(what, hint="the next run completes it")

    def update_level(self, vendor_id: str, fields: Fields, mark: Mark) -> None:
        """Make name, description, groups and (if given) state what is given. What takes access away is done first."""
        locking = fields.get("state", KeyState.ACTIVE) != KeyState.ACTIVE
        if locking:
            self._spare_own(vendor_id, "lock")
        body = mapping.user_to_update(fields, mark)
        wanted = mapping.groups(fields["groups"])
        present = mapping.observed_user(self._client.user(vendor_id)).fields["groups"]
        if locking:
            self._client.update_user(vendor_id, body)
        self._client.leave(vendor_id, [group for group in present if group not in wanted])
        if not locking:
            self._client.update_user(vendor_id, body)
        self._client.join(vendor_id, [group for group in wanted if group not in present])

    def delete_level(self, vendor_id: str) -> None:
        """Delete the service user; one that is gone already is success."""
        self._spare_own(vendor_id, "delete")
        self._client.delete_user(vendor_id)

    def create_key(self, name: str, fields: Fields, level_id: str, mark: Mark) -> Issued:  # noqa: ARG002
        """Keys are made in the console."""
        _by_hand()

    def finish_key(self, vendor_id: str, fields: Fields, level_id: str, mark: Mark) -> None:
        """A key is complete when it has been created."""

    def accept_key(self, fields: Mapping[str, Secret | str]) -> Issued:
        """A downloaded key. `Issued.secret` holds `keyId`, `secret`, `account` and, where there is one, `subAccount`.

        InvalidInput if the id or the secret cannot be one, or if the file is another account's.
        """
        return self._client.accept(fields)

    def clicked(self, name: str, since: datetime) -> None:
        """The vendor has no way to tell: only its audit log may know of keys, in a shape that no source describes."""

    def update_key(self, vendor_id: str, changed: Fields, level_id: str | None, mark: Mark) -> None:  # noqa: ARG002
        """Keys are changed in the console."""
        _by_hand()

    def regenerate_key(self, vendor_id: str) -> Issued:  # noqa: ARG002
        """A key keeps its secret for life."""
        _by_hand()

    def delete_key(self, vendor_id: str) -> None:  # noqa: ARG002
        """Keys are deleted in the console."""
        _by_hand()

    def find_key(self, name: str, mark: Mark) -> Observed | None:
        """Keys cannot be looked up."""

    def find_level(self, name: str, mark: Mark) -> Observed | None:  # noqa: ARG002  there is no search
        """The service user with that mark."""
        found = map(mapping.observed_user, self._client.users())
        return next((user for user in found if user.mark == mark), None)

    def verify(self, issued: Issued) -> Verification:
        """Exchange the key for a short token."""
        return self._client.verify(issued)

    def close(self) -> None:
        """Give connections back."""
        self._client.close()

    def _own_users(self) -> frozenset[str]:
        if self._own is None:
            self._own = self._client.own_users()
        return self._own

    def _spare_own(self, guid: str, what: str) -> None:
        """Refuse to end the access of the user that we are calling as."""
        if guid in self._own_users():
            raise Stopped(
                f"the reconciler is calling with a key of the user {guid}, and does not {what} it",
                hint="give the tenant the key of another user first",
            )


def _by_hand() -> NoReturn:
    raise InvalidInput(
        "keys of this product are managed in its console only", hint="reconciler handoff lists the steps"
    )
