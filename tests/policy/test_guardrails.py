"""Guardrails: ratio, cap and floor, per tenant and over the run; and rotations that are spread."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.action import Action, ActionKind, Operation, TenantPlan
from reconciler.model.estate import Limit, Limits
from reconciler.model.impact import Impact
from reconciler.policy.guardrails import check, counted, spread_rotations
from tests.support import builders as b
from tests.support.builders import NOW, action, tenant_plan

LIMITS = Limits()


def deletes(count: int, population: int, tenant: str = "dsm", *, kind: ActionKind = ActionKind.DELETE) -> TenantPlan:
    operation = Operation.DELETE if kind is ActionKind.DELETE else Operation.REMOVE
    actions = [action(kind, operation, f"k{at}") for at in range(count)]
    return tenant_plan(*actions, tenant=tenant, population=population)


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("count", "population", "stopped"),
    [
        (3, 3, False),  # the floor: a small tenant can be emptied
        (4, 4, True),  # above the floor the ratio counts
        (4, 13, True),  # 30.8 %
        (4, 14, False),  # 28.6 %
        (10, 1000, False),  # the cap itself
        (11, 1000, True),  # above the cap, however small the part
    ],
)
def test_promise_4_deletions_are_limited(count: int, population: int, stopped: bool) -> None:
    """More than the floor, and more than the cap or the ratio of all that exists."""
    assert bool(check([deletes(count, population)], LIMITS)) == stopped


@pytest.mark.promise(4)
def test_promise_4_many_small_deletions_are_limited_over_the_run() -> None:
    """Forty tenants of three keys cannot all be emptied, though each may."""
    plans = [deletes(3, 3, f"t{at}") for at in range(40)]
    found = check(plans, LIMITS)
    assert [(finding.tenant, finding.figures["count"], finding.figures["population"]) for finding in found] == [
        ("", 120, 120)
    ]
    assert str(found[0]).startswith(
        "guardrail/deletes: 120 would be deleted of 120 objects in the whole run; the limit is 30 %"
    )


def test_finding_says_what_to_do() -> None:
    """Rule, count, place, the limit in plain words, and the way out."""
    assert str(check([deletes(5, 10)], LIMITS)[0]) == (
        "guardrail/deletes: dsm: 5 would be deleted of 10 objects; the limit is 30 % and at most 10 "
        "(up to 3 are always allowed) (if this is meant, add --allow deletes:dsm, "
        "or raise spec.limits.deletes in reconciler.yaml in a commit of its own)"
    )


def test_one_tenant_is_not_reported_twice() -> None:
    """The run of a single tenant is that tenant; with another one beside it both count."""
    assert [finding.tenant for finding in check([deletes(5, 10)], LIMITS)] == ["dsm"]
    assert [f.tenant for f in check([deletes(5, 10), deletes(0, 2, "b")], LIMITS)] == ["dsm", ""]


def test_retired_generations_do_not_count_and_orphans_do() -> None:
    """A retirement has its successor in place; the removal of an orphan is a deletion."""
    assert check([deletes(20, 20, kind=ActionKind.RETIRE)], LIMITS) == ()
    assert [finding.figures["count"] for finding in check([deletes(20, 20, kind=ActionKind.REPAIR)], LIMITS)] == [20]


@pytest.mark.promise(4)
def test_promise_4_mass_loss_is_never_a_mass_reissue() -> None:
    """Recorded objects that all vanished stop the run before anything is issued anew."""
    found = check([tenant_plan(population=20, vanished=20)], LIMITS)
    assert [(finding.rule, finding.figures["count"]) for finding in found] == [("guardrail/deletes", 20)]
    assert "recorded but gone at the vendor" in str(found[0])


def test_replacements_have_their_own_limit() -> None:
    """Replaced keys are counted apart from deleted ones."""
    plan = tenant_plan(*(action(ActionKind.REPLACE, name=f"k{at}") for at in range(4)), population=4)
    assert [finding.rule for finding in check([plan], LIMITS)] == ["guardrail/replacements"]
    assert check([plan], Limits(replacements=Limit(1.0, 10, 0))) == ()


def test_creations_and_locks_are_not_limited() -> None:
    """What does not destroy is not counted."""
    kinds = [
        (ActionKind.CREATE, Operation.ISSUE),
        (ActionKind.LOCK, Operation.UPDATE),
        (ActionKind.REPAIR, Operation.ISSUE),
    ]
    assert check([tenant_plan(*(action(*kind, name=f"k{at}") for at in range(20) for kind in kinds))], LIMITS) == ()


COUNTS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 60)), min_size=1, max_size=4)
LIMIT = st.builds(Limit, ratio=st.floats(0, 1), max=st.integers(0, 30), floor=st.integers(0, 10))


def plans_of(counts: Any) -> list[TenantPlan]:
    return [deletes(count, population, f"t{at}") for at, (count, population) in enumerate(counts)]


def stopped(counts: Any, limit: Limit) -> set[str]:
    return {finding.tenant for finding in check(plans_of(counts), Limits(deletes=limit))}


@pytest.mark.promise(4)
@given(COUNTS, LIMIT)
def test_promise_4_guardrails_never_stop_at_the_floor_and_always_above_the_cap(counts: Any, limit: Limit) -> None:
    """For any numbers: the floor is free, the cap holds, and more deletions never make a stop go away."""
    found = stopped(counts, limit)
    for at, (count, _) in enumerate(counts):
        assert not (count <= limit.floor and f"t{at}" in found)
        assert not (count > max(limit.max, limit.floor) and f"t{at}" not in found)
    more = [(count + 1, population) for count, population in counts]
    assert found <= stopped(more, limit)
    assert stopped(counts, Limit(limit.ratio, limit.max, limit.floor + 1)) <= found


# -- rotations -----------------------------------------------------------------------------------------------------------


def due(name: str, days_ago: float, every: float = 10, more: Any = ()) -> Action:
    key = b.desired_key(name, rotation=b.rotation(every))
    known = b.record(key, issued_at=NOW - timedelta(days=days_ago))
    return action(ActionKind.ROTATE, name=name, desired=key, record=known, reason=f"issued {days_ago} days ago")


def test_rotations_within_the_limit_stay() -> None:
    """The very same plans come back."""
    plans = [tenant_plan(due("a", 11), due("b", 12))]
    assert spread_rotations(plans, 2) == tuple(plans)


def test_longest_overdue_goes_first() -> None:
    """How long a rotation is overdue decides, not the key's age; over all tenants."""
    plans = [
        tenant_plan(due("old-but-hardly-due", 400, every=399), due("overdue", 100), tenant="a"),
        tenant_plan(due("more-overdue", 200), action(ActionKind.UPDATE, Operation.UPDATE, "more-overdue"), tenant="b"),
    ]
    spread = spread_rotations(plans, 2)
    assert [[item.object.name for item in plan.actions] for plan in spread] == [
        ["overdue"],
        ["more-overdue", "more-overdue"],
    ]
    assert [(str(note.object), note.text) for note in spread[0].notes] == [
        ("ApiKey/old-but-hardly-due", "rotation put off to a later run: issued 400 days ago")
    ]


