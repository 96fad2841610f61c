"""What a person has to do: asked for once, waited for, forgotten when nothing wants it any more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model.action import TenantPlan
from reconciler.model.mark import handoff_nonce
from reconciler.model.state import Handoff, HandoffAction, IntentAction
from reconciler.plan.handoff import digest_of
from reconciler.providers.base import Write
from tests.support import builders as b
from tests.support.builders import NOW, TAG, desired_key, desired_tenant, found_key, settled, told
from tests.support.traits import unlike

SPLUNK, READ = "ApiKey/splunk", "AccessLevel/read"
KEY = desired_key()
ALL = frozenset(Write)
KEYS = frozenset({Write.CREATE_KEY, Write.UPDATE_KEY, Write.DELETE_KEY, Write.REGENERATE_KEY})
PRESENT = {"levels": [b.found_level()], "state": b.document({b.level_id(): b.level_record()})}


def planned(keys: Any, view: Any, **traits: Any) -> TenantPlan:
    return b.plan(desired_tenant(keys), view, unlike(**{"by_hand": KEYS, "lists_keys": False, **traits}))


def asked(plan: TenantPlan, action: HandoffAction = HandoffAction.CREATE, at: int = 0) -> Handoff:
    """The handoff that an apply of this plan would have opened."""
    return Handoff(action=action, opened=NOW, by="ann@host", wanted=digest_of(plan.actions[at].steps))


def opened(plan: TenantPlan, **more: Any) -> Any:
    """What is seen after an apply of a plan that asks for one new key."""
    nonce = handoff_nonce(TAG, SPLUNK, 1)
    intent = b.intent(action=IntentAction.CREATE, handoff=asked(plan)).model_copy(update={"nonce": nonce})
    return b.view(
        levels=[b.found_level()], state=b.document({b.level_id(): b.level_record()}, {KEY.id: intent}), **more
    )


def test_new_key_is_asked_for_with_the_mark_that_it_must_have() -> None:
    """The plan shows every value; the mark is the same each time, so that it does not matter which plan is acted on."""
    one, two = planned([KEY], b.view(**PRESENT)), planned([KEY], b.view(**PRESENT))
    assert told(one) == [("create", "hand-off", SPLUNK)]
    assert one.actions[0].by_hand == "issue"
    assert one.actions[0].steps == two.actions[0].steps
    assert f"[rcl:{TAG}:1:{handoff_nonce(TAG, SPLUNK, 1)}]" in one.actions[0].steps[0]


def test_open_handoff_is_waited_for_and_not_asked_for_twice() -> None:
    """A second plan has no action, and tells who asked and when."""
    first = planned([KEY], b.view(**PRESENT))
    again = planned([KEY], opened(first))
    assert told(again) == []
    [waiting] = again.waiting
    assert (str(waiting.object), waiting.by, waiting.opened) == (SPLUNK, "ann@host", NOW)
    assert waiting.action.steps == first.actions[0].steps


def test_handoff_for_something_else_is_asked_for_anew() -> None:
    """When the manifest has changed since, the person is told what to enter now."""
    first = planned([KEY], b.view(**PRESENT))
    changed = planned([desired_key(description="other")], opened(first))
    assert (told(changed), changed.waiting) == ([("create", "hand-off", SPLUNK)], ())


def test_handoff_that_nothing_wants_any_more_is_forgotten() -> None:
    """The intent is dropped, for the manifest is gone."""
    first = planned([KEY], b.view(**PRESENT))
    gone = planned([], opened(first))
    assert told(gone) == [("repair", "record", SPLUNK)]
    assert gone.actions[0].reason == "the handoff that was opened is no longer wanted"


def test_clicked_key_is_told() -> None:
    """Where the audit log shows that somebody has made the key, the wait says so."""
    first = planned([KEY], b.view(**PRESENT))
    view = replace(opened(first), clicked={KEY.id: "API7"})
    assert planned([KEY], view).waiting[0].clicked == "API7"


def test_deletion_takes_the_access_first_where_that_needs_no_person() -> None:
    """The key is locked by API at once, and its deletion is asked for."""
    result = planned([], settled(KEY), by_hand=frozenset({Write.DELETE_KEY}))
    assert told(result) == [("lock", "update", SPLUNK), ("delete", "hand-off", SPLUNK)]
    by_hand = planned([], settled(KEY))
    assert told(by_hand) == [("delete", "hand-off", SPLUNK)]


def test_open_removal_is_waited_for_and_forgotten_when_wanted_again() -> None:
    """The record remembers it."""
    first = planned([], settled(KEY))
    record = b.record(KEY, handoff=asked(first, HandoffAction.DELETE))
    assert planned([], settled(KEY, known=record)).waiting[0].action.operation == "delete"
    back = planned([KEY], settled(KEY, known=record))
    assert [(a.kind, a.operation, a.reason) for a in back.actions] == [
        ("repair", "record", "the handoff that was opened is done or not needed")
    ]
    assert back.actions[0].record is not None
    assert back.actions[0].record.handoff is None


def test_change_is_split_between_api_and_person() -> None:
    """What can be done by API is done, the rest is asked for."""
    key = desired_key(description="other", level="other")
    levels = [b.desired_level(), b.desired_level("other")]
    state = b.document({
        b.level_id(): b.level_record(), b.level_id("other"): b.level_record("11", "l2"), KEY.id: b.record(KEY),
    })  # fmt: skip
    view = settled(KEY, levels=[b.found_level(), b.found_level(levels[1], "11", marked="l2")], state=state)
    provider = unlike(by_hand_fields=frozenset({"name", "description"}))
    result = b.plan(desired_tenant([key], levels), view, provider)
    assert [(a.operation, [c.path for c in a.changes]) for a in result.actions] == [
        ("update", ["accessLevel"]), ("hand-off", ["description"]),
    ]  # fmt: skip


def test_one_change_by_hand_at_a_time() -> None:
    """An object with an open removal of its former generation is not changed by hand meanwhile."""
    key = desired_key(description="other")
    known = b.record(KEY, generation=2, previous=b.previous(hours=-1))
    view = settled(KEY, keys=[found_key(KEY), found_key(KEY, "99", marked="k0")], known=known)
    result = planned([key], view)
    assert [action.operation for action in result.actions] == ["hand-off"]
    assert "by hand comes when the handoff before it is done" in result.notes[-1].text


@pytest.mark.promise(3)
def test_promise_3_former_key_is_not_deleted_before_its_successor_is_made() -> None:
    """A replacement by hand asks for the new key only; the old one's turn comes when that one's secret is in Vault."""
    levels = [b.desired_level(), b.desired_level("other")]
    state = b.document({
        b.level_id(): b.level_record(), b.level_id("other"): b.level_record("11", "l2"),
        KEY.id: b.record(KEY, level_id="10"),
    })  # fmt: skip
    view = settled(KEY, levels=[b.found_level(), b.found_level(levels[1], "11", marked="l2")], state=state)
    provider = unlike(by_hand=KEYS, fixed_level=True)
    result = b.plan(desired_tenant([desired_key(level="other")], levels), view, provider)
    assert told(result) == [("replace", "hand-off", SPLUNK)]


@pytest.mark.promise(6)
@pytest.mark.parametrize("asked_before", [False, True])
def test_promise_6_level_stays_until_a_person_has_made_the_successors_of_its_keys(asked_before: bool) -> None:
    """Whether somebody has been asked or is being asked: the key that works has the level, and may go with it."""
    levels = [b.desired_level(), b.desired_level("other")]
    state = b.document({
        b.level_id(): b.level_record(), b.level_id("other"): b.level_record("11", "l2"),
        KEY.id: b.record(KEY, level_id="10"),
    })  # fmt: skip
    found = [b.found_level(), b.found_level(levels[1], "11", marked="l2")]
    provider, wanted = unlike(by_hand=KEYS, fixed_level=True), desired_tenant([desired_key(level="other")], levels[1:])
    result = b.plan(wanted, settled(KEY, levels=found, state=state), provider)
    if asked_before:
        nonce = handoff_nonce(TAG, SPLUNK, 2)
        intent = b.intent(action=IntentAction.CREATE, generation=2, handoff=asked(result))
        intents = {str(KEY.id): intent.model_copy(update={"nonce": nonce})}
        opened_since = state.model_copy(update={"intents": intents})
        result = b.plan(wanted, settled(KEY, levels=found, state=opened_since), provider)
        assert (told(result), len(result.waiting)) == ([], 1)
    else:
        assert told(result) == [("replace", "hand-off", SPLUNK)]
    assert result.blocked == ()
    assert "it stays until a person has seen to the keys that have it: splunk" in result.notes[-1].text


def test_level_made_by_hand_is_recorded_when_it_is_seen() -> None:
    """Nobody has to say so: its mark tells."""
    first = b.plan(desired_tenant([]), b.view(), unlike(by_hand=ALL))
    assert told(first) == [("create", "hand-off", READ)]
    nonce = handoff_nonce(TAG, READ, 1)
    intent = b.intent(handoff=asked(first)).model_copy(update={"nonce": nonce, "mount": "", "path": ""})
    state = b.document({}, {b.level_id(): intent})
    waiting = b.plan(desired_tenant([]), b.view(state=state), unlike(by_hand=ALL))
    assert (told(waiting), len(waiting.waiting)) == ([], 1)
    made = b.view(levels=[b.found_level(marked=b.Mark(TAG, 1, nonce))], state=state)
    done = b.plan(desired_tenant([]), made, unlike(by_hand=ALL))
    assert (told(done), done.waiting) == ([("repair", "record", READ)], ())
    assert done.actions[0].reason == "somebody has made it in the console: id 10"


def test_revoked_key_is_asked_away_with_both_generations() -> None:
    """The steps name the generation in its overlap as well."""
    known = b.record(KEY, generation=2, previous=b.previous())
    view = settled(KEY, keys=[found_key(KEY), found_key(KEY, "99", marked="k0")], known=known)
    [delete] = planned([], view).actions
    assert [step.split(" [")[0].split()[-1] for step in delete.steps]
    assert [" 99 " in step for step in delete.steps] == [True, False]


def test_retirement_names_the_former_key() -> None:
    """With its own mark, by which its name at the vendor is told."""
    known = b.record(KEY, generation=2, nonce=b.nonce("k2"), made=2, previous=b.previous(hours=-1))
    view = settled(KEY, keys=[found_key(KEY, marked="k2"), found_key(KEY, "99", marked="k0")], known=known)
    [retire] = planned([KEY], view).actions
    assert str(b.mark("k0", 1)) in retire.steps[0]


@pytest.mark.promise(3)
def test_promise_3_one_former_generation_at_a_time_where_a_person_deletes() -> None:
    """No rotation is asked for beside an open retirement: the state could not remember both that live."""
    key = replace(KEY, rotation=b.rotation(0.5, 0.25))
    known = b.record(key, generation=2, previous=b.previous(hours=-1))
    view = settled(key, keys=[found_key(key), found_key(key, "99", marked="k0")], known=known)
    assert [(a.kind, a.operation) for a in planned([key], view).actions] == [("retire", "hand-off")]
    levels = [b.desired_level(), b.desired_level("other")]
    moved = replace(KEY, level=b.LevelRef("other"))
    state = b.document({
        b.level_id(): b.level_record(), b.level_id("other"): b.level_record("11", "l2"),
        KEY.id: b.record(KEY, generation=2, level_id="10", previous=b.previous()),
    })  # fmt: skip
    view = settled(
        KEY, levels=[b.found_level(), b.found_level(levels[1], "11", marked="l2")], state=state,
        keys=[found_key(KEY), found_key(KEY, "99", marked="k0")],
    )  # fmt: skip
    result = b.plan(desired_tenant([moved], levels), view, unlike(by_hand=KEYS, fixed_level=True))
    assert [(a.kind, a.operation) for a in result.actions] == [("retire", "hand-off")]


def test_key_that_a_person_made_waits_for_its_secret() -> None:
    """Where keys are listed it is seen before its secret is brought: nobody regenerates it meanwhile."""
    made = Write.CREATE_KEY
    first = b.plan(desired_tenant([KEY]), b.view(**PRESENT), unlike(by_hand=frozenset({made})))
    nonce = handoff_nonce(TAG, SPLUNK, 1)
    view = replace(opened(first), observed=b.view(
        levels=[b.found_level()], keys=[found_key(KEY, "7", marked=b.Mark(TAG, 1, nonce))]
    ).observed)  # fmt: skip
    again = b.plan(desired_tenant([KEY]), view, unlike(by_hand=frozenset({made})))
    assert (told(again), len(again.waiting)) == ([], 1)


@pytest.mark.promise(3)
def test_promise_3_completion_that_died_can_be_repeated() -> None:
    """Its secret lies at the path already: the handoff is still waited for, and nothing is blocked."""
    first = planned([KEY], b.view(**PRESENT))
    view = opened(first, secrets={KEY.secret_path: b.secret(1)})
    again = planned([KEY], view)
    assert (told(again), again.blocked, len(again.waiting)) == ([], (), 1)


def test_owner_of_a_leaked_key_stays_locked() -> None:
    """Whatever else is changed of a service user whose revoked key still exists, the lock is sent along."""
    from reconciler.model.desired import DesiredLevel, Source
    from reconciler.model.names import Kind, ObjectId
    from reconciler.model.observed import Observed
    from reconciler.model.state import Revoked
    from reconciler.providers.lacework import PROVIDER as LACEWORK

    user = DesiredLevel(
        b.TENANT, "siem", "other", {"groups": ["G"]}, protect=False, source=Source("a.yaml", 1), kind=Kind.SERVICE_USER
    )
    fields = {**LACEWORK.level_fields(user), "groups": ("H",), "state": "locked"}
    found = Observed(Kind.SERVICE_USER, "10", "siem", b.mark("l1"), fields)
    gone = b.record(KEY, level_id="10", revoked=Revoked(at=NOW, by="ann", reason="leaked"))
    state = b.document({ObjectId(Kind.SERVICE_USER, "siem"): b.level_record(), KEY.id: gone})
    result = b.plan(desired_tenant([], [user]), b.view(levels=[found], state=state), LACEWORK)
    [update] = [action for action in result.actions if action.object.kind is Kind.SERVICE_USER]
    assert "state" not in [change.path for change in update.changes]
    assert update.level.locked
