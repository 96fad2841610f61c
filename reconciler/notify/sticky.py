"""One comment per pull request and purpose, written once and kept up to date from then on.

It is known by a marker on its first line and by its author: somebody else who copies the marker gets nowhere. Two runs
at once may both find none, and write two: each looks again after writing, and the oldest of ours is the one that counts.
The other becomes a pointer to it.
"""

from __future__ import annotations

from typing import Final

from reconciler.notify.github import BODY_LIMIT, Comment, GitHub
from reconciler.notify.marker import marker

_CUT: Final = "\n\n*Cut here: a comment holds {limit:,} characters. The run's log has all.*\n"


def upsert(github: GitHub, number: int, name: str, text: str) -> Comment:
    """Make the one comment of that name say this text, and give it."""
    first = marker("comment", name)
    body = fitting(f"{first}\n{text}")
    ours = _ours(github, number, first)
    if not ours:
        made = github.create_comment(number, body)
        ours = _ours(github, number, first) or [made]
    kept, *others = ours
    if _said(kept.body or "") != _said(body):
        kept = github.update_comment(kept.id, body)
    for other in others:
        pointer = f"*Two runs wrote at once: [this comment]({kept.html_url}) is the one that is kept.*"
        github.update_comment(other.id, pointer)
    return kept


def _said(body: str) -> str:
    """A text without what a server may do to it."""
    return body.replace("\r\n", "\n").strip()


def _ours(github: GitHub, number: int, first: str) -> list[Comment]:
    """Our comments with that marker, oldest first. Nobody is asked who we are while none has it."""
    marked = [one for one in github.comments(number) if (one.body or "").startswith(first)]
    return sorted((one for one in marked if github.is_ours(one)), key=lambda one: one.id)


def joined(parts: list[str]) -> str:
    """Markdown files in their order, as one text."""
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def fitting(body: str, limit: int = BODY_LIMIT) -> str:
    """A text that fits into a comment: cut at a line's end, with a note, and with no fold left open."""
    if len(body) <= limit:
        return body
    note = _CUT.format(limit=limit)
    room = limit - len(note) - len("\n</details>") * 20
    kept = body[:room].rpartition("\n")[0] or body[:room]
    closing = "\n</details>" * min(max(kept.count("<details>") - kept.count("</details>"), 0), 20)
    return f"{kept}{closing}{note}"
