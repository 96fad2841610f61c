"""Handoffs: asking a person, and taking in what the person brings back.

What was asked is remembered in the state before anybody acts: in the intent of a new key or secret, in the record of what
exists. So a second run asks for nothing twice, and the mark that the person enters is one that we know.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reconciler.apply.issue import Stored, intent_for, settle, store
from reconciler.apply.journal import dropped
from reconciler.apply.perform import delete_secret, delete_secrets, without
from reconciler.apply.tools import Tools, applied_to
from reconciler.apply.verify import tried
from reconciler.errors import Conflict, InvalidInput, Rejected
from reconciler.manifest.paths import fill
from reconciler.model.action import Action, ActionKind, Operation, TenantPlan, Waiting
from reconciler.model.desired import DesiredTenant, KeyState, VaultPath
from reconciler.model.names import Kind, ObjectId
from reconciler.model.state import Handoff, Intent, Record, StateDocument
from reconciler.plan import digest
from reconciler.plan.handoff import HANDOFF_ACTIONS, MAKES, digest_of, mark_of
from reconciler.plan.observe import Access
from reconciler.plan.run import replan
from reconciler.providers.base import Issued
from reconciler.vault import tags


class SeenToBeDone(InvalidInput):
    """Nobody needs to say that a handoff is done: the vendor shows it, or it was told already."""


class NothingOpen(InvalidInput):
    """No handoff is open for this object."""


def open_handoff(tools: Tools, action: Action, by: str) -> None:
    """Remember that a person was asked, who asked and for what."""
    by_hand = action.by_hand or action.operation
    handoff = Handoff(
        action=HANDOFF_ACTIONS[by_hand],
        opened=tools.access.vault.now(),
        by=by,
        wanted=digest_of(action.steps),
        vendor_id=action.vendor_id,
        rotation=action.kind is ActionKind.ROTATE,
    )
    name = str(action.object)
    if by_hand in MAKES:
        planned = replace(action, operation=by_hand, by_hand=None)
        intent = intent_for(tools, planned).model_copy(
            update={"handoff": handoff, "nonce": mark_of(tools.owner_tag, planned).nonce}
        )
        tools.journal.later(lambda document: document.intend(name, intent))
        return
    tools.journal.later(lambda document: document.amend(name, handoff=handoff))


def find(plan: TenantPlan, name: ObjectId) -> Waiting:
    """The open handoff of an object; InvalidInput if there is none."""
    waiting = next((item for item in plan.waiting if item.object == name), None)
    if waiting is not None:
        return waiting
    where = f"{plan.tenant}/{name}"
    mine = [action for action in plan.actions if action.object == name]
    if any(action.operation is Operation.HAND_OFF for action in mine):
        raise InvalidInput(
            "nobody has been asked for it yet, or for something else than is wanted now",
            where=where,
            hint="run `reconciler apply`: it opens the handoff",
        )
    closing = [action for action in mine if action.intent is not None and action.intent.handoff is not None]
    if any(action.operation is Operation.RECORD and action.by_hand is None for action in closing):
        raise SeenToBeDone("its secret was brought before, and is in Vault: the next apply records it", where=where)
    if any(action.by_hand is Operation.RECORD for action in mine):
        what = "what was asked for is seen to be done, or is no longer wanted; the next apply closes it"
        raise SeenToBeDone(what, where=where)
    raise NothingOpen("no handoff is open for it", where=where, hint="`reconciler handoff` lists those that are open")


def told_already(access: Access, desired: DesiredTenant, name: ObjectId) -> str:
    """What shows that the removal of a key was told before, and carried out to the end; empty if nothing shows it.

    Nothing is recorded of the key any more and no manifest wants it; that is so of keys that never were, too. But of this
    one Vault's metadata says that we issued it, and that its secret is deleted.
    """
    document, _ = access.states.load(desired.name)
    wanted = any(key.id == name and key.state is not KeyState.ABSENT for key in desired.keys)
    record = document.objects.get(str(name)) if document is not None else None
    if record is not None and record.revoked is not None and not record.vendor_id and record.previous is None:
        return "done already: it was revoked, and nothing of it is left but the word for that"
    if wanted or document is None or record is not None or str(name) in document.intents:
        return ""
    path = fill(desired.secrets, desired.name, name.name)
    secret = access.secrets.metadata(path)
    issued = tags.issued_of(secret, desired.name, (name.name,)) if name.kind is Kind.API_KEY else None
    if issued is None or secret.live:
        return ""
    return f"done already: key {issued.vendor_id} is not recorded any more, and its secret at {path} is deleted"


def still_open(tools: Tools, waiting: Waiting) -> Waiting:
    """The same handoff as it is now, under the lease; Conflict if it has changed since the person was asked."""
    again = find(replan(tools.access, tools.tenant), waiting.object)
    before, now = waiting.intent, again.intent
    if (before and before.nonce) != (now and now.nonce) or again.action.wanted != waiting.action.wanted:
        raise Conflict("what is wanted has changed meanwhile", where=str(waiting.object), hint="look at it again")
    return again


def take_in(tools: Tools, waiting: Waiting, issued: Issued, *, unverified: bool = False) -> Stored:
    """Verify and store the secret of a key that a person made, and close its handoff.

    InvalidInput, with nothing written, if it is not the key that was asked for or does not authenticate; `unverified`
    takes one of which that cannot be told from here.
    """
    intent, action = _intent(waiting), waiting.action
    if action.operation is Operation.ISSUE:
        tools.level_id(action)  # it may be a handoff of its own, to be completed first
    _check_identity(tools, waiting, issued)
    locked = action.key.state is KeyState.LOCKED
    verification = tried(tools, issued, str(waiting.object), locked=locked, unverified=unverified)
    path = VaultPath(intent.mount, intent.path)
    # On top of what a completion that died before it could record anything has stored: it was this key's secret.
    version = store(tools, path, issued, intent.base_version, on_top=True)
    stored = Stored(path, version, verification)
    settle(tools, action, intent, stored, issued)
    tools.journal.flush()
    record = tools.journal.document.objects.get(str(waiting.object))
    if record is None or record.vendor_id != issued.vendor_id:
        tools.access.secrets.delete_all_versions(path)
        raise Conflict(
            f"it was revoked meanwhile, and key {issued.vendor_id} is not taken in",
            where=str(waiting.object),
            hint="delete that key in the console",
        )
    return stored


def _check_identity(tools: Tools, waiting: Waiting, issued: Issued) -> None:
    if waiting.action.operation is Operation.REGENERATE:
        wanted = waiting.action.record.vendor_id if waiting.action.record else ""
        if issued.vendor_id != wanted:
            what = f"this is key {issued.vendor_id}, and a new secret was asked for key {wanted}"
            raise InvalidInput(what, where=str(waiting.object), hint="nothing was written")
        return
    for name, record in tools.journal.document.objects.items():
        if issued.vendor_id in {record.vendor_id, record.previous.vendor_id if record.previous else ""}:
            what = f"key {issued.vendor_id} is {name} already: a new key was asked for"
            raise InvalidInput(what, where=str(waiting.object), hint="nothing was written")


def confirm(tools: Tools, waiting: Waiting) -> str:
    """A person says that a change or a removal is done: remember it, and remove a removed key's secret. Says what it did."""
    record = waiting.action.record
    if record is None:  # pragma: no cover  a mistake of ours, for the type checker
        raise AssertionError("only what is recorded can be changed or removed by hand")
    if waiting.action.operation is Operation.UPDATE:
        return _confirm_change(tools, waiting, record)
    return _confirm_removal(tools, waiting, record)


