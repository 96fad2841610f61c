"""The HTTP contract: paths, headers, authentication and cursors of the account API (T11, T12).

Secrets enter and leave the process here: a new one is taken out of the parsed answer at once, and the credential in use
is opened only to put it into a header.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel
from requests import PreparedRequest

from reconciler.errors import (
    AuthenticationFailed,
    ContractBroken,
    InvalidInput,
    NotFound,
    ReconcilerError,
    Rejected,
)
from reconciler.model.credential import Credential
from reconciler.model.secret import PLACEHOLDER, Secret
from reconciler.providers.answers import Call, Effect, parsed, reads, unusable
from reconciler.providers.base import ConnectionSettings, Issued, Verification
from reconciler.providers.http import Authenticator, Transport
from reconciler.providers.pacing import Pacer, Pacers
from reconciler.providers.trend_cloud_one.capabilities import CAPABILITIES
from reconciler.providers.trend_cloud_one.records import KeyPage, KeyRecord, RolePage, RoleRecord

LIST_KEYS: Final = Call("GET", "/apikeys?limit={limit}", Effect.READ)
MORE_KEYS: Final = Call("GET", "/apikeys?limit={limit}&cursor={cursor}", Effect.READ)
LIST_ROLES: Final = Call("GET", "/roles?limit={limit}", Effect.READ)
MORE_ROLES: Final = Call("GET", "/roles?limit={limit}&cursor={cursor}", Effect.READ)
DESCRIBE_KEY: Final = Call("GET", "/apikeys/{id}", Effect.READ)
CREATE_KEY: Final = Call("POST", "/apikeys", Effect.ONCE)
MODIFY_KEY: Final = Call("POST", "/apikeys/{id}", Effect.REPEATABLE, answers=False)
DELETE_KEY: Final = Call("DELETE", "/apikeys/{id}", Effect.REPEATABLE, answers=False)
CREATE_ROLE: Final = Call("POST", "/roles", Effect.ONCE)
MODIFY_ROLE: Final = Call("POST", "/roles/{id}", Effect.REPEATABLE, answers=False)
DELETE_ROLE: Final = Call("DELETE", "/roles/{id}", Effect.REPEATABLE, answers=False)
CALLS: Final = (
    LIST_KEYS, MORE_KEYS, LIST_ROLES, MORE_ROLES, DESCRIBE_KEY, CREATE_KEY, MODIFY_KEY, DELETE_KEY,
    CREATE_ROLE, MODIFY_ROLE, DELETE_ROLE,
)  # fmt: skip

PAGE: Final = 100
"""How many objects a list is asked for. The vendor's default is 25; its maximum is not documented."""
_DEFAULT_PAGE: Final = 0
"""What the vendor takes for "the default" (T11)."""

_READS: Final = reads(CALLS, CAPABILITIES.operations)
_PACERS: Final = Pacers()

_Model = TypeVar("_Model", bound=BaseModel)


class _Header(Authenticator):
    """`Authorization: ApiKey ID:SECRET` (T11)."""

    def __init__(self, secret: Secret) -> None:
        value = secret.reveal()
        self.key_id, colon, rest = value.partition(":")
        if not (value.isascii() and value.isprintable() and " " not in value and self.key_id and colon and rest):
            what = "the credential is not ID:SECRET, as this product's keys are, or holds spaces"
            raise InvalidInput(what, hint="store the whole key again, exactly as the vendor showed it")
        self._secret = secret

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"ApiKey {self._secret.reveal()}"
        return request

    def conceal(self, text: str) -> str:
        """The text without the credential, whole or without its id."""
        value = self._secret.reveal()
        return text.replace(value, PLACEHOLDER).replace(value.partition(":")[2], PLACEHOLDER)

    def counted_by(self) -> bytes:
        """What tells this credential apart from others, without being it."""
        return hashlib.sha256(self._secret.reveal().encode()).digest()


