"""Under which name the vendor knows a time zone.

The vendor's list (T9, seen in third-party code only) is an old one: it has the former name of zones that were renamed since,
and no names without an area. Whether the vendor's servers accept more than that is not documented, so a name is replaced
only where the list lacks it and has another name of the same zone; every other name goes out as it was written, and the
server has the last word.
"""

from __future__ import annotations

import difflib
from functools import cache
from typing import Final

from reconciler.providers.zones import aliases, canonical

_RENAMED_SINCE: Final = frozenset({
    "Africa/Asmara", "America/Nuuk", "Asia/Ho_Chi_Minh", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Yangon", "Atlantic/Faroe",
    "Europe/Kyiv", "Pacific/Chuuk", "Pacific/Kanton", "Pacific/Pohnpei",
})  # fmt: skip
"""Spellings that the vendor's list (T9) does not have yet; it has their predecessors."""


def _is_listed(name: str) -> bool:
    """Whether the vendor's list has a name (A4): no bare names, no three-part names, no offsets, no later spellings."""
    return name.count("/") == 1 and name not in _RENAMED_SINCE and not name.startswith(("Etc/GMT+", "Etc/GMT-"))


def vendor_spelling(name: str) -> str:
    """The name under which the vendor most probably knows a zone: the given one, or an older name of the same zone."""
    return _spelling(str.__str__(name))  # plain, for a cache would take two names of one zone for one


@cache
def _spelling(plain: str) -> str:
    target = canonical(plain)
    listed = [alias for alias in aliases().get(target, ()) if _is_listed(alias)]
    if _is_listed(plain) or not listed:
        return plain
    area, _, city = plain.partition("/")
    neighbours = [alias for alias in listed if city and alias.startswith(f"{area}/")]
    if not neighbours:
        return target if target in listed else listed[0]
    return max(neighbours, key=lambda alias: _likeness(alias, plain))


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one.rsplit("/", 1)[-1], other.rsplit("/", 1)[-1]).ratio()
