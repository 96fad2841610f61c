"""Who is calling: authentication of both security levels, the rate window, and what the caller's roles let it do."""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from dataclasses import dataclass
from typing import Final

from reconciler.emulator.base import Call
from reconciler.providers.cortex_cloud.emulator.errors import Refused
from reconciler.providers.cortex_cloud.emulator.options import WINDOW_MS, Options
from reconciler.providers.cortex_cloud.emulator.state import ADMINS, Key, Tenant

_NONCE_LENGTH: Final = 64
_NOT_AUTHENTICATED: Final = "Unauthorized: the API key or its ID is wrong, or the key has expired."


@dataclass(frozen=True, slots=True)
class Caller:
    """The key that calls."""

    tenant: Tenant
    key: Key

    def require(self, permission: str) -> None:
        """Refuse with 403 unless the caller's roles have a permission."""
        if permission not in self.tenant.granted(self.key):
            raise Refused(403, "Insufficient permissions for api key")

    @property
    def is_admin(self) -> bool:
        """Whether it has one of the administrators' roles."""
        return bool(ADMINS & set(self.key.shown["roles"]))


class Gate:
    """Lets callers in, or not."""

    def __init__(self, tenant: Tenant, options: Options) -> None:
        self._tenant = tenant
        self.options = options

    def admit(self, call: Call, now_ms: int) -> Caller:
        """Authenticate a call and count it; Refused with 401 or 429."""
        number = call.headers.get("x-xdr-auth-id", "")
        key = self._tenant.keys.get(int(number)) if number.isascii() and number.isdigit() else None
        if key is None or not self._is_right(key, call, now_ms):
            raise Refused(401, _NOT_AUTHENTICATED)
        expiration = key.shown["expiration"]
        if expiration is not None and expiration <= now_ms:
            raise Refused(401, _NOT_AUTHENTICATED)
        self._count(key, now_ms)
        return Caller(self._tenant, key)

    def _is_right(self, key: Key, call: Call, now_ms: int) -> bool:
        given = call.headers.get("authorization", "")
        nonce, timestamp = call.headers.get("x-xdr-nonce", ""), call.headers.get("x-xdr-timestamp", "")
        if key.shown["security_level"] == "standard":
            return hmac.compare_digest(given.encode(), key.secret.encode())
        if len(nonce) != _NONCE_LENGTH or not nonce.isalnum() or not (timestamp.isascii() and timestamp.isdigit()):
            return False
        if self.options.skew_ms is not None and abs(int(timestamp) - now_ms) > self.options.skew_ms:
            return False
        wanted = hashlib.sha256(f"{key.secret}{nonce}{timestamp}".encode()).hexdigest()
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            return False
        if self.options.single_nonces and nonce in key.nonces:
            return False
        key.nonces.add(nonce)
        return True

    def _count(self, key: Key, now_ms: int) -> None:
        """A sliding window of a second, per tenant and per key; a refused call does not count."""
        windows: list[tuple[deque[int], int | None]] = [
            (self._tenant.calls, self.options.calls_per_tenant),
            (key.calls, self.options.calls_per_key),
        ]
        limited = [(calls, limit) for calls, limit in windows if limit is not None]
        for calls, limit in limited:
            while calls and calls[0] <= now_ms - WINDOW_MS:
                calls.popleft()
            if len(calls) >= limit:
                raise Refused(429, "Too many requests.")
        for calls, _ in limited:
            calls.append(now_ms)
