"""Finds providers through the entry-point group `reconciler.providers`, ours and plugins' alike."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from reconciler.errors import InvalidInput
from reconciler.providers.base import Provider

GROUP: Final = "reconciler.providers"


@cache
def _points() -> Mapping[str, EntryPoint]:
    """Every installed provider, found in one look at all packages that there are. Of two with one name, the first."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, point)
    return found


@cache
def names() -> tuple[str, ...]:
    """The names of all installed providers, sorted. Imports none of them."""
    return tuple(sorted(_points()))


@cache
def get(name: str) -> Provider:
    """The provider of that name; InvalidInput if none is installed."""
    point = _points().get(name)
    if point is None:
        raise InvalidInput(f"unknown provider {name!r}", hint=f"installed: {', '.join(names())}")
    provider: Provider = point.load()
    return provider
