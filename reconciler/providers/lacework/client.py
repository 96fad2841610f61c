"""The HTTP contract of API v2: paths, token exchange, paging and rate windows (APIDOC, KEYDOC, GOSDK, PYSDK).

Secrets enter and leave the process here: the key in use and its tokens are opened only to put them into a header.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ValidationError
from requests import PreparedRequest

from reconciler.errors import (
    AuthenticationFailed,
    ContractBroken,
    Denied,
    InvalidInput,
    NotFound,
    NotPermitted,
    ReconcilerError,
    Rejected,
    RetryLater,
)
from reconciler.model.credential import Credential
from reconciler.model.secret import PLACEHOLDER, Secret
from reconciler.providers.answers import Call, Effect, parsed, unusable
from reconciler.providers.base import ConnectionSettings, Issued, Verification
from reconciler.providers.http import Authenticator, Reply, Retry, Transport
from reconciler.providers.lacework import accounts
from reconciler.providers.lacework.capabilities import CAPABILITIES
from reconciler.providers.lacework.records import CreatedAnswer, ProfileAnswer, UserAnswer, UserPage, UserRecord
from reconciler.providers.lacework.tokens import LIFETIME, Tokens, Turns
from reconciler.providers.pacing import Pacer, Pacers

EXCHANGE: Final = Call("POST", "/api/v2/access/tokens", Effect.READ)
LIST_USERS: Final = Call("GET", "/api/v2/TeamUsers", Effect.READ)
GET_USER: Final = Call("GET", "/api/v2/TeamUsers/{userGuid}", Effect.READ)
PROFILE: Final = Call("GET", "/api/v2/UserProfile", Effect.READ)
CREATE_USER: Final = Call("POST", "/api/v2/TeamUsers", Effect.ONCE)
UPDATE_USER: Final = Call("PATCH", "/api/v2/TeamUsers/{userGuid}", Effect.REPEATABLE)
DELETE_USER: Final = Call("DELETE", "/api/v2/TeamUsers/{userGuid}", Effect.REPEATABLE, answers=False)
JOIN: Final = Call("POST", "/api/v2/UserGroups/{userGroupGuid}/addUsers", Effect.REPEATABLE)
LEAVE: Final = Call("POST", "/api/v2/UserGroups/{userGroupGuid}/removeUsers", Effect.REPEATABLE)
CALLS: Final = (
    EXCHANGE, LIST_USERS, GET_USER, PROFILE, CREATE_USER, UPDATE_USER, DELETE_USER, JOIN, LEAVE,
)  # fmt: skip

MOST_PARTS: Final = 8
_NEXT_PAGES: Final = tuple(
    Call("GET", "/api/v2" + "".join(f"/{{part{number}}}" for number in range(parts)), Effect.READ)
    for parts in range(MOST_PARTS + 1)
)
"""Requests for a further page, by the number of path segments: the vendor makes up that address itself."""

VERIFYING: Final = 60
"""Seconds that a token is asked for which only proves that a key works: it cannot be revoked."""
KEY_ID_LENGTH: Final = 34
SECRET_LENGTH: Final = 30
"""The shortest that the vendor's command line takes (GOSDK lwconfig/config.go)."""

_READS: Final = frozenset((call.method, call.template) for call in (*CALLS, *_NEXT_PAGES) if call.effect is Effect.READ)
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._~%=+-]+")
_PARAMETER: Final = re.compile(r"/\{[^}]*\}")
_PACERS: Final = Pacers()
_Model = TypeVar("_Model", bound=BaseModel)


class _Header(Authenticator):
    """One header that holds a secret, which may be replaced."""

    def __init__(self, name: str, secret: Secret | None = None, prefix: str = "") -> None:
        self._name = name
        self._prefix = prefix
        self.secret = secret

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        if self.secret is not None:
            request.headers[self._name] = self._prefix + self.secret.reveal()
        return request

    def conceal(self, text: str) -> str:
        """The text without the secret."""
        return text if self.secret is None else text.replace(self.secret.reveal(), PLACEHOLDER)


