"""Whom `drift` tells: a GitHub issue, a webhook, a metrics file. They are checked before anything is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Final

import click

from reconciler.errors import InvalidInput, ReconcilerError, printable

if TYPE_CHECKING:
    from reconciler.model.secret import Secret
    from reconciler.notify.github import Place
    from reconciler.report.drift import Drift


_ROOM: Final = 65_000
"""Characters for an issue's text; the rest of what GitHub takes is for its hidden lines."""
_TITLE: Final = 250


@dataclass(frozen=True, slots=True)
class Sinks:
    """Everybody who is to be told."""

    issue: tuple[Place, Secret] | None = None
    webhook: Secret | None = None
    metrics: Path | None = None

    @classmethod
    def chosen(cls, issue: str | None, webhook: str | None, metrics: Path | None) -> Sinks:
        """From the command line and the environment. InvalidInput if one of them cannot be told."""
        place = address = None
        if issue is not None:
            from reconciler.notify.github import Place, token_from

            place = (Place.of(os.environ, issue), token_from(os.environ))
        if webhook is not None:
            from reconciler.notify.webhook import address as read_address

            address = read_address(webhook, os.environ)
        if metrics is not None and not metrics.parent.is_dir():
            raise InvalidInput(f"--metrics {printable(str(metrics))}: there is no such folder")
        return cls(place, address, metrics)

    def tell(self, drift: Drift) -> None:
        """Tell everybody, whoever of them cannot be reached; raises the first error at the end."""
        problems: list[ReconcilerError] = []
        for tell in self._all(drift):
            try:
                tell()
            except ReconcilerError as error:
                problems.append(error)
        for other in problems[1:]:
            click.echo(f"error: {printable(str(other))}", err=True)
        if problems:
            raise problems[0]

    def _all(self, drift: Drift) -> Iterator[Callable[[], None]]:
        if self.metrics is not None:
            yield partial(_write_metrics, self.metrics, drift)
        if self.webhook is not None:
            yield partial(_post, self.webhook, drift)
        if self.issue is not None:
            yield partial(_keep_issue, *self.issue, drift)


def _write_metrics(path: Path, drift: Drift) -> None:
    from reconciler.report.metrics import write

    try:
        write(path, drift)
    except OSError as problem:
        what = f"the metrics cannot be written: {problem.strerror}"
        raise InvalidInput(what, where=printable(str(path))) from None


def _post(url: Secret, drift: Drift) -> None:
    from reconciler.notify.webhook import post
    from reconciler.report.slack import message

    if drift.news if drift.news is not None else drift.findings:
        post(url, message(drift, _run()))


def _keep_issue(place: Place, token: Secret, drift: Drift) -> None:
    from reconciler.notify.github import GitHub
    from reconciler.notify.issue import Did, keep
    from reconciler.report.drift import markdown

    about = f" ({', '.join(drift.targets)})" if drift.targets else ""
    title = printable(f"Drift in {drift.estate.name}{about}")[:_TITLE]
    text = markdown(drift, title, everything=True, limit=_ROOM)
    name = "|".join((str(drift.estate.id), *drift.targets))
    with closing(GitHub(place, token, sleep=sleep)) as github:
        did, issue = keep(github, name, title, text, drift=bool(drift.findings), complete=not drift.unreadable)
    if issue is not None and did is not Did.NOTHING:
        click.echo(f"issue #{issue.number} of {place.repository}: {did}", err=True)


def _run() -> str:
    """Where the workflow's run can be read, if this is one."""
    server, repository, run = (os.environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run.isdigit() else ""
