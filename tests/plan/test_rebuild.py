"""Rebuilding a state: what marks, metadata and an old document say together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.desired import VaultPath
from reconciler.model.mark import Mark, handoff_nonce
from reconciler.model.names import Kind
from reconciler.model.observed import Observed, ObservedTenant, SecretMetadata
from reconciler.model.state import Intent, IntentAction, Phase, Previous, Record, Revoked, StateDocument
from reconciler.plan.rebuild import Facts, Outcome, Rebuilt, known_keys, paths_of, rebuild
from reconciler.providers.base import Traits
from tests.support.builders import (
    NOW,
    TAG,
    TENANT,
    desired_key,
    desired_level,
    desired_tenant,
    document,
    found_key,
    key_id,
    level_id,
    mark,
    nonce,
    path_of,
    plan,
    record,
    rotation,
    settled,
)  # fmt: skip

SPLUNK = str(key_id())
READ = str(level_id())
LISTS_NOTHING = Traits(lists_keys=False)


def metadata(vendor_id: str = "100", generation: int = 1, *, version: int = 1, live: bool = True, **more: str) -> Any:
    """What Vault says of the secret of the key `splunk`."""
    custom = {
        "managed-by": "access-reconciler", "tenant": TENANT, "key": "splunk", "vendor-id": vendor_id,
        "generation": str(generation), **more,
    }  # fmt: skip
    return SecretMetadata(version, live, NOW - timedelta(hours=1), custom)


def level(seed: str = "l1", vendor_id: str = "10", name: str = "read", **more: Any) -> Observed:
    return Observed(Kind.ACCESS_LEVEL, vendor_id, name, more.pop("mark", mark(seed)), {}, **more)


def run(
    keys: Iterable[Observed] = (),
    secret: SecretMetadata | None = None,
    *,
    state: StateDocument | None = None,
    levels: Iterable[Observed] = (),
    traits: Traits | None = None,
    **desired: Any,
) -> Rebuilt:
    """Rebuild a tenant that declares the key `splunk`, unless told otherwise."""
    tenant = desired.pop("tenant", None) or desired_tenant([desired_key(**desired)])
    observed = ObservedTenant(tuple(levels), tuple(keys))
    secrets: Mapping[Any, SecretMetadata] = {path_of(): secret} if secret is not None else {}
    return rebuild(Facts(tenant, traits or Traits(), observed, state, secrets, TAG, NOW))


def texts(result: Rebuilt) -> list[str]:
    return [text for _, text in result.notes]


def twin(vendor_id: str, seed: str, generation: int) -> Observed:
    return found_key(desired_key(), vendor_id, marked=mark(seed, generation))


def test_a_key_with_its_secret() -> None:
    """Id, generation, nonce and level from the vendor; path, version and time from Vault; the rest from the manifest."""
    expires = NOW + timedelta(days=9)
    result = run([found_key(desired_key())], metadata(generation=3, version=5), protect=True, expires=expires)
    assert result.objects[SPLUNK] == Record(
        vendor_id="100", generation=3, made=1, nonce=nonce("k1"), mount="secret", path=path_of().path, version=5,
        issued_at=NOW - timedelta(hours=1), expires=expires, owner="secops@example.com", protect=True, level_id="10",
    )  # fmt: skip
    assert not result.intents
    assert not result.notes


def test_a_secret_of_another_key_is_reissued() -> None:
    """No version at its path is this key's: so says the record, and every plan until one is."""
    result = run([found_key(desired_key())], metadata("99", version=4))
    record = result.objects[SPLUNK]
    assert (VaultPath(record.mount, record.path), record.version) == (path_of(), 0)
    assert not result.intents
    assert texts(result) == [f"the secret at {path_of()} is of id 99: the next plan issues a new one"]
    desired = desired_key()
    seen = settled(desired, known=record, secrets={path_of(): metadata("99", version=4)})
    assert [action.reason for action in plan(desired_tenant([desired]), seen).actions] == [
        f"its secret is not the one at {path_of()}: reissue"
    ]


