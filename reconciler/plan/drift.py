"""Drift: every difference that did not come from Git, told apart by what it is. A pure function of what a plan is made of.

What a manifest asks for and nobody has applied yet is no drift: it is pending. The two are told apart by what the state
remembers of the last apply (`origin`). Where nothing is remembered a difference counts as drift, and the finding says so.
What only time has made (a rotation that is due, an end that has passed) is drift wherever the date comes from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from reconciler.errors import foreign
from reconciler.model.action import Action, ActionKind, Blocked, Change, Difference, Note, Operation, Origin, TenantPlan
from reconciler.model.desired import DesiredKey, DesiredLevel, DesiredTenant, IgnoredDrift, Source
from reconciler.model.finding import Finding
from reconciler.model.mark import owner_tag
from reconciler.model.names import Kind, ObjectId
from reconciler.model.observed import Observed
from reconciler.model.state import Phase, Record
from reconciler.plan.draft import Draft, TenantView
from reconciler.plan.drift_rules import Findings, Horizon, Rule
from reconciler.plan.key_drift import KeyDrift
from reconciler.plan.origin import field_name
from reconciler.plan.ownership import Unclear
from reconciler.plan.target import Target
from reconciler.providers.base import Provider

_OURS: Final = frozenset({"owner", "protect", "phase"})
"""What only our own state holds: if it differs, Git has changed."""
_REPAIRED: Final = frozenset({
    Rule.CHANGED, Rule.MISSING, Rule.SECRET_MISSING, Rule.ROTATION_OVERDUE, Rule.EXPIRING, Rule.EXPIRED_ALIVE,
    Rule.REVOKED_ALIVE, Rule.UNFINISHED,
})  # fmt: skip
"""What an apply does something about: an action on such an object is no change that Git asks for."""
_BACK: Final = "`reconciler apply` puts it back; if it is right as it is, take it into Git"
_WHY: Final = {
    Origin.VENDOR: "",
    Origin.BOTH: ", and Git wants something else again since",
    Origin.UNKNOWN: ", or in Git: which of the two cannot be told, for the last apply left nothing to tell it by",
}


@dataclass(frozen=True, slots=True)
class Pending:
    """Something that Git wants and nobody has applied yet."""

    object: ObjectId
    what: str
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """A field whose drift its manifest ignores, and until when."""

    object: ObjectId
    field: str
    by: IgnoredDrift


@dataclass(frozen=True, slots=True)
class TenantDrift:
    """What there is to say of one tenant that could be read."""

    tenant: str
    provider: str
    endpoint: str
    findings: tuple[Finding, ...] = ()
    pending: tuple[Pending, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    notes: tuple[Note, ...] = ()
    """What is about the whole tenant: an apply that is at work just now."""


def find_drift(
    desired: DesiredTenant, provider: Provider, view: TenantView, plan: TenantPlan, *, estate: UUID, horizon: Horizon
) -> TenantDrift:
    """Tell a tenant's drift from what is pending. `plan` is what was planned from the same `view`."""
    search = _Search(Draft(desired, provider, view, owner_tag(estate, desired.name)), plan, horizon)
    findings = tuple(
        sorted(search.findings(), key=lambda one: (one.object or ObjectId(Kind.API_KEY, ""), one.rule, str(one)))
    )
    explained = {one.object for one in findings if one.rule in _REPAIRED}
    return TenantDrift(
        tenant=desired.name,
        provider=desired.provider,
        endpoint=desired.endpoint,
        findings=findings,
        pending=tuple(_pending(search, plan, explained)),
        ignored=tuple(
            Ignored(one.object, _field(one), one.ignored) for one in plan.differences if one.ignored is not None
        ),
        blocked=plan.blocked,
        notes=tuple(note for note in plan.notes if note.object is None),
    )


def only(drift: TenantDrift, targets: Sequence[Target]) -> TenantDrift:
    """Of a tenant's drift what the targets name; all of it if they name no object of this tenant."""
    mine = [target for target in targets if target.tenant == drift.tenant]
    if not mine or any(target.object is None for target in mine):
        return drift
    chosen = {target.object for target in mine}
    return replace(
        drift,
        findings=tuple(one for one in drift.findings if one.object in chosen),
        pending=tuple(one for one in drift.pending if one.object in chosen),
        ignored=tuple(one for one in drift.ignored if one.object in chosen),
        blocked=tuple(one for one in drift.blocked if one.object in chosen),
    )


