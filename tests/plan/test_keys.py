"""What is planned for keys, row by row: drift, removal, recovery, rotation, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.model.action import Change
from reconciler.model.desired import KeyState, LevelRef, VaultPath
from reconciler.model.mark import Mark
from reconciler.model.names import Kind
from reconciler.model.observed import Observed
from reconciler.model.state import IntentAction, Revoked
from reconciler.plan.rotation import spell
from tests.support import builders as b
from tests.support.builders import NOW, desired_key, desired_tenant, found_key, plan, settled, told, why_blocked

KEY = desired_key()
SPLUNK = "ApiKey/splunk"


def one(key: Any = KEY, *, wanted: Any = None, **seen: Any) -> Any:
    """The plan for one key that was settled as `key` and is now wanted as `wanted`, with parts of the view replaced."""
    return plan(desired_tenant([wanted or key]), settled(key, **seen))


# -- drift ---------------------------------------------------------------------------------------------------------------


@pytest.mark.promise(5)
def test_promise_5_what_is_as_wanted_gives_no_action() -> None:
    """A key and a level that are as wanted are left alone, whatever the volatile facts say."""
    result = one()
    assert (told(result), result.blocked, result.notes, result.unmanaged) == ([], (), (), ())
    assert (result.population, result.state_version, result.vanished) == (2, 3, 0)


def test_changed_fields_are_put_back_in_place() -> None:
    """Every field that somebody changed is one change, old → new, in one update."""
    result = one(fields={"description": "mine", "locale": "ja-JP", "name": "other"})
    assert told(result) == [("update", "update", SPLUNK)]
    assert result.actions[0].changes == (
        Change("description", "mine", "Key splunk"),
        Change("locale", "ja-JP", "en-US"),
        Change("name", "other", "splunk"),
    )
    assert (result.actions[0].vendor_id, result.actions[0].level_id) == ("100", "10")


def test_another_name_of_the_same_zone_is_no_difference() -> None:
    """The vendor's spelling of a time zone does not matter, even beside a real change."""
    key = desired_key(options={"timeZone": "UTC"})
    result = plan(
        desired_tenant([key]), settled(desired_key(options={"timeZone": "Etc/UTC"}), fields={"locale": "ja-JP"})
    )
    assert [change.path for change in result.actions[0].changes] == ["locale"]


@pytest.mark.parametrize(("state", "kind"), [("locked", "unlock"), ("active", "lock")])
def test_lock_and_unlock_are_named(state: str, kind: str) -> None:
    """A difference in state is shown as the lock or unlock that it is."""
    wanted = desired_key(state=KeyState.ACTIVE if kind == "unlock" else KeyState.LOCKED)
    assert told(one(wanted, fields={"state": state})) == [(kind, "update", SPLUNK)]


def test_lost_mark_is_restored() -> None:
    """A mark that somebody edited away is put back: name and id still agree."""
    result = one(marked=None)
    assert told(result) == [("update", "update", SPLUNK)]
    assert result.actions[0].changes == (Change("mark", "missing", "restored"),)


def test_owner_and_protection_are_remembered_without_a_vendor_call() -> None:
    """What only our state holds changes only our state."""
    result = one(wanted=desired_key(owner="new@example.com", protect=True))
    assert told(result) == [("update", "record", SPLUNK)]
    assert result.actions[0].changes == (
        Change("owner", "secops@example.com", "new@example.com"),
        Change("protect", False, True),
    )


def test_another_level_is_a_change_of_access() -> None:
    """A key on the wrong level is moved, and both levels are named."""
    key = desired_key(level=LevelRef("Auditor", existing=True))
    auditor = b.found_level(b.desired_level("Auditor"), "5", marked=None, builtin=True)
    result = plan(desired_tenant([key]), settled(key, levels=[b.found_level(), auditor]))
    assert result.actions[0].changes == (Change("accessLevel", "read", "Auditor (existing)"),)
    assert result.actions[0].level_id == "5"


def test_id_that_is_something_else_now_is_unclear() -> None:
    """A recorded id without our mark and without our name is not touched, and nothing is created beside it."""
    stranger = replace(found_key(KEY, marked=None), name="stranger")
    result = one(keys=[stranger])
    assert told(result) == []
    assert why_blocked(result)[SPLUNK] == "our records say id 100, but that is now 'stranger' without our mark"


# -- creation ------------------------------------------------------------------------------------------------------------


def fresh(key: Any = KEY, **seen: Any) -> Any:
    """The plan for a key that nobody has seen yet."""
    given = {"levels": [b.found_level()], "state": b.document({b.level_id(): b.level_record()}), **seen}
    return plan(desired_tenant([key]), b.view(**given))


