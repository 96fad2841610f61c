"""`reconciler access-diff`: what the way from one Git revision to another means for access. Offline."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from reconciler.cli.options import Terminal, estate_option, exit_codes
from reconciler.cli.output import Outcome, Output, output_options
from reconciler.model.outcome import ExitCode

if TYPE_CHECKING:
    from reconciler.model.finding import Finding
    from reconciler.plan.comparison import Comparison

_SEVERITIES: Final = ("info", "low", "medium", "high", "critical")


@click.command(
    "access-diff",
    epilog=exit_codes(
        {
            ExitCode.DONE: "compared, whatever was found",
            ExitCode.ERROR: "error (no such revision, manifests that are not valid, wrong usage)",
            ExitCode.PENDING: "with --detailed-exitcode: there are findings",
            ExitCode.STOPPED: "with --fail-on: what widens, or concerns trust, is so severe",
        }
    ),
)
@click.argument("base")
@click.argument("head", required=False)
@estate_option
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when there are findings.")
@click.option(
    "--fail-on",
    type=click.Choice(_SEVERITIES),
    help="Exit with 3 when something that widens access, or changes what is trusted, is at least so severe.",
)
@output_options
@click.pass_obj
def command(
    terminal: Terminal,
    base: str,
    head: str | None,
    estate: Path,
    detailed_exitcode: bool,
    fail_on: str | None,
    output: Output,
) -> ExitCode:
    """Say what the change from one Git revision to another means for access.

    BASE and HEAD are revisions as Git names them; without HEAD, BASE is compared with the files here. Nobody is called,
    and no credential is needed: the manifests of both sides are read, and nothing of a revision is checked out or run.
    """
    from reconciler.manifest import snapshot
    from reconciler.model.finding import Severity
    from reconciler.plan.comparison import compare_sides
    from reconciler.providers import registry

    with output.telling():
        now = datetime.now(UTC)
        root = snapshot.find_estate(estate, by_folder=head is not None)
        before = snapshot.at_revision(root, base, where="BASE", now=now, may_lack=True)
        if head is None:
            after = snapshot.working_tree(root, now=now)
        else:
            after = snapshot.at_revision(root, head, where="HEAD", now=now)
        compared = compare_sides(before, after, registry.get, now)
        output.write(terminal, outcome(compared, root))
    if fail_on is not None and compared.fails(Severity(fail_on)):
        return ExitCode.STOPPED
    return ExitCode.PENDING if detailed_exitcode and compared.findings else ExitCode.DONE


def outcome(compared: Comparison, root: Path) -> Outcome:
    """What was found, in every form."""
    from reconciler.plan.access_rules import RULES
    from reconciler.report import access

    return Outcome(
        "access-diff",
        text=lambda console: access.text(console, compared),
        data=lambda: access.data(compared),
        markdown=lambda: access.markdown(compared),
        findings=lambda: _placed(compared, root),
        rules=lambda: {name: rule.text for name, rule in RULES.items()},
        checked=compared.tenants,
    )


def _placed(compared: Comparison, root: Path) -> Sequence[Finding]:
    """The findings for tools: with the places that the newer side has in the working tree, and none of the older side."""
    from reconciler.model.desired import Source

    def placed(one: Finding) -> Finding:
        if one.source is None:
            return one
        for side in (compared.after, compared.before):
            prefix = f"{side.ref}:"
            if side.ref and one.source.file.startswith(prefix):
                if side is compared.before and compared.before.ref != compared.after.ref:
                    return replace(one, source=None)
                path = os.path.relpath(root / one.source.file.removeprefix(prefix))
                return replace(one, source=Source(path, one.source.line, one.source.column))
        return one

    return [placed(one) for one in compared.findings]
