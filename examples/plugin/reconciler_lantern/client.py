"""Lantern's HTTP contract. Secrets enter and leave the process here, and nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel
from requests import PreparedRequest

from reconciler.errors import ContractBroken, Denied, InvalidInput, NotFound, ReconcilerError
from reconciler.model.credential import Credential
from reconciler.model.secret import PLACEHOLDER, Secret
from reconciler.providers.answers import Call, Effect, parsed, reads, unusable
from reconciler.providers.base import ConnectionSettings, Issued, Verification
from reconciler.providers.http import Authenticator, Transport
from reconciler.providers.pacing import Pacer, Pacers
from reconciler_lantern.capabilities import CAPABILITIES
from reconciler_lantern.records import KeyPage, KeyRecord, RoleList, RoleRecord

LIST_KEYS: Final = Call("GET", "/v1/keys?after={after}", Effect.READ)
LIST_ROLES: Final = Call("GET", "/v1/roles", Effect.READ)
ME: Final = Call("GET", "/v1/me", Effect.READ)
CREATE_KEY: Final = Call("POST", "/v1/keys", Effect.ONCE)
CHANGE_KEY: Final = Call("PATCH", "/v1/keys/{id}", Effect.REPEATABLE)
DELETE_KEY: Final = Call("DELETE", "/v1/keys/{id}", Effect.REPEATABLE, answers=False)
CREATE_ROLE: Final = Call("POST", "/v1/roles", Effect.ONCE)
CHANGE_ROLE: Final = Call("PATCH", "/v1/roles/{id}", Effect.REPEATABLE)
DELETE_ROLE: Final = Call("DELETE", "/v1/roles/{id}", Effect.REPEATABLE, answers=False)

_READS: Final = reads((LIST_KEYS, LIST_ROLES, ME), CAPABILITIES.operations)
_PACERS: Final = Pacers()
_Model = TypeVar("_Model", bound=BaseModel)


class _Bearer(Authenticator):
    """`Authorization: Bearer SECRET`."""

    def __init__(self, secret: Secret) -> None:
        value = secret.reveal()
        if not (value.isascii() and value.isprintable() and " " not in value):
            raise InvalidInput("the secret holds characters that no secret has", hint="store it again")
        self._secret = secret

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._secret.reveal()}"
        return request

    def conceal(self, text: str) -> str:
        """The text without the secret."""
        return text.replace(self._secret.reveal(), PLACEHOLDER)

    def counted_by(self) -> bytes:
        """What tells this secret apart from others, without being it."""
        return hashlib.sha256(self._secret.reveal().encode()).digest()


class Client:
    """One account's API."""

    def __init__(self, endpoint: str, credential: Credential, settings: ConnectionSettings) -> None:
        if set(credential.fields) != {"secret"}:
            raise InvalidInput(f"the credential for {endpoint} must hold secret, and nothing else")
        self._auth = _Bearer(credential.fields["secret"])
        self.endpoint = endpoint.rstrip("/")
        self._settings = settings
        self._transport = Transport(
            self.endpoint,
            auth=self._auth,
            reads=_READS,
            settings=settings,
            pacer=self._pacer(""),
            sleep=settings.sleep,
        )

    @property
    def calls(self) -> int:
        """How many requests were sent so far."""
        return self._transport.calls

    def close(self) -> None:
        """Give connections back."""
        self._transport.close()

    def keys(self) -> Iterator[KeyRecord]:
        """Every key."""
        after = ""
        while True:
            page = self._parsed(LIST_KEYS, KeyPage, self._transport.send(LIST_KEYS, path={"after": after}))
            yield from page.keys
            if not page.next:
                return
            if page.next == after:
                raise ContractBroken(f"{LIST_KEYS} at {self.endpoint} has no end", hint="check the endpoint")
            after = page.next

    def roles(self) -> list[RoleRecord]:
        """Every role."""
        return self._parsed(LIST_ROLES, RoleList, self._transport.send(LIST_ROLES)).roles

    def own_key(self) -> KeyRecord:
        """The key that we call with."""
        return self._parsed(ME, KeyRecord, self._transport.send(ME))

    def create_key(self, body: Mapping[str, Any]) -> Issued:
        """Create a key. OutcomeUnknown if it may exist without our having its secret."""
        answer = self._transport.send(CREATE_KEY, body)
        value, number = answer.pop("secret", None), answer.get("id")
        if not (isinstance(value, str) and value and isinstance(number, str) and number):
            raise unusable(CREATE_KEY, "id or secret")
        return Issued(number, {"secret": Secret(value), "keyId": number, "endpoint": self.endpoint})

    def change_key(self, key: str, body: Mapping[str, Any]) -> None:
        """Change the given properties."""
        self._transport.send(CHANGE_KEY, body, path={"id": key})

    def create_role(self, body: Mapping[str, Any]) -> str:
        """Create a role and return its id."""
        number = self._transport.send(CREATE_ROLE, body).get("id")
        if not isinstance(number, str):
            raise unusable(CREATE_ROLE, "an id")
        return number

    def change_role(self, role: str, body: Mapping[str, Any]) -> None:
        """Change the given properties."""
        self._transport.send(CHANGE_ROLE, body, path={"id": role})

    def delete(self, call: Call, number: str) -> None:
        """Delete a key or a role; what does not exist is deleted."""
        try:
            self._transport.send(call, path={"id": number})
        except NotFound:
            return

    def verify(self, issued: Issued) -> Verification:
        """Ask, with the new secret, whose it is. Lantern counts calls by key, so this has a pacer of its own."""
        secret = issued.secret.get("secret")
        if not isinstance(secret, Secret):
            return Verification.BAD
        try:
            answer = self._transport.send(ME, auth=_Bearer(secret), pacer=self._pacer("verify"))
        except (Denied, InvalidInput):
            return Verification.BAD
        except ReconcilerError:
            return Verification.UNVERIFIABLE
        return Verification.GOOD if answer.get("id") == issued.vendor_id else Verification.BAD

    def _pacer(self, what: str) -> Pacer:
        counted_by = (self.endpoint, self._auth.counted_by(), what)
        return _PACERS.within(CAPABILITIES.rate, self._settings.rate, counted_by)

    def _parsed(self, call: Call, model: type[_Model], answer: Mapping[str, Any]) -> _Model:
        return parsed(call, self.endpoint, model, answer)
