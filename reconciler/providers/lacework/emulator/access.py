"""Who is calling: the exchange of keys for tokens, tokens, the account that is meant, and the rate windows."""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from reconciler.emulator.base import Call
from reconciler.providers.lacework.emulator.options import HOUR_MS, Options
from reconciler.providers.lacework.emulator.state import ADMIN, SERVICE, Key, Organisation, User

EXCHANGE: Final = "/api/v2/access/tokens"
_LONGEST: Final = 86_400


class Refused(Exception):
    """A request that gets an error."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token it is, and the account that the call is about."""

    user: User
    account: str

    @property
    def is_admin(self) -> bool:
        """Whether the user may change users."""
        return ADMIN in self.user.groups

    def require_admin(self) -> None:
        """Refuse with 403 unless the user may change users."""
        if not self.is_admin:
            raise Refused(403, "You are not authorized to perform this operation.")


class Gate:
    """Lets callers in, or not."""

    def __init__(self, organisation: Organisation, options: Options) -> None:
        self._organisation = organisation
        self._options = options

    def identify(self, call: Call) -> tuple[Key, User, int]:
        """Whose key is to be exchanged, and for how many seconds."""
        body = call.json()
        if not isinstance(body, dict):
            raise Refused(400, "The request body is no JSON object.")
        seconds = body.get("expiryTime")
        if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds <= _LONGEST:
            raise Refused(400, "expiryTime must be between 1 and 86400.")
        key = self._organisation.keys.get(str(body.get("keyId")))
        given = call.headers.get("x-lw-uaks", "")
        owner = self._organisation.user(key.owner) if key else None
        right = key is not None and hmac.compare_digest(key.secret.encode(), given.encode())
        if key is None or owner is None or not right or not key.active or not owner.enabled:
            raise Refused(self._options.bad_secret_status, "The access key is invalid or inactive.")
        return key, owner, seconds

    def issue(self, key: Key, owner: User, seconds: int, now_ms: int) -> dict[str, str]:
        """A token for a key."""
        ends_ms = now_ms + seconds * 1000
        owner.last_login_ms = now_ms
        ends = datetime.fromtimestamp(ends_ms // 1000, UTC)
        text = self._organisation.add_token(key, ends_ms)
        return {"expiresAt": f"{ends:%Y-%m-%dT%H:%M:%S}.{ends_ms % 1000:03d}Z", "token": text}

    def admit(self, call: Call, now_ms: int) -> Caller:
        """Whose call it is. The token comes with `Bearer` before it, or bare, as the vendor's own SDK sends it."""
        scheme, _, rest = call.headers.get("authorization", "").partition(" ")
        token = self._organisation.tokens.get(rest if scheme.lower() == "bearer" else scheme)
        key = self._organisation.keys.get(token.key_id) if token and token.ends_ms > now_ms else None
        user = self._organisation.user(key.owner) if key else None
        if user is None:
            raise Refused(401, "The access token is missing, invalid or expired.")
        return Caller(user, self._account(call, user))

    def _account(self, call: Call, user: User) -> str:
        wanted = call.headers.get("account-name", "").lower()
        organisation = call.headers.get("org-access", "").lower() == "true"
        if (wanted or organisation) and user.type == SERVICE:
            raise Refused(403, "Service users can access their own account only.")
        if not wanted or organisation:
            return user.account
        if wanted not in self._organisation.accounts or (user.account and user.account != wanted):
            raise Refused(403, "You are not authorized to access this account.")
        return wanted

    def count(self, user: User, function: str, now_ms: int) -> dict[str, str]:
        """Count a call, and give the headers that tell what is left; Refused with 429 when nothing is."""
        most = self._options.calls
        if most is None:
            return {}
        calls = user.calls.setdefault(function, deque())
        while calls and calls[0] <= now_ms - HOUR_MS:
            calls.popleft()
        if len(calls) >= most:
            message = "Too many requests: the limit of this function is used up."
            raise Refused(429, message, _left(most, calls, now_ms))
        calls.append(now_ms)
        return _left(most, calls, now_ms)


def _left(most: int, calls: deque[int], now_ms: int) -> dict[str, str]:
    """What is left of a window, and in how many seconds it opens again."""
    return {
        "RateLimit-Limit": str(most),
        "RateLimit-Remaining": str(most - len(calls)),
        "RateLimit-Reset": str(-(-(calls[0] + HOUR_MS - now_ms) // 1000)),
    }
