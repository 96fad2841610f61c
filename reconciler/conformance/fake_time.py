"""Time that only sleeping moves: the client's clock and the emulator's go together, so that waiting takes no time."""

from __future__ import annotations

import threading
from datetime import timedelta

from reconciler.emulator.clock import ManualClock


class FakeTime:
    """A monotonic clock, and a `sleep` that moves it and the emulator's. Threads may share it."""

    def __init__(self, emulated: ManualClock) -> None:
        self.emulated = emulated
        self.slept: list[float] = []
        self._now = 1000.0
        self._lock = threading.Lock()

    def clock(self) -> float:
        """Seconds since some moment."""
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        """Let so much time have passed."""
        with self._lock:
            self.slept.append(seconds)
            self._now += seconds
        self.emulated.advance(timedelta(seconds=seconds))
