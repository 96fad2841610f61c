"""One tenant's plan as a whole: order, notes, what is not ours, and a state that was lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler.model.desired import KeyState, Unmanaged
from reconciler.model.state import Lease
from tests.support import builders as b
from tests.support.builders import NOW, desired_key, desired_level, desired_tenant, found_key, found_level, plan, told


@pytest.mark.promise(4)
def test_promise_4_lost_state_touches_nothing() -> None:
    """Marks of ours and no state document: everything that carries one is blocked, and nothing at all is planned."""
    seen = b.view(levels=[found_level()], keys=[found_key(desired_key())])
    result = plan(desired_tenant([desired_key(), desired_key("jira")]), seen)
    assert result.actions == ()
    assert b.why_blocked(result) == {
        "AccessLevel/read": "id 10 carries this estate's mark, but there is no state document for this tenant",
        "ApiKey/splunk": "id 100 carries this estate's mark, but there is no state document for this tenant",
    }
    assert result.unmanaged == ()
    assert "the state was lost" in result.blocked[0].hint


def test_first_run_needs_no_state() -> None:
    """No state document and no marks of ours: everything is new, a foreign object is none of our business."""
    result = plan(desired_tenant([desired_key()]), b.view(keys=[found_key(desired_key("theirs"), "7", marked=None)]))
    assert told(result) == [("create", "create", "AccessLevel/read"), ("create", "issue", "ApiKey/splunk")]
    assert [item.name for item in result.unmanaged] == ["theirs"]
    assert result.state_version == 0


def test_unmanaged_objects_are_listed_or_ignored() -> None:
    """Levels and keys of others are listed, the vendor's own levels never; `ignore` lists nothing."""
    seen = b.view(
        levels=[found_level(desired_level("Auditor"), "5", marked=None, builtin=True),
                found_level(desired_level("theirs"), "6", marked=None)],
        keys=[found_key(desired_key("theirs"), "7", marked=None), found_key(desired_key("late"), "8", marked="late")],
        state=b.document(),
    )  # fmt: skip
    tenant = desired_tenant(levels=[])
    assert [item.vendor_id for item in plan(tenant, seen).unmanaged] == ["6", "7"]
    ignoring = desired_tenant(levels=[], unmanaged=Unmanaged.IGNORE)
    assert plan(ignoring, seen).unmanaged == ()
    assert told(plan(ignoring, seen)) == [("repair", "remove", "ApiKey/late")]


@pytest.mark.parametrize(("seconds", "noted"), [(60, 1), (0, 0)])
def test_running_lease_is_noted(seconds: int, noted: int) -> None:
    """A plan that is made while an apply is at work says so; an expired lease is silent."""
    lease = Lease(run="r", holder="ci@host", since=NOW, expires=NOW + timedelta(seconds=seconds))
    notes = plan(desired_tenant(levels=[]), b.view(state=b.document(lease=lease))).notes
    assert len(notes) == noted
    assert all(note.object is None and "an apply by ci@host" in note.text for note in notes)


def test_order_is_levels_keys_removals() -> None:
    """Levels before the keys that need them, what frees a level before its removal, by name within a step."""
    wanted = [
        desired_key("b-new", level="new"), desired_key("a-new"), desired_key("updated", description="x"),
        desired_key("rotated", rotation=b.rotation(0.5, 0.25)), desired_key("regenerated"),
        desired_key("absent", state=KeyState.ABSENT),
    ]  # fmt: skip
    living = ["updated", "rotated", "regenerated", "absent"]
    keys = [found_key(desired_key(name), str(100 + at), marked=name[:3]) for at, name in enumerate(living)]
    records = {b.key_id(name): b.record(desired_key(name), str(100 + at), name[:3]) for at, name in enumerate(living)}
    state = b.document(
        {b.level_id(): b.level_record(), b.level_id("old"): b.level_record("11", "l2"), **records},
        {b.key_id("dead"): b.intent()},
    )
    seen = b.view(
        levels=[found_level(fields={"description": "x"}), found_level(desired_level("old"), "11", marked="l2"),
                found_level(desired_level("late"), "12", marked="late")],
        keys=[*keys, found_key(desired_key("late"), "200", marked="late")], state=state,
        secrets={b.path_of(name): b.secret() for name in living if name != "regenerated"},
    )  # fmt: skip
    result = plan(desired_tenant(wanted, [desired_level(), desired_level("new")]), seen)
    assert [(operation, name) for _, operation, name in told(result)] == [
        ("record", "ApiKey/dead"),
        ("remove", "AccessLevel/late"),
        ("create", "AccessLevel/new"),
        ("update", "AccessLevel/read"),
        ("update", "ApiKey/updated"),
        ("regenerate", "ApiKey/regenerated"),
        ("remove", "ApiKey/late"),
        ("issue", "ApiKey/a-new"),
        ("issue", "ApiKey/b-new"),
        ("issue", "ApiKey/rotated"),
        ("delete", "ApiKey/absent"),
        ("delete", "AccessLevel/old"),
    ]
    assert result.population == 6


def test_manifest_order_does_not_matter() -> None:
    """The same wishes in another order give the same plan."""
    keys = [desired_key("a"), desired_key("b")]
    one, other = plan(desired_tenant(keys), b.view()), plan(desired_tenant(reversed(keys)), b.view())
    assert told(one) == told(other)
    assert [action.wanted for action in one.actions] == [action.wanted for action in other.actions]
