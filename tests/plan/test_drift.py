"""Drift: each class of it, told apart from what Git wants, from the view that a plan is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.model.desired import IgnoredDrift, KeyState, LevelRef, Unmanaged
from reconciler.model.finding import Severity
from reconciler.model.names import Kind, ObjectId
from reconciler.model.state import IntentAction, Lease, Phase, Revoked
from reconciler.plan import digest
from reconciler.plan.drift import TenantDrift, find_drift, only
from reconciler.plan.drift_rules import RULES, Horizon, Rule, identity
from reconciler.plan.target import Target
from reconciler.providers.trend_workload_security import PROVIDER
from tests.support import builders as b

DAY = timedelta(days=1)
LEVEL = b.desired_level()


def look(desired: Any, seen: Any, **more: Any) -> TenantDrift:
    """The drift of a tenant, from its plan."""
    return find_drift(
        desired, PROVIDER, seen, b.plan(desired, seen), estate=b.ESTATE_ID, horizon=more.pop("horizon", Horizon())
    )


def known(key: Any = None, **more: Any) -> Any:
    """The record of a key that this version has applied."""
    key = key or b.desired_key()
    return b.record(key, **{"applied": digest.asked(PROVIDER, key), **more})


def settled(key: Any = None, *, record: Any = None, **more: Any) -> Any:
    key = key or b.desired_key()
    return b.settled(key, known=record or known(key), **more)


def rules(drift: TenantDrift) -> list[str]:
    return [str(one.rule).partition("/")[2] for one in drift.findings]


def of(key: Any = None, seen: Any = None, **more: Any) -> TenantDrift:
    key = key or b.desired_key()
    return look(b.desired_tenant([key]), seen or settled(key), **more)


def test_in_sync() -> None:
    """What is as the last apply left it is neither drift nor pending."""
    drift = of()
    assert (drift.findings, drift.pending, drift.ignored, drift.blocked) == ((), (), (), ())


def test_every_rule_is_described() -> None:
    """In a sentence, with a name that begins with its room."""
    assert set(RULES) == set(Rule)
    assert all(rule.startswith("drift/") and text.endswith(".") for rule, text in RULES.items())


# --- changed ------------------------------------------------------------------------------------------------------------


def test_changed_at_the_vendor() -> None:
    """A finding for each field, from what Git wants to what the vendor has, worse where it is about access."""
    key = b.desired_key()
    drift = of(key, settled(key, fields={"timeZone": "Asia/Tokyo", "state": "locked"}))
    assert rules(drift) == ["changed", "changed"]
    told = {one.changes[0].path: one for one in drift.findings}
    assert (told["options.timeZone"].changes[0].old, told["options.timeZone"].changes[0].new) == (
        "Etc/UTC",
        "Asia/Tokyo",
    )
    assert told["options.timeZone"].severity is Severity.LOW
    assert told["state"].severity is Severity.HIGH
    assert told["state"].message == "state was changed at the vendor"
    assert told["state"].source == key.source
    assert drift.pending == ()


def test_changed_in_git_is_pending() -> None:
    """The vendor has what was applied: Git has changed, and that is no drift."""
    was = b.desired_key()
    now = b.desired_key(description="Another text", owner="others@example.com")
    drift = look(b.desired_tenant([now]), b.settled(was, known=known(was)))
    assert drift.findings == ()
    (pending,) = drift.pending
    assert (pending.object, pending.what) == (now.id, "description, owner changed in Git")


def test_changed_on_both_sides_is_drift() -> None:
    """And the finding says so."""
    was = b.desired_key()
    now = b.desired_key(description="Another text")
    drift = look(b.desired_tenant([now]), b.settled(was, known=known(was), fields={"description": "theirs"}))
    assert rules(drift) == ["changed"]
    assert "Git wants something else again" in drift.findings[0].message


def test_what_cannot_be_told_is_drift() -> None:
    """A record of an older version remembers nothing of the field: it counts as drift, and says why."""
    key = b.desired_key()
    drift = of(key, b.settled(key, fields={"description": "theirs"}))
    assert rules(drift) == ["changed"]
    assert "cannot be told" in drift.findings[0].message
    assert drift.findings[0].figures["origin"] == "unknown"


def test_a_level_that_changed() -> None:
    """Access levels drift as keys do; their permissions are grave, their descriptions are not."""
    key = b.desired_key()
    permissions = PROVIDER.level_fields(b.desired_level(permissions={"platformRights": {}}))["permissions"]
    found = b.found_level(fields={"permissions": permissions, "description": "theirs"})
    state = b.document({LEVEL.id: b.level_record(applied=digest.asked(PROVIDER, LEVEL)), key.id: known(key)})
    drift = of(key, settled(key, levels=[found], state=state))
    assert {one.object for one in drift.findings} == {LEVEL.id}
    assert {one.changes[0].path.partition(".")[0]: one.severity for one in drift.findings} == {
        "permissions": Severity.HIGH,
        "description": Severity.LOW,
    }


def test_another_level_was_given_to_a_key() -> None:
    """The key's access level is a field of it."""
    key = b.desired_key()
    other = replace(b.found_level(vendor_id="66", marked=None), name="Full Access", builtin=True)
    drift = of(key, settled(key, keys=[b.found_key(key, level="66")], levels=[b.found_level(), other]))
    assert rules(drift) == ["changed"]
    assert (drift.findings[0].changes[0].old, drift.findings[0].changes[0].new) == ("read", "Full Access (existing)")
    moved = replace(key, level=LevelRef("Full Access", existing=True))
    pending = look(b.desired_tenant([moved]), settled(key, levels=[b.found_level(), other]))
    assert [one.what for one in pending.pending] == ["accessLevel changed in Git"]
    assert pending.findings == ()


