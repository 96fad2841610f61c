"""Plans and results for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from reconciler.apply.result import Result, Status, TenantResult
from reconciler.errors import printable
from reconciler.model.action import Action, ActionKind, Change, TenantPlan
from reconciler.model.finding import Finding
from reconciler.model.names import ObjectId
from reconciler.plan.run import Planned, Unreadable
from reconciler.report import handoffs, lines, words

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
_ALIGNED: Final = 24
"""Longer field names (permissions, mostly) do not push the values of the others to the right."""
_WARNED: Final = 3
"""So many warnings of one rule are told; a large estate may have one for each key."""
_NOT_BEGUN: Final = "not begun: "
"""How an apply begins the detail of what it skipped."""
_STATUS: Final = {Status.DONE: "green", Status.FAILED: "red", Status.SKIPPED: "yellow", Status.WAITING: "yellow"}


def plan(console: Console, planned: Planned, findings: Sequence[Finding]) -> None:
    """A tree for each tenant that has anything to show, what stops the run, and a summary line."""
    for item in planned.plans:
        if item.actions or item.blocked or item.notes or item.unmanaged or item.waiting:
            lines.tree(console, _tenant(item))
            console.print()
    unreadable(console, planned.unreadable)
    stopped(console, findings)
    tenants = len(planned.readable) + len(planned.unreadable)
    summary = words.summary(planned.plans) if planned.readable else "nothing could be planned"
    line = f"Plan: {summary} ({words.plural(tenants, 'tenant')}"
    if planned.unreadable:
        line += f", {len(planned.unreadable)} of them could not be read"
    lines.prose(console, Text(f"{line})", style="bold"))


def unreadable(console: Console, items: Iterable[Unreadable]) -> None:
    """The tenants that were left out, and why: those that have the same reason on one line."""
    reasons: dict[str, list[str]] = {}
    for item in items:
        reasons.setdefault(str(item.error).removeprefix(f"{item.tenant.name}: "), []).append(item.tenant.name)
    for reason, names in reasons.items():
        lines.prose(console, _told("error", "bold red", f"{', '.join(names)}: {reason}"))


def stopped(console: Console, findings: Iterable[Finding]) -> None:
    """One line for each finding: what stops the run, and what only warns; of one rule's warnings the first few."""
    warned: dict[str, int] = {}
    for finding in findings:
        if not finding.denies:
            warned[finding.rule] = warned.get(finding.rule, 0) + int(finding.figures.get("more", 1))
            if warned[finding.rule] > _WARNED:
                continue
        told = ("stopped", "bold red") if finding.denies else ("warning", "yellow")
        lines.prose(console, _told(*told, str(finding)))
    for rule, count in warned.items():
        if count > _WARNED:
            lines.prose(console, _told("warning", "yellow", f"{rule}: {count - _WARNED} more; --format json has them"))


def results(console: Console, outcome: Sequence[TenantResult], left_out: Sequence[Unreadable] = ()) -> None:
    """A table of what was done and where each secret is, what stood in the way, then a summary line.

    What was not begun is counted, not listed, and a reason is told once: a tenant that was stopped is one line.
    """
    rows = [row for tenant in outcome for row in _rows(tenant)]
    if rows:
        head = [Text(title, style="bold") for title in ("object", "action", "version", "secret")]
        lines.table(console, [head, *rows])
        console.print()
    for tenant in outcome:
        for line in _details(tenant):
            lines.prose(console, line)
        for line in _by_hand(tenant):
            lines.prose(console, line)
    unreadable(console, left_out)
    lines.prose(console, Text(f"Apply: {words.closing(outcome, left_out)}", style="bold"))


