"""`reconciler schema`: JSON Schemas for editors."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli.options import exit_codes
from reconciler.model.outcome import ExitCode


@click.command(
    "schema",
    epilog=exit_codes(
        {
            ExitCode.DONE: "written; with --check: the files are up to date",
            ExitCode.ERROR: "with --check: files are missing, outdated or left over; or an error",
        }
    ),
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("schemas"),
    show_default=True,
    metavar="DIR",
    help="Folder of the schema files.",
)
@click.option("--check", is_flag=True, help="Write nothing; tell whether the files are what would be written.")
def command(out: Path, check: bool) -> ExitCode:
    """Write JSON Schemas (draft 2020-12) of the manifests, with the parts of every installed provider.

    manifest.schema.json fits any manifest. The other files fit one kind, or one kind for one provider; those that
    begin with `report.` fit what commands print with --format json.
    """
    from reconciler.manifest import jsonschema
    from reconciler.report import shapes

    files = {**jsonschema.files(), **shapes.files()}
    there = {path.name: path for path in out.glob("*.schema.json")}
    stale = [name for name, text in files.items() if name not in there or there[name].read_bytes() != text.encode()]
    left_over = sorted(there.keys() - files.keys())
    if check:
        for name in stale:
            click.echo(f"{out / name}: {'outdated' if name in there else 'missing'}", err=True)
        for name in left_over:
            click.echo(f"{out / name}: left over, no kind or provider has it", err=True)
        return ExitCode.ERROR if stale or left_over else ExitCode.DONE
    out.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (out / name).write_text(files[name], encoding="utf-8", newline="\n")
    for name in left_over:
        click.echo(f"{out / name}: left over, no kind or provider has it; delete it", err=True)
    click.echo(f"{out}: {len(files)} files, {len(stale)} written")
    return ExitCode.DONE
