"""`reconciler handoff`: what waits for a person, and what the person brings back."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.options import Terminal, estate_option, exit_codes, format_option, trust_option, trusted_option
from reconciler.errors import InvalidInput
from reconciler.model.outcome import ExitCode

if TYPE_CHECKING:
    from reconciler.apply.run import ApplyRun
    from reconciler.model.action import Waiting
    from reconciler.model.names import ObjectId
    from reconciler.model.secret import Secret
    from reconciler.plan.run import PlannedTenant
    from reconciler.providers.base import Provider

_CODES = {
    ExitCode.DONE: ExitCode.DONE.meaning,
    ExitCode.ERROR: "error: wrong id or secret, nothing of that name is open, vendor or Vault failure; nothing was written",
    ExitCode.LEASE_HELD: ExitCode.LEASE_HELD.meaning,
}


@click.group(
    "handoff",
    invoke_without_command=True,
    epilog=exit_codes(
        {
            ExitCode.DONE: "no handoff is open",
            ExitCode.ERROR: "error (bad manifest, Vault failure, wrong usage, no tenant could be read)",
            ExitCode.PARTIAL: "some tenants could not be read; the others are listed",
            ExitCode.HANDOFF: "handoffs are open",
        }
    ),
)
@estate_option
@trust_option
@trusted_option
@format_option("text", "json")
@click.pass_context
def command(
    ctx: click.Context, estate: Path, trust_endpoints: bool, trusted_ref: str | None, output_format: str
) -> ExitCode | None:
    """List the steps that a vendor offers in its console only and that wait for a person, with what to enter there.

    `apply` opens a handoff; `handoff complete` takes in the new key's secret and stores it in Vault.
    """
    if ctx.invoked_subcommand is not None:
        if trusted_ref is not None:  # passed over, it would be believed to hold
            raise InvalidInput("--trusted-ref stands before the subcommand", hint="write it behind the subcommand")
        return None
    from reconciler.cli.estate import access, as_json, make_plan
    from reconciler.report import handoffs

    terminal: Terminal = ctx.obj
    with access(estate, "plan", trust_endpoints=trust_endpoints, trusted_ref=trusted_ref) as run:
        planned, _ = make_plan(run, ())
        planned.close()
    if output_format == "json":
        click.echo(as_json(handoffs.data(planned), run.estate))
    else:
        handoffs.text(terminal.console(), planned)
    if planned.unreadable:
        return ExitCode.PARTIAL if planned.readable else ExitCode.ERROR
    return ExitCode.HANDOFF if any(plan.waiting for plan in planned.plans) else ExitCode.DONE


@command.command("complete", epilog=exit_codes(_CODES))
@click.argument("target", metavar="TENANT/KEY")
@estate_option
@trust_option
@trusted_option
@click.option(
    "--key-file", type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The file that the vendor's console gave out for the new key.",
)  # fmt: skip
@click.option("--remove-key-file", is_flag=True, help="Remove that file once its secret is in Vault, without asking.")
@click.option(
    "--unverified", is_flag=True, help="Store the secret even if it cannot be told from here whether it works."
)
def complete(
    target: str,
    estate: Path,
    trust_endpoints: bool,
    trusted_ref: str | None,
    key_file: Path | None,
    remove_key_file: bool,
    unverified: bool,
) -> ExitCode:
    """Say that a handoff is done.

    For a new key or a new secret, its id and secret are asked for without showing them, or read from standard input (one
    value a line, in the order in which they are asked for), or from the vendor's file. They are tried at the vendor as
    that key before anything is written; then they go to Vault like every other secret.

    A change or a removal is taken at your word. For an adopted key, whose secret is not known, it takes that in.
    """
    from reconciler.apply.handoff import SeenToBeDone

    try:
        return _complete(
            target, estate, key_file, trust_endpoints=trust_endpoints, trusted_ref=trusted_ref,
            remove_key_file=remove_key_file, unverified=unverified,
        )  # fmt: skip
    except SeenToBeDone as done:
        click.echo(str(done))
        return ExitCode.DONE


def _complete(
    target: str,
    estate: Path,
    key_file: Path | None,
    *,
    trust_endpoints: bool,
    trusted_ref: str | None,
    remove_key_file: bool,
    unverified: bool,
) -> ExitCode:
    from reconciler.apply import adopt, handoff

    with _opened(estate, target, trust_endpoints=trust_endpoints, trusted_ref=trusted_ref, adopted=True) as (
        run,
        item,
        waiting,
    ):
        brought = None
        if waiting is None or waiting.intent is not None:
            brought = _bring(item.tenant.provider, key_file)
        with run.held(item) as tools:
            current = waiting and handoff.still_open(tools, waiting)
            if current is None:
                issued = item.tenant.session.accept_key(brought or {})
                stored = adopt.take_in(tools, _object(target), issued, unverified=unverified)
                click.echo(f"{target}: the adopted key's secret is at {stored.path}, version {stored.version}")
            elif brought is None:
                click.echo(f"{target}: {handoff.confirm(tools, current)}")
            else:
                issued = item.tenant.session.accept_key(brought)
                stored = handoff.take_in(tools, current, issued, unverified=unverified)
                click.echo(
                    f"{target}: key {issued.vendor_id}: its secret is at {stored.path}, version {stored.version}"
                )
    if key_file is not None:
        _remove(key_file, without_asking=remove_key_file)
    return ExitCode.DONE


@command.command("cancel", epilog=exit_codes(_CODES))
@click.argument("target", metavar="TENANT/KEY")
@estate_option
@trust_option
@trusted_option
def cancel(target: str, estate: Path, trust_endpoints: bool, trusted_ref: str | None) -> ExitCode:
    """Give an open handoff up. The next apply asks again for what the manifests still want."""
    from reconciler.apply import handoff

    with (
        _opened(estate, target, trust_endpoints=trust_endpoints, trusted_ref=trusted_ref) as (run, item, waiting),
        run.held(item) as tools,
    ):
        if waiting is not None:
            handoff.cancel(tools, handoff.still_open(tools, waiting))
    click.echo(
        f"{target}: the handoff is cancelled; what the manifests still want is asked for again by the next apply"
    )
    return ExitCode.DONE


def _object(text: str) -> ObjectId:
    from reconciler.plan.target import Target

    name: ObjectId | None = Target.parse(text).object
    if name is None:
        raise InvalidInput(f"{text!r} names a tenant", hint="write TENANT/KEY")
    return name


@contextmanager
def _opened(
    estate: Path, text: str, *, trust_endpoints: bool, trusted_ref: str | None, adopted: bool = False
) -> Iterator[tuple[ApplyRun, PlannedTenant, Waiting | None]]:
    """The tenant that a target names, planned, and the target's open handoff.

    `adopted`: there need be none if the target is an adopted key whose secret can be taken in.
    """
    from reconciler.apply import handoff
    from reconciler.apply.adopt import waits_for_secret
    from reconciler.apply.run import ApplyRun
    from reconciler.cli.estate import access, make_plan
    from reconciler.plan.target import Target

    name = _object(text)
    with access(estate, "apply", trust_endpoints=trust_endpoints, trusted_ref=trusted_ref) as run:
        planned, _ = make_plan(run, (Target.parse(text).tenant,))
        try:
            for missing in planned.unreadable:
                raise missing.error
            item = planned.readable[0]
            secretless = adopted and waits_for_secret(run, item.plan, name)
            try:
                waiting = None if secretless else handoff.find(item.plan, name)
            except handoff.NothingOpen:
                told = adopted and handoff.told_already(run, item.tenant.desired, name)
                if not told:
                    raise
                raise handoff.SeenToBeDone(told, where=text) from None
            yield ApplyRun(run, fresh=False), item, waiting
        finally:
            planned.close()


def _bring(provider: Provider, key_file: Path | None) -> Mapping[str, Secret | str]:
    """What the person brings from the console: from the vendor's file, from standard input, or asked for."""
    from reconciler.model.secret import Secret

    if key_file is not None:
        try:
            return provider.key_file(key_file.read_bytes())
        except OSError as error:
            raise InvalidInput(f"it cannot be read: {error.strerror}", where=str(key_file)) from None
    names = provider.capabilities.handoff_fields
    if sys.stdin is not None and sys.stdin.isatty():
        values = [str(click.prompt(name, hide_input=True, err=True)).strip() for name in names]
    else:
        given = sys.stdin.read() if sys.stdin is not None else ""
        values = [line.strip() for line in given.splitlines() if line.strip()]
    if len(values) != len(names) or not all(values):
        raise InvalidInput(
            f"{len(names)} lines are needed on standard input, there are {len(values)}",
            hint=f"one value a line: {', '.join(names)}",
        )
    return {name: Secret(value) for name, value in zip(names, values, strict=True)}


def _remove(file: Path, *, without_asking: bool) -> None:
    asks = sys.stdin is not None and sys.stdin.isatty()
    if without_asking or (asks and click.confirm(f"Remove {file}? Its secret is in Vault now.", err=True)):
        try:
            file.unlink()
        except OSError as error:
            raise InvalidInput(f"it cannot be removed: {error.strerror}", where=str(file)) from None
        click.echo(f"{file} is removed", err=True)
    else:
        click.echo(f"{file} still holds the secret: remove it", err=True)