def test_other_actions_on_the_same_key_stay() -> None:
    """Only the rotation waits."""
    update = action(ActionKind.UPDATE, Operation.UPDATE, "a")
    (plan,) = spread_rotations([tenant_plan(update, due("a", 11))], 0)
    assert plan.actions == (update,)
    assert len(plan.notes) == 1


@pytest.mark.parametrize("known", [None, b.record(issued_at=None)])
def test_rotation_of_unknown_age_goes_last(known: Any) -> None:
    """Without a time nothing says that it is overdue."""
    key = b.desired_key("a", rotation=b.rotation())
    unknown = action(ActionKind.ROTATE, name="a", desired=key, record=known)
    (plan,) = spread_rotations([tenant_plan(unknown, due("b", 11))], 1)
    assert [item.object.name for item in plan.actions] == ["b"]


# --- single objects -------------------------------------------------------------------------------------------------------


def test_single_objects_can_be_spared() -> None:
    """Each that is named does not count, in its tenant and over the run; what is left counts as before."""
    plans = [deletes(5, 10, "a"), deletes(1, 10, "b")]
    every = check(plans, LIMITS)
    assert counted(plans, every) == {f"deletes:a/ApiKey/k{at}" for at in range(5)}
    assert check(plans, LIMITS, {"deletes:a/ApiKey/k0"})[0].figures["count"] == 4
    assert check(plans, LIMITS, {"deletes:a/ApiKey/k0", "deletes:a/ApiKey/k1"}) == ()
    assert check(plans, LIMITS, {"deletes:b/ApiKey/k0", "locks:a/ApiKey/k0"}) == every


def test_only_what_a_finding_has_counted_can_be_spared() -> None:
    """Where nothing stops the run there is nothing to allow; a finding over the run has counted every tenant's objects."""
    assert counted([deletes(3, 3)], check([deletes(3, 3)], LIMITS)) == frozenset()
    plans = [deletes(3, 3, f"t{at}") for at in range(40)]
    assert len(counted(plans, check(plans, LIMITS))) == 120


# -- widening ------------------------------------------------------------------------------------------------------------


def widening(*names: str, kind: ActionKind = ActionKind.UPDATE) -> list[Action]:
    return [action(kind, Operation.UPDATE, name, impact=Impact.WIDENS) for name in names]


@pytest.mark.promise(4)
def test_promise_4_access_that_widens_can_be_limited_like_deletion() -> None:
    """Off unless asked for; keys are counted once each, those of a widened level by name, new keys not at all."""
    level = action(ActionKind.UPDATE, Operation.UPDATE, object=b.level_id(), impact=Impact.WIDENS, affects=("a", "z"))
    narrowed = action(ActionKind.UPDATE, Operation.UPDATE, "n", impact=Impact.NARROWS)
    plan = tenant_plan(level, narrowed, *widening("a", "y"), *widening("new", kind=ActionKind.CREATE), population=100)
    assert check([plan], LIMITS) == ()
    [found] = check([plan], Limits(widenings=Limit(1.0, 2, 0)))
    assert (found.rule, found.impact, found.figures["count"], found.allow) == (
        "guardrail/widenings", Impact.WIDENS, 3, "widenings:dsm",
    )  # fmt: skip
    assert "3 would get more access of 100 objects" in found.message
    assert "spec.limits.widenings" in found.hint
    assert check([plan], Limits(widenings=Limit(1.0, 3, 0))) == ()
    assert counted([plan], [found]) == {
        "widenings:dsm/AccessLevel/read",
        "widenings:dsm/ApiKey/a",
        "widenings:dsm/ApiKey/y",
    }
    spared = check([plan], Limits(widenings=Limit(1.0, 1, 0)), {"widenings:dsm/AccessLevel/read"})
    assert spared[0].figures["count"] == 2


@pytest.mark.promise(4)
def test_promise_4_a_limit_of_nothing_stops_every_widening() -> None:
    """A team may want to allow each one by name."""
    assert check([tenant_plan(*widening("a"), population=1000)], Limits(widenings=Limit(0.0, 0, 0)))
    assert not check([tenant_plan(population=1000)], Limits(widenings=Limit(0.0, 0, 0)))
