from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.mark import Mark
from reconciler.providers.trend_vision_one import mapping
from reconciler.providers.trend_vision_one.emulator.state import LIFETIMES, later
from reconciler.providers.trend_vision_one.records import KeyRecord

MARK = Mark("ab" * 8, 1, "a" * 16)
TIMES = st.integers(1_577_836_800, 3_786_912_000).map(lambda second: datetime.fromtimestamp(second, UTC))


def ends(now: datetime, months: int) -> datetime:
    """When the emulator, which counts months by itself, ends such a key."""
    return datetime.fromtimestamp(later(int(now.timestamp() * 1000), months) / 1000, UTC)


@given(TIMES, st.timedeltas(timedelta(seconds=1), timedelta(days=500)))
def test_the_lifetime_is_the_shortest_that_is_long_enough(now: datetime, wish: timedelta) -> None:
    """Whatever the day: the vendor never ends a key before the manifest does, nor needlessly late."""
    months = mapping.months(now + wish, now)
    assert months in LIFETIMES
    assert months == 0 or ends(now, months) >= now + wish
    shorter = [count for count in mapping.MONTHS if count < (months or 99)]
    assert all(ends(now, count) < now + wish for count in shorter)


def test_months_end_with_the_month() -> None:
    """Where a month has no such day, on its last one; a year later, on the same day."""
    assert mapping.months(datetime(2026, 2, 28, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC)) == 1
    assert mapping.months(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC)) == 3
    assert mapping.months(datetime(2027, 12, 31, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC)) == 12
    assert mapping.months(None, datetime(2026, 1, 31, tzinfo=UTC)) == mapping.NEVER


def test_what_is_left_out_of_an_answer() -> None:
    """A key with nothing but id and name is an observation all the same; it is not active."""
    key = mapping.observed_key(KeyRecord(id="a", name="k.g2"))
    assert (key.name, key.level_id, key.mark) == ("k.g2", None, None)
    assert key.fields["state"] == "locked"


def test_a_field_that_nobody_knows_is_a_mistake() -> None:
    """Nothing is dropped silently."""
    with pytest.raises(KeyError, match="allowedIPs"):
        mapping.key_to_update({"allowedIPs": ()}, None, MARK)
