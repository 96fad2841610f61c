"""The bench of rates: it measures what it says."""

from __future__ import annotations

import pytest

from benchmarks import rate


def test_a_rate_is_used_and_not_exceeded() -> None:
    """Ten keys at five calls a second: two lists and ten scopes, and nobody is told 429."""
    found = rate.measured(10, share=0.5, latency=0.0)
    assert (found["calls"], found["too_many"], found["allowed_per_second"]) == (12, 0, 5)
    assert found["seconds"] > 1.0


@pytest.mark.parametrize(("calls", "seconds"), [(1, 0), (5, 0), (6, 1), (10, 1), (11, 2), (102, 20)])
def test_least_time_that_a_rate_leaves(calls: int, seconds: int) -> None:
    """Five calls in any second: the first five at once, and each further five a second later."""
    assert rate.least_seconds(calls, 5, 1.0) == seconds
