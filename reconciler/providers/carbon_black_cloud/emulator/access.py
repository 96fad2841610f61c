"""Who calls, what the caller may do, and how often: `X-Auth-Token`, roles, addresses, and the rate limit (S1, S2, S24)."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from reconciler.emulator.base import Call
from reconciler.providers.carbon_black_cloud.emulator.errors import Refused
from reconciler.providers.carbon_black_cloud.emulator.options import SESSION_MS, Options
from reconciler.providers.carbon_black_cloud.emulator.organisation import EVERYTHING, SUPER_ADMIN, Key, Organisation


@dataclass(frozen=True, slots=True)
class Caller:
    """The key that a call was made with, and what it holds."""

    key: Key
    urn: str
    held: frozenset[str]
    manages: bool
    super_admin: bool

    def require(self, permission: str) -> None:
        """403 without it."""
        if not self.holds(frozenset({permission})):
            raise Refused(403, f"Missing permission {permission}.", "FORBIDDEN")

    def require_management(self) -> None:
        """403 without Manage Users and Manage Roles, which only user roles can hold (S2)."""
        if not self.manages:
            raise Refused(403, "The API key needs a user role that manages users and roles.", "FORBIDDEN")

    def require_console(self) -> None:
        """403 for everybody but a Super Admin (S20)."""
        if not self.super_admin:
            raise Refused(403, "Not authorized.", "FORBIDDEN")

    def holds(self, permissions: frozenset[str]) -> bool:
        """Whether the caller has all of these itself."""
        return EVERYTHING in self.held or permissions <= self.held


class TooMany(Refused):
    """429, and when to come back, in seconds."""

    def __init__(self, seconds: int) -> None:
        super().__init__(429, "Rate limit exceeded.", "TOO_MANY_REQUESTS")
        self.seconds = seconds


class Gate:
    """Lets calls in, or does not."""

    def __init__(self, org: Organisation, options: Options) -> None:
        self._org = org
        self.options = options
        self._calls: deque[int] = deque()

    def admit(self, call: Call) -> Caller:
        """The caller of a request: 429, 401 or 403 for whoever may not come in."""
        self._count()
        secret, _, key_id = call.headers.get("x-auth-token", "").rpartition("/")
        key = self._org.keys.get(key_id)
        if key is None:
            raise Refused(401, "Invalid API credentials.", "UNAUTHENTICATED")
        if secret != key.secret:
            self._failed(key, "failed to log in")
            status = self.options.dead_secret_status if secret in key.former else 401
            raise Refused(status, "Invalid API credentials.", "UNAUTHENTICATED" if status == 401 else "FORBIDDEN")
        caller = ip_address(self.options.caller_ip)
        if key.ips and not any(caller in ip_network(one) for one in key.ips):
            self._failed(key, f"failed to log in from unauthorized IP address {caller}")
            raise Refused(403, "The IP address is not authorized for this API key.", "FORBIDDEN")
        self._begin_session(key)
        roles = self._org.roles_of(key.id)
        return Caller(
            key,
            self._org.principal(key.id),
            frozenset().union(*(role.permissions for role in roles)),
            any(role.manages for role in roles),
            any(role.urn == SUPER_ADMIN for role in roles),
        )

    def in_org(self, call: Call) -> None:
        """403 if the path names another organisation (S1)."""
        if call.params.get("org_key", self._org.key) not in (self._org.key, str(self._org.number)):
            raise Refused(403, "Wrong organization.", "FORBIDDEN")

    def _count(self) -> None:
        """A sliding window. Calls that are refused count too: whoever does not stop is kept out for longer (S24)."""
        most = self.options.calls
        if most is None:
            return
        now = self._org.now_ms()
        while self._calls and self._calls[0] <= now - self.options.window_ms:
            self._calls.popleft()
        self._calls.append(now)
        if len(self._calls) > most:
            free = self._calls[len(self._calls) - most] + self.options.window_ms
            raise TooMany(max(1, math.ceil((free - now) / 1000)))

    def _begin_session(self, key: Key) -> None:
        now = self._org.now_ms()
        if key.session is None or now - key.session >= SESSION_MS:
            key.session = now
            if self.options.writes_logins:
                self._org.record(key.id, f"Connector {key.id} logged in successfully")

    def _failed(self, key: Key, how: str) -> None:
        """The wording of failures is not known, only that they are flagged (S17)."""
        if self.options.writes_logins:
            self._org.record(key.id, f"Connector {key.id} {how}", flagged=True)


def mapping(value: Any) -> dict[str, Any]:
    """A JSON object, or 400."""
    if not isinstance(value, dict):
        raise Refused(400, "The request body is no JSON object.", "INVALID_BODY")
    return value
