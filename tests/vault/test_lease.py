"""One writer per tenant."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import pytest

from reconciler.errors import Conflict, LeaseHeld, LeaseLost, NotPermitted, OutcomeUnknown, ReconcilerError, RetryLater
from reconciler.model.state import Record, Revoked, StateDocument
from reconciler.vault import StateStore, TenantLease
from reconciler.vault import connection as connection_module
from tests.support.openbao import ESTATE, Naps, Sandbox, empty_state, never_sleep
from tests.support.troubled import LOST, Instead, Proxy

TTL = 60.0
PLACE = f"reconciler/{ESTATE}/dsm"


def acquire(store: StateStore, run: str = "run-1", **more: Any) -> TenantLease:
    arguments = {
        "holder": f"ci/{run}",
        "ttl": TTL,
        "call_timeout": 5.0,
        "sleep": never_sleep,
        "heartbeat": False,
        **more,
    }
    return TenantLease.acquire(store, empty_state(), run=run, **arguments)


class Later:
    """Moves the clock that `Vault.now` counts with."""

    seconds = 0.0

    def __iadd__(self, seconds: float) -> Self:
        self.seconds += seconds
        return self


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Iterator[Later]:
    """`later += 30`: for everyone it is half a minute later. Survives calls, whose `Date` is the real one."""
    from reconciler.vault.connection import Vault

    moved, now = Later(), Vault.now
    monkeypatch.setattr(Vault, "now", lambda self: now(self) + timedelta(seconds=moved.seconds))
    return moved  # type: ignore[return-value]


def note(key: str = "ApiKey/a", vendor_id: str = "1") -> Any:
    return lambda document: document.record(key, Record(vendor_id=vendor_id, nonce="n" * 16))


@pytest.mark.promise(7)
def test_promise_7_of_fifty_racers_one_wins(sandbox: Sandbox) -> None:
    """Whoever does not get the lease is told who has it."""
    stores = [sandbox.states(sleep=Naps()) for _ in range(10)]

    def race(number: int) -> TenantLease | LeaseHeld:
        try:
            return acquire(stores[number % 10], f"run-{number}")
        except LeaseHeld as held:
            return held

    with ThreadPoolExecutor(50) as pool:
        results = list(pool.map(race, range(50)))
    winners = [result for result in results if isinstance(result, TenantLease)]
    assert len(winners) == 1
    holder = winners[0].document.lease
    assert holder is not None
    assert {result.run for result in results if isinstance(result, LeaseHeld)} == {holder.run}


@pytest.mark.promise(7)
def test_promise_7_a_second_run_is_kept_out_until_the_first_is_done(sandbox: Sandbox) -> None:
    """Held: the error names the holder and since when. Released: the lease is free at once, and the document no larger."""
    one, two = sandbox.states(), sandbox.states()
    first = acquire(one)
    with pytest.raises(
        LeaseHeld, match=r"dsm: ci/run-1 holds the lease since \d{4}-.* UTC, at least until \d\d:"
    ) as caught:
        acquire(two, "run-2")
    assert (caught.value.run, caught.value.holder) == ("run-1", "ci/run-1")
    first.commit(note())
    first.release()
    before = sandbox.get(PLACE)
    with acquire(two, "run-2") as second:
        assert "ApiKey/a" in second.document.objects
        assert second.acquired_from == first.version
    assert sandbox.get(PLACE) == before
    with pytest.raises(LeaseLost):
        first.commit(note())


@pytest.mark.promise(7)
def test_promise_7_an_expired_lease_is_taken_over_after_a_call_timeout(sandbox: Sandbox, later: Later) -> None:
    """Nobody has to unlock what a killed run left; its last vendor call may finish first, and the run itself is out."""
    one, two = sandbox.states(), sandbox.states()
    dead = acquire(one)
    dead.commit(note())
    later += TTL - 5
    with pytest.raises(LeaseHeld):
        acquire(two, "run-2")
    later += 10
    naps = Naps()
    heir = acquire(two, "run-2", sleep=naps)
    assert naps == [5.0]
    assert heir.taken_over
    assert not dead.taken_over
    assert "ApiKey/a" in heir.document.objects
    with pytest.raises(LeaseLost):
        dead.commit(note("ApiKey/b"))
    assert dead.lost
    with pytest.raises(LeaseLost):
        dead.ensure(1)
    dead.release()
    assert heir.commit(note("ApiKey/c")).lease is not None
    assert set(heir.document.objects) == {"ApiKey/a", "ApiKey/c"}


def test_waiting_for_a_lease(sandbox: Sandbox) -> None:
    """With patience the lease is had as soon as it is free; without enough of it the holder is named."""
    one, two = sandbox.states(), sandbox.states()
    first = acquire(one)
    naps = Naps()
    with pytest.raises(LeaseHeld):
        acquire(two, "run-2", wait=5.0, sleep=naps)
    assert naps == [2.0, 2.0, 1.0]

    def done(seconds: float) -> None:
        first.release()

    assert acquire(two, "run-2", wait=5.0, sleep=done).document.lease is not None


def test_a_saved_plans_version_must_stand(sandbox: Sandbox) -> None:
    """Whatever was written since the plan was made stops the run before its first write."""
    store = sandbox.states()
    version = store.commit(empty_state(), 0)
    with pytest.raises(Conflict, match="plan again"):
        acquire(store, expected_version=version + 1)
    assert acquire(store, expected_version=version).version == version + 1


def test_a_lease_must_outlive_a_call(sandbox: Sandbox) -> None:
    """Settings that cannot be safe are a mistake."""
    with pytest.raises(ValueError, match="outlive"):
        acquire(sandbox.states(), ttl=5.0)
    with pytest.raises(ValueError, match="as long as a lease"):
        acquire(sandbox.states()).ensure(TTL)


def test_a_lost_reply_when_acquiring(proxied: tuple[Sandbox, Proxy]) -> None:
    """The lease is ours if it was written, and is tried for again if not."""
    sandbox, proxy = proxied
    for run, trouble in (("run-1", LOST), ("run-2", Instead(500, "never acted"))):
        proxy.once(trouble, "POST", "/data/")
        with acquire(sandbox.states(), run) as lease:
            assert lease.document.lease is not None
            assert lease.document.lease.run == run
    proxy.always(Instead(500, "never acts"), "POST", "/data/")
    with pytest.raises(OutcomeUnknown):
        acquire(sandbox.states(), "run-3")


@pytest.mark.promise(7)
def test_promise_7_a_takeover_with_a_lost_reply_still_waits(proxied: tuple[Sandbox, Proxy], later: Later) -> None:
    """At the second look the lease is ours already: the dead run's last vendor call may be on its way all the same."""
    sandbox, proxy = proxied
    acquire(sandbox.states())
    later += TTL + 5
    proxy.once(LOST, "POST", "/data/")
    naps = Naps()
    heir = acquire(sandbox.states(), "run-2", sleep=naps)
    assert heir.taken_over
    assert naps == [5.0]


