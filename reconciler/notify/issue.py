"""The issue that opens, changes and closes by itself: one per estate, and per choice of targets.

It is known by a label, by a marker on its first line and by its author. Its second line has a digest of what it says, so
that nothing is sent while nothing has changed. Comments are written only when it is closed or comes back.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from reconciler.errors import NotPermitted
from reconciler.notify.github import GitHub, Issue
from reconciler.notify.marker import digest, marker

LABEL: Final = "reconciler-drift"


class Did(StrEnum):
    """What became of the issue."""

    OPENED = "opened"
    UPDATED = "updated"
    CLOSED = "closed"
    REOPENED = "reopened"
    NOTHING = "left as it is"


def keep(github: GitHub, name: str, title: str, text: str, *, drift: bool, complete: bool) -> tuple[Did, Issue | None]:
    """Let the issue of that name say what there is, and be open while there is drift.

    `complete` False: not every tenant could be read, so that an issue is not closed for what nobody has seen.
    """
    first = marker("drift", name)
    body = f"{first}\n<!-- {digest(title + text)} -->\n{text}"
    issue = _find(github, first)
    if issue is None:
        return (Did.OPENED, _open(github, title, body)) if drift else (Did.NOTHING, None)
    is_open = issue.state == "open"
    if drift and not is_open:
        github.update_issue(issue.number, title=title, body=body, state="open")
        github.create_comment(issue.number, "There is drift again: see above.")
        return Did.REOPENED, issue
    if drift or (is_open and not complete):
        if _same(issue, body):
            return Did.NOTHING, issue
        github.update_issue(issue.number, title=title, body=body)
        return Did.UPDATED, issue
    if is_open:
        github.update_issue(issue.number, title=title, body=body, state="closed", state_reason="completed")
        github.create_comment(issue.number, "The drift is gone: closed by the run that found nothing.")
        return Did.CLOSED, issue
    return Did.NOTHING, issue


def _find(github: GitHub, first: str) -> Issue | None:
    """Our issue: one that is open before one that is closed, then the oldest."""
    marked = [one for one in github.issues(LABEL) if (one.body or "").startswith(first)]
    ours = [one for one in marked if github.is_ours(one)]
    return min(ours, key=lambda one: (one.state != "open", one.number), default=None)


def _open(github: GitHub, title: str, body: str) -> Issue:
    issue = github.create_issue(title, body, [LABEL])
    if LABEL not in {label.name for label in issue.labels}:
        # GitHub drops labels in silence that the token may not set; then the next run would not find the issue again.
        raise NotPermitted(
            f"issue #{issue.number} was opened, but GitHub did not give it the label {LABEL}",
            hint="the token needs issues: write; close the issue, or the next run opens another one",
        )
    return issue


def _same(issue: Issue, body: str) -> bool:
    return (issue.body or "").splitlines()[:2] == body.splitlines()[:2]
