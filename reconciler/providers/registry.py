"""Finds providers through the entry-point group `reconciler.providers`, ours and plugins' alike."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points
from typing import Final

from reconciler.errors import InvalidInput
from reconciler.providers.base import Provider

GROUP: Final = "reconciler.providers"
PACKAGE: Final = "access-reconciler"


@cache
def _ours() -> Mapping[str, EntryPoint]:
    """Our own providers. One file says which: most runs need no other, and no plugin can take the name of one."""
    try:
        points = distribution(PACKAGE).entry_points.select(group=GROUP)
    except PackageNotFoundError:
        return {}
    return {point.name: point for point in points}


@cache
def _all() -> Mapping[str, EntryPoint]:
    """Every installed provider: a look into all packages. Of two with one name ours counts, or the first."""
    found: dict[str, EntryPoint] = dict(_ours())
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, point)
    return found


@cache
def names() -> tuple[str, ...]:
    """The names of all installed providers, sorted. Imports none of them."""
    return tuple(sorted(_all()))


@cache
def get(name: str) -> Provider:
    """The provider of that name; InvalidInput if none is installed."""
    point = _ours().get(name) or _all().get(name)
    if point is None:
        raise InvalidInput(f"unknown provider {name!r}", hint=f"installed: {', '.join(names())}")
    provider: Provider = point.load()
    return provider
