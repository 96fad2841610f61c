"""Time zones: which names mean the same zone, and under which name the vendor knows it.

Names are taken from the tz database that the `tzdata` package carries, its links included. The vendor's list (T9, seen in
third-party code only) is an old one: it has the former name of zones that were renamed since, and no names without an area.
Whether the vendor's servers accept more than that is not documented, so a name is replaced only where the list lacks it
and has another name of the same zone; every other name goes out as it was written, and the server has the last word.
"""

from __future__ import annotations

import difflib
from functools import cache
from importlib.resources import files
from typing import Final

from reconciler.suggest import nearest

DEFAULT: Final = "Etc/UTC"

_RENAMED_SINCE: Final = frozenset({
    "Africa/Asmara", "America/Nuuk", "Asia/Ho_Chi_Minh", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Yangon", "Atlantic/Faroe",
    "Europe/Kyiv", "Pacific/Chuuk", "Pacific/Kanton", "Pacific/Pohnpei",
})  # fmt: skip
"""Spellings that the vendor's list (T9) does not have yet; it has their predecessors."""


class Zone(str):
    """A zone's name as somebody wrote it, equal to every other name of the same zone."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and canonical(self) == canonical(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(canonical(self))


@cache
def _links() -> dict[str, str]:
    """Every name in the tz database, and the name of the zone that it stands for."""
    found: dict[str, str] = {}
    for line in files("tzdata").joinpath("zoneinfo/tzdata.zi").read_text(encoding="ascii").splitlines():
        words = line.split()
        if line.startswith("Z "):
            found[words[1]] = words[1]
        elif line.startswith("L "):
            found[words[2]] = words[1]
    return {name: _follow(target, found) for name, target in found.items()}


def _follow(name: str, links: dict[str, str]) -> str:
    while links[name] != name:
        name = links[name]
    return name


@cache
def _aliases() -> dict[str, tuple[str, ...]]:
    groups: dict[str, list[str]] = {}
    for name, target in sorted(_links().items()):
        groups.setdefault(target, []).append(name)
    return {target: tuple(names) for target, names in groups.items()}


@cache
def known() -> frozenset[str]:
    """Every name that a manifest may use."""
    return frozenset(_links())


def canonical(name: str) -> str:
    """The one name that stands for all names of a zone; a name that nobody knows stands for itself."""
    plain = str.__str__(name)
    return _links().get(plain, plain)


def suggest(name: str) -> str:
    """The known name nearest to a wrong one; a city is found without its area. Empty if nothing is near."""
    cities = {zone.rsplit("/", 1)[-1].lower(): zone for zone in sorted(known(), reverse=True)}
    return cities.get(name.strip().replace(" ", "_").lower()) or nearest(name, known())


def _is_listed(name: str) -> bool:
    """Whether the vendor's list has a name (A4): no bare names, no three-part names, no offsets, no later spellings."""
    return name.count("/") == 1 and name not in _RENAMED_SINCE and not name.startswith(("Etc/GMT+", "Etc/GMT-"))


def vendor_spelling(name: str) -> str:
    """The name under which the vendor most probably knows a zone: the given one, or an older name of the same zone."""
    return _spelling(str.__str__(name))  # plain, for a cache would take two names of one zone for one


@cache
def _spelling(plain: str) -> str:
    target = canonical(plain)
    listed = [alias for alias in _aliases().get(target, ()) if _is_listed(alias)]
    if _is_listed(plain) or not listed:
        return plain
    area, _, city = plain.partition("/")
    neighbours = [alias for alias in listed if city and alias.startswith(f"{area}/")]
    if not neighbours:
        return target if target in listed else listed[0]
    return max(neighbours, key=lambda alias: _likeness(alias, plain))


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one.rsplit("/", 1)[-1], other.rsplit("/", 1)[-1]).ratio()