def _field(one: Difference) -> str:
    return field_name(one.change, of_key=not one.object.kind.is_level)


class _Search:
    """One tenant's findings."""

    def __init__(self, draft: Draft, plan: TenantPlan, horizon: Horizon) -> None:
        self._draft, self._plan, self._horizon = draft, plan, horizon
        self._make = Findings(draft.desired.name)
        items: tuple[DesiredLevel | DesiredKey, ...] = (*draft.desired.levels, *draft.desired.keys)
        self._wanted = {item.id: item for item in items}
        lease = draft.view.document.lease if draft.view.document else None
        at_work = lease is not None and lease.expires > draft.view.now
        self._open = {
            ObjectId.parse(text): intent for text, intent in draft.owners.intents.items() if intent.handoff is None
        }
        self._told_unfinished = not at_work  # what a run that is at work has begun, it will finish
        self._ending = {
            action.vendor_id
            for action in (*plan.actions, *(waiting.action for waiting in plan.waiting))
            if Operation.REMOVE in {action.operation, action.by_hand}
        }

    def findings(self) -> Iterator[Finding]:
        """All of them, in no order."""
        if not self._draft.owners.has_state:
            yield from self._lost_state()
        else:
            yield from self._outdated()
            for text, record in self._draft.owners.records.items():
                if ObjectId.parse(text) not in self._draft.outdated:
                    yield from self._recorded(ObjectId.parse(text), record)
            yield from self._changed()
            yield from self._unfinished()
        yield from self._unmanaged()

    def _lost_state(self) -> Iterator[Finding]:
        lost = [item for kind in Kind for item in self._draft.owners.orphans(kind)]
        if lost:
            yield self._make.of_tenant(
                Rule.STATE_MISSING,
                f"{len(lost)} objects carry this estate's mark, but there is no state document for this tenant",
                "the state was lost, or this is a copy of the estate: see `reconciler state rebuild`",
                objects=len(lost),
            )

    def _outdated(self) -> Iterator[Finding]:
        hint = "it was restored from an old snapshot: `reconciler state rebuild` makes it what it should be"
        for name, reason in self._draft.outdated.items():
            desired = self._wanted.get(name)
            source = desired.source if desired is not None else None
            yield self._make.of(
                Rule.STATE_OUTDATED, name, f"the state is older than this key: {reason}", hint, source=source
            )

    def _recorded(self, name: ObjectId, record: Record) -> Iterator[Finding]:
        desired = self._wanted.get(name)
        if name in self._open or (desired is None and record.phase is Phase.ORPHANED and record.revoked is None):
            return
        other_names = self._draft.other_names(name, record)
        found = self._draft.owners.recorded(name, record.vendor_id, record.nonce, *other_names)
        if isinstance(found, Unclear):
            if desired is not None:
                yield self._replaced(name, record, found.observed, desired.source)
            return
        if isinstance(desired, DesiredKey) or (desired is None and name.kind is Kind.API_KEY):
            yield from KeyDrift(
                self._draft, self._make, name, record, desired, found, self._horizon, self._ending
            ).findings()
        elif desired is not None and found is None:
            yield self._make.of(
                Rule.MISSING, name, f"id {record.vendor_id} is gone at the vendor",
                "`reconciler apply` makes it anew; or take it out of Git", source=desired.source,
                vendorId=record.vendor_id,
            )  # fmt: skip

    def _replaced(self, name: ObjectId, record: Record, found: Observed, source: Source | None) -> Finding:
        message = (
            f"id {record.vendor_id} is now called {foreign(found.name)!r} at the vendor, and does not carry our mark"
        )
        hint = "its owner cannot be told, so nothing is done: look at it in the vendor's console"
        change = Change("mark", "ours", "none, or another's")
        return self._make.of(
            Rule.CHANGED, name, message, hint, source=source, about="mark", change=change, field="mark",
            vendorId=record.vendor_id,
        )  # fmt: skip

    def _changed(self) -> Iterator[Finding]:
        for one in self._plan.differences:
            if one.origin is Origin.GIT or one.ignored is not None or one.object in self._open:
                continue
            if self.follows_its_level(one):
                continue
            field, desired = _field(one), self._wanted.get(one.object)
            former = f"generation {one.former} (id {one.vendor_id}), in its overlap: " if one.former else ""
            yield self._make.of(
                Rule.CHANGED,
                one.object,
                f"{former}{field} was changed at the vendor{_WHY[one.origin]}",
                _BACK,
                source=desired.source if desired is not None else None,
                about=f"generation {one.former}: {field}" if one.former else field,
                change=Change(field, one.change.new, one.change.old),
                field=field,
                vendorId=one.vendor_id,
                origin=str(one.origin),
            )

    def follows_its_level(self, one: Difference) -> bool:
        """Whether a key has the level that it was given, and it is that level which is gone or is being replaced."""
        desired = self._wanted.get(one.object)
        if one.change.path != "accessLevel" or not isinstance(desired, DesiredKey):
            return False
        found = self._draft.owners.by_id(Kind.API_KEY, one.vendor_id)
        record = self._draft.owners.records.get(str(desired.level.id))
        if found is None or record is None:
            return False
        former = record.previous.vendor_id if record.previous is not None else record.vendor_id
        return found.level_id in {record.vendor_id, former}

    def _unfinished(self) -> Iterator[Finding]:
        if not self._told_unfinished:
            return
        hint = "`reconciler apply` finishes or undoes it"
        if self._draft.outdated:
            return  # what looks unfinished may be what the state has forgotten
        for name, intent in self._open.items():
            message = f"run {foreign(intent.run)} began to {intent.action} it and did not come to its end"
            desired = self._wanted.get(name)
            yield self._make.of(Rule.UNFINISHED, name, message, hint, source=desired.source if desired else None)
        for kind in Kind:
            for item in self._draft.owners.orphans(kind):
                message = (
                    f"id {foreign(item.vendor_id)} carries our mark, and no record knows it: a run died that created it"
                )
                yield self._make.of_foreign(Rule.UNFINISHED, item, _name(item), message, hint)

    def _unmanaged(self) -> Iterator[Finding]:
        hint = "declare it (`reconciler import` writes its manifest), or have it removed"
        for item in self._plan.unmanaged:
            told = {
                name: value.isoformat() if isinstance(value, datetime) else foreign(str(value))
                for name in ("created", "createdBy", "lastUsed")
                if (value := item.facts.get(name))
            }
            message = f"id {foreign(item.vendor_id)} is in no manifest, and the reconciler did not make it"
            if "createdBy" in told:
                message += f"; {told['createdBy']} did"
            yield self._make.of_foreign(Rule.UNMANAGED, item, _name(item), message, hint, **told)
            if "deprecated" in item.facts:
                message = foreign(str(item.facts["deprecated"]))
                yield self._make.of_foreign(Rule.DEPRECATED, item, _name(item), message, "find out who needs it")


