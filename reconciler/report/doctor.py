"""What was found of a set-up: for people, grouped by what it is about, and as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from reconciler.doctor.catalogue import Subject
from reconciler.doctor.results import Examination, Result, Verdict
from reconciler.errors import printable
from reconciler.model.outcome import ExitCode
from reconciler.report import lines, words

FORMAT: Final = 1
_SIGN: Final = {
    Verdict.OK: ("✔", "green"),
    Verdict.WARNING: ("!", "bold yellow"),
    Verdict.PROBLEM: ("✘", "bold red"),
    Verdict.SKIPPED: ("-", "dim"),
}
_FOLDED_FROM: Final = 4
"""So many tenants, and those of which all is well are one line each."""
_NARROW: Final = 72
"""In a terminal of fewer columns a sentence begins below the name of its check."""
_INDENT: Final = 4


def show(console: Console, found: Examination) -> None:
    """Every result below what it is about, what to do about it, and a summary line."""
    width = max((len(result.check.name) for result in found.results), default=0)
    folds = len(found.providers) >= _FOLDED_FROM
    for (subject, tenant), group in groupby(found.results, key=lambda one: (one.check.subject, one.tenant)):
        results = list(group)
        console.print(Text(_title(found, subject, tenant), style="bold"), soft_wrap=True)
        if folds and tenant and all(one.verdict in {Verdict.OK, Verdict.SKIPPED} for one in results):
            _folded(console, results)
            continue
        for same in _alike(results):
            if len(same) == 1:
                _one(console, same[0], width)
            else:
                _left_out(console, same)
    lines.prose(console, Text(summary(found), style="bold"))


def summary(found: Examination) -> str:
    """`Doctor: 1 problem, 2 warnings (plan identity, 30 ok, 4 skipped)`."""
    told = [
        words.plural(found.count(verdict), noun)
        for verdict, noun in ((Verdict.PROBLEM, "problem"), (Verdict.WARNING, "warning"))
        if found.count(verdict)
    ]
    rest = f"{found.count(Verdict.OK)} ok, {found.count(Verdict.SKIPPED)} skipped"
    return f"Doctor: {', '.join(told) or 'all is well'} ({found.identity} identity; {rest})"


def code(found: Examination) -> ExitCode:
    """Warnings are no failure."""
    return ExitCode.ERROR if found.count(Verdict.PROBLEM) else ExitCode.DONE


def _title(found: Examination, subject: Subject, tenant: str) -> str:
    if tenant:
        return printable(f"{tenant} ({found.providers.get(tenant, '')})")
    return {Subject.MACHINE: "This machine", Subject.ESTATE: printable(f"Estate {found.name}".strip())}.get(
        subject, str(subject).capitalize()
    )


def _folded(console: Console, results: Sequence[Result]) -> None:
    skipped = sum(one.verdict is Verdict.SKIPPED for one in results)
    well = len(results) - skipped
    sign, style = _SIGN[Verdict.OK if well else Verdict.SKIPPED]
    told = [f"{well} checks are well"] * bool(well) + [f"{skipped} skipped"] * bool(skipped)
    lines.prose(console, Text.assemble((f"  {sign} ", style), ", ".join(told)))


def _alike(results: Sequence[Result]) -> Iterator[list[Result]]:
    """Each result by itself, but those together that were skipped one after the other for the same reason."""
    for (verdict, _), group in groupby(results, key=lambda one: (one.verdict, one.found)):
        if verdict is Verdict.SKIPPED:
            yield list(group)
        else:
            yield from ([one] for one in group)


def _left_out(console: Console, results: Sequence[Result]) -> None:
    sign, style = _SIGN[Verdict.SKIPPED]
    names = ", ".join(one.check.name for one in results)
    told = Text(printable(f"{len(results)} checks: {results[0].found} ({names})"), style=style)
    lines.hanging(console, Text(f"  {sign} ", style=style), told)


def _one(console: Console, result: Result, width: int) -> None:
    sign, style = _SIGN[result.verdict]
    narrow = console.width < _NARROW
    name = result.check.name if narrow else result.check.name.ljust(width)
    head = Text.assemble((f"  {sign} ", style), (name, style if sign == "-" else ""), "  ")
    found = Text(printable(result.found), style="dim" if result.verdict is Verdict.SKIPPED else "")
    below = narrow and head.cell_len + found.cell_len > console.width
    lines.hanging(console, head, found, _INDENT if below else None)
    if result.mend:
        lines.hanging(console, Text(" " * _INDENT + "→ "), Text(printable(result.mend)))
    for line in result.text:  # to be copied, so as it is
        lines.whole(console, Text(" " * (_INDENT + 2) + printable(line), style="cyan"))


# --- plain data ---------------------------------------------------------------------------------------------------------


def data(found: Examination) -> dict[str, Any]:
    """`{format, estate, identity, exitCode, counts, results: [{check, result, tenant, found, mend, text, facts}]}`."""
    return {
        "format": FORMAT,
        "estate": str(found.estate) if found.estate else None,
        "identity": found.identity,
        "exitCode": int(code(found)),
        "counts": {str(verdict): found.count(verdict) for verdict in Verdict},
        "results": [_plain(result) for result in found.results],
    }


def _plain(result: Result) -> dict[str, Any]:
    return {
        "check": result.check.id,
        "result": str(result.verdict),
        "tenant": result.tenant or None,
        "found": printable(result.found),
        "mend": printable(result.mend),
        "text": [printable(line) for line in result.text],
        "facts": {name: _value(value) for name, value in result.facts.items()},
    }


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    return [_value(one) for one in value] if isinstance(value, list) else value
