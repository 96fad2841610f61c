from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from reconciler.emulator.clock import ManualClock, SystemClock


def test_the_system_clock_tells_the_time():
    """Milliseconds since the epoch."""
    assert abs(SystemClock().now_ms() - time.time() * 1000) < 5000


def test_a_manual_clock_stands_still_until_it_is_moved():
    """Time passes only when a test says so, in both directions."""
    clock = ManualClock(datetime(2026, 5, 1, tzinfo=UTC))
    assert clock.now() == datetime(2026, 5, 1, tzinfo=UTC)
    clock.advance(timedelta(hours=1, milliseconds=250))
    assert clock.now_ms() == 1777597200250
    clock.advance(timedelta(hours=-2))
    assert clock.now() == datetime(2026, 4, 30, 23, 0, 0, 250000, tzinfo=UTC)
