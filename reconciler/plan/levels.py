"""What to do about what gives keys their permissions (access levels; users, where keys belong to users), and its ids."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from reconciler.errors import foreign
from reconciler.model.action import Action, ActionKind, Change, Operation
from reconciler.model.desired import DesiredLevel, KeyState, LevelRef
from reconciler.model.names import Kind, ObjectId
from reconciler.model.observed import Fields, Observed
from reconciler.model.state import Previous, Record
from reconciler.plan import differ, digest
from reconciler.plan.by_hand import awaits_successor, write_of
from reconciler.plan.draft import UNDECLARED, Draft, is_untouched
from reconciler.plan.origin import Sides
from reconciler.plan.ownership import Unclear
from reconciler.providers.base import Write
from reconciler.suggest import did_you_mean

LEVEL_KINDS = tuple(kind for kind in Kind if kind.is_level)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A key's access level: its vendor id (None: not created yet), or why it cannot be used."""

    vendor_id: str | None = None
    problem: str = ""
    hint: str = ""


@dataclass(slots=True)
class LevelIndex:
    """From references to vendor ids and back to names."""

    ours: dict[ObjectId, str | None] = field(default_factory=dict)
    desired: dict[ObjectId, DesiredLevel] = field(default_factory=dict)
    by_vendor_name: dict[ObjectId, list[Observed]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    def resolve(self, ref: LevelRef) -> Resolved:
        """The vendor id that a key's manifest refers to. Existing levels are found by exact name, never by number."""
        name, word = ObjectId(ref.kind, ref.name), _WORDS[ref.kind]
        if not ref.existing:
            if name in self.ours:
                return Resolved(self.ours[name])
            return Resolved(problem=f"its {word} {ref.name!r} is blocked", hint=f"see {name}")
        found = self.by_vendor_name.get(name, [])
        if len(found) == 1:
            return Resolved(found[0].vendor_id)
        if found:
            ids = ", ".join(item.vendor_id for item in found)
            return Resolved(problem=f"the vendor has {len(found)} {word}s named {ref.name!r} (ids {ids})")
        known = [other.name for other in self.by_vendor_name if other.kind is ref.kind]
        hint = did_you_mean(ref.name, known) or f"an existing {word} is found by its exact name at the vendor"
        return Resolved(problem=f"the vendor has no {word} named {ref.name!r}", hint=hint)

    def dependency(self, ref: LevelRef) -> DesiredLevel | Observed | None:
        """What a key's plan rests on beside the key: our level as wanted, or an existing one as found."""
        name = ObjectId(ref.kind, ref.name)
        if not ref.existing:
            return self.desired.get(name)
        found = self.by_vendor_name.get(name, [])
        return found[0] if len(found) == 1 else None

    def label(self, vendor_id: str | None) -> str:
        """A level's name as a reviewer knows it."""
        if vendor_id is None:
            return "(none)"
        return self.labels.get(vendor_id, f"id {vendor_id}")


_WORDS = {Kind.ACCESS_LEVEL: "access level", Kind.SERVICE_USER: "user"}


def plan_levels(draft: Draft) -> LevelIndex:
    """Plan every access level that is wanted or recorded, and index all of them for the keys."""
    index = LevelIndex()
    orphans = [item for kind in LEVEL_KINDS for item in draft.owners.orphans(kind)]
    for item in draft.view.observed.levels:
        index.labels[item.vendor_id] = f"{item.name} (existing)"
        if item not in orphans:
            index.by_vendor_name.setdefault(ObjectId(item.kind, item.name), []).append(item)
    index.desired = {level.id: level for level in draft.desired.levels}
    names = set(index.desired)
    for key in (*draft.owners.records, *draft.owners.intents):
        object_id = ObjectId.parse(key)
        if object_id.kind.is_level:
            names.add(object_id)
    for name in sorted(names):
        _plan_level(draft, index, name, index.desired.get(name))
    for orphan in orphans:
        remove_orphan(draft, orphan)
    return index


def remove_orphan(draft: Draft, orphan: Observed) -> None:
    """Plan the removal of something that a run of ours created and nobody recorded, unless the state is an old one."""
    if draft.outdated:
        draft.note(
            ObjectId(orphan.kind, foreign(orphan.name)),
            f"id {orphan.vendor_id} has our mark, and the state does not know it: as the state is an old one, it is kept",
        )
        return
    draft.actions.append(
        Action(
            ActionKind.REPAIR,
            Operation.REMOVE,
            ObjectId(orphan.kind, foreign(orphan.name)),
            reason=f"id {orphan.vendor_id} is an orphan of ours: created by a run that never learnt of it",
            observed=orphan,
            vendor_id=orphan.vendor_id,
            seen=digest.seen(orphan, None),
        )
    )


def _plan_level(draft: Draft, index: LevelIndex, object_id: ObjectId, desired: DesiredLevel | None) -> None:
    record = draft.owners.records.get(str(object_id))
    if draft.block_outdated(object_id, desired.source if desired else None):
        return
    found: Observed | Unclear | None = None
    intent = draft.owners.intents.get(str(object_id))
    if intent is not None and not (intent.handoff and draft.owners.intended(object_id, intent) is None):
        found = draft.owners.intended(object_id, intent)
        if found is not None:
            remember = record or desired
            record = Record(
                vendor_id=found.vendor_id,
                generation=intent.generation,
                nonce=intent.nonce,
                owner=remember.owner if remember else "",
                protect=record.protect if record else intent.protect,
                applied=intent.applied,
                previous=_replaced(draft, record) if record else None,
            )
        if record is not None or desired is None:
            reason = (
                f"id {found.vendor_id} was created by a run that died before it could record it"
                if found
                else "a run died before it created anything"
            )
            if intent.handoff:
                reason = f"somebody has made it in the console: id {found.vendor_id}" if found else "no longer wanted"
            draft.actions.append(
                Action(
                    ActionKind.REPAIR, Operation.RECORD, object_id, reason=reason, observed=found,
                    record=record, intent=intent, wanted=digest.wanted(desired), seen=digest.seen(found, record),
                    by_hand=Operation.RECORD if intent.handoff else None,
                )
            )  # fmt: skip
    if record is not None and found is None:
        found = draft.owners.recorded(object_id, record.vendor_id, record.nonce, *draft.other_names(object_id, record))
    if isinstance(found, Unclear):
        other = found.observed
        draft.block(
            object_id,
            f"our records say id {record.vendor_id if record else ''}, but that is now {other.name!r} without our mark",
            "its owner cannot be told: look at it in the vendor's console",
            desired.source if desired else None,
        )
        return
    if desired is None:
        _remove(draft, object_id, record, found)
    elif record is None or found is None:
        _create(draft, index, desired, record)
    else:
        _update(draft, index, desired, record, found)
        _retire(draft, desired, record)


def _replaced(draft: Draft, record: Record) -> Previous | None:
    """The level that an interrupted replacement was replacing, if it is still there."""
    if draft.owners.by_id_of_any(LEVEL_KINDS, record.vendor_id) is None:
        return record.previous
    return Previous(vendor_id=record.vendor_id, generation=record.generation, nonce=record.nonce, until=draft.view.now)


def _create(draft: Draft, index: LevelIndex, desired: DesiredLevel, record: Record | None) -> None:
    gone = record is not None
    draft.vanished += gone
    if draft.block_foreign(desired.id, desired.source):
        return
    index.ours[desired.id] = None
    draft.actions.append(
        Action(
            ActionKind.REPAIR if gone else ActionKind.CREATE,
            Operation.CREATE,
            desired.id,
            changes=granted(draft.provider.level_fields(desired)),
            reason=f"id {record.vendor_id} is gone at the vendor" if record else "",
            desired=desired,
            record=record,
            generation=record.generation + 1 if record else 1,
            wanted=digest.wanted(desired),
            seen=digest.seen(None, record),
        )
    )


def _update(draft: Draft, index: LevelIndex, desired: DesiredLevel, record: Record, found: Observed) -> None:
    why_locked = _why_locked(draft, found) if desired.kind is Kind.SERVICE_USER and not desired.locked else ""
    if why_locked:
        desired = replace(desired, locked=True)  # whatever else is changed of it, the lock is sent along
        draft.note(desired.id, f"is kept locked: {why_locked}")
    index.ours[desired.id] = found.vendor_id
    index.labels[found.vendor_id] = desired.name
    fields = draft.provider.level_fields(desired)
    changed = differ.differences(found.fields, fields, record.applied, draft.traits.unreadable)
    changed = [change for change in changed if change.path != "name" or found.name != record.vendor_name]
    kept: tuple[Change, ...] = ()
    if changed:
        changed, kept = draft.differ(desired, found, Sides(found.fields, fields, record.applied), changed)
    if draft.mark_is_lost(found, record):
        changed.append(draft.note_lost_mark(desired.id, found))
    at_vendor = bool(changed)
    changed += remembered(record, desired.owner, desired.protect)
    if not changed:
        return
    action = Action(
        ActionKind.UPDATE,
        Operation.UPDATE if at_vendor else Operation.RECORD,
        desired.id,
        changes=tuple(changed),
        desired=desired,
        observed=found,
        record=record,
        vendor_id=found.vendor_id,
        generation=record.generation,
        wanted=digest.wanted(desired),
        seen=digest.seen(found, record),
        kept=kept,
    )
    if at_vendor and draft.traits.replaces_levels:
        index.ours[desired.id] = None
        action = replace(
            action,
            kind=ActionKind.REPLACE,
            operation=Operation.CREATE,
            reason="this product cannot change one: another is made, the keys move to it, then the old one goes",
            generation=record.generation + 1,
        )
        _remove_former(draft, desired, record, record.vendor_id)
    draft.actions.append(action)


def _why_locked(draft: Draft, found: Observed) -> str:
    """Why an owner of keys must not be unlocked, whatever Git says; empty if it may be."""
    if draft.view.document is not None and draft.view.document.locks_leaked_keys(found.vendor_id):
        return "a key of it was revoked, and waits for a person to delete it"
    if draft.outdated and found.fields.get("state") == KeyState.LOCKED:
        return "the state is older than what it describes, and may have forgotten that a key of it was revoked"
    return ""


def _retire(draft: Draft, desired: DesiredLevel, record: Record) -> None:
    """The level that this one has replaced goes, as soon as no key has it any more."""
    if record.previous is not None:
        _remove_former(draft, desired, record, record.previous.vendor_id)


def _remove_former(draft: Draft, desired: DesiredLevel, record: Record, vendor_id: str) -> None:
    draft.actions.append(
        Action(
            ActionKind.RETIRE,
            Operation.REMOVE,
            desired.id,
            reason=f"id {vendor_id} has a successor",
            desired=desired,
            record=record,
            vendor_id=vendor_id,
            generation=record.generation,
            wanted=digest.wanted(desired),
            seen=digest.seen(None, record),
        )
    )


def granted(fields: Fields) -> tuple[Change, ...]:
    """What a creation brings: fields that are off, empty or the name again would only hide what matters."""
    return tuple(change for change in differ.changes({}, fields) if change.new and change.path != "name")


def remembered(record: Record, owner: str, protect: bool) -> list[Change]:
    """What only our own state holds and the manifests now say differently."""
    found = []
    if record.owner != owner:
        found.append(Change("owner", record.owner or None, owner or None))
    if record.protect != protect:
        found.append(Change("protect", record.protect, protect))
    return found


def _remove(draft: Draft, object_id: ObjectId, record: Record | None, found: Observed | None) -> None:
    if record is None:
        return
    if found is not None and is_untouched(draft, record, found):
        draft.note(object_id, UNDECLARED)
        return
    if record.protect:
        draft.block(
            object_id, "it is protected, and taken out of Git", "set protect: false in a commit of its own first"
        )
        return
    draft.actions.append(
        Action(
            ActionKind.DELETE,
            Operation.DELETE,
            object_id,
            reason="taken out of Git" if found else "taken out of Git, and gone at the vendor already",
            observed=found,
            record=record,
            vendor_id=record.vendor_id,
            wanted=digest.wanted(None),
            seen=digest.seen(None, record),
        )
    )


def keep_levels_in_use(draft: Draft) -> None:
    """Leave out the removal of a level that some key, ours or not, will have after this plan. Keys are planned by now.

    A key that a person is to end, or whose successor a person is to make, has it until that is done.
    """
    keys = [action for action in draft.actions if action.object.kind is Kind.API_KEY]
    leaving = {vendor_id for action in keys for vendor_id in _leaving(action)}
    asked_away = {vendor_id for action in keys if _by_hand(draft, action) for vendor_id in _leaving(action)}
    leaving -= asked_away
    removals = [
        action
        for action in draft.actions
        if action.object.kind.is_level and action.operation in {Operation.DELETE, Operation.REMOVE}
    ]
    for removal in removals:
        users = [
            f"{foreign(key.name)} (id {key.vendor_id})"
            for key in draft.view.observed.keys
            if key.level_id == removal.vendor_id and key.vendor_id not in leaving
        ]
        users += [
            action.object.name
            for action in keys
            if action.level_id == removal.vendor_id and action.operation in {Operation.ISSUE, Operation.UPDATE}
        ]
        if users:
            draft.actions.remove(removal)
            names = ", ".join(sorted(users)[:5])
            _say_in_use(draft, removal, names, leaving, asked_away)


def _by_hand(draft: Draft, action: Action) -> bool:
    """Whether a key's action comes about only when a person has acted: has done it, or has made the successor before it."""
    traits, write = draft.traits, write_of(action)
    level_by_hand = write is Write.UPDATE_KEY and "accessLevel" in traits.by_hand_fields
    return write in traits.by_hand or level_by_hand or awaits_successor(traits, action)


def _say_in_use(
    draft: Draft, removal: Action, names: str, leaving: Collection[str], asked_away: Collection[str]
) -> None:
    wanted = {key.name for key in draft.desired.keys}
    going = {
        record.vendor_id
        for text, record in draft.owners.records.items()
        if ObjectId.parse(text).kind is Kind.API_KEY and ObjectId.parse(text).name not in wanted and not record.protect
    }
    users = {key.vendor_id for key in draft.view.observed.keys if key.level_id == removal.vendor_id} - set(leaving)
    if users and users <= going:  # taken out of Git as well, and in quarantine
        draft.note(removal.object, f"taken out of Git; it stays until the last key that has it is gone: {names}")
    elif removal.kind is ActionKind.REPAIR:  # an orphan of ours
        draft.note(removal.object, f"id {removal.vendor_id} is an orphan of ours, and stays while keys use it: {names}")
    elif removal.kind is ActionKind.RETIRE:  # nothing is wrong: it goes in a later run
        draft.note(removal.object, f"id {removal.vendor_id} has a successor, and stays while keys use it: {names}")
    elif users and users <= {*going, *asked_away}:
        draft.note(removal.object, f"it stays until a person has seen to the keys that have it: {names}")
    else:
        draft.block(removal.object, f"keys still use it: {names}", "give them another access level first")


def _leaving(action: Action) -> Sequence[str]:
    """The vendor ids of the keys that lose their level by an action."""
    if action.operation is Operation.REMOVE or any(change.path == "accessLevel" for change in action.changes):
        return (action.vendor_id,)
    if action.operation is Operation.DELETE and action.record is not None:
        previous = action.record.previous
        return (action.record.vendor_id, previous.vendor_id) if previous else (action.record.vendor_id,)
    return ()
