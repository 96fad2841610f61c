"""The benches of waiting, of rates and of growth: what they judge can fail, and they measure what they say."""

from __future__ import annotations

import pytest

from benchmarks import latency, rate, scale


@pytest.mark.parametrize(("figure", "over"), [("plan_ratio", 3.1), ("apply_ratio", 1.6), ("interrupted", 31.0)])
def test_a_figure_over_its_limit_is_not_kept(figure: str, over: float) -> None:
    """Each budget by itself."""
    good = {"plan_ratio": 2.0, "apply_ratio": 1.2, "interrupted": 1.0}
    assert all(verdict["kept"] for verdict in latency.verdicts(good))
    assert [v["figure"] for v in latency.verdicts({**good, figure: over}) if not v["kept"]] == [figure]


def test_growth_is_judged_by_the_time_of_one_key() -> None:
    """Ten times the keys may take ten times as long, and all processes together half a gigabyte."""
    small = {"keys": 10, "load_cpu": 1.0, "plan_cpu": 1.0, "peak_mb": 50.0, "largest_child_mb": 10.0}
    linear = {**small, "keys": 100, "load_cpu": 10.0, "plan_cpu": 10.0}
    assert [verdict["value"] for verdict in scale.verdicts([small, linear])] == [1.0, 60.0]
    worse = {**linear, "plan_cpu": 100.0, "largest_child_mb": 460.0}
    assert [verdict["kept"] for verdict in scale.verdicts([small, worse])] == [False, False]


def test_a_rate_is_used_and_not_exceeded() -> None:
    """Ten keys at five calls a second: two lists and ten scopes, and nobody is told 429."""
    found = rate.measured(10, share=0.5, latency=0.0)
    assert (found["calls"], found["too_many"], found["allowed_per_second"]) == (12, 0, 5)
    assert found["seconds"] > 1.0
