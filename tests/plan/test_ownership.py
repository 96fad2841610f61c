"""Whose an object is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.names import Kind
from reconciler.model.observed import Observed, ObservedTenant
from reconciler.plan.ownership import Ownership, Unclear
from tests.support import builders as b

KEY = b.desired_key()


def owners(*keys: Observed, **state: Any) -> Ownership:
    return Ownership(ObservedTenant((), keys), b.document(**state), b.TAG)


def test_recorded_object_is_found_by_id_and_nonce() -> None:
    """The name may have changed: id and mark decide."""
    renamed = replace(b.found_key(KEY), name="renamed")
    assert owners(renamed).recorded(KEY.id, "100", b.nonce("k1")) is renamed


def test_recorded_object_without_a_mark_is_found_by_id_and_name() -> None:
    """The mark may have been edited away: id and name decide."""
    found = b.found_key(KEY, marked=None)
    assert owners(found).recorded(KEY.id, "100", b.nonce("k1")) is found


def test_recorded_object_is_gone_or_unclear() -> None:
    """No such id: gone. Another mark, or neither mark nor name: unclear."""
    assert owners().recorded(KEY.id, "100", b.nonce("k1")) is None
    for found in (b.found_key(KEY, marked="other"), replace(b.found_key(KEY, marked=None), name="stranger")):
        assert owners(found).recorded(KEY.id, "100", b.nonce("k1")) == Unclear(found)


def test_of_two_objects_with_the_intents_nonce_the_one_of_that_name_counts() -> None:
    """Somebody copied a key that was just being made; the copy is foreign."""
    made, copy = b.found_key(KEY), b.found_key(b.desired_key("copy"), "7", marked="k1")
    for found in ((made, copy), (copy, made)):
        known = owners(*found, intents={KEY.id: b.intent("k1")})
        assert known.intended(KEY.id, b.intent("k1")) is made
        assert known.foreign(Kind.API_KEY) == [copy]
        assert known.orphans(Kind.API_KEY) == []


def test_renamed_object_of_an_intent_is_found() -> None:
    """Only the nonce tells."""
    renamed = replace(b.found_key(KEY), name="renamed")
    assert owners(renamed).intended(KEY.id, b.intent("k1")) is renamed
    assert owners(renamed).intended(KEY.id, b.intent("k2")) is None


def test_everything_has_its_owner() -> None:
    """Recorded, retiring, intended, late, copied, another estate's, a person's."""
    items = {
        "recorded": b.found_key(KEY),
        "retiring": b.found_key(KEY, "99", marked="k0"),
        "intended": b.found_key(KEY, "101", marked="k2"),
        "late": b.found_key(KEY, "102", marked="late"),
        "copy": b.found_key(KEY, "103", marked="k1"),
        "copy of the retiring": b.found_key(KEY, "104", marked="k0"),
        "other estate": b.found_key(KEY, "105", marked=b.mark("x", tag="0" * 16)),
        "person": b.found_key(KEY, "106", marked=None),
    }
    known = owners(*items.values(), objects={KEY.id: b.record(previous=b.previous())}, intents={KEY.id: b.intent("k2")})
    assert [name for name, item in items.items() if known.is_ours(item)] == ["recorded", "retiring", "intended"]
    assert known.orphans(Kind.API_KEY) == [items["late"]]
    assert known.foreign(Kind.API_KEY) == [items[name] for name in list(items)[4:]]
    assert known.by_id(Kind.API_KEY, "99") is items["retiring"]
    assert len(known.named(Kind.API_KEY, "splunk")) == 8


MARKS = st.sampled_from([None, *(b.mark(seed, tag=tag) for seed in ("k1", "k2", "late") for tag in (b.TAG, "0" * 16))])


@given(st.lists(st.tuples(MARKS, st.booleans(), st.sampled_from(["splunk", "jira"])), max_size=6), st.booleans())
def test_exactly_one_owner(drawn: list[tuple[Any, bool, str]], has_state: bool) -> None:
    """Every object is ours, an orphan, foreign or the vendor's own, and only one of these."""
    items = [
        replace(b.found_key(b.desired_key(name), str(100 + at), marked=marked), builtin=builtin)
        for at, (marked, builtin, name) in enumerate(drawn)
    ]
    state = b.document({KEY.id: b.record()}, {KEY.id: b.intent()}) if has_state else None
    known = Ownership(ObservedTenant((), tuple(items)), state, b.TAG)
    orphans, foreign = known.orphans(Kind.API_KEY), known.foreign(Kind.API_KEY)
    for item in items:
        vendors_own = item.builtin and not known.is_ours(item)
        assert [known.is_ours(item), item in orphans, item in foreign, vendors_own].count(True) == 1
