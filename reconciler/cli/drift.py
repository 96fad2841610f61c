"""`reconciler drift`: what has changed that did not come from Git, for people, and for a schedule that tells others."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.options import (
    Terminal,
    cache_option,
    estate_option,
    exit_codes,
    target_option,
    trust_option,
    trusted_option,
)
from reconciler.cli.output import Outcome, Output, output_options
from reconciler.model.outcome import ExitCode, combine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.plan.drift import TenantDrift
    from reconciler.plan.drift_rules import Horizon
    from reconciler.plan.observe import Access
    from reconciler.plan.run import Planned
    from reconciler.plan.target import Target
    from reconciler.report.drift import Before, Drift


@click.command(
    epilog=exit_codes(
        {
            ExitCode.DONE: "in sync: every tenant was read, and there is no drift",
            ExitCode.ERROR: "error (manifests, Vault, usage; nothing could be read, somebody not told)",
            ExitCode.PENDING: "drift was found",
            ExitCode.PARTIAL: "tenants could not be read, which is neither; the others were compared",
        }
    )
)
@estate_option
@target_option
@click.option(
    "--since",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="LAST.json",
    help="Tell only what is new, and what is resolved, since the run that printed this JSON.",
)
@click.option(
    "--expiring", type=click.IntRange(0, 3650), default=14, show_default=True, metavar="DAYS",
    help="Find keys that end within so many days; 0: none.",
)  # fmt: skip
@click.option(
    "--unused", type=click.IntRange(0, 3650), default=90, show_default=True, metavar="DAYS",
    help="Find keys that nobody has used for so many days, where the vendor tells; 0: none.",
)  # fmt: skip
@click.option(
    "--github-issue",
    is_flag=False,
    flag_value="",
    default=None,
    metavar="[OWNER/REPO]",
    help="Open an issue when there is drift, keep it up to date, and close it when the drift is gone. "
    "Without a repository: that of GITHUB_REPOSITORY. The token is in GITHUB_TOKEN.",
)
@click.option(
    "--webhook-env",
    metavar="VARIABLE",
    help="Post to the webhook whose address is in this environment variable, as Slack takes it: "
    "when there is drift, and with --since when something is new.",
)
@click.option(
    "--metrics",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write Prometheus metrics, for a textfile collector.",
)
@trust_option
@trusted_option
@cache_option
@output_options
@click.pass_obj
def command(
    terminal: Terminal,
    estate: Path,
    target: tuple[str, ...],
    since: Path | None,
    expiring: int,
    unused: int,
    github_issue: str | None,
    webhook_env: str | None,
    metrics: Path | None,
    trust_endpoints: bool,
    trusted_ref: str | None,
    no_cache: bool,
    output: Output,
) -> ExitCode:
    """Tell what differs and did not come from Git.

    Reads as `plan` does, under the same identity, and changes nothing. What Git wants and nobody has applied yet is
    pending, and no drift.
    """
    from reconciler.cli.estate import access
    from reconciler.cli.sinks import Sinks
    from reconciler.manifest import open_cache
    from reconciler.plan.drift_rules import Horizon
    from reconciler.report.last import read

    horizon = Horizon(_days(expiring), _days(unused))
    with output.telling():
        sinks = Sinks.chosen(github_issue, webhook_env, metrics)
        cache = None if no_cache else open_cache(os.environ)
        with access(estate, "plan", trust_endpoints=trust_endpoints, trusted_ref=trusted_ref, cache=cache) as run:
            before = read(since, run.estate.id, target) if since is not None else None
            drift = _look(run, target, horizon, before)
            output.write(terminal, outcome(drift))
    sinks.tell(drift)
    return combine(drift.codes.values())


def _days(number: int) -> timedelta | None:
    return timedelta(days=number) if number else None


def _look(run: Access, targets: Sequence[str], horizon: Horizon, before: Before | None) -> Drift:
    """Observe the chosen tenants once, and tell their drift."""
    from reconciler.plan.run import plan_all
    from reconciler.plan.target import Target, refuse_unknown, tenants
    from reconciler.report.drift import Drift

    parsed = [Target.parse(text) for text in targets]
    planned = plan_all(run, tenants(run.estate.tenants, parsed), keep_views=True)
    try:
        for item in planned.readable:
            refuse_unknown(item.tenant.desired, item.plan, parsed)
        found = _found(run, planned, parsed, horizon)
    finally:
        planned.close()
    return Drift(run.estate, run.vault.now(), found, planned.unreadable, sorted(targets), before)


def _found(run: Access, planned: Planned, targets: Sequence[Target], horizon: Horizon) -> list[TenantDrift]:
    from dataclasses import replace

    from reconciler.plan.drift import find_drift, only
    from reconciler.plan.trail import traced

    found = []
    for item in planned.readable:
        if item.view is None:  # pragma: no cover  a mistake of ours, for the type checker
            raise AssertionError("the run was asked to keep what it saw")
        tenant = item.tenant
        drift = find_drift(tenant.desired, tenant.provider, item.view, item.plan, estate=run.estate.id, horizon=horizon)
        drift = only(drift, targets)
        found.append(replace(drift, findings=traced(tenant.session, drift.findings, item.view.now)))
    return found


def outcome(drift: Drift) -> Outcome:
    """Drift in every form."""
    from reconciler.cli.estate import with_trusted
    from reconciler.plan.drift_rules import RULES
    from reconciler.report import drift as report
    from reconciler.report import findings

    return Outcome(
        "drift",
        text=lambda console: report.text(console, drift),
        data=lambda: with_trusted(report.as_data(drift), drift.estate),
        markdown=lambda: report.markdown(drift),
        findings=lambda: [*drift.findings, *map(findings.unreadable, drift.unreadable)],
        rules=lambda: {**findings.RULES, **RULES},
        checked=[one.tenant for one in drift.tenants],
        fails=lambda _: True,
    )
