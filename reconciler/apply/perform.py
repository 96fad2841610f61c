"""Carrying out every action that makes no secret: levels, updates, removals, and what only the record says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reconciler.apply.annotate import annotate
from reconciler.apply.journal import dropped
from reconciler.apply.tools import Tools, applied_to
from reconciler.errors import ContractBroken, Denied, OutcomeUnknown, Rejected, RetryLater
from reconciler.model.action import Action, ActionKind, Operation
from reconciler.model.desired import DesiredKey, DesiredLevel, KeyState, VaultPath
from reconciler.model.mark import Mark
from reconciler.model.names import ObjectId
from reconciler.model.observed import Fields
from reconciler.model.state import Intent, Phase, Previous, Record, StateDocument
from reconciler.plan import digest
from reconciler.plan.origin import restored

_GONE: Final[Mapping[str, Any]] = {
    "vendor_id": "", "previous": None, "handoff": None, "mount": "", "path": "", "version": 0,
}  # fmt: skip


def create_level(tools: Tools, action: Action, intent: Intent) -> str:
    """Create an access level whose intent is open, record it, and return the vendor's id."""
    desired = action.level
    mark = Mark(tools.owner_tag, intent.generation, intent.nonce)
    fields = tools.tenant.provider.level_fields(desired)
    try:
        vendor_id = tools.tenant.session.create_level(desired.name, fields, mark)
    except (OutcomeUnknown, ContractBroken) as unknown:
        found = tools.tenant.session.find_level(desired.name, mark)
        if found is None:
            raise unknown.at(str(action.object)) from None
        vendor_id = found.vendor_id
    except (Denied, Rejected, RetryLater):
        tools.journal.later(dropped(action.object, intent))
        raise
    former = action.record if action.kind is ActionKind.REPLACE else None
    now = tools.access.vault.now()
    record = Record(
        vendor_id=vendor_id,
        generation=intent.generation,
        made=intent.generation,
        nonce=intent.nonce,
        owner=desired.owner,
        protect=desired.protect,
        issued_at=now,
        applied=intent.applied,
        previous=former
        and Previous(vendor_id=former.vendor_id, generation=former.generation, nonce=former.nonce, until=now),
    )
    tools.journal.later(lambda document: document.record(str(action.object), record).intend(str(action.object), None))
    return vendor_id


def perform(tools: Tools, action: Action) -> str:
    """Carry out an action that needs no intent, and return a short detail for the result table."""
    match action.operation:
        case Operation.UPDATE:
            return _update(tools, action)
        case Operation.DELETE:
            return _delete(tools, action)
        case Operation.REMOVE:
            return _remove(tools, action)
        case Operation.RECORD:
            _empty_left_behind(tools, action)
            _say_whose(tools, action)
            tools.journal.later(lambda document: _remember(document, action, {}))
            return "state only"
        case _:  # pragma: no cover  a mistake of ours
            raise AssertionError(f"{action.operation} needs an intent")


def _update(tools: Tools, action: Action) -> str:
    names = {change.path.split(".")[0] for change in action.changes}
    mark = mark_of(tools, action)
    if action.desired is None:  # a key that is about to go loses its access first
        tools.tenant.session.update_key(action.vendor_id, {c.path: c.new for c in action.changes}, None, mark)
        current = action.record is not None and action.vendor_id == action.record.vendor_id
        asked = digest.changed(action.changes) if current else {}
        tools.journal.later(lambda document: _remember(document, action, asked))
        return f"id {action.vendor_id}"
    if isinstance(action.desired, DesiredLevel):
        tools.tenant.session.update_level(action.vendor_id, level_fields(tools, action, action.desired), mark)
    else:
        every = _left_alone(action, tools.tenant.provider.key_fields(action.key))
        wanted = names | ({"description"} if "mark" in names else set())
        if wanted & every.keys() - {"state"}:  # what cannot be read back would be lost if it were left out
            wanted |= tools.traits.unreadable - tools.traits.by_hand_fields
        changed: Mapping[str, Any] = {name: value for name, value in every.items() if name in wanted}
        level_id = tools.level_id(action) if "accessLevel" in names else None
        tools.tenant.session.update_key(action.vendor_id, changed, level_id, mark)
    asked = {name: value for name, value in applied_to(tools, action).items() if name in names}
    tools.journal.later(lambda document: _remember(document, action, asked))
    return f"id {action.vendor_id}"


def level_fields(tools: Tools, action: Action, wanted: DesiredLevel) -> Fields:
    """What a level's update sends: everything but a state that does not change, for somebody may just be locking it."""
    names = {change.path for change in action.changes}
    fields = dict(_left_alone(action, tools.tenant.provider.level_fields(wanted)))
    if action.record is not None and action.record.vendor_name and "name" not in names:
        fields["name"] = action.record.vendor_name  # adopted: the name that others gave it stays
    if "state" not in names:
        fields.pop("state", None)
    return fields


def _left_alone(action: Action, fields: Fields) -> Fields:
    """What is asked for, but for fields whose drift the manifest ignores: those are sent as they were found."""
    return restored(fields, action.observed.fields, action.kept) if action.kept and action.observed else fields


def _empty_left_behind(tools: Tools, action: Action) -> None:
    """Empty the path that a key has left, if the run that moved it died before it could, and nothing uses it any more."""
    former, now = tools.journal.document.objects.get(str(action.object)), action.record
    if action.intent is None or former is None or now is None or not former.path:
        return
    path, previous = VaultPath(former.mount, former.path), now.previous
    if path != VaultPath(now.mount, now.path) and path != (previous and VaultPath(previous.mount, previous.path)):
        tools.access.secrets.delete_all_versions(path, up_to=former.version)


