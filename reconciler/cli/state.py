"""`reconciler state`: look at what is recorded of a tenant, or compute it anew."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli.options import (
    Terminal,
    estate_option,
    exit_codes,
    format_option,
    may_ask,
    trust_option,
)
from reconciler.errors import InvalidInput, NotFound
from reconciler.model.outcome import ExitCode


@click.command(
    epilog=exit_codes(
        {
            ExitCode.DONE: "shown; rebuilt; nothing to rebuild",
            ExitCode.ERROR: "error, or the answer was no; nothing was written",
            ExitCode.LEASE_HELD: "rebuild: another run holds the tenant's lease",
        }
    )
)
@click.argument("action", type=click.Choice(["show", "rebuild"]))
@click.argument("tenant")
@estate_option
@click.option("--auto-approve", is_flag=True, help="rebuild: do not ask. Needed where there is no terminal.")
@trust_option
@format_option("text", "json")
@click.pass_obj
def command(
    terminal: Terminal,
    action: str,
    tenant: str,
    estate: Path,
    auto_approve: bool,
    trust_endpoints: bool,
    output_format: str,
) -> ExitCode:
    """Show what is recorded of TENANT, or rebuild it when it was lost or restored from an old snapshot.

    'show' needs no manifests and calls no vendor: records, open intents, handoffs, tombstones, and who holds the lease.
    'rebuild' computes the state anew from the marks at the vendor and Vault's metadata, shows what would change, and
    writes it. It touches neither vendor nor secrets; what it cannot tell apart it leaves out and names.
    """
    from reconciler.cli.estate import told_in
    from reconciler.model.names import NAME

    with told_in(output_format):
        if NAME.fullmatch(tenant) is None:
            raise InvalidInput(f"{tenant!r} is no tenant's name")
        if action == "show":
            return _show(terminal, tenant, estate, output_format)
        return _rebuild(
            terminal, tenant, estate, auto_approve=auto_approve, trust_endpoints=trust_endpoints, form=output_format
        )


def _show(terminal: Terminal, tenant: str, estate: Path, form: str) -> ExitCode:
    import json

    from reconciler.cli.estate import without_manifests
    from reconciler.report import state

    with without_manifests(estate, "plan", trust_endpoints=False) as run:
        document, version = run.states.load(tenant)
        if document is None:
            raise NotFound("there is no state of this tenant", where=tenant, hint=run.states.nearest(tenant))
        if form == "json":
            click.echo(json.dumps(state.state_data(document, version), indent=2))
        else:
            state.show(terminal.console(), document, version, run.vault.now())
    return ExitCode.DONE


def _rebuild(
    terminal: Terminal, tenant: str, estate: Path, *, auto_approve: bool, trust_endpoints: bool, form: str
) -> ExitCode:
    import json
    import secrets

    from reconciler.apply.restore import carry_out, propose
    from reconciler.cli.estate import access, declared
    from reconciler.report import state

    asks = may_ask(auto_approve=auto_approve, hint="say --auto-approve")
    with access(estate, "apply", trust_endpoints=trust_endpoints) as run:
        desired = declared(run.estate, tenant)
        made = propose(run, desired)
        if form == "text" or asks:
            state.proposal(terminal.console(stderr=form == "json"), made)
        wanted = made.changes
        if wanted and asks and not click.confirm("Write this state?", err=True):
            click.echo("nothing was written", err=True)
            return ExitCode.ERROR
        if wanted:
            carry_out(run, made, secrets.token_hex(8))
        if form == "json":
            click.echo(json.dumps(state.proposal_data(made, written=wanted), indent=2))
        else:
            click.echo("the state was written: plan next" if wanted else "nothing to rebuild")
    return ExitCode.DONE
