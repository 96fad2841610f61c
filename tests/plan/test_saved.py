"""Saved plans: they stand, they are stale, or they go on where they stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import InvalidInput
from reconciler.model.action import ActionKind, TenantPlan
from reconciler.model.desired import DesiredTenant, LevelRef
from reconciler.plan import saved
from reconciler.plan.saved import SavedPlan, Selection
from tests.support import builders as b
from tests.support.builders import NOW, desired_key, desired_level, desired_tenant, found_key, found_level, told
from tests.support.model import Died, World

ESTATE = b.estate()
SPLUNK = "ApiKey/splunk"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "plan.json"


def kept(path: Path, *plans: TenantPlan) -> SavedPlan:
    """What comes back from the file."""
    saved.save(path, ESTATE, plans, NOW)
    return saved.load(path, ESTATE)


def names(selection: Selection) -> tuple[list[str], list[str], list[str]]:
    """Kept, stale and unplanned, as `kind object`."""
    groups = (selection.plan.actions, selection.stale, selection.unplanned)
    kept, stale, unplanned = ([f"{action.kind} {action.object}" for action in group] for group in groups)
    return kept, stale, unplanned


# -- the file ------------------------------------------------------------------------------------------------------------


def test_file_says_what_a_reviewer_read(file: Path) -> None:
    """Kinds, objects, reasons and fields, and digests; no values and no secrets."""
    plan = b.plan(desired_tenant([desired_key()]), b.view())
    read = kept(file, plan)
    assert (read.estate, read.manifests, read.created) == (ESTATE.id, ESTATE.digest, NOW)
    tenant = read.tenants[0]
    assert [(str(action.kind), action.object) for action in tenant.actions] == [
        ("create", "AccessLevel/read"),
        ("create", SPLUNK),
    ]
    assert "description" in tenant.actions[1].fields
    assert "Key splunk" not in file.read_text()
    assert set(json.loads(file.read_text())) == {"format", "estate", "manifests", "created", "tenants"}


def test_file_that_cannot_be_written_or_read(tmp_path: Path) -> None:
    """The place and the reason, no traceback."""
    with pytest.raises(InvalidInput, match=r"the plan cannot be written: No such file") as error:
        saved.save(tmp_path / "missing" / "plan.json", ESTATE, [], NOW)
    assert error.value.where == str(tmp_path / "missing" / "plan.json")
    with pytest.raises(InvalidInput, match=r"the plan cannot be read: Is a directory"):
        saved.load(tmp_path, ESTATE)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'{"format": 2}', b"<html>", b"[" * 5000])
def test_file_that_is_no_plan(file: Path, content: bytes) -> None:
    """Anything else than a plan is refused with what to do."""
    file.write_bytes(content)
    with pytest.raises(InvalidInput, match="not a plan that this version wrote") as error:
        saved.load(file, ESTATE)
    assert error.value.hint == "write one with `reconciler plan --out FILE`"


@pytest.mark.promise(6)
def test_promise_6_plan_of_other_manifests_is_refused(file: Path) -> None:
    """A plan applies to the estate and the manifests that it was made of, and to no others."""
    kept(file)
    with pytest.raises(InvalidInput, match="the manifests have changed since the plan was made"):
        saved.load(file, b.estate(digest="e" * 64))
    with pytest.raises(InvalidInput, match="the plan was made for another estate"):
        saved.load(file, b.estate(id=b.OTHER_ESTATE))


# -- what of it stands ---------------------------------------------------------------------------------------------------

KEY = desired_key()


def test_plan_that_stands_is_kept_whole(file: Path) -> None:
    """The same world gives the same plan, whatever was used meanwhile."""
    plan = b.plan(desired_tenant([KEY]), b.settled(KEY, fields={"locale": "ja-JP"}))
    used = replace(found_key(KEY, fields={"locale": "ja-JP"}), facts={"lastUsed": NOW + timedelta(hours=3)})
    fresh = b.plan(desired_tenant([KEY]), b.settled(KEY, keys=[used], now=NOW + timedelta(hours=4)))
    selection = saved.select(fresh, kept(file, plan))
    assert names(selection) == ([f"update {SPLUNK}"], [], [])
    assert selection.plan.actions[0].observed is used


@pytest.mark.promise(6)
@pytest.mark.parametrize(
    "since",
    [
        pytest.param({"fields": {"locale": "ja-JP", "description": "x"}}, id="another field"),
        pytest.param({"fields": {"locale": "ja-JP", "state": "locked"}}, id="locked"),
        pytest.param({"keys": []}, id="gone"),
        pytest.param({"fields": {"locale": "ja-JP"}, "known": b.record(version=2, generation=2)}, id="reissued"),
    ],
)
def test_promise_6_planned_object_that_changed_is_stale(file: Path, since: dict[str, Any]) -> None:
    """What is to be done is not what was shown: nothing of it is applied."""
    plan = b.plan(desired_tenant([KEY]), b.settled(KEY, fields={"locale": "ja-JP"}))
    kept_actions, stale, _ = names(
        saved.select(b.plan(desired_tenant([KEY]), b.settled(KEY, **since)), kept(file, plan))
    )
    assert kept_actions == []
    assert stale


def test_objects_that_the_plan_does_not_mention_are_left_alone(file: Path) -> None:
    """New drift elsewhere does not spoil a plan, and is not repaired by it."""
    other = desired_key("jira")
    plan = b.plan(desired_tenant([KEY]), b.settled(KEY, fields={"locale": "ja-JP"}))
    state = b.document({b.level_id(): b.level_record(), KEY.id: b.record(), other.id: b.record(other, "101", "k2")})
    keys = [
        found_key(KEY, fields={"locale": "ja-JP"}),
        found_key(other, "101", marked="k2", fields={"locale": "ja-JP"}),
    ]
    secrets = {KEY.secret_path: b.secret(), other.secret_path: b.secret()}
    fresh = b.plan(desired_tenant([KEY, other]), b.settled(KEY, keys=keys, state=state, secrets=secrets))
    assert names(saved.select(fresh, kept(file, plan))) == ([f"update {SPLUNK}"], [], ["update ApiKey/jira"])


def test_other_tenants_and_endpoints_are_not_covered(file: Path) -> None:
    """A plan for one endpoint covers nothing at another, and nothing of another tenant."""
    fresh = b.plan(desired_tenant([KEY]), b.settled(KEY, fields={"locale": "ja-JP"}))
    for shown in (replace(fresh, endpoint="https://evil.example.com/api"), replace(fresh, tenant="other")):
        assert names(saved.select(fresh, kept(file, shown))) == ([], [], [f"update {SPLUNK}"])


@pytest.mark.promise(6)
def test_promise_6_level_of_a_planned_key_that_drifted_makes_it_stale(file: Path) -> None:
    """The reviewer saw a key with that level: a level that somebody has widened since is another one."""
    state = b.document({b.level_id(): b.level_record()})
    shown = b.plan(desired_tenant([KEY]), b.view(levels=[found_level()], state=state))
    wider = found_level(fields={"description": "wider"})
    fresh = b.plan(desired_tenant([KEY]), b.view(levels=[wider], state=state))
    assert names(saved.select(fresh, kept(file, shown))) == ([f"create {SPLUNK}"], ["update AccessLevel/read"], [])


def test_level_that_drifted_does_not_stop_a_plan_that_gives_it_to_nobody(file: Path) -> None:
    """An update of a key's description does not depend on its level."""
    shown = b.plan(desired_tenant([KEY]), b.settled(KEY, fields={"locale": "ja-JP"}))
    wider = found_level(fields={"description": "wider"})
    fresh = b.plan(desired_tenant([KEY]), b.settled(KEY, fields={"locale": "ja-JP"}, levels=[wider]))
    assert names(saved.select(fresh, kept(file, shown))) == ([f"update {SPLUNK}"], [], ["update AccessLevel/read"])


