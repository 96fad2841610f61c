"""`reconciler unlock`: take the lease of a run that is dead."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli.options import estate_option, exit_codes
from reconciler.errors import InvalidInput
from reconciler.model.outcome import ExitCode


@click.command(
    epilog=exit_codes(
        {
            ExitCode.DONE: "the lease is free",
            ExitCode.ERROR: "no --holder, or another run's; or an error; nothing was changed",
        }
    )
)
@click.argument("tenant")
@click.option("--holder", default="", metavar="ID", help="The id of the run that holds the lease, as apply names it.")
@estate_option
def command(tenant: str, holder: str, estate: Path) -> ExitCode:
    """Take the lease on TENANT from a run that is dead.

    A lease ends by itself when its run is dead: this is for those who cannot wait so long. Without --holder it says who
    holds the lease. A run that is alive after all stops when it next writes to the state.
    """
    from reconciler.apply.tools import holder as myself
    from reconciler.cli.estate import without_manifests
    from reconciler.model.names import NAME
    from reconciler.vault.unlock import unlock

    if NAME.fullmatch(tenant) is None:
        raise InvalidInput(f"{tenant!r} is no tenant's name")
    with without_manifests(estate, "apply", trust_endpoints=False) as run:
        ended = unlock(run.states, tenant, holder, myself())
    if ended is None:
        click.echo(f"nobody holds the lease on {tenant}")
    else:
        click.echo(
            f"the lease on {tenant} is free: it was held by {ended.holder} since {ended.since:%Y-%m-%d %H:%M:%S} UTC"
        )
        click.echo("whoever takes it next waits first for as long as a vendor call may take", err=True)
    return ExitCode.DONE