def test_a_strangers_secret_is_not_claimed() -> None:
    """Whoever wrote it did not say that it is ours: no path is recorded."""
    for odd in ({"managed-by": "x"}, {"tenant": "other"}, {"key": "other"}, {"vendor-id": ""}, {"generation": "?"}):
        result = run([found_key(desired_key())], metadata(**odd))
        assert result.objects[SPLUNK].path == ""
        assert "does not say whose it is" in texts(result)[0]


def test_no_secret_at_all() -> None:
    """The place is recorded, and the next plan finds it empty."""
    assert run([found_key(desired_key())]).objects[SPLUNK].version == 0
    gone = run([found_key(desired_key())], metadata(version=2, live=False)).objects[SPLUNK]
    assert (gone.path, gone.version) == (path_of().path, 2)


def test_two_generations() -> None:
    """Vault names the current one; the other works until the overlap, counted from the secret's time, is over."""
    keys = [twin("100", "k1", 1), twin("101", "k2", 2)]
    result = run(keys, metadata("101", 2), rotation=rotation(overlap=1)).objects[SPLUNK]
    assert (result.vendor_id, result.generation) == ("101", 2)
    until = NOW - timedelta(hours=1) + timedelta(days=1)
    assert result.previous == Previous(vendor_id="100", generation=1, nonce=nonce("k1"), until=until)
    earlier = run(keys, metadata("100", 1)).objects[SPLUNK]
    assert earlier.vendor_id == "100"
    unknown = run(keys).objects[SPLUNK]
    assert (unknown.vendor_id, unknown.previous and unknown.previous.vendor_id) == ("101", "100")
    assert unknown.previous is not None
    assert unknown.previous.until == NOW


def test_a_third_generation_is_left_out() -> None:
    """It is named, with what will become of it."""
    result = run([twin("100", "k1", 1), twin("101", "k2", 2), twin("102", "k3", 3)], metadata("102", 3))
    assert result.objects[SPLUNK].previous == Previous(
        vendor_id="101", generation=2, nonce=nonce("k2"), until=NOW - timedelta(hours=1)
    )
    assert texts(result) == [
        "left out: id 100 (generation 1); the next apply takes such keys for orphans and removes them: look first"
    ]


def test_twins_that_nothing_tells_apart() -> None:
    """Two keys of one generation, and Vault names neither: both are left out. If it names one, that is the one."""
    keys = [twin("100", "k1", 1), twin("101", "k2", 1)]
    result = run(keys)
    assert SPLUNK not in result.objects
    assert "id 100 (generation 1), id 101 (generation 1)" in texts(result)[0]
    told = run(keys, metadata("101")).objects[SPLUNK]
    assert (told.vendor_id, told.previous and told.previous.vendor_id) == ("101", "100")


def test_what_is_not_ours_is_not_recorded() -> None:
    """Another tenant's mark, no mark, the vendor's own, and a name that no object of ours can have."""
    strangers = [
        found_key(desired_key(), "1", marked=mark(tag="f" * 16)),
        found_key(desired_key(), "2", marked=None),
        replace(found_key(desired_key(), "3"), builtin=True),
    ]
    assert not run(strangers).objects
    odd = run([replace(found_key(desired_key(), "4"), name="Not A Name")])
    assert not odd.objects
    assert texts(odd) == ["id 4 has our mark, and a name that none of ours has"]


def test_what_nobody_declares_is_protected() -> None:
    """Whether it was can be told by nobody any more, unless an old record does."""
    tenant = desired_tenant([])
    lost = run([found_key(desired_key())], metadata(), tenant=tenant)
    assert lost.objects[SPLUNK].protect
    assert lost.objects[SPLUNK].path == ""
    assert "whether it was protected is lost" in texts(lost)[0]
    old = document({key_id(): record(vendor_id="99", seed="k0", owner="soc", expires=NOW)})
    told = run([found_key(desired_key())], metadata(), tenant=tenant, state=old).objects[SPLUNK]
    assert (told.vendor_id, told.protect, told.owner, told.expires) == ("100", False, "soc", NOW)


