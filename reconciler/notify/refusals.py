"""What GitHub's refusals mean, and how long it asks us to wait (docs.github.com: REST API, rate limits)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from reconciler.errors import (
    AuthenticationFailed,
    Conflict,
    NotFound,
    NotPermitted,
    RateLimited,
    ReconcilerError,
    Rejected,
    foreign,
)
from reconciler.providers.answers import Answer, Call, parse, retry_after, unclear

_A_MINUTE: Final = 60.0
"""What the documentation asks for where an answer says nothing."""


def refusal(call: Call, answer: Answer) -> ReconcilerError:  # noqa: PLR0911
    """The error for a status that is no success."""
    body = parse(answer.body)
    said = foreign(body["message"]) if isinstance(body, dict) and isinstance(body.get("message"), str) else ""
    what = f"{call} was answered with HTTP {answer.status}" + (f": {said}" if said else "")
    status = answer.status
    if status == 429 or (status == 403 and _is_counted_out(answer, said)):
        return RateLimited(what, hint="GitHub counts the calls of this token; try again later", delay=_delay(answer))
    match status:
        case 401:
            return AuthenticationFailed(what, hint="GITHUB_TOKEN is wrong, or has expired")
        case 403:
            return NotPermitted(what, hint="the token needs issues: write, for pull requests pull-requests: write")
        case 404:
            hint = "it does not exist, or GITHUB_TOKEN may not see the repository, which GitHub hides then"
            return NotFound(what, hint=hint)
        case 410:
            return Rejected(what, hint="the repository has no issues: switch them on in its settings")
        case 409:
            return Conflict(what)
        case _ if 300 <= status < 400:
            hint = "the repository was renamed or moved: give its new name; no redirect is followed with a token"
            return Rejected(what, hint=hint)
        case _ if status >= 500:
            return unclear(call, what)
        case _:
            return Rejected(what)


def _is_counted_out(answer: Answer, said: str) -> bool:
    """A primary limit says how much is left, a secondary one says itself what it is (docs.github.com, rate limits)."""
    return (
        bool(answer.retry_after) or answer.headers.get("X-RateLimit-Remaining") == "0" or "rate limit" in said.lower()
    )


def _delay(answer: Answer) -> float:
    asked = retry_after(answer)
    if asked is not None:
        return asked
    reset = answer.headers.get("X-RateLimit-Reset", "")
    if answer.headers.get("X-RateLimit-Remaining") == "0" and reset.isascii() and reset.isdigit():
        return max(0.0, float(reset) - datetime.now(UTC).timestamp()) + 1
    return _A_MINUTE
