"""`reconciler providers`: what each provider can do, how, and how sure we are. The docs' tables come from here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from reconciler.cli.options import Terminal, exit_codes, format_option
from reconciler.model.outcome import ExitCode

if TYPE_CHECKING:
    from rich.console import Console

    from reconciler.providers.base import Provider, Rate


_PLAIN_WIDTH: Final = 200
"""Columns when nobody's terminal sets a limit: wide enough that no cell is broken."""


class Sheet(NamedTuple):
    """One table: its title, its columns and its rows."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@click.command("providers", epilog=exit_codes((ExitCode.DONE, ExitCode.ERROR)))
@click.argument("name", required=False)
@format_option("text", "json", "markdown")
@click.pass_obj
def command(terminal: Terminal, name: str | None, output_format: str) -> ExitCode:
    """List the providers; with NAME, everything that one can do.

    Evidence says how sure we are: 'documented' by the vendor, 'observed' in code that others run, 'assumed' by us.
    """
    from reconciler.providers import registry

    providers = [registry.get(one) for one in ([name] if name else registry.names())]
    if output_format == "json":
        content = [describe(provider) for provider in providers]
        click.echo(json.dumps(content[0] if name else content, indent=2))
        return ExitCode.DONE
    if name is None:
        tables: Iterable[Sheet] = [overview(providers)]
    else:
        tables = sheets(providers[0])
    if output_format == "markdown":
        click.echo("\n\n".join(markdown(sheet) for sheet in tables))
    else:
        _print(terminal.console(), tables)
    return ExitCode.DONE


def overview(providers: Iterable[Provider]) -> Sheet:
    """One row for each provider."""
    rows = [
        (
            provider.name,
            provider.title,
            _yes(provider.capabilities.traits.regenerates_in_place),
            _yes(provider.capabilities.traits.reversible_lock),
            _rate(provider.capabilities.rate),
        )
        for provider in providers
    ]
    return Sheet("Providers", ("Provider", "Product", "New secret in place", "Reversible lock", "Rate limit"), rows)


def sheets(provider: Provider) -> Iterator[Sheet]:
    """Everything about one provider: overview, fields, operations, credentials, permissions to question."""
    can = provider.capabilities
    yield overview([provider])
    fields = [(field.field, str(field.how), str(field.evidence), field.reason) for field in can.fields]
    yield Sheet("What a manifest can ask for", ("Field", "How", "Evidence", "Remark"), fields)
    operations = [
        (one.name, one.request, "yes" if one.read else "no", str(one.evidence), one.source) for one in can.operations
    ]
    yield Sheet("Requests", ("Operation", "Request", "Read", "Evidence", "Source"), operations)
    credentials = [(", ".join(sorted(fields)),) for fields in can.credential_fields]
    yield Sheet("Credentials, any one of", ("Fields",), credentials)
    if can.high_risk:
        yield Sheet("Permissions that a key should rarely have", ("Permission",), [(path,) for path in can.high_risk])
    if can.high_risk_levels:
        levels = [(name,) for name in can.high_risk_levels]
        yield Sheet("Roles of the vendor that a key should rarely have", ("Role",), levels)


def describe(provider: Provider) -> dict[str, Any]:
    """One provider as JSON."""
    can = provider.capabilities
    return {
        "name": provider.name,
        "title": provider.title,
        "regeneratesInPlace": can.traits.regenerates_in_place,
        "reversibleLock": can.traits.reversible_lock,
        "rate": {
            "calls": can.rate.calls,
            "seconds": can.rate.seconds,
            "evidence": can.rate.evidence,
            "source": can.rate.source,
        },
        "credentials": [sorted(fields) for fields in can.credential_fields],
        "fields": [
            {"field": one.field, "how": one.how, "evidence": one.evidence, "remark": one.reason} for one in can.fields
        ],
        "operations": [
            {
                "name": one.name,
                "request": one.request,
                "read": one.read,
                "evidence": one.evidence,
                "source": one.source,
            }
            for one in can.operations
        ],
        "highRisk": list(can.high_risk),
        "highRiskLevels": list(can.high_risk_levels),
    }


def markdown(sheet: Sheet) -> str:
    """A table as Markdown, under a heading of its own."""
    lines = [f"### {sheet.title}", "", _row(sheet.columns), _row(["---"] * len(sheet.columns))]
    return "\n".join([*lines, *(_row(row) for row in sheet.rows)])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _print(console: Console, tables: Iterable[Sheet]) -> None:
    from rich import box
    from rich.table import Table

    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    for sheet in tables:
        table = Table(box=box.SIMPLE_HEAD)
        for number, column in enumerate(sheet.columns):
            table.add_column(column, overflow="fold", no_wrap=number == 0)
        for row in sheet.rows:
            table.add_row(*row)
        console.print(sheet.title, style="bold")
        console.print(table)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _rate(rate: Rate) -> str:
    return f"{rate.calls} calls in {rate.seconds:g} s ({rate.evidence}, {rate.source})"
