"""`reconciler fmt`: the usual order and style."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from reconciler.cli.options import exit_codes
from reconciler.errors import InvalidInput, printable
from reconciler.model.outcome import ExitCode


@click.command(
    "fmt",
    epilog=exit_codes(
        {
            ExitCode.DONE: "every file is in the usual form now; with --check: was already",
            ExitCode.ERROR: "with --check: some file is not; or a file cannot be read or is no YAML",
        }
    ),
)
@click.argument("paths", metavar="[PATH]...", type=click.Path(path_type=Path, exists=True), nargs=-1)
@click.option("--check", is_flag=True, help="Write nothing; list the files that would change.")
def command(paths: tuple[Path, ...], check: bool) -> ExitCode:
    """Bring manifests into the usual order of fields and style. Comments stay, and so does every value's meaning.

    PATH is a file or a folder, by default the current folder. Lists the files that changed, or would.
    """
    from reconciler.manifest.format import format_text
    from reconciler.manifest.jsonschema import field_order
    from reconciler.manifest.source import Files, resolved, shown

    failed = changed = False
    for files in (Files(resolved(path)) for path in paths or (Path(),)):
        if not files.paths and not files.problems:
            folder = printable(shown(files.root))
            click.echo(f"no manifests in {folder}; 'reconciler init' writes the first ones", err=True)
        for problem in files.problems:
            click.echo(problem, err=True)
            failed = True
        for path in files.paths:
            try:
                before = _text(path)
                after = format_text(before, shown(path), field_order)
            except InvalidInput as wrong:
                click.echo(
                    printable(f"{wrong.where}: error: {wrong.what}{wrong.hint and f' ({wrong.hint})'}"), err=True
                )
                failed = True
                continue
            if before != after:
                changed = True
                if not check:
                    _replace(path, after)
                click.echo(printable(shown(path)))
    return ExitCode.ERROR if failed or (check and changed) else ExitCode.DONE


def _text(path: Path) -> str:
    """The file's text with its own line ends; InvalidInput if it cannot be read, is no UTF-8, or is far too large."""
    from reconciler.manifest.source import read, shown

    data = read(path)
    if not isinstance(data, bytes):
        raise InvalidInput(data.what, where=str(data.source), hint=data.hint)
    try:
        return data.decode()
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise InvalidInput("this is not UTF-8", where=f"{shown(path)}:{line}:1") from None


def _replace(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one. Its mode stays, and so do links to it."""
    target = path.resolve()  # replacing a link would cut it
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            os.fchmod(handle, target.stat().st_mode & 0o7777)
            file.write(text)
            file.flush()
            os.fsync(handle)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink()
        raise