class Client:
    """One account's API. Raises what `Transport.send` raises; ContractBroken for answers of the wrong shape.

    The first call exchanges the key for a token. `clock` and `sleep` are for tests, `pacers` too.
    """

    def __init__(
        self,
        endpoint: str,
        credential: Credential,
        settings: ConnectionSettings,
        *,
        pacers: Pacers = _PACERS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if set(credential.fields) not in CAPABILITIES.credential_fields:
            found = ", ".join(sorted(credential.fields)) or "nothing"
            what = f"the credential for {endpoint} holds {found}; it must hold keyId and secret, and nothing else"
            raise InvalidInput(what)
        self.endpoint = endpoint.rstrip("/")
        self.key_id = credential.fields["keyId"].reveal()
        """The id of the key in use, which is no secret."""
        secret = credential.fields["secret"]
        if not _sendable(self.key_id) or not _sendable(secret.reveal()):
            what = "the credential holds spaces or characters that no key has"
            raise InvalidInput(what, hint="store the key again, exactly as the downloaded file has it")
        self.sub_account = accounts.sub_account(settings.options.get("subAccount"))
        self._counted_by = hashlib.sha256(f"{self.key_id}:{secret.reveal()}".encode()).digest()
        self._rate = settings.rate
        self._pacers = pacers
        self._secret = secret
        self._token = _Header("Authorization", prefix="Bearer ")
        self._tokens = Tokens(self._renew, clock)
        self._transport, self._once = (
            Transport(
                self.endpoint,
                auth=self._token,
                reads=_READS,
                settings=settings,
                pacer=self._pacer(EXCHANGE),
                retry=retry,
                clock=clock,
                sleep=sleep,
            )
            for retry in (Retry(), Retry(attempts=1))
        )

    @property
    def calls(self) -> int:
        """How many requests were sent so far."""
        return self._transport.calls + self._once.calls

    def close(self) -> None:
        """Give connections back."""
        self._transport.close()
        self._once.close()

    def users(self) -> list[UserRecord]:
        """Every user of the account, of both types. A server that does not page as documented is an error."""
        found: dict[str, UserRecord] = {}
        visited: set[str] = set()
        page = self._parsed(LIST_USERS, UserPage, self._send(LIST_USERS))
        total = page.total
        while True:
            found |= {user.userGuid: user for user in page.data}
            following = page.next
            if not following:
                break
            if following in visited:
                raise self._unpaged("names the same page twice")
            visited.add(following)
            page = self._page(following)
        if len(found) < total:
            raise self._unpaged(f"announced {total} users and listed {len(found)}")
        return list(found.values())

    def user(self, guid: str) -> UserRecord:
        """One user. NotFound if there is none."""
        return self._parsed(GET_USER, UserAnswer, self._send(GET_USER, path={"userGuid": guid})).data

    def authenticate(self) -> None:
        """See to it that there is a token: raises if the key is refused, or if nobody answers."""
        self._tokens.ensure()

    def own_users(self) -> frozenset[str]:
        """The GUIDs of the user that we call as; none where the vendor does not tell: some callers get a 500, each time."""
        try:
            return self._parsed(PROFILE, ProfileAnswer, self._send(PROFILE, by=self._once)).guids
        except (Rejected, RetryLater, ContractBroken):
            return frozenset()
        except NotPermitted:
            self._tokens.ensure()  # raises again if it was the key that is refused, and not the question
            return frozenset()

    def create_user(self, body: Mapping[str, Any]) -> str:
        """Create a user and return its GUID. OutcomeUnknown if it may exist without our knowing its GUID."""
        answer = self._send(CREATE_USER, body)
        try:
            return CreatedAnswer.model_validate(answer).data.userGuid
        except ValidationError:
            pass  # raised outside: a chained error would quote the answer
        raise unusable(CREATE_USER, "userGuid")

    def update_user(self, guid: str, body: Mapping[str, Any]) -> None:
        """Change the given members."""
        self._send(UPDATE_USER, body, path={"userGuid": guid})

    def delete_user(self, guid: str) -> None:
        """Delete a user; one that does not exist is deleted."""
        try:
            self._send(DELETE_USER, path={"userGuid": guid})
        except NotFound:
            return

    def join(self, guid: str, groups: Collection[str]) -> None:
        """Make a user a member of each group."""
        for group in groups:
            self._send(JOIN, {"userGuids": [guid]}, path={"userGroupGuid": str(group)})

    def leave(self, guid: str, groups: Collection[str]) -> None:
        """End a user's membership in each group."""
        for group in groups:
            self._send(LEAVE, {"userGuids": [guid]}, path={"userGroupGuid": str(group)})

    def accept(self, fields: Mapping[str, Secret | str]) -> Issued:
        """A key that a person brought, in the shape of the downloaded file. InvalidInput if it cannot be one."""
        key_id, secret = _plain(fields.get("keyId")), fields.get("secret")
        if len(key_id) < KEY_ID_LENGTH or not _sendable(key_id):
            what = f"the keyId is no key ID of Lacework: those have at least {KEY_ID_LENGTH} characters and no spaces"
            raise InvalidInput(what, hint="it stands in the downloaded file beside the secret")
        if len(_plain(secret)) < SECRET_LENGTH or not _sendable(_plain(secret)):
            what = f"the secret is no secret of Lacework: those have at least {SECRET_LENGTH} characters and no spaces"
            raise InvalidInput(what, hint="it stands in the downloaded file; a token is something else")
        account, sub_account = _plain(fields.get("account")), accounts.sub_account(_plain(fields.get("subAccount")))
        here = accounts.full_name(self.endpoint)
        if account and not accounts.same(account, here):
            raise InvalidInput(f"the key belongs to another account than {here}", hint="make it in that account")
        if sub_account and sub_account != self.sub_account:
            mine = f"sub-account {self.sub_account}" if self.sub_account else f"account {here}"
            raise InvalidInput(f"the key belongs to another sub-account than this tenant, which is the {mine}")
        kept: dict[str, Secret | str] = {"keyId": key_id, "secret": Secret(_plain(secret)), "account": here}
        if self.sub_account:
            kept["subAccount"] = self.sub_account
        return Issued(key_id, kept)

    def verify(self, issued: Issued) -> Verification:
        """Exchange a key for a token that nobody uses. How a bad key is answered is not documented: any refusal counts."""
        secret = issued.secret.get("secret")
        key_id = _plain(issued.secret.get("keyId"))
        if not isinstance(secret, Secret) or key_id != issued.vendor_id or not _sendable(_plain(secret) + key_id):
            return Verification.BAD
        auth, body = _Header("X-LW-UAKS", secret), {"keyId": key_id, "expiryTime": VERIFYING}
        try:
            answer = self._transport.send(EXCHANGE, body, auth=auth, pacer=self._pacer("verify"))
        except (Denied, Rejected):
            return Verification.BAD
        except ReconcilerError:
            return Verification.UNVERIFIABLE
        return Verification.GOOD if _take_token(answer) is not None else Verification.UNVERIFIABLE

    def _renew(self) -> None:
        """Exchange the key for a token. Tokens of one key live side by side, so this harms nobody."""
        auth, body = _Header("X-LW-UAKS", self._secret), {"keyId": self.key_id, "expiryTime": LIFETIME}
        pacer = self._pacer(EXCHANGE)
        reply = self._transport.exchange(EXCHANGE, body, auth=auth, pacer=pacer)
        _heed(reply, pacer)
        token = _take_token(reply.body)
        if token is None:
            what = f"{EXCHANGE} at {self.endpoint} was answered with success but without a token"
            raise ContractBroken(what, hint="the vendor's API may have changed")
        self._token.secret = token

    def _send(
        self,
        call: Call,
        body: Mapping[str, Any] | None = None,
        *,
        path: Mapping[str, str] | None = None,
        by: Transport | None = None,
    ) -> dict[str, Any]:
        pacer = Turns(self._pacer(call), self._tokens)
        headers = {"Account-Name": self.sub_account} if self.sub_account else {}
        try:
            reply = (by or self._transport).exchange(call, body, path=path, pacer=pacer, headers=headers)
        except AuthenticationFailed as refused:
            self._tokens.refuse(refused)
            raise
        _heed(reply, pacer)
        return reply.body

    def _page(self, address: str) -> UserPage:
        """A further page. Only its path is taken from the vendor's answer: the token goes to our endpoint, nowhere else."""
        url = urlsplit(address)
        _, found, rest = url.path.partition("/api/v2/")
        parts = rest.split("/")
        odd = not found or url.query or len(parts) > MOST_PARTS
        if odd or not all(_SEGMENT.fullmatch(part) and part not in {".", ".."} for part in parts):
            raise self._unpaged("names a next page that is no path below /api/v2")
        call = _NEXT_PAGES[len(parts)]
        path = {f"part{number}": unquote(part) for number, part in enumerate(parts)}
        return self._parsed(LIST_USERS, UserPage, self._send(call, path=path))

    def _unpaged(self, why: str) -> ContractBroken:
        what = f"{LIST_USERS} at {self.endpoint} {why}: its list cannot be trusted to be whole"
        return ContractBroken(what, hint="nothing was changed; try again, for users may have changed meanwhile")

    def _parsed(self, call: Call, model: type[_Model], answer: Mapping[str, Any]) -> _Model:
        return parsed(call, self.endpoint, model, answer)

    def _pacer(self, counted_as: Call | str) -> Pacer:
        """The vendor counts each function of a user: method and endpoint, whatever the ids in it (APIDOC)."""
        name = counted_as if isinstance(counted_as, str) else function(counted_as)
        return self._pacers.within(CAPABILITIES.rate, self._rate, (self.endpoint, self._counted_by, name))


def function(call: Call) -> str:
    """What the vendor counts a call as: `GET /api/v2/TeamUsers` for the list and for one user."""
    return f"{call.method} {_PARAMETER.sub('', call.template)}"


def _heed(reply: Reply, pacer: Pacer) -> None:
    """Wait with the next call of a function when the vendor says that others have used up what was left of its window."""
    remaining, reset = (reply.headers.get(f"RateLimit-{name}", "").strip() for name in ("Remaining", "Reset"))
    if remaining == "0" and reset.isascii() and reset.isdigit():
        pacer.pause(float(reset))


def _take_token(answer: dict[str, Any]) -> Secret | None:
    value = answer.pop("token", None)
    return Secret(value) if isinstance(value, str) and _sendable(value) else None


def _plain(value: Secret | str | None) -> str:
    return value.reveal() if isinstance(value, Secret) else value or ""


def _sendable(value: str) -> bool:
    """Whether a header can hold it, and a key can be it."""
    return bool(value) and value.isascii() and value.isprintable() and " " not in value
