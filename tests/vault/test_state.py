"""State documents: one commit, never lost, never taken for empty."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import Conflict, ContractBroken, InvalidInput, NotFound, NotPermitted, OutcomeUnknown, Rejected
from reconciler.model.state import (
    Handoff,
    HandoffAction,
    Intent,
    IntentAction,
    Lease,
    Phase,
    Previous,
    Record,
    Revoked,
    StateDocument,
)
from reconciler.vault import buckets, state
from reconciler.vault.buckets import Bucket
from tests.support.openbao import ESTATE, Sandbox, empty_state
from tests.support.troubled import LOST, Instead, Proxy

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
FULL = Record(
    vendor_id="17", generation=3, nonce="n" * 16, phase=Phase.BLOCKED, mount="secret", path="a/b", version=7, issued_at=NOW,
    expires=NOW, owner="me", protect=True, handoff=Handoff(action=HandoffAction.DELETE, opened=NOW, by="ann", wanted="ab"),
    previous=Previous(vendor_id="16", generation=2, nonce="m" * 16, until=NOW),
    revoked=Revoked(at=NOW, by="me", reason="leak"),
)  # fmt: skip
WHOLE = (
    empty_state(credentials={"vault": {"path": "x", "mount": None}})
    .record("ApiKey/splunk", FULL)
    .intend("ApiKey/new", Intent(run="r", action=IntentAction.CREATE, nonce="o" * 16))
    .model_copy(update={"lease": Lease(run="r", holder="h", since=NOW, expires=NOW)})
)
PLACE = f"reconciler/{ESTATE}/dsm"


def small(number: int = 0) -> Record:
    return Record(vendor_id=str(number), nonce=f"{number:016}")


def many(count: int, document: StateDocument | None = None) -> StateDocument:
    records = {f"ApiKey/k{number:05}": small(number) for number in range(count)}
    return (document or empty_state()).model_copy(update={"objects": records})


@pytest.fixture
def tiny_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten records to a bucket."""
    monkeypatch.setattr(buckets, "RECORDS", 10)


def test_a_document_comes_back_as_it_was(sandbox: Sandbox) -> None:
    """Every field survives, in one entry, as one text; a second store reads the same."""
    store = sandbox.states()
    assert store.load("dsm") == (None, 0)
    assert store.commit(WHOLE, 0) == 1
    assert store.load("dsm") == (WHOLE, 1)
    assert sandbox.states().load("dsm") == (WHOLE, 1)
    assert set(sandbox.get(PLACE)) == {"document"}
    assert str(store.path("dsm")) == f"{sandbox.mount}/{PLACE}"


def test_only_the_first_of_two_commits_counts(sandbox: Sandbox) -> None:
    """Check-and-set, whether this store has seen the other commit or not."""
    one, two = sandbox.states(), sandbox.states()
    one.commit(empty_state(), 0)
    two.load("dsm")
    one.commit(WHOLE, 1)
    with pytest.raises(Conflict):
        two.commit(empty_state(), 1)
    with pytest.raises(Conflict):
        sandbox.states().commit(empty_state(), 1)
    with pytest.raises(Conflict):
        sandbox.states().commit(empty_state(), 0)
    assert one.load("dsm") == (WHOLE, 2)


def test_a_document_of_another_estate_is_not_committed(sandbox: Sandbox) -> None:
    """A mistake of ours, caught before it does harm."""
    with pytest.raises(ValueError, match="another estate"):
        sandbox.states().commit(empty_state().model_copy(update={"estate": UUID(int=1)}), 0)


