"""The HTTP contract: paths, headers, authentication and paging of the `/api` family (T1, T2, T3, T5).

Secrets enter and leave the process here: a new one is taken out of the parsed answer at once, and the credential in use
is opened only to put it into a header.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel
from requests import PreparedRequest

from reconciler.errors import (
    ContractBroken,
    Denied,
    InvalidInput,
    NotFound,
    NotPermitted,
    ReconcilerError,
)
from reconciler.model.credential import Credential
from reconciler.model.secret import PLACEHOLDER, Secret
from reconciler.providers.answers import Call, Effect, parsed, reads, unusable
from reconciler.providers.base import ConnectionSettings, Issued, Verification
from reconciler.providers.http import Authenticator, Transport
from reconciler.providers.pacing import Pacer, Pacers
from reconciler.providers.trend_workload_security.capabilities import CAPABILITIES
from reconciler.providers.trend_workload_security.records import CurrentKey, KeyPage, KeyRecord, RolePage, RoleRecord

SEARCH_KEYS: Final = Call("POST", "/apikeys/search", Effect.READ)
CREATE_KEY: Final = Call("POST", "/apikeys", Effect.ONCE)
MODIFY_KEY: Final = Call("POST", "/apikeys/{apiKeyID}", Effect.REPEATABLE)
DELETE_KEY: Final = Call("DELETE", "/apikeys/{apiKeyID}", Effect.REPEATABLE, answers=False)
REGENERATE_KEY: Final = Call("POST", "/apikeys/{apiKeyID}/secretkey", Effect.ONCE)
CURRENT_KEY: Final = Call("GET", "/apikeys/current", Effect.READ)
SEARCH_ROLES: Final = Call("POST", "/roles/search", Effect.READ)
CREATE_ROLE: Final = Call("POST", "/roles", Effect.ONCE)
MODIFY_ROLE: Final = Call("POST", "/roles/{roleID}", Effect.REPEATABLE)
DELETE_ROLE: Final = Call("DELETE", "/roles/{roleID}", Effect.REPEATABLE, answers=False)
CALLS: Final = (
    SEARCH_KEYS, CREATE_KEY, MODIFY_KEY, DELETE_KEY, REGENERATE_KEY, CURRENT_KEY,
    SEARCH_ROLES, CREATE_ROLE, MODIFY_ROLE, DELETE_ROLE,
)  # fmt: skip

PAGE: Final = 5000
"""The vendor's own default for `maxItems` (T1)."""

_READS: Final = reads(CALLS, CAPABILITIES.operations)
_PACERS: Final = Pacers()


_Model = TypeVar("_Model", bound=BaseModel)


class _Header(Authenticator):
    """One header that holds a credential."""

    def __init__(self, name: str, secret: Secret, prefix: str = "") -> None:
        value = secret.reveal()
        if not (value.isascii() and value.isprintable() and " " not in value):
            what = "the credential holds spaces or characters that no key has"
            raise InvalidInput(what, hint="store the key again, exactly as the vendor showed it")
        self._name = name
        self._secret = secret
        self._prefix = prefix

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers[self._name] = self._prefix + self._secret.reveal()
        return request

    def conceal(self, text: str) -> str:
        """The text without the credential, whole or without its number."""
        value = self._secret.reveal()
        return text.replace(value, PLACEHOLDER).replace(value.rpartition(":")[2], PLACEHOLDER)

    def counted_by(self) -> bytes:
        """What tells this credential apart from others, without being it."""
        return hashlib.sha256(self._secret.reveal().encode()).digest()


