"""What one emulated tenant holds: roles by name, and keys."""

from __future__ import annotations

import random
import uuid
from calendar import monthrange
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

MASTER: Final = "Master Administrator"
KEY_MANAGER: Final = "API Key Manager"
"""A role that somebody made for whoever manages keys."""
ROLES: Final = (MASTER, "Operator (formerly Analyst)", "Auditor", "Senior Analyst", "Analyst", KEY_MANAGER)
LIFETIMES: Final = (0, 1, 3, 6, 12)
_CODES: Final = {
    400: "BadRequest",
    401: "InvalidCredentials",
    403: "AccessDenied",
    404: "NotFound",
    409: "Conflict",
    412: "PreconditionFailed",
    413: "RequestEntityTooLarge",
    429: "TooManyRequests",
    503: "ServiceUnavailable",
}


class Refused(Exception):
    """A request, or one item of it, that gets an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def error_of(status: int, message: str) -> dict[str, Any]:
    """`{"error": …}`, as every error is written (T17)."""
    return {"error": {"code": _CODES.get(status, "InternalServerError"), "message": message, "innererror": {}}}


@dataclass(slots=True)
class Key:
    """One API key. Times are epoch milliseconds; None: never."""

    id: str
    name: str
    role: str
    description: str
    status: str
    created: int
    expires: int | None
    value: str
    last_used: int | None = None
    version: int = 1
    calls: deque[int] = field(default_factory=deque)

    @property
    def etag(self) -> str:
        """Of the key as it is now; every change makes another."""
        return uuid.uuid5(uuid.UUID(self.id), str(self.version)).hex

    def works(self, now_ms: int) -> bool:
        """Whether it authenticates."""
        return self.status == "enabled" and (self.expires is None or now_ms < self.expires)


class Tenant:
    """One tenant."""

    def __init__(self, source: random.Random) -> None:
        self._random = source
        self.roles: list[str] = list(ROLES)
        self.keys: dict[str, Key] = {}
        self.issued: list[str] = []

    def add_key(self, given: dict[str, Any], now_ms: int) -> Key:
        """Put in a key, under an id of its own and with a token."""
        number = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        months = given.get("monthsToExpiration", 0)
        key = Key(
            id=number,
            name=given["name"],
            role=given["role"],
            description=given.get("description", ""),
            status=given.get("status", "enabled"),
            created=now_ms,
            expires=later(now_ms, months) if months else None,
            value=".".join(self._random.randbytes(size).hex() for size in (16, 64, 32)),
        )
        self.keys[number] = key
        self.issued.append(key.value)
        return key

    def shown(self, key: Key, write: Callable[[int | None], str | None]) -> dict[str, Any]:
        """A key as answers show it; `write` writes times."""
        return {
            "id": key.id,
            "name": key.name,
            "role": key.role,
            "status": key.status,
            "description": key.description,
            "createdDateTime": write(key.created),
            "expiredDateTime": write(key.expires),
            "lastUsedDateTime": write(key.last_used),
        }


def later(now_ms: int, months: int) -> int:
    """So many calendar months later; where the month has no such day, on its last one."""
    start = datetime.fromtimestamp(now_ms / 1000, UTC)
    count = start.year * 12 + start.month - 1 + months
    year, month = count // 12, count % 12 + 1
    last = monthrange(year, month)[1]
    moved = start.replace(year=year, month=month, day=min(start.day, last))
    return int(moved.timestamp() * 1000)
