"""`reconciler plan`: what an apply would do, without being able to do it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from reconciler.cli.options import (
    Terminal,
    allow_option,
    estate_option,
    exit_codes,
    format_option,
    target_option,
    trust_option,
    trusted_option,
)
from reconciler.model.outcome import ExitCode, combine


@click.command(
    epilog=exit_codes(
        {
            ExitCode.DONE: "planned; with --detailed-exitcode: in sync",
            ExitCode.ERROR: "error (bad manifest, Vault failure, wrong usage, no tenant could be read)",
            ExitCode.PENDING: "with --detailed-exitcode: changes are pending",
            ExitCode.STOPPED: "a guardrail would stop the apply",
            ExitCode.PARTIAL: "tenants could not be read, or objects are blocked; the rest is planned",
            ExitCode.HANDOFF: "with --detailed-exitcode: nothing is pending but handoffs that are open",
        }
    )
)
@estate_option
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Save the plan for `apply FILE`.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when changes are pending.")
@target_option
@allow_option
@trust_option
@trusted_option
@format_option("text", "json")
@click.pass_obj
def command(
    terminal: Terminal,
    estate: Path,
    out: Path | None,
    detailed_exitcode: bool,
    target: tuple[str, ...],
    allow: tuple[str, ...],
    trust_endpoints: bool,
    trusted_ref: str | None,
    output_format: str,
) -> ExitCode:
    """Show what would change at the vendors, as a reviewer wants to read it.

    Reads the vendors' lists, the state and Vault's metadata; needs no permission to read an issued secret, and refuses
    to send any request that is not a read.
    """
    from reconciler.cli.estate import access, as_json, make_plan, plan_codes, told_in
    from reconciler.plan import saved
    from reconciler.report import data, text

    with (
        told_in(output_format),
        access(estate, "plan", trust_endpoints=trust_endpoints, trusted_ref=trusted_ref) as run,
    ):
        planned, findings = make_plan(run, target, allow)
        planned.close()
        if out is not None:
            saved.save(out, run.estate, planned.plans, datetime.now(UTC))
        codes = plan_codes(planned, findings, detailed=detailed_exitcode)
        if output_format == "json":
            click.echo(as_json(data.plan(run.estate, planned, findings, codes), run.estate))
        else:
            text.plan(terminal.console(), planned, findings)
    return combine([*codes.values(), *(ExitCode.ERROR for _ in planned.unreadable)])
