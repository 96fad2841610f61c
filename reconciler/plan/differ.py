"""Two canonical mappings into a list of field changes.

Equality is checked first, for it costs microseconds; deepdiff (a third of a millisecond, and its import more) only sees
objects that differ.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from reconciler.model.action import Change
from reconciler.model.observed import Fields
from reconciler.plan import digest

NOT_TOLD: Final = "(the vendor does not tell)"
"""What stands for the old value of a field that cannot be read back."""


def differences(found: Fields, wanted: Fields, applied: Mapping[str, str], unreadable: Collection[str]) -> list[Change]:
    """As `changes`, for objects whose vendor does not tell everything.

    An unreadable field that was not found counts as changed if it is not what was last asked for: `applied` has the
    digests of that.
    """
    hidden = sorted(name for name in unreadable if name in wanted and name not in found)
    told = {name: value for name, value in wanted.items() if name not in hidden} if hidden else wanted
    found_changes = list(changes(found, told))
    for name in hidden:
        if applied.get(name) != digest.field(wanted[name]):
            found_changes += [Change(path, NOT_TOLD, value) for path, value in _leaves({name: wanted[name]}, "")]
    return found_changes


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """Every leaf that differs, by dotted path, sorted. A leaf that one side lacks is None there."""
    if old == new:
        return ()
    from deepdiff import DeepDiff  # noqa: PLC0415  dear to import, and most runs have nothing to compare

    before, after = _flat(old), _flat(new)
    tree = DeepDiff(before, after, view="tree", ignore_type_in_groups=[], threshold_to_diff_deeper=0)
    paths = {level.path(output_format="list")[0] for levels in tree.values() for level in levels}
    found = (Change(path, before.get(path), after.get(path)) for path in sorted(paths))
    return tuple(change for change in found if change.old != change.new)


def _flat(value: Mapping[str, Any]) -> dict[str, Any]:
    return dict(_leaves(value, ""))


def _leaves(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, item in value.items():
        path = f"{prefix}{name}"
        if isinstance(item, Mapping):
            yield from _leaves(item, f"{path}.")
        else:
            yield path, item
