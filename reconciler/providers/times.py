"""Vendors' times, in UTC and cut to whole seconds, as they are compared. No I/O."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, overload

LAST_SECOND: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The end of the calendar."""


@overload
def whole_seconds(time: datetime) -> datetime: ...
@overload
def whole_seconds(time: None) -> None: ...
def whole_seconds(time: datetime | None) -> datetime | None:
    """A time as it is compared; None stays None."""
    return time.astimezone(UTC).replace(microsecond=0) if time is not None else None


def from_text(text: str | None) -> datetime | None:
    """A time in RFC 3339, UTC if it names no zone; None for absent, null, empty and what is no time."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return whole_seconds(found if found.tzinfo else found.replace(tzinfo=UTC))


def from_milliseconds(value: object, beyond: datetime | None = LAST_SECOND) -> datetime | None:
    """Milliseconds since 1970; None for absent, null, 0 and what is no number; `beyond` for what no calendar has."""
    if type(value) is not int or value <= 0:  # a bool is no number here
        return None
    try:
        return datetime.fromtimestamp(value // 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return beyond


def to_milliseconds(time: datetime) -> int:
    """Milliseconds since 1970 of a time in whole seconds."""
    return int(time.timestamp()) * 1000
