"""Plans and results as plain data, for `--format json`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from reconciler.apply.result import Result, Status, TenantResult
from reconciler.errors import ReconcilerError, printable
from reconciler.manifest import Report
from reconciler.manifest.problems import InvalidManifests, Problem
from reconciler.model.action import Action, Blocked, Change, Operation, TenantPlan
from reconciler.model.estate import Estate
from reconciler.model.finding import Finding
from reconciler.model.observed import Observed
from reconciler.model.outcome import ExitCode
from reconciler.plan.run import Planned, Unreadable
from reconciler.report import handoffs, words

FORMAT: Final = 1


def plan(estate: Estate, planned: Planned, findings: Sequence[Finding], codes: dict[str, ExitCode]) -> dict[str, Any]:
    """A plan: `{format, estate, manifests, tenants, findings}`.

    A tenant is `{tenant, provider, endpoint, exitCode, actions, blocked, notes, unmanaged}`, or has an `error` instead.
    """
    tenants: list[dict[str, Any]] = [{**_tenant(item), "exitCode": int(codes[item.tenant])} for item in planned.plans]
    tenants += map(unreadable, planned.unreadable)
    return {
        "format": FORMAT,
        "estate": str(estate.id),
        "manifests": estate.digest,
        "tenants": sorted(tenants, key=lambda tenant: str(tenant["tenant"])),
        "findings": [finding(one) for one in findings],
    }


def finding(one: Finding) -> dict[str, Any]:
    """One finding: `{rule, severity, impact, tenant, object, source, message, hint, denies, allow, changes, figures}`."""
    return {
        "rule": one.rule,
        "severity": str(one.severity),
        "impact": str(one.impact),
        "tenant": one.tenant or None,
        "object": str(one.object) if one.object else None,
        "source": str(one.source) if one.source else None,
        "message": printable(one.message),
        "hint": printable(one.hint),
        "denies": one.denies,
        "allow": one.allow or None,
        "changes": [_change(change) for change in one.changes],
        "figures": dict(one.figures),
    }


def results(estate: Estate, outcome: Sequence[TenantResult], left_out: Sequence[Unreadable] = ()) -> dict[str, Any]:
    """What an apply did: `{format, estate, tenants: [{tenant, exitCode, error, results: [{object, kind, status, …}]}]}`."""
    return {
        "format": FORMAT,
        "estate": str(estate.id),
        "tenants": [
            {
                "tenant": item.plan.tenant,
                "exitCode": int(item.code),
                "error": str(item.error) if item.error else None,
                "blocked": [blocked(one) for one in item.plan.blocked],
                "waiting": handoffs.waiting_data(item.plan),
                "results": [
                    {
                        "object": str(result.action.object),
                        "kind": str(result.action.kind),
                        "status": str(result.status),
                        "detail": result.detail,
                        "secret": str(result.secret) if result.secret else None,
                        "version": result.version or None,
                        "deletedSecrets": _deleted(result),
                    }
                    for result in item.results
                ],
            }
            for item in outcome
        ]
        + [unreadable(item) for item in left_out],
    }


def failure(error: ReconcilerError, code: ExitCode) -> dict[str, Any]:
    """What ended a command before it had anything else to say: `{format, exitCode, error, hint, problems}`.

    `problems` are those of the manifests, in the shape in which `validate --format json` lists them.
    """
    return {
        "format": FORMAT,
        "exitCode": int(code),
        "error": printable(f"{error.where}: {error.what}" if error.where else error.what),
        "hint": printable(error.hint),
        "problems": [_problem(one) for one in error.problems] if isinstance(error, InvalidManifests) else [],
    }


def validation(report: Report) -> dict[str, Any]:
    """What `validate` found: `{problems, files, objects}`, files and objects counted."""
    problems = [_problem(problem) for problem in report.problems]
    return {"format": FORMAT, "problems": problems, "files": report.files, "objects": report.documents}


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "file": problem.source.file,
        "line": problem.source.line,
        "column": problem.source.column,
        "severity": str(problem.severity),
        "code": problem.code,
        "object": printable(problem.object),
        "message": printable(problem.what),
        "hint": printable(problem.hint),
    }


def _deleted(result: Result) -> list[str]:
    return [str(path) for path in words.deleted_secrets(result.action)] if result.status is Status.DONE else []


def unreadable(item: Unreadable) -> dict[str, Any]:
    """A tenant that could not be read, and why."""
    return {
        "tenant": item.tenant.name,
        "provider": item.tenant.provider,
        "endpoint": item.tenant.endpoint,
        "exitCode": int(ExitCode.ERROR),
        "error": str(item.error),
    }


def _tenant(item: TenantPlan) -> dict[str, Any]:
    return {
        "tenant": item.tenant,
        "provider": item.provider,
        "endpoint": item.endpoint,
        "actions": [_action(action) for action in item.actions],
        "blocked": [blocked(one) for one in item.blocked],
        "waiting": handoffs.waiting_data(item),
        "notes": [{"object": str(note.object) if note.object else None, "text": note.text} for note in item.notes],
        "unmanaged": [_unmanaged(o) for o in item.unmanaged],
    }


def _unmanaged(item: Observed) -> dict[str, Any]:
    deprecated = item.facts.get("deprecated")
    told = {"deprecated": str(deprecated)} if deprecated else {}
    return {"kind": str(item.kind), "name": item.name, "vendorId": item.vendor_id, **told}


def _action(action: Action) -> dict[str, Any]:
    return {
        "object": str(action.object),
        "kind": str(action.kind),
        "impact": str(action.impact),
        "affects": list(action.affects),
        "reason": action.reason,
        "changes": [_change(change) for change in action.changes],
        "deletesSecrets": [str(path) for path in words.deleted_secrets(action)],
        "source": str(action.source) if action.source else None,
        "byHand": list(action.steps) if action.operation is Operation.HAND_OFF else None,
    }


def _change(change: Change) -> dict[str, Any]:
    return {"field": change.path, "old": _value(change.old), "new": _value(change.new)}


def blocked(one: Blocked) -> dict[str, Any]:
    """An object that cannot be reconciled, and why."""
    return {
        "object": str(one.object),
        "reason": one.reason,
        "hint": one.hint,
        "source": str(one.source) if one.source else None,
    }


def _value(item: Any) -> Any:
    if isinstance(item, datetime):
        return item.isoformat()
    if isinstance(item, (list, tuple)):
        return [_value(one) for one in item]
    return item
