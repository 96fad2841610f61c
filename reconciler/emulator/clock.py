"""Time as the emulators see it. Tests move a `ManualClock`; nobody waits."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What an emulator needs to know about time."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""
        ...


class SystemClock:
    """The machine's own time."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until somebody moves it. Starts at a fixed instant unless told otherwise."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._ms = int(start.timestamp() * 1000)
        self._lock = threading.Lock()

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""
        with self._lock:
            return self._ms

    def now(self) -> datetime:
        """The same, as a time in UTC."""
        return datetime.fromtimestamp(self.now_ms() / 1000, UTC)

    def advance(self, by: timedelta) -> None:
        """Move the clock, forwards or (a vendor's clock was corrected) backwards."""
        with self._lock:
            self._ms += by // timedelta(milliseconds=1)
