"""Plans, results and problems as Markdown: what a pull request's comment and a job's summary show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reconciler.apply.result import Status, TenantResult
from reconciler.errors import ReconcilerError
from reconciler.manifest.problems import Problem
from reconciler.manifest.problems import summary as counted
from reconciler.model.action import Action, ActionKind, Change, Operation, TenantPlan
from reconciler.model.finding import Finding
from reconciler.plan.run import Planned, Unreadable
from reconciler.report import findings as all_findings
from reconciler.report import words
from reconciler.report.markdown import Section, code, prose, review, table

_OPEN = frozenset({"plan/blocked", "plan/unreadable"})
"""What of a plan's own findings a reviewer has to see at once; the rest is in the tables of the tenants."""


def plan(planned: Planned, findings: Sequence[Finding]) -> str:
    """A plan: what stops it and stands in the way at once, then each tenant's actions folded."""
    own = [one for one in all_findings.of_plan(planned, ()) if one.rule in _OPEN]
    tenants = words.plural(len(planned.readable) + len(planned.unreadable), "tenant")
    summary = words.summary(planned.plans) if planned.readable else "nothing could be planned"
    sections = [Section(_heading(item), list(_tenant(item))) for item in planned.plans if _has_anything(item)]
    return review("reconciler plan", f"{summary} ({tenants})", [*findings, *own], sections)


def results(outcome: Sequence[TenantResult], left_out: Sequence[Unreadable] = ()) -> str:
    """What an apply did: what failed at once, then each tenant's results folded."""
    found = [one for one in all_findings.of_results(outcome, left_out) if one.rule != "plan/handoff"]
    sections = []
    for tenant in outcome:
        rows = [
            (
                code(str(result.action.object)),
                str(result.action.kind),
                str(result.status),
                code(str(result.secret)) + f", version {result.version}" if result.secret else "",
            )
            for result in tenant.results
            if result.status is not Status.SKIPPED
        ]
        waits = list(_waiting(tenant.plan))
        if rows or waits:
            lines = [*table(("object", "action", "result", "secret"), rows), "", *waits] if rows else waits
            sections.append(Section(tenant.plan.tenant, lines))
    return review("reconciler apply", words.closing(outcome, left_out), found, sections)


def problems(found: Sequence[Problem], valid: str) -> str:
    """What `validate` found. `valid` says how much was looked at, for when nothing is wrong."""
    errors = [one for one in found if one.severity == "error"]
    return review("reconciler validate", counted(found) if errors else valid, all_findings.of_manifests(found))


def failure(command: str, error: ReconcilerError) -> str:
    """What ended a command before it had anything else to say."""
    return review(f"reconciler {command}", "nothing was done", all_findings.of_error(error))


def _heading(item: TenantPlan) -> str:
    return f"{item.tenant} · {item.provider} · {words.summary([item])}"


def _has_anything(item: TenantPlan) -> bool:
    return bool(item.actions or item.notes or item.unmanaged or item.waiting)


def _tenant(item: TenantPlan) -> Iterator[str]:
    if item.actions:
        yield from table(
            ("", "object", "action", "fields"),
            (
                (words.SYMBOL[action.kind], code(str(action.object)), prose(words.headline(action)), _fields(action))
                for action in item.actions
            ),
        )
    for action in item.actions:
        if action.operation is Operation.HAND_OFF:
            yield from _steps(f"{code(str(action.object))}: the apply will ask a person for this:", action)
    yield from _waiting(item)
    yield ""
    for note in item.notes:
        about = f"{code(str(note.object))}: " if note.object else ""
        yield f"- ℹ️ {about}{prose(note.text)}"
    if item.unmanaged:
        yield f"- ❔ {len(item.unmanaged)} unmanaged: " + prose(words.unmanaged(item.unmanaged))


def _waiting(item: TenantPlan) -> Iterator[str]:
    for waiting in item.waiting:
        yield from _steps(
            f"{code(str(waiting.object))} waits for a person since {waiting.opened:%Y-%m-%d}:", waiting.action
        )


def _steps(head: str, action: Action) -> Iterator[str]:
    yield from ("", head, "")
    yield from (f"{number}. {prose(step)}" for number, step in enumerate(action.steps, 1))
    yield ""


def _fields(action: Action) -> str:
    created = action.kind is ActionKind.CREATE
    told = [_change(change, created=created) for change in action.changes]
    told += [f"deletes the secret {code(str(path))}" for path in words.deleted_secrets(action)]
    return "<br>".join(told)


def _change(change: Change, *, created: bool) -> str:
    def shown(value: Any) -> str:
        return code("any" if change.path == "allowedIPs" and not value else words.value(value))

    name = prose(change.path)
    return f"{name}: {shown(change.new)}" if created else f"{name}: {shown(change.old)} → {shown(change.new)}"
