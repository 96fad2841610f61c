"""What is planned for access levels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model.action import Change
from reconciler.model.desired import KeyState, LevelRef
from reconciler.plan.levels import LevelIndex
from tests.support import builders as b
from tests.support.builders import (
    desired_key,
    desired_level,
    desired_tenant,
    found_key,
    found_level,
    plan,
    told,
    why_blocked,
)

READ = "AccessLevel/read"
LEVEL = desired_level()


def one(wanted: Any = LEVEL, *, keys: Any = (), wanted_keys: Any = (), **seen: Any) -> Any:
    """The plan for one level that was settled, with parts of the view replaced."""
    given = {
        "levels": [found_level()],
        "state": b.document({b.level_id(): b.level_record()}),
        "keys": keys,
        **seen,
    }
    return plan(desired_tenant(wanted_keys, [wanted] if wanted else []), b.view(**given))


def test_level_as_wanted_gives_no_action() -> None:
    """Nothing to do."""
    result = one()
    assert (told(result), result.blocked, result.unmanaged) == ([], (), ())


def test_permissions_are_compared_leaf_by_leaf() -> None:
    """One changed right is one line."""
    other = {"platformRights": {"computerRights": {"canDeleteComputers": True}}}
    result = one(desired_level(permissions=other))
    assert told(result) == [("update", "update", READ)]
    assert [(c.path.rsplit(".", 1)[-1], c.old, c.new) for c in result.actions[0].changes] == [
        ("canDeleteComputers", None, True),
        ("canViewOtherComputers", True, None),
    ]


def test_lost_mark_is_restored() -> None:
    """As for keys."""
    assert one(levels=[found_level(marked=None)]).actions[0].changes == (Change("mark", "missing", "restored"),)


def test_mark_of_another_estate_with_our_nonce_is_replaced() -> None:
    """Somebody edited the mark's estate: the nonce still proves that it is ours."""
    level = found_level(marked=b.mark("l1", tag="0" * 16))
    assert one(levels=[level]).actions[0].changes == (Change("mark", "missing", "restored"),)


def test_owner_and_protection_are_remembered() -> None:
    """Only our record changes."""
    result = one(desired_level(owner="", protect=True))
    assert told(result) == [("update", "record", READ)]
    assert result.actions[0].changes == (Change("owner", "secops@example.com", None), Change("protect", False, True))


def test_new_level_shows_what_it_will_be() -> None:
    """A creation."""
    result = one(levels=[], state=None)
    assert told(result) == [("create", "create", READ)]
    assert "permissions.platformRights.computerRights.canViewOtherComputers" in [
        change.path for change in result.actions[0].changes
    ]


def test_foreign_level_of_the_name_blocks() -> None:
    """A level that a person made is never taken over."""
    result = one(levels=[found_level(marked=None)], state=b.document())
    assert told(result) == []
    assert why_blocked(result)[READ].endswith("that the reconciler did not create")


def test_vanished_level_is_created_again() -> None:
    """As the next generation, and it counts as vanished even where a foreign one blocks it."""
    result = one(levels=[])
    assert told(result) == [("repair", "create", READ)]
    assert (result.actions[0].generation, result.vanished) == (2, 1)
    assert one(levels=[found_level(vendor_id="7", marked=None)]).vanished == 1


def test_keys_follow_a_level_that_was_created_again() -> None:
    """A key that still has the lost level's id gets the new level."""
    key = desired_key()
    seen = b.settled(key, levels=[])
    result = plan(desired_tenant([key]), seen)
    assert told(result) == [("repair", "create", READ), ("update", "update", "ApiKey/splunk")]
    assert result.actions[1].changes == (Change("accessLevel", "id 10", "read"),)
    assert result.actions[1].level_id is None


def test_key_that_lost_its_level() -> None:
    """A key without any level is shown so."""
    key = desired_key()
    keys = [replace(found_key(key), level_id=None)]
    result = plan(desired_tenant([key]), b.settled(key, keys=keys))
    assert result.actions[0].changes == (Change("accessLevel", "(none)", "read"),)


