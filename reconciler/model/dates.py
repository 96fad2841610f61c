"""How times are written for people."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"))


def written(moment: datetime) -> str:
    """A time in UTC as a manifest says it: a midnight as the date of the day that it ends, else in RFC 3339."""
    at = moment.astimezone(UTC)
    return f"{at - timedelta(days=1):%Y-%m-%d}" if at.time() == time.min else f"{at:%Y-%m-%dT%H:%M:%SZ}"


def duration_text(duration: timedelta) -> str:
    """A duration as manifests write it, in the largest unit that leaves no rest: 90 days are `90d`."""
    seconds = int(duration.total_seconds())
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds and not seconds % size), (1, "s"))
    return f"{seconds // size}{unit}"