def test_new_key_is_issued() -> None:
    """A creation shows what it will be, fields without a value left out, and starts at generation 1."""
    result = fresh(secrets={KEY.secret_path: b.secret(4, live=False)})
    assert told(result) == [("create", "issue", SPLUNK)]
    action = result.actions[0]
    assert (action.generation, action.base_version, action.level_id) == (1, 4, "10")
    assert {change.path: change.new for change in action.changes} == {
        "accessLevel": "read", "description": "Key splunk", "locale": "en-US", "secret": str(KEY.secret_path),
        "state": "active", "timeZone": "Etc/UTC",
    }  # fmt: skip


def test_a_level_that_does_not_exist_yet_comes_first() -> None:
    """A key on a new level is planned after it, with no level id."""
    result = fresh(levels=[], state=None)
    assert told(result) == [("create", "create", "AccessLevel/read"), ("create", "issue", SPLUNK)]
    assert result.actions[1].level_id is None


def test_foreign_key_of_the_same_name_is_never_created_beside() -> None:
    """Same name and no mark: foreign, although the vendor would take a second one."""
    result = fresh(keys=[found_key(KEY, "7", marked=None)])
    assert told(result) == []
    assert why_blocked(result)[SPLUNK] == "an object of this name exists (id 7) that the reconciler did not create"
    assert [item.vendor_id for item in result.unmanaged] == ["7"]


@pytest.mark.parametrize("marked", [b.mark("x", tag="0" * 16), b.mark("l1")])
def test_key_of_another_estate_has_its_own_message(marked: Mark) -> None:
    """Another estate's mark, and a copy of one of ours, are told apart from a person's object."""
    result = fresh(keys=[found_key(KEY, "7", marked=marked)])
    assert told(result) == []
    assert "carries a mark of another estate, or a copy of one of ours" in why_blocked(result)[SPLUNK]


def test_orphan_of_the_same_name_is_removed_before_the_creation() -> None:
    """A late creation of a dead run does not stand in the way: it goes, and one new key comes."""
    result = fresh(keys=[found_key(KEY, "7", marked="late")])
    assert told(result) == [("repair", "remove", SPLUNK), ("create", "issue", SPLUNK)]
    assert result.actions[0].vendor_id == "7"
    assert result.unmanaged == ()


def test_orphan_that_we_are_using_stays() -> None:
    """Even an orphan is not deleted while the reconciler calls with it."""
    result = fresh(keys=[found_key(desired_key("late"), "7", marked="late")], own="7")
    assert why_blocked(result) == {"ApiKey/late": "it is the key that the reconciler is using"}
    assert told(result) == [("create", "issue", SPLUNK)]


def test_occupied_path_is_not_written_over() -> None:
    """A live secret at the path of a key that does not exist is somebody else's."""
    result = fresh(secrets={KEY.secret_path: b.secret(2)})
    assert told(result) == []
    assert why_blocked(result)[SPLUNK] == f"{KEY.secret_path} already holds a secret that the reconciler did not write"


def test_expired_key_is_not_created() -> None:
    """An expired manifest creates nothing and says so; the very instant of expiry counts as expired."""
    result = fresh(desired_key(expires=NOW))
    assert (told(result), result.blocked) == ([], ())
    assert [note.text for note in result.notes] == ["expired 2026-06-01T12:00:00Z: not created"]


def test_absent_key_that_does_not_exist_needs_nothing() -> None:
    """`state: absent` for a key that is not there is silent, even beside a foreign one."""
    result = fresh(desired_key(state=KeyState.ABSENT), keys=[found_key(KEY, "7", marked=None)])
    assert (told(result), result.blocked, result.notes) == ([], (), ())


# -- removal -------------------------------------------------------------------------------------------------------------

GONE = [
    pytest.param(None, "taken out of Git", id="out of Git"),
    pytest.param(desired_key(state=KeyState.ABSENT), "state: absent", id="absent"),
    pytest.param(desired_key(expires=NOW - timedelta(hours=1)), "expired 2026-06-01T11:00:00Z", id="expired"),
]


def removed(wanted: Any, **seen: Any) -> Any:
    return plan(desired_tenant([wanted] if wanted else []), settled(KEY, **seen))


@pytest.mark.parametrize(("wanted", "reason"), GONE)
def test_key_that_is_not_wanted_any_more_is_deleted(wanted: Any, reason: str) -> None:
    """Out of Git, absent or expired: the key goes, and the plan says why."""
    result = removed(wanted)
    assert told(result) == [("delete", "delete", SPLUNK)]
    assert (result.actions[0].reason, result.actions[0].vendor_id) == (reason, "100")


@pytest.mark.parametrize(("wanted", "reason"), GONE)
def test_key_that_is_gone_already_leaves_its_secret_to_delete(wanted: Any, reason: str) -> None:
    """The record and the secret of a key that somebody deleted at the vendor still go."""
    result = removed(wanted, keys=[])
    assert [action.reason for action in result.actions] == [f"{reason}; gone at the vendor already, its secret is not"]
    assert result.vanished == 0