def head(**changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(empty_state().model_dump_json(by_alias=True))
    return {**document, **changes}


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ({"document": "{"}, ContractBroken, "it is not JSON.*restore an older version"),
        ({"document": "[]"}, ContractBroken, "damaged"),
        ({"document": "{}"}, ContractBroken, "damaged"),
        ({}, ContractBroken, "damaged"),
        ({"document": {"format": 1}}, ContractBroken, "damaged"),
        ({"document": json.dumps(head(format=2, news="x"))}, InvalidInput, "format 2.*upgrade"),
        ({"document": json.dumps(head(surprise=1))}, ContractBroken, "surprise"),
        ({"document": json.dumps(head(estate=str(UUID(int=1))))}, InvalidInput, "state of estate 00000000"),
        ({"document": json.dumps(head(tenant="other"))}, InvalidInput, "tenant other"),
        ({"document": json.dumps(head(objects={"ApiKey/x": {}}))}, ContractBroken, "damaged"),
    ],
)
def test_promise_3_what_cannot_be_read_is_never_an_empty_tenant(
    sandbox: Sandbox, content: dict[str, Any], error: type[Exception], words: str
) -> None:
    """Damaged, another estate's, a newer program's: an error with a way out, for reading and for writing."""
    sandbox.put(PLACE, content)
    with pytest.raises(error, match=words):
        sandbox.states().load("dsm")
    with pytest.raises(error, match=words):
        sandbox.states().commit(empty_state(), 1)


@pytest.mark.promise(3)
def test_promise_3_a_state_that_was_removed_is_never_an_empty_tenant(sandbox: Sandbox) -> None:
    """Deleted or destroyed, the state is missed; undeleted it is back."""
    store = sandbox.states()
    store.commit(WHOLE, 0)
    sandbox.server.request("DELETE", f"{sandbox.mount}/data/{PLACE}")
    with pytest.raises(ContractBroken, match=r"state was removed from Vault.*undelete"):
        store.load("dsm")
    sandbox.server.request("PUT", f"{sandbox.mount}/undelete/{PLACE}", {"versions": [1]})
    assert store.load("dsm") == (WHOLE, 1)
    sandbox.server.request("PUT", f"{sandbox.mount}/destroy/{PLACE}", {"versions": [1]})
    with pytest.raises(ContractBroken, match="removed"):
        store.load("dsm")


@pytest.mark.promise(3)
def test_promise_3_a_denied_or_strange_read_is_never_an_empty_tenant(proxied: tuple[Sandbox, Proxy]) -> None:
    """No permission, or an answer that is not KV v2's: an error."""
    sandbox, proxy = proxied
    denied = sandbox.token(f'path "{sandbox.mount}/metadata/*" {{ capabilities = ["read"] }}')
    with pytest.raises(NotPermitted):
        sandbox.states(token=denied).load("dsm")
    store = sandbox.states()
    store.vault.mounts.require_v2(sandbox.mount)
    for status, body in (
        (404, '{"warnings":["Invalid path"]}'),
        (404, '{"errors":["x"]}'),
        (200, '{"data":{"a":"b"}}'),
    ):
        proxy.always(Instead(status, body), "GET", "data")
        with pytest.raises(ContractBroken, match="not that of a KV version 2 mount"):
            store.load("dsm")
    proxy.always(Instead(200, '{"data":{"data":{"document":"{}"},"metadata":{}}}'), "GET", "data")
    with pytest.raises(ContractBroken, match="names no version"):
        store.load("dsm")


def test_a_lost_reply_leaves_the_commit_open(proxied: tuple[Sandbox, Proxy]) -> None:
    """The caller is told to look, and looking shows what happened."""
    sandbox, proxy = proxied
    store = sandbox.states()
    proxy.once(LOST, "POST", "/data/")
    with pytest.raises(OutcomeUnknown):
        store.commit(WHOLE, 0)
    assert store.load("dsm") == (WHOLE, 1)


