"""What only a person can bring about at a product: asked alike by all who plan around it."""

from __future__ import annotations

from typing import Final

from reconciler.model.action import Action, ActionKind, Operation
from reconciler.providers.base import Traits, Write

_WRITES: Final = {
    (True, Operation.CREATE): Write.CREATE_LEVEL,
    (True, Operation.UPDATE): Write.UPDATE_LEVEL,
    (True, Operation.DELETE): Write.DELETE_LEVEL,
    (True, Operation.REMOVE): Write.DELETE_LEVEL,
    (False, Operation.ISSUE): Write.CREATE_KEY,
    (False, Operation.REGENERATE): Write.REGENERATE_KEY,
    (False, Operation.UPDATE): Write.UPDATE_KEY,
    (False, Operation.DELETE): Write.DELETE_KEY,
    (False, Operation.REMOVE): Write.DELETE_KEY,
}


def write_of(action: Action) -> Write | None:
    """What an action does at the vendor; None for one that only the state remembers, or that has been handed off."""
    return _WRITES.get((action.object.kind.is_level, action.operation))


def awaits_successor(traits: Traits, action: Action) -> bool:
    """Whether an action ends the current key of which a person has yet to make the successor: its turn comes after that."""
    current = action.record is not None and action.vendor_id == action.record.vendor_id
    return Write.CREATE_KEY in traits.by_hand and action.kind is ActionKind.RETIRE and current