@pytest.mark.promise(4)
@pytest.mark.parametrize(("wanted", "reason"), GONE)
def test_promise_4_protection_outlives_the_manifest(wanted: Any, reason: str) -> None:
    """What the state remembers as protected is not removed, whatever Git says now."""
    result = removed(wanted, known=b.record(protect=True))
    assert told(result) == []
    assert why_blocked(result) == {SPLUNK: f"it is protected, and {reason}"}


@pytest.mark.promise(4)
def test_promise_4_protection_in_the_manifest_wins_over_absent() -> None:
    """`protect: true` beside `state: absent` protects, although no apply has remembered it yet."""
    assert told(removed(desired_key(state=KeyState.ABSENT, protect=True))) == []


# -- our own key ---------------------------------------------------------------------------------------------------------


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    "case",
    [
        pytest.param({"wanted": desired_key(state=KeyState.ABSENT)}, id="delete"),
        pytest.param({"wanted": desired_key(state=KeyState.LOCKED, description="new")}, id="lock"),
        pytest.param({"secrets": {}}, id="reissue"),
        pytest.param({"wanted": desired_key(rotation=b.rotation(0.5, in_place=True))}, id="rotate in place"),
        pytest.param(
            {
                "known": b.record(previous=b.previous("1", hours=-1)),
                "keys": [found_key(KEY), found_key(KEY, "1", marked="k0")],
                "own": "1",
            },
            id="retire",
        ),
        pytest.param(
            {
                "wanted": desired_key(state=KeyState.ABSENT),
                "known": b.record(previous=b.previous("1")),
                "keys": [found_key(KEY), found_key(KEY, "1", marked="k0")],
                "own": "1",
            },
            id="delete with the generation that we use",
        ),
        pytest.param(
            {"state": b.document({b.level_id(): b.level_record()}, {KEY.id: b.intent("k1")}), "secrets": {}},
            id="recover",
        ),
    ],
)
def test_promise_4_the_key_in_use_is_never_deleted_locked_or_regenerated(case: dict[str, Any]) -> None:
    """Whatever would end the credential that we call with is blocked, once, with a reason."""
    result = one(**{"own": "100", **case})
    assert told(result) == []
    assert [item.reason for item in result.blocked] == [
        f"id {case.get('own', '100')} is the key that the reconciler itself is using"
    ]


# -- recovery ------------------------------------------------------------------------------------------------------------


def interrupted(
    intent: Any,
    *,
    key: Any = KEY,
    known: Any = None,
    wanted: Any = KEY,
    keys: Any = (),
    version: int = 0,
    live: bool = True,
) -> Any:
    """The plan after a run died with this intent open, the secret's path being at `version`."""
    objects = {b.level_id(): b.level_record()}
    if known is not None:
        objects[key.id] = known
    seen = b.view(
        levels=[b.found_level()], keys=keys, state=b.document(objects, {key.id: intent}),
        secrets={key.secret_path: b.secret(version, live=live)} if version else {},
    )  # fmt: skip
    return plan(desired_tenant([wanted] if wanted else []), seen)


def test_died_before_creating_is_created_anew() -> None:
    """An intent and no key with its nonce: issue, under a new intent that takes the old one's place."""
    assert told(interrupted(b.intent())) == [("create", "issue", SPLUNK)]


@pytest.mark.parametrize("wanted", [None, desired_key(state=KeyState.ABSENT)])
def test_died_before_creating_what_is_not_wanted_any_more(wanted: Any) -> None:
    """An intent of which nothing came and that nobody wants any more is dropped."""
    result = interrupted(b.intent(), wanted=wanted)
    assert told(result) == [("repair", "record", SPLUNK)]
    assert (result.actions[0].record, result.actions[0].intent) == (None, b.intent())


def test_reply_lost_means_reissue() -> None:
    """A key with the nonce while the path is at its base version: its secret is lost, so it gets a new one."""
    result = interrupted(b.intent(base_version=3), keys=[found_key(KEY, "7", marked="k2")], version=3)
    assert told(result) == [("repair", "regenerate", SPLUNK)]
    action = result.actions[0]
    assert (action.vendor_id, action.base_version, action.intent) == ("7", 3, b.intent(base_version=3))
    assert action.reason == "key 7 exists, its secret was never stored: reissue"


def test_stored_but_not_recorded_is_only_recorded() -> None:
    """A key with the nonce and the path one version on: the intent is closed, nothing else."""
    result = interrupted(b.intent(base_version=3), keys=[found_key(KEY, "7", marked="k2")], version=4)
    assert told(result) == [("repair", "record", SPLUNK)]
    record = result.actions[0].record
    assert record is not None
    assert (record.vendor_id, record.nonce, record.version, record.path) == (
        "7",
        b.nonce("k2"),
        4,
        KEY.secret_path.path,
    )
    assert (record.issued_at, record.owner, record.previous) == (NOW, KEY.owner, None)


