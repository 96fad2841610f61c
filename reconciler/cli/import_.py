"""`reconciler import`: manifests for what exists at a vendor already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from reconciler.cli.options import (
    Terminal,
    estate_option,
    exit_codes,
    format_option,
    lease_timeout_option,
    trust_option,
)
from reconciler.errors import InvalidInput
from reconciler.model.outcome import ExitCode


@click.command(
    "import",
    epilog=exit_codes(
        {
            ExitCode.DONE: "adopted; or there is nothing to adopt",
            ExitCode.ERROR: "error (a file in the way, vendor or Vault failure); nothing was written",
            ExitCode.PARTIAL: "adopted, but for objects that no manifest can declare, which are listed",
            ExitCode.LEASE_HELD: ExitCode.LEASE_HELD.meaning,
        }
    ),
)
@click.argument("tenant")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="DIR",
    help="Where the manifests go: a folder of the estate. Nothing in it is overwritten.",
)  # fmt: skip
@click.option(
    "--only", multiple=True, metavar="KIND/NAME",
    help="Only this object, by its name or id at the vendor. Repeatable.",
)  # fmt: skip
@click.option(
    "--key-id", "key_ids", multiple=True, metavar="[NAME=]ID",
    help="A key of a vendor that lists none, and how its manifest calls it. Repeatable.",
)  # fmt: skip
@estate_option
@lease_timeout_option
@trust_option
@format_option("text", "json")
@click.pass_obj
def command(
    terminal: Terminal,
    tenant: str,
    out: Path,
    only: tuple[str, ...],
    key_ids: tuple[str, ...],
    estate: Path,
    lease_timeout: float,
    trust_endpoints: bool,
    output_format: str,
) -> ExitCode:
    """Adopt what exists in TENANT and is not ours: write a manifest for each access level and key, and record it.

    Nothing at the vendor is changed, and the next plan has nothing to do. The secrets of adopted keys stay unknown;
    the plan says what can be done about each.
    """
    import json

    from reconciler.apply.adopt import Import, run_import
    from reconciler.apply.run import ApplyRun
    from reconciler.cli.estate import access, declared, told_in
    from reconciler.manifest.source import shown
    from reconciler.report import adoption as report

    with told_in(output_format), access(estate, "apply", trust_endpoints=trust_endpoints, may_be_empty=True) as run:
        desired = declared(run.estate, tenant)
        asked = Import(desired, estate.resolve(), out.absolute(), only, _known(key_ids))
        made = run_import(ApplyRun(run, fresh=False, lease_timeout=lease_timeout), asked)
    if output_format == "json":
        click.echo(json.dumps(report.data(tenant, made, asked.file_of), indent=2))
    else:
        report.text(terminal.console(), tenant, made, lambda name: shown(asked.file_of(name)))
    return report.code(made)


def _known(key_ids: tuple[str, ...]) -> Mapping[str, str]:
    """Names of keys by vendor id."""
    known: dict[str, str] = {}
    for text in key_ids:
        name, equals, vendor_id = text.partition("=")
        if not name or (equals and not vendor_id):
            raise InvalidInput(f"--key-id {text!r} names no key", hint="write ID, or NAME=ID")
        known[vendor_id if equals else name] = name
    return known
