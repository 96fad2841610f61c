"""`reconciler plan`: what an apply would do, without being able to do it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from reconciler.cli.options import (
    Terminal,
    allow_option,
    cache_option,
    estate_option,
    exit_codes,
    target_option,
    trust_option,
    trusted_option,
)
from reconciler.cli.output import Output, output_options
from reconciler.model.outcome import ExitCode, combine


@click.command(
    epilog=exit_codes(
        {
            ExitCode.DONE: "planned; with --detailed-exitcode: in sync",
            ExitCode.ERROR: "error (bad manifest, Vault failure, wrong usage, no tenant could be read)",
            ExitCode.PENDING: "with --detailed-exitcode: changes are pending",
            ExitCode.STOPPED: "a policy or a guardrail would stop the apply",
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
@cache_option
@output_options
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
    no_cache: bool,
    output: Output,
) -> ExitCode:
    """Show what would change at the vendors, as a reviewer wants to read it.

    Reads the vendors' lists, the state and Vault's metadata; needs no permission to read an issued secret, and refuses
    to send any request that is not a read.
    """
    from reconciler.cli.estate import access, make_plan, outcome_of_plan, plan_codes
    from reconciler.manifest import open_cache
    from reconciler.plan import saved

    with (
        output.telling(),
        access(
            estate,
            "plan",
            trust_endpoints=trust_endpoints,
            trusted_ref=trusted_ref,
            cache=None if no_cache else open_cache(os.environ),
        ) as run,
    ):
        planned, findings = make_plan(run, target, allow)
        planned.close()
        if out is not None:
            saved.save(out, run.estate, planned.plans, datetime.now(UTC))
        codes = plan_codes(planned, findings, detailed=detailed_exitcode)
        output.write(terminal, outcome_of_plan(run.estate, planned, findings, codes))
    stopped = [ExitCode.STOPPED for one in findings if one.denies]  # also of tenants that are no target
    return combine([*codes.values(), *(ExitCode.ERROR for _ in planned.unreadable), *stopped])
