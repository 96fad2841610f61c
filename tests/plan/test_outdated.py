"""A state that is older than what it describes is told from a creation that came late."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from reconciler.model.desired import KeyState, LevelRef, VaultPath
from reconciler.model.names import Kind
from reconciler.model.observed import ObservedTenant, SecretMetadata
from reconciler.model.state import Handoff, HandoffAction, Record, Revoked
from reconciler.plan.outdated import paths_of_unknown
from reconciler.providers.lacework import PROVIDER as LACEWORK
from reconciler.vault import tags
from tests.support import builders as b

KEY: Final = b.desired_key()
LEAKED: Final = Revoked(at=b.NOW - timedelta(hours=1), by="me", reason="leaked")
OLD: Final = "the state is older than what it describes: "


def written(version: int, vendor_id: str = "", generation: int = 1, **custom: str) -> SecretMetadata:
    """A secret at that version, of that key by its metadata where one is given."""
    said = {"managed-by": "access-reconciler", "tenant": b.TENANT, "key": "splunk"}
    if vendor_id:
        said |= {"vendor-id": vendor_id, "generation": str(generation)}
    return replace(b.secret(version), custom={**said, **custom})


def old(secret: SecretMetadata, *, keys: Any = None, known: Record | None = None, **more: Any) -> Any:
    """The plan for a key whose generations 1 (recorded) and 2 (not recorded) exist, with that secret."""
    both = [b.found_key(KEY), b.found_key(KEY, "101", marked=b.mark("k2", 2))]
    seen = b.settled(KEY, keys=both if keys is None else keys, known=known, secrets={KEY.secret_path: secret}, **more)
    return b.plan(b.desired_tenant([KEY]), seen)


def told(text: str) -> dict[str, str]:
    return {"ApiKey/splunk": OLD + text}


def test_generation_that_vault_names_is_no_orphan() -> None:
    """Its secret is the current version, and the state knows only the one before: nothing is removed, nothing issued."""
    plan = old(written(2, "101", 2))
    assert plan.actions == ()
    assert b.why_blocked(plan) == told("version 2 of secret/keys/dsm/splunk is generation 2 (id 101)")
    (blocked,) = plan.blocked
    assert "reconciler state rebuild dsm" in blocked.hint
    (note,) = plan.notes
    assert note.text == ("id 101 has our mark, and the state does not know it: as the state is an old one, it is kept")


def test_generation_that_vault_does_not_name_is_no_orphan() -> None:
    """Metadata is written for people and may lag behind: a version that was written since is enough."""
    for secret in (written(2), written(2, "100", 1)):
        plan = old(secret)
        assert plan.actions == ()
        said = "secret/keys/dsm/splunk has got version 2 since, and generation 2 (id 101) exists"
        assert b.why_blocked(plan) == told(said)


@pytest.mark.parametrize(
    "secret",
    [
        b.secret(1),
        written(1, "100", 1),
        replace(written(2, "101", 2), live=False),
    ],
)
def test_late_creation_is_removed(secret: SecretMetadata) -> None:
    """Nothing that can be read was stored since the state was written: a creation that came late."""
    plan = old(secret)
    assert ("repair", "remove", "ApiKey/splunk") in b.told(plan)
    assert plan.blocked == ()


def test_late_creation_of_a_generation_that_has_passed_is_removed() -> None:
    """Somebody wrote at the path by hand; what came late is no later than what is recorded."""
    for known in (b.record(KEY, generation=2), b.record(KEY, previous=b.previous(generation=2))):
        assert ("repair", "remove", "ApiKey/splunk") in b.told(old(written(2), known=known))


def test_generation_that_an_intent_announces_is_known() -> None:
    """A run stored its secret and died: that is for the recovery, and the state is in order."""
    state = b.document(
        {b.level_id(): b.level_record(), KEY.id: b.record(KEY)}, {KEY.id: b.intent("k2", generation=2, base_version=1)}
    )
    plan = old(written(2, "101", 2), state=state)
    assert plan.blocked == ()
    assert ("repair", "record", "ApiKey/splunk") in b.told(plan)


def test_later_secret_of_the_same_key_is_a_sign() -> None:
    """It has got a new secret in place since."""
    plan = old(written(2, "100", 2), keys=[b.found_key(KEY)])
    assert plan.actions == ()
    assert b.why_blocked(plan) == told("version 2 of secret/keys/dsm/splunk is generation 2 (id 100)")


def test_key_with_a_name_that_none_of_ours_has_is_an_orphan() -> None:
    """Somebody renamed it in the console: where its secret would be cannot be told."""
    renamed = replace(b.found_key(KEY, "101", marked=b.mark("k2", 2)), name="Not One Of Ours")
    plan = old(written(2), keys=[b.found_key(KEY), renamed])
    assert [action.vendor_id for action in plan.actions] == ["101"]


def test_later_secret_of_a_key_that_is_gone_is_none() -> None:
    """Nothing lives that could be harmed: the plan goes on as ever, and says that somebody wrote there."""
    plan = old(written(2, "101", 2), keys=[b.found_key(KEY)])
    assert plan.blocked == ()
    assert "we wrote 1" in plan.notes[0].text


def test_secret_at_the_path_that_is_wanted_now_is_looked_at() -> None:
    """The path has moved in Git, and the rotation that moved the secret is what the state has forgotten."""
    moved = replace(KEY, secret_path=b.path_of(folder="moved"))
    both = [b.found_key(KEY), b.found_key(KEY, "101", marked=b.mark("k2", 2))]
    secrets = {KEY.secret_path: b.secret(1), moved.secret_path: written(1, "101", 2)}
    seen = b.settled(KEY, keys=both, secrets=secrets)
    plan = b.plan(b.desired_tenant([moved]), seen)
    assert plan.actions == ()
    assert "version 1 of secret/moved/dsm/splunk is generation 2" in b.why_blocked(plan)["ApiKey/splunk"]


def test_key_without_record_is_no_orphan() -> None:
    """It was made since, whether a manifest wants it still or not."""
    secrets = {KEY.secret_path: written(1, "100", 1)}
    state = b.document({b.level_id(): b.level_record()})
    for keys in ([KEY], []):
        seen = b.settled(KEY, state=state, secrets=secrets)
        plan = b.plan(b.desired_tenant(keys), seen)
        assert plan.actions == ()
        assert b.why_blocked(plan) == told("version 1 of secret/keys/dsm/splunk is generation 1 (id 100)")


def test_levels_of_an_old_state_are_neither_removed_nor_made_again() -> None:
    """A level that the state has forgotten is blocked if it is wanted, and kept if it is not."""
    spare, gone = b.desired_level("spare"), b.desired_level("gone")
    levels = [
        b.found_level(), b.found_level(spare, "11", marked="l2"), b.found_level(gone, "12", marked="l3"),
    ]  # fmt: skip
    both = [b.found_key(KEY), b.found_key(KEY, "101", marked=b.mark("k2", 2))]
    secrets = {KEY.secret_path: written(2, "101", 2)}
    seen = b.settled(KEY, levels=levels, keys=both, secrets=secrets)
    other = b.desired_key("other", level=LevelRef("spare"))
    plan = b.plan(b.desired_tenant([KEY, other], [b.desired_level(), spare]), seen)
    assert plan.actions == ()
    why = b.why_blocked(plan)
    assert why["AccessLevel/spare"] == OLD + "generation 1 (id 11) exists"
    assert why["ApiKey/other"] == "its access level 'spare' is blocked"
    assert {str(note.object) for note in plan.notes} == {"AccessLevel/spare", "AccessLevel/gone", "ApiKey/splunk"}


def test_other_keys_of_an_old_state_go_on() -> None:
    """What the state is right about is still reconciled."""
    other = b.desired_key("other", description="another text")
    seen = b.settled(
        KEY,
        keys=[
            b.found_key(KEY), b.found_key(KEY, "101", marked=b.mark("k2", 2)),
            b.found_key(other, "7", marked="k7", fields={"description": "a text"}),
        ],
        state=b.document(
            {b.level_id(): b.level_record(), KEY.id: b.record(KEY), other.id: b.record(other, "7", "k7")}
        ),
        secrets={KEY.secret_path: written(2, "101", 2), other.secret_path: b.secret()},
    )  # fmt: skip
    plan = b.plan(b.desired_tenant([KEY, other]), seen)
    assert b.told(plan) == [("update", "update", "ApiKey/other")]


def buried(at: datetime = LEAKED.at, **more: Any) -> SecretMetadata:
    """The metadata of an entry whose secret was revoked then."""
    at_then = LEAKED.model_copy(update={"at": at})
    return replace(
        b.secret(1, live=False, updated=at - timedelta(days=1)),
        custom=tags.tombstone(at_then, b.TENANT, "splunk"),
        **more,
    )


def test_tombstone_that_the_state_has_not_got() -> None:
    """A key that was revoked is not issued again because an old state has forgotten it."""
    plan = old(buried(), keys=[])
    assert plan.actions == ()
    assert b.why_blocked(plan) == told("it was revoked 2026-06-01 11:00Z, says secret/keys/dsm/splunk: leaked")


def test_later_tombstone_than_the_states() -> None:
    """Revoked, issued again, revoked again: the state knows the first of them, and Git's word for the second key stands."""
    first = LEAKED.model_copy(update={"at": LEAKED.at - timedelta(days=3)})
    asked = replace(KEY, reissue_after=LEAKED.at - timedelta(days=2))
    seen = b.settled(KEY, keys=[], known=b.record(KEY, revoked=first), secrets={KEY.secret_path: buried()})
    plan = b.plan(b.desired_tenant([asked]), seen)
    assert plan.actions == ()
    assert "it was revoked 2026-06-01 11:00Z" in b.why_blocked(plan)["ApiKey/splunk"]


