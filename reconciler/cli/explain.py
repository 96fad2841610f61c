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
        {ExitCode.DONE: "explained", ExitCode.ERROR: "there is no such field, rule or provider, or wrong usage"}
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
    reconciler explain policy/
    reconciler explain policy/ip-restriction

    `policy/` lists the built-in rules of policies, and `policy/ID` explains one of them.
    """
    if path is not None and path.startswith("policy/"):
        click.echo("\n".join(_rules(path.removeprefix("policy/"))))
        return ExitCode.DONE
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


def _rules(id_: str) -> Iterator[str]:
    """One built-in rule, or all of them."""
    from reconciler.errors import InvalidInput
    from reconciler.manifest.policies import pack
    from reconciler.policy.evaluate import asks_plan, said
    from reconciler.suggest import did_you_mean

    known = {rule.id: rule for rule in pack()}
    if not id_:
        width = max(map(len, known))
        yield from (f"  policy/{rule.id:<{width}}  {rule.description}" for rule in known.values())
        yield "\n'reconciler explain policy/ID' goes on from here. spec.policy.builtin in reconciler.yaml switches them on."
        return
    if id_ not in known:
        hint = did_you_mean(id_, known) or "'reconciler explain policy/' lists them"
        raise InvalidInput(f"there is no built-in rule {id_!r}", hint=hint)
    rule = known[id_]
    yield f"policy/{rule.id}  (built-in rule{', told by plan and apply only' if asks_plan(rule) else ''})"
    yield f"\n  {rule.description}\n"
    facts = [
        ("For", rule.match),
        ("Assert", rule.assertion),
        ("Mend", rule.hint),
        ("Source", rule.reference),
        *(("Param", f"{name}: {said(value)}") for name, value in rule.params.items()),
    ]
    yield from (f"  {name + ':':<9} {value}" for name, value in facts if value)


def _table(fields: tuple[Explanation, ...]) -> Iterator[str]:
    width = max(len(field.name) for field in fields)
    notes = [" | ".join(field.allowed) or field.type for field in fields]
    notes = [note + ("" if not field.required else ", required") for note, field in zip(notes, fields, strict=True)]
    room = max(map(len, notes))
    for field, note in zip(fields, notes, strict=True):
        middle = "" if field.type == "kind" else f"{note:<{room}}  "
        yield f"  {field.name:<{width}}  {middle}{field.description}".rstrip()
