"""Who made a field differ, and what a manifest leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reconciler.model.action import Change, Operation, Origin
from reconciler.model.desired import IgnoredDrift, LevelRef
from reconciler.plan import digest
from reconciler.plan.differ import NOT_TOLD, changes
from reconciler.plan.origin import Sides, field_name, ignoring, restored
from reconciler.providers.trend_workload_security import PROVIDER
from tests.support import builders as b

LATER = b.NOW + timedelta(days=30)
KEY = b.desired_key()
ASKED = digest.asked(PROVIDER, KEY)


def left(*fields: str, until: Any = LATER) -> tuple[IgnoredDrift, ...]:
    return (IgnoredDrift(fields, until, "support is testing"),)


@pytest.mark.parametrize(
    ("applied", "found", "wanted", "origin"),
    [
        ("a", "b", "a", Origin.VENDOR),
        ("a", "a", "b", Origin.GIT),
        ("a", "b", "c", Origin.BOTH),
        (None, "a", "b", Origin.UNKNOWN),
    ],
)
def test_origin(applied: str | None, found: str, wanted: str, origin: Origin) -> None:
    """What the last apply asked for tells who has moved since."""
    known = {} if applied is None else {"description": digest.field(applied)}
    sides = Sides({"description": found}, {"description": wanted}, known)
    assert sides.origin(Change("description", found, wanted)) is origin


def test_origin_of_what_no_manifest_says() -> None:
    """A lost mark is the vendor's; what the vendor does not tell can only differ because Git has changed."""
    sides = Sides({}, {"description": "x"}, {})
    assert sides.origin(Change("mark", "missing", "restored")) is Origin.VENDOR
    assert sides.origin(Change("description", NOT_TOLD, "x")) is Origin.GIT


def test_names_of_fields() -> None:
    """Fields are named as manifests have them: what only a vendor has is an option there."""
    assert field_name(Change("timeZone", 1, 2), of_key=True) == "options.timeZone"
    assert field_name(Change("scope.assets", 1, 2), of_key=True) == "scope.assets"
    assert field_name(Change("permissions.x", 1, 2), of_key=False) == "permissions.x"


def test_ignoring() -> None:
    """A field stands for what is below it, an access level for a user, and nothing once its time is over."""
    for field, path in [
        ("options.timeZone", "timeZone"), ("serviceUser", "accessLevel"), ("scope", "scope.assets.mode"),
    ]:  # fmt: skip
        assert ignoring(left(field), Change(path, 1, 2), b.NOW, of_key=True) is not None
    assert ignoring(left("description"), Change("descriptions", 1, 2), b.NOW, of_key=True) is None
    assert ignoring(left("description", until=b.NOW), Change("description", 1, 2), b.NOW, of_key=True) is None


_LEAVES = st.integers(0, 2)
_TREES: Any = st.recursive(
    _LEAVES, lambda below: st.dictionaries(st.sampled_from(["a", "b", "a.b"]), below, max_size=3), max_leaves=8
)
_FIELDS = st.dictionaries(st.sampled_from(["a", "b", "c.d"]), _TREES, max_size=3)


