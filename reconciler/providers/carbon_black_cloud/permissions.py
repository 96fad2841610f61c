"""`AccessLevel.spec.permissions` for this vendor: a permission's name and the operations that are ticked for it.

::

    permissions:
      org.alerts: [READ]
      device.quarantine: [EXECUTE]
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from reconciler.providers.base import Doubt, Problem
from reconciler.providers.carbon_black_cloud.catalogue import OPERATIONS, PERMISSIONS, SLIPS
from reconciler.suggest import did_you_mean

_NOTATION: Final = re.compile(r"[a-z][A-Za-z0-9_-]*(\.[a-z][A-Za-z0-9_-]*)*")
_WORDS: Final = ", ".join(OPERATIONS)


def check(permissions: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of `AccessLevel.spec.permissions`, each with its path below `spec`.

    What public documents do not name may exist all the same (section 10 of the vendor page): it is a warning.
    """
    for name, operations in permissions.items():
        path = ("permissions", name)
        if name in SLIPS:
            yield Problem(path, f"unknown permission {name!r}", f"did you mean {SLIPS[name]!r}?")
        elif not _NOTATION.fullmatch(name):
            near = did_you_mean(name, PERMISSIONS)
            hint = near or "names are dotted, such as org.alerts, without the operation"
            yield Problem(path, f"{name!r} is no permission's name", hint)
        elif not isinstance(operations, list | tuple) or not operations:
            yield Problem(path, f"{name} lists no operations", f"for example [READ]; there are {_WORDS}")
        else:
            yield from _check_operations(path, operations)
            yield from _unseen(path, name, operations)


def _unseen(path: tuple[str, ...], name: str, operations: Collection[Any]) -> Iterator[Problem]:
    known = PERMISSIONS.get(name)
    if known is None:
        hint = did_you_mean(name, PERMISSIONS) or "it may exist: compare it with the console"
        yield Doubt(path, f"no public document names the permission {name!r}", hint)
        return
    unseen = [one for one in OPERATIONS if one in operations and known.operations and one not in known.operations]
    if unseen:
        what = f"no public document names {', '.join(unseen)} of {name!r}"
        yield Doubt(path, what, f"seen: {', '.join(known.operations)}; compare it with the console")


def canonical(permissions: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Names in order, and each one's operations once, in the console's order."""
    return {name: tuple(one for one in OPERATIONS if one in permissions[name]) for name in sorted(permissions)}


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12): every permission that public documents name, with its area and operations."""
    operations = {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"enum": list(OPERATIONS)}}
    properties = {
        name: {**operations, "description": _described(known.area, known.operations)}
        for name, known in PERMISSIONS.items()
    }
    return {
        "type": "object",
        "description": "Permissions in the vendor's dotted notation, and the operations that are ticked for each. "
        "The vendor publishes no complete list: names that are not here are accepted.",
        "properties": properties,
        "propertyNames": {"pattern": f"^{_NOTATION.pattern}$", "not": {"enum": list(SLIPS)}},
        "additionalProperties": operations,
    }


def _check_operations(path: tuple[str, ...], operations: list[Any] | tuple[Any, ...]) -> Iterator[Problem]:
    for index, operation in enumerate(operations):
        if operation not in OPERATIONS:
            hint = did_you_mean(operation, OPERATIONS) if isinstance(operation, str) else ""
            yield Problem((*path, index), f"unknown operation {operation!r}", hint or f"one of {_WORDS}")
        elif operation in operations[:index]:
            yield Problem((*path, index), f"{operation} is listed twice", "list each operation once")


def _described(area: str, operations: tuple[str, ...]) -> str:
    return f"{area}. Operations seen: {', '.join(operations)}." if operations else f"{area}."