@pytest.mark.promise(6)
def test_promise_6_existing_level_that_changed_makes_it_stale(file: Path) -> None:
    """Another role of the same name, or the same role with other permissions, is not what was reviewed."""
    key = desired_key(level=LevelRef("Auditor", existing=True))
    auditor = found_level(desired_level("Auditor"), "5", marked=None, builtin=True)
    tenant = desired_tenant([key], [])

    def with_level(level: Any) -> TenantPlan:
        return b.plan(tenant, b.view(levels=[level], state=b.document()))

    shown = kept(file, with_level(auditor))
    assert names(saved.select(with_level(auditor), shown)) == ([f"create {SPLUNK}"], [], [])
    other = found_level(desired_level("Auditor"), "6", marked=None, builtin=True)
    wider = found_level(desired_level("Auditor", permissions={}), "5", marked=None, builtin=True)
    for level in (other, wider):
        assert names(saved.select(with_level(level), shown)) == ([], [f"create {SPLUNK}"], [])


@pytest.mark.parametrize(
    ("wanted", "known", "due"),
    [
        (desired_key(rotation=b.rotation(2, 1)), b.record(), "rotate"),
        (KEY, b.record(previous=b.previous(hours=30)), "retire"),
    ],
)
def test_what_only_time_brought_is_left_for_another_plan(file: Path, wanted: Any, known: Any, due: str) -> None:
    """A rotation or retirement that fell due since does not make the plan stale."""
    keys = [found_key(wanted, fields={"locale": "ja-JP"}), found_key(wanted, "99", marked="k0")]
    keys = keys if known.previous else keys[:1]
    shown = b.plan(desired_tenant([wanted]), b.settled(wanted, keys=keys, known=known))
    later = b.settled(wanted, keys=keys, known=known, now=NOW + timedelta(days=2))
    selection = names(saved.select(b.plan(desired_tenant([wanted]), later), kept(file, shown)))
    assert selection == ([f"update {SPLUNK}"], [], [f"{due} {SPLUNK}"])


