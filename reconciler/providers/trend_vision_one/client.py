"""The HTTP contract: paths, headers, pages, ETags and multi-status answers of the public API (T14, T16, T17).

Secrets enter and leave the process here: a new one is taken out of the parsed answer at once, and the credential in use
is opened only to put it into a header.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel
from requests import PreparedRequest

from reconciler.errors import (
    AuthenticationFailed,
    Conflict,
    ContractBroken,
    InvalidInput,
    NotFound,
    NotPermitted,
    ReconcilerError,
    RetryLater,
    foreign,
)
from reconciler.model.credential import Credential
from reconciler.model.secret import PLACEHOLDER, Secret
from reconciler.providers.answers import Answer, Call, Effect, broken, parsed, reads, refusal, unusable
from reconciler.providers.base import ConnectionSettings, Issued, Verification
from reconciler.providers.http import Authenticator, Transport
from reconciler.providers.pacing import Pacer, Pacers
from reconciler.providers.trend_vision_one.capabilities import CAPABILITIES
from reconciler.providers.trend_vision_one.records import KeyPage, KeyRecord, RolePage

_KEYS: Final = "/v3.0/iam/apiKeys"
LIST_KEYS: Final = Call("GET", f"{_KEYS}?top={{top}}&orderBy={{orderBy}}", Effect.READ)
MORE_KEYS: Final = Call("GET", f"{_KEYS}?top={{top}}&orderBy={{orderBy}}&skipToken={{skipToken}}", Effect.READ)
DESCRIBE_KEY: Final = Call("GET", f"{_KEYS}/{{id}}", Effect.READ)
LIST_ROLES: Final = Call("GET", "/v3.0/iam/roles", Effect.READ)
MORE_ROLES: Final = Call("GET", "/v3.0/iam/roles?skipToken={skipToken}", Effect.READ)
CONNECT: Final = Call("GET", "/v3.0/healthcheck/connectivity", Effect.READ)
CREATE_KEYS: Final = Call("POST", _KEYS, Effect.ONCE, array=True)
MODIFY_KEY: Final = Call("PATCH", f"{_KEYS}/{{id}}", Effect.REPEATABLE, answers=False)
DELETE_KEYS: Final = Call("POST", f"{_KEYS}/delete", Effect.REPEATABLE, array=True)
CALLS: Final = (
    LIST_KEYS, MORE_KEYS, DESCRIBE_KEY, LIST_ROLES, MORE_ROLES, CONNECT, CREATE_KEYS, MODIFY_KEY, DELETE_KEYS,
)  # fmt: skip

PAGE: Final = 200
"""The largest page (T16)."""
_ORDER: Final = "createdDateTime asc"
_NAME_ROLES: Final = "the list of roles is an assumed call: name the roles in the tenant's options.roles instead"

_READS: Final = reads(CALLS, CAPABILITIES.operations)
_PACERS: Final = Pacers()

_Model = TypeVar("_Model", bound=BaseModel)


class _Bearer(Authenticator):
    """`Authorization: Bearer TOKEN` (T17)."""

    def __init__(self, secret: Secret) -> None:
        value = secret.reveal()
        if not (value.isascii() and value.isprintable() and " " not in value):
            what = "the token holds spaces or characters that no token has"
            raise InvalidInput(what, hint="store the token again, exactly as the vendor showed it")
        self._secret = secret

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._secret.reveal()}"
        return request

    def conceal(self, text: str) -> str:
        """The text without the token."""
        return text.replace(self._secret.reveal(), PLACEHOLDER)

    def counted_by(self) -> bytes:
        """What tells this credential apart from others, without being it."""
        return hashlib.sha256(self._secret.reveal().encode()).digest()


class Client:
    """One tenant's API. Raises what `Transport.send` raises; ContractBroken for answers of the wrong shape.

    `page` is how many keys a list is asked for: 50, 100 or 200. `pacer`, `clock` and `sleep` are for tests.
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
        if set(credential.fields) not in CAPABILITIES.credential_fields:
            found = ", ".join(sorted(credential.fields)) or "nothing"
            what = f"the credential for {endpoint} holds {found}; it must hold token, and may hold keyId beside it"
            raise InvalidInput(what)
        self.endpoint = endpoint.rstrip("/")
        own = credential.fields.get("keyId")
        self.own_key_id = own.reveal() if own is not None else None
        """As it is stored beside the token: the API does not say which key calls."""
        self._auth = _Bearer(credential.fields["token"])
        self._page = page
        counted_by = self._auth.counted_by()
        self._pacer = pacer or _PACERS.within(CAPABILITIES.rate, settings.rate, (self.endpoint, counted_by))
        self._verifying = pacer or _PACERS.within(
            CAPABILITIES.rate, settings.rate, (self.endpoint, counted_by, "verify")
        )
        self._transport = Transport(
            self.endpoint,
            auth=self._auth,
            reads=_READS,
            settings=settings,
            pacer=self._pacer,
            message=_message,
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

    def list_keys(self, name: str | None = None) -> list[KeyRecord]:
        """Every key, or those of one name. RetryLater if keys came or went while the pages were read.

        The vendor counts what it lists: a list that is shorter than that would look like keys that are gone.
        """
        headers = {} if name is None else {"TMV1-Filter": f"name eq '{name}'"}
        path = {"top": str(self._page), "orderBy": _ORDER}
        found: dict[str, KeyRecord] = {}
        total = 0
        for page in self._pages(LIST_KEYS, MORE_KEYS, KeyPage, path, headers):
            found.update({key.id: key for key in page.items})
            total = page.totalCount or 0
        if len(found) < total:
            what = f"{LIST_KEYS} at {self.endpoint} gave {len(found)} keys of {total}"
            raise RetryLater(what, hint="keys were made or deleted meanwhile: run again")
        return list(found.values())

    def own_key(self) -> KeyRecord | None:
        """The key that we call with; None where its id is not stored beside the token. One call either way."""
        if self.own_key_id is None:
            self._transport.send(CONNECT)
            return None
        path = {"id": self.own_key_id}
        return self._parsed(DESCRIBE_KEY, KeyRecord, self._transport.send(DESCRIBE_KEY, path=path))

    def list_roles(self) -> list[str]:
        """The names of all roles; none where we may not ask for them."""
        problem: ContractBroken
        try:
            pages = list(self._pages(LIST_ROLES, MORE_ROLES, RolePage, {}, {}))
        except (NotPermitted, NotFound):
            return []
        except ContractBroken as broke:
            problem = broke
        else:
            return [role.name for page in pages for role in page.items]
        problem.hint = _NAME_ROLES
        raise problem

    def create_key(self, body: Mapping[str, Any]) -> Issued:
        """Create one key. OutcomeUnknown if it may exist without our having its token."""
        body = self._only_item(CREATE_KEYS, self._transport.send(CREATE_KEYS, [body]))
        value = body.pop("value", None)
        token = Secret(value) if isinstance(value, str) and value else None
        number = body.get("id")
        if token is None or not isinstance(number, str) or not number:
            raise unusable(CREATE_KEYS, "value" if token is None else "id")
        return Issued(number, {"token": token, "keyId": number, "endpoint": self.endpoint})

    def modify_key(self, key: str, body: Mapping[str, Any]) -> None:
        """Change the given properties of the key as it is now. If somebody was faster, look once more; then Conflict."""
        try:
            self._modify(key, body)
        except Conflict:
            pass
        else:
            return
        self._modify(key, body)

    def delete_key(self, key: str) -> None:
        """Delete a key; one that does not exist is deleted."""
        try:
            self._only_item(DELETE_KEYS, self._transport.send(DELETE_KEYS, [{"id": key}]))
        except NotFound:
            return

    def verify(self, issued: Issued) -> Verification:
        """Make the API's own harmless call with the new token. Its rate window is its own, so it has its own pacer."""
        token = issued.secret.get("token")
        if not isinstance(token, Secret):
            return Verification.BAD
        try:
            self._transport.send(CONNECT, auth=_Bearer(token), pacer=self._verifying)
        except AuthenticationFailed:
            return self._why_refused(issued.vendor_id)
        except InvalidInput:
            return Verification.BAD
        except ReconcilerError:
            return Verification.UNVERIFIABLE
        return Verification.GOOD

    def _why_refused(self, key: str) -> Verification:
        """A refused token is bad, unless its key is disabled."""
        try:
            found = self._parsed(DESCRIBE_KEY, KeyRecord, self._transport.send(DESCRIBE_KEY, path={"id": key}))
        except NotFound:
            return Verification.BAD
        except ReconcilerError:
            return Verification.UNVERIFIABLE
        return Verification.UNVERIFIABLE if found.status == "disabled" else Verification.BAD

    def _modify(self, key: str, body: Mapping[str, Any]) -> None:
        reply = self._transport.exchange(DESCRIBE_KEY, path={"id": key})
        # Without its quotes, as the vendor's own SDK sends it (T14).
        etag = reply.headers.get("ETag", "").strip('"')
        if not etag:
            what = f"{DESCRIBE_KEY} at {self.endpoint} was answered without an ETag"
            raise ContractBroken(what, hint="nothing was changed; something between here and the vendor may remove it")
        self._transport.send(MODIFY_KEY, body, path={"id": key}, headers={"If-Match": etag})

    def _pages(
        self,
        first: Call,
        more: Call,
        model: type[_Model],
        path: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> Iterator[_Model]:
        """All pages. Of a `nextLink` only its token is used: the credential goes to no other place than the endpoint."""
        page = self._parsed(first, model, self._transport.send(first, path=path, headers=headers))
        seen: set[str] = set()
        while True:
            yield page
            link = getattr(page, "nextLink", None)
            if not link:
                return
            token = _skip_token(link)
            if not token or token in seen:
                what = f"{first} at {self.endpoint} has a nextLink without a new skipToken: its list has no end"
                raise ContractBroken(what, hint="nothing was changed; check that the endpoint is the product's own API")
            seen.add(token)
            answer = self._transport.send(more, path={**path, "skipToken": token}, headers=headers)
            page = self._parsed(more, model, answer)

    def _only_item(self, call: Call, answer: Mapping[str, Any]) -> dict[str, Any]:
        """What a multi-status answer to a request about one key says of it; for anything but success its error."""
        items = answer["items"]
        status = items[0].get("status") if len(items) == 1 and isinstance(items[0], dict) else None
        if not isinstance(status, int) or not 100 <= status <= 599:
            raise broken(
                call, f"{call} at {self.endpoint}: not one status for one key", "the vendor's API may have changed"
            )
        body = items[0].get("body")
        body = body if isinstance(body, dict) else {}
        if 200 <= status < 300:
            return body
        said = _message(body) or _message(items[0])
        shown = foreign(self._auth.conceal(said)) if isinstance(said, str) else ""
        as_answer = Answer(status, "application/json", json.dumps({"status": status}).encode())
        raise refusal(call, as_answer, self.endpoint, shown)

    def _parsed(self, call: Call, model: type[_Model], answer: Mapping[str, Any]) -> _Model:
        return parsed(call, self.endpoint, model, answer)


def _message(body: Mapping[str, Any]) -> object:
    """`{"error": {"code": …, "message": …}}` (T17)."""
    error = body.get("error")
    return error.get("message") or error.get("code") if isinstance(error, Mapping) else None


def _skip_token(link: str) -> str:
    try:
        return parse_qs(urlsplit(link).query).get("skipToken", [""])[0]
    except ValueError:
        return ""