def test_a_key_whose_level_is_gone_has_not_changed() -> None:
    """It is the level that is missing; its keys still have the id that they were given."""
    drift = of(seen=settled(levels=[]))
    assert [(str(one.rule), one.object) for one in drift.findings] == [("drift/missing", LEVEL.id)]
    assert [one.object for one in drift.pending] == [b.key_id()]


def test_a_lost_mark() -> None:
    """Somebody edited our mark away."""
    drift = of(seen=settled(marked=None))
    assert [(one.rule, one.changes[0].path) for one in drift.findings] == [(Rule.CHANGED, "mark")]


def test_another_object_under_our_id() -> None:
    """Nothing is done to it, so that drift has to say it."""
    key = b.desired_key()
    drift = of(key, settled(key, keys=[b.found_key(key, marked=None, fields={"name": "some\x1bthing"})]))
    assert rules(drift) == ["changed"]
    assert "does not carry our mark" in drift.findings[0].message
    assert "\x1b" not in drift.findings[0].message
    assert [one.object for one in drift.blocked] == [key.id]
    taken_out = look(b.desired_tenant([]), settled(key, keys=[b.found_key(key, marked=None, fields={"name": "x"})]))
    assert taken_out.findings == ()


def test_drift_in_an_overlap() -> None:
    """A former generation drifts as well, and is told apart from the current one."""
    key = b.desired_key(rotation=b.rotation())
    former = b.found_key(key, "99", marked=b.mark("k0"), fields={"locale": "ja-JP"})
    record = known(key, generation=2, previous=b.previous())
    seen = settled(key, record=record, keys=[b.found_key(key, marked=b.mark("k1", 2)), former])
    drift = of(key, seen)
    assert rules(drift) == ["changed"]
    assert drift.findings[0].message.startswith("generation 1 (id 99), in its overlap: options.locale")
    assert "generation 1" in identity(drift.findings[0])


# --- missing and unmanaged ----------------------------------------------------------------------------------------------


def test_missing() -> None:
    """A key, a level: gone at the vendor, and wanted."""
    drift = of(seen=settled(keys=[]))
    assert [(one.rule, one.object) for one in drift.findings] == [(Rule.MISSING, b.key_id())]
    assert drift.pending == ()


@pytest.mark.parametrize("more", [{"expires": b.NOW - DAY}, {"state": KeyState.ABSENT}])
def test_what_should_be_gone_is_not_missing(more: Mapping[str, Any]) -> None:
    """An expired key, one that is declared absent, or one that was taken out of Git."""
    key = b.desired_key(**more)
    assert look(b.desired_tenant([key]), settled(key, keys=[])).findings == ()
    assert look(b.desired_tenant([]), settled(key, keys=[])).findings == ()