def test_a_commit_with_a_lost_reply_is_made_once_in_effect(proxied: tuple[Sandbox, Proxy]) -> None:
    """The mutation is applied again to what is there, and nothing of anyone's is lost."""
    sandbox, proxy = proxied
    lease = acquire(sandbox.states())
    for number, trouble in enumerate((LOST, Instead(502, "never acted"))):
        proxy.once(trouble, "POST", "/data/")
        lease.commit(note(f"ApiKey/{number}"))
    assert set(lease.document.objects) == {"ApiKey/0", "ApiKey/1"}
    assert sandbox.states().load("dsm") == (lease.document, lease.version)


def test_a_revocation_without_the_lease_is_kept(sandbox: Sandbox) -> None:
    """A tombstone that came between is in the document that the mutation then sees."""
    lease, other = acquire(sandbox.states()), sandbox.states()
    lease.commit(note())
    document, version = other.load("dsm")
    assert document is not None
    tomb = Revoked(at=datetime.now(UTC), by="oncall", reason="leak")
    buried = document.objects["ApiKey/a"].model_copy(update={"revoked": tomb})
    other.commit(document.record("ApiKey/a", buried), version)
    seen: list[bool] = []

    def mutate(document: StateDocument) -> StateDocument:
        seen.append(document.objects["ApiKey/a"].revoked is not None)
        return document.record("ApiKey/b", Record(vendor_id="2", nonce="m" * 16))

    after = lease.commit(mutate)
    assert seen == [False, True]
    assert after.objects["ApiKey/a"].revoked == tomb
    assert set(after.objects) == {"ApiKey/a", "ApiKey/b"}
    other.commit(other.load("dsm")[0].record("ApiKey/c", None), lease.version)  # type: ignore[union-attr]
    lease.release()
    assert lease.document.lease is None
    assert sandbox.states().load("dsm")[0] == lease.document


def test_an_endless_stream_of_conflicts_ends(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """With everyone writing all the time we give up and say so."""
    store = sandbox.states()
    lease = acquire(store)

    def never(document: StateDocument, cas: int) -> int:
        raise Conflict("again")

    monkeypatch.setattr(store, "commit", never)
    with pytest.raises(Conflict, match="keeps changing"):
        lease.commit(note())
    with pytest.raises(Conflict, match="again"):
        acquire(store)
    lease.release()
    assert lease.lost


def test_commits_of_many_threads_all_count(sandbox: Sandbox) -> None:
    """One document, many threads, no update lost."""
    lease = acquire(sandbox.states())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: lease.commit(note(f"ApiKey/{number}")), range(24)))
    assert len(lease.document.objects) == 24
    assert sandbox.states().load("dsm")[0] == lease.document


