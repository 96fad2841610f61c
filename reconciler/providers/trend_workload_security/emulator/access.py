"""Who is calling: authentication, lock-outs, the rate window, and what the caller's role lets it do."""

from __future__ import annotations

import hmac
from collections import deque
from dataclasses import dataclass
from typing import Final

from reconciler.emulator.base import Call
from reconciler.providers.trend_workload_security.emulator.errors import Refused
from reconciler.providers.trend_workload_security.emulator.options import WINDOW_MS, Options
from reconciler.providers.trend_workload_security.emulator.state import Installation, Key, Role, Tenant

SESSION_COOKIE: Final = "sID"
_NOT_AUTHENTICATED: Final = "Authentication failed: the API key is missing, wrong, expired or locked out."


@dataclass(slots=True)
class Account:
    """An account-level key or a person who signed in: known to the installation, but no key of a tenant."""

    role_id: int
    secret: str
    calls: deque[int]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling: a key of the tenant, or one of the other two."""

    tenant: Tenant
    role: Role | None
    calls: deque[int]
    key: Key | None = None
    session: bool = False

    def require(self, right: str, message: str) -> None:
        """Refuse with 403 unless the caller's role has a right."""
        if self.role is None or right not in self.role.granted:
            raise Refused(403, message)

    def require_reach(self, target: frozenset[str], message: str) -> None:
        """Refuse with 403 if the role is held to lesser rights, and the target's are not."""
        limited = self.role and self.role.shown["canOnlyManipulateUsersWithEqualOrLesserRights"]
        if limited and self.role and not target <= self.role.granted:
            raise Refused(403, message)


class Gate:
    """Lets callers in, or not."""

    def __init__(self, installation: Installation, options: Options) -> None:
        self._installation = installation
        self.options = options
        self.accounts: dict[str, Account] = {}
        """Account-level keys by id."""
        self.sessions: dict[str, Account] = {}
        """People who signed in, by session id."""

    def admit(self, call: Call, now_ms: int) -> Caller:
        """Authenticate a call and count it; Refused with 400, 401 or 429."""
        if call.headers.get("api-version") != "v1":
            raise Refused(400, "The api-version header is missing or not supported.")
        if "api-secret-key" in call.headers:
            caller = self._key(call.headers["api-secret-key"], now_ms)
        elif call.headers.get("authorization", "").startswith("ApiKey "):
            caller = self._account(call.headers["authorization"].removeprefix("ApiKey "))
        else:
            caller = self._session(call.cookie(SESSION_COOKIE))
        self._count(caller, now_ms)
        return caller

    def _key(self, secret: str, now_ms: int) -> Caller:
        tenant, key = self._installation.by_secret.get(secret, (None, None))
        if tenant is None or key is None:
            self._wrong_secret(secret, now_ms)
            raise Refused(401, _NOT_AUTHENTICATED)
        key.settle(now_ms)
        expiry = key.shown.get("expiryDate")
        if not key.shown["active"] or (expiry is not None and expiry <= now_ms):
            raise Refused(401, _NOT_AUTHENTICATED)
        key.shown.update(lastSignIn=self._cut(now_ms), unsuccessfulSignInAttempts=0)
        return Caller(tenant, tenant.roles.get(key.shown["roleID"]), key.calls, key)

    def _wrong_secret(self, secret: str, now_ms: int) -> None:
        """Count it against the key whose number it starts with; too many in a row lock that key."""
        number = secret.partition(":")[0]
        _, key = self._installation.by_id.get(int(number) if number.isdecimal() else 0, (None, None))
        if key is None:
            return
        key.settle(now_ms)
        key.shown["unsuccessfulSignInAttempts"] += 1
        if key.shown["active"] and key.shown["unsuccessfulSignInAttempts"] >= self.options.wrong_secrets:
            key.shown["active"] = False
            if self.options.lock_ms is not None:
                key.shown["unlockTime"] = self._cut(now_ms + self.options.lock_ms)

    def _cut(self, time_ms: int) -> int:
        return time_ms // self.options.truncate_ms * self.options.truncate_ms

    def _account(self, credential: str) -> Caller:
        number, _, secret = credential.partition(":")
        account = self.accounts.get(number)
        if account is None or not hmac.compare_digest(account.secret.encode(), secret.encode()):
            raise Refused(401, _NOT_AUTHENTICATED)
        tenant = self._installation.tenants[0]
        return Caller(tenant, tenant.roles.get(account.role_id), account.calls)

    def _session(self, session: str) -> Caller:
        account = self.sessions.get(session)
        if account is None:
            raise Refused(401, _NOT_AUTHENTICATED)
        tenant = self._installation.tenants[0]
        return Caller(tenant, tenant.roles.get(account.role_id), account.calls, session=True)

    def _count(self, caller: Caller, now_ms: int) -> None:
        """A sliding window of a minute, per caller and per tenant; a refused call does not count."""
        windows = (caller.calls, self.options.calls_per_key), (caller.tenant.calls, self.options.calls_per_tenant)
        limited = [(calls, limit) for calls, limit in windows if limit is not None]
        for calls, limit in limited:
            while calls and calls[0] <= now_ms - WINDOW_MS:
                calls.popleft()
            if len(calls) >= limit:
                raise Refused(429, "Too many API requests.")
        for calls, _ in limited:
            calls.append(now_ms)