def test_what_git_wants_is_pending() -> None:
    """A key to be made, and one to be removed."""
    key, new = b.desired_key(), b.desired_key("new")
    assert [(str(one.object), one.what) for one in look(b.desired_tenant([key, new]), settled(key)).pending] == [
        ("ApiKey/new", "create is pending")
    ]
    assert [(str(one.object), one.what) for one in look(b.desired_tenant([]), settled(key)).pending] == [
        ("ApiKey/splunk", "delete is pending")
    ]


def test_unmanaged() -> None:
    """Keys and levels that are in no manifest, by the vendor's id; the one that we use and the vendor's own are not."""
    key = b.desired_key()
    shadow = b.found_key(b.desired_key("shadow"), "77", marked=None, fields={"name": "sha\x1b[2Jdow"})
    shadow = replace(shadow, facts={"created": b.NOW, "createdBy": "eve@example.com", "deprecated": "old\x1btype"})
    own = b.found_key(b.desired_key("own"), "1", marked=None)
    custom = replace(b.found_level(vendor_id="12", marked=None), name="theirs")
    builtin = replace(b.found_level(vendor_id="13", marked=None, builtin=True), name="Auditor")
    seen = settled(key, keys=[b.found_key(key), shadow, own], levels=[b.found_level(), custom, builtin])
    drift = of(key, seen)
    assert sorted(rules(drift)) == ["deprecated", "unmanaged", "unmanaged"]
    found = {identity(one): one for one in drift.findings}
    one = found["drift/unmanaged|dsm|ApiKey/id 77|"]
    assert one.severity is Severity.MEDIUM
    assert one.figures["created"] == b.NOW.isoformat()
    assert one.message.endswith("eve@example.com did")
    assert found["drift/unmanaged|dsm|AccessLevel/id 12|"].severity is Severity.LOW
    assert not any("\x1b" in str(each) for each in drift.findings)
    ignoring = look(b.desired_tenant([key], unmanaged=Unmanaged.IGNORE), seen)
    assert ignoring.findings == ()


# --- secrets ------------------------------------------------------------------------------------------------------------


def test_secret_missing() -> None:
    """It was deleted in Vault."""
    drift = of(seen=settled(secrets={b.path_of(): b.secret(live=False)}))
    assert rules(drift) == ["secret-missing"]
    assert drift.findings[0].figures["path"] == str(b.path_of())
    assert drift.pending == ()


def test_secret_changed() -> None:
    """The current version is not the one that we wrote."""
    drift = of(seen=settled(secrets={b.path_of(): b.secret(3)}))
    assert rules(drift) == ["secret-changed"]
    assert (drift.findings[0].figures["version"], drift.findings[0].figures["ours"]) == (3, 1)


def test_the_unknown_secret_of_an_adopted_key() -> None:
    """Nobody knows it: it is not missing."""
    key = b.desired_key()
    drift = of(key, settled(key, record=known(key, adopted=True, version=0), secrets={}))
    assert drift.findings == ()


# --- time ---------------------------------------------------------------------------------------------------------------


def test_rotation_overdue() -> None:
    """It is due by its age; a locked key waits."""
    key = b.desired_key(rotation=b.rotation(90))
    old = known(key, issued_at=b.NOW - 91 * DAY)
    seen = settled(key, record=old, keys=[replace(b.found_key(key), facts={})])
    assert rules(of(key, seen)) == ["rotation-overdue"]
    assert of(key, seen).pending == ()
    locked = b.desired_key(rotation=b.rotation(90), state=KeyState.LOCKED)
    assert of(locked, settled(locked, record=known(locked, issued_at=b.NOW - 91 * DAY))).findings == ()


def test_expiring() -> None:
    """Within the days that are asked for; the vendor's own earlier end counts once it should have been renewed."""
    soon = b.desired_key(expires=b.NOW + 10 * DAY)
    assert rules(of(soon)) == ["expiring"]
    assert of(soon, horizon=Horizon(expiring=9 * DAY)).findings == ()
    assert of(soon, horizon=Horizon(expiring=None)).findings == ()
    key = b.desired_key()
    applied = {**digest.asked(PROVIDER, key), "expires": digest.field(b.NOW + 5 * DAY)}
    seen = settled(key, record=known(key, applied=applied), fields={"expires": b.NOW + 5 * DAY})
    drift = of(key, seen)
    assert rules(drift) == ["expiring"]
    assert "should have been renewed 7d before" in drift.findings[0].message
    far = settled(key, record=known(key, applied=applied), fields={"expires": b.NOW + 8 * DAY})
    assert "expiring" not in rules(of(key, far))