def test_ensure_renews_only_when_needed(sandbox: Sandbox, later: Later) -> None:
    """Enough time left costs no call; else the lease is renewed, or found lost."""
    lease = acquire(sandbox.states())
    version = lease.version
    lease.ensure(30)
    assert lease.version == version
    later += 40
    lease.ensure(30)
    assert lease.version == version + 1
    assert lease.remaining > 50
    later += TTL + 1
    acquire(sandbox.states(), "run-2", sleep=Naps())
    with pytest.raises(LeaseLost, match="does not hold the lease"):
        lease.ensure(30)


def test_a_mutation_cannot_drop_the_lease(sandbox: Sandbox) -> None:
    """Whatever a mutation returns, the lease in it is this run's."""
    lease = acquire(sandbox.states())
    assert lease.commit(lambda document: document.model_copy(update={"lease": None})).lease is not None


class Beats(threading.Event):
    """An event whose waits are counted by the test: `beat()` lets one time-out pass and returns once it was dealt with."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting, self.go = threading.Semaphore(0), threading.Semaphore(0)
        self.pauses: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout)
        self.waiting.release()
        self.go.acquire()
        return self.is_set()

    def beat(self, lease: TenantLease) -> None:
        self.go.release()
        if not self.waiting.acquire(timeout=0.01):
            while lease._heart.is_alive() and not self.waiting.acquire(timeout=0.01):
                pass

    def set(self) -> None:
        super().set()
        self.go.release()


@pytest.fixture
def beating(sandbox: Sandbox) -> Iterator[tuple[TenantLease, Beats]]:
    """A lease whose heart beats when told to."""
    lease = acquire(sandbox.states(sleep=Naps()))
    beats = Beats()
    lease._done = beats
    lease._heart.start()
    beats.waiting.acquire()
    yield lease, beats
    lease.release()
    assert not lease._heart.is_alive()


def test_the_heart_renews_what_no_commit_has(beating: tuple[TenantLease, Beats], later: Later) -> None:
    """Every third of the lease's life, unless a commit was there first; and not after the release."""
    lease, beats = beating
    version = lease.version
    beats.beat(lease)
    assert lease.version == version
    later += 25
    beats.beat(lease)
    assert lease.version == version + 1
    assert beats.pauses == [20.0, 20.0, 20.0]


def test_the_heart_finds_a_lost_lease(beating: tuple[TenantLease, Beats], sandbox: Sandbox, later: Later) -> None:
    """Another run has it: the flag is up without anyone asking."""
    lease, beats = beating
    later += TTL + 1
    acquire(sandbox.states(), "run-2", sleep=Naps())
    beats.beat(lease)
    assert lease.lost


@pytest.mark.parametrize("problem", [RetryLater("away"), OutcomeUnknown("cut")])
def test_the_heart_bears_a_failure_while_there_is_time(
    beating: tuple[TenantLease, Beats], later: Later, monkeypatch: pytest.MonkeyPatch, problem: ReconcilerError
) -> None:
    """Vault away for a beat is no loss; away until the lease is over is one."""
    lease, beats = beating

    def fail() -> None:
        raise problem

    monkeypatch.setattr(lease, "renew", fail)
    later += 25
    beats.beat(lease)
    assert not lease.lost
    later += 40
    beats.beat(lease)
    assert lease.lost


def test_the_heart_stops_at_a_denial(
    beating: tuple[TenantLease, Beats], later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What will not get better by waiting ends the lease."""
    lease, beats = beating

    def fail() -> None:
        raise NotPermitted("no more")

    monkeypatch.setattr(lease, "renew", fail)
    later += 25
    beats.beat(lease)
    assert lease.lost


def test_a_release_never_raises(proxied: tuple[Sandbox, Proxy]) -> None:
    """Vault away, or gone while looking: the lease expires by itself."""
    sandbox, proxy = proxied
    lease = acquire(sandbox.states(sleep=Naps()))
    proxy.always(Instead(503, '{"errors":["Vault is sealed"]}'), "POST")
    lease.release()
    assert lease.lost
    proxy.trouble = lambda method, path: None
    again = acquire(sandbox.states(sleep=Naps()))
    proxy.trouble = lambda method, path: Instead(500, "x") if "/data/" in path else None
    again.release()
    assert again.lost


def test_a_real_heart_starts_and_ends_with_the_lease(sandbox: Sandbox) -> None:
    """By default the thread runs, as a daemon, until the release."""
    lease = acquire(sandbox.states(), heartbeat=True)
    assert lease._heart.is_alive()
    assert lease._heart.daemon
    lease.release()
    assert not lease._heart.is_alive()


def test_the_machines_sleep_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock between two answers goes on while the machine is suspended, where the system tells; else it is monotonic."""
    monkeypatch.setattr(connection_module.time, "clock_gettime", lambda clock: 42.0)
    monkeypatch.setattr(connection_module.time, "CLOCK_BOOTTIME", 7, raising=False)
    assert connection_module.uptime() == 42.0
    monkeypatch.delattr(connection_module.time, "CLOCK_BOOTTIME")
    monkeypatch.setattr(connection_module.time, "monotonic", lambda: 43.0)
    assert connection_module.uptime() == 43.0
