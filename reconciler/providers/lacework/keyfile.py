"""The file that the console gives out for a new key: `{"keyId", "secret", "account"?, "subAccount"?}` (KEYDOC, GOSDK).

Nothing of its content is ever quoted: whatever a person hands in may hold a secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from reconciler.errors import InvalidInput
from reconciler.model.secret import Secret

_LARGEST: Final = 64 * 1024
_HINT: Final = "hand in the file exactly as the console gave it out: JSON with keyId, secret and account"


def parse(content: bytes) -> Mapping[str, Secret | str]:
    """Its fields; members that nobody knows are passed over. InvalidInput for anything that is no such file."""
    members = _object(content)
    found: dict[str, Secret | str] = {"keyId": _text(members, "keyId"), "secret": Secret(_text(members, "secret"))}
    for member in ("account", "subAccount"):
        if members.get(member) not in (None, ""):
            found[member] = _text(members, member)
    return found


def _object(content: bytes) -> dict[str, Any]:
    members: object = None
    if len(content) <= _LARGEST:
        try:
            members = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_once)
        except (ValueError, RecursionError):
            members = None
    if not isinstance(members, dict):
        raise InvalidInput("this is no key file of Lacework", hint=_HINT)
    return members


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is there twice")
    return members


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"this is no key file of Lacework: its {name} is missing or no text", hint=_HINT)
    return value