def test_stored_and_then_deleted_by_somebody_is_recorded_and_reissued() -> None:
    """The path is one version on, but that version is deleted: record, then regenerate."""
    result = interrupted(b.intent(), keys=[found_key(KEY, "7", marked="k2")], version=1, live=False)
    assert told(result) == [("repair", "record", SPLUNK), ("repair", "regenerate", SPLUNK)]


def test_stored_and_the_key_deleted_by_somebody_is_issued_anew() -> None:
    """The secret that a dead run left is of a key that is gone: writing over it loses nothing."""
    result = interrupted(b.intent(), version=1)
    assert told(result) == [("create", "issue", SPLUNK)]
    assert result.actions[0].base_version == 1


def test_late_creation_is_an_orphan_of_ours() -> None:
    """A key that appears after its intent was dropped is removed at the next run, and the declared one stays."""
    result = one(keys=[found_key(KEY), found_key(KEY, "7", marked="late")])
    assert told(result) == [("repair", "remove", SPLUNK)]
    assert (result.actions[0].vendor_id, result.actions[0].record) == ("7", None)


def test_interrupted_creation_that_is_not_wanted_any_more_is_deleted() -> None:
    """The half-made key goes, its intent with it."""
    result = interrupted(b.intent(), wanted=None, keys=[found_key(KEY, "7", marked="k2")])
    assert told(result) == [("delete", "delete", SPLUNK)]
    assert result.actions[0].vendor_id == "7"


def test_interrupted_rotation_before_the_vendor_call_starts_over() -> None:
    """The intent of a rotation of which nothing came is dropped; the rotation is still due."""
    key = desired_key(rotation=b.rotation(0.5, 0.25))
    result = interrupted(
        b.intent(generation=2, base_version=1), key=key, wanted=key, known=b.record(), keys=[found_key(key)], version=1
    )
    assert told(result) == [("repair", "record", SPLUNK), ("rotate", "issue", SPLUNK)]
    assert result.actions[0].record == b.record()


@pytest.mark.parametrize(("version", "operation"), [(1, "regenerate"), (2, "record")])
def test_interrupted_rotation_keeps_the_old_generation(version: int, operation: str) -> None:
    """The new generation is finished or recorded, and the old one retires after a whole overlap from now."""
    key = desired_key(rotation=b.rotation(90, 1))
    result = interrupted(
        b.intent(generation=2, base_version=1, overlap=86400.0), key=key, wanted=key,
        known=b.record(protect=True, owner="old"),
        keys=[found_key(key), found_key(key, "7", marked="k2")], version=version,
    )  # fmt: skip
    repair = next(action for action in result.actions if action.intent is not None)
    assert (repair.kind, repair.operation) == ("repair", operation)
    record = repair.record
    assert record is not None
    assert (record.protect, record.owner) == (True, "old")
    assert record.previous is not None
    assert (record.previous.vendor_id, record.previous.until) == ("100", NOW + timedelta(days=1))
    assert not any(action.kind == "retire" for action in result.actions)


@pytest.mark.promise(4)
@pytest.mark.parametrize("version", [0, 1])
def test_promise_4_a_key_is_protected_from_its_first_intent_on(version: int) -> None:
    """A protected key that a dead run created stays, even if its manifest is gone before the next run."""
    result = interrupted(b.intent(protect=True), keys=[found_key(KEY, "7", marked="k2")], wanted=None, version=version)
    assert why_blocked(result) == {SPLUNK: "it is protected, and taken out of Git"}
    assert not any(action.operation == "delete" for action in result.actions)


def test_interrupted_rotation_without_overlap_retires_only_after_the_new_secret() -> None:
    """The old generation does not go before the new one's secret is in Vault."""
    result = interrupted(
        b.intent(generation=2, base_version=1), known=b.record(),
        keys=[found_key(KEY), found_key(KEY, "7", marked="k2")], version=1,
    )  # fmt: skip
    assert told(result) == [("repair", "regenerate", SPLUNK), ("retire", "remove", SPLUNK)]
    assert [action.vendor_id for action in result.actions] == ["7", "100"]


def test_interrupted_replacement_of_a_vanished_key_keeps_what_was_retiring() -> None:
    """When the replaced key is gone, its own predecessor goes on as the previous generation."""
    known = b.record(previous=b.previous())
    keys = [found_key(KEY, "7", marked="k2"), found_key(KEY, "99", marked="k0")]
    result = interrupted(b.intent(generation=3), known=known, keys=keys, version=1)
    assert told(result) == [("repair", "record", SPLUNK)]
    assert result.actions[0].record is not None
    assert result.actions[0].record.previous == known.previous


REGENERATING = b.intent("r2", IntentAction.REGENERATE, vendor_id="100", generation=2, base_version=1)


