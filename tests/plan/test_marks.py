"""What planned actions mean for access: from what was found at the vendor and what is wanted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.model.action import Action, ActionKind, Change, Operation
from reconciler.model.desired import DesiredKey, KeyState, LevelRef, OnRemoval, Removal
from reconciler.model.impact import Impact, worst
from reconciler.model.names import Kind, ObjectId
from reconciler.model.observed import Observed
from reconciler.plan.draft import Draft
from reconciler.plan.marks import impact_of, marked
from reconciler.providers import registry
from tests.support import builders as b
from tests.support.builders import NOW, desired_key, desired_level, found_key, found_level

STANDARD = {"securityLevel": "standard"}
LATER = NOW + timedelta(days=90)
WIDE = {**b.PERMISSIONS, "allComputers": True}


def impacts(desired: Any, seen: Any) -> list[tuple[str, str]]:
    return [(str(one.kind), str(one.impact)) for one in b.plan(desired, seen).actions]


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        ({}, {"expires": LATER}, [("update", "widens")]),
        ({"expires": LATER}, {"expires": None}, [("update", "narrows")]),
        ({}, {"locale": "ja-JP"}, [("update", "neutral")]),
        ({"state": KeyState.LOCKED}, {"state": "active"}, [("lock", "destroys")]),
        ({"state": KeyState.LOCKED}, {"state": "active", "expires": LATER}, [("lock", "widens")]),
        ({}, {"state": "locked"}, [("unlock", "widens")]),
        ({"owner": "other@example.com"}, {}, [("update", "neutral")]),
        ({"protect": True}, {}, [("update", "neutral")]),
    ],
)
def test_fields_of_a_key(wanted: dict[str, Any], found: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """Of several things the one that widens is told, for gates look for it."""
    key = desired_key(**wanted)
    assert impacts(b.desired_tenant([key]), b.settled(key, fields=found)) == expected


def test_kinds_of_actions() -> None:
    """New keys widen, rotations rotate, deletions destroy; a level by itself gives nobody anything."""
    key = desired_key()
    assert impacts(b.desired_tenant([key]), b.view(state=b.document())) == [("create", "neutral"), ("create", "widens")]
    gone = b.settled(key)
    assert impacts(b.desired_tenant(levels=()), replace(gone)) == [("delete", "destroys"), ("delete", "narrows")]
    due = desired_key(rotation=b.rotation(10))
    old = b.settled(due, known=b.record(due, issued_at=NOW - timedelta(days=11)))
    assert impacts(b.desired_tenant([due]), old) == [("rotate", "rotates")]
    lost = b.settled(key, secrets={})
    assert impacts(b.desired_tenant([key]), lost) == [("repair", "rotates")]
    retiring = b.settled(due, known=b.record(due, previous=b.previous(hours=-1)), keys=[
        found_key(due), found_key(due, "99", marked=b.mark("k0")),
    ])  # fmt: skip
    assert impacts(b.desired_tenant([due]), retiring) == [("retire", "narrows")]


@pytest.mark.parametrize("action", [Removal.QUARANTINE, Removal.ORPHAN])
def test_a_key_that_is_taken_out_of_git(action: Removal) -> None:
    """Is locked, or only forgotten."""
    key = desired_key()
    desired = b.desired_tenant(on_removal=OnRemoval(action, timedelta(days=7)))
    expected = {Removal.QUARANTINE: ("lock", "destroys"), Removal.ORPHAN: ("delete", "neutral")}[action]
    assert impacts(desired, b.settled(key)) == [expected]


@pytest.mark.parametrize(
    ("found", "wanted", "expected"),
    [
        (b.PERMISSIONS, WIDE, "widens"),
        (WIDE, b.PERMISSIONS, "narrows"),
        ({"policyIDs": [1]}, {"policyIDs": [2]}, "widens"),
    ],
)
def test_a_level_is_marked_with_the_keys_that_feel_it(found: Any, wanted: Any, expected: str) -> None:
    """By name; a level that only gets another description means nothing."""
    level = desired_level(permissions=wanted)
    keys = [desired_key("a"), desired_key("z"), desired_key("other", level=LevelRef("Auditor", existing=True))]
    seen = b.settled(keys[0], levels=[found_level(desired_level(permissions=found))])
    [action] = [one for one in b.plan(b.desired_tenant(keys, [level]), seen).actions if one.object == level.id]
    assert (action.impact, action.affects) == (expected, ("a", "z"))
    described = b.settled(keys[0], levels=[found_level(level, fields={"description": "other"})])
    [action] = [one for one in b.plan(b.desired_tenant(keys[:1], [level]), described).actions if one.object == level.id]
    assert (action.impact, action.affects) == (Impact.NEUTRAL, ())


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b.PERMISSIONS, WIDE, "widens"),
        (WIDE, b.PERMISSIONS, "narrows"),
        (WIDE, WIDE, "neutral"),
        ({}, WIDE, "widens"),  # nothing told is not nothing granted
    ],
)
def test_a_key_that_gets_another_level(old: Any, new: Any, expected: str) -> None:
    """The two are compared: ours as wanted, the vendor's as found."""
    levels = [
        found_level(desired_level("from", permissions=old), "10"),
        found_level(desired_level("to", permissions=new), "11"),
    ]
    ours = desired_key(level=LevelRef("to"))
    vendors = desired_key(level=LevelRef("to", existing=True))
    seen = b.settled(ours, levels=[replace(levels[0], mark=None), replace(levels[1], mark=None)],
                     state=b.document({ours.id: b.record(ours)}))  # fmt: skip
    assert impacts(b.desired_tenant([vendors], []), seen) == [("update", expected)]
    known = b.document({
        ours.id: b.record(ours),
        b.level_id("from"): b.level_record("10", "l1"),
        b.level_id("to"): b.level_record("11", "l2"),
    })  # fmt: skip
    mine = [levels[0], replace(levels[1], mark=b.mark("l2"))]
    desired = b.desired_tenant([ours], [desired_level("from", permissions=old), desired_level("to", permissions=new)])
    assert impacts(desired, b.settled(ours, levels=mine, state=known)) == [("update", expected)]


