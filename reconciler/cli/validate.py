"""`reconciler validate`: every problem of the manifests below a path, each with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.options import exit_codes, format_option
from reconciler.errors import printable
from reconciler.model.outcome import ExitCode

if TYPE_CHECKING:
    from reconciler.manifest import Problem, Report


@click.command(
    "validate",
    epilog=exit_codes(
        {
            ExitCode.DONE: "the manifests are valid; there may be warnings",
            ExitCode.ERROR: "something is wrong; every problem is listed",
        }
    ),
)
@click.argument("path", type=click.Path(path_type=Path, exists=True), default=Path(), metavar="[PATH]")
@format_option("text", "json")
def command(path: Path, output_format: str) -> ExitCode:
    """Check manifests and report every problem with its place.

    PATH is a file or a folder, by default the current one. Within an estate (a folder with a reconciler.yaml, or below
    one) references may point to anything in it. Nothing but the files is read: no vendor and no Vault is called.
    """
    from reconciler.manifest import validate

    report = validate(path)
    click.echo(_json(report) if output_format == "json" else _text(report))
    return ExitCode.ERROR if report.errors else ExitCode.DONE


def _text(report: Report) -> str:
    from reconciler.manifest.problems import counted, summary

    lines = [str(problem) for problem in report.problems]
    warnings = len(report.problems) - report.errors
    if report.errors:
        end = summary(report.problems)
    else:
        end = f"{counted(report.documents, 'object')} in {counted(report.files, 'file')}: valid"
    return "\n".join([*lines, f"{end}, {counted(warnings, 'warning')}" if warnings else end])


def _json(report: Report) -> str:
    problems = [_problem(problem) for problem in report.problems]
    return json.dumps({"problems": problems, "files": report.files, "objects": report.documents}, indent=2)


def _problem(problem: Problem) -> dict[str, object]:
    return {
        "file": problem.source.file,
        "line": problem.source.line,
        "column": problem.source.column,
        "severity": problem.severity.value,
        "code": problem.code,
        "object": printable(problem.object),
        "message": printable(problem.what),
        "hint": printable(problem.hint),
    }
