"""What one emulated tenant holds: keys, roles and scopes."""

from __future__ import annotations

import random
import string
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

ADMIN: Final = "Instance Administrator"
VIEWER: Final = "Viewer"
CLI_READ_ONLY: Final = "CLI Read Only"
_ALPHABET: Final = string.ascii_letters + string.digits
_SECRET_LENGTH: Final = 128

SEE_KEYS, EDIT_KEYS = "public_api_view", "public_api_action"
SEE_ACCESS, EDIT_ACCESS = "access_management_view", "access_management_action"
_SEE: Final = frozenset({"investigation_query_view", "rules_view", "reports_view"})
EVERYTHING: Final = frozenset({
    SEE_KEYS, EDIT_KEYS, SEE_ACCESS, EDIT_ACCESS, *_SEE, "rules_action", "reports_action", "external_alerts_action",
    "external_alerts_view", "data_management_view", "data_management_action", "wf_verdict_change",
    "actions_center_view", "actions_center_action", "file_search",
})  # fmt: skip
BUILT_IN: Final = {
    "Account Admin": EVERYTHING,
    ADMIN: EVERYTHING,
    "Investigator": _SEE,
    "Privileged Responder": _SEE | {"actions_center_view", "actions_center_action"},
    "Responder": _SEE | {"actions_center_view"},
    VIEWER: _SEE,
    "Developer": frozenset({"reports_view"}),
    CLI_READ_ONLY: frozenset({"reports_view"}),
}
ADMINS: Final = frozenset({"Account Admin", ADMIN})
"""Roles whose scope cannot be changed."""


@dataclass(slots=True)
class Key:
    """One API key: what lists show, and beside it the secret that they do not."""

    shown: dict[str, Any]
    secret: str
    scope: dict[str, Any]
    calls: deque[int] = field(default_factory=deque)
    nonces: set[str] = field(default_factory=set)

    @property
    def id(self) -> int:
        """The vendor's number for it."""
        return int(self.shown["id"])


@dataclass(slots=True)
class Role:
    """One role: what the list shows, and what it permits, which no list shows."""

    shown: dict[str, Any]
    granted: frozenset[str]
    datasets: list[dict[str, Any]] = field(default_factory=list)


class Tenant:
    """One tenant. Ids count up, as the vendor's do."""

    def __init__(self, source: random.Random) -> None:
        self._random = source
        self.keys: dict[int, Key] = {}
        self.roles: dict[str, Role] = {}
        self.issued: list[str] = []
        self.calls: deque[int] = deque()
        self._last_key = source.randrange(1, 200)
        self._last_tag = 0
        self._tags: dict[str, str] = {}
        for name, granted in BUILT_IN.items():
            self.add_role(name, granted, is_custom=False)

    def add_key(self, shown: dict[str, Any], scope: dict[str, Any]) -> Key:
        """Put in a key, under a number of its own and with a secret."""
        self._last_key += 1
        secret = "".join(self._random.choices(_ALPHABET, k=_SECRET_LENGTH))
        self.issued.append(secret)
        key = Key({"id": self._last_key, **shown}, secret, scope)
        self.keys[key.id] = key
        return key

    def add_role(
        self, name: str, granted: frozenset[str], *, is_custom: bool = True, now_ms: int = 0, **shown: Any
    ) -> Role:
        """Put in a role. Ids of built-in ones tell their name, as on real tenants; custom ones are made up."""
        made_up = "".join(self._random.choices(string.hexdigits[:16], k=32))
        role_id = f"custom_role_{made_up}" if is_custom else name.upper().replace(" ", "_")
        about = {
            "role_id": role_id,
            "pretty_name": name,
            "description": "",
            "is_custom": is_custom,
            "created_by": "admin@example.com" if is_custom else "Palo Alto Networks",
            "created_ts": now_ms,
            "updated_ts": now_ms,
        }
        role = Role({**about, **shown}, granted)
        self.roles[role_id] = role
        return role

    def role_named(self, name: str) -> Role | None:
        """The role of a display name."""
        return next((role for role in self.roles.values() if role.shown["pretty_name"] == name), None)

    def granted(self, key: Key) -> frozenset[str]:
        """What a key may do: all that its roles permit."""
        roles = [self.role_named(name) for name in key.shown["roles"]]
        return frozenset[str]().union(*(role.granted for role in roles if role is not None))

    def tag(self, name: str) -> dict[str, str]:
        """A name in a scope, as reading shows it."""
        if name not in self._tags:
            self._last_tag += 1
            self._tags[name] = f"tag-{self._last_tag}"
        return {"tag_id": self._tags[name], "tag_name": name}
