"""What an earlier run left open: the recovery table of PROTOCOL, for keys.

An intent says what was about to happen; the vendor's list and the version of the secret's path say what did.
"""

from __future__ import annotations

from datetime import timedelta

from reconciler.model.action import ActionKind, Operation
from reconciler.model.desired import VaultPath
from reconciler.model.names import Kind
from reconciler.model.observed import Observed
from reconciler.model.state import HandoffAction, Intent, IntentAction, Previous, Record
from reconciler.plan.key_plan import KeyPlan
from reconciler.plan.ownership import Unclear
from reconciler.plan.rotation import end_of_overlap, retiring


def recover(key: KeyPlan, intent: Intent) -> None:
    """Plan what an open intent asks for, and note in `key` what has come of it."""
    path = VaultPath(intent.mount, intent.path)
    stored = key.secret(path).current_version > intent.base_version
    if intent.action is IntentAction.REGENERATE:
        _recover_regeneration(key, intent, path, stored=stored)
        return
    created = key.draft.owners.intended(key.id, intent)
    if key.record is not None and key.record.revoked is not None:
        _recover_revoked(key, intent, created)
        return
    if created is None:
        key.left_behind = path if stored else None
        due = intent.handoff is not None and intent.handoff.rotation  # all the same, with the overlap that is its own
        key.superseded = stored and key.record is not None and not due
        if intent.handoff is not None:
            # Nothing died: a person was asked, and what is wanted now decides whether that still stands. Or somebody died
            # who had stored what the person brought, where nobody can list that key.
            return
        key.tried = intent.generation
        if key.why_removed() or key.record is not None:
            _settle(key, "a run died before it created anything", intent)
        return
    asked = intent.handoff is not None and intent.handoff.action is HandoffAction.CREATE
    if asked and not stored:
        return  # a person has made it, and brings its secret
    replaced = key.record
    key.tried = intent.generation
    if not stored and not key.draft.traits.regenerates_in_place:
        _discard(key, intent, created)
        return
    key.record = Record(
        vendor_id=created.vendor_id,
        generation=intent.generation,
        nonce=intent.nonce,
        mount=intent.mount,
        path=intent.path,
        version=key.secret(path).current_version,
        issued_at=key.secret(path).updated,
        expires=key.desired.expires if key.desired else None,
        owner=replaced.owner if replaced else key.desired.owner if key.desired else "",
        protect=replaced.protect if replaced else intent.protect,
        previous=_retiring(key, replaced, path, intent),
        made=intent.generation,
        level_id=intent.level_id,
        applied=intent.applied,
    )
    key.found = created
    if stored:
        reason = f"key {created.vendor_id} exists and its secret is in Vault: only the record is missing"
        _settle(key, reason, intent)
    elif not key.why_removed():
        reason = f"key {created.vendor_id} exists, its secret was never stored: reissue"
        key.reissue(reason, intent.generation, path, intent=intent)


def _discard(key: KeyPlan, intent: Intent, created: Observed) -> None:
    """A key whose secret is lost, at a vendor that cannot give it another one: it goes, and the next is made afresh."""
    if key.is_own(created.vendor_id):
        return
    reason = f"key {created.vendor_id} exists, its secret was never stored and cannot be had again: delete it"
    key.act(ActionKind.REPAIR, Operation.REMOVE, reason, vendor_id=created.vendor_id, observed=created, desired=None)
    if key.why_removed() or key.record is not None:
        _settle(key, "the key that a run left half-made goes", intent)


def _recover_regeneration(key: KeyPlan, intent: Intent, path: VaultPath, *, stored: bool) -> None:
    if intent.handoff is not None and not stored:
        return  # a person generates it, and brings it
    if key.record is not None:
        found = key.draft.owners.recorded(key.id, intent.vendor_id, key.record.nonce)
        if isinstance(found, Unclear):
            return
        key.found = found
    if stored and key.record is not None:
        key.record = key.record.model_copy(
            update={
                "generation": intent.generation,
                "mount": path.mount,
                "path": path.path,
                "version": key.secret(path).current_version,
                "issued_at": key.secret(path).updated,
            }
        )
        reason = f"the new secret of key {intent.vendor_id} is in Vault: only the record is missing"
        _settle(key, reason, intent)
    elif key.found is not None and (key.why_removed() or _revoked(key)):
        return  # the removal ends the intent; if it is blocked, the intent still says that the secret may be dead
    elif key.found is not None:
        reason = f"key {intent.vendor_id} may have a new secret that was never stored: reissue"
        key.secret_pending = True
        if key.may_write(key.wanted().secret_path):  # the manifest may have moved it since
            key.reissue(reason, intent.generation, key.wanted().secret_path, intent=intent)
    else:
        _settle(key, "a run died before it stored a secret", intent)


def _recover_revoked(key: KeyPlan, intent: Intent, created: Observed | None) -> None:
    """What a run issued while somebody revoked the key only ever goes."""
    reason = "it was revoked while a run was issuing it"
    if created is not None and not key.is_own(created.vendor_id):
        key.act(ActionKind.REPAIR, Operation.REMOVE, reason, vendor_id=created.vendor_id, intent=intent)
    if created is None or not key.is_own(created.vendor_id):
        _settle(key, reason, intent)


def _revoked(key: KeyPlan) -> bool:
    return key.record is not None and key.record.revoked is not None


def _settle(key: KeyPlan, reason: str, intent: Intent) -> None:
    """Close an intent and record what came of it, as found: what the manifest now says beside it is another action."""
    key.act(ActionKind.REPAIR, Operation.RECORD, reason, intent=intent, desired=None)


def _retiring(key: KeyPlan, replaced: Record | None, new_path: VaultPath, intent: Intent) -> Previous | None:
    """What the key that a rotation replaced becomes: it goes on working until the overlap ends."""
    if replaced is None:
        return None
    if key.draft.owners.by_id(Kind.API_KEY, replaced.vendor_id) is None:
        return replaced.previous
    return retiring(replaced, new_path, end_of_overlap(key.now, timedelta(seconds=intent.overlap)))
