"""The bench of rates: it measures what it says."""

from __future__ import annotations

from benchmarks import rate


def test_a_rate_is_used_and_not_exceeded() -> None:
    """Ten keys at five calls a second: two lists and ten scopes, and nobody is told 429."""
    found = rate.measured(10, share=0.5, latency=0.0)
    assert (found["calls"], found["too_many"], found["allowed_per_second"]) == (12, 0, 5)
    assert found["seconds"] > 1.0
