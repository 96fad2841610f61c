"""Grouped commits, in order, and none lost."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from reconciler.apply.journal import LONGEST_WAIT, MOST_QUEUED, Journal, Mutation, dropped
from reconciler.errors import RetryLater
from reconciler.model.state import StateDocument
from tests.support import builders as b


class Lease:
    """Commits in memory; `trouble` is raised instead, `gate` holds a commit up."""

    def __init__(self) -> None:
        self.document = b.document()
        self.commits = 0
        self.trouble: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.at_gate = threading.Event()

    def commit(self, mutate: Mutation) -> StateDocument:
        self.at_gate.set()
        self.gate.wait(10)
        if self.trouble is not None:
            raise self.trouble
        self.commits += 1
        self.document = mutate(self.document)
        return self.document


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def put(name: str, vendor_id: str = "1") -> Mutation:
    return lambda document: document.record(str(b.key_id(name)), b.record(vendor_id=vendor_id))


@pytest.fixture
def lease() -> Lease:
    return Lease()


def journal(lease: Any, clock: Clock | None = None) -> Journal:
    return Journal(lease, clock or Clock())


def test_changes_are_written_together(lease: Lease) -> None:
    """64 of them make one commit, and so do fewer when the run asks for it."""
    written = journal(lease)
    for number in range(MOST_QUEUED - 1):
        written.later(put(f"k{number}"))
    assert lease.commits == 0
    written.later(put("last"))
    assert (lease.commits, len(written.document.objects)) == (1, MOST_QUEUED)
    written.flush()
    assert lease.commits == 1
    written.later(put("more"))
    written.flush(put("announced"))
    assert (lease.commits, len(written.document.objects)) == (2, MOST_QUEUED + 2)


def test_changes_do_not_wait_long(lease: Lease) -> None:
    """After two seconds the next change takes the waiting ones along."""
    clock = Clock()
    written = journal(lease, clock)
    written.later(put("one"))
    clock.now = LONGEST_WAIT
    written.later(put("two"))
    assert lease.commits == 1
    assert len(lease.document.objects) == 2


def test_what_cannot_be_written_stays_queued(lease: Lease) -> None:
    """Whoever queues is not told, whoever flushes is; what was to go along is not kept."""
    clock = Clock()
    written = journal(lease, clock)
    lease.trouble = RetryLater("Vault is sealed")
    written.later(put("one"))
    clock.now = LONGEST_WAIT
    written.later(put("two"))
    with pytest.raises(RetryLater):
        written.flush(put("announced"))
    lease.trouble = None
    written.later(put("three"))
    assert sorted(lease.document.objects) == ["ApiKey/one", "ApiKey/three", "ApiKey/two"]


def test_a_later_change_never_overtakes_an_earlier_one(lease: Lease) -> None:
    """While one thread's commit is held up, another thread's flush of a later change waits for it."""
    written = journal(lease)
    written.later(put("one", "1"))
    lease.gate.clear()
    first = threading.Thread(target=written.flush)
    first.start()
    assert lease.at_gate.wait(10)
    lease.at_gate.clear()
    written.later(put("one", "2"))
    second = threading.Thread(target=written.flush)
    second.start()
    assert not lease.at_gate.wait(0.1)
    lease.gate.set()
    first.join()
    second.join()
    assert lease.commits == 2
    assert lease.document.objects["ApiKey/one"].vendor_id == "2"


def test_only_the_intent_that_is_meant_is_dropped() -> None:
    """An intent that was opened for the same object since stays."""
    name = b.key_id()
    old, new = b.intent("old"), b.intent("new")
    document = b.document(intents={name: new})
    assert dropped(name, old)(document) == document
    assert dropped(name, new)(document).intents == {}
    assert dropped(name, old)(b.document()) == b.document()
