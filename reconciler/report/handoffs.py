"""What waits for a person: the steps in the console, and who was asked since when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from reconciler.errors import printable
from reconciler.model.action import Action, Operation, TenantPlan, Waiting
from reconciler.plan.run import Planned
from reconciler.report import lines, words

_ASKS: Final = {
    Operation.CREATE: "create it",
    Operation.ISSUE: "create a key",
    Operation.REGENERATE: "generate a new secret",
    Operation.UPDATE: "change it",
    Operation.DELETE: "delete it",
    Operation.REMOVE: "delete the former generation",
}


def text(console: Console, planned: Planned) -> None:
    """Every open handoff with its steps, then what the next apply would ask for, then a summary line."""
    opened = asked = 0
    for plan in planned.plans:
        for waiting in plan.waiting:
            opened += 1
            for line in of_waiting(plan.tenant, waiting):
                lines.prose(console, line)
            console.print()
        asked += sum(action.operation is Operation.HAND_OFF for action in plan.actions)
    for item in planned.unreadable:
        lines.prose(console, Text(f"error {item.tenant.name}: {item.error}", style="bold red"))
    summary = f"{words.plural(opened, 'handoff')} open" if opened else "no handoff is open"
    if asked:
        summary += f"; the next apply opens {asked}"
    lines.prose(console, Text(summary, style="bold"))


def of_waiting(tenant: str, waiting: Waiting) -> Iterator[Text]:
    """One open handoff: what, since when, who asked, and the steps."""
    head = Text("waiting ", style="bold yellow")
    head.append(f"{tenant}/{waiting.object}: {_ASKS[waiting.action.operation]} by hand", style="bold")
    head.append(f"; asked for by {printable(waiting.by)} on {waiting.opened:%Y-%m-%d %H:%M} UTC", style="not bold")
    yield head
    if waiting.clicked:
        done = f"  somebody has made it: the audit log tells of key {printable(waiting.clicked)}"
        yield Text(f"{done}; run reconciler handoff complete {tenant}/{waiting.object.name}")
    yield from of_steps(waiting.action.steps)


def of_steps(steps: tuple[str, ...]) -> Iterator[Text]:
    """The steps in the console, numbered."""
    for number, step in enumerate(steps, 1):
        yield Text(f"  {number}. {printable(step)}")


def asks(action: Action) -> str:
    """What a handoff asks a person for."""
    return _ASKS[action.by_hand or action.operation]


def data(planned: Planned) -> dict[str, Any]:
    """`{format, tenants: [{tenant, waiting: […]}]}`, or `error` for a tenant that could not be read."""
    tenants: list[dict[str, Any]] = [{"tenant": plan.tenant, "waiting": waiting_data(plan)} for plan in planned.plans]
    tenants += [{"tenant": item.tenant.name, "error": str(item.error)} for item in planned.unreadable]
    return {"format": 1, "tenants": sorted(tenants, key=lambda tenant: str(tenant["tenant"]))}


def waiting_data(plan: TenantPlan) -> list[dict[str, Any]]:
    """A tenant's open handoffs as plain data."""
    return [
        {
            "object": str(waiting.object),
            "asks": _ASKS[waiting.action.operation],
            "opened": waiting.opened.isoformat(),
            "by": waiting.by,
            "steps": list(waiting.action.steps),
            "clicked": waiting.clicked or None,
        }
        for waiting in plan.waiting
    ]
