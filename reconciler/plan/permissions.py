"""What a key may do, as a set of single permissions, whatever tree its vendor writes them in; and what comes and goes.

A permission is a path: `platformRights.computerRights.canDeleteComputers`, `org.alerts.READ`, `groups.GUID`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from reconciler.errors import printable
from reconciler.model.observed import Fields
from reconciler.providers.base import Capabilities
from reconciler.providers.permissions import Permission, is_high_risk, leaves, written

_NOT_ACCESS: Final = frozenset({"name", "description", "state"})


@dataclass(frozen=True, slots=True)
class Permissions:
    """What a level grants, and in what it holds its holders back."""

    granted: frozenset[Permission] = frozenset()
    restricted: frozenset[Permission] = frozenset()

    @classmethod
    def of(cls, fields: Fields, can: Capabilities) -> Permissions:
        """Those of a level's canonical fields, as wanted or as found."""
        tree = {name: value for name, value in fields.items() if name not in _NOT_ACCESS and name != "permissions"}
        given = fields.get("permissions", {})
        found = frozenset(leaves({**tree, **given}))
        restricted = frozenset(one for one in found if written(one) in can.restrictions)
        return cls(found - restricted, restricted)

    def risky(self, can: Capabilities) -> frozenset[Permission]:
        """Those that the vendor's page calls high-risk."""
        return frozenset(one for one in self.granted if is_risky(one, can))


@dataclass(frozen=True, slots=True)
class Difference:
    """What comes and goes, as texts that are safe to show, sorted. A restriction that goes is something that comes."""

    gained: tuple[str, ...]
    lost: tuple[str, ...]
    risky: frozenset[str]
    """Those of both that are high-risk."""


def difference(before: Permissions, after: Permissions, can: Capabilities) -> Difference:
    """From one set to another. What another permission brings along neither comes nor goes."""
    gained, lost = _beyond(after, before, can), _beyond(before, after, can)
    risky = {shown(one) for one in gained | lost if is_risky(one, can)}
    return Difference(
        tuple(sorted([*map(shown, gained), *_without(before.restricted - after.restricted)])),
        tuple(sorted([*map(shown, lost), *_without(after.restricted - before.restricted)])),
        frozenset(risky | {*_without(before.restricted ^ after.restricted)}),
    )


def is_risky(permission: Permission, can: Capabilities) -> bool:
    """Whether the provider lists it as high-risk."""
    return is_high_risk(written(permission), can.high_risk)


def shown(permission: Permission) -> str:
    """As a path that is safe to show."""
    return printable(written(permission))


def _beyond(these: Permissions, others: Permissions, can: Capabilities) -> frozenset[Permission]:
    known = {written(one) for one in others.granted}
    return frozenset(one for one in these.granted - others.granted if not _implied(written(one), known, can))


def _implied(text: str, known: set[str], can: Capabilities) -> bool:
    for part, whole in can.implied:
        found = re.fullmatch(part, text)
        if found is not None and found.expand(whole) in known:
            return True
    return False


def _without(restrictions: Iterable[Permission]) -> Iterator[str]:
    return (f"without {shown(one)}" for one in restrictions)
