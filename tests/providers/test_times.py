"""Vendors' times: in UTC, by the second."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.providers.times import LAST_SECOND, from_milliseconds, from_text


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.678+01:00", datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("", None),
        (None, None),
        ("soon", None),
        ("never", None),
    ],
)
def test_times_in_text(text: str | None, time: datetime | None) -> None:
    """RFC 3339 in any zone, cut to seconds; nothing for what is none."""
    assert from_text(text) == time


@pytest.mark.parametrize(
    ("value", "time"),
    [
        (None, None),
        (0, None),
        (-1, None),
        (-5, None),
        (True, None),
        ("1767225600999", None),
        (1767225600999, datetime(2026, 1, 1, tzinfo=UTC)),
        (1_790_000_000_123, datetime.fromtimestamp(1_790_000_000, UTC)),
        (2**63 - 1, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (253_402_300_800_000, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (10**18, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_times_in_milliseconds(value: object, time: datetime | None) -> None:
    """Absent, null, 0 and what is no number are none; times beyond the calendar are its end, or what the caller says."""
    assert from_milliseconds(value) == time
    assert from_milliseconds(value, beyond=None) == (time if time != LAST_SECOND else None)
