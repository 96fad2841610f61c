"""What an HTTP answer means: the one place where statuses and bodies become errors, whatever the vendor.

What an unclear answer means depends on the call. A read, or a write that gives the same result when made twice, may be
made again. A call that must be made once (a creation, a new secret) may have acted: only a later look can tell.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from reconciler.errors import (
    AuthenticationFailed,
    Conflict,
    ContractBroken,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
    RateLimited,
    ReconcilerError,
    Rejected,
    RetryLater,
)
from reconciler.providers.base import Heard, Operation


class Effect(StrEnum):
    """What making a call twice would do."""

    READ = "read"
    REPEATABLE = "repeatable"
    """A write that gives the same result when made twice."""
    ONCE = "once"
    """A write that must not be repeated blindly."""


@dataclass(frozen=True, slots=True)
class Call:
    """One vendor operation as a request: method, path template, and what making it twice would do."""

    method: str
    template: str
    effect: Effect
    answers: bool = True
    """Whether success has a JSON object as its body."""
    array: bool = False
    """Whether success has a JSON array as its body: it is given back under the name `items`."""

    def __str__(self) -> str:
        return f"{self.method} {self.template}"


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What came back. The body may hold a secret, so an answer has no representation."""

    status: int
    content_type: str
    body: bytes
    retry_after: str = ""
    date: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """All of them, whatever the case of their names."""

    @property
    def is_html(self) -> bool:
        """Whether this is a page for people, which no API sends."""
        return "html" in self.content_type.lower() or self.body.lstrip()[:1] == b"<"


_CANNOT_TELL: Final = "it may have acted all the same: look before doing anything else"
_BETWEEN: Final = (
    "something between here and the vendor answered (a proxy, a login page, a wrong path): check the endpoint"
)


_DIGITS: Final = 12
"""No count in a header is that long."""

_Model = TypeVar("_Model", bound=BaseModel)


def reads(calls: Iterable[Call], operations: Iterable[Operation]) -> frozenset[tuple[str, str]]:
    """Method and path template of the calls that the table of operations declares as reads, their queries left out."""
    declared = {operation.request for operation in operations if operation.read}
    return frozenset(
        (call.method, call.template)
        for call in calls
        if not declared.isdisjoint({str(call), str(call).partition("?")[0]})
    )


def parsed(call: Call, place: str, model: type[_Model], answer: Mapping[str, Any]) -> _Model:
    """An answer as its model. ContractBroken, quoting nothing of it, if it has another shape. `place` is the endpoint."""
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    what = f"{call} at {place}: the answer's {field} is not what the contract says: {first['msg']}"
    raise ContractBroken(what, hint="the vendor's API may have changed")


def unusable(call: Call, field: str) -> OutcomeUnknown:
    """The error for a call that succeeded and does not tell what it has made."""
    return OutcomeUnknown(f"{call} was answered with success but without {field}", hint=_CANNOT_TELL)


def unclear(call: Call, what: str) -> ReconcilerError:
    """The error for a call without a trustworthy answer: sent, perhaps acted on."""
    if call.effect is Effect.ONCE:
        return OutcomeUnknown(what, hint=_CANNOT_TELL)
    return RetryLater(what, hint="try again later")


def broken(call: Call, what: str, hint: str) -> ReconcilerError:
    """The error for an answer that cannot be understood, where trying again would not help."""
    return OutcomeUnknown(what, hint=_CANNOT_TELL) if call.effect is Effect.ONCE else ContractBroken(what, hint=hint)


def read(call: Call, answer: Answer, place: str, message: str) -> dict[str, Any]:
    """The JSON object of an answer of success; for every other answer its error.

    `place` is the endpoint; `message` is what the server said, already safe to show.
    """
    if not 200 <= answer.status < 300:
        raise refusal(call, answer, place, message)
    what = f"{call} at {place} was answered with HTTP {answer.status} and"
    if answer.is_html:
        raise broken(call, f"{what} an HTML page", _BETWEEN)
    if not answer.body.strip() and not call.answers:
        return {}
    parsed = parse(answer.body)
    if call.array and isinstance(parsed, list):
        return {"items": parsed}
    if isinstance(parsed, dict) and not call.array:
        return parsed
    if not call.answers:
        return {}
    kind = "array" if call.array else "object"
    raise broken(call, f"{what} something that is no JSON {kind}", "the vendor's API may have changed")


def refusal(call: Call, answer: Answer, place: str, message: str) -> ReconcilerError:  # noqa: PLR0911
    """The error for a status that is no success. Total: every status from 100 to 599 has one."""
    status = answer.status
    said = f": {message}" if message else ""
    what = f"{call} at {place} was answered with HTTP {status}{said}"
    match status:
        case 401:
            hint = "the credential is wrong, expired or locked; not tried again, for failures lock keys"
            return AuthenticationFailed(what, hint=hint)
        case 429:
            hint = "other integrations use up the vendor's rate limit"
            return RateLimited(what, hint=hint, delay=retry_after(answer, answer.headers.get("RateLimit-Reset", "")))
        case 503 if call.effect is Effect.ONCE:
            # A gateway says this too, about a request that it has passed on.
            return unclear(call, what)
        case 503:
            return RetryLater(what, hint="the vendor is not available", delay=retry_after(answer))
        case 407:
            return ContractBroken(what, hint="a proxy wants credentials of its own: check HTTPS_PROXY")
        case 408:
            return unclear(call, what)
        case _ if 300 <= status < 400:
            return ContractBroken(
                f"{what}, a redirect", hint="redirects are not followed, for the credential would go along"
            )
        case _ if 400 <= status < 500:
            return _client_error(answer, what)
        case _ if 500 <= status < 600:
            return unclear(call, what)
        case _:
            return broken(call, what, _BETWEEN)


def _client_error(answer: Answer, what: str) -> ReconcilerError:
    if answer.is_html:
        return ContractBroken(f"{what} and an HTML page", hint=_BETWEEN)
    match answer.status:
        case 403:
            return NotPermitted(what, hint="the credential works but its role lacks a right for this")
        case 404 if parse(answer.body) is None:
            return ContractBroken(f"{what} and no JSON", hint=_BETWEEN)
        case 404:
            return NotFound(what)
        case 409 | 412:
            return Conflict(what)
        case _:
            return Rejected(what)


def parse(body: bytes) -> Any:
    """The JSON value of a body, or None if it is not strictly JSON (RFC 8259, UTF-8)."""
    with suppress(ValueError):  # twice as fast as the standard library, and a little stricter than the RFC
        return from_json(body, allow_inf_nan=False, cache_strings="keys")  # no value, for some are secrets
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def retry_after(answer: Answer, otherwise: str = "") -> float | None:
    """Seconds that the server asks us to wait (RFC 9110 10.2.3: seconds, or a date); None if it does not say.

    `otherwise` stands in for a missing header: some say when the window opens again in one of their own.
    """
    text = (answer.retry_after or otherwise).strip()
    if text.isascii() and text.isdigit():
        return float(text)
    until = _date(text)
    return max(0.0, (until - (_date(answer.date) or datetime.now(UTC))).total_seconds()) if until is not None else None


def heard(answer: Answer) -> Heard:
    """What an answer's headers tell beside it. The `RateLimit-…` ones are those of the IETF's draft."""
    limit, remaining, reset = (answer.headers.get(f"RateLimit-{name}", "") for name in ("Limit", "Remaining", "Reset"))
    return Heard(_date(answer.date), _count(limit), _count(remaining), _count(reset))


def _count(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS else None


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