def test_interrupted_regeneration_is_done_again() -> None:
    """The old secret may be dead and the new one is not in Vault: another one."""
    result = interrupted(REGENERATING, known=b.record(), keys=[found_key(KEY)], version=1)
    assert told(result) == [("repair", "regenerate", SPLUNK)]
    assert (result.actions[0].vendor_id, result.actions[0].generation) == ("100", 2)


@pytest.mark.parametrize("occupied", [True, False])
def test_interrupted_regeneration_of_a_key_whose_path_has_moved(occupied: bool) -> None:
    """The repair writes to the path that is wanted now, on that path's version, and not over a foreign secret."""
    seen = settled(
        KEY, secrets={KEY.secret_path: b.secret(), MOVED: b.secret(6, live=occupied)},
        state=b.document({b.level_id(): b.level_record(), KEY.id: b.record()}, {KEY.id: REGENERATING}),
    )  # fmt: skip
    result = plan(desired_tenant([desired_key(secret_path=MOVED)]), seen)
    assert told(result) == ([] if occupied else [("repair", "regenerate", SPLUNK)])
    assert [action.base_version for action in result.actions] == ([] if occupied else [6])
    assert list(why_blocked(result)) == ([SPLUNK] if occupied else [])


def test_interrupted_regeneration_that_was_stored_is_recorded() -> None:
    """The path is one version on: the record learns generation, version and time."""
    result = interrupted(REGENERATING, known=b.record(), keys=[found_key(KEY)], version=2)
    assert told(result) == [("repair", "record", SPLUNK)]
    assert result.actions[0].record == b.record(generation=2, version=2, issued_at=NOW)


def test_interrupted_regeneration_of_a_key_that_is_gone() -> None:
    """Nothing is left to regenerate: the intent goes and a new key comes."""
    result = interrupted(REGENERATING, known=b.record(), version=1)
    assert told(result) == [("repair", "record", SPLUNK), ("repair", "issue", SPLUNK)]


def test_interrupted_regeneration_without_a_record() -> None:
    """An intent that no record explains is dropped."""
    assert told(interrupted(REGENERATING, wanted=None)) == [("repair", "record", SPLUNK)]


def test_interrupted_regeneration_of_an_unclear_key_stays_open() -> None:
    """Nobody can tell whose key it is now, so what is known of its secret is kept."""
    keys = [replace(found_key(KEY, marked=None), name="stranger")]
    result = interrupted(REGENERATING, known=b.record(), keys=keys, version=1)
    assert (told(result), list(why_blocked(result))) == ([], [SPLUNK])


@pytest.mark.parametrize("protect", [True, False])
def test_interrupted_regeneration_of_a_key_to_remove(protect: bool) -> None:
    """The removal ends the intent; where it is blocked, the intent goes on saying that the secret may be dead."""
    result = interrupted(REGENERATING, known=b.record(protect=protect), keys=[found_key(KEY)], wanted=None, version=1)
    assert told(result) == ([] if protect else [("delete", "delete", SPLUNK)])


@pytest.mark.promise(4)
def test_promise_4_closing_an_intent_does_not_lift_protection() -> None:
    """A repair records what was found; what the manifest says of protection is an action of its own, or none."""
    result = interrupted(
        b.intent(), known=b.record(protect=True), keys=[found_key(KEY, "7", marked="k2")], version=1,
        wanted=desired_key(state=KeyState.ABSENT),
    )  # fmt: skip
    assert told(result) == [("repair", "record", SPLUNK)]
    assert list(why_blocked(result)) == [SPLUNK]
    action = result.actions[0]
    assert action.desired is None, "an apply would remember the manifest's wish with it"
    assert action.record is not None
    assert action.record.protect


# -- revoked -------------------------------------------------------------------------------------------------------------

TOMBSTONE = Revoked(at=NOW, by="on-call", reason="leaked")


def test_revoked_key_is_not_kept_in_shape() -> None:
    """A tombstone blocks everything but removal, and says why."""
    result = one(known=b.record(revoked=TOMBSTONE), keys=[], secrets={})
    assert told(result) == []
    assert why_blocked(result) == {SPLUNK: "it was revoked 2026-06-01 12:00Z: leaked"}
    assert result.vanished == 0


def test_what_was_issued_during_a_revocation_only_ever_goes() -> None:
    """A run that issued while somebody revoked: its key is removed, its intent dropped, the tombstone stays."""
    known = b.record(revoked=TOMBSTONE)
    result = interrupted(b.intent(), known=known, keys=[found_key(KEY, "7", marked="k2")], version=1)
    assert told(result) == [
        ("repair", "record", SPLUNK), ("repair", "remove", SPLUNK), ("repair", "delete", SPLUNK),
    ]  # fmt: skip
    assert result.actions[0].record == known
    assert result.actions[1].vendor_id == "7"