@pytest.mark.parametrize("known", [b.record(KEY, revoked=LEAKED), b.record(KEY, path="elsewhere/splunk")])
def test_tombstone_that_is_no_sign(known: Record) -> None:
    """The state has it as well, or it lies where the key was once, and has nothing to do with the key that lives now."""
    secrets = {KEY.secret_path: buried(), VaultPath("secret", "elsewhere/splunk"): b.secret()}
    plan = b.plan(b.desired_tenant([KEY]), b.settled(KEY, known=known, secrets=secrets))
    assert OLD not in "".join(b.why_blocked(plan).values())


def test_handoff_of_a_key_whose_state_is_old_stays() -> None:
    """It is not taken for one that is no longer wanted."""
    handoff = Handoff(action=HandoffAction.UPDATE, opened=b.NOW, by="me")
    assert old(written(2, "101", 2), known=b.record(KEY, handoff=handoff)).actions == ()


def test_vendor_that_lists_no_keys() -> None:
    """There only Vault's metadata tells: a later generation is believed to exist."""
    user = b.desired_level("bot", kind=Kind.SERVICE_USER, permissions={"groups": ["READ"]})
    key = replace(KEY, level=LevelRef("bot", kind=Kind.SERVICE_USER), state=KeyState.ACTIVE)
    desired = b.desired_tenant([key], [user], provider=LACEWORK.name)
    for secret, known in ((written(2, "101", 2), b.record(key)), (written(1, "100", 1), None)):
        objects = {key.id: known} if known is not None else {}
        seen = b.view(state=b.document(objects), secrets={key.secret_path: secret})
        plan = b.plan(desired, seen, LACEWORK)
        assert "is generation" in b.why_blocked(plan)["ApiKey/splunk"]


