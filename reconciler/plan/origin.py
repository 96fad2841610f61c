"""Who made a field differ, the vendor or Git, and which differences a manifest ignores.

The state remembers digests of what the last apply asked for. If the manifests still want that, the vendor's side has
changed; if the vendor still has it, Git has. Digests are of whole top-level fields: of what differs below one, all counts
as changed by the same side.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.model.action import Change, Difference, Origin
from reconciler.model.desired import IgnoredDrift
from reconciler.model.observed import Fields
from reconciler.plan import digest
from reconciler.plan.differ import NOT_TOLD

_MANIFEST = frozenset({
    "name", "description", "accessLevel", "serviceUser", "expires", "state", "allowedIPs", "scope", "mark",
})  # fmt: skip
"""Canonical fields of keys that manifests have under the same name. Every other one is an option there."""
_BY_US = frozenset({"mark"})


@dataclass(frozen=True, slots=True)
class Sides:
    """What is needed to tell who made a field of one object differ."""

    found: Fields
    wanted: Fields
    applied: Mapping[str, str]

    def origin(self, change: Change) -> Origin:
        """Who made this field differ."""
        name = change.path.partition(".")[0]
        if name in _BY_US:
            return Origin.VENDOR
        if change.old == NOT_TOLD:
            return Origin.GIT  # it differs only from what was asked for
        asked = self.applied.get(name)
        if asked is None:
            return Origin.UNKNOWN
        if asked == digest.field(self.wanted.get(name, change.new)):
            return Origin.VENDOR
        return Origin.GIT if asked == digest.field(self.found.get(name, change.old)) else Origin.BOTH


def field_name(change: Change, *, of_key: bool) -> str:
    """A change's field as the manifest has it: options are below `options` there."""
    return change.path if not of_key or change.path.partition(".")[0] in _MANIFEST else f"options.{change.path}"


def ignoring(items: Sequence[IgnoredDrift], change: Change, now: datetime, *, of_key: bool) -> IgnoredDrift | None:
    """What leaves a field alone now, if anything does."""
    if not items:
        return None
    name = field_name(change, of_key=of_key)
    return next((item for item in items if now < item.until and any(_covers(one, name) for one in item.fields)), None)


def _covers(field: str, name: str) -> bool:
    field = "accessLevel" if field == "serviceUser" else field
    return name == field or name.startswith(f"{field}.")


def kept(differences: Sequence[Difference]) -> tuple[Change, ...]:
    """The changes among the differences that are left alone."""
    return tuple(one.change for one in differences if one.ignored is not None)


def restored(fields: Fields, found: Fields, left: Sequence[Change]) -> dict[str, Any]:
    """What to ask the vendor for where some fields are left as they were found: requests may hold more than what changes."""
    return dict(_merged(fields, found, {change.path for change in left}, ""))


def _merged(fields: Fields, found: Fields, left: Collection[str], prefix: str) -> Iterator[tuple[str, Any]]:
    for name in dict.fromkeys((*fields, *found)):
        path = f"{prefix}{name}"
        if path in left:
            if name in found:
                yield name, found[name]
        elif name in fields:
            below = found.get(name)
            if isinstance(fields[name], Mapping) and any(one.startswith(f"{path}.") for one in left):
                below = below if isinstance(below, Mapping) else {}
                yield name, dict(_merged(fields[name], below, left, f"{path}."))
            else:
                yield name, fields[name]
        elif any(one.startswith(f"{path}.") for one in left):
            yield name, dict(_merged({}, found[name], left, f"{path}."))