def drafted(provider: str, key: DesiredKey, found: Observed, *, levels: Any = ()) -> Draft:
    desired = b.desired_tenant([key], levels, provider=provider)
    return Draft(desired, registry.get(provider), b.view(keys=[found], state=b.document()), b.TAG)


def changed(key: DesiredKey, found: Observed, *fields: str, kind: ActionKind = ActionKind.UPDATE) -> Action:
    changes = tuple(Change(field, "old", "new") for field in fields)
    return Action(kind, Operation.UPDATE, key.id, changes, desired=key, observed=found)


@pytest.mark.parametrize(
    ("provider", "wanted", "found", "field", "expected"),
    [
        ("trend-cloud-one", {"allowed_ips": ("10.0.0.0/8",)}, {"allowedIPs": ("10.0.0.1/32",)}, "allowedIPs", "widens"),
        ("trend-cloud-one", {"allowed_ips": ("10.0.0.1/32",)}, {"allowedIPs": ()}, "allowedIPs", "narrows"),
        ("trend-cloud-one", {"allowed_ips": ("10.0.0.1/32",)}, {"allowedIPs": ("any",)}, "allowedIPs", "widens"),
        ("carbon-black-cloud", {"allowed_ips": ("10.0.0.1/32",)}, {}, "allowedIPs", "widens"),
        ("cortex-cloud", {"scope": {"assets": {"mode": "no_scope"}}}, {"scope": None}, "scope.assets.mode", "narrows"),
        ("cortex-cloud", {"options": STANDARD}, {"securityLevel": "advanced"}, "securityLevel", "widens"),
        ("cortex-cloud", {}, STANDARD, "securityLevel", "narrows"),
    ],
)  # fmt: skip
def test_fields_that_only_some_vendors_have(
    provider: str, wanted: dict[str, Any], found: dict[str, Any], field: str, expected: str
) -> None:
    """What was not told, or cannot be read as an address, counts as widening."""
    key = desired_key(**wanted)
    if "scope" in found:
        found = {"scope": registry.get("cortex-cloud").key_fields(desired_key())["scope"]}
    seen = Observed(Kind.API_KEY, "1", "splunk", None, found)
    assert impact_of(changed(key, seen, field), drafted(provider, key, seen)) == expected


