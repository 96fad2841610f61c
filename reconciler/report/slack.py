"""Drift as a message for a chat: the JSON that Slack's incoming webhooks take, and that others have learnt to take.

Everything that is not ours is plain text in it: no markup, no mention and no link can come of a name.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any, Final

from reconciler.errors import printable
from reconciler.report.drift import Drift, shown, summary, told

_MOST: Final = 20
"""Findings that are shown; a message holds 50 blocks."""
_LONGEST: Final = 2_900
"""Characters of a block's text: Slack takes 3,000."""
_HEADER: Final = 150


def message(drift: Drift, link: str = "") -> dict[str, Any]:
    """`{text, blocks}`. `link`: where the run can be read in full, if anywhere."""
    title = f"Drift in {drift.estate.name}"
    lines = list(_lines(drift))
    blocks = [{"type": "header", "text": _plain(title, _HEADER)}, _section(summary(drift))]
    blocks += [_section(line) for line in lines[:_MOST]]
    if len(lines) > _MOST:
        blocks.append(_section(f"… and {len(lines) - _MOST} more"))
    if link:
        blocks.append(_section(link))
    # `text` is what notifications show, and it is read as markup: escaped as Slack says.
    return {"text": html.escape(printable(f"{title}: {summary(drift)}"), quote=False)[:_LONGEST], "blocks": blocks}


def _lines(drift: Drift) -> Iterator[str]:
    for tenant in drift.tenants:
        for state, one in shown(drift, tenant.findings):
            yield f"{state}{one.severity} {one.where}: {one.rule}: {one.message}"
    for gone in drift.news.resolved if drift.news is not None else ():
        yield f"resolved {told(gone)}"
    for away in drift.unreadable:
        yield f"could not be read: {away.tenant.name}: {away.error}"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _plain(text, _LONGEST)}


def _plain(text: str, most: int) -> dict[str, Any]:
    text = printable(text)
    return {"type": "plain_text", "text": text if len(text) <= most else text[: most - 1] + "…", "emoji": False}
