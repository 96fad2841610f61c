"""What a vendor fixes for a key's life: replacements, the ends that a vendor sets, and secrets that cannot be had anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.model.action import TenantPlan
from reconciler.model.desired import KeyState
from reconciler.plan import digest
from reconciler.providers.base import Expiry
from tests.support import builders as b
from tests.support.builders import (
    NOW,
    desired_key,
    desired_level,
    desired_tenant,
    found_key,
    settled,
    told,
    why_blocked,
)
from tests.support.traits import unlike

SPLUNK, READ, OTHER = "ApiKey/splunk", "AccessLevel/read", "AccessLevel/other"
KEY = desired_key()
LEVELS = (desired_level(), desired_level("other"))


def seen(key: Any, **more: Any) -> Any:
    """Two levels of ours, and the key as it was left, with the first of them."""
    known = more.pop("known", b.record(key, level_id="10"))
    state = b.document({b.level_id(): b.level_record(), b.level_id("other"): b.level_record("11", "l2"), key.id: known})
    levels = [b.found_level(), b.found_level(desired_level("other"), "11", marked="l2")]
    return settled(key, levels=levels, state=state, **more)


def planned(key: Any, view: Any, **traits: Any) -> TenantPlan:
    return b.plan(desired_tenant([key], LEVELS), view, unlike(**traits))


def moved(**more: Any) -> Any:
    return desired_key(level="other", **more)


def test_another_level_replaces_a_key_that_keeps_its_level_for_life() -> None:
    """The new key is issued first, then the old one goes at once: it must not keep the access that it had."""
    result = planned(moved(), seen(KEY), fixed_level=True)
    assert told(result) == [("replace", "issue", SPLUNK), ("retire", "remove", SPLUNK)]
    issue, retire = result.actions
    assert (issue.generation, issue.level_id, issue.overlap) == (2, "11", timedelta(0))
    assert retire.vendor_id == "100"
    assert "the old key goes at once" in issue.reason


def test_another_level_is_an_update_elsewhere() -> None:
    """Where the vendor can change a key's level, it is changed."""
    assert told(planned(moved(), seen(KEY))) == [("update", "update", SPLUNK)]


def test_lost_level_is_a_repair_and_no_replacement() -> None:
    """A key that has lost its level gets it back, even where another level would need another key."""
    view = seen(KEY, keys=[found_key(KEY, level=None)])
    [repair] = planned(KEY, view, fixed_level=True).actions
    assert (repair.kind, repair.operation, repair.reason) == ("repair", "update", "key 100 has lost its accessLevel")


def test_lost_level_and_another_wanted_is_a_replacement() -> None:
    """What the record says the key had counts, not that it has lost it."""
    view = seen(KEY, keys=[found_key(KEY, level=None)])
    assert [kind for kind, *_ in told(planned(moved(), view, fixed_level=True))] == ["replace", "retire"]


def test_locked_key_without_level_is_in_sync() -> None:
    """Where locking takes the level away, a locked key has none."""
    key = desired_key(state=KeyState.LOCKED)
    view = seen(key, keys=[found_key(key, level=None)])
    assert told(planned(key, view, fixed_level=True)) == []


def test_former_generation_makes_room_for_a_replacement() -> None:
    """Never three at once: the generation in its overlap goes before the next one is issued."""
    known = b.record(KEY, generation=2, previous=b.previous(), level_id="10")
    view = seen(KEY, keys=[found_key(KEY), found_key(KEY, "99", marked="k0")], known=known)
    result = planned(moved(), view, fixed_level=True)
    assert [(a.kind, a.operation, a.vendor_id) for a in result.actions] == [
        ("retire", "remove", "99"), ("replace", "issue", ""), ("retire", "remove", "100"),
    ]  # fmt: skip


@pytest.mark.promise(4)
def test_promise_4_own_key_is_not_replaced() -> None:
    """The credential in use is never replaced."""
    result = planned(moved(), seen(KEY, own="100"), fixed_level=True)
    assert (told(result), list(why_blocked(result))) == ([], [SPLUNK])


