"""Drift as people and programs read it: text, JSON, Markdown, and the sentences of its summary."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from reconciler.errors import printable
from reconciler.model import dates
from reconciler.model.estate import Estate
from reconciler.model.finding import Finding, Severity
from reconciler.model.outcome import ExitCode
from reconciler.plan.drift import Ignored, TenantDrift
from reconciler.plan.drift_rules import identity
from reconciler.plan.run import Unreadable
from reconciler.plan.since import News, Reported, carried, compare
from reconciler.report import data, findings, lines, words
from reconciler.report import text as plain
from reconciler.report.markdown import LIMIT, Section, code, prose, review

_STYLE: Final = {
    Severity.CRITICAL: "bold red", Severity.HIGH: "red", Severity.MEDIUM: "yellow", Severity.LOW: "blue",
    Severity.INFO: "dim",
}  # fmt: skip


@dataclass(frozen=True)
class Before:
    """The report of an earlier run, and when that was."""

    at: datetime
    reported: Reported


@dataclass(frozen=True)
class Drift:
    """What a run found. `targets` as they were asked for, sorted."""

    estate: Estate
    at: datetime
    tenants: Sequence[TenantDrift]
    unreadable: Sequence[Unreadable] = ()
    targets: Sequence[str] = ()
    before: Before | None = None

    @property
    def findings(self) -> list[Finding]:
        """Every finding of every tenant."""
        return [one for tenant in self.tenants for one in tenant.findings]

    @property
    def codes(self) -> dict[str, ExitCode]:
        """Each tenant's own exit code: drift, or in sync; an error where it could not be read, which is neither."""
        found = {one.tenant: ExitCode.PENDING if one.findings else ExitCode.DONE for one in self.tenants}
        return {**found, **{one.tenant.name: ExitCode.ERROR for one in self.unreadable}}

    @cached_property
    def reported(self) -> Reported:
        """The findings as JSON has them, to be compared with those of an earlier run."""
        known = carried(self.before.reported, [one.tenant.name for one in self.unreadable]) if self.before else {}
        last_known = {one.tenant.name: known.get(one.tenant.name, {}) for one in self.unreadable}
        tenants = {one.tenant: {identity(each): _plain(each) for each in one.findings} for one in self.tenants}
        return Reported(tenants, last_known)

    @cached_property
    def news(self) -> News | None:
        """What has happened since the earlier run; None if there is none to compare with."""
        return compare(self.before.reported, self.reported) if self.before is not None else None


def of_finding(one: Finding) -> dict[str, Any]:
    """A finding as JSON: as everywhere, with its identity beside it."""
    figures = {name: value for name, value in one.figures.items() if name != "identity"}
    return {**data.finding(one), "figures": figures, "identity": identity(one)}


def _plain(one: Finding) -> dict[str, Any]:
    """The same as it is read back from a file."""
    found: dict[str, Any] = json.loads(json.dumps(of_finding(one)))
    return found


def as_data(drift: Drift) -> dict[str, Any]:
    """`{format, report: "drift", estate, name, at, targets, tenants, since}`: see `schemas/report.drift.schema.json`."""
    codes = drift.codes
    tenants = [{**_tenant_data(one), "exitCode": int(codes[one.tenant])} for one in drift.tenants]
    tenants += [
        {**data.unreadable(one), "lastKnown": list(drift.reported.last_known[one.tenant.name].values())}
        for one in drift.unreadable
    ]
    since = None
    if drift.news is not None and drift.before is not None:
        news = drift.news
        since = {
            "at": drift.before.at.isoformat(),
            "new": list(news.new),
            "changed": list(news.changed),
            "resolved": list(news.resolved),
        }
    return {
        "format": data.FORMAT,
        "report": "drift",
        "estate": str(drift.estate.id),
        "name": drift.estate.name,
        "at": drift.at.isoformat(),
        "targets": list(drift.targets),
        "tenants": sorted(tenants, key=lambda one: str(one["tenant"])),
        "since": since,
    }


def _tenant_data(one: TenantDrift) -> dict[str, Any]:
    return {
        "tenant": one.tenant,
        "provider": one.provider,
        "endpoint": one.endpoint,
        "findings": [of_finding(each) for each in one.findings],
        "pending": [
            {"object": str(each.object), "what": each.what, "source": str(each.source) if each.source else None}
            for each in one.pending
        ],
        "ignored": [
            {
                "object": str(each.object),
                "field": each.field,
                "until": each.by.until.isoformat(),
                "reason": each.by.reason,
            }
            for each in one.ignored
        ],
        "blocked": [data.blocked(each) for each in one.blocked],
        "notes": [{"object": None, "text": each.text} for each in one.notes],
    }


# --- sentences ----------------------------------------------------------------------------------------------------------


def kinds(found: Iterable[Finding | Mapping[str, Any]]) -> str:
    """`2 changed, 1 unmanaged`."""
    rules = Counter(str(one.rule if isinstance(one, Finding) else one["rule"]).partition("/")[2] for one in found)
    return ", ".join(f"{count} {rule}" for rule, count in sorted(rules.items()))