def test_intent_of_a_revoked_key_without_a_key_is_dropped() -> None:
    """Nothing was issued: only the intent goes."""
    result = interrupted(b.intent(), known=b.record(revoked=TOMBSTONE), version=0)
    assert told(result) == [("repair", "record", SPLUNK)]


def test_interrupted_regeneration_of_a_revoked_key_is_not_repaired() -> None:
    """A revoked key gets no new secret: if it lives on, it goes."""
    result = interrupted(REGENERATING, known=b.record(revoked=TOMBSTONE), keys=[found_key(KEY)], version=1)
    assert (told(result), list(why_blocked(result))) == ([("repair", "delete", SPLUNK)], [SPLUNK])


def test_revoked_key_in_use_that_a_run_issued_stays() -> None:
    """Even then the key that we call with is not deleted."""
    seen = settled(
        KEY, known=b.record(revoked=TOMBSTONE), keys=[found_key(KEY, "7", marked="k2")], own="7",
        state=b.document({b.level_id(): b.level_record(), KEY.id: b.record(revoked=TOMBSTONE)}, {KEY.id: b.intent()}),
    )  # fmt: skip
    result = plan(desired_tenant([KEY]), replace(seen, secrets={}))
    assert told(result) == []
    assert "id 7 is the key that the reconciler itself is using" in [item.reason for item in result.blocked]


# -- what has vanished ---------------------------------------------------------------------------------------------------


def test_vanished_key_is_issued_anew() -> None:
    """A recorded key that the vendor does not list any more comes back as the next generation."""
    result = one(keys=[])
    assert told(result) == [("repair", "issue", SPLUNK)]
    assert (result.actions[0].generation, result.actions[0].base_version, result.vanished) == (2, 1, 1)


def test_vanished_key_whose_predecessor_is_due() -> None:
    """What was retiring beside a vanished key still retires."""
    known = b.record(previous=b.previous(hours=-1))
    result = one(known=known, keys=[found_key(KEY, "99", marked="k0")])
    assert sorted(told(result)) == [("repair", "issue", SPLUNK), ("retire", "remove", SPLUNK)]


def test_vanished_key_whose_name_somebody_took() -> None:
    """A foreign key of the name stops the repair, and the loss still counts."""
    result = one(keys=[found_key(KEY, "7", marked=None)])
    assert (told(result), list(why_blocked(result)), result.vanished) == ([], [SPLUNK], 1)


def test_missing_secret_is_reissued_in_place() -> None:
    """A key without its secret in Vault gets a new secret, as the next generation."""
    result = one(secrets={KEY.secret_path: b.secret(1, live=False)})
    assert told(result) == [("repair", "regenerate", SPLUNK)]
    assert result.actions[0].reason == f"its secret is missing from {KEY.secret_path}: reissue"
    assert (result.actions[0].generation, result.actions[0].base_version) == (2, 1)


def test_secret_that_somebody_wrote_is_noted() -> None:
    """A version that we did not write is said, and nothing is done about it by itself."""
    result = one(secrets={KEY.secret_path: b.secret(2)})
    assert told(result) == []
    assert "is at version 2, and we wrote 1" in result.notes[0].text


# -- another path --------------------------------------------------------------------------------------------------------

MOVED = VaultPath("secret", "new/dsm/splunk")


def test_moved_path_waits_for_the_next_rotation() -> None:
    """A secret cannot be moved without reading it: it stays, and the plan says until when."""
    result = one(wanted=desired_key(secret_path=MOVED))
    assert told(result) == []
    assert (
        result.notes[0].text == f"its secret stays at {KEY.secret_path} until the next rotation, then moves to {MOVED}"
    )


def test_rotation_goes_to_the_new_path() -> None:
    """The rotation's base is the new path's version."""
    wanted = desired_key(secret_path=MOVED, rotation=b.rotation(0.5, 0.25))
    result = one(wanted=wanted, secrets={KEY.secret_path: b.secret(), MOVED: b.secret(6, live=False)})
    assert told(result) == [("rotate", "issue", SPLUNK)]
    assert result.actions[0].base_version == 6


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"wanted": desired_key(secret_path=MOVED, rotation=b.rotation(0.5, 0.25))}, id="rotation"),
        pytest.param({"wanted": desired_key(secret_path=MOVED), "keys": []}, id="vanished"),
        pytest.param({"wanted": desired_key(secret_path=MOVED), "missing": True}, id="missing"),
    ],
)
def test_foreign_secret_at_the_new_path_is_not_written_over(more: dict[str, Any]) -> None:
    """Whatever brings the secret to its new path stops before somebody else's secret."""
    secrets = {MOVED: b.secret()} | ({} if more.pop("missing", False) else {KEY.secret_path: b.secret()})
    result = one(secrets=secrets, **more)
    assert told(result) == []
    assert why_blocked(result)[SPLUNK] == f"{MOVED} already holds a secret that the reconciler did not write"


