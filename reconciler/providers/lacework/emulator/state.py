"""What one emulated organisation holds: accounts with their users, keys and tokens."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final, Literal

STANDARD: Final = "StandardUser"
SERVICE: Final = "ServiceUser"
ADMIN: Final = "LACEWORK_USER_GROUP_ADMIN"
POWER_USER: Final = "LACEWORK_USER_GROUP_POWER_USER"
READ_ONLY_USER: Final = "LACEWORK_USER_GROUP_READ_ONLY_USER"
BUILTIN_GROUPS: Final = {ADMIN: "Admin", POWER_USER: "Power User", READ_ONLY_USER: "Read-Only User"}


@dataclass(slots=True)
class User:
    """A person, or an account for programs."""

    guid: str
    type: Literal["StandardUser", "ServiceUser"]
    account: str
    name: str
    email: str = ""
    company: str = ""
    description: str = ""
    enabled: bool = True
    groups: list[str] = field(default_factory=list)
    last_login_ms: int = 0
    calls: dict[str, deque[int]] = field(default_factory=dict)
    """When each function was called."""


@dataclass(slots=True)
class Key:
    """An API key. Its secret is known to whoever downloads its file."""

    key_id: str
    secret: str
    owner: str
    name: str
    description: str
    created_ms: int
    active: bool = True


@dataclass(frozen=True, slots=True)
class Token:
    """What a key was exchanged for."""

    key_id: str
    ends_ms: int


class Organisation:
    """Accounts, by sub-account name (`""` is the primary one), and everything in them."""

    def __init__(self, source: random.Random, sub_accounts: tuple[str, ...]) -> None:
        self._random = source
        self.accounts: dict[str, dict[str, User]] = {name.lower(): {} for name in ("", *sub_accounts)}
        self.groups = dict(BUILTIN_GROUPS)
        """Names of user groups by GUID; further ones are made in the console."""
        self.keys: dict[str, Key] = {}
        self.tokens: dict[str, Token] = {}
        self.issued: list[str] = []

    def hexadecimal(self, digits: int) -> str:
        """Random digits, as ids have them."""
        return f"{self._random.getrandbits(digits * 4):0{digits}X}"

    def add_user(self, account: str, kind: Literal["StandardUser", "ServiceUser"], name: str, **more: Any) -> User:
        """A new user."""
        user = User(f"EMULATOR_{self.hexadecimal(47)}", kind, account, name, **more)
        self.accounts[account][user.guid] = user
        return user

    def add_key(self, owner: User, name: str, description: str, now_ms: int) -> Key:
        """A new key."""
        key = Key(
            f"EMULATOR_{self.hexadecimal(47)}",
            f"_{self.hexadecimal(32).lower()}",
            owner.guid,
            name,
            description,
            now_ms,
        )
        self.keys[key.key_id] = key
        self.issued.append(key.secret)
        return key

    def add_token(self, key: Key, ends_ms: int) -> str:
        """A new token of a key."""
        text = f"_{self.hexadecimal(64).lower()}"
        self.tokens[text] = Token(key.key_id, ends_ms)
        self.issued.append(text)
        return text

    def user(self, guid: str) -> User | None:
        """The user with that GUID, in whatever account."""
        return next((users[guid] for users in self.accounts.values() if guid in users), None)

    def remove_key(self, key_id: str) -> None:
        """A key goes, and its tokens with it."""
        del self.keys[key_id]
        self.tokens = {text: token for text, token in self.tokens.items() if token.key_id != key_id}

    def remove_user(self, user: User) -> None:
        """A user goes, and its keys with it."""
        del self.accounts[user.account][user.guid]
        for key_id in [key.key_id for key in self.keys.values() if key.owner == user.guid]:
            self.remove_key(key_id)

    def group(self, guid: str) -> str | None:
        """A group's GUID as the vendor spells it; case does not matter."""
        return next((known for known in self.groups if known.upper() == guid.upper()), None)
