"""`reconciler explain`: what a field means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from reconciler.cli.options import exit_codes
from reconciler.model.outcome import ExitCode

if TYPE_CHECKING:
    from reconciler.manifest.explain import Explanation


@click.command(
    "explain",
    epilog=exit_codes(
        {ExitCode.DONE: "explained", ExitCode.ERROR: "there is no such field or provider, or wrong usage"}
    ),
)
@click.argument("path", required=False)
@click.option(
    "--provider",
    metavar="NAME",
    help="Explain this provider's part of permissions, options and scopes.",
)
def command(path: str | None, provider: str | None) -> ExitCode:
    """Say what a field means, which values it takes and what is below it.

    PATH is a kind and field names with dots in between. Without it, the kinds are listed.

    \b
    reconciler explain ApiKey
    reconciler explain ApiKey.spec.rotation
    reconciler explain AccessLevel.spec.permissions --provider trend-workload-security
    """
    from reconciler.manifest.explain import explain, kinds
    from reconciler.providers import registry

    if path is None:
        click.echo("\n".join([*_table(kinds()), "", "'reconciler explain KIND' goes on from here."]))
        return ExitCode.DONE
    found = explain(path, registry.get(provider) if provider is not None else None)
    click.echo("\n".join(_page(found, registry.names())))
    return ExitCode.DONE


def _page(found: Explanation, providers: tuple[str, ...]) -> Iterator[str]:
    need = "" if found.type == "kind" else f", {'required' if found.required else 'optional'}"
    yield f"{found.path}  ({found.type}{need})"
    if found.description:
        yield f"\n  {found.description}"
    facts = [
        ("Default", found.default),
        ("Allowed", ", ".join(found.allowed)),
        ("Limits", "; ".join(found.rules)),
        *(("Example", example) for example in found.examples),
    ]
    if any(value for _, value in facts):
        yield ""
        yield from (f"  {name + ':':<9} {value}" for name, value in facts if value)
    if found.fields:
        yield "\nFields:"
        yield from _table(found.fields)
    if found.provided:
        names = ", ".join(providers) or "none is installed"
        yield f"\nThe provider defines what is below: --provider NAME shows it ({names})."


def _table(fields: tuple[Explanation, ...]) -> Iterator[str]:
    width = max(len(field.name) for field in fields)
    notes = [" | ".join(field.allowed) or field.type for field in fields]
    notes = [note + ("" if not field.required else ", required") for note, field in zip(notes, fields, strict=True)]
    room = max(map(len, notes))
    for field, note in zip(fields, notes, strict=True):
        middle = "" if field.type == "kind" else f"{note:<{room}}  "
        yield f"  {field.name:<{width}}  {middle}{field.description}".rstrip()