def test_levels() -> None:
    """One with our mark is ours; of several only the recorded one can be told."""
    assert run(levels=[level()]).objects[READ] == Record(
        vendor_id="10", nonce=nonce("l1"), made=1, owner="secops@example.com"
    )
    two = [level(), level("l2", "11")]
    assert "left out" in texts(run(levels=two))[0]
    old = document({level_id(): Record(vendor_id="11", nonce=nonce("l2"))})
    kept = run(levels=two, state=old)
    assert kept.objects[READ].vendor_id == "11"
    assert "left out: id 10" in texts(kept)[0]
    assert not list(run(levels=[], state=old).objects)
    unmarked = run(levels=[level(vendor_id="11", mark=None)], state=old)
    assert unmarked.objects == old.objects
    undeclared = run(levels=[level(name="old")], tenant=desired_tenant([], [desired_level("new")]))
    assert undeclared.objects["AccessLevel/old"].protect


def test_a_record_that_is_right_stays_to_the_letter() -> None:
    """Even if nothing is written beside the secret: the old document knows more."""
    known = record(applied={"a": "b"}, protect=True)
    state = document({key_id(): known})
    result = run([found_key(desired_key())], SecretMetadata(1, live=True), state=state)
    assert result.objects == {SPLUNK: known}
    assert not list(result.differences)
    lost_mark = run([found_key(desired_key(), marked=None)], SecretMetadata(1, live=True), state=state)
    assert lost_mark.objects == {SPLUNK: known}


def test_a_former_generation_stays_or_goes() -> None:
    """As the vendor lists it."""
    previous = Previous(vendor_id="90", generation=1, nonce=nonce("k0"), until=NOW + timedelta(days=1))
    state = document({key_id(): record(generation=2, previous=previous)})
    current, former = found_key(desired_key(), marked=mark(generation=2)), twin("90", "k0", 1)
    assert run([current, former], metadata(), state=state).objects[SPLUNK].previous == previous
    assert run([current], metadata(), state=state).objects[SPLUNK].previous is None
    extra = run([current, former, twin("80", "k9", 1)], metadata(), state=state)
    assert extra.objects[SPLUNK].previous == previous
    assert "id 80" in texts(extra)[0]


def test_records_without_a_key() -> None:
    """They go, unless they hold a tombstone, the id is somebody else's now, or the vendor lists no keys."""
    state = document({key_id(): record()})
    (difference,) = run(state=state).differences
    assert (difference.outcome, difference.new) == (Outcome.REMOVED, None)
    revoked = Revoked(at=NOW, by="me", reason="leaked")
    assert run(state=document({key_id(): record(revoked=revoked)})).objects[SPLUNK].revoked == revoked
    other = replace(found_key(desired_key(), marked=None), name="theirs")
    taken = run([other], state=state)
    assert taken.objects == state.objects
    assert "is another's now" in texts(taken)[0]
    assert run(state=state, traits=LISTS_NOTHING).objects == state.objects


def test_tombstones_beside_secrets() -> None:
    """They count unless something was written there since; what still lives is recorded under them."""
    at = NOW.isoformat()
    told = {"revoked-at": at, "revoked-by": "me", "revoked-reason": "leaked"}
    dead = metadata(live=False, **told)
    alone = run(secret=dead).objects[SPLUNK]
    assert alone.revoked == Revoked(at=NOW, by="me", reason="leaked")
    assert (alone.phase, alone.vendor_id, alone.path) == (Phase.REVOKED, "100", path_of().path)
    unissued = run(secret=replace(dead, custom={**told, "tenant": TENANT, "key": "splunk"})).objects[SPLUNK]
    assert (unissued.vendor_id, unissued.generation) == ("", 1)
    living = run([found_key(desired_key())], dead).objects[SPLUNK]
    assert (living.vendor_id, living.phase, living.revoked) == ("100", Phase.REVOKED, alone.revoked)
    since = replace(metadata(**told), updated=NOW + timedelta(seconds=1))
    assert run([found_key(desired_key())], since).objects[SPLUNK].revoked is None
    for odd in ("", "yesterday", "2026-01-01T00:00:00"):
        assert not run(secret=metadata(live=False, **{**told, "revoked-at": odd})).objects
    kept = document({key_id(): record(revoked=alone.revoked)})
    assert run([found_key(desired_key())], state=kept).objects[SPLUNK].revoked == alone.revoked


