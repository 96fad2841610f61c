"""Time zones: which names of the tz database, which the `tzdata` package carries, mean the same zone."""

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
def aliases() -> dict[str, tuple[str, ...]]:
    """All names of each zone, by the one that stands for them."""
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
