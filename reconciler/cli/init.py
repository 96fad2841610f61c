"""`reconciler init`: start an estate."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from reconciler.cli.options import exit_codes
from reconciler.errors import InvalidInput
from reconciler.model.outcome import ExitCode


@click.command(
    "init",
    epilog=exit_codes(
        {ExitCode.DONE: "written", ExitCode.ERROR: "a file is there already, and nothing was written; or an error"}
    ),
)
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--name", help="The estate's name. [default: the folder's]")
def command(folder: Path, name: str | None) -> ExitCode:
    """Write a small estate into DIR (by default the current folder): one tenant, one access level, one key.

    It is valid as it is, and its comments say what to change and what to do next. No file is overwritten.
    """
    from uuid import uuid4

    from reconciler.manifest import starter
    from reconciler.model.names import NAME, NAME_PATTERN

    if name is not None and not NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} is no name", where="--name", hint=f"it must match {NAME_PATTERN}")
    files = dict(starter.files(name or starter.estate_name(folder.resolve().name), uuid4(), datetime.now(UTC).date()))
    kept = (folder / starter.GITIGNORE).exists()
    if kept:
        ignored = files.pop(starter.GITIGNORE)
    there = [folder / path for path in files if (folder / path).exists() or (folder / path).is_symlink()]
    if there:
        named = ", ".join(map(str, there))
        raise InvalidInput(f"already there: {named}", hint="init overwrites nothing; choose an empty folder")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        with (folder / path).open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        click.echo(f"wrote {folder / path}")
    if kept:
        patterns = ", ".join(line for line in ignored.splitlines() if not line.startswith("#"))
        click.echo(f"kept {folder / starter.GITIGNORE}; saved plans are best ignored: {patterns}")
    click.echo(_next_steps(folder))
    return ExitCode.DONE


def _next_steps(folder: Path) -> str:
    at = "" if folder == Path() else f" --estate {folder}"
    check = "reconciler validate" if folder == Path() else f"reconciler validate {folder}"
    return f"""
Next:
  1. Put your own address, tenant and names into the files.
  2. {check}
  3. Give the reconciler its vendor credential (the value is read from standard input, so it stays out of the history):
     vault kv put -mount=secret reconciler-credentials/dsm-prod endpoint=YOUR-ENDPOINT secretKey=-
  4. reconciler plan{at}
  5. reconciler apply{at}"""
