"""What a change means for access. A module of its own, for planned actions and findings both have one."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Impact(StrEnum):
    """What a change means for access."""

    WIDENS = "widens"
    """More permissions, more addresses, a later end, a slower rotation."""
    NARROWS = "narrows"
    DESTROYS = "destroys"
    """A key or a secret that works today will not."""
    ROTATES = "rotates"
    """Consumers have to take a new secret."""
    NEUTRAL = "neutral"


_WORST_FIRST = (Impact.WIDENS, Impact.DESTROYS, Impact.ROTATES, Impact.NARROWS)


def worst(impacts: Iterable[Impact]) -> Impact:
    """What to call something that means several things: widening comes first, for it is what gates look for."""
    found = set(impacts)
    return next((impact for impact in _WORST_FIRST if impact in found), Impact.NEUTRAL)
