"""What is new since an earlier run, and what is gone."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.plan.since import Reported, carried, compare

TENANTS = ("a", "b", "c")


@st.composite
def reports(draw: st.DrawFn) -> Reported:
    """Some tenants with findings, others that could not be read."""
    tenants: dict[str, Any] = {}
    away: dict[str, Any] = {}
    for tenant in TENANTS:
        found = draw(st.dictionaries(st.sampled_from("xyz"), st.integers(0, 1), max_size=3))
        named = {
            f"{tenant}/{name}": {"identity": f"{tenant}/{name}", "changes": value} for name, value in found.items()
        }
        if draw(st.booleans()):
            tenants[tenant] = named
        elif draw(st.booleans()):
            away[tenant] = {}
    return Reported(tenants, away)


def flat(report: Reported) -> dict[str, Any]:
    return {
        key: one
        for part in (report.tenants, report.last_known)
        for found in part.values()
        for key, one in found.items()
    }


@settings(deadline=None)
@given(reports(), reports())
def test_the_difference_is_told_exactly(before: Reported, now: Reported) -> None:
    """What was there, less what is resolved, with what is new, is what is there; what cannot be read stays as it was."""
    now = Reported(now.tenants, carried(before, now.last_known))
    news = compare(before, now)
    gone = {one["identity"] for one in news.resolved}
    old, new = flat(before), flat(now)
    assert (old.keys() - gone) | set(news.new) == new.keys()
    assert gone <= old.keys()
    assert old.keys().isdisjoint(news.new)
    assert set(news.changed) == {key for key in old.keys() & new.keys() if old[key] != new[key]}


@settings(deadline=None)
@given(reports(), reports())
def test_nothing_is_told_of_what_cannot_be_read(before: Reported, now: Reported) -> None:
    """Neither new nor resolved nor changed: a tenant that cannot be read is not in sync."""
    now = Reported(now.tenants, carried(before, now.last_known))
    news = compare(before, now)
    told = {*news.new, *news.changed, *(one["identity"] for one in news.resolved)}
    assert not any(key.partition("/")[0] in now.last_known for key in told)


@settings(deadline=None)
@given(reports())
def test_no_news(report: Reported) -> None:
    """A report has no news since itself."""
    assert not compare(report, report)


def test_a_tenant_that_comes_back() -> None:
    """It is compared with what was last known of it, so that nothing is told twice."""
    finding = {"identity": "a/x", "changes": []}
    first = Reported({"a": {"a/x": finding}})
    away = Reported({}, carried(first, ["a"]))
    assert not compare(first, away)
    still_away = Reported({}, carried(away, ["a"]))
    assert not compare(still_away, Reported({"a": {"a/x": finding}}))
    assert [one["identity"] for one in compare(still_away, Reported({"a": {}})).resolved] == ["a/x"]