def _rows(tenant: TenantResult) -> Iterator[list[Text]]:
    begun = [result for result in tenant.results if result.status is not Status.SKIPPED]
    if begun:
        yield [Text(printable(tenant.plan.tenant), style="bold"), Text(), Text(), Text()]
    for result in begun:
        ended = "" if result.status is Status.DONE else f" {result.status}"
        yield [
            Text(printable(f"  {result.action.object}")),
            Text(f"{result.action.kind}{ended}", style=_STATUS[result.status]),
            Text(str(result.version or "")),
            Text(printable(_secret(result))),
        ]


def _secret(result: Result) -> str:
    if result.secret is not None or result.status is not Status.DONE:
        return str(result.secret or "")
    gone = words.deleted_secrets(result.action)
    return f"{', '.join(map(str, gone))} (deleted)" if gone else ""


def _details(tenant: TenantResult) -> Iterator[Text]:
    """Everything about a tenant that the table does not say, each reason once."""
    name = tenant.plan.tenant
    groups: dict[tuple[Status, str], list[str]] = {}
    for result in tenant.results:
        if result.status is Status.WAITING:
            continue
        if result.status is not Status.DONE or (result.secret is not None and result.detail):
            groups.setdefault((result.status, result.detail), []).append(str(result.action.object))
    skipped = {detail: found for (status, detail), found in groups.items() if status is Status.SKIPPED}
    told: list[str] = []
    for (status, detail), found in groups.items():
        if status is not Status.SKIPPED:
            told.append(detail)
            yield _told(status, _STATUS[status], f"{name}: {', '.join(dict.fromkeys(found))}: {detail}")
    if tenant.error is not None:
        error = str(tenant.error).removeprefix(f"{name}: ")
        same = [detail for detail in skipped if _reason(detail, name) in error]
        count = sum(len(skipped.pop(detail)) for detail in same)
        begun = f"{words.plural(count, 'action')} {_NOT_BEGUN}" if count else ""
        yield _told("error", "bold red", f"{name}: {begun}{error}")
    for detail, found in skipped.items():
        reason = _reason(detail, name)
        if any(reason in one for one in told):
            yield _told(
                Status.SKIPPED, _STATUS[Status.SKIPPED], f"{name}: {words.plural(len(found), 'action')} not begun"
            )
        else:
            yield _told(Status.SKIPPED, _STATUS[Status.SKIPPED], f"{name}: {words.several(found)}: {detail}")
    for item in tenant.plan.blocked:
        yield _told("blocked", "red", f"{name}: {item.object}: {item.reason}")


def _by_hand(tenant: TenantResult) -> Iterator[Text]:
    """What a person has to do now, asked for in this run or before."""
    name = tenant.plan.tenant
    for result in tenant.results:
        if result.status is Status.WAITING:
            yield _told("by hand", "bold yellow", f"{name}/{result.action.object}: {handoffs.asks(result.action)}")
            yield from handoffs.of_steps(result.action.steps)
    for waiting in tenant.plan.waiting:
        yield from handoffs.of_waiting(name, waiting)


def _reason(detail: str, tenant: str) -> str:
    return detail.removeprefix(_NOT_BEGUN).removeprefix(f"{tenant}: ")


def _told(what: str, style: str, text: str) -> Text:
    return Text.assemble((f"{what} ", style), printable(text))


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
            for line in handoffs.of_steps(action.steps):
                branch.add(line)
    for waiting in item.waiting:
        first, *steps = handoffs.of_waiting(item.tenant, waiting)
        branch = tree.add(first)
        for line in steps:
            branch.add(line)
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
    for path in words.deleted_secrets(action):
        branch.add(
            Text.assemble(("secret  ", "dim"), printable(str(path)), (" (deleted, with all its versions)", "red"))
        )


def _change(change: Change, width: int, *, created: bool) -> Text:
    name = printable(f"{change.path:<{width}}  ")
    if created:
        return Text.assemble((name, "dim"), words.value(change.new))
    old, new = (
        "any" if change.path == "allowedIPs" and not value else words.value(value) for value in (change.old, change.new)
    )
    return Text.assemble((name, "dim"), old, (" → ", "bold"), new)
