"""What a run at work does when somebody revokes a key meanwhile: it gives way.

The tombstone reaches a run with the next commit that it makes. From then on the run begins nothing more for that key, and
what it has brought about in the meantime goes: the key, every version of the secret, the intent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from reconciler.apply.emergency import Scene, Trail, carriers, end
from reconciler.apply.journal import dropped
from reconciler.apply.perform import level_fields, mark_of
from reconciler.apply.tools import Tools
from reconciler.errors import ReconcilerError
from reconciler.model.action import Action, Operation
from reconciler.model.desired import DesiredLevel
from reconciler.model.names import Kind, ObjectId
from reconciler.model.state import Intent, StateDocument


def is_overtaken(document: StateDocument, action: Action) -> bool:
    """Whether the action's key has been revoked since the action was planned."""
    if action.object.kind is not Kind.API_KEY or action.operation in {Operation.REMOVE, Operation.DELETE}:
        return False  # what only takes away is right all the same, and may be all that ends the key
    record = document.objects.get(str(action.object))
    known = action.record.revoked if action.record is not None else None
    return record is not None and record.revoked is not None and record.revoked != known


def give_way(tools: Tools, actions: Iterable[Action], intents: Mapping[ObjectId, Intent]) -> dict[ObjectId, str]:
    """End what these actions, which were carried out, have made of keys that are revoked by now.

    Gives each such key, and what of it could not be ended (empty: nothing is left). Costs one read of the vendor's list if
    there is any such key, else nothing. Intents of this run are dropped only where everything is ended: else the next run,
    or the next `revoke`, finds them.
    """
    document = tools.journal.document
    names = sorted({action.object for action in actions if is_overtaken(document, action)})
    if not names:
        return {}
    trails = [Trail(name, document.objects[str(name)], _intent(document, intents, name)) for name in names]
    try:
        observed = tools.tenant.session.observe([key for trail in trails for key in trail.known(tools.owner_tag)])
    except ReconcilerError as problem:
        return dict.fromkeys(names, _unsure(problem))
    scene = Scene(observed, document, tools.owner_tag)
    return {trail.name: _ended(tools, scene, trail) for trail in trails}


def unlocks_leaked_keys(document: StateDocument, action: Action) -> bool:
    """Whether the action has left an owner of keys unlocked, one of whose keys has been revoked since it was planned."""
    wanted = action.desired
    return (
        isinstance(wanted, DesiredLevel)
        and action.object.kind is Kind.SERVICE_USER
        and action.operation is Operation.UPDATE
        and any(change.path == "state" for change in action.changes)
        and not wanted.locked
        and document.locks_leaked_keys(action.vendor_id)
    )


def lock_again(tools: Tools, action: Action) -> str:
    """Lock an owner of keys that this run has unlocked while somebody revoked a key of it; what went wrong, if anything.

    The revocation writes its tombstone before it looks at the owner. So either it finds the owner unlocked, and locks it,
    or the commit after the unlocking finds the tombstone.
    """
    fields = level_fields(tools, action, replace(action.level, locked=True))
    try:
        tools.tenant.session.update_level(action.vendor_id, fields, mark_of(tools, action))
    except ReconcilerError as problem:
        return f"a key of it was revoked meanwhile, and may work again: {problem}"
    return ""


def _ended(tools: Tools, scene: Scene, trail: Trail) -> str:
    try:
        left = "; ".join(_end_all(tools, scene, trail))
    except ReconcilerError as problem:
        return _unsure(problem)
    if trail.intent is not None and not left:
        tools.journal.later(dropped(trail.name, trail.intent))
    return left


def _unsure(problem: ReconcilerError) -> str:
    return f"what this run made of it may still work: {problem}"


def _end_all(tools: Tools, scene: Scene, trail: Trail) -> Sequence[str]:
    ended = [end(tools.tenant, scene, trail, item) for item in carriers(scene, trail).keys]
    if not any(one.own for one in ended):
        for path in trail.paths:
            if tools.access.secrets.metadata(path).current_version:
                tools.access.secrets.delete_all_versions(path)
    return [one.left for one in ended if one.left]


def _intent(document: StateDocument, intents: Mapping[ObjectId, Intent], name: ObjectId) -> Intent | None:
    return document.intents.get(str(name)) or intents.get(name)
