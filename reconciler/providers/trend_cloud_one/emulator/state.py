"""What one emulated account holds: roles and keys."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

FULL_ACCESS: Final = "full-access"
READ_ONLY: Final = "read-only"
_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PLAIN: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


class Refused(Exception):
    """A request that gets an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(slots=True)
class Key:
    """One API key: what answers show, and beside it the secret that they do not."""

    shown: dict[str, Any]
    secret: str
    calls: deque[int] = field(default_factory=deque)


class Account:
    """One account, with the roles that the product ships."""

    def __init__(self, source: random.Random) -> None:
        self._random = source
        self.number = "".join(source.choice("0123456789") for _ in range(12))
        self.keys: dict[str, Key] = {}
        self.roles: dict[str, dict[str, Any]] = {}
        self.issued: list[str] = []
        for role_id, name in ((FULL_ACCESS, "Full Access"), (READ_ONLY, "Read Only")):
            self.add_role({"name": name, "serviceRoleURNs": [f"{self.urn('application')}:role/{role_id}"]}, 0, role_id)

    def urn(self, service: str) -> str:
        """The beginning of every URN of a service."""
        return f"urn:cloudone:{service}:us-1:{self.number}"

    def add_role(self, given: dict[str, Any], now_ms: int, role_id: str = "") -> dict[str, Any]:
        """Put in a role, under an id of its own."""
        number = role_id or self.token(20, _PLAIN)
        self.roles[number] = {
            "id": number,
            "description": "",
            "serviceRoleURNs": [],
            "created": rfc3339(now_ms),
            "lastModified": rfc3339(now_ms),
            "urn": f"{self.urn('identity')}:role/{number}",
            **given,
        }
        return self.roles[number]

    def add_key(self, given: dict[str, Any], now_ms: int) -> Key:
        """Put in a key, under an id of its own and with a secret."""
        number = self.token(27)
        shown = {
            "id": number,
            "alias": "",
            "description": "",
            "locale": "en",
            "timezone": "UTC",
            "enabled": True,
            "allowedIPs": [],
            "allowedCIDRs": [],
            "created": rfc3339(now_ms),
            "lastModified": rfc3339(now_ms),
            "urn": f"{self.urn('identity')}:apikey/{number}",
            **given,
        }
        key = self.keys[number] = Key(shown, self.token(64))
        self.issued.append(key.secret)
        return key

    def token(self, size: int, letters: str = _LETTERS) -> str:
        """Letters that nobody can guess (unless a seed was asked for)."""
        return "".join(self._random.choice(letters) for _ in range(size))


def rfc3339(now_ms: int) -> str:
    """A time as answers write it."""
    return datetime.fromtimestamp(now_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
