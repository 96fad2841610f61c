"""A tenant's state, and what a rebuilding would make of it, for people and as plain data. There is no secret in either."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from reconciler.apply.restore import Proposal
from reconciler.errors import printable
from reconciler.model.state import Intent, Record, StateDocument
from reconciler.plan.rebuild import Difference, Outcome
from reconciler.report import words

FORMAT: Final = 1
_UNLIMITED: Final = 1_000_000
_SIGN: Final = {Outcome.ADDED: ("+", "green"), Outcome.CHANGED: ("~", "yellow"), Outcome.REMOVED: ("-", "red")}


def show(console: Console, document: StateDocument, version: int, now: datetime) -> None:
    """Who may write, every record with what is open about it, and every intent."""
    head = f" · {document.provider} · {document.endpoint} · version {version}"
    console.print(Text.assemble((document.tenant, "bold"), printable(head)), soft_wrap=True)
    console.print(Text(printable(_lease(document, now))), soft_wrap=True)
    if document.objects:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in ("object", "id", "generation", "phase", "secret", "version", "issued", "expires"):
            table.add_column(
                column, overflow="fold", justify="right" if column in {"generation", "version"} else "left"
            )
        for name, record in sorted(document.objects.items()):
            table.add_row(*(Text(printable(cell)) for cell in (name, *_cells(record))))
        _whole(console, table)
    for name, record in sorted(document.objects.items()):
        for line in _open(record):
            console.print(Text(printable(f"{name}: {line}")), soft_wrap=True)
    for name, intent in sorted(document.intents.items()):
        console.print(Text(printable(f"{name}: {_intent(intent)}")), soft_wrap=True)
    if not document.objects and not document.intents:
        console.print("nothing is recorded")


def _lease(document: StateDocument, now: datetime) -> str:
    lease = document.lease
    if lease is None:
        return "lease: free"
    ended = "has ended" if lease.expires <= now else "until"
    return f"lease: {lease.holder}, run {lease.run}, since {_moment(lease.since)}, {ended} {_moment(lease.expires)}"


def _cells(record: Record) -> tuple[str, ...]:
    return (
        record.vendor_id or "(none)",
        str(record.generation),
        str(record.phase),
        f"{record.mount}/{record.path}" if record.path else "",
        str(record.version or ""),
        _moment(record.issued_at),
        _moment(record.expires),
    )


def _open(record: Record) -> Iterator[str]:
    if record.protect:
        yield "protected"
    if record.previous is not None:
        previous = record.previous
        yield f"generation {previous.generation} (id {previous.vendor_id}) works until {_moment(previous.until)}"
    if record.revoked is not None:
        revoked = record.revoked
        yield f"revoked {_moment(revoked.at)} by {revoked.by}: {revoked.reason}"
    if record.handoff is not None:
        handoff = record.handoff
        yield f"waits for a person to {handoff.action} it, asked {_moment(handoff.opened)} by {handoff.by}"


def _intent(intent: Intent) -> str:
    if intent.handoff is not None:
        since = _moment(intent.handoff.opened)
        return f"waits for a person to {intent.handoff.action} generation {intent.generation}, asked {since}"
    return f"run {intent.run} was about to {intent.action} generation {intent.generation} (nonce {intent.nonce})"


def _moment(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}Z" if time is not None else ""


def _whole(console: Console, table: Table) -> None:
    """Print at a terminal's width; anywhere else at the width that it needs, for logs and pipes wrap by themselves."""
    if console.is_terminal:
        console.print(table)
        return
    options = console.options.update(width=_UNLIMITED)
    width = Measurement.get(console, options, table).maximum
    for line in console.render_lines(table, options.update(width=width), pad=False):
        console.print(Text("".join(segment.text for segment in line).rstrip()), soft_wrap=True)


def state_data(document: StateDocument, version: int) -> dict[str, Any]:
    """`{format, version, state}`, the state as the document has it."""
    return {
        "format": FORMAT,
        "version": version,
        "state": document.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


# --- rebuilding ---------------------------------------------------------------------------------------------------------


def proposal(console: Console, made: Proposal) -> None:
    """Each record that would be added, changed or removed, and what was left out."""
    if made.why:
        console.print(Text(printable(made.why)), soft_wrap=True)
    elif made.document is None:
        console.print(Text(f"{made.desired.name}: there is no state"), soft_wrap=True)
    for item in made.rebuilt.differences:
        sign, style = _SIGN[item.outcome]
        console.print(Text.assemble((f"{sign} {item.object} ", style), printable(_difference(item))), soft_wrap=True)
    for name, text in made.rebuilt.notes:
        console.print(Text.assemble(("i ", "blue"), printable(f"{name}: {text}")), soft_wrap=True)
    counts = {outcome: sum(d.outcome is outcome for d in made.rebuilt.differences) for outcome in Outcome}
    line = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count) or "no record changes"
    kept = len(made.rebuilt.objects) - counts[Outcome.ADDED] - counts[Outcome.CHANGED]
    console.print(Text(f"State: {line}, {words.plural(kept, 'record')} as before", style="bold"), soft_wrap=True)


def _difference(item: Difference) -> str:
    if item.new is None:
        return f"{_brief(item.old)}: not at the vendor any more"
    if item.old is None or _brief(item.old) == _brief(item.new):
        return _brief(item.new)
    return f"{_brief(item.old)} → {_brief(item.new)}"


def _brief(record: Record | None) -> str:
    if record is None:
        return "(none)"
    text = f"id {record.vendor_id or '(none)'}, generation {record.generation}"
    if record.path:
        text += f", {record.mount}/{record.path} version {record.version}"
    if record.previous is not None:
        text += f", before it id {record.previous.vendor_id} until {_moment(record.previous.until)}"
    return f"{text}, revoked {_moment(record.revoked.at)}" if record.revoked is not None else text


def proposal_data(made: Proposal, *, written: bool) -> dict[str, Any]:
    """`{format, tenant, written, problem, differences: [{object, outcome, old, new}], notes}`."""

    def plain(record: Record | None) -> dict[str, Any] | None:
        return record.model_dump(mode="json", by_alias=True, exclude_none=True) if record is not None else None

    return {
        "format": FORMAT,
        "tenant": made.desired.name,
        "written": written,
        "problem": made.why or None,
        "differences": [
            {"object": str(d.object), "outcome": str(d.outcome), "old": plain(d.old), "new": plain(d.new)}
            for d in made.rebuilt.differences
        ],
        "notes": [{"object": str(name), "text": text} for name, text in made.rebuilt.notes],
    }
