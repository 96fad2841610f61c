"""Everything that a command has to tell, as findings: what the formats for other tools are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from reconciler.apply.result import Result, Status, TenantResult
from reconciler.errors import ReconcilerError, printable
from reconciler.manifest import problems
from reconciler.manifest.problems import InvalidManifests, Problem
from reconciler.model.action import Action, Operation, TenantPlan
from reconciler.model.finding import Finding, Severity
from reconciler.model.policy import Policies
from reconciler.plan.run import Planned, Unreadable
from reconciler.report import words

RULES: Final[Mapping[str, str]] = {
    "guardrail/deletes": "More would be deleted in one run than the limits allow.",
    "guardrail/replacements": "More keys would be replaced in one run than the limits allow.",
    "guardrail/locks": "More keys would be locked for good in one run than the limits allow.",
    "guardrail/widenings": "More keys would get more access in one run than the limits allow.",
    "plan/pending": "Vendor or Vault differ from the manifests; an apply changes that.",
    "plan/blocked": "An object cannot be reconciled.",
    "plan/handoff": "A step that the vendor offers in its console only waits for a person.",
    "plan/unmanaged": "An object at the vendor is in no manifest.",
    "plan/unreadable": "A tenant could not be read, and is left out.",
    "apply/failed": "A step of the apply failed.",
    "apply/skipped": "A step was not begun, for something that it depends on failed.",
    "apply/stopped": "Something ended the apply of a whole tenant.",
    "policy/expired-waiver": "A waiver has ended, and counts no more.",
    "policy/unused-waiver": "A waiver names no rule that is on, or no object.",
    "run/error": "The command could not do its work.",
}
"""The rules that are not somebody else's: what each means, in a sentence."""


def rules_of(policies: Policies) -> dict[str, str]:
    """What every rule means, those of an estate's policies included."""
    own = {f"policy/{one.id}": printable(" ".join((one.description or one.id).split())) for one in policies.rules}
    return {**RULES, **own}


def of_manifests(found: Iterable[Problem]) -> list[Finding]:
    """The problems of manifests, `manifest/CODE`, and what they violate, `policy/ID`: errors are high, warnings low."""
    return [
        Finding(
            one.code if "/" in one.code else f"manifest/{one.code}",
            Severity.HIGH if one.severity is problems.Severity.ERROR else Severity.LOW,
            printable(f"{one.object}: {one.what}" if one.object else one.what),
            source=one.source,
            hint=printable(one.hint),
        )
        for one in found
    ]


def of_error(error: ReconcilerError) -> list[Finding]:
    """What ended a command before it had anything else to say."""
    if isinstance(error, InvalidManifests):
        return of_manifests(error.problems)
    where = f"{error.where}: " if error.where else ""
    return [Finding("run/error", Severity.HIGH, printable(where + error.what), hint=printable(error.hint))]


def of_plan(planned: Planned, findings: Sequence[Finding]) -> list[Finding]:
    """The findings of a plan, what could not be read or is blocked, what waits, and (only to know) what is pending."""
    return [*findings, *map(unreadable, planned.unreadable), *(one for plan in planned.plans for one in _plan(plan))]


def of_results(outcome: Iterable[TenantResult], left_out: Iterable[Unreadable]) -> list[Finding]:
    """What an apply did not do."""
    found = list(map(unreadable, left_out))
    for tenant in outcome:
        if tenant.error is not None:
            found.append(
                Finding("apply/stopped", Severity.HIGH, printable(str(tenant.error)), tenant=tenant.plan.tenant)
            )
        found += [one for result in tenant.results for one in _result(tenant.plan.tenant, result)]
        found += [one for one in _plan(tenant.plan) if one.rule in {"plan/blocked", "plan/handoff"}]
    return found


def unreadable(item: Unreadable) -> Finding:
    """A tenant that could not be read, as a finding."""
    text = printable(str(item.error).removeprefix(f"{item.tenant.name}: "))
    return Finding("plan/unreadable", Severity.HIGH, text, tenant=item.tenant.name, source=item.tenant.source)


def _plan(plan: TenantPlan) -> Iterator[Finding]:
    for one in plan.blocked:
        yield Finding(
            "plan/blocked",
            Severity.MEDIUM,
            printable(one.reason),
            tenant=plan.tenant,
            object=one.object,
            source=one.source,
            hint=printable(one.hint),
        )
    for waiting in plan.waiting:
        yield _handoff(plan.tenant, waiting.action)
    for action in plan.actions:
        if action.operation is Operation.HAND_OFF:
            yield _handoff(plan.tenant, action)
        else:
            yield _pending(plan.tenant, action)
    for item in plan.unmanaged:
        text = f"{item.kind}/{printable(item.name)} (id {printable(item.vendor_id)}) is in no manifest"
        yield Finding("plan/unmanaged", Severity.INFO, text, tenant=plan.tenant)


def _pending(tenant: str, action: Action) -> Finding:
    return Finding(
        "plan/pending",
        Severity.INFO,
        words.headline(action),
        tenant=tenant,
        object=action.object,
        source=action.source,
        impact=action.impact,
        changes=action.changes,
    )


def _handoff(tenant: str, action: Action) -> Finding:
    steps = "; ".join(f"{number}. {printable(step)}" for number, step in enumerate(action.steps, 1))
    return Finding(
        "plan/handoff",
        Severity.LOW,
        f"{words.headline(action)}: waits for a person",
        tenant=tenant,
        object=action.object,
        source=action.source,
        hint=steps,
    )


def _result(tenant: str, result: Result) -> Iterator[Finding]:
    if result.status in {Status.FAILED, Status.SKIPPED}:
        failed = result.status is Status.FAILED
        yield Finding(
            f"apply/{result.status}",
            Severity.HIGH if failed else Severity.MEDIUM,
            f"{result.action.kind}: {printable(result.detail)}",
            tenant=tenant,
            object=result.action.object,
            source=result.action.source,
        )
    elif result.status is Status.WAITING:
        yield _handoff(tenant, result.action)
