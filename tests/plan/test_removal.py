"""What leaves (quarantine, orphaning, pruning), what changes its name only, what comes back after a revocation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.model.action import TenantPlan
from reconciler.model.desired import Approval, OnRemoval, Removal, Source, Unmanaged
from reconciler.model.names import Kind
from reconciler.model.state import Phase, Revoked
from tests.support import builders as b
from tests.support.builders import NOW, desired_key, desired_tenant, found_key, settled, told, why_blocked
from tests.support.traits import unlike

SPLUNK, READ = "ApiKey/splunk", "AccessLevel/read"
KEY = desired_key()
QUARANTINE = OnRemoval(Removal.QUARANTINE, timedelta(days=7))
TOMBSTONE = Revoked(at=NOW - timedelta(days=1), by="ann", reason="leaked")


def removed(view: Any, on_removal: OnRemoval = QUARANTINE, **more: Any) -> TenantPlan:
    """The plan when the key was taken out of Git."""
    return b.plan(desired_tenant([], on_removal=on_removal, **more), view)


def quarantined(days: float) -> Any:
    """A record of a key that is in quarantine for so many days more."""
    return b.record(KEY, phase=Phase.QUARANTINED, quarantine_until=NOW + timedelta(days=days))


def test_quarantine_locks_first() -> None:
    """It stops working now, and the plan says when it is deleted."""
    [lock] = removed(settled(KEY)).actions
    assert (lock.kind, lock.operation, lock.vendor_id) == ("lock", "update", "100")
    assert lock.reason == "taken out of Git: in quarantine, deleted after 2026-06-08 12:00Z"
    assert lock.record is not None
    assert (lock.record.phase, lock.record.quarantine_until) == (Phase.QUARANTINED, NOW + timedelta(days=7))


def test_quarantine_ends_in_deletion() -> None:
    """Until then it is only noted; afterwards it goes like any other."""
    locked = found_key(KEY, fields={"state": "locked"})
    waiting = removed(settled(KEY, keys=[locked], known=quarantined(1)))
    assert told(waiting) == []
    assert waiting.notes[0].text == "in quarantine: locked, and deleted after 2026-06-02 12:00Z"
    assert told(removed(settled(KEY, keys=[locked], known=quarantined(-1)))) == [("delete", "delete", SPLUNK)]


def test_quarantined_key_comes_back_with_its_manifest() -> None:
    """It is unlocked, with the secret that it had."""
    locked = found_key(KEY, fields={"state": "locked"})
    back = b.plan(desired_tenant([KEY]), settled(KEY, keys=[locked], known=quarantined(1)))
    assert told(back) == [("unlock", "update", SPLUNK)]


def test_level_of_a_quarantined_key_stays_without_a_block() -> None:
    """Both were taken out of Git: nothing is wrong, the level waits for its last key."""
    locked = found_key(KEY, fields={"state": "locked"})
    result = removed(settled(KEY, keys=[locked], known=quarantined(1)), levels=[])
    assert (told(result), why_blocked(result)) == ([], {})
    assert "stays until the last key that has it is gone: splunk" in result.notes[-1].text


def test_revoked_key_is_not_put_into_quarantine() -> None:
    """There is nothing left to lock."""
    result = removed(settled(KEY, known=b.record(KEY, revoked=TOMBSTONE)))
    assert told(result) == [("delete", "delete", SPLUNK)]


def test_orphaned_key_is_left_and_known() -> None:
    """Nothing is done at the vendor, now or later, and it is no lost creation of ours."""
    [forget] = removed(settled(KEY), OnRemoval(Removal.ORPHAN)).actions
    assert (forget.kind, forget.operation) == ("delete", "record")
    assert forget.record is not None
    left = settled(KEY, known=forget.record)
    assert told(removed(left, OnRemoval(Removal.ORPHAN))) == []
    assert told(removed(left, OnRemoval(Removal.DELETE))) == []


def test_protection_wins_over_quarantine() -> None:
    """A protected key is neither locked nor deleted."""
    result = removed(settled(KEY, known=b.record(KEY, protect=True)))
    assert (told(result), list(why_blocked(result))) == ([], [SPLUNK])


# --- names --------------------------------------------------------------------------------------------------------------


def test_renamed_key_is_not_issued_anew() -> None:
    """The record moves, the vendor's name follows, and the secret stays where it is until the next rotation."""
    renamed = desired_key("siem", previous_names=("old", "splunk"), description=KEY.description)
    view = settled(KEY, secrets={KEY.secret_path: b.secret()})
    result = b.plan(desired_tenant([renamed]), view)
    assert told(result) == [("update", "record", "ApiKey/siem"), ("update", "update", "ApiKey/siem")]
    move, rename = result.actions
    assert move.renamed_from == SPLUNK
    assert [(change.path, change.old, change.new) for change in rename.changes] == [("name", "splunk", "siem")]
    assert "until the next rotation, then moves to" in result.notes[0].text


