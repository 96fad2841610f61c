"""Handoffs: what the vendor offers in its console only becomes a step for a person.

The planner plans as if everything could be done by API; here what cannot becomes an action that asks a person, or, when
somebody was asked for exactly that already, an entry in the list of what is waited for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from reconciler.model.action import Action, ActionKind, Change, Operation, Waiting
from reconciler.model.desired import DesiredKey, DesiredLevel, KeyState
from reconciler.model.mark import Mark, handoff_nonce
from reconciler.model.names import Kind, ObjectId
from reconciler.model.observed import Fields
from reconciler.model.state import Handoff, HandoffAction, Intent, Record
from reconciler.plan import digest
from reconciler.plan.by_hand import awaits_successor, write_of
from reconciler.plan.draft import Draft
from reconciler.plan.levels import LevelIndex
from reconciler.providers.base import Step, Write

HANDOFF_ACTIONS: Final = {
    Operation.CREATE: HandoffAction.CREATE,
    Operation.ISSUE: HandoffAction.CREATE,
    Operation.REGENERATE: HandoffAction.REGENERATE,
    Operation.UPDATE: HandoffAction.UPDATE,
    Operation.DELETE: HandoffAction.DELETE,
    Operation.REMOVE: HandoffAction.DELETE,
}
MAKES: Final = frozenset({Operation.CREATE, Operation.ISSUE, Operation.REGENERATE})
"""What makes something: asked for in an intent. Everything else is asked for in the record of what exists."""


def hand_off(draft: Draft, levels: LevelIndex) -> None:
    """Turn every planned write that a person must make into a handoff, or into a wait for one that is open."""
    if draft.traits.by_hand or draft.traits.by_hand_fields:
        draft.actions[:] = [done for action in draft.actions for done in _converted(draft, levels, action)]
        _one_at_a_time(draft)
    asked = {action.object for action in draft.actions if action.operation is Operation.HAND_OFF}
    asked |= {waiting.object for waiting in draft.waiting}
    settled = {action.object for action in draft.actions if action.intent is not None}
    draft.actions += _forgotten(draft, asked, settled)


def _one_at_a_time(draft: Draft) -> None:
    """One change or removal by hand of an object at a time: the state remembers one, and a person is not to mix them up."""
    busy = {waiting.object for waiting in draft.waiting if waiting.action.operation not in MAKES}
    for action in tuple(draft.actions):
        if action.operation is not Operation.HAND_OFF or action.by_hand in MAKES:
            continue
        if action.object in busy:
            draft.actions.remove(action)
            draft.note(
                action.object, f"{action.kind} by hand comes when the handoff before it is done: {action.reason}"
            )
        busy.add(action.object)


def digest_of(steps: tuple[str, ...]) -> str:
    """What a handoff asks for, to notice that it has changed since it was opened."""
    return hashlib.sha256("\n".join(steps).encode()).hexdigest()[:16]


def _converted(draft: Draft, levels: LevelIndex, action: Action) -> Iterator[Action]:
    write = write_of(action)
    traits = draft.traits
    if awaits_successor(traits, action):
        return  # nobody may be asked to delete it before
    if action.object.kind.is_level and action.operation is Operation.DELETE and action.observed is None:
        yield action  # somebody has deleted it: only our record is left
    elif write in traits.by_hand:
        if action.operation is Operation.DELETE and not action.object.kind.is_level:
            yield from _locked_first(draft, action)
        yield from _asked(draft, levels, action)
    elif write is Write.UPDATE_KEY and traits.by_hand_fields:
        by_hand = tuple(change for change in action.changes if _is_by_hand(draft, change))
        rest = tuple(change for change in action.changes if change not in by_hand)
        if rest:
            yield replace(action, changes=rest)
        if by_hand:
            yield from _asked(draft, levels, replace(action, kind=ActionKind.UPDATE, changes=by_hand))
    else:
        yield action


def _is_by_hand(draft: Draft, change: Change) -> bool:
    field = "description" if change.path == "mark" else change.path.split(".")[0]
    return field in draft.traits.by_hand_fields


def _locked_first(draft: Draft, action: Action) -> Iterator[Action]:
    """A key that a person is to delete loses its access at once, where that can be done by API."""
    traits, found = draft.traits, action.observed
    by_api = Write.UPDATE_KEY not in traits.by_hand and "state" not in traits.by_hand_fields
    if by_api and found is not None and found.fields.get("state") == KeyState.ACTIVE:
        lock = Change("state", str(KeyState.ACTIVE), str(KeyState.LOCKED))
        yield replace(
            action, kind=ActionKind.LOCK, operation=Operation.UPDATE, desired=None, changes=(lock,),
            reason=f"{action.reason}: it loses its access until somebody deletes it",
        )  # fmt: skip
    previous = action.record.previous if action.record else None
    former = draft.owners.by_id(Kind.API_KEY, previous.vendor_id) if previous is not None else None
    if by_api and former is not None and former.fields.get("state") == KeyState.ACTIVE:
        yield replace(
            action, kind=ActionKind.LOCK, operation=Operation.UPDATE, desired=None, vendor_id=former.vendor_id,
            observed=former, changes=(Change("state", str(KeyState.ACTIVE), str(KeyState.LOCKED)),),
            reason=f"{action.reason}: its former generation loses its access as well",
        )  # fmt: skip


def _asked(draft: Draft, levels: LevelIndex, action: Action) -> Iterator[Action]:
    steps = _steps(draft, levels, action)
    opened = _open(draft, action)
    revoked = action.record is not None and action.record.revoked is not None  # `revoke` has asked in its own words
    if opened is None or (opened.wanted != digest_of(steps) and not revoked):
        yield replace(action, operation=Operation.HAND_OFF, by_hand=action.operation, steps=steps)
        return
    draft.waiting.append(
        Waiting(
            replace(action, steps=steps),
            opened.opened,
            opened.by,
            clicked=draft.view.clicked.get(action.object, ""),
            intent=draft.owners.intents.get(str(action.object)) if action.operation in MAKES else None,
        )
    )


def _open(draft: Draft, action: Action) -> Handoff | None:
    """The handoff that is open for just this kind of step."""
    if action.operation in MAKES:
        intent = draft.owners.intents.get(str(action.object))
        return intent.handoff if intent is not None and intent.generation == action.generation else None
    handoff = action.record.handoff if action.record else None
    return handoff if handoff is not None and handoff.action == HANDOFF_ACTIONS[action.operation] else None


def _steps(draft: Draft, levels: LevelIndex, action: Action) -> tuple[str, ...]:
    write = write_of(action)
    if write is None:  # pragma: no cover  a mistake of ours, for the type checker
        raise AssertionError("only what is written at the vendor is handed off")
    desired = action.desired
    fields: Fields = {}
    level = ""
    if isinstance(desired, DesiredKey):
        fields, level = draft.provider.key_fields(desired), desired.level.name
    elif isinstance(desired, DesiredLevel):
        fields = draft.provider.level_fields(desired)
    else:
        fields = {change.path: change.new for change in action.changes}
    step = Step(
        name=action.object.name,
        fields=fields,
        mark=mark_of(draft.owner_tag, action),
        level=level or (levels.label(action.observed.level_id) if action.observed else ""),
        vendor_id=action.vendor_id,
        changed=frozenset("description" if c.path == "mark" else c.path.split(".")[0] for c in action.changes),
    )
    steps = draft.provider.console_steps(draft.desired, write, step)
    former = action.record.previous if action.record is not None and action.operation is Operation.DELETE else None
    if former is not None:  # the generation in its overlap goes as well
        mark = Mark(draft.owner_tag, former.generation, former.nonce)
        both = replace(step, mark=mark, vendor_id=former.vendor_id)
        steps = (*draft.provider.console_steps(draft.desired, write, both), *steps)
    return steps


def mark_of(owner_tag: str, action: Action) -> Mark:
    """The mark that the object has or is to get: of what a person makes, it can be told before anybody is asked."""
    record = action.record
    if action.operation in {Operation.CREATE, Operation.ISSUE} or record is None:
        return Mark(owner_tag, action.generation, handoff_nonce(owner_tag, str(action.object), action.generation))
    if record.previous is not None and action.vendor_id == record.previous.vendor_id:
        return Mark(owner_tag, record.previous.generation, record.previous.nonce)
    return Mark(owner_tag, record.made or record.generation, record.nonce)


def _forgotten(draft: Draft, asked: set[ObjectId], settled: set[ObjectId]) -> Iterator[Action]:
    """Handoffs that nothing asks for any more: the state forgets them."""
    needed = asked | settled | draft.outdated.keys()
    for text, intent in draft.owners.intents.items():
        if intent.handoff is not None and (name := ObjectId.parse(text)) not in needed:
            record = draft.owners.records.get(text)
            yield _told(name, "the handoff that was opened is no longer wanted", record, record, intent)
    for text, record in draft.owners.records.items():
        if record.handoff is not None and (name := ObjectId.parse(text)) not in needed:
            done = record.model_copy(update={"handoff": None})
            yield _told(name, "the handoff that was opened is done or not needed", record, done)


def _told(
    name: ObjectId, reason: str, known: Record | None, record: Record | None, intent: Intent | None = None
) -> Action:
    """The state says something else of an object; nothing is done to it."""
    return Action(
        ActionKind.REPAIR, Operation.RECORD, name, reason=reason, record=record, intent=intent,
        wanted=digest.wanted(None), seen=digest.seen(None, known), by_hand=Operation.RECORD,
    )  # fmt: skip
