"""What each planned action means for access: from what was found, what is wanted, and what the provider says of its fields.

What cannot be told (the vendor does not show a role's permissions, or the addresses of a key) counts as widening.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final

from reconciler.model.action import Action, ActionKind, Operation
from reconciler.model.desired import DesiredKey, DesiredLevel, KeyState, LevelRef
from reconciler.model.impact import Impact, worst
from reconciler.model.names import ObjectId
from reconciler.model.observed import Fields, Observed
from reconciler.plan import widening
from reconciler.plan.draft import Draft
from reconciler.plan.permissions import Permissions, difference

_ENDS: Final = frozenset({Operation.DELETE, Operation.REMOVE})
_NEW_SECRET: Final = frozenset({Operation.ISSUE, Operation.REGENERATE})
_ORDINARY: Final = frozenset({"name", "description", "owner", "protect", "mark", "phase", "locale", "timeZone"})
"""Fields that give nobody access."""


def marked(draft: Draft) -> list[Action]:
    """The draft's actions, each with its impact; those on levels with the keys that feel it."""
    users: dict[ObjectId | None, list[str]] = {}
    for key in draft.desired.keys:
        users.setdefault(key.level.id, []).append(key.name)
    return [_marked(action, draft, users.get(action.object, ())) for action in draft.actions]


def _marked(action: Action, draft: Draft, users: Collection[str]) -> Action:
    impact = impact_of(action, draft)
    feels = tuple(sorted(users)) if action.object.kind.is_level and impact is not Impact.NEUTRAL else ()
    return replace(action, impact=impact, affects=feels)


def impact_of(action: Action, draft: Draft) -> Impact:
    """What one action means for access."""
    operation, is_level = action.by_hand or action.operation, action.object.kind.is_level
    if operation is Operation.RECORD or action.kind is ActionKind.ADOPT:
        return Impact.NEUTRAL
    if operation in _ENDS:
        former = action.kind is ActionKind.RETIRE  # its successor is in place
        return Impact.NEUTRAL if is_level and former else Impact.NARROWS if is_level or former else Impact.DESTROYS
    if action.kind is ActionKind.CREATE:
        return Impact.NEUTRAL if is_level else Impact.WIDENS
    found = list(_of_fields(action, draft))
    if operation in _NEW_SECRET:
        found.append(Impact.ROTATES)
    return worst(found)


def _of_fields(action: Action, draft: Draft) -> Iterator[Impact]:
    names = {change.path.split(".")[0] for change in action.changes} - _ORDINARY
    if action.observed is None or not names:
        return
    if isinstance(action.desired, DesiredLevel):
        yield from _of_level(names, action.observed.fields, action.desired, draft)
    elif isinstance(action.desired, DesiredKey):
        yield from _of_key(names, action.observed, action.desired, draft)
    else:  # nobody wants it any more: it is locked for its quarantine
        yield from _of_state(action.changes[-1].new)


def _of_level(names: Collection[str], found: Fields, wanted: DesiredLevel, draft: Draft) -> Iterator[Impact]:
    can = draft.provider.capabilities
    fields = draft.provider.level_fields(wanted)
    if "state" in names:
        yield from _of_state(fields.get("state"))
    if set(names) - {"state"}:
        change = difference(Permissions.of(found, can), Permissions.of(fields, can), can)
        yield widening.of_permissions(change)  # what was not told is nothing here: all that is wanted widens


def _of_key(names: Collection[str], found: Observed, wanted: DesiredKey, draft: Draft) -> Iterator[Impact]:
    can = draft.provider.capabilities
    old, new = found.fields, draft.provider.key_fields(wanted)
    for name in names:
        match name:
            case "accessLevel":
                yield _of_levels(found, wanted.level, draft)
            case "state":
                yield from _of_state(new.get("state"))
            case _ if name not in old:
                yield Impact.WIDENS
            case "expires":
                yield widening.of_expiry(old["expires"], new.get("expires"))
            case "allowedIPs":
                yield widening.of_addresses(old["allowedIPs"], new.get("allowedIPs", ()))
            case "scope":
                yield widening.of_scope(old["scope"], new.get("scope"), can)
            case _:
                yield widening.of_options({name: old[name]}, {name: new.get(name)}, can)


def _of_state(state: object) -> Iterator[Impact]:
    yield Impact.DESTROYS if state == KeyState.LOCKED.value else Impact.WIDENS


def _of_levels(found: Observed, wanted: LevelRef, draft: Draft) -> Impact:
    """From the level that a key has to the one that it is to have."""
    can = draft.provider.capabilities
    old = next((one.fields for one in draft.view.observed.levels if one.vendor_id == found.level_id), None)
    if wanted.id is not None:
        level = next((one for one in draft.desired.levels if one.id == wanted.id), None)
        new = draft.provider.level_fields(level) if level is not None else None
    else:
        same = (one for one in draft.view.observed.levels if (one.kind, one.name) == (wanted.kind, wanted.name))
        new = next((one.fields for one in same), None)
    if old is None or new is None:
        return Impact.WIDENS
    before, after = Permissions.of(old, can), Permissions.of(new, can)
    if not before.granted or not after.granted:
        return Impact.WIDENS  # the vendor does not tell
    return widening.of_permissions(difference(before, after, can))