def test_expired_but_alive() -> None:
    """Wherever the date came from: time has made it, not Git."""
    key = b.desired_key(expires=b.NOW - DAY)
    assert rules(of(key)) == ["expired-alive"]
    assert of(key).pending == ()


def test_a_former_generation_that_should_be_gone() -> None:
    """Its overlap is over. One that is held while it is used may stay."""
    key = b.desired_key(rotation=b.rotation())
    record = known(key, generation=2, previous=b.previous(hours=-1))
    keys = [b.found_key(key, marked=b.mark("k1", 2)), b.found_key(key, "99", marked=b.mark("k0"))]
    drift = of(key, settled(key, record=record, keys=keys))
    assert rules(drift) == ["expired-alive"]
    assert drift.findings[0].figures["vendorId"] == "99"
    held = b.desired_key(rotation=replace(b.rotation(), hold_while_used=True))
    assert of(held, settled(held, record=record, keys=keys)).findings == ()
    gone = settled(key, record=record, keys=keys[:1])
    assert of(key, gone).findings == ()


def test_a_quarantine_that_is_over() -> None:
    """The key should be gone; before the end it is just locked."""
    key = b.desired_key()
    for hours, found in ((-1, ["expired-alive"]), (1, [])):
        record = known(key, phase=Phase.QUARANTINED, quarantine_until=b.NOW + timedelta(hours=hours))
        assert rules(look(b.desired_tenant([]), settled(key, record=record))) == found


def test_unused() -> None:
    """Since its last use, or else since it was issued; not if it is locked, nor where the vendor does not tell."""
    key = b.desired_key()
    old = known(key, issued_at=b.NOW - 200 * DAY)

    def used(facts: Mapping[str, Any], **more: Any) -> TenantDrift:
        found = replace(b.found_key(key, fields=more), facts=facts)
        return of(key, settled(key, record=old, keys=[found]))

    assert rules(used({"lastUsed": b.NOW - 91 * DAY})) == ["unused"]
    assert "last used on 2026-03-02" in used({"lastUsed": b.NOW - 91 * DAY}).findings[0].message
    assert used({"lastUsed": b.NOW - 89 * DAY}).findings == ()
    assert "no use of it is known" in used({"lastUsed": None}).findings[0].message
    assert used({}).findings == ()
    assert "unused" not in rules(used({"lastUsed": None}, state="locked"))
    found = replace(b.found_key(key), facts={"lastUsed": None})
    assert of(key, settled(key, record=old, keys=[found]), horizon=Horizon(unused=None)).findings == ()
    assert of(key, settled(key, keys=[found])).findings == ()  # issued yesterday


def test_deprecated() -> None:
    """A key of ours of a type that the vendor switches off."""
    key = b.desired_key()
    found = replace(b.found_key(key), facts={"deprecated": "keys of type SIEM"})
    assert rules(of(key, settled(key, keys=[found]))) == ["deprecated"]


# --- what a run left ----------------------------------------------------------------------------------------------------


def test_a_revoked_key_that_lives() -> None:
    """Of either generation, or its secret; a tombstone is nothing."""
    key = b.desired_key()
    revoked = Revoked(at=b.NOW - DAY, by="me", reason="leaked")
    drift = of(key, settled(key, record=known(key, revoked=revoked)))
    assert rules(drift) == ["revoked-alive"]
    assert drift.findings[0].figures["left"] == ["key 100", "its secret in Vault"]
    assert drift.findings[0].severity is Severity.CRITICAL
    former = known(key, revoked=revoked, vendor_id="", path="", previous=b.previous())
    left = of(key, settled(key, record=former, keys=[b.found_key(key, "99", marked=b.mark("k0"))], secrets={}))
    assert left.findings[0].figures["left"] == ["key 99"]
    tomb = known(key, revoked=revoked, vendor_id="", path="")
    assert of(key, settled(key, record=tomb, keys=[], secrets={})).findings == ()