def summary(drift: Drift) -> str:
    """One line: what there is, or what has happened since the earlier run; tenants that are missing in it are named."""
    if drift.news is not None:
        news = drift.news
        parts = [f"{len(news.new)} new", f"{len(news.resolved)} resolved"]
        parts += [f"{len(news.changed)} changed again"] if news.changed else []
        told = f"{', '.join(parts)}; {words.plural(len(drift.findings), 'finding')} in all"
    elif drift.findings:
        told = f"{words.plural(len(drift.findings), 'finding')}: {kinds(drift.findings)}"
    else:
        told = "in sync" if drift.tenants else "nothing could be read"
    waits = sum(len(one.pending) for one in drift.tenants)
    told += f"; {words.plural(waits, 'change')} in Git pending" if waits else ""
    told += "".join(f"; {line}" for line in ignored(each for one in drift.tenants for each in one.ignored))
    tenants = words.plural(len(drift.tenants) + len(drift.unreadable), "tenant")
    if drift.unreadable:
        tenants += f", {len(drift.unreadable)} of them could not be read"
    return f"{told} ({tenants})"


def ignored(items: Iterable[Ignored]) -> list[str]:
    """`2 ignored until 2027-01-31`, a text for each end."""
    ends = Counter(one.by.until for one in items)
    return [f"{count} ignored until {dates.written(until)}" for until, count in sorted(ends.items())]


# --- text ---------------------------------------------------------------------------------------------------------------


def text(console: Console, drift: Drift) -> None:
    """A tree for each tenant that has anything to show; with an earlier run only what is new, and what is resolved."""
    for tenant in drift.tenants:
        tree = _tree(tenant, shown(drift, tenant.findings), quiet=drift.news is not None)
        if tree.children:
            lines.tree(console, tree)
            console.print()
    for gone in drift.news.resolved if drift.news is not None else ():
        lines.prose(console, Text.assemble(("resolved ", "green"), printable(told(gone))))
    plain.unreadable(console, drift.unreadable)
    lines.prose(console, Text(f"Drift: {summary(drift)}", style="bold"))


def shown(drift: Drift, found: Iterable[Finding]) -> list[tuple[str, Finding]]:
    """The findings to show, each with what is new about it."""
    if drift.news is None:
        return [("", one) for one in found]
    state = {**dict.fromkeys(drift.news.new, "new "), **dict.fromkeys(drift.news.changed, "changed again ")}
    return [(state[identity(one)], one) for one in found if identity(one) in state]


def told(gone: Mapping[str, Any]) -> str:
    """A finding of an earlier run in a line."""
    where = "/".join(part for part in (gone.get("tenant"), gone.get("object")) if part)
    return f"{gone['rule']}: {where}: {gone['message']}"


def _tree(tenant: TenantDrift, found: Sequence[tuple[str, Finding]], *, quiet: bool) -> Tree:
    where = printable(f" · {tenant.provider} · {tenant.endpoint}")
    tree = Tree(Text.assemble((tenant.tenant, "bold"), where), guide_style="dim")
    for state, one in found:
        about = f"{one.object} " if one.object else ""
        head = printable(f"{one.severity} {about}")
        told = printable(f"{one.rule}: {one.message}")
        branch = tree.add(Text.assemble((state, "bold"), (head, _STYLE[one.severity]), told))
        for change in one.changes:
            branch.add(
                Text.assemble(
                    (printable(f"{change.path}  "), "dim"),
                    words.value(change.old),
                    (" → ", "bold"),
                    words.value(change.new),
                )
            )
        if one.hint:
            branch.add(Text(printable(one.hint), style="dim"))
    if quiet:
        return tree
    for wanted in tenant.pending:
        tree.add(Text.assemble(("i ", "blue"), printable(f"{wanted.object}: {wanted.what}: no drift, `plan` shows it")))
    for blocked in tenant.blocked:
        tree.add(Text.assemble(("! ", "bold red"), printable(f"{blocked.object}: blocked: {blocked.reason}")))
    for line in ignored(tenant.ignored):
        names = ", ".join(f"{one.object} {one.field}" for one in tenant.ignored)
        tree.add(Text.assemble(("i ", "blue"), printable(f"{line}: {names}")))
    for note in tenant.notes:
        tree.add(Text.assemble(("i ", "blue"), printable(note.text)))
    return tree


# --- Markdown -----------------------------------------------------------------------------------------------------------


def markdown(drift: Drift, title: str = "reconciler drift", *, everything: bool = False, limit: int = LIMIT) -> str:
    """A comment or an issue's body. With an earlier run only what is new and what is resolved, unless `everything`."""
    if everything:
        drift = replace(drift, before=None)
    found = [one for tenant in drift.tenants for _, one in shown(drift, tenant.findings)]
    away = [findings.unreadable(one) for one in drift.unreadable]
    sections = [Section(one.tenant, rows) for one in drift.tenants if (rows := list(_rows(drift, one)))]
    if drift.news is not None and drift.news.resolved:
        gone = [f"- {prose(told(one))}" for one in drift.news.resolved]
        sections.insert(0, Section(f"{len(gone)} resolved", gone))
    return review(title, summary(drift), [*found, *away], sections, limit)


def _rows(drift: Drift, tenant: TenantDrift) -> Iterator[str]:
    for _, one in shown(drift, tenant.findings):
        for change in one.changes:
            old, new = code(words.value(change.old)), code(words.value(change.new))
            yield f"- {code(str(one.object))} {prose(change.path)}: {old} → {new}"
    if drift.news is not None:
        return
    for wanted in tenant.pending:
        yield f"- ℹ️ pending, no drift: {code(str(wanted.object))}: {prose(wanted.what)}"
    for blocked in tenant.blocked:
        yield f"- ⛔ blocked: {code(str(blocked.object))}: {prose(blocked.reason)}"
    for left in tenant.ignored:
        until = f"{left.by.until:%Y-%m-%d %H:%M}Z"
        yield f"- ignored until {until}: {code(str(left.object))} {prose(left.field)}: {prose(left.by.reason)}"
