"""Guardrails: how much may go in one run. Pure functions over plans of the *whole* population.

A limit stops a run when more than `floor` objects would go *and* they are more than `max`, or more than `ratio` of what
exists. Both are counted per tenant and over all tenants. Retired generations whose successor is in place do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from reconciler.model.action import Action, ActionKind, Note, Operation, TenantPlan
from reconciler.model.estate import Limit, Limits
from reconciler.model.finding import Finding, Impact, Severity
from reconciler.model.names import ObjectId
from reconciler.model.state import Phase


def check(plans: Sequence[TenantPlan], limits: Limits, spared: Collection[str] = ()) -> tuple[Finding, ...]:
    """Every guardrail that these plans break, as findings that stop the run. `plans` must be complete: targets come later.

    `--allow` names one `RULE:TENANT`, or `RULE:run` for the whole run. `spared` names single objects that do not count:
    `RULE:TENANT/KIND/NAME`.
    """
    found: list[Finding] = []
    for rule, what, limit, count in _rules(limits, spared):
        found += [
            _finding(rule, plan.tenant, (count(plan), plan.population), limit, what)
            for plan in plans
            if _broken(count(plan), plan.population, limit)
        ]
        total, population = sum(map(count, plans)), sum(plan.population for plan in plans)
        if len(plans) > 1 and _broken(total, population, limit):
            found.append(_finding(rule, "", (total, population), limit, what))
    return tuple(found)


def counted(plans: Sequence[TenantPlan], findings: Sequence[Finding]) -> frozenset[str]:
    """The single objects that these findings have counted, as `--allow` names them."""
    broken = {(finding.rule, finding.tenant) for finding in findings}
    return frozenset(
        _single(rule, plan, action)
        for rule, counts in _COUNTS.items()
        for plan in plans
        if broken & {(f"guardrail/{rule}", plan.tenant), (f"guardrail/{rule}", "")}
        for action in plan.actions
        if counts(action)
    )


def _single(rule: str, plan: TenantPlan, action: Action) -> str:
    return f"{rule}:{plan.tenant}/{action.object}"


def _rules(limits: Limits, spared: Collection[str]) -> Iterator[tuple[str, str, Limit, Callable[[TenantPlan], int]]]:
    def count(rule: str) -> Callable[[TenantPlan], int]:
        counts = _COUNTS[rule]
        return lambda plan: sum(counts(action) and _single(rule, plan, action) not in spared for action in plan.actions)

    yield "deletes", "would be deleted", limits.deletes, count("deletes")
    yield "deletes", "are recorded but gone at the vendor, and would be issued anew", limits.deletes, _vanished
    yield "replacements", "would be replaced", limits.replacements, count("replacements")
    yield "locks", "would be locked for good", limits.locks, count("locks")
    if limits.widenings is not None:
        yield "widenings", "would get more access", limits.widenings, partial(_widened, spared=spared)


def _finding(rule: str, tenant: str, counted: tuple[int, int], limit: Limit, what: str) -> Finding:
    count, population = counted
    percent = f"{limit.ratio:.0%}".replace("%", " %")
    allow = f"{rule}:{tenant or 'run'}"
    return Finding(
        f"guardrail/{rule}",
        Severity.HIGH,
        f"{count} {what} of {population} objects{'' if tenant else ' in the whole run'}; "
        f"the limit is {percent} and at most {limit.max} (up to {limit.floor} are always allowed)",
        tenant=tenant,
        hint=f"if this is meant, add --allow {allow}, or raise spec.limits.{rule} in reconciler.yaml in a commit of its own",
        impact=Impact.WIDENS if rule == "widenings" else Impact.DESTROYS,
        denies=True,
        allow=allow,
        figures={
            "count": count,
            "population": population,
            "max": limit.max,
            "ratio": limit.ratio,
            "floor": limit.floor,
        },
    )


def spread_rotations(plans: Sequence[TenantPlan], limit: int) -> tuple[TenantPlan, ...]:
    """Put rotations beyond the limit off to later runs, the longest overdue first; each one put off leaves a note."""
    due = sorted(
        ((action, plan.tenant) for plan in plans for action in plan.actions if action.kind is ActionKind.ROTATE),
        key=lambda item: (_due_since(item[0]), item[1], item[0].object),
    )
    later = {(tenant, action.object) for action, tenant in due[limit:]}
    if not later:
        return tuple(plans)
    return tuple(_without(plan, later) for plan in plans)


def _due_since(action: Action) -> datetime:
    rotation = action.key.rotation
    if rotation is None or action.record is None or action.record.issued_at is None:
        return datetime.max.replace(tzinfo=UTC)
    return action.record.issued_at + rotation.every


def _without(plan: TenantPlan, later: set[tuple[str, ObjectId]]) -> TenantPlan:
    def put_off(action: Action) -> bool:
        return action.kind is ActionKind.ROTATE and (plan.tenant, action.object) in later

    notes = [
        Note(action.object, f"rotation put off to a later run: {action.reason}")
        for action in plan.actions
        if put_off(action)
    ]
    kept = tuple(action for action in plan.actions if not put_off(action))
    return replace(plan, actions=kept, notes=(*plan.notes, *notes))


def _broken(count: int, population: int, limit: Limit) -> bool:
    return count > limit.floor and (count > limit.max or count > limit.ratio * population)


def _is_delete(action: Action) -> bool:
    operation = action.by_hand or action.operation
    if action.record is not None and action.record.phase is Phase.QUARANTINED and operation is Operation.UPDATE:
        return True  # what is deleted later stops working now
    if action.kind in {ActionKind.RETIRE, ActionKind.LOCK} or (action.record and action.record.revoked):
        return False
    return operation in {Operation.DELETE, Operation.REMOVE}


def _vanished(plan: TenantPlan) -> int:
    return plan.vanished


def _is_replacement(action: Action) -> bool:
    return action.kind is ActionKind.REPLACE and not action.object.kind.is_level


def _is_final_lock(action: Action) -> bool:
    return action.kind is ActionKind.LOCK and action.operation is Operation.DELETE


def _widens(action: Action) -> bool:
    """Whether it gives more access to what is there. A new key is no key that widens."""
    return action.impact is Impact.WIDENS and action.kind is not ActionKind.CREATE


def _widened(plan: TenantPlan, spared: Collection[str]) -> int:
    """Keys that get more access, each once: by themselves, or by their level."""
    keys: set[str] = set()
    for action in plan.actions:
        if _widens(action) and _single("widenings", plan, action) not in spared:
            keys.update(action.affects if action.object.kind.is_level else (action.object.name,))
    return len(keys)


_COUNTS: Final[Mapping[str, Callable[[Action], bool]]] = {
    "deletes": _is_delete, "replacements": _is_replacement, "locks": _is_final_lock, "widenings": _widens,
}  # fmt: skip