def test_former_name_of_nothing_means_nothing() -> None:
    """A new key that names a former one which the state does not know is a new key."""
    fresh = desired_key("siem", previous_names=("splunk",))
    view = b.view(levels=[b.found_level()], state=b.document({b.level_id(): b.level_record()}))
    assert told(b.plan(desired_tenant([fresh]), view)) == [("create", "issue", "ApiKey/siem")]


def test_renamed_level_keeps_its_keys() -> None:
    """The level is renamed at the vendor, and its keys are not touched."""
    level = b.desired_level("reader", previous_names=("read",), description="Level read")
    key = desired_key(level="reader")
    result = b.plan(desired_tenant([key], [level]), settled(KEY))
    assert told(result) == [("update", "record", "AccessLevel/reader"), ("update", "update", "AccessLevel/reader")]


# --- pruning ------------------------------------------------------------------------------------------------------------

FOREIGN = found_key(desired_key("theirs"), "555", marked=None)


def approval(days: float = 1, **more: Any) -> Approval:
    given = {"kind": Kind.API_KEY, "name": "theirs", "until": NOW + timedelta(days=days), "source": Source("a.yaml", 3)}
    return Approval(**{**given, **more})


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("unmanaged", "approvals", "goes"),
    [
        (Unmanaged.PRUNE, [approval()], True),
        (Unmanaged.PRUNE, [approval(name="", vendor_id="555")], True),
        (Unmanaged.PRUNE, [approval(days=0)], False),
        (Unmanaged.PRUNE, [approval(name="others")], False),
        (Unmanaged.PRUNE, [approval(name="", vendor_id="556")], False),
        (Unmanaged.PRUNE, [approval(kind=Kind.ACCESS_LEVEL)], False),
        (Unmanaged.PRUNE, [], False),
        (Unmanaged.REPORT, [approval()], False),
    ],
)
def test_promise_4_pruning_needs_opt_in_and_approval(
    unmanaged: Unmanaged, approvals: list[Approval], goes: bool
) -> None:
    """Both the tenant's word and an approval that names the object and has not ended; else it is only reported."""
    tenant = desired_tenant([KEY], unmanaged=unmanaged, approvals=tuple(approvals))
    result = b.plan(tenant, settled(KEY, keys=[found_key(KEY), FOREIGN]))
    assert told(result) == ([("delete", "remove", "ApiKey/theirs")] if goes else [])
    assert [item.vendor_id for item in result.unmanaged] == ["555"]


@pytest.mark.promise(4)
def test_promise_4_own_key_is_never_pruned() -> None:
    """The credential in use is nobody's to prune, approved or not."""
    tenant = desired_tenant([KEY], unmanaged=Unmanaged.PRUNE, approvals=(approval(),))
    assert told(b.plan(tenant, settled(KEY, keys=[found_key(KEY), FOREIGN], own="555"))) == []


# --- after a revocation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "kinds", "blocked"),
    [(None, [], True), (-25, [], True), (-1, ["create"], False), (1, [], False)],
)
def test_revoked_key_is_issued_again_when_git_says_so(hours: float | None, kinds: list[str], blocked: bool) -> None:
    """By a time that lies after the revocation, and has come."""
    after = None if hours is None else NOW + timedelta(hours=hours)
    key = replace(KEY, reissue_after=after)
    view = settled(KEY, keys=[], known=b.record(KEY, revoked=TOMBSTONE), secrets={})
    result = b.plan(desired_tenant([key]), view)
    assert ([kind for kind, *_ in told(result)], bool(result.blocked)) == (kinds, blocked)
    if kinds:
        assert result.actions[0].generation == 2


# --- rotation on request ------------------------------------------------------------------------------------------------