class Client:
    """One tenant's API. Raises what `Transport.send` raises; ContractBroken for answers of the wrong shape.

    `page` is how many objects one search asks for; `pacer`, `clock` and `sleep` are for tests.
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
        given = set(credential.fields)
        if given not in CAPABILITIES.credential_fields:
            names = " or ".join(", ".join(sorted(fields)) for fields in CAPABILITIES.credential_fields)
            found = ", ".join(sorted(given)) or "nothing"
            raise InvalidInput(f"the credential for {endpoint} holds {found}; it must hold {names}, and nothing else")
        self.endpoint = endpoint.rstrip("/")
        self._by_account = "apiKey" in given
        auth = (
            _Header("Authorization", credential.fields["apiKey"], "ApiKey ")
            if self._by_account
            else _Header("api-secret-key", credential.fields["secretKey"])
        )
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
            headers={"api-version": "v1"},
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

    def search_keys(self, *criteria: Mapping[str, Any]) -> list[KeyRecord]:
        """Every key that meets all criteria, by rising ID."""
        return list(self._search(SEARCH_KEYS, KeyPage, "apiKeys", criteria))

    def search_roles(self, *criteria: Mapping[str, Any]) -> list[RoleRecord]:
        """Every administrator role that meets all criteria, by rising ID."""
        return list(self._search(SEARCH_ROLES, RolePage, "roles", criteria))

    def current_key(self) -> CurrentKey | None:
        """The key that we call with; None where the vendor does not say (an account's key, a console session)."""
        if self._by_account:
            return None
        try:
            return self._parsed(CURRENT_KEY, CurrentKey, self._transport.send(CURRENT_KEY))
        except (NotPermitted, NotFound):
            return None

    def create_key(self, body: Mapping[str, Any]) -> Issued:
        """Create a key. OutcomeUnknown if it may exist without our having its secret."""
        return self._issued(CREATE_KEY, self._transport.send(CREATE_KEY, body))

    def regenerate_key(self, key: str) -> Issued:
        """Give a key a new secret. OutcomeUnknown if it may have one that we do not have."""
        return self._issued(REGENERATE_KEY, self._transport.send(REGENERATE_KEY, path={"apiKeyID": key}))

    def modify_key(self, key: str, body: Mapping[str, Any]) -> None:
        """Change the given properties."""
        self._transport.send(MODIFY_KEY, body, path={"apiKeyID": key})

    def delete_key(self, key: str) -> None:
        """Delete a key; one that does not exist is deleted."""
        self._delete(DELETE_KEY, path={"apiKeyID": key})

    def create_role(self, body: Mapping[str, Any]) -> str:
        """Create a role and return its ID."""
        answer = self._transport.send(CREATE_ROLE, body)
        number = answer.get("ID")
        if not _is_id(number):
            raise unusable(CREATE_ROLE, "ID")
        return str(number)

    def modify_role(self, role: str, body: Mapping[str, Any]) -> None:
        """Change the given properties."""
        self._transport.send(MODIFY_ROLE, body, path={"roleID": role})

    def delete_role(self, role: str) -> None:
        """Delete a role; one that does not exist is deleted."""
        self._delete(DELETE_ROLE, path={"roleID": role})

    def verify(self, issued: Issued) -> Verification:
        """Ask the vendor, with a new secret, whose it is. Its own rate window is the new key's, so it has its own pacer."""
        secret = issued.secret["secretKey"]
        if not isinstance(secret, Secret):
            return Verification.BAD
        try:
            auth = _Header("api-secret-key", secret)
            answer = self._transport.send(CURRENT_KEY, auth=auth, pacer=self._verifying)
        except NotPermitted:
            return Verification.UNVERIFIABLE
        except (Denied, InvalidInput):
            return Verification.BAD
        except ReconcilerError:
            return Verification.UNVERIFIABLE
        number = answer.get("ID")
        if not _is_id(number):
            return Verification.UNVERIFIABLE
        return Verification.GOOD if str(number) == issued.vendor_id else Verification.BAD

    def _delete(self, call: Call, path: Mapping[str, str]) -> None:
        try:
            self._transport.send(call, path=path)
        except NotFound:
            return

    def _search(
        self, call: Call, model: type[_Model], field: str, criteria: Sequence[Mapping[str, Any]]
    ) -> Iterator[Any]:
        """All pages, by rising ID (A6). A server that does not page as documented is an error, never half a list."""
        last = 0
        while True:
            body = {
                "maxItems": self._page,
                "sortByObjectID": True,
                "searchCriteria": [{"idTest": "greater-than", "idValue": last}, *criteria],
            }
            items = getattr(self._parsed(call, model, self._ask(call, body)), field)
            numbers = [item.ID for item in items]
            whole = len(items) < self._page
            if len(set(numbers)) < len(numbers) or min(numbers, default=last + 1) <= last:
                raise self._unpaged(call)
            if not whole and numbers != sorted(numbers):
                raise self._unpaged(call)
            yield from sorted(items, key=lambda item: item.ID)
            if whole:
                return
            last = numbers[-1]

    def _ask(self, call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
        refused: ReconcilerError
        try:
            return self._transport.send(call, body)
        except Denied as denied:
            if not self._by_account or call is not SEARCH_KEYS:
                raise
            refused = denied
        refused.hint = (
            "an account-level key (apiKey) cannot manage the API keys of Workload Security: give the tenant a credential "
            "with secretKey, a key made in Workload Security itself"
        )
        raise refused

    def _unpaged(self, call: Call) -> ContractBroken:
        what = f"{call} at {self.endpoint} does not page by ID as documented: its list cannot be trusted to be whole"
        return ContractBroken(what, hint="nothing was changed; check that the endpoint is the product's own API")

    def _parsed(self, call: Call, model: type[_Model], answer: Mapping[str, Any]) -> _Model:
        return parsed(call, self.endpoint, model, answer)

    def _issued(self, call: Call, answer: dict[str, Any]) -> Issued:
        secret = _take_secret(answer)
        number = answer.get("ID")
        if secret is None or not _is_id(number):
            raise unusable(call, "secretKey" if secret is None else "ID")
        fields: dict[str, Secret | str] = {"secretKey": secret, "keyId": str(number), "endpoint": self.endpoint}
        return Issued(str(number), fields)


def _take_secret(answer: dict[str, Any]) -> Secret | None:
    value = answer.pop("secretKey", None)
    return Secret(value) if isinstance(value, str) and value else None


def _is_id(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number > 0
