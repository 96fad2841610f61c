"""What the changes of a tenant's access levels and service users mean for the keys that have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from reconciler.errors import printable
from reconciler.model.action import Change
from reconciler.model.desired import DesiredKey, DesiredLevel
from reconciler.model.finding import Finding, Severity
from reconciler.model.impact import Impact
from reconciler.model.names import Kind, ObjectId
from reconciler.plan.impact_keys import told_permissions
from reconciler.plan.lives import Pairs
from reconciler.plan.meaning import Meaning, Side, about, counted, named, renamed, some
from reconciler.plan.permissions import Permissions, difference, shown

_WORDS = {Kind.ACCESS_LEVEL: "access level", Kind.SERVICE_USER: "service user"}


def compare_levels(pairs: Pairs, before: Side | None, after: Side) -> Iterator[Finding]:
    """Every level that comes, goes or changes. A key that had another level before is told of by itself."""
    old = before.levels if before is not None else {}
    former = renamed(before, after)
    users: dict[ObjectId | None, list[DesiredKey]] = {}
    stayed: dict[tuple[ObjectId | None, ObjectId | None], list[DesiredKey]] = {}
    for had, key in pairs.here:
        users.setdefault(key.level.id, []).append(key)
        if had is not None:
            stayed.setdefault((had.level.id, key.level.id), []).append(key)
    for name, level in after.levels.items():
        was = old.get(former.get(name, name))
        if was is None or before is None:
            yield _created(level, users.get(name, ()), after)
            continue
        same = stayed.get((was.id, name), ())
        for meaning in _changed(was, level, same, before, after):
            yield _finding(meaning, level, same)
    for level in old.values():
        if level.id not in after.levels and level.id not in former.values():
            yield _removed(level)


def _removed(level: DesiredLevel) -> Finding:
    severity, impact = (Severity.CRITICAL, Impact.DESTROYS) if level.protect else (Severity.LOW, Impact.NARROWS)
    text = f"the {_WORDS[level.kind]} is removed" + ("; it is protected" if level.protect else "")
    hint = "plan refuses it: lift the protection in a commit of its own first" if level.protect else ""
    return _finding(Meaning("access/level-removed", impact, severity, text, hint=hint), level, ())


def _created(level: DesiredLevel, users: Sequence[DesiredKey], side: Side) -> Finding:
    permissions = Permissions.of(side.provider.level_fields(level), side.can)
    risky = sorted(map(shown, permissions.risky(side.can)))
    text = f"new {_WORDS[level.kind]} with {counted(len(permissions.granted), 'permission')}"
    text += f", {len(risky)} of them high-risk ({some(risky)})" if risky else ""
    text += f"; for {named(users)}" if users else "; no key has it yet"
    severity = Severity.LOW if risky else Severity.INFO
    figures = {"permissions": sorted(map(shown, permissions.granted)), "highRisk": risky}
    return _finding(Meaning("access/level-created", Impact.NEUTRAL, severity, text, figures=figures), level, users)


def _changed(
    was: DesiredLevel, level: DesiredLevel, users: Sequence[DesiredKey], before: Side, after: Side
) -> Iterator[Meaning]:
    by = f" by {named(users)}" if users else ""
    fields = before.provider.level_fields(was), after.provider.level_fields(level)
    found = difference(Permissions.of(fields[0], before.can), Permissions.of(fields[1], after.can), after.can)
    for meaning in told_permissions(found, how=by):
        if users:
            yield meaning
        else:  # it gives nobody anything yet
            unused = Severity.MEDIUM if meaning.severity is Severity.HIGH else Severity.LOW
            yield replace(meaning, severity=unused, text=f"{meaning.text}; no key has it")
    if was.locked != level.locked:
        users_told = f": {named(users)} {'stop working' if level.locked else 'work again'}" if users else ""
        rule, impact = ("level-locked", Impact.DESTROYS) if level.locked else ("level-unlocked", Impact.WIDENS)
        text = f"{'locked' if level.locked else 'unlocked'}{users_told}"
        yield Meaning(f"access/{rule}", impact, Severity.MEDIUM, text, (Change("locked", was.locked, level.locked),))
    if was.owner != level.owner:
        text = f"owner is {printable(level.owner) or 'nobody'}, it was {printable(was.owner) or 'nobody'}"
        severity = Severity.LOW if level.owner else Severity.MEDIUM
        yield Meaning("access/owner", Impact.NEUTRAL, severity, text, (Change("owner", was.owner, level.owner),))
    if was.protect != level.protect:
        text = "protected now" if level.protect else "protection lifted: a later change can remove it"
        severity = Severity.INFO if level.protect else Severity.HIGH
        yield Meaning(
            "access/protect", Impact.NEUTRAL, severity, text, (Change("protect", was.protect, level.protect),)
        )


def _finding(meaning: Meaning, level: DesiredLevel, users: Sequence[DesiredKey]) -> Finding:
    return Finding(
        meaning.rule,
        meaning.severity,
        meaning.text,
        tenant=level.tenant,
        object=level.id,
        source=level.source,
        hint=meaning.hint,
        impact=meaning.impact,
        changes=meaning.changes,
        figures={**meaning.figures, **about(users)},
    )
