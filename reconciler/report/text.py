"""Plans and results for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from reconciler.apply.result import Status, TenantResult
from reconciler.errors import printable
from reconciler.model.action import Action, ActionKind, Change, TenantPlan
from reconciler.model.names import ObjectId
from reconciler.plan.run import Planned, Unreadable
from reconciler.policy.guardrails import Finding
from reconciler.report import words

_STYLE: Final = {
    ActionKind.CREATE: "green",
    ActionKind.UPDATE: "yellow",
    ActionKind.REPLACE: "magenta",
    ActionKind.ROTATE: "cyan",
    ActionKind.RETIRE: "cyan",
    ActionKind.REPAIR: "magenta",
    ActionKind.LOCK: "red",
    ActionKind.UNLOCK: "yellow",
    ActionKind.DELETE: "red",
    ActionKind.ADOPT: "green",
}
_UNLIMITED: Final = 1_000_000
_ALIGNED: Final = 24
"""Longer field names (permissions, mostly) do not push the values of the others to the right."""
_STATUS: Final = {Status.DONE: "green", Status.FAILED: "red", Status.SKIPPED: "yellow"}


def plan(console: Console, planned: Planned, findings: Sequence[Finding]) -> None:
    """A tree for each tenant that has anything to show, what stops the run, and a summary line."""
    for item in planned.plans:
        if item.actions or item.blocked or item.notes or item.unmanaged:
            _whole(console, _tenant(item))
            console.print()
    unreadable(console, planned.unreadable)
    stopped(console, findings)
    tenants = len(planned.readable) + len(planned.unreadable)
    summary = words.summary(planned.plans) if planned.readable else "nothing could be planned"
    line = f"Plan: {summary} ({words.plural(tenants, 'tenant')}"
    if planned.unreadable:
        line += f", {len(planned.unreadable)} of them could not be read"
    console.print(Text(f"{line})", style="bold"), soft_wrap=True)


def unreadable(console: Console, items: Iterable[Unreadable]) -> None:
    """One line for each tenant that was left out, and why."""
    for item in items:
        console.print(
            Text.assemble(("error ", "bold red"), f"{item.tenant.name}: {printable(str(item.error))}"), soft_wrap=True
        )


def stopped(console: Console, findings: Iterable[Finding]) -> None:
    """One line for each guardrail that stops the run."""
    for finding in findings:
        console.print(Text.assemble(("stopped ", "bold red"), printable(str(finding))), soft_wrap=True)


def results(console: Console, outcome: Sequence[TenantResult], left_out: Sequence[Unreadable] = ()) -> None:
    """A table of what was done and where each secret is, then a summary line."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("object", "action", "secret", "version"):
        right = column == "version"
        table.add_column(column, justify="right" if right else "left", overflow="fold", no_wrap=right)
    details: list[Text] = []
    for tenant in outcome:
        if tenant.results:
            table.add_row(Text(tenant.plan.tenant, style="bold"))
        for result in tenant.results:
            ended = "" if result.status is Status.DONE else f" {result.status}"
            table.add_row(
                Text(printable(f"  {result.action.object}")),
                Text(f"{result.action.kind}{ended}", style=_STATUS[result.status]),
                Text(printable(str(result.secret or ""))),
                str(result.version or ""),
            )
            if result.status is not Status.DONE or (result.secret is not None and result.detail):
                details.append(
                    Text.assemble(
                        (f"{result.status} ", _STATUS[result.status]),
                        printable(f"{tenant.plan.tenant}: {result.action.object}: {result.detail}"),
                    )
                )
        details += [
            Text.assemble(("blocked ", "red"), printable(f"{tenant.plan.tenant}: {item.object}: {item.reason}"))
            for item in tenant.plan.blocked
        ]
        if tenant.error is not None:
            details.append(Text.assemble(("error ", "bold red"), printable(str(tenant.error))))
    if table.row_count:
        _whole(console, table)
    for line in details:
        console.print(line, soft_wrap=True)
    unreadable(console, left_out)
    console.print(Text(_closing(outcome, left_out), style="bold"), soft_wrap=True)


def _whole(console: Console, item: Tree | Table) -> None:
    """Print at a terminal's width; anywhere else at the width that it needs, for logs and pipes wrap by themselves."""
    if console.is_terminal:
        console.print(item)
        return
    options = console.options.update(width=_UNLIMITED)
    width = Measurement.get(console, options, item).maximum
    for line in console.render_lines(item, options.update(width=width), pad=False):
        console.print(Text("".join(segment.text for segment in line).rstrip()), soft_wrap=True)


def _closing(outcome: Sequence[TenantResult], left_out: Sequence[Unreadable]) -> str:
    counts = {status: sum(r.status is status for t in outcome for r in t.results) for status in Status}
    parts = [f"{counts[status]} {status}" for status in Status if counts[status]]
    secrets = sum(r.secret is not None for t in outcome for r in t.results)
    nothing = "nothing was done" if left_out or any(tenant.error for tenant in outcome) else "nothing to do"
    line = f"Apply: {', '.join(parts) or nothing}"
    return f"{line}; {words.plural(secrets, 'secret')} written to Vault" if secrets else line


def _tenant(item: TenantPlan) -> Tree:
    where = printable(f" · {item.provider} · {item.endpoint}")
    tree = Tree(Text.assemble((item.tenant, "bold"), where), guide_style="dim")
    objects: dict[ObjectId, list[Action]] = {}
    for action in item.actions:
        objects.setdefault(action.object, []).append(action)
    for object_id, actions in objects.items():
        for action in actions:
            style = _STYLE[action.kind]
            label = Text.assemble(
                (printable(f"{words.SYMBOL[action.kind]} {object_id} "), f"bold {style}"), words.headline(action)
            )
            branch = tree.add(label)
            _changes(branch, action)
    for blocked in item.blocked:
        branch = tree.add(
            Text.assemble((printable(f"! {blocked.object} "), "bold red"), "blocked: ", printable(blocked.reason))
        )
        if blocked.hint:
            branch.add(Text(printable(blocked.hint)))
        if blocked.source:
            branch.add(Text(printable(str(blocked.source)), style="dim"))
    for note in item.notes:
        about = f"{note.object}: " if note.object else ""
        tree.add(Text.assemble(("i ", "blue"), printable(about + note.text)))
    if item.unmanaged:
        tree.add(Text.assemble(("? ", "blue"), f"{len(item.unmanaged)} unmanaged: ", words.unmanaged(item.unmanaged)))
    return tree


def _changes(branch: Tree, action: Action) -> None:
    width = max((len(change.path) for change in action.changes if len(change.path) <= _ALIGNED), default=0)
    for change in action.changes:
        branch.add(_change(change, width, created=action.kind is ActionKind.CREATE))


def _change(change: Change, width: int, *, created: bool) -> Text:
    name = printable(f"{change.path:<{width}}  ")
    if created:
        return Text.assemble((name, "dim"), words.value(change.new))
    return Text.assemble((name, "dim"), words.value(change.old), (" → ", "bold"), words.value(change.new))
