"""Turns what went wrong between Vault and us into our errors. The only place that does.

An error is built from the status, from Vault's own short `errors` texts and from the path that we asked for: never from a
request or an exception of the HTTP library, for those hold the token and the body.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import requests
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError

from reconciler.errors import (
    AuthenticationFailed,
    Conflict,
    ContractBroken,
    InvalidInput,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
    RateLimited,
    ReconcilerError,
    Rejected,
    RetryLater,
    foreign,
)

Identity = Literal["plan", "apply"]
_LATER: Final = "run it again once Vault answers"
_CAS_FAILED: Final = "did not match the current version"
_UPGRADING: Final = "Upgrading from non-versioned to versioned"
"""What a KV v2 mount says for a moment after it was made."""
_NO_TLS: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")
"""What OpenSSL says when the other side does not speak TLS."""
_MOUNT: Final = "sys/internal/ui/mounts/"
_ENVELOPE: Final = frozenset({"errors", "warnings", "data", "auth", "request_id"})
"""Every answer of Vault's to an API call has one of these, good or bad; a foreign server's JSON has hardly any."""
_AWAY: Final = ("sealed", "standby", "not initialized", "active node", "not active", "shutting down", "perf standby")


@dataclass(frozen=True, slots=True)
class Call:
    """What a request was for: all that an error may say of it."""

    method: str
    path: str
    identity: Identity
    need: str
    """The capability that a policy must grant for it: `read`, `create`, `update`, `patch`, `list`."""
    login: bool = False
    quotable: bool = True
    """Whether Vault's own words may be shown. False where the request carries secrets, which an answer might echo."""

    @property
    def reads(self) -> bool:
        """Whether the call cannot change anything, so that a lost answer is no harm."""
        return self.method in {"GET", "LIST"}

    @property
    def where(self) -> str:
        """The place that errors name: the path as policies write it, but for what no policy needs to name."""
        if self.path.startswith(_MOUNT):
            return f"Vault mount {self.path.removeprefix(_MOUNT)}/"
        return "Vault" if self.path.startswith(("sys/", "auth/token/")) else f"Vault {self.path}"


@dataclass(frozen=True, slots=True)
class Server:
    """Who answers, or does not, and who said that this is Vault."""

    address: str
    given_by: str = "VAULT_ADDR or spec.vault.address"

    @property
    def hint(self) -> str:
        """What to look at when the address may be wrong."""
        return f"check the address {self.address}: it is from {self.given_by}"