@pytest.mark.parametrize("live", [True, False])
def test_path_of_the_retiring_generation_is_not_written_over(live: bool) -> None:
    """A path that moves back waits until the old generation's secret is gone."""
    known = b.record(previous=b.previous(hours=-1, mount=MOVED.mount, path=MOVED.path))
    result = one(
        wanted=desired_key(secret_path=MOVED, rotation=b.rotation(0.5, 0.25)), known=known,
        keys=[found_key(KEY), found_key(KEY, "99", marked="k0")],
        secrets={KEY.secret_path: b.secret(), MOVED: b.secret(live=live)},
    )  # fmt: skip
    assert told(result) == [("retire", "remove", SPLUNK)]
    assert why_blocked(result)[SPLUNK] == f"{MOVED} is the place of generation 1, whose end will empty it"


# -- rotation ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("age", [timedelta(days=2), timedelta(days=90)])
def test_rotation_with_an_overlap_issues_once(age: timedelta) -> None:
    """However long overdue, one rotation is planned, and its reason says what happens to the old key."""
    key = desired_key(rotation=b.rotation(2, 1))
    result = one(key, known=b.record(issued_at=NOW - age))
    assert told(result) == [("rotate", "issue", SPLUNK)]
    assert result.actions[0].reason == f"issued {NOW - age:%Y-%m-%d}, due every 2d; the old key keeps working for 1d"
    assert result.actions[0].generation == 2


@pytest.mark.parametrize("rotation", [b.rotation(2, 0), b.rotation(2, in_place=True)])
def test_rotation_without_an_overlap_is_in_place(rotation: Any) -> None:
    """Where the vendor regenerates, no second key is needed for a rotation without an overlap."""
    result = one(desired_key(rotation=rotation), known=b.record(issued_at=NOW - timedelta(days=2)))
    assert told(result) == [("rotate", "regenerate", SPLUNK)]
    assert result.actions[0].reason.endswith("in place: the old secret dies at once")
    assert result.actions[0].vendor_id == "100"


@pytest.mark.parametrize("issued_at", [None, NOW - timedelta(days=2) + timedelta(seconds=1)])
def test_rotation_that_is_not_due(issued_at: Any) -> None:
    """A second too early is not due, and neither is a key whose age nobody knows."""
    assert told(one(desired_key(rotation=b.rotation(2)), known=b.record(issued_at=issued_at))) == []


def test_rotation_of_a_locked_key_waits() -> None:
    """A locked key gets no new secret; the plan says that one is due."""
    key = desired_key(rotation=b.rotation(2), state=KeyState.LOCKED)
    result = one(key, known=b.record(issued_at=NOW - timedelta(days=2)))
    assert told(result) == []
    assert result.notes[0].text == "rotation is due, and waits until the key is unlocked"


def retiring(hours: float = 5, *, wanted: Any = KEY, own: str = "1", old: Observed | None = None, **more: Any) -> Any:
    """The plan while generation 1 (id 99) retires beside the current one."""
    keys = [found_key(wanted), old or found_key(wanted, "99", marked="k0")]
    known = b.record(generation=2, previous=b.previous(hours=hours), **more)
    return plan(desired_tenant([wanted]), settled(wanted, keys=keys, known=known, own=own))


def test_retiring_generation_waits_for_its_overlap() -> None:
    """Within the overlap the old generation is only noted, and no rotation starts."""
    result = retiring(wanted=desired_key(rotation=b.rotation(0.5, 0.25)))
    assert told(result) == []
    assert [note.text for note in result.notes] == [
        "generation 1 (id 99) keeps working until 2026-06-01 17:00Z; somebody still uses it (last on 2026-06-01 12:00Z)"
    ]
    assert result.unmanaged == ()


def test_retiring_generation_goes_when_its_overlap_is_over() -> None:
    """At the end of the overlap the old generation is removed, the current one stays."""
    result = retiring(0)
    assert told(result) == [("retire", "remove", SPLUNK)]
    assert (result.actions[0].vendor_id, result.actions[0].reason) == (
        "99",
        "generation 1 (id 99): its overlap is over",
    )


def test_retire_first_then_issue_once() -> None:
    """After a month without runs the old generation goes before the one new one comes."""
    result = retiring(-700, wanted=desired_key(rotation=b.rotation(0.5, 0.25)))
    assert told(result) == [("retire", "remove", SPLUNK), ("rotate", "issue", SPLUNK)]


def test_generation_that_we_are_using_may_go_on_retiring() -> None:
    """The reconciler's own rotated key is no problem until its overlap is over."""
    result = retiring(own="99")
    assert (told(result), result.blocked) == ([], ())
    unclear = replace(found_key(KEY, "99", marked=None), name="stranger")
    assert told(retiring(old=unclear)) == []


