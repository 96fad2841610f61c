"""One emulated organisation: keys, access levels, grants, and the audit log."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

SUPER_ADMIN: Final = "psc:role::BETA_SUPER_ADMIN"
VIEW_ALL: Final = "psc:role::BETA_VIEW_ALL"
EVERYTHING: Final = "*"
_CAPITALS: Final = string.ascii_uppercase + string.digits


@dataclass(slots=True)
class Level:
    """An access level or a user role. `permissions`: `org.alerts:READ` each, or everything; `manages`: users and roles."""

    urn: str
    name: str
    description: str
    permissions: frozenset[str]
    created: str
    manages: bool = False

    def shown(self) -> dict[str, Any]:
        """As permitted roles show it: without permissions (S5)."""
        return {
            "urn": self.urn,
            "scoped": False,
            "name": self.name,
            "desc": self.description,
            "disabled": False,
            "capabilities": [],
            "child_urn": None,
            "created_by": "psc:user:console",
            "updated_by": "psc:user:console",
            "create_time": self.created,
            "update_time": self.created,
        }


@dataclass(slots=True)
class Key:
    """One API key, called a connector inside the product."""

    id: str
    name: str
    description: str
    type: str
    ips: tuple[str, ...]
    secret: str
    created: int
    updated: int
    service: bool = False
    session: int | None = None
    """When its last session began."""
    former: set[str] = field(default_factory=set)
    """Secrets that worked once."""
    subscriptions: list[str] = field(default_factory=list)
    """Notification rules that send to it."""


class Organisation:
    """The state of one organisation. Keys come in the order in which they were made."""

    def __init__(self, source: random.Random, now_ms: Callable[[], int], caller_ip: str) -> None:
        self._random = source
        self.now_ms = now_ms
        self._caller_ip = caller_ip
        self.key = source.choice(string.ascii_uppercase) + self.letters(7)  # no number to any reader of YAML
        self.number = source.randrange(10_000, 99_999)
        self.keys: dict[str, Key] = {}
        self.levels: dict[str, Level] = {}
        self.grants: dict[str, dict[str, Any]] = {}
        self.log: list[dict[str, Any]] = []
        self.issued: list[str] = []
        now = self.now()
        for urn, name, manages in ((SUPER_ADMIN, "Super Admin", True), (VIEW_ALL, "View All", False)):
            held = frozenset({EVERYTHING}) if manages else frozenset({"org.alerts:READ", "device:READ"})
            self.levels[urn] = Level(urn, name, f"{name}, as shipped", held, now, manages)

    def letters(self, count: int) -> str:
        """Capitals and digits that nobody can guess (unless a seed was asked for)."""
        return "".join(self._random.choice(_CAPITALS) for _ in range(count))

    def now(self) -> str:
        """The time as answers write it."""
        return iso(self.now_ms())

    def add_key(self, name: str, **more: Any) -> Key:
        """Put in a key with a fresh secret."""
        now = self.now_ms()
        fields = {"description": "", "type": "CUSTOM", "ips": (), "created": now, "updated": now, **more}
        key = Key(id=self.letters(10), name=name, secret="", **fields)
        self.keys[key.id] = key
        self.renew(key)
        return key

    def renew(self, key: Key) -> str:
        """Give a key a new secret; the old one is dead from now on."""
        if key.secret:
            key.former.add(key.secret)
        key.secret = self.letters(24)
        key.session = None
        self.issued.append(key.secret)
        return key.secret

    def add_level(self, name: str, description: str, permissions: frozenset[str], *, manages: bool = False) -> Level:
        """Put in an access level."""
        urn = f"psc:role:{self.key}:{name.upper().replace(' ', '_')}"
        self.levels[urn] = Level(urn, name, description, permissions, self.now(), manages)
        return self.levels[urn]

    def principal(self, key_id: str) -> str:
        """A key's URN."""
        return f"psc:cnn:{self.key}:{key_id}"

    def grant(self, principal: str, name: str, roles: list[str], by: str) -> dict[str, Any]:
        """Put in a grant."""
        now = self.now()
        self.grants[principal] = {
            "principal": principal,
            "expires": 0,
            "roles": roles,
            "profiles": [],
            "org_ref": f"psc:org:{self.key}",
            "principal_name": name,
            "created_by": by,
            "updated_by": by,
            "create_time": now,
            "update_time": now,
            "can_manage": True,
        }
        return self.grants[principal]

    def roles_of(self, key_id: str) -> list[Level]:
        """The levels that count for a key now."""
        grant = self.grants.get(self.principal(key_id), {})
        urns = [*grant.get("roles", ())]
        for profile in grant.get("profiles", ()):
            if not (profile.get("conditions") or {}).get("disabled"):
                urns += profile.get("roles", ())
        return [self.levels[urn] for urn in urns if urn in self.levels]

    def record(self, actor: str, text: str, *, url: str | None = None, flagged: bool = False) -> None:
        """One more line in the audit log."""
        self.log.append(
            {
                "org_key": self.key,
                "actor_ip": self._caller_ip,
                "actor": actor,
                "request_url": url,
                "description": text,
                "flagged": flagged,
                "verbose": False,
                "create_time": self.now(),
            }
        )


def iso(milliseconds: int) -> str:
    """Epoch milliseconds as answers write times."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
