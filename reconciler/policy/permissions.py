"""What an access level permits, as paths, and which of them its vendor's page calls high-risk."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any


def dotted(tree: Any, above: str = "") -> Iterator[str]:
    """The paths of everything that is granted: `org.alerts.READ`, `platformRights.computerRights.canDeleteComputers`."""
    if isinstance(tree, Mapping):
        for name, below in tree.items():
            yield from dotted(below, f"{above}.{name}" if above else str(name))
    elif isinstance(tree, (list, tuple)):
        for item in tree:
            yield from dotted(item, above) if isinstance(item, Mapping) else (f"{above}.{item}",)
    elif tree is True:
        yield above
    elif tree not in (None, False, ""):
        yield f"{above}.{tree}"


def high_risk(paths: Iterable[str], patterns: tuple[str, ...]) -> list[str]:
    """Those of the paths that a provider questions; `*` in a pattern is anything within one part."""
    return [path for path in paths if any(_pattern(one).fullmatch(path) for one in patterns)]


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(r"\*", "[^.]*"), re.IGNORECASE)
