"""Carrying out every action that makes no secret: levels, updates, removals, and what only the record says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.apply.journal import dropped
from reconciler.apply.tools import Tools
from reconciler.errors import ContractBroken, Denied, OutcomeUnknown, Rejected, RetryLater
from reconciler.model.action import Action, ActionKind, Operation
from reconciler.model.desired import DesiredKey, DesiredLevel, VaultPath
from reconciler.model.mark import Mark
from reconciler.model.names import Kind
from reconciler.model.state import Intent, Record, StateDocument


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
    record = Record(
        vendor_id=vendor_id,
        generation=intent.generation,
        nonce=intent.nonce,
        owner=desired.owner,
        protect=desired.protect,
        issued_at=tools.access.vault.now(),
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
            tools.journal.later(lambda document: _remember(document, action))
            return "state only"
        case _:  # pragma: no cover  a mistake of ours
            raise AssertionError(f"{action.operation} needs an intent")


def _update(tools: Tools, action: Action) -> str:
    names = {change.path.split(".")[0] for change in action.changes}
    mark = _mark(tools, action)
    if isinstance(action.desired, DesiredLevel):
        fields = tools.tenant.provider.level_fields(action.desired)
        tools.tenant.session.update_level(action.vendor_id, fields, mark)
    else:
        every = tools.tenant.provider.key_fields(action.key)
        changed: Mapping[str, Any] = {
            name: value for name, value in every.items() if name in names or (name == "description" and "mark" in names)
        }
        level_id = tools.level_id(action) if "accessLevel" in names else None
        tools.tenant.session.update_key(action.vendor_id, changed, level_id, mark)
    tools.journal.later(lambda document: _remember(document, action))
    return f"id {action.vendor_id}"


def _mark(tools: Tools, action: Action) -> Mark:
    record = action.record
    if record is None:  # pragma: no cover  a mistake of ours, for the type checker
        raise AssertionError("only what is recorded can be updated")
    if record.previous is not None and record.previous.vendor_id == action.vendor_id:
        return Mark(tools.owner_tag, record.previous.generation, record.previous.nonce)
    if action.observed is not None and action.observed.mark is not None:
        return Mark(tools.owner_tag, action.observed.mark.generation, record.nonce)
    return Mark(tools.owner_tag, record.generation, record.nonce)


def _remember(document: StateDocument, action: Action) -> StateDocument:
    """Write what the state should say of an object now: its record, its owner and protection, and no open intent."""
    name = str(action.object)
    desired = action.desired
    if action.operation is Operation.RECORD and action.intent is not None:
        document = dropped(action.object, action.intent)(document)
        record = action.record
    else:
        record = document.objects.get(name)
    if record is None or desired is None:
        return document.record(name, record) if record is not None else document
    update: dict[str, Any] = {"owner": desired.owner, "protect": desired.protect}
    if isinstance(desired, DesiredKey):
        update["expires"] = desired.expires
    return document.record(name, record.model_copy(update=update))


def _delete(tools: Tools, action: Action) -> str:
    record = action.record
    if record is None:  # pragma: no cover  a mistake of ours, for the type checker
        raise AssertionError("only what is recorded can be deleted")
    session = tools.tenant.session
    ids = [record.vendor_id] + ([record.previous.vendor_id] if record.previous else [])
    for vendor_id in ids:
        if action.object.kind is Kind.ACCESS_LEVEL:
            session.delete_level(vendor_id)
        else:
            session.delete_key(vendor_id)
    if record.path:
        tools.access.secrets.delete_all_versions(VaultPath(record.mount, record.path), up_to=record.version)
    if record.previous is not None and record.previous.path:
        tools.access.secrets.delete_all_versions(VaultPath(record.previous.mount, record.previous.path))
    name = str(action.object)
    tools.journal.later(lambda document: document.record(name, None).intend(name, None))
    return f"id {', '.join(ids)}"


def _remove(tools: Tools, action: Action) -> str:
    if action.object.kind is Kind.ACCESS_LEVEL:
        tools.tenant.session.delete_level(action.vendor_id)
    else:
        tools.tenant.session.delete_key(action.vendor_id)
    if action.kind is ActionKind.RETIRE:
        _retired(tools, action)
    return f"id {action.vendor_id}"


def _retired(tools: Tools, action: Action) -> None:
    previous = action.record.previous if action.record else None
    if previous is not None and previous.path:
        tools.access.secrets.delete_all_versions(VaultPath(previous.mount, previous.path))
    name = str(action.object)

    def forget(document: StateDocument) -> StateDocument:
        record = document.objects.get(name)
        if record is None or record.previous is None or record.previous.vendor_id != action.vendor_id:
            return document
        return document.record(name, record.model_copy(update={"previous": None}))

    tools.journal.later(forget)
