"""Reviews as GitHub-flavoured Markdown, made for a pull request's comment: the summary first, details folded.

Text from manifests and vendors is data: it is shown in code spans, where GitHub renders no Markdown, makes no links and
tells nobody that they were mentioned, or with everything escaped that could do so. A comment holds 65,536 characters
(GitHub's REST API refuses more): what does not fit is left out from the end, and said to be.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.errors import printable
from reconciler.model.finding import Finding, Impact, Severity
from reconciler.report.words import plural

LIMIT: Final = 65_536
"""Characters of a GitHub comment, an issue's body or a job summary's line."""
_ROOM: Final = 300
"""Kept free for what says that something was left out."""
_OPEN: Final = 20
"""Findings that are shown unfolded."""
_MARKUP: Final = re.compile(r"([\\`*_\[\]<>|~$&])")
_LINKS: Final = re.compile(r"(?i)[@#]|:(?=//)|www(?=\.)|\bGH-")
"""What GitHub makes a mention, a reference or a link of; an empty comment behind it prevents that, and nobody sees it."""
_BACKTICKS: Final = re.compile(r"`+")
_IMPACT: Final = {
    Impact.WIDENS: "⬆️ widens",
    Impact.NARROWS: "⬇️ narrows",
    Impact.DESTROYS: "❌ destroys",
    Impact.ROTATES: "🔄 rotates",
    Impact.NEUTRAL: "",
}


def code(text: str) -> str:
    """Foreign text as a code span, right in tables as well."""
    text = printable(text) or '""'
    fence = "`" * (1 + max(map(len, _BACKTICKS.findall(text)), default=0))
    pad = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|")


def prose(text: str) -> str:
    """A sentence that may quote foreign text: nothing in it is markup, a link, a mention or a reference."""
    escaped = _MARKUP.sub(r"\\\1", printable(text))
    return _LINKS.sub(lambda found: f"{found[0]}<!-- -->", escaped)


@dataclass(frozen=True, slots=True)
class Section:
    """Something folded. `heading` is plain text; `lines` are Markdown, of which the last ones may be left out."""

    heading: str
    lines: Sequence[str]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; the cells are Markdown."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows)]


def review(
    title: str, summary: str, findings: Sequence[Finding] = (), sections: Sequence[Section] = (), limit: int = LIMIT
) -> str:
    """A comment of at most `limit` characters: heading, summary, the worst findings, then everything else folded."""
    ordered = sorted(findings, key=lambda one: (not one.denies, -one.severity.rank, one.where, one.rule))
    head = [f"### {prose(title)}", "", f"**{prose(summary)}**"]
    if any(one.denies for one in ordered):
        head += ["", "> [!CAUTION]", "> This is stopped: nothing will be changed while the findings marked 🛑 stand."]
    parts = [*head]
    if ordered:
        parts += ["", *findings_table(ordered[:_OPEN])]
    rest = ordered[_OPEN:]
    folded = [Section(f"{plural(len(rest), 'more finding')}", findings_table(rest))] if rest else []
    return _fit("\n".join(parts) + "\n", [*folded, *sections], limit)


def findings_table(findings: Sequence[Finding]) -> list[str]:
    """The lines of a table of findings."""
    rows = [
        (
            "🛑 stops" if one.denies else _severity(one.severity),
            _IMPACT[one.impact],
            code(one.where) if one.where else "",
            prose(one.message) + (f"<br>*{prose(one.hint)}*" if one.hint else ""),
            f"{code(one.rule)}" + (f"<br>{code(str(one.source))}" if one.source else ""),
        )
        for one in findings
    ]
    return table(("", "impact", "object", "what", "rule"), rows)


def _severity(severity: Severity) -> str:
    marks = {Severity.CRITICAL: "🔴 ", Severity.HIGH: "🔴 ", Severity.MEDIUM: "🟠 ", Severity.LOW: "🟡 "}
    return f"{marks.get(severity, '')}{severity}"


def _fit(head: str, sections: Sequence[Section], limit: int) -> str:
    if len(head) > limit:
        return _cut(head.splitlines(), limit, lambda left: f"\n… and {plural(left, 'line')} more.\n")
    text, left_out = head, 0
    for section in sections:
        room = limit - len(text) - _ROOM
        folded = _folded(section, room) if not left_out else ""
        left_out += not folded
        text += folded
    if left_out:
        told = (
            f"\n*{plural(left_out, 'part')} left out: a comment holds {limit:,} characters. The run's log has all.*\n"
        )
        text += told if len(text) + len(told) <= limit else ""
    return text


def _folded(section: Section, room: int) -> str:
    """A folded section in at most `room` characters; empty if not even its beginning fits."""
    heading = html.escape(printable(section.heading))
    before, after = f"\n<details><summary><code>{heading}</code></summary>\n\n", "\n</details>\n"
    room -= len(before) + len(after)
    if room < _ROOM:
        return ""
    return before + _cut(section.lines, room, lambda left: f"\n*{plural(left, 'line')} left out.*\n") + after


def _cut(lines: Sequence[str], room: int, told: Callable[[int], str]) -> str:
    """Whole lines, as many as fit, and how many did not."""
    text = "\n".join(lines) + "\n"
    if len(text) <= room:
        return text
    kept, used = 0, len(told(len(lines)))
    for line in lines:
        used += len(line) + 1
        if used > room:
            break
        kept += 1
    return "".join(f"{line}\n" for line in lines[:kept]) + told(len(lines) - kept)