def _confirm_change(tools: Tools, waiting: Waiting, record: Record) -> str:
    action, name = waiting.action, str(waiting.object)
    moved: dict[str, Any] = {}
    if action.desired is None:  # a quarantine
        moved = {"phase": record.phase, "quarantine_until": record.quarantine_until}
        asked = digest.changed(action.changes)
    else:
        names = {change.path.split(".")[0] for change in action.changes}
        asked = {field: value for field, value in applied_to(tools, action).items() if field in names}

    def changed(document: StateDocument) -> StateDocument:
        known = document.objects.get(name, record)
        update = {"handoff": None, "applied": {**known.applied, **asked}, **moved}
        return document.record(name, known.model_copy(update=update))

    tools.journal.flush(changed)
    return "remembered as it is now wanted"


def _confirm_removal(tools: Tools, waiting: Waiting, record: Record) -> str:
    name = str(waiting.object)
    previous = record.previous
    if waiting.action.operation is Operation.REMOVE and previous is not None:
        delete_secret(tools, previous)

        def retired(document: StateDocument) -> StateDocument:
            known = document.objects.get(name, record)
            return document.record(name, known.model_copy(update={"handoff": None, "previous": None}))

        tools.journal.flush(retired)
        return f"generation {previous.generation} is forgotten"
    delete_secrets(tools, record)
    tools.journal.flush(lambda document: without(document, waiting.object))
    return "the record is removed, and its secret"


def cancel(tools: Tools, waiting: Waiting) -> None:
    """Give a handoff up. What is still wanted will be asked for again by the next run."""
    if waiting.action.operation in MAKES:
        tools.journal.flush(dropped(waiting.object, _intent(waiting)))
    else:
        tools.journal.flush(lambda document: document.amend(str(waiting.object), handoff=None))


def _intent(waiting: Waiting) -> Intent:
    if waiting.intent is None:
        raise Rejected(f"no new key was asked for {waiting.object}", hint="see `reconciler handoff`")
    return waiting.intent
