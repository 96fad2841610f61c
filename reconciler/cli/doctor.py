"""`reconciler doctor`: what is wrong with a set-up, and how to mend it."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

import click

from reconciler.cli.options import (
    Terminal,
    estate_option,
    exit_codes,
    format_option,
    trust_option,
    trusted_option,
)
from reconciler.model.estate import Estate
from reconciler.model.outcome import ExitCode


@click.command(
    epilog=exit_codes(
        {
            ExitCode.DONE: "all is well; there may be warnings",
            ExitCode.ERROR: "problems were found, each with what to do about it; or an error",
        }
    )
)
@estate_option
@click.option(
    "--identity",
    type=click.Choice(["plan", "apply"]),
    default="plan",
    show_default=True,
    help="Whose set-up: its login, its policies, its vendor credentials. Nothing is written as either.",
)
@click.option("--target", multiple=True, metavar="TENANT", help="Only this tenant. Repeatable.")
@click.option("--offline", is_flag=True, help="Look at this machine and at the manifests; call nobody.")
@trust_option
@trusted_option
@format_option("text", "json")
@click.pass_obj
def command(
    terminal: Terminal,
    estate: Path,
    identity: Literal["plan", "apply"],
    target: tuple[str, ...],
    offline: bool,
    trust_endpoints: bool,
    trusted_ref: str | None,
    output_format: str,
) -> ExitCode:
    """Check an estate's set-up, and say what is wrong and how to mend it.

    Every check is made: of manifests, this machine, Vault, and each tenant's credential and vendor. Nothing is written,
    whatever the identity: Vault is asked what it may do, and vendors are sent no request that is not a read.
    """
    from reconciler.cli.estate import as_trusted, told_in, vault_timeout, vendor_settings
    from reconciler.doctor.run import Order, examine
    from reconciler.report import doctor

    def trust(found: Estate, manifests: bool) -> AbstractContextManager[Estate]:
        return as_trusted(found, estate, trusted_ref, trust_endpoints=trust_endpoints, manifests=manifests)

    order = Order(
        folder=estate,
        identity=identity,
        environ=os.environ,
        trust=trust,
        connection=lambda found: vendor_settings(found, write=False),
        vault_timeout=vault_timeout,
        targets=target,
        offline=offline,
        trusted_ref=trusted_ref,
        trust_endpoints=trust_endpoints,
    )
    with told_in(output_format):
        found = examine(order)
    if output_format == "json":
        click.echo(json.dumps(doctor.data(found), indent=2))
    else:
        doctor.show(terminal.console(), found)
    return doctor.code(found)
