"""`reconciler rotate`: give a key its next secret now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.interrupt import interruptible
from reconciler.cli.options import (
    Terminal,
    auto_approve_option,
    estate_option,
    exit_codes,
    format_option,
    lease_timeout_option,
    may_ask,
    trust_option,
    trusted_option,
)
from reconciler.errors import InvalidInput
from reconciler.model.outcome import ExitCode, combine

if TYPE_CHECKING:
    from reconciler.model.action import TenantPlan
    from reconciler.model.names import ObjectId


@click.command(
    epilog=exit_codes(
        {
            ExitCode.DONE: "rotated",
            ExitCode.ERROR: "error, or the answer was no; nothing was rotated",
            ExitCode.PARTIAL: "finished in part, or the key is blocked; run again",
            ExitCode.LEASE_HELD: ExitCode.LEASE_HELD.meaning,
            ExitCode.HANDOFF: "a person has to make the next key: the steps are shown",
        }
    )
)
@click.argument("key", metavar="TENANT/KEY")
@estate_option
@auto_approve_option
@click.option(
    "--drop-previous", is_flag=True,
    help="End the generation before now, although its overlap is not over: never three live at once.",
)  # fmt: skip
@lease_timeout_option
@trust_option
@trusted_option
@format_option("text", "json")
@click.pass_obj
def command(
    terminal: Terminal,
    key: str,
    estate: Path,
    auto_approve: bool,
    drop_previous: bool,
    lease_timeout: float,
    trust_endpoints: bool,
    trusted_ref: str | None,
    output_format: str,
) -> ExitCode:
    """Rotate TENANT/KEY now, due or not: by its manifest's strategy, or with an overlap of a day if it has none.

    The new secret becomes the current version in Vault. Nothing else of the tenant is changed.
    """
    from reconciler.apply.run import ApplyRun
    from reconciler.cli.estate import access, as_json, make_plan
    from reconciler.model.names import Kind
    from reconciler.plan.target import Target, only_rotation
    from reconciler.report import data, text

    asks = may_ask(auto_approve=auto_approve, hint="add --auto-approve")
    target = Target.parse(key)
    name = target.object
    if name is None or name.kind is not Kind.API_KEY:
        raise InvalidInput(f"{key!r} names no key", hint="write TENANT/KEY")
    with access(estate, "apply", trust_endpoints=trust_endpoints, trusted_ref=trusted_ref) as opened:
        run = replace(opened, rotate=frozenset({(target.tenant, name)}), drop_previous=drop_previous)
        planned, _ = make_plan(run, (key,))
        try:
            for missing in planned.unreadable:
                raise missing.error
            planned = planned.with_plans([only_rotation(plan, name) for plan in planned.plans])
            _refuse_open_overlap(planned.plans[0], name)
            if asks:
                text.plan(terminal.console(stderr=output_format == "json"), planned, ())
                if planned.plans[0].actions and not click.confirm("Rotate it?", err=True):
                    click.echo("nothing was changed", err=True)
                    return ExitCode.ERROR
            with interruptible() as stop:
                steps = ApplyRun(run, fresh=not asks, lease_timeout=lease_timeout, stop=stop)
                outcome = steps.apply_all(planned.readable)
        finally:
            planned.close()
        if output_format == "json":
            click.echo(as_json(data.results(run.estate, outcome), run.estate))
        else:
            text.results(terminal.console(), outcome)
    if _waits_for_removal(planned.plans[0]):
        click.echo(
            "nothing is rotated yet: a person has to delete the former generation first. "
            "Once that is told by `handoff complete`, run this again: it asks for the next one then",
            err=True,
        )
    return combine([item.code for item in outcome])


def _waits_for_removal(plan: TenantPlan) -> bool:
    """Whether all that could be done is to ask a person for the end of the former generation, now or before."""
    asked = [action for action in plan.actions if action.by_hand] + [item.action for item in plan.waiting]
    by_api = [action for action in plan.actions if not action.by_hand]
    return bool(asked) and not by_api and all(action.kind == "retire" for action in asked)


def _refuse_open_overlap(plan: TenantPlan, name: ObjectId) -> None:
    """InvalidInput if nothing is planned: the plan's notes and blocks say why."""
    if plan.actions or plan.blocked or plan.waiting:
        return
    reasons = "; ".join(note.text for note in plan.notes if note.object == name)
    raise InvalidInput(
        f"it cannot be rotated now: {reasons or 'it does not exist yet, or is not wanted'}",
        where=f"{plan.tenant}/{name}",
        hint="--drop-previous ends the generation before at once" if "keeps working" in reasons else "",
    )
