"""What `access-diff` found, for a reviewer: worst first, by tenant, with a summary that takes ten seconds to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from reconciler.errors import printable
from reconciler.manifest.snapshot import Snapshot
from reconciler.model.finding import Finding, Severity
from reconciler.model.impact import Impact
from reconciler.plan.comparison import Comparison
from reconciler.report import lines, words
from reconciler.report.data import FORMAT, finding
from reconciler.report.markdown import Section, code, review, table

_STYLE: Final = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "dim",
}
_IMPACT: Final = {
    Impact.WIDENS: "bold yellow",
    Impact.NARROWS: "green",
    Impact.DESTROYS: "bold red",
    Impact.ROTATES: "cyan",
    Impact.NEUTRAL: "dim",
}
_COUNTED: Final = (
    ("gain", "gains access", "gain access"),
    ("lose", "loses access", "lose access"),
    ("created", "is created", "are created"),
    ("removed", "is removed", "are removed"),
    ("locked", "is locked", "are locked"),
    ("rotated", "needs a new secret", "need a new secret"),
)
_POSTURE: Final = {
    "keys": "keys",
    "highRisk": "with high-risk permissions",
    "anyAddress": "open to any address",
    "noEnd": "without an end",
    "noRotation": "not rotated",
    "noOwner": "without an owner",
}
_ESTATE: Final = "the whole estate"
_LISTED: Final = 12
"""Permissions that are listed under a finding at a terminal; `json` has all of them."""
_NAMED: Final = 3
"""So many are in the finding's own sentence."""


def summary(compared: Comparison) -> str:
    """`2 keys gain access, 1 key is created; 1 finding about trust`."""
    counts = compared.counts
    parts = [
        f"{words.plural(counts[name], 'key')} {one if counts[name] == 1 else many}"
        for name, one, many in _COUNTED
        if counts[name]
    ]
    text = ", ".join(parts)
    if counts["trust"]:
        about = f"{words.plural(counts['trust'], 'finding')} about trust"
        text = f"{text}; {about}" if text else about
    if text:
        return text
    others = words.plural(counts["findings"], "other finding")
    return f"no key's access changes, {others}" if counts["findings"] else "access does not change"


def text(console: Console, compared: Comparison) -> None:
    """A tree for each tenant that has findings, the worst first, then the posture and the summary."""
    for tenant, found in _groups(compared.findings):
        tree = Tree(Text(printable(tenant), style="bold"), guide_style="dim")
        for one in found:
            _add(tree, one)
        lines.tree(console, tree)
        console.print()
    lines.prose(console, Text(_sides(compared), style="dim"))
    lines.prose(console, Text(_posture(compared), style="dim"))
    lines.prose(console, Text(f"Access: {summary(compared)}", style="bold"))


def _groups(findings: Sequence[Finding]) -> list[tuple[str, list[Finding]]]:
    groups: dict[str, list[Finding]] = {}
    for one in findings:
        groups.setdefault(one.tenant, []).append(one)
    order = sorted(groups, key=lambda tenant: (-max(one.severity.rank for one in groups[tenant]), tenant))
    return [(tenant or _ESTATE, groups[tenant]) for tenant in order]


def _add(tree: Tree, one: Finding) -> None:
    head = Text(f"{one.severity:<8}  ", style=_STYLE[one.severity])
    head.append(f"{'' if one.impact is Impact.NEUTRAL else one.impact:<8}  ", style=_IMPACT[one.impact])
    if one.object is not None:
        head.append(printable(f"{one.object}: "), style="bold")
    head.append(printable(one.message), style="not bold default")
    branch = tree.add(head)
    for line in _permissions(one):
        branch.add(line)
    for line in _networks(one):
        branch.add(line)
    for change in one.changes:
        if change.path.startswith("scope."):
            branch.add(Text(printable(f"{change.path}  {words.value(change.old)} → {words.value(change.new)}")))
    if one.hint:
        branch.add(Text(printable(one.hint)))
    about = [f"owner {', '.join(one.figures['owners'])}"] if one.figures.get("owners") else []
    about += [str(one.source)] if one.source is not None else []
    if about:
        branch.add(Text(printable(" · ".join(about)), style="dim"))


def _permissions(one: Finding) -> Iterator[Text]:
    """The permissions of a finding, if there are more than its sentence names."""
    names = [
        change.path.removeprefix("permissions.") for change in one.changes if change.path.startswith("permissions.")
    ]
    if len(names) <= _NAMED:
        return
    sign = "+" if "gained" in one.figures else "-"
    for name in names[:_LISTED]:
        risk = " (high-risk)" if name in one.figures["highRisk"] else ""
        yield Text.assemble(printable(f"{sign} {name}"), (risk, "red"))
    if len(names) > _LISTED:
        yield Text(f"{sign} {len(names) - _LISTED} more")


def _networks(one: Finding) -> Iterator[Text]:
    for change in one.changes:
        if change.path == "allowedIPs":
            for sign, here, there in (("+", change.new, change.old), ("-", change.old, change.new)):
                names = [name for name in here if name not in there]
                if names:
                    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
                    yield Text(printable(f"{sign} {', '.join(names[:_LISTED])}{more}"))


def _sides(compared: Comparison) -> str:
    return printable(f"{_side(compared.before)} → {_side(compared.after)}")


def _side(side: Snapshot) -> str:
    return f"{side} ({side.commit[:12]})" if side.commit and not side.commit.startswith(side.ref) else str(side)


def _posture(compared: Comparison) -> str:
    before, after = compared.posture_before, compared.posture_after
    parts = [
        f"{title} {before[name]:,} → {after[name]:,}" if before[name] != after[name] else f"{title} {after[name]:,}"
        for name, title in _POSTURE.items()
    ]
    return " · ".join(parts)


def markdown(compared: Comparison) -> str:
    """For a pull request's comment."""
    before, after = compared.posture_before, compared.posture_after
    rows = [(title, f"{before[name]:,}", f"{after[name]:,}") for name, title in _POSTURE.items()]
    sections = [Section("all keys, before and after", table(("", str(compared.before), str(compared.after)), rows))]
    granted = [line for one in compared.findings for line in _granted(one)]
    if granted:
        sections.insert(0, Section("permissions, one by one", granted))
    return review(f"reconciler access-diff: {_sides(compared)}", summary(compared), compared.findings, sections)


def _granted(one: Finding) -> Iterator[str]:
    names = [
        change.path.removeprefix("permissions.") for change in one.changes if change.path.startswith("permissions.")
    ]
    if not names:
        return
    keys = ", ".join(code(name) for name in one.figures.get("keys", ()))
    yield f"{code(one.where)} {'gains' if 'gained' in one.figures else 'loses'}{f' ({keys})' if keys else ''}:"
    yield ""
    for name in names:
        yield f"- {code(name)}{' **high-risk**' if name in one.figures['highRisk'] else ''}"
    yield ""


def data(compared: Comparison) -> dict[str, Any]:
    """`{format, base, head, summary, counts, posture, findings}`."""
    return {
        "format": FORMAT,
        "base": _side_data(compared.before),
        "head": _side_data(compared.after),
        "summary": summary(compared),
        "counts": dict(compared.counts),
        "posture": {"base": dict(compared.posture_before), "head": dict(compared.posture_after)},
        "findings": [finding(one) for one in compared.findings],
    }


def _side_data(side: Snapshot) -> Mapping[str, Any]:
    return {
        "ref": printable(side.ref) or None,
        "commit": side.commit or None,
        "manifests": side.estate.digest if side.estate is not None else None,
    }
