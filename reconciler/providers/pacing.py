"""Keeping under a vendor's rate limit: a sliding window, shared by every thread that calls with the same credential."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from reconciler.model.desired import RateLimit
from reconciler.providers.base import Rate

_MARGIN: Final = 1.02
"""Our window is 2 % longer than the vendor's, for calls do not arrive evenly delayed; that costs 2 % of the rate."""

NAP: Final = 0.5
"""Seconds that nobody waits at a stretch who may be told to give up."""


class Pacer:
    """Lets at most `calls` through in any `seconds`, in whatever order threads come, and nobody during a pause.

    `clock` is monotonic, in seconds. Calls may come in a burst: a sliding window allows that, and it makes short runs fast.
    """

    def __init__(
        self,
        calls: int,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if calls < 1 or seconds <= 0:
            raise ValueError("a rate is at least one call in some time")
        self._window = seconds * _MARGIN
        self._sent: deque[float] = deque(maxlen=calls)
        self._resume = float("-inf")
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()

    def acquire(self, while_waiting: Callable[[], None] | None = None) -> None:
        """Wait for a turn, and take it. `while_waiting` is called in between, and may raise to give up."""
        while True:
            with self._lock:
                now = self._clock()
                wait = self._wait(now)
                if wait <= 0:
                    self._sent.append(now)
                    return
            if while_waiting is not None:
                while_waiting()
                wait = min(wait, NAP)
            self._sleep(wait)

    def pause(self, seconds: float) -> None:
        """Let nobody through for so long; a longer pause that is under way stays."""
        with self._lock:
            self._resume = max(self._resume, self._clock() + seconds)

    def _wait(self, now: float) -> float:
        turn = self._sent[0] + self._window if len(self._sent) == self._sent.maxlen else now
        return max(turn, self._resume) - now


class Pacers:
    """The pacers of this process, one for each thing that a vendor counts calls by: two sessions share one budget."""

    def __init__(self) -> None:
        self._pacers: dict[object, Pacer] = {}
        self._lock = threading.Lock()

    def within(self, documented: Rate, wish: RateLimit, counted_by: object) -> Pacer:
        """The pacer for what a tenant may use of a rate: the vendor's, or the one that its manifest gives instead."""
        calls, seconds = (documented.calls, documented.seconds) if wish.calls is None else (wish.calls, wish.seconds)
        return self.get(counted_by, max(1, int(calls * wish.share)), seconds)

    def get(self, counted_by: object, calls: int, seconds: float) -> Pacer:
        """The pacer for it: the one that is there, or a new one at this rate."""
        with self._lock:
            return self._pacers.setdefault((counted_by, calls, seconds), Pacer(calls, seconds))
