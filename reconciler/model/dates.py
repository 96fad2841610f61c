"""How times are written for people."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta


def written(moment: datetime) -> str:
    """A time in UTC as a manifest says it: a midnight as the date of the day that it ends, else in RFC 3339."""
    at = moment.astimezone(UTC)
    return f"{at - timedelta(days=1):%Y-%m-%d}" if at.time() == time.min else f"{at:%Y-%m-%dT%H:%M:%SZ}"