def test_a_level_of_which_the_vendor_does_not_tell_the_permissions() -> None:
    """Whatever is changed of them counts as widening; another state of a user is told by what it does."""
    level = desired_level(permissions={"components": ["a"]})
    seen = Observed(Kind.ACCESS_LEVEL, "1", "read", None, {"name": "read"})
    draft = drafted("cortex-cloud", desired_key(), seen, levels=[level])
    action = Action(
        ActionKind.REPLACE, Operation.CREATE, level.id, (Change("permissions.components", "?", ("a",)),),
        desired=level, observed=seen,
    )  # fmt: skip
    assert impact_of(action, draft) is Impact.WIDENS
    user = desired_level("siem", kind=Kind.SERVICE_USER, permissions={"groups": ["G"]}, locked=True)
    known = Observed(Kind.SERVICE_USER, "1", "siem", None, {"name": "siem", "groups": ("G", "H"), "state": "active"})
    draft = drafted("lacework", desired_key(), known, levels=[user])
    for fields, expected in (
        (("state",), Impact.DESTROYS),
        (("groups",), Impact.NARROWS),
        (("state", "groups"), Impact.DESTROYS),
    ):
        changes = tuple(Change(field, "old", "new") for field in fields)
        action = Action(ActionKind.UPDATE, Operation.UPDATE, user.id, changes, desired=user, observed=known)
        assert impact_of(action, draft) is expected


def test_a_level_that_cannot_be_found_counts_as_widening() -> None:
    """Neither the one that a key has nor the one that it is to have."""
    key = desired_key(level=LevelRef("gone"))
    seen = replace(found_key(key), level_id="77")
    draft = drafted("trend-workload-security", key, seen)
    assert impact_of(changed(key, seen, "accessLevel"), draft) is Impact.WIDENS


def test_a_replacement_rotates_at_least() -> None:
    """Consumers take a new secret, even if nothing else changes."""
    key = desired_key()
    seen = found_key(key)
    draft = drafted("trend-workload-security", key, seen)
    action = Action(ActionKind.REPLACE, Operation.ISSUE, key.id, (), desired=key, observed=seen)
    assert impact_of(action, draft) is Impact.ROTATES


def test_orphans_and_handoffs() -> None:
    """What is removed by hand, or was made by a run that died, ends all the same; a level's end narrows."""
    key = desired_key()
    seen = found_key(key)
    draft = drafted("trend-workload-security", key, seen)
    by_hand = Action(ActionKind.DELETE, Operation.HAND_OFF, key.id, by_hand=Operation.DELETE)
    orphan = Action(ActionKind.REPAIR, Operation.REMOVE, ObjectId(Kind.ACCESS_LEVEL, "x"))
    former = Action(ActionKind.RETIRE, Operation.REMOVE, ObjectId(Kind.ACCESS_LEVEL, "x"))
    adopted = Action(ActionKind.ADOPT, Operation.UPDATE, key.id)
    assert [impact_of(one, draft) for one in (by_hand, orphan, former, adopted)] == [
        Impact.DESTROYS, Impact.NARROWS, Impact.NEUTRAL, Impact.NEUTRAL,
    ]  # fmt: skip
    draft.actions = [by_hand, orphan]
    assert [(one.impact, one.affects) for one in marked(draft)] == [(Impact.DESTROYS, ()), (Impact.NARROWS, ())]


def test_the_worst_of_several() -> None:
    """Widening before destroying before rotating before narrowing."""
    assert worst([Impact.NARROWS, Impact.ROTATES, Impact.DESTROYS, Impact.WIDENS]) is Impact.WIDENS
    assert worst([Impact.NARROWS, Impact.ROTATES, Impact.DESTROYS]) is Impact.DESTROYS
    assert worst([Impact.NARROWS, Impact.ROTATES]) is Impact.ROTATES
    assert worst([Impact.NARROWS, Impact.NEUTRAL]) is Impact.NARROWS
    assert worst([]) is Impact.NEUTRAL