def expiring(
    wanted_days: float | None, found_days: float | None, asked_days: float | None, **traits: Any
) -> TenantPlan:
    """The plan for a key that should end in so many days, ends in so many, and was asked to end in so many."""

    def at(days: float | None) -> Any:
        return None if days is None else NOW + timedelta(days=days)

    key = desired_key(expires=at(wanted_days))
    known = b.record(key, level_id="10", applied={"expires": digest.field(at(asked_days))})
    view = seen(key, keys=[found_key(key, fields={"expires": at(found_days)})], known=known)
    return planned(key, view, **{"expiry": Expiry.FIXED, **traits})


@pytest.mark.parametrize("expiry", [Expiry.FIXED, Expiry.ROUNDED])
@pytest.mark.parametrize(
    ("wanted", "found", "asked", "kinds"),
    [
        (100, 100, 100, []),
        (100, 120, 100, []),  # rounded up: we end it in time ourselves
        (90, 100, 100, []),  # ends earlier than it was asked for: so do we
        (200, 100, 100, ["replace"]),  # longer than it can live
        (None, 100, 100, ["replace"]),
        (100, None, 100, []),
    ],
)
def test_end_that_is_fixed_at_creation(
    expiry: Expiry, wanted: float | None, found: float | None, asked: float | None, kinds: list[str]
) -> None:
    """Only a key that would end too soon is replaced, with an overlap; the rest is enforced by us."""
    result = expiring(wanted, found, asked, expiry=expiry)
    assert [kind for kind, *_ in told(result)] == kinds
    if kinds:
        assert result.actions[0].overlap == timedelta(hours=24)


def test_shortened_end_is_told_and_renewed_in_time() -> None:
    """A vendor that shortened what was asked for is not asked again and again, but before its end comes."""
    result = expiring(300, 180, 300)
    assert told(result) == []
    assert [note.text for note in result.notes] == ["the vendor ends it on 2026-11-28 12:00Z; it is renewed 7d before"]
    due = expiring(300, 6, 300)
    assert told(due) == [("rotate", "issue", SPLUNK)]
    assert due.actions[0].reason.startswith("the vendor ends it on 2026-06-07 12:00Z, renewed 7d before")


def test_missing_secret_needs_a_new_key_where_none_can_be_regenerated() -> None:
    """The next generation is issued, then the key whose secret nobody can read goes."""
    view = seen(KEY, secrets={KEY.secret_path: b.secret(2, live=False)})
    result = planned(KEY, view, regenerates_in_place=False)
    assert [(a.kind, a.operation, a.vendor_id) for a in result.actions] == [
        ("repair", "issue", ""), ("retire", "remove", "100"),
    ]  # fmt: skip
    assert (result.actions[0].generation, result.actions[0].base_version) == (2, 2)


@pytest.mark.promise(3)
def test_promise_3_lost_secret_of_a_creation_is_not_kept() -> None:
    """A key whose secret was never stored goes, and the next one is of another generation."""
    view = b.view(
        levels=[b.found_level(), b.found_level(desired_level("other"), "11", marked="l2")],
        keys=[found_key(KEY, "7", marked="k2")],
        state=b.document(
            {b.level_id(): b.level_record(), b.level_id("other"): b.level_record("11", "l2")}, {KEY.id: b.intent()}
        ),
    )
    result = planned(KEY, view, regenerates_in_place=False)
    assert [(a.kind, a.operation, a.vendor_id, a.generation) for a in result.actions] == [
        ("repair", "remove", "7", 1), ("create", "issue", "", 2),
    ]  # fmt: skip