def test_what_a_run_left_open_is_for_the_recovery() -> None:
    """A key with an intent's nonce is not recorded, and the intent stays."""
    intent = Intent(run="r", action=IntentAction.CREATE, nonce=nonce("k1"), path=path_of().path, mount="secret")
    result = run([found_key(desired_key())], state=document(intents={key_id(): intent}))
    assert not result.objects
    assert dict(result.intents) == {SPLUNK: intent}


def test_a_vendor_that_lists_no_keys() -> None:
    """It is told the keys of the old records, and for declared keys those that Vault names."""
    tenant = desired_tenant([desired_key()])
    secrets = {path_of(): metadata("100", 2)}
    (known,) = known_keys(tenant, None, secrets, TAG)
    assert (known.vendor_id, known.name) == ("100", "splunk")
    assert known.mark == Mark(TAG, 2, handoff_nonce(TAG, SPLUNK, 2))
    state = document({key_id(): record(vendor_id="90", made=1, level_id="7"), level_id(): record(vendor_id="10")})
    assert [one.vendor_id for one in known_keys(tenant, state, secrets, TAG)] == ["90", "100"]
    same = document({key_id(): record(vendor_id="100"), key_id("gone"): record(vendor_id="")})
    assert [one.vendor_id for one in known_keys(tenant, same, secrets, TAG)] == ["100"]
    assert not list(known_keys(tenant, None, {}, TAG))


def test_paths() -> None:
    """Where keys are declared, where records say, and where former generations lie."""
    previous = Previous(vendor_id="9", generation=1, nonce="n", until=NOW, mount="secret", path="old")
    state = document(
        {key_id("x"): record(desired_key("x"), previous=previous), level_id(): Record(vendor_id="1", nonce="n")}
    )
    found = {str(path) for path in paths_of(desired_tenant([desired_key()]), state)}
    assert found == {f"secret/keys/{TENANT}/splunk", f"secret/keys/{TENANT}/x", "secret/old"}


KEYS = st.lists(
    st.builds(
        lambda vendor_id, generation, name, ours: found_key(
            desired_key(name), str(vendor_id), marked=mark(f"n{vendor_id}", generation, TAG if ours else "f" * 16)
        ),
        st.integers(100, 120), st.integers(1, 4), st.sampled_from(["splunk", "soar"]), st.booleans(),
    ),
    max_size=6, unique_by=lambda item: item.vendor_id,
)  # fmt: skip


@given(keys=KEYS, vault=st.integers(100, 120), version=st.integers(1, 3))
def test_nothing_foreign_is_recorded_and_a_second_rebuilding_agrees(
    keys: list[Observed], vault: int, version: int
) -> None:
    """Whatever is there: records name marked keys only, each key once, and on its own result nothing changes."""
    ours = {item.vendor_id for item in keys if item.mark is not None and item.mark.estate == TAG}
    secret = metadata(str(vault), version=version)
    result = run(keys, secret)
    named = [item.vendor_id for item in result.objects.values()]
    named += [item.previous.vendor_id for item in result.objects.values() if item.previous]
    assert set(named) <= ours
    assert len(named) == len(set(named))
    state = document().model_copy(update={"objects": result.objects, "intents": {}})
    again = run(keys, secret, state=state)
    assert {name: item.vendor_id for name, item in again.objects.items()} == {
        name: item.vendor_id for name, item in result.objects.items()
    }
