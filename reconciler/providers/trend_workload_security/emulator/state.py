"""What one emulated installation holds: tenants, each with its roles and keys."""

from __future__ import annotations

import base64
import random
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from reconciler.providers.trend_workload_security.emulator import rights
from reconciler.providers.trend_workload_security.rights import FLAGS, LISTS

FULL_ACCESS: Final = "Full Access"
AUDITOR: Final = "Auditor"


@dataclass(slots=True)
class Key:
    """One API key: what answers show, and beside it the secret that they do not."""

    shown: dict[str, Any]
    """As JSON; a property that is not set is left out."""
    secret: str = ""
    calls: deque[int] = field(default_factory=deque)

    @property
    def id(self) -> int:
        """The vendor's number for it."""
        return int(self.shown["ID"])

    def settle(self, now_ms: int) -> None:
        """End a lock-out whose time is over."""
        unlock = self.shown.get("unlockTime")
        if unlock is not None and unlock <= now_ms:
            self.unlock()

    def unlock(self) -> None:
        """Make the key usable again, and forget wrong secrets."""
        self.shown.pop("unlockTime", None)
        self.shown.update(active=True, unsuccessfulSignInAttempts=0)


@dataclass(slots=True)
class Role:
    """One administrator role."""

    shown: dict[str, Any]
    """As JSON, without its rights."""
    granted: frozenset[str]

    def answer(self) -> dict[str, Any]:
        """As an answer shows it: with every right, true or false."""
        return {**self.shown, "rights": rights.expand(self.granted)}


@dataclass(slots=True)
class Tenant:
    """One tenant of the installation: keys and roles of others are invisible to it."""

    id: int
    guid: str
    roles: dict[int, Role] = field(default_factory=dict)
    keys: dict[int, Key] = field(default_factory=dict)
    calls: deque[int] = field(default_factory=deque)
    last_role: int = 0

    def next_role(self) -> int:
        """A number for a new role."""
        self.last_role += 1
        return self.last_role

    def urn(self, role_id: int) -> str:
        """A role's URN. The vendor's format is not known."""
        return f"urn:trend:workload-security:{self.guid}:role/{role_id}"

    def add_role(self, shown: dict[str, Any], granted: frozenset[str], *, immutable: bool = False) -> Role:
        """Put in a role, under a number of its own."""
        number = self.next_role()
        defaults = {"name": "", "description": "", "urn": self.urn(number), "immutable": immutable}
        flags, lists = dict.fromkeys(FLAGS, immutable), {name: list[int]() for name in LISTS}
        self.roles[number] = Role({**defaults, **flags, **lists, **shown, "ID": number}, granted)
        return self.roles[number]


class Installation:
    """All tenants; tenant 0 is the primary one. Keys are numbered across tenants, so that a secret's number is enough."""

    def __init__(self, source: random.Random) -> None:
        self._random = source
        self.tenants: dict[int, Tenant] = {}
        self.by_secret: dict[str, tuple[Tenant, Key]] = {}
        """Live secrets only."""
        self.by_id: dict[int, tuple[Tenant, Key]] = {}
        self.issued: list[str] = []
        self._last_key = 0
        self.add_tenant()

    def add_tenant(self) -> Tenant:
        """A tenant with the two roles that the product ships."""
        tenant = Tenant(len(self.tenants), str(uuid.UUID(int=self._random.getrandbits(128), version=4)))
        tenant.add_role({"name": FULL_ACCESS, "description": "Everything."}, rights.ALL, immutable=True)
        auditor = tenant.add_role({"name": AUDITOR, "description": "Reads everything."}, rights.VIEW, immutable=True)
        auditor.shown.update(canOnlyManipulateUsersWithEqualOrLesserRights=False, allowMigration=False)
        tenant.roles[1].shown.update(canOnlyManipulateUsersWithEqualOrLesserRights=False)
        self.tenants[tenant.id] = tenant
        return tenant

    def add_key(self, tenant: Tenant, shown: dict[str, Any]) -> Key:
        """Put in a key, under a number of its own and with a secret."""
        self._last_key += 1
        key = Key({**shown, "ID": self._last_key})
        tenant.keys[key.id] = key
        self.by_id[key.id] = (tenant, key)
        self.renew(tenant, key)
        return key

    def renew(self, tenant: Tenant, key: Key) -> str:
        """Give a key a new secret; the old one is dead from now on."""
        self.by_secret.pop(key.secret, None)
        key.secret = f"{key.id}:{base64.b64encode(self.token(32)).decode()}"
        self.by_secret[key.secret] = (tenant, key)
        self.issued.append(key.secret)
        return key.secret

    def remove_key(self, tenant: Tenant, key: Key) -> None:
        """Take out a key and its secret."""
        del tenant.keys[key.id], self.by_id[key.id], self.by_secret[key.secret]

    def token(self, size: int) -> bytes:
        """Bytes that nobody can guess (unless a seed was asked for)."""
        return self._random.randbytes(size)