def unreachable(problem: requests.RequestException, call: Call, server: Server) -> ReconcilerError:
    """The error for a request that got no answer."""
    where, address = call.where, server.address
    if isinstance(problem, requests.exceptions.SSLError) and any(sign in str(problem) for sign in _NO_TLS):
        return InvalidInput(f"what answers at {address} does not speak TLS (https)", where=where, hint=server.hint)
    if isinstance(problem, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(problem):
        return InvalidInput(
            f"the certificate of {address} cannot be verified", where=where, hint="set VAULT_CACERT to your CA's file"
        )
    if isinstance(problem, requests.exceptions.InvalidHeader):
        return InvalidInput("the Vault token holds characters that no token has", where=where, hint="check VAULT_TOKEN")
    if _never_sent(problem):
        hint = f"{_LATER}; the address is from {server.given_by}"
        return RetryLater(f"Vault at {address} cannot be reached", where=where, hint=hint)
    kind = "in time" if isinstance(problem, requests.Timeout) else "in full"
    if call.reads:
        return RetryLater(f"Vault at {address} did not answer {kind}", where=where, hint=_LATER)
    return OutcomeUnknown(f"Vault at {address} did not answer a write {kind}", where=where, hint="it may have acted")


def _never_sent(problem: requests.RequestException) -> bool:
    if isinstance(problem, requests.exceptions.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    cause = problem.args[0] if problem.args else None
    reason: HTTPError | BaseException | None = cause.reason if isinstance(cause, MaxRetryError) else None
    return isinstance(reason, NewConnectionError)


def refused(
    status: int, errors: Sequence[str], call: Call, server: Server, retry_after: float | None = None
) -> ReconcilerError:
    """The error for an answer with an HTTP status that is no success."""
    where = call.where
    said = foreign("; ".join(errors)) if call.quotable else ""
    quoted = f": {said}" if said else ""
    if call.login and status in {400, 401, 403, 404}:
        return AuthenticationFailed(
            f"Vault refused the login of the {call.identity} identity{quoted}",
            where=where,
            hint="check the login's mount and namespace, the role and its bound claims; see docs/vault.md",
        )
    known = _by_status(status, errors, call, quoted, retry_after)
    if known is not None:
        return known
    if status < 400:
        return ContractBroken(
            f"Vault answered HTTP {status}, a redirect that we do not follow", where=where, hint=server.hint
        )
    if status < 500:
        return Rejected(f"Vault refused the call (HTTP {status}){quoted}", where=where)
    if call.reads:
        return RetryLater(f"Vault failed (HTTP {status}){quoted}", where=where, hint=_LATER)
    return OutcomeUnknown(f"Vault failed at a write (HTTP {status}){quoted}", where=where, hint="it may have acted")


def _by_status(
    status: int, errors: Sequence[str], call: Call, quoted: str, retry_after: float | None
) -> ReconcilerError | None:
    """The error for a status that means one thing in Vault's API."""
    where = call.where
    found: ReconcilerError | None = None
    match status:
        case 400 if any(_CAS_FAILED in text for text in errors):
            found = Conflict("somebody else wrote here first (check-and-set failed)", where=where)
        case 400 if any(_UPGRADING in text for text in errors):
            found = RetryLater("this KV mount is being set up", where=where, hint=_LATER)
        case 401:
            found = AuthenticationFailed(f"Vault does not accept our token{quoted}", where=where)
        case 403:
            found = NotPermitted(
                f"the {call.identity} identity lacks the capability `{call.need}` on this path",
                where=where,
                hint="grant it in its policy; see docs/vault.md",
            )
        case 404:
            found = NotFound(f"Vault has nothing there{quoted}", where=where)
        case 429:
            found = RateLimited(
                "Vault's rate quota is used up", where=where, hint="run it again later", delay=retry_after
            )
        case 412:
            found = RetryLater("this Vault node has not caught up yet", where=where, hint=_LATER)
        case 501:
            found = RetryLater("Vault is not initialised", where=where, hint="initialise and unseal it")
        case 503 if call.reads or any(word in text.lower() for text in errors for word in _AWAY):
            # Without Vault's own words a 503 may be a proxy's, and the write may have gone through.
            sealed = any("sealed" in text.lower() for text in errors)
            what = "Vault is sealed" if sealed else "Vault is not available (HTTP 503)"
            found = RetryLater(what, where=where, hint="unseal it, then run this again" if sealed else _LATER)
    return found


def token_unknown(call: Call) -> AuthenticationFailed:
    """The error for a call that was denied because the token itself is no good."""
    return AuthenticationFailed(
        "Vault does not know our token: it is wrong, expired or revoked, or lacks the `default` policy",
        where=call.where,
        hint="get a fresh token, or log in by AppRole or JWT",
    )


def like_vault(status: int, content: Mapping[str, Any] | None, call: Call, text: bytes = b"?") -> bool:
    """Whether an answer can be Vault's. Of a server that is away, or a proxy before it, nothing is expected."""
    if status == 204 or status >= 500 or status == 429 or 300 <= status < 400:
        return True
    if status == 404 and (content == {} or (content is None and not text)):
        return True  # so it says that there is nothing of the name to be patched
    if content is None:
        return False
    return call.login or call.path == "sys/health" or not _ENVELOPE.isdisjoint(content)


def stranger(status: int, call: Call, server: Server) -> ReconcilerError:
    """The error for an answer that is not like Vault's: a proxy's page, another server, half a document."""
    what = f"this does not answer like Vault or OpenBao (HTTP {status})"
    hint = server.hint
    if status == 400 and server.address.startswith("http:"):
        hint += "; does it want https?"
    elif status < 400:
        hint += "; is it another server, or a proxy's login page?"
    if call.reads or call.login:
        return ContractBroken(what, where=call.where, hint=hint)
    if status < 400:
        return OutcomeUnknown(what, where=call.where, hint=hint)
    return Rejected(what, where=call.where, hint=hint)