def test_rotation_on_request() -> None:
    """Asked for, a key is rotated due or not; within an overlap only when the generation before may go."""
    view = settled(KEY)
    assert told(b.plan(desired_tenant([KEY]), replace(view, rotate=frozenset({KEY.id})))) == [
        ("rotate", "issue", SPLUNK)
    ]
    known = b.record(KEY, generation=2, previous=b.previous())
    overlapping = replace(
        settled(KEY, keys=[found_key(KEY), found_key(KEY, "99", marked="k0")], known=known), rotate=frozenset({KEY.id})
    )
    assert told(b.plan(desired_tenant([KEY]), overlapping)) == []
    dropping = replace(overlapping, drop_previous=frozenset({KEY.id}))
    assert told(b.plan(desired_tenant([KEY]), dropping)) == [("retire", "remove", SPLUNK), ("rotate", "issue", SPLUNK)]


def test_former_generation_in_use_is_held() -> None:
    """With holdWhileUsed it stays beyond its overlap while somebody uses it, and goes when nobody does."""
    key = replace(KEY, rotation=replace(b.rotation(), hold_while_used=True))
    known = b.record(key, generation=2, previous=b.previous(hours=-1))

    def at(last_used: Any, **more: Any) -> TenantPlan:
        old = replace(found_key(key, "99", marked="k0"), facts={"lastUsed": last_used})
        view = settled(key, keys=[found_key(key), old], known=known)
        return b.plan(desired_tenant([replace(key, **more)]), view)

    used = at(NOW - timedelta(minutes=5))
    assert told(used) == []
    assert "is held beyond the end of its overlap" in used.notes[0].text
    assert told(at(NOW - timedelta(days=30))) == [("retire", "remove", SPLUNK)]
    assert told(at(None)) == [("retire", "remove", SPLUNK)]
    assert told(at(NOW, rotation=b.rotation())) == [("retire", "remove", SPLUNK)]


def test_key_without_rotation_is_retired_as_well() -> None:
    """Who asked for a rotation by hand gets a day of overlap, and its end."""
    known = b.record(KEY, generation=2, previous=b.previous(hours=-1))
    view = settled(KEY, keys=[found_key(KEY), found_key(KEY, "99", marked="k0")], known=known)
    assert told(b.plan(desired_tenant([KEY]), view, unlike())) == [("retire", "remove", SPLUNK)]


@pytest.mark.parametrize("phase", [Phase.QUARANTINED, Phase.ORPHANED])
def test_key_that_git_wants_again_is_like_any_other(phase: Phase) -> None:
    """Nothing may be different at the vendor: the state forgets what it was to become all the same."""
    known = b.record(KEY, phase=phase, quarantine_until=NOW)
    [record] = b.plan(desired_tenant([KEY]), settled(KEY, known=known)).actions
    assert (record.operation, [change.path for change in record.changes]) == ("record", ["phase"])


def test_quarantine_ends_the_generation_before() -> None:
    """What is locked must not live on beside its lock."""
    known = b.record(KEY, generation=2, previous=b.previous())
    view = settled(KEY, keys=[found_key(KEY), found_key(KEY, "99", marked="k0")], known=known)
    assert told(removed(view)) == [("lock", "update", SPLUNK), ("retire", "remove", SPLUNK)]


@pytest.mark.promise(4)
def test_promise_4_approval_that_names_two_objects_removes_neither() -> None:
    """A name is not enough where two have it: the block asks for the id."""
    tenant = desired_tenant([KEY], unmanaged=Unmanaged.PRUNE, approvals=(approval(),))
    twin = replace(FOREIGN, vendor_id="556")
    result = b.plan(tenant, settled(KEY, keys=[found_key(KEY), FOREIGN, twin]))
    assert told(result) == []
    assert "names 2 objects (ids 555, 556)" in why_blocked(result)["ApiKey/theirs"]


@pytest.mark.promise(4)
def test_promise_4_level_in_use_is_not_pruned() -> None:
    """Approved or not: a key of ours has it."""
    auditor = b.found_level(b.desired_level("Auditor"), "50", marked=None)
    key = replace(KEY, level=b.LevelRef("Auditor", existing=True))
    tenant = desired_tenant(
        [key], unmanaged=Unmanaged.PRUNE, approvals=(approval(kind=Kind.ACCESS_LEVEL, name="Auditor"),)
    )
    result = b.plan(tenant, settled(key, levels=[b.found_level(), auditor], keys=[found_key(key, level="50")]))
    assert told(result) == []
    assert "keys still use it" in why_blocked(result)["AccessLevel/Auditor"]