def test_unclear_level_is_not_touched() -> None:
    """An id that is something else now blocks the level."""
    result = one(levels=[found_level(desired_level("stranger"), marked=None)])
    assert told(result) == []
    assert why_blocked(result)[READ] == "our records say id 10, but that is now 'stranger' without our mark"


def test_orphan_is_removed_and_is_no_existing_level() -> None:
    """A late creation goes, and a key cannot refer to it meanwhile."""
    late = found_level(desired_level("late"), "11", marked="late")
    result = one(levels=[found_level(), late], wanted_keys=[desired_key(level=LevelRef("late", existing=True))])
    assert told(result) == [("repair", "remove", "AccessLevel/late")]
    assert list(why_blocked(result)) == ["ApiKey/splunk"]


# -- recovery ------------------------------------------------------------------------------------------------------------


def interrupted(wanted: Any, *, known: Any = None, levels: Any = ()) -> Any:
    state = b.document({b.level_id(): known} if known else {}, {b.level_id(): b.intent("l2")})
    return one(wanted, levels=levels, state=state)


def test_created_but_not_recorded_is_recorded() -> None:
    """The level with the intent's nonce is ours."""
    result = interrupted(LEVEL, levels=[found_level(marked="l2")])
    assert told(result) == [("repair", "record", READ)]
    record = result.actions[0].record
    assert record is not None
    assert (record.vendor_id, record.nonce, record.owner) == ("10", b.nonce("l2"), LEVEL.owner)


def test_created_but_not_wanted_any_more_is_recorded_and_deleted() -> None:
    """Taken out of Git meanwhile."""
    result = interrupted(None, levels=[found_level(marked="l2")])
    assert told(result) == [("repair", "record", READ), ("delete", "delete", READ)]


@pytest.mark.promise(4)
def test_promise_4_interrupted_repair_does_not_forget_protection() -> None:
    """The record that the repair replaces said protected, so it stays."""
    result = interrupted(None, known=b.level_record("9", protect=True), levels=[found_level(marked="l2")])
    assert told(result) == [("repair", "record", READ)]
    assert list(why_blocked(result)) == [READ]
    assert result.actions[0].record is not None
    assert result.actions[0].record.protect


def test_nothing_created_and_nothing_wanted_drops_the_intent() -> None:
    """Or, where it is wanted, creates it under a new intent."""
    assert told(interrupted(None)) == [("repair", "record", READ)]
    assert told(interrupted(LEVEL)) == [("create", "create", READ)]


def test_needless_repair_that_died_drops_its_intent() -> None:
    """A level that was thought lost is back: only the intent goes."""
    result = interrupted(LEVEL, known=b.level_record(), levels=[found_level()])
    assert told(result) == [("repair", "record", READ)]
    assert result.actions[0].record == b.level_record()


# -- removal -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("levels", "reason"),
    [([found_level()], "taken out of Git"), ([], "taken out of Git, and gone at the vendor already")],
)
def test_level_out_of_git_is_deleted(levels: Any, reason: str) -> None:
    """Whether or not it is still there."""
    result = one(None, levels=levels)
    assert told(result) == [("delete", "delete", READ)]
    assert (result.actions[0].reason, result.actions[0].vendor_id) == (reason, "10")


@pytest.mark.promise(4)
def test_promise_4_protected_level_stays() -> None:
    """The state remembers the protection."""
    result = one(None, state=b.document({b.level_id(): b.level_record(protect=True)}))
    assert (told(result), list(why_blocked(result))) == ([], [READ])


KEY = desired_key(level=LevelRef("Auditor", existing=True))
AUDITOR = found_level(desired_level("Auditor"), "5", marked=None, builtin=True)


def in_use(*, wanted_keys: Any, known: Any = None, keys: Any = None) -> Any:
    """The plan for a level that is taken out of Git, with a key of ours on it."""
    objects = {b.level_id(): b.level_record(), KEY.id: known or b.record()}
    return one(
        None, levels=[found_level(), AUDITOR], state=b.document(objects), wanted_keys=wanted_keys,
        keys=keys or [found_key(desired_key())], secrets={KEY.secret_path: b.secret()},
    )  # fmt: skip


