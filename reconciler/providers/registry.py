"""Finds providers through the entry-point group `reconciler.providers`, ours and plugins' alike."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Final

from reconciler.errors import InvalidInput
from reconciler.providers.base import Provider

GROUP: Final = "reconciler.providers"


@cache
def names() -> tuple[str, ...]:
    """The names of all installed providers, sorted. Imports none of them."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


@cache
def get(name: str) -> Provider:
    """The provider of that name; InvalidInput if none is installed."""
    for point in entry_points(group=GROUP, name=name):
        provider: Provider = point.load()
        return provider
    raise InvalidInput(f"unknown provider {name!r}", hint=f"installed: {', '.join(names())}")
