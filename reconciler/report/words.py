"""How values, objects and counts are written, in every format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from reconciler.apply.result import Status, TenantResult
from reconciler.errors import printable
from reconciler.model.action import Action, ActionKind, Operation, TenantPlan
from reconciler.model.desired import VaultPath
from reconciler.model.finding import Finding, Impact, Severity
from reconciler.model.observed import Observed
from reconciler.plan.run import Unreadable

SYMBOL: Final[Mapping[ActionKind, str]] = {
    ActionKind.CREATE: "+",
    ActionKind.UPDATE: "~",
    ActionKind.REPLACE: "±",
    ActionKind.ROTATE: "↻",
    ActionKind.RETIRE: "-",
    ActionKind.REPAIR: "⚒",
    ActionKind.LOCK: "×",
    ActionKind.UNLOCK: "○",
    ActionKind.DELETE: "-",
    ActionKind.ADOPT: "→",
}


_TOLD: Final = frozenset({Impact.WIDENS, Impact.NARROWS})
_SILENT: Final = frozenset({ActionKind.UPDATE, ActionKind.REPLACE, ActionKind.REPAIR})
"""Kinds of actions that do not say themselves what they mean for access."""


def value(item: Any) -> str:
    """One canonical value as a reviewer reads it, safe for a terminal."""
    if item is None:
        return "(none)"
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, datetime):
        return moment(item)
    if isinstance(item, (list, tuple)):
        return "[" + ", ".join(value(one) for one in item) + "]"
    return printable(str(item)) or '""'


def moment(time: datetime) -> str:
    """A time in UTC; a midnight as the end of the day before, for so manifests say it."""
    time = time.astimezone(UTC)
    if (time.hour, time.minute, time.second, time.microsecond) == (0, 0, 0, 0):
        return f"{time - timedelta(days=1):%Y-%m-%d} (end of day, UTC)"
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def headline(action: Action) -> str:
    """What happens to an object, in a few words."""
    text = str(action.kind)
    if action.operation is Operation.RECORD and action.kind is ActionKind.UPDATE:
        text += " (our record only)"
    if action.operation is Operation.HAND_OFF:
        text += " by hand"
    if action.impact in _TOLD and action.kind in _SILENT:
        feels = f" for {plural(len(action.affects), 'key')}" if action.affects else ""
        text += f" ({action.impact}{feels})"
    if action.reason:
        text += f": {printable(action.reason)}"
    return text


def summary(plans: Iterable[TenantPlan]) -> str:
    """`3 to create, 1 to lock, 2 blocked`, or `in sync, nothing to do`."""
    plans = tuple(plans)
    counts = Counter(action.kind for plan in plans for action in plan.actions)
    blocked = sum(len(plan.blocked) for plan in plans)
    parts = [f"{counts[kind]} to {kind}" for kind in ActionKind if counts[kind]]
    waiting = sum(len(plan.waiting) for plan in plans)
    if blocked:
        parts.append(f"{blocked} blocked")
    if waiting:
        parts.append(f"{plural(waiting, 'handoff')} open")
    return ", ".join(parts) if parts else "in sync, nothing to do"


def unmanaged(items: Iterable[Observed], most: int = 8) -> str:
    """The objects that are not ours, by name and id; the rest counted."""
    items = tuple(items)
    named = ", ".join(f"{item.kind}/{printable(item.name)} ({_about(item)})" for item in items[:most])
    return named + (f" and {len(items) - most} more" if len(items) > most else "")


def deleted_secrets(action: Action) -> tuple[VaultPath, ...]:
    """Where the secrets lie that go with what is deleted. The current secret of a key that stays is not among them."""
    record = action.record
    if record is None:
        return ()
    previous = record.previous
    moved = [VaultPath(previous.mount, previous.path)] if previous is not None and previous.path else []
    if action.operation is Operation.DELETE:
        current = [VaultPath(record.mount, record.path)] if record.path else []
        return tuple(dict.fromkeys([*current, *moved]))
    retires = action.operation is Operation.REMOVE and action.kind is ActionKind.RETIRE
    return tuple(moved) if retires else ()


def several(objects: Iterable[str], most: int = 5) -> str:
    """`ApiKey/a`, or `3 actions (ApiKey/a, ApiKey/b)`: how many actions, and on which objects, the first ones named."""
    objects = tuple(objects)
    names = tuple(dict.fromkeys(objects))
    if len(objects) == 1:
        return names[0]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{plural(len(objects), 'action')} ({', '.join(names[:most])}{more})"


def _about(item: Observed) -> str:
    """An unmanaged object's id, and what is wrong with it by the vendor's own word."""
    deprecated = item.facts.get("deprecated")
    return f"id {printable(item.vendor_id)}" + (f"; deprecated: {printable(str(deprecated))}" if deprecated else "")


def closing(outcome: Sequence[TenantResult], left_out: Sequence[Unreadable]) -> str:
    """`3 done, 1 failed; 2 secrets written to Vault`."""
    counts = {status: sum(r.status is status for t in outcome for r in t.results) for status in Status}
    parts = [f"{counts[status]} {status}" for status in Status if counts[status]]
    secrets = sum(r.secret is not None for t in outcome for r in t.results)
    nothing = "nothing was done" if left_out or any(tenant.error for tenant in outcome) else "nothing to do"
    still = sum(len(tenant.plan.waiting) for tenant in outcome)
    if still:
        parts.append(f"{plural(still, 'handoff')} still open")
    line = ", ".join(parts) or nothing
    return f"{line}; {plural(secrets, 'secret')} written to Vault" if secrets else line


def level(finding: Finding) -> str:
    """How other tools grade a finding: `error` for what stops a run or is high, `warning`, or `note`."""
    if finding.denies or finding.severity.rank >= Severity.HIGH.rank:
        return "error"
    return "warning" if finding.severity is not Severity.INFO else "note"


def plural(count: int, noun: str) -> str:
    """`1 tenant`, `2 tenants`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