def test_rotation_that_was_planned_of_another_generation_is_stale(file: Path) -> None:
    """Somebody rotated meanwhile, and it is due once more: that is not the rotation that was shown."""
    key = desired_key(rotation=b.rotation(0.5, 0.25))
    shown = b.plan(desired_tenant([key]), b.settled(key))
    since = b.settled(key, known=b.record(generation=2, version=2), secrets={key.secret_path: b.secret(2)})
    selection = names(saved.select(b.plan(desired_tenant([key]), since), kept(file, shown)))
    assert selection == ([], [f"rotate {SPLUNK}"], [])


def test_repair_of_an_intent_that_the_plan_did_not_bring_is_stale(file: Path) -> None:
    """A plan that only updates does not reissue what another run left half-way."""
    shown = b.plan(desired_tenant([KEY]), b.settled(KEY, fields={"locale": "ja-JP"}))
    from reconciler.model.state import IntentAction

    intent = b.intent("r2", IntentAction.REGENERATE, vendor_id="100", base_version=1)
    state = b.document({b.level_id(): b.level_record(), KEY.id: b.record()}, {KEY.id: intent})
    fresh = b.plan(desired_tenant([KEY]), b.settled(KEY, fields={"locale": "ja-JP"}, state=state))
    assert names(saved.select(fresh, kept(file, shown))) == ([f"update {SPLUNK}"], [f"repair {SPLUNK}"], [])


# -- going on ------------------------------------------------------------------------------------------------------------


def half_done(prepare: World, tenant: DesiredTenant, step: int, file: Path) -> tuple[World, SavedPlan, bool]:
    """Save the plan, apply it and die before the step; whether it died."""
    shown = prepare.plan(tenant)
    stored = kept(file, shown)
    try:
        prepare.apply(saved.select(prepare.plan(tenant), stored).plan, die_before=step)
    except Died:
        return prepare, stored, True
    return prepare, stored, False


def rotating() -> tuple[World, DesiredTenant]:
    """Everything that a plan can do: levels made, changed and deleted; keys likewise, updated and then rotated."""
    world = World()
    first = desired_tenant(
        [desired_key("moves", level="old"), desired_key("goes", level="old"),
         desired_key("overlaps", rotation=b.rotation(90, 1)), desired_key("in-place", rotation=b.rotation(90, 0))],
        [desired_level(), desired_level("old")],
    )  # fmt: skip
    world.apply(world.plan(first))
    world.pass_time(timedelta(days=10))
    second = desired_tenant(
        [desired_key("moves", level="new"), desired_key("comes", level="new"),
         desired_key("overlaps", rotation=b.rotation(5, 1), description="changed"),
         desired_key("in-place", rotation=b.rotation(5, 0), description="changed")],
        [desired_level(description="changed"), desired_level("new")],
    )  # fmt: skip
    return world, second


@pytest.mark.promise(6)
def test_promise_6_same_plan_goes_on_after_a_death_at_any_step(file: Path) -> None:
    """Killed before each of its steps in turn, the same file is applied again, stands, and leaves nothing to do."""
    step, died = 0, True
    while died:
        step += 1
        world, tenant = rotating()
        world, stored, died = half_done(world, tenant, step, file)
        selection = saved.select(world.plan(tenant), stored)
        assert (names(selection)[1:]) == ([], []), f"died before step {step}"
        world.apply(selection.plan)
        again = world.plan(tenant)
        assert told(again) == [], f"died before step {step}"
        world.check(tenant, again)
        assert names(saved.select(again, stored)) == ([], [], [])
    assert step > 20


def test_saved_kinds_are_the_plans_own(file: Path) -> None:
    """Every kind of action survives the file."""
    plan = b.tenant_plan(*(b.action(kind, name=f"k{at}") for at, kind in enumerate(ActionKind)))
    assert [action.kind for action in kept(file, plan).tenants[0].actions] == list(ActionKind)