def test_a_document_that_is_too_large_is_refused(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before Vault would, and with a hint."""
    monkeypatch.setattr(state, "_ROOT_BYTES", 100)
    with pytest.raises(Rejected, match="too large"):
        sandbox.states().commit(WHOLE, 0)


# -- buckets -------------------------------------------------------------------------------------------------------


def test_two_thousand_five_hundred_objects_fit(sandbox: Sandbox) -> None:
    """Beyond a thousand objects the records are spread, every entry stays well under a mebibyte, and all comes back."""
    store = sandbox.states()
    document = many(2500).model_copy(update={"intents": WHOLE.intents, "lease": WHOLE.lease})
    store.commit(document, 0)
    assert sandbox.states().load("dsm") == (document, 1)
    names = sandbox.server.request("LIST", f"{sandbox.mount}/metadata/{PLACE}")["data"]["keys"]
    assert names == ["0001a", "0002a", "0003a", "0004a"]
    assert max(len(json.dumps(sandbox.get(f"{PLACE}/{name}"))) for name in names) < 512 * 1024


def test_only_changed_buckets_are_written(proxied: tuple[Sandbox, Proxy], tiny_buckets: None) -> None:
    """One record changed is one bucket and the root; a lease renewed is the root alone."""
    sandbox, proxy = proxied
    store = sandbox.states()
    version = store.commit(many(95), 0)

    def writes() -> list[str]:
        return [path.rpartition("dsm")[2] for method, path in proxy.seen if method == "POST" and "/data/" in path]

    document, _ = store.load("dsm")
    assert document is not None
    del proxy.seen[:]
    version = store.commit(document.record("ApiKey/k00050", small(9)), version)
    assert len(writes()) == 2
    document, _ = store.load("dsm")
    assert document is not None
    del proxy.seen[:]
    store.commit(document.model_copy(update={"lease": WHOLE.lease}), version)
    assert writes() == [""]


@pytest.mark.promise(3)
def test_promise_3_a_writer_killed_between_buckets_and_root_changes_nothing(
    proxied: tuple[Sandbox, Proxy], tiny_buckets: None
) -> None:
    """However many die there, even with a mount that keeps one version, readers see the last commit, whole."""
    sandbox, proxy = proxied
    sandbox.server.request("POST", f"{sandbox.mount}/config", {"max_versions": 1})
    before = many(40)
    sandbox.states().commit(before, 0)
    for attempt in range(5):
        proxy.always(Instead(500, "killed"), "POST", f"{PLACE}")
        buckets_only = proxy.trouble
        proxy.trouble = lambda method, path, t=buckets_only: t(method, path) if path.endswith(PLACE) else None  # type: ignore[misc]
        store = sandbox.states()
        with pytest.raises(OutcomeUnknown):
            store.commit(before.record("ApiKey/k00005", small(100 + attempt)).record("ApiKey/k00035", None), 1)
        assert sandbox.states().load("dsm") == (before, 1)
    proxy.trouble = lambda method, path: None
    after = before.record("ApiKey/k00005", small(7))
    assert sandbox.states().commit(after, 1) == 2
    assert sandbox.states().load("dsm") == (after, 2)


def test_two_writers_at_the_same_bucket(sandbox: Sandbox, tiny_buckets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both may write the bucket; the root's check-and-set decides whose version counts, and the other one is told."""
    sandbox.states().commit(many(40), 0)
    slow, fast = sandbox.states(), sandbox.states()
    document, _ = slow.load("dsm")
    assert document is not None
    theirs = document.record("ApiKey/k00005", small(2))
    current_version = slow._current_version
    raced: list[Any] = []

    def late(path: Any) -> int:
        found = current_version(path)
        if not raced:
            raced.append(path)
            fast.commit(theirs, 1)
        return found

    monkeypatch.setattr(slow, "_current_version", late)
    with pytest.raises(Conflict):
        slow.commit(document.record("ApiKey/k00005", small(1)), 1)
    found, version = slow.load("dsm")
    assert (found, version) == (theirs, 2)
    monkeypatch.setattr(slow, "_current_version", lambda path: 99)
    with pytest.raises(Conflict, match="somebody else is writing"):
        slow.commit(theirs.record("ApiKey/k00005", small(3)), 2)


def test_a_reader_between_two_commits_looks_again(
    sandbox: Sandbox, tiny_buckets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket version that is gone because the state moved on is no damage; one that stays gone is."""
    monkeypatch.setattr(state, "_KEEP_VERSIONS", 1)
    sandbox.server.request("POST", f"{sandbox.mount}/config", {"max_versions": 1})
    writer, reader = sandbox.states(), sandbox.states()
    version = writer.commit(many(40), 0)
    read_bucket = reader._read_bucket
    moves = [2]

    def late(tenant: str, bucket: Bucket) -> dict[str, Record]:
        nonlocal version
        if bucket.name == "0001" and moves:
            for number in range(moves.pop()):
                document, _ = writer.load("dsm")
                assert document is not None
                version = writer.commit(document.record("ApiKey/k00005", small(100 + number)), version)
        return read_bucket(tenant, bucket)

    monkeypatch.setattr(reader, "_read_bucket", late)
    found, at = reader.load("dsm")
    assert at == version == 3
    assert found is not None
    assert found.objects["ApiKey/k00005"] == small(101)
    moves.extend([2] * 10)
    with pytest.raises(Conflict, match="faster than it can be read"):
        reader.load("dsm")


def test_a_damaged_bucket_is_never_half_a_tenant(sandbox: Sandbox, tiny_buckets: None) -> None:
    """Gone, replaced or unreadable: an error that names it."""
    store = sandbox.states()
    store.commit(many(40), 0)
    bucket = f"{sandbox.mount}/metadata/{PLACE}/0001a"
    sandbox.server.request("DELETE", bucket)
    with pytest.raises(ContractBroken, match="its bucket 0001a, version 1, is gone"):
        store.load("dsm")
    sandbox.put(f"{PLACE}/0001a", {"document": "{}"})
    with pytest.raises(ContractBroken, match="0001a is not the one that was committed"):
        store.load("dsm")
    root = json.loads(sandbox.get(PLACE)["document"])
    root["buckets"][0]["sha256"] = state._sha256("[]")
    sandbox.put(PLACE, {"document": json.dumps(root)})
    sandbox.put(f"{PLACE}/0001a", {"document": "[]"})
    root["buckets"][0]["version"] = 2
    sandbox.put(PLACE, {"document": json.dumps(root)})
    with pytest.raises(ContractBroken, match="0001a cannot be read"):
        store.load("dsm")


def test_a_bucket_whose_metadata_cannot_be_asked_for_is_not_written(
    proxied: tuple[Sandbox, Proxy], tiny_buckets: None
) -> None:
    """A strange 404 is no version 0."""
    sandbox, proxy = proxied
    store = sandbox.states()
    store.vault.mounts.require_v2(sandbox.mount)
    proxy.always(Instead(404, '{"errors":["no handler"]}'), "GET", "metadata")
    with pytest.raises(NotFound):
        store.commit(many(40), 0)
    assert not [path for method, path in proxy.seen if method == "POST" and "/data/" in path]


def test_growing_and_shrinking_goes_through_all_shapes(sandbox: Sandbox, tiny_buckets: None) -> None:
    """One entry, many buckets, one entry again: the same objects at every size."""
    store, version = sandbox.states(), 0
    for count in (5, 11, 60, 61, 30, 8, 6, 4, 0, 25):
        document = many(count)
        version = store.commit(document, version)
        assert store.load("dsm") == (document, version)
        assert sandbox.states().load("dsm") == (document, version)


KEYS = st.text("abc", min_size=1, max_size=4)


@given(st.lists(st.tuples(st.sets(KEYS), st.sets(KEYS)), max_size=8))
def test_buckets_keep_every_record_once(steps: list[tuple[set[str], set[str]]]) -> None:
    """Whatever comes and goes: ranges in order, every record in the one bucket that a reader of ranges looks into."""
    held: dict[str, Record] = {}
    named: list[Bucket] = []
    for added, removed in steps:
        wanted = {key: record for key, record in held.items() if key not in removed}
        wanted.update({key: small(len(key)) for key in added})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(buckets, "RECORDS", 3)
            parts = buckets.split(wanted, named, held)
        assert [key for part in parts for key in part.records] == sorted(wanted)
        assert all(len(part.records) <= 3 for part in parts)
        assert len({part.name for part in parts}) == len(parts)
        assert [part.first for part in parts] == sorted(part.first for part in parts)
        for part in parts:
            old = next((bucket for bucket in named if bucket == part.bucket), None)
            assert part.next_slot == ("b" if old is not None and old.slot == "a" else "a")
        held = wanted
        named = [Bucket(first=p.first, name=p.name, slot=p.next_slot, version=1, sha256="") for p in parts]
        again = buckets.split(held, named, held)
        assert all(part.unchanged for part in again)


def test_fat_records_are_spread_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few records that are too large for one entry get buckets too, and one record is never split."""
    monkeypatch.setattr(buckets, "BYTES", 1000)
    fat = {f"k{number}": small().model_copy(update={"owner": "x" * 700}) for number in range(4)}
    assert not buckets.fits_one_entry(fat, bucketed=False)
    assert [len(part.records) for part in buckets.split(fat, [], {})] == [1, 1, 1, 1]
