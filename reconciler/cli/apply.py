"""`reconciler apply`: carry out a plan."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.interrupt import interruptible
from reconciler.cli.options import (
    Terminal,
    allow_option,
    auto_approve_option,
    estate_option,
    exit_codes,
    lease_timeout_option,
    may_ask,
    target_option,
    trust_option,
    trusted_option,
)
from reconciler.cli.output import Outcome, Output, output_options
from reconciler.errors import Conflict, InvalidInput
from reconciler.model.outcome import ExitCode, combine

if TYPE_CHECKING:
    from reconciler.apply.result import Result
    from reconciler.plan.run import Planned
    from reconciler.plan.saved import SavedPlan


@click.command(
    epilog=exit_codes(
        {
            ExitCode.DONE: ExitCode.DONE.meaning,
            ExitCode.ERROR: "error, or the answer was no; no action was carried out",
            ExitCode.STOPPED: ExitCode.STOPPED.meaning,
            ExitCode.PARTIAL: "finished in part: actions failed, or Ctrl-C interrupted it; run again",
            ExitCode.LEASE_HELD: ExitCode.LEASE_HELD.meaning,
            ExitCode.HANDOFF: ExitCode.HANDOFF.meaning,
        },
        interrupted="interrupted before the work began, or twice",
    )
)
@click.argument("plan_file", type=click.Path(path_type=Path, dir_okay=False, exists=True), required=False)
@estate_option
@auto_approve_option
@lease_timeout_option
@target_option
@allow_option
@trust_option
@trusted_option
@output_options
@click.pass_obj
def command(
    terminal: Terminal,
    plan_file: Path | None,
    estate: Path,
    auto_approve: bool,
    lease_timeout: float,
    target: tuple[str, ...],
    allow: tuple[str, ...],
    trust_endpoints: bool,
    trusted_ref: str | None,
    output: Output,
) -> ExitCode:
    """Carry out a plan: the saved one in PLAN_FILE, or one made now and shown before it is done.

    Each generated secret goes from the vendor's answer straight to Vault; the table at the end says where it is. Run it
    again after any failure: it goes on where it stopped.
    """
    with output.telling():
        return _apply(
            terminal, plan_file, estate, auto_approve=auto_approve, lease_timeout=lease_timeout, targets=target,
            allowed=allow, trust_endpoints=trust_endpoints, trusted_ref=trusted_ref, output=output,
        )  # fmt: skip


def _apply(
    terminal: Terminal,
    plan_file: Path | None,
    estate: Path,
    *,
    auto_approve: bool,
    lease_timeout: float,
    targets: tuple[str, ...],
    allowed: tuple[str, ...],
    trust_endpoints: bool,
    trusted_ref: str | None,
    output: Output,
) -> ExitCode:
    from reconciler.apply.run import ApplyRun
    from reconciler.cli.estate import access, make_plan, outcome_of_plan, plan_codes, with_trusted
    from reconciler.plan import saved
    from reconciler.report import data, junit, review, text
    from reconciler.report import findings as all_findings

    if plan_file is not None and targets:
        raise InvalidInput("a saved plan is applied as it is", hint="leave --target out, or plan with it")
    asks = may_ask(auto_approve=auto_approve, hint="review the plan first, then apply it with --auto-approve")
    with access(estate, "apply", trust_endpoints=trust_endpoints, trusted_ref=trusted_ref) as run:
        loaded = saved.load(plan_file, run.estate) if plan_file is not None else None
        planned, findings = make_plan(run, targets, allowed)
        try:
            if loaded is not None:
                planned = _as_saved(planned, loaded)
            if asks:
                text.plan(terminal.console(stderr=not output.for_people), planned, findings)
            else:
                text.stopped(terminal.console(stderr=True), findings)
            if any(finding.denies for finding in findings):
                codes = plan_codes(planned, findings, detailed=False)
                output.write(terminal, outcome_of_plan(run.estate, planned, findings, codes, "apply"), told=True)
                return ExitCode.STOPPED
            wanted = any(plan.actions for plan in planned.plans)
            if asks and wanted and not click.confirm("Apply these changes?", err=True):
                click.echo("nothing was changed", err=True)
                return ExitCode.ERROR
            with interruptible() as stop:
                steps = ApplyRun(run, fresh=not asks, lease_timeout=lease_timeout, progress=_progress, stop=stop)
                outcome = steps.apply_all(planned.readable)
        finally:
            planned.close()
        left_out = planned.unreadable
        output.write(
            terminal,
            Outcome(
                "apply",
                text=lambda console: text.results(console, outcome, left_out),
                data=lambda: with_trusted(data.results(run.estate, outcome, left_out), run.estate),
                markdown=lambda: review.results(outcome, left_out),
                findings=lambda: all_findings.of_results(outcome, left_out),
                rules=lambda: all_findings.RULES,
                cases=lambda: list(junit.of_results(outcome, left_out)),
            ),
        )
    return combine([*(item.code for item in outcome), *(ExitCode.ERROR for _ in planned.unreadable)])


def _as_saved(planned: Planned, loaded: SavedPlan) -> Planned:
    """Only what the saved plan covers; Conflict if a planned object has changed since."""
    from reconciler.plan import saved

    selections = [saved.select(plan, loaded) for plan in planned.plans]
    stale = [f"{selection.plan.tenant}/{action.object}" for selection in selections for action in selection.stale]
    if stale:
        raise Conflict(
            f"the plan no longer stands: {', '.join(stale)} changed since it was made; nothing was changed",
            hint="plan again, and have it reviewed",
        )
    for selection in selections:
        for action in selection.unplanned:
            click.echo(
                f"note: {selection.plan.tenant}/{action.object}: {action.kind} is not in this plan and is left alone",
                err=True,
            )
    return planned.with_plans([selection.plan for selection in selections])


def _progress(tenant: str, result: Result) -> None:
    """A line for each action that ended. What was not begun is counted in the end, not listed here."""
    if sys.stderr.isatty() and str(result.status) != "skipped":
        click.echo(f"{tenant}: {result.action.object}: {result.action.kind}: {result.status}", err=True)
