"""A tree of permissions as single ones, whatever form its vendor gives it, and which of them a provider calls high-risk."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

Permission = tuple[str, ...]
"""The parts of a path: `("org.alerts", "READ")`. Parts are the vendor's own texts, and may be equal in other letters."""


def leaves(tree: Any, above: Permission = ()) -> Iterator[Permission]:
    """Everything that a tree grants: what is true in it, and the items of its lists."""
    if isinstance(tree, Mapping):
        for name, below in tree.items():
            yield from leaves(below, (*above, _text(name)))
    elif isinstance(tree, (list, tuple, set, frozenset)):
        for item in tree:
            yield from leaves(item, above) if isinstance(item, Mapping) else iter([(*above, _text(item))])
    elif tree is True:
        yield above
    elif tree not in (None, False, ""):
        yield (*above, _text(tree))


def _text(part: Any) -> str:
    return part if isinstance(part, str) else str(part)  # a text of the vendor's stays as it compares


def written(permission: Permission) -> str:
    """As a path, its parts separated by dots: `platformRights.computerRights.canDeleteComputers`, `org.alerts.READ`."""
    return ".".join(permission)


def is_high_risk(path: str, patterns: Iterable[str]) -> bool:
    """Whether one of `Capabilities.high_risk` fits; `*` in a pattern is anything within one part."""
    return any(_pattern(one).fullmatch(path) for one in patterns)


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(r"\*", "[^.]*"), re.IGNORECASE)