def _paths(tree: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(tree, dict):
        for name, below in tree.items():
            yield (*above, name)
            yield from _paths(below, (*above, name))


def _tells_apart(*trees: Any) -> bool:
    """Whether no dotted name of one reads like a nested one of the other: no vendor has both `a.b` and a `b` within `a`."""
    paths = {path for tree in trees for path in _paths(tree)}
    return len(paths) == len({".".join(path) for path in paths})


@settings(deadline=None)
@given(_FIELDS, _FIELDS)
def test_everything_left_alone_is_what_was_found(wanted: dict[str, Any], found: dict[str, Any]) -> None:
    """If all differences are left alone, what is asked for is no change at all."""
    assume(_tells_apart(wanted, found))
    assert changes(found, restored(wanted, found, changes(found, wanted))) == ()


@settings(deadline=None)
@given(_FIELDS, _FIELDS)
def test_nothing_left_alone_is_what_is_wanted(wanted: dict[str, Any], found: dict[str, Any]) -> None:
    """If no difference is left alone, what is asked for is what is wanted."""
    assert restored(wanted, found, ()) == wanted


def settled(key: Any, **more: Any) -> Any:
    return b.settled(key, known=b.record(key, applied=ASKED), **more)


def test_drift_that_is_ignored_is_not_repaired() -> None:
    """The other field is, and the plan says what it leaves."""
    key = b.desired_key(ignore_drift=left("description"))
    found = {"description": "theirs", "locale": "ja-JP"}
    plan = b.plan(b.desired_tenant([key]), settled(key, fields=found))
    (action,) = plan.actions
    assert [change.path for change in action.changes] == ["locale"]
    assert [change.path for change in action.kept] == ["description"]
    assert [note.text for note in plan.notes] == [
        "description: left as found until 2026-07-01T12:00:00Z: support is testing"
    ]
    assert {one.change.path: (one.origin, one.ignored is not None) for one in plan.differences} == {
        "description": (Origin.VENDOR, True),
        "locale": (Origin.VENDOR, False),
    }


def test_it_is_repaired_once_the_time_is_over() -> None:
    """From the end date on the difference is drift like any other."""
    key = b.desired_key(ignore_drift=left("description", until=b.NOW))
    plan = b.plan(b.desired_tenant([key]), settled(key, fields={"description": "theirs"}))
    assert b.told(plan) == [("update", "update", "ApiKey/splunk")]


def test_a_change_in_git_is_applied_all_the_same() -> None:
    """What is ignored is drift, not Git."""
    key = b.desired_key(ignore_drift=left("description", "state"), description="new")
    plan = b.plan(b.desired_tenant([key]), settled(key, fields={"description": "Key splunk"}))
    assert [change.path for change in plan.actions[0].changes] == ["description"]
    assert plan.differences[0].origin is Origin.GIT


def test_a_level_that_drifted_is_left_alone() -> None:
    """Neither is the key replaced or moved, nor does an update beside it move it."""
    key = b.desired_key(ignore_drift=left("accessLevel"))
    levels = [b.found_level(), replace(b.found_level(vendor_id="66", marked=None), name="Full Access")]
    found = b.found_key(key, level="66", fields={"locale": "ja-JP"})
    seen = settled(key, keys=[found], levels=levels)
    (action,) = b.plan(b.desired_tenant([key]), seen).actions
    assert action.operation is Operation.UPDATE
    assert [change.path for change in action.changes] == ["locale"]
    assert action.level_id == "66"


def test_a_level_of_ours_keeps_what_it_ignores() -> None:
    """Its update sends the whole, with the field as it was found."""
    level = b.desired_level(ignore_drift=left("description"))
    key = b.desired_key()
    found = b.found_level(level, fields={"description": "theirs", "name": "other"})
    known = b.level_record(applied=digest.asked(PROVIDER, level))
    state = b.document({level.id: known, key.id: b.record(key, applied=ASKED)})
    (action,) = b.plan(b.desired_tenant([key], [level]), b.settled(key, levels=[found], state=state)).actions
    assert [change.path for change in action.changes] == ["name"]
    assert restored(PROVIDER.level_fields(level), found.fields, action.kept)["description"] == "theirs"


def test_what_is_asked_for_names_the_level() -> None:
    """Digests of every field, the level among them by its name."""
    assert digest.asked(PROVIDER, KEY)["accessLevel"] == digest.field("read")
    existing = digest.asked(PROVIDER, replace(KEY, level=LevelRef("Auditor", existing=True)))
    assert existing["accessLevel"] == digest.field("Auditor (existing)")
    assert set(digest.asked(PROVIDER, b.desired_level())) == {"name", "description", "permissions"}
