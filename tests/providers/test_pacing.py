from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import Interrupted
from reconciler.model.desired import RateLimit
from reconciler.providers.base import Evidence, Rate
from reconciler.providers.pacing import Pacer, Pacers


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def pacer(calls: int, seconds: float) -> tuple[Pacer, Time]:
    time = Time()
    return Pacer(calls, seconds, clock=time.clock, sleep=time.sleep), time


def most_in_a_window(times: list[float], window: float) -> int:
    return max(sum(1 for other in times if start <= other < start + window) for start in times)


@pytest.mark.promise(8)
@given(
    calls=st.integers(1, 12),
    seconds=st.floats(0.5, 120),
    gaps=st.lists(st.one_of(st.just(0.0), st.floats(0, 200)), min_size=1, max_size=80),
)
def test_promise_8_no_schedule_of_calls_exceeds_the_window(calls: int, seconds: float, gaps: list[float]) -> None:
    """Whenever calls come, no window holds more of them than the rate allows."""
    subject, time = pacer(calls, seconds)
    sent = []
    for gap in gaps:
        time.now += gap
        subject.acquire()
        sent.append(time.now)
    assert most_in_a_window(sent, seconds) <= calls


@given(calls=st.integers(1, 500), rounds=st.integers(2, 20))
def test_a_saturated_pacer_uses_its_share(calls: int, rounds: int) -> None:
    """At least 95 % of the allowed rate is used when there is always more to do."""
    subject, time = pacer(calls, 60.0)
    for _ in range(calls * rounds + 1):
        subject.acquire()
    assert calls * rounds / time.now >= 0.95 * calls / 60.0


@pytest.mark.promise(8)
def test_promise_8_a_pause_holds_everybody() -> None:
    """Nobody gets a turn before the pause ends, and a shorter one does not end it sooner."""
    subject, time = pacer(5, 60.0)
    subject.pause(30.0)
    subject.pause(10.0)
    subject.acquire()
    assert time.now == pytest.approx(30.0)


def test_who_is_told_to_give_up_takes_no_turn() -> None:
    """A wait ends within half a second of being told so, and the turn that it would have had is the next one's."""
    subject, time = pacer(1, 60.0)
    subject.acquire()

    def told() -> None:
        if time.now >= 10.0:
            raise Interrupted

    with pytest.raises(Interrupted):
        subject.acquire(told)
    assert 10.0 <= time.now <= 10.5
    subject.acquire(lambda: None)
    assert time.now == pytest.approx(61.2)


def test_threads_share_one_window() -> None:
    """Eight threads at once get no more turns than one."""
    lock = threading.Lock()
    now = 0.0
    sent: list[float] = []

    def clock() -> float:
        with lock:
            return now

    def sleep(seconds: float) -> None:
        nonlocal now
        with lock:
            now += seconds

    subject = Pacer(7, 10.0, clock=clock, sleep=sleep)

    def call(_: int) -> None:
        subject.acquire()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(50)))
    sent = list(subject._sent)
    assert len(sent) == 7
    assert now >= (50 // 7) * 10.0


@pytest.mark.parametrize(("calls", "seconds"), [(0, 60.0), (5, 0.0)])
def test_a_rate_of_nothing_is_refused(calls: int, seconds: float) -> None:
    """A rate that would let nobody through, or everybody, is a mistake."""
    with pytest.raises(ValueError, match="at least one call"):
        Pacer(calls, seconds)


def test_sessions_share_the_pacer_of_what_is_counted() -> None:
    """Two sessions with one credential draw on one budget; another credential has its own."""
    pacers = Pacers()
    assert pacers.get("a", 250, 60.0) is pacers.get("a", 250, 60.0)
    assert pacers.get("a", 250, 60.0) is not pacers.get("b", 250, 60.0)


@pytest.mark.parametrize(
    ("wish", "calls", "seconds"),
    [
        (RateLimit(), 50, 30.0),
        (RateLimit(share=1.0), 100, 30.0),
        (RateLimit(share=0.001), 1, 30.0),
        (RateLimit(12, 6.0, 0.25), 3, 6.0),
    ],
)
def test_a_tenants_rate(wish: RateLimit, calls: int, seconds: float) -> None:
    """Our share of what is documented, or of what the manifest gives instead; at least one call."""
    pacers = Pacers()
    pacer = pacers.within(Rate(100, 30.0, Evidence.DOCUMENTED, "S"), wish, "a")
    assert pacer is pacers.get("a", calls, seconds)