def test_level_is_deleted_after_its_keys_have_left() -> None:
    """Keys that move or go in the same plan do not hold their level."""
    assert told(in_use(wanted_keys=[KEY])) == [("update", "update", "ApiKey/splunk"), ("delete", "delete", READ)]
    assert told(in_use(wanted_keys=[])) == [("delete", "delete", "ApiKey/splunk"), ("delete", "delete", READ)]


def test_both_generations_leave() -> None:
    """A retiring generation holds the level like any key, until it moves, retires or is deleted with its key."""
    keys = [found_key(desired_key()), found_key(desired_key(), "99", marked="k0")]
    waiting = b.record(previous=b.previous())
    assert [kind for kind, *_ in told(in_use(wanted_keys=[KEY], known=waiting, keys=keys))] == [
        "update",
        "update",
        "delete",
    ]
    over = b.record(previous=b.previous(hours=-1))
    assert [kind for kind, *_ in told(in_use(wanted_keys=[KEY], known=over, keys=keys))] == [
        "update",
        "retire",
        "delete",
    ]
    assert [kind for kind, *_ in told(in_use(wanted_keys=[], known=over, keys=keys))] == ["delete", "delete"]


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"wanted_keys": [], "known": b.record(protect=True)}, id="a protected key"),
        pytest.param(
            {"wanted_keys": [], "keys": [found_key(desired_key("theirs"), "7", marked=None)]}, id="a foreign key"
        ),
    ],
)
def test_level_that_keys_still_use_stays(more: Any) -> None:
    """Neither ours nor others lose their level."""
    result = in_use(**more)
    assert (READ in [action[2] for action in told(result)], READ in why_blocked(result)) == (False, True)
    assert why_blocked(result)[READ].startswith("keys still use it: ")


@pytest.mark.parametrize("move", [True, False])
def test_level_that_a_key_is_about_to_get_by_its_vendor_name_stays(move: bool) -> None:
    """`existing` may name a level that was ours: it is not deleted from under the key that asks for it."""
    key = desired_key(level=LevelRef("read", existing=True))
    keys = [found_key(key, level="5")] if move else []
    objects = {b.level_id(): b.level_record()} | ({key.id: b.record()} if move else {})
    result = one(
        None, levels=[found_level(), AUDITOR], state=b.document(objects), keys=keys, wanted_keys=[key],
        secrets={key.secret_path: b.secret()} if move else {},
    )  # fmt: skip
    assert [kind for kind, *_ in told(result)] == ["update" if move else "create"]
    assert why_blocked(result) == {READ: "keys still use it: splunk"}


def test_locking_does_not_free_a_level() -> None:
    """A locked key still has its level."""
    key = desired_key(level=LevelRef("read", existing=True), state=KeyState.LOCKED)
    result = in_use(wanted_keys=[key])
    assert [kind for kind, *_ in told(result)] == ["lock"]
    assert READ in why_blocked(result)


def test_what_a_key_depends_on() -> None:
    """Our level as wanted, an existing one as found, nothing where the name decides nothing."""
    names = {name: b.level_id(name) for name in ("read", "Auditor", "Twice")}
    index = LevelIndex(
        desired={names["read"]: LEVEL},
        by_vendor_name={names["Auditor"]: [AUDITOR], names["Twice"]: [AUDITOR, AUDITOR]},
    )
    assert index.dependency(LevelRef("read")) is LEVEL
    assert index.dependency(LevelRef("Auditor", existing=True)) is AUDITOR
    assert index.dependency(LevelRef("Twice", existing=True)) is None
    assert index.dependency(LevelRef("None", existing=True)) is None


@pytest.mark.promise(4)
def test_promise_4_a_level_is_protected_from_its_first_intent_on() -> None:
    """A protected level that a dead run created stays, even if its manifest is gone before the next run."""
    state = b.document({}, {b.level_id(): b.intent("l1", protect=True)})
    result = b.plan(b.desired_tenant([], levels=[]), b.view(levels=[b.found_level()], state=state))
    assert b.why_blocked(result) == {"AccessLevel/read": "it is protected, and taken out of Git"}
    assert b.told(result) == [("repair", "record", "AccessLevel/read")]