def test_owner_of_keys_stays_locked_while_the_state_is_old() -> None:
    """A revocation has locked it, and an old state does not know of that."""
    user = b.desired_level("bot", kind=Kind.SERVICE_USER, permissions={"groups": ["READ"]})
    key = replace(KEY, level=LevelRef("bot", kind=Kind.SERVICE_USER))
    found = replace(
        b.found_level(vendor_id="u1"), kind=Kind.SERVICE_USER, name="bot",
        fields={**LACEWORK.level_fields(user), "state": "locked"},
    )  # fmt: skip
    state = b.document({user.id: b.level_record("u1"), key.id: b.record(key)})
    desired = b.desired_tenant([key], [user], provider=LACEWORK.name)
    plan = b.plan(desired, b.view(levels=[found], state=state, secrets={key.secret_path: buried()}), LACEWORK)
    assert plan.actions == ()
    assert "may have forgotten that a key of it was revoked" in plan.notes[0].text


def test_only_unknown_keys_of_ours_are_looked_for() -> None:
    """A key that is recorded or declared has its path; one without our mark, or with a name that none of ours has, none."""
    named = {name: b.found_key(b.desired_key(name), name, marked=f"m{name}") for name in ("recorded", "wanted", "lost")}
    others = [
        b.found_key(b.desired_key("theirs"), "9", marked=None),
        b.found_key(b.desired_key("Odd One"), "8", marked="m8"),
    ]
    observed = ObservedTenant((), (*named.values(), *others))
    desired = b.desired_tenant([b.desired_key("wanted")])
    document = b.document({b.key_id("recorded"): b.record()})
    assert list(paths_of_unknown(desired, observed, document, b.TAG)) == [b.path_of("lost")]