def test_unfinished() -> None:
    """An intent that a dead run left, and a key of ours that nobody recorded; not while a run is at work."""
    key = b.desired_key()
    open_intent = b.intent(action=IntentAction.REGENERATE, vendor_id="100")
    orphan = b.found_key(b.desired_key("lost"), "88", marked="zz")
    records = {LEVEL.id: b.level_record(), key.id: known(key)}
    state = b.document(records, {key.id: open_intent})
    drift = of(key, settled(key, state=state, keys=[b.found_key(key), orphan], secrets={}))
    assert [(str(one.rule), str(one.object)) for one in drift.findings] == [
        ("drift/unfinished", "ApiKey/lost"),
        ("drift/unfinished", "ApiKey/splunk"),
    ]
    lease = Lease(run="r", holder="ci", since=b.NOW, expires=b.NOW + DAY)
    working = state.model_copy(update={"lease": lease})
    busy = of(key, settled(key, state=working, keys=[b.found_key(key), orphan], secrets={}))
    assert busy.findings == ()
    assert "has been at work" in busy.notes[0].text


def test_a_creation_that_was_interrupted() -> None:
    """Of a key that no manifest wants any more there is no place to name."""
    state = b.document({}, {b.key_id(): b.intent()})
    drift = look(b.desired_tenant([], []), b.view(state=state))
    assert rules(drift) == ["unfinished"]
    assert drift.findings[0].source is None


def test_a_state_that_was_lost() -> None:
    """It is about the tenant, and everything is blocked."""
    key = b.desired_key()
    drift = of(key, b.view(levels=[b.found_level()], keys=[b.found_key(key)]))
    assert rules(drift) == ["state-missing"]
    assert drift.findings[0].object is None
    assert len(drift.blocked) == 2


def test_a_tenant_without_anything() -> None:
    """Nothing was applied yet: all of it is pending."""
    drift = of(b.desired_key(), b.view())
    assert drift.findings == ()
    assert [str(one.object) for one in drift.pending] == ["AccessLevel/read", "ApiKey/splunk"]


def test_what_was_left_behind_on_purpose() -> None:
    """A key that was forgotten is nobody's drift."""
    key = b.desired_key()
    assert look(b.desired_tenant([]), settled(key, record=known(key, phase=Phase.ORPHANED))).findings == ()


# --- ignoring and narrowing ---------------------------------------------------------------------------------------------


def test_ignored() -> None:
    """It is counted with its end and its reason, and is no finding."""
    item = IgnoredDrift(("description",), b.NOW + DAY, "testing")
    key = b.desired_key(ignore_drift=(item,))
    record = known(key)
    drift = of(key, settled(key, record=record, fields={"description": "theirs"}))
    assert drift.findings == ()
    assert [(one.object, one.field, one.by) for one in drift.ignored] == [(key.id, "description", item)]


def test_only() -> None:
    """A tenant is taken whole, an object without the rest; of another tenant nothing is left out."""
    key, other = b.desired_key(), b.desired_key("jira")
    seen = b.settled(key, fields={"description": "theirs"})
    drift = look(b.desired_tenant([key, other]), seen)
    assert only(drift, [Target.parse("dsm")]) == drift
    assert only(drift, [Target.parse("else/splunk")]) == drift
    assert only(drift, [Target.parse("dsm/jira")]).findings == ()
    assert [one.object for one in only(drift, [Target.parse("dsm/jira")]).pending] == [other.id]
    assert only(drift, [Target.parse("dsm/splunk")]).findings == drift.findings


def test_identity_has_no_values_and_no_times() -> None:
    """The same thing in the next run is the same finding, whatever its values are then."""
    key = b.desired_key()
    first = of(key, settled(key, fields={"description": "one"}))
    second = of(key, settled(key, fields={"description": "two"}))
    assert identity(first.findings[0]) == identity(second.findings[0]) == "drift/changed|dsm|ApiKey/splunk|description"
    assert ObjectId(Kind.API_KEY, "splunk") == first.findings[0].object


def test_a_state_that_is_too_old() -> None:
    """Somebody restored a snapshot of Vault: neither is the key unfinished then, nor anything else of it told."""
    key = b.desired_key()
    newer = b.secret(2)
    custom = {"generation": "2", "vendor-id": "200"}
    found = b.found_key(key, "200", marked=b.mark("k2", 2))
    seen = settled(key, keys=[found], secrets={b.path_of(): replace(newer, custom=custom)})
    drift = of(key, seen)
    assert rules(drift) == ["state-outdated"]
    assert drift.findings[0].object == key.id
    assert [one.object for one in drift.blocked] == [key.id]
