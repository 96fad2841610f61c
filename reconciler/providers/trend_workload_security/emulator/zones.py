"""Which time zones the emulated vendor takes, and under which names it can store them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

_SYSTEM_V: Final = tuple(
    f"SystemV/{name}"
    for name in (
        "AST4", "AST4ADT", "CST6", "CST6CDT", "EST5", "EST5EDT", "HST10", "MST7", "MST7MDT", "PST8",
        "PST8PDT", "YST9", "YST9YDT",
    )
)  # fmt: skip
"""Zones of old Java releases that today's database has dropped, and which the product still lists."""


@cache
def accepted() -> frozenset[str]:
    """Every name that a key's `timeZone` may have."""
    return frozenset((files("tzdata") / "zones").read_text("utf-8").split()) | frozenset(_SYSTEM_V)


@cache
def _links() -> dict[str, str]:
    lines = (files("tzdata") / "zoneinfo" / "tzdata.zi").read_text("utf-8").splitlines()
    return {alias: target for kind, target, alias in (line.split() for line in lines if line.startswith("L "))}


def canonical(name: str) -> str:
    """The name that the database's links lead to: `Asia/Calcutta` → `Asia/Kolkata`."""
    links = _links()
    while name in links:
        name = links[name]
    return name