def _say_whose(tools: Tools, action: Action) -> None:
    """Say beside a secret whose it is, if the run that stored it died before it could."""
    intent, record = action.intent, action.record
    if intent is None or record is None or record.version <= intent.base_version or record.revoked is not None:
        return
    if (record.mount, record.path) == (intent.mount, intent.path):
        annotate(
            tools, action.object, VaultPath(record.mount, record.path),
            vendor_id=record.vendor_id, generation=record.generation, owner=record.owner,
        )  # fmt: skip


def mark_of(tools: Tools, action: Action) -> Mark:
    """The mark that what an action changes has, or had before somebody edited it away."""
    record = action.record
    if record is None:  # pragma: no cover  a mistake of ours, for the type checker
        raise AssertionError("only what is recorded can be updated")
    if record.previous is not None and record.previous.vendor_id == action.vendor_id:
        return Mark(tools.owner_tag, record.previous.generation, record.previous.nonce)
    if action.observed is not None and action.observed.mark is not None:
        return Mark(tools.owner_tag, action.observed.mark.generation, record.nonce)
    return Mark(tools.owner_tag, record.generation, record.nonce)


def _remember(document: StateDocument, action: Action, asked: Mapping[str, str]) -> StateDocument:
    """Write what the state should say of an object now: its record, its owner and protection, and no open intent.

    `asked` has the digests of what the vendor was asked for.
    """
    name = str(action.object)
    desired = action.desired
    if action.renamed_from:
        return document.rename(action.renamed_from, name)
    if action.operation is Operation.RECORD and action.intent is not None:
        document = dropped(action.object, action.intent)(document)
        record = action.record
    else:
        record = document.objects.get(name)
        if record is not None and desired is None and action.record is not None:
            # Nothing wants it: what was planned of its record (a phase, the end of a handoff) is all that changes.
            planned = action.record
            record = record.model_copy(
                update={
                    "handoff": planned.handoff, "phase": planned.phase, "quarantine_until": planned.quarantine_until,
                    "applied": {**record.applied, **asked},
                }
            )  # fmt: skip
    known = document.objects.get(name)
    if record is not None and known is not None and known.revoked is not None and record.revoked != known.revoked:
        return document.record(name, known)  # somebody revoked it meanwhile: that stands
    opened = document.intents.get(name)
    if record is None and opened is not None and asked:  # a creation that is being finished: its record comes later
        document = document.intend(name, opened.model_copy(update={"applied": {**opened.applied, **asked}}))
    if record is None or desired is None:
        return document.record(name, record) if record is not None else document
    update: dict[str, Any] = {
        "owner": desired.owner, "protect": desired.protect, "applied": {**record.applied, **asked},
    }  # fmt: skip
    if isinstance(desired, DesiredKey):
        update["expires"] = desired.expires
        update["phase"] = Phase.LOCKED if desired.state is KeyState.LOCKED else Phase.CURRENT
        update["quarantine_until"] = None
    return document.record(name, record.model_copy(update=update))


def _delete(tools: Tools, action: Action) -> str:
    record = action.record
    if record is None:  # pragma: no cover  a mistake of ours, for the type checker
        raise AssertionError("only what is recorded can be deleted")
    session = tools.tenant.session
    ids = [record.vendor_id] + ([record.previous.vendor_id] if record.previous else [])
    if action.object.kind.is_level and action.observed is None:
        ids = []  # the vendor lists it no more
    for vendor_id in filter(None, ids):
        if action.object.kind.is_level:
            session.delete_level(vendor_id)
        else:
            session.delete_key(vendor_id)
    delete_secrets(tools, record)
    tools.journal.later(lambda document: without(document, action.object))
    return f"id {', '.join(filter(None, ids))}"


def delete_secrets(tools: Tools, record: Record) -> None:
    """Delete the secrets of an object that is gone, those of both generations."""
    if record.path:
        tools.access.secrets.delete_all_versions(VaultPath(record.mount, record.path), up_to=record.version)
    if record.previous is not None:
        delete_secret(tools, record.previous)


def delete_secret(tools: Tools, previous: Previous) -> None:
    """Delete the secret of a former generation, if it lies at a path of its own."""
    if previous.path:
        tools.access.secrets.delete_all_versions(VaultPath(previous.mount, previous.path))


def without(document: StateDocument, name: ObjectId) -> StateDocument:
    """The document without an object that is gone. Of a revoked one the tombstone stays, or Git could revive it unawares."""
    record = document.objects.get(str(name))
    left = record.model_copy(update=_GONE) if record is not None and record.revoked is not None else None
    return document.record(str(name), left).intend(str(name), None)


def _remove(tools: Tools, action: Action) -> str:
    if action.object.kind.is_level:
        tools.tenant.session.delete_level(action.vendor_id)
    else:
        tools.tenant.session.delete_key(action.vendor_id)
    if action.kind is ActionKind.RETIRE:
        _retired(tools, action)
    revoked = action.record is not None and action.record.revoked is not None
    if revoked and action.intent is not None and action.intent.path:
        tools.access.secrets.delete_all_versions(VaultPath(action.intent.mount, action.intent.path))
    return f"id {action.vendor_id}"


def _retired(tools: Tools, action: Action) -> None:
    previous = action.record.previous if action.record else None
    if previous is not None:
        delete_secret(tools, previous)
    name = str(action.object)

    def forget(document: StateDocument) -> StateDocument:
        record = document.objects.get(name)
        if record is None or record.previous is None or record.previous.vendor_id != action.vendor_id:
            return document
        return document.amend(name, previous=None)

    tools.journal.later(forget)
