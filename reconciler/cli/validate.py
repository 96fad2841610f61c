"""`reconciler validate`: every problem of the manifests below a path, each with its place."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.options import Terminal, cache_option, exit_codes
from reconciler.cli.output import Outcome, Output, output_options
from reconciler.model.outcome import ExitCode

if TYPE_CHECKING:
    from reconciler.manifest import Report


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
@cache_option
@output_options
@click.pass_obj
def command(terminal: Terminal, path: Path, no_cache: bool, output: Output) -> ExitCode:
    """Check manifests and report every problem with its place.

    PATH is a file or a folder, by default the current one. Within an estate (a folder with a reconciler.yaml, or below
    one) references may point to anything in it. Nothing but the files is read: no vendor and no Vault is called.

    Keys are held against the estate's policies, as far as that needs no plan; what they violate is a warning here.
    """
    from reconciler.manifest import open_cache, validate

    with output.telling():
        report = _with_policies(validate(path, cache=None if no_cache else open_cache(os.environ)))
        if output.for_people and not output.files:  # most runs: nothing else is imported for them
            click.echo(_text(report))
        else:
            output.write(terminal, outcome(report))
    return ExitCode.ERROR if report.errors else ExitCode.DONE


def _with_policies(report: Report) -> Report:
    """The report with what policies say of its files, as far as that can be told without any call: as warnings."""
    if not report.policies or report.errors:
        return report
    from reconciler.manifest.problems import Problem, Severity
    from reconciler.policy.evaluate import judge

    problems = list(report.problems)
    for finding in judge(report.tenants, report.policies, datetime.now(UTC)):
        if finding.source is not None and finding.source.file in report.names:
            what = f"{finding.rule}: {finding.where}: {finding.message}{' (plan denies it)' if finding.denies else ''}"
            problems.append(
                Problem(finding.source, what, finding.hint, finding.where, Severity.WARNING, code=finding.rule)
            )
    return replace(report, problems=tuple(sorted(problems, key=lambda problem: problem.order)))


def _text(report: Report) -> str:
    from reconciler.manifest.problems import counted, summary

    lines = [str(problem) for problem in report.problems]
    warnings = len(report.problems) - report.errors
    end = summary(report.problems) if report.errors else _valid(report)
    return "\n".join([*lines, f"{end}, {counted(warnings, 'warning')}" if warnings else end])


def outcome(report: Report) -> Outcome:
    """What was found, in every form."""
    from reconciler.report import data, findings, review

    return Outcome(
        "validate",
        text=lambda console: console.print(_text(report), soft_wrap=True),
        data=lambda: data.validation(report),
        markdown=lambda: review.problems(report.problems, _valid(report)),
        findings=lambda: findings.of_manifests(report.problems),
        rules=lambda: findings.rules_of(report.policies),
        checked=["validate"],
    )


def _valid(report: Report) -> str:
    from reconciler.manifest.problems import counted

    return f"{counted(report.documents, 'object')} in {counted(report.files, 'file')}: valid"