def test_lock_ends_the_overlap() -> None:
    """Locking a key takes the retiring generation away at once: it cannot be locked in the name of the key."""
    wanted = desired_key(state=KeyState.LOCKED)
    result = retiring(wanted=wanted)
    assert told(result) == [("retire", "remove", SPLUNK)]
    assert result.actions[0].reason.endswith("the key is locked")


def test_retiring_generation_that_is_gone_is_forgotten() -> None:
    """A generation that somebody deleted is not said to keep working."""
    known = b.record(generation=2, previous=b.previous())
    result = one(known=known)
    assert told(result) == [("retire", "remove", SPLUNK)]
    assert result.actions[0].reason.endswith("it is gone at the vendor")


@pytest.mark.parametrize("wanted", [KEY, desired_key(state=KeyState.ABSENT)])
def test_retiring_generation_that_is_something_else_now_is_not_deleted(wanted: Any) -> None:
    """Neither retirement nor removal deletes an id that is unclear."""
    stranger = replace(found_key(KEY, "99", marked=None), name="stranger")
    result = retiring(-1, wanted=wanted, old=stranger)
    assert told(result) == []
    assert "generation 1 is id 99, but that is now 'stranger' without our mark" in why_blocked(result)[SPLUNK]


def test_blocked_retirement_holds_the_rotation_back() -> None:
    """While the old generation cannot go, no third one comes."""
    result = retiring(-1, wanted=desired_key(rotation=b.rotation(0.5, 0.25)), own="99")
    assert (told(result), list(why_blocked(result))) == ([], [SPLUNK])


def test_narrowed_access_reaches_the_retiring_generation() -> None:
    """What the manifest takes away is taken from both generations; the expiry of the old one is left alone."""
    old = found_key(KEY, "99", marked="k0", level="5", fields={"expires": NOW, "description": "old"})
    result = retiring(old=old)
    assert told(result) == [("update", "update", SPLUNK)]
    action = result.actions[0]
    assert (action.vendor_id, action.observed, action.generation, action.level_id) == ("99", old, 1, "10")
    assert [change.path for change in action.changes] == ["description", "accessLevel"]


def test_retiring_generation_with_another_expiry_is_left_alone() -> None:
    """Only the expiry differs: it ends with its overlap anyway."""
    assert told(retiring(old=found_key(KEY, "99", marked="k0", fields={"expires": NOW}))) == []


# -- access levels that cannot be used -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "reason", "hint"),
    [
        (["Auditor", "Auditor"], "the vendor has 2 access levels named 'Auditor' (ids 50, 51)", ""),
        (["Auditors"], "the vendor has no access level named 'Auditor'", "did you mean 'Auditors'?"),
        ([], "the vendor has no access level named 'Auditor'", "an existing access level is found by its exact name"),
    ],
)
def test_existing_level_that_is_ambiguous_or_missing(names: list[str], reason: str, hint: str) -> None:
    """Names decide, never numbers: two of a name block the key, and a near miss is suggested."""
    levels = [
        b.found_level(b.desired_level(name), str(50 + at), marked=None, builtin=True) for at, name in enumerate(names)
    ]
    result = fresh(desired_key(level=LevelRef("Auditor", existing=True)), levels=[b.found_level(), *levels])
    assert told(result) == []
    assert result.blocked[0].reason == reason
    assert result.blocked[0].hint.startswith(hint)
    assert str(result.blocked[0].source) == "keys.yaml:7:3"


def test_key_on_a_blocked_level_is_blocked() -> None:
    """What depends on a level that cannot be made is not begun."""
    result = fresh(levels=[b.found_level(marked=None)], state=None)
    assert told(result) == []
    assert why_blocked(result)[SPLUNK] == "its access level 'read' is blocked"


def test_vanished_key_on_a_blocked_level_counts_as_vanished() -> None:
    """The guardrail sees every loss, also of keys that could not be issued anew."""
    key = desired_key(level=LevelRef("Auditor", existing=True))
    result = plan(desired_tenant([key]), settled(key, keys=[]))
    assert (told(result), result.vanished) == ([], 1)


# -- digests -------------------------------------------------------------------------------------------------------------


def test_orphan_names_cannot_steer_a_terminal() -> None:
    """An orphan's name is a vendor's text."""
    orphan = replace(found_key(KEY, "7", marked="late"), name="a\x1b[2Jb")
    result = fresh(keys=[orphan])
    assert [action.object.name for action in result.actions if action.operation == "remove"] == ["a�[2Jb"]
    assert result.actions[0].object.kind is Kind.API_KEY


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(days=90), "90d"), (timedelta(hours=36), "36h"), (timedelta(minutes=90), "90m"),
        (timedelta(seconds=45), "45s"), (timedelta(0), "0s"),
    ],
)  # fmt: skip
def test_durations_are_spelled_as_manifests_do(span: timedelta, text: str) -> None:
    """The largest whole unit."""
    assert text == spell(span)