def _name(item: Observed) -> ObjectId:
    return ObjectId(item.kind, foreign(item.name) or f"id {foreign(item.vendor_id)}")


def _pending(search: _Search, plan: TenantPlan, explained: Collection[ObjectId | None]) -> Iterator[Pending]:
    """What Git wants: fields that it changed, and every action on an object that no finding explains."""
    fields: dict[ObjectId, list[str]] = {}
    for one in plan.differences:
        if one.origin is Origin.GIT and not search.follows_its_level(one):
            fields.setdefault(one.object, []).append(_field(one))
    actions: dict[ObjectId, Action] = {}
    for action in (*plan.actions, *(waiting.action for waiting in plan.waiting)):
        actions.setdefault(action.object, action)
        ours = [change.path for change in action.changes if change.path in _OURS]
        if ours and action.kind is not ActionKind.CREATE:
            fields.setdefault(action.object, []).extend(ours)
    for name in sorted(fields.keys() | actions.keys()):
        found = actions.get(name)
        source = found.source if found is not None else None
        if name in fields:
            yield Pending(name, f"{', '.join(dict.fromkeys(fields[name]))} changed in Git", source)
        elif found is not None and name not in explained and found.kind is not ActionKind.RETIRE:
            yield Pending(name, f"{found.kind} is pending", source)