class Client:
    """One account's API. Raises what `Transport.send` raises; ContractBroken for answers of the wrong shape.

    `page` is how many objects a list is asked for; `pacer`, `clock` and `sleep` are for tests.
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
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if set(credential.fields) != {"apiKey"}:
            found = ", ".join(sorted(credential.fields)) or "nothing"
            raise InvalidInput(f"the credential for {endpoint} holds {found}; it must hold apiKey, and nothing else")
        self.endpoint = endpoint.rstrip("/")
        auth = _Header(credential.fields["apiKey"])
        self.own_key_id = auth.key_id
        self._page = page
        self._pacer = pacer or _PACERS.within(CAPABILITIES.rate, settings.rate, (self.endpoint, auth.counted_by()))
        self._verifying = pacer or _PACERS.within(
            CAPABILITIES.rate, settings.rate, (self.endpoint, auth.counted_by(), "verify")
        )
        self._transport = Transport(
            self.endpoint,
            auth=auth,
            reads=_READS,
            settings=settings,
            pacer=self._pacer,
            headers={"Api-Version": "v1"},
            clock=clock,
            sleep=sleep,
        )

    @property
    def calls(self) -> int:
        """How many requests were sent so far."""
        return self._transport.calls

    def close(self) -> None:
        """Give connections back."""
        self._transport.close()

    def list_keys(self) -> list[KeyRecord]:
        """Every key of the account."""
        found = (key for page in self._pages(LIST_KEYS, MORE_KEYS, KeyPage) for key in page.apikeys)
        return list({key.id: key for key in found}.values())

    def own_key(self) -> KeyRecord:
        """The key that we call with."""
        path = {"id": self.own_key_id}
        return self._parsed(DESCRIBE_KEY, KeyRecord, self._transport.send(DESCRIBE_KEY, path=path))

    def list_roles(self) -> list[RoleRecord]:
        """Every role of the account."""
        found = (role for page in self._pages(LIST_ROLES, MORE_ROLES, RolePage) for role in page.roles)
        return list({role.id: role for role in found}.values())

    def create_key(self, body: Mapping[str, Any]) -> Issued:
        """Create a key. OutcomeUnknown if it may exist without our having its secret."""
        answer = self._transport.send(CREATE_KEY, body)
        key_id = answer.get("id")
        secret = _take_secret(answer, key_id) if isinstance(key_id, str) and key_id else None
        if secret is None or not isinstance(key_id, str):
            raise unusable(CREATE_KEY, "its id and secret")
        return Issued(key_id, {"apiKey": secret, "keyId": key_id, "endpoint": self.endpoint})

    def modify_key(self, key: str, body: Mapping[str, Any]) -> None:
        """Change the given properties."""
        self._transport.send(MODIFY_KEY, body, path={"id": key})

    def delete_key(self, key: str) -> None:
        """Delete a key; one that does not exist is deleted."""
        self._delete(DELETE_KEY, key)

    def create_role(self, body: Mapping[str, Any]) -> str:
        """Create a role and return its id."""
        found = self._transport.send(CREATE_ROLE, body).get("id")
        if not isinstance(found, str) or not found:
            raise unusable(CREATE_ROLE, "its id")
        return found

    def modify_role(self, role: str, body: Mapping[str, Any]) -> None:
        """Change the given properties."""
        self._transport.send(MODIFY_ROLE, body, path={"id": role})

    def delete_role(self, role: str) -> None:
        """Delete a role; one that does not exist is deleted."""
        self._delete(DELETE_ROLE, role)

    def verify(self, issued: Issued) -> Verification:
        """Let the new key describe itself. Its rate window is its own, so it has its own pacer."""
        secret = issued.secret.get("apiKey")
        if not isinstance(secret, Secret):
            return Verification.BAD
        try:
            auth = _Header(secret)
            answer = self._transport.send(DESCRIBE_KEY, path={"id": issued.vendor_id}, auth=auth, pacer=self._verifying)
        except AuthenticationFailed:
            return self._why_refused(issued.vendor_id)
        except InvalidInput:
            return Verification.BAD
        except ReconcilerError:
            return Verification.UNVERIFIABLE
        if auth.key_id != issued.vendor_id:
            return Verification.BAD
        return Verification.GOOD if answer.get("id") == issued.vendor_id else Verification.UNVERIFIABLE

    def _why_refused(self, key: str) -> Verification:
        """A refused key is bad, unless it is disabled or may be excluding us by our address."""
        try:
            found = self._parsed(DESCRIBE_KEY, KeyRecord, self._transport.send(DESCRIBE_KEY, path={"id": key}))
        except NotFound:
            return Verification.BAD
        except ReconcilerError:
            return Verification.UNVERIFIABLE
        excused = not found.enabled or found.allowedIPs or found.allowedCIDRs
        return Verification.UNVERIFIABLE if excused else Verification.BAD

    def _delete(self, call: Call, identity: str) -> None:
        try:
            self._transport.send(call, path={"id": identity})
        except NotFound:
            return

    def _pages(self, first: Call, more: Call, model: type[_Model]) -> Iterator[_Model]:
        """All pages. A cursor that comes again is an error: the list would have no end."""
        page = self._parsed(first, model, self._first_page(first))
        seen: set[str] = set()
        while True:
            yield page
            cursor = getattr(page, "next", None)
            if not cursor:
                return
            if cursor in seen:
                what = f"{first} at {self.endpoint} gives the same cursor twice: its list cannot be trusted to be whole"
                raise ContractBroken(what, hint="nothing was changed; check that the endpoint is the product's own API")
            seen.add(cursor)
            path = {"limit": str(self._page), "cursor": cursor}
            page = self._parsed(more, model, self._transport.send(more, path=path))

    def _first_page(self, call: Call) -> dict[str, Any]:
        """The vendor's maximum is not documented: if ours is beyond it, its own default will do."""
        try:
            return self._transport.send(call, path={"limit": str(self._page)})
        except (NotFound, ContractBroken):
            raise
        except Rejected:
            if self._page == _DEFAULT_PAGE:
                raise
        self._page = _DEFAULT_PAGE
        return self._transport.send(call, path={"limit": str(self._page)})

    def _parsed(self, call: Call, model: type[_Model], answer: Mapping[str, Any]) -> _Model:
        return parsed(call, self.endpoint, model, answer)


def _take_secret(answer: dict[str, Any], key_id: str) -> Secret | None:
    """The whole credential. Its field's name is not confirmed, nor whether the id stands before it there (T11, T12)."""
    found = [answer.pop(name, None) for name in ("secret", "apiKey")]
    value = next((one for one in found if isinstance(one, str) and one), None)
    if value is None:
        return None
    return Secret(value if value.startswith(f"{key_id}:") else f"{key_id}:{value}")