@pytest.mark.promise(3)
def test_promise_3_secret_under_a_dead_one_is_issued_anew() -> None:
    """A rotation died after it stored a secret, and its key is gone: consumers would read a secret that does not work."""
    key = desired_key(rotation=b.rotation())
    known = b.record(key, level_id="10")
    state = b.document(
        {b.level_id(): b.level_record(), b.level_id("other"): b.level_record("11", "l2"), key.id: known},
        {key.id: b.intent(generation=2, base_version=1)},
    )
    result = planned(key, settled(
        key, levels=[b.found_level(), b.found_level(desired_level("other"), "11", marked="l2")], state=state,
        secrets={key.secret_path: b.secret(2)},
    ))  # fmt: skip
    assert ("repair", "regenerate", SPLUNK) in told(result)


def test_irreversible_lock_deletes_the_key() -> None:
    """It says so, it counts as a lock, and a key that is not there is not created."""
    key = desired_key(state=KeyState.LOCKED)
    [lock] = planned(key, seen(KEY), reversible_lock=False).actions
    assert (lock.kind, lock.operation) == ("lock", "delete")
    absent = b.view(levels=[b.found_level()], state=b.document({b.level_id(): b.level_record()}))
    nothing = b.plan(desired_tenant([key]), absent, unlike(reversible_lock=False))
    assert (told(nothing), [note.text.partition(":")[0] for note in nothing.notes]) == ([], ["state"])


def test_field_that_the_vendor_does_not_tell_is_compared_by_what_was_asked() -> None:
    """The state remembers a digest: nothing to do while that is wanted, a change when something else is."""
    untold = {name: value for name, value in found_key(KEY).fields.items() if name != "description"}
    keys = [replace(found_key(KEY), fields=untold)]
    fields = {"description": KEY.description}
    same = b.record(KEY, level_id="10", applied=digest.fields_of(fields, {"description"}))
    assert told(planned(KEY, seen(KEY, known=same, keys=keys), unreadable=frozenset({"description"}))) == []
    other = desired_key(description="something else")
    [update] = planned(other, seen(KEY, known=same, keys=keys), unreadable=frozenset({"description"})).actions
    assert [(change.path, change.new) for change in update.changes] == [("description", "something else")]


def test_level_that_cannot_be_changed_is_replaced() -> None:
    """Another level is made, its keys move to it, and the old one goes last."""
    level = desired_level(description="changed")
    result = b.plan(desired_tenant([KEY], [level]), settled(KEY), unlike(replaces_levels=True))
    assert told(result) == [
        ("replace", "create", READ), ("update", "update", SPLUNK), ("retire", "remove", READ),
    ]  # fmt: skip
    assert (result.actions[0].generation, result.actions[2].vendor_id) == (2, "10")


def test_replaced_level_goes_once_no_key_has_it() -> None:
    """After a death between the steps the level that was replaced is still known, and stays while a key has it."""
    known = b.level_record("12", "l9", generation=2, previous=b.previous("10", "l1"))
    levels = [b.found_level(), b.found_level(vendor_id="12", marked="l9")]
    state = b.document({b.level_id(): known, KEY.id: b.record(KEY)})
    view = settled(KEY, levels=levels, state=state)
    result = b.plan(desired_tenant([KEY]), view, unlike(replaces_levels=True))
    assert told(result) == [("update", "update", SPLUNK), ("retire", "remove", READ)]
    foreign = found_key(desired_key("theirs"), "555", marked=None)
    held = settled(KEY, levels=levels, state=state, keys=[found_key(KEY), foreign])
    result = b.plan(desired_tenant([KEY]), held, unlike(replaces_levels=True))
    assert told(result) == [("update", "update", SPLUNK)]
    assert "stays while keys use it: theirs (id 555)" in result.notes[-1].text


def test_more_keys_than_a_level_may_have_are_blocked() -> None:
    """Those beyond the vendor's limit are not issued, and say how many there would be."""
    keys = [desired_key(f"k{number}") for number in range(3)]
    result = b.plan(desired_tenant(keys), settled(keys[0], known=b.record(keys[0], level_id="10")),
                    unlike(most_keys_per_level=2))  # fmt: skip
    assert told(result) == [("create", "issue", "ApiKey/k1")]
    assert why_blocked(result) == {"ApiKey/k2": "read would have 3 keys, and the vendor allows 2"}
