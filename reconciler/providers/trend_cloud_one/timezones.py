"""Time zones: which names mean the same zone. The vendor takes names of the tz database (T11); names are sent as written."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from reconciler.suggest import nearest

DEFAULT: Final = "Etc/UTC"


class Zone(str):
    """A zone's name as somebody wrote it, equal to every other name of the same zone."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and _canonical(self) == _canonical(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(_canonical(self))


@cache
def names() -> dict[str, str]:
    """Every name that a manifest may use, and the name that stands for all names of its zone."""
    found: dict[str, str] = {}
    for line in files("tzdata").joinpath("zoneinfo/tzdata.zi").read_text(encoding="ascii").splitlines():
        kind, _, rest = line.partition(" ")
        words = rest.split()
        if kind == "Z":
            found[words[0]] = words[0]
        elif kind == "L":
            found[words[1]] = words[0]
    return {name: _end(name, found) for name in found}


def suggest(name: str) -> str:
    """The known name nearest to a wrong one; empty if nothing is near."""
    return nearest(name, names())


def _end(name: str, links: dict[str, str]) -> str:
    while links[name] != name:
        name = links[name]
    return name


def _canonical(name: str) -> str:
    plain = str.__str__(name)
    return names().get(plain, plain)
