"""Differences between canonical mappings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.action import Change
from reconciler.plan.differ import changes
from reconciler.providers.zones import Zone

LEAVES = st.one_of(
    st.text(max_size=4), st.booleans(), st.none(), st.tuples(st.integers(0, 3)), st.tuples(),
    st.integers(0, 2**31).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)  # fmt: skip
NAMES = st.text("abc", min_size=1, max_size=2)
TREES = st.recursive(
    st.dictionaries(NAMES, LEAVES, max_size=4),
    lambda inner: st.dictionaries(NAMES, st.one_of(LEAVES, inner), max_size=4),
    max_leaves=8,
)


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """By dotted path; what is None is as good as absent."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        elif value is not None:
            found[prefix + name] = value
    return found


@pytest.mark.promise(5)
@given(TREES)
def test_promise_5_equal_gives_nothing(tree: dict[str, Any]) -> None:
    """No change between equal mappings."""
    assert changes(tree, dict(tree)) == ()


@settings(deadline=None)
@given(TREES, TREES)
def test_changes_lead_from_old_to_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Applied to the old leaves they give the new ones, each is a real change, and they are sorted."""
    found = changes(old, new)
    leaves = flat(old)
    for change in found:
        assert leaves.pop(change.path, None) == change.old
        if change.new is not None:
            leaves[change.path] = change.new
        assert change.old != change.new
    assert leaves == flat(new)
    assert [change.path for change in found] == sorted({change.path for change in found})


def test_nested_leaf_has_a_dotted_path() -> None:
    """Sequences are one value, not many."""
    assert changes({"a": {"b": (1, 2), "c": 1}}, {"a": {"b": (2,), "c": 1}}) == (Change("a.b", (1, 2), (2,)),)


def test_values_that_say_they_are_equal_are_equal() -> None:
    """Zones by alias, times by instant, beside a real change; absent and None."""
    there = timezone(timedelta(hours=1))
    old = {"zone": Zone("UTC"), "at": datetime(2027, 1, 1, tzinfo=UTC), "n": 1, "none": None, "flag": True}
    new = {"zone": Zone("Etc/UTC"), "at": datetime(2027, 1, 1, 1, tzinfo=there), "n": 2, "flag": 1}
    assert changes(old, new) == (Change("n", 1, 2),)
    assert changes({"zone": "UTC", "n": 1}, {"zone": Zone("Etc/UTC"), "n": 2}) == (Change("n", 1, 2),)
