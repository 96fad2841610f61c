"""Issuing one secret: vendor call, store, verify, record, in PROTOCOL's order and with its recovery.

The intent is open before anything here runs. Whatever goes wrong, one of three things is true afterwards: the secret is in
Vault and recorded; or nothing lives at the vendor and the intent is dropped; or the intent is still open, and the next run
finds out what happened from the vendor's list and the path's version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from reconciler.apply.annotate import annotate
from reconciler.apply.journal import dropped
from reconciler.apply.tools import Tools, VaultAway, applied_to
from reconciler.errors import (
    Conflict,
    ContractBroken,
    Denied,
    OutcomeUnknown,
    ReconcilerError,
    Rejected,
    RetryLater,
)  # fmt: skip
from reconciler.model.action import Action, ActionKind, Operation
from reconciler.model.desired import DesiredKey, KeyState, VaultPath
from reconciler.model.mark import Mark, new_nonce
from reconciler.model.state import Intent, IntentAction, Phase, Previous, Record, StateDocument
from reconciler.plan.rotation import end_of_overlap, retiring
from reconciler.providers.base import Issued, Verification

STORE_ATTEMPTS: Final = 6


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a new secret is, and whether it was seen to work."""

    path: VaultPath
    version: int
    verification: Verification


def intent_for(tools: Tools, action: Action) -> Intent:
    """The intent that announces an action that creates something or makes a secret.

    A reissue that finishes an interrupted creation keeps the creation's intent, nonce and all, with a new base version:
    however often it is interrupted, the key stays ours.
    """
    finished = _finishes(action)
    if finished is not None:
        return finished.model_copy(update={"run": tools.run, "base_version": action.base_version})
    path = secret_path(action)
    return Intent(
        run=tools.run,
        action=IntentAction.REGENERATE if action.operation is Operation.REGENERATE else IntentAction.CREATE,
        generation=action.generation,
        nonce=new_nonce(),
        base_version=action.base_version,
        mount=path.mount,
        path=path.path,
        vendor_id=action.vendor_id,
        protect=action.desired.protect if action.desired is not None else False,
        level_id=action.level_id or "",
        applied=applied_to(tools, action),
        overlap=action.overlap.total_seconds(),
    )


def secret_path(action: Action) -> VaultPath:
    """Where the secret of an action goes: what finishes an interrupted creation stays at that creation's path."""
    finished = _finishes(action)
    if finished is not None:
        return VaultPath(finished.mount, finished.path)
    return action.desired.secret_path if isinstance(action.desired, DesiredKey) else VaultPath("", "")


def _finishes(action: Action) -> Intent | None:
    """The interrupted creation that an action finishes."""
    intent = action.intent
    return intent if intent is not None and intent.action is IntentAction.CREATE and action.vendor_id else None


@dataclass(frozen=True, slots=True)
class Fresh:
    """A secret that is in Vault, and still in memory, and has not been seen to work."""

    issued: Issued
    path: VaultPath
    version: int


def issue(tools: Tools, action: Action, intent: Intent) -> Fresh:
    """The first half of an `ISSUE` or `REGENERATE` whose intent is open: have the secret made, and store it."""
    new_key = action.operation is Operation.ISSUE
    issued = _create(tools, action, intent) if new_key else _regenerate(tools, action, intent)
    path = VaultPath(intent.mount, intent.path)
    try:
        return Fresh(issued, path, store(tools, path, issued, intent.base_version, on_top=not new_key))
    except (Denied, Rejected):
        if new_key:
            _compensate(tools, action, intent, issued)
        raise


def complete(tools: Tools, action: Action, intent: Intent, fresh: Fresh) -> Stored:
    """The second half: what the key still lacks, verifying, and closing the intent."""
    if action.operation is Operation.ISSUE:
        _finish(tools, action, intent, fresh.issued)
    unproven = Stored(fresh.path, fresh.version, Verification.UNVERIFIABLE)
    stored = _verified(tools, action, intent, unproven, fresh.issued)
    settle(tools, action, intent, stored, fresh.issued)
    return stored


def settle(tools: Tools, action: Action, intent: Intent, stored: Stored, issued: Issued) -> None:
    """Record a secret that is in Vault, and close its intent."""
    annotate(
        tools, action.object, stored.path, vendor_id=issued.vendor_id, generation=action.generation, owner=action.key.owner
    )  # fmt: skip
    former = action.record
    if former is not None and former.path and (action.operation is Operation.REGENERATE or action.observed is None):
        old_path = VaultPath(former.mount, former.path)
        if old_path != stored.path:  # before the intent is closed: until then both paths are remembered
            _forget(tools, old_path, former.version)
    _close(tools, action, intent, stored, issued.vendor_id)


def _finish(tools: Tools, action: Action, intent: Intent, issued: Issued) -> None:
    """The steps after the first, where a product needs several. If one fails the next run sees what is missing."""
    mark = Mark(tools.owner_tag, intent.generation, intent.nonce)
    fields = tools.tenant.provider.key_fields(action.key)
    tools.tenant.session.finish_key(issued.vendor_id, fields, tools.level_id(action), mark)


def _create(tools: Tools, action: Action, intent: Intent) -> Issued:
    mark = Mark(tools.owner_tag, intent.generation, intent.nonce)
    level_id = tools.level_id(action)
    fields = tools.tenant.provider.key_fields(action.key)
    try:
        return tools.tenant.session.create_key(action.object.name, fields, level_id, mark)
    except (OutcomeUnknown, ContractBroken) as unknown:
        found = tools.tenant.session.find_key(action.object.name, mark)
        if found is None:
            raise unknown.at(str(action.object)) from None
        if tools.traits.regenerates_in_place:
            return tools.tenant.session.regenerate_key(found.vendor_id)
        _give_up(tools, action, intent, found.vendor_id)
        raise unknown.at(str(action.object)) from None
    except (Denied, Rejected, RetryLater):
        tools.journal.later(dropped(action.object, intent))
        raise


def _regenerate(tools: Tools, action: Action, intent: Intent) -> Issued:
    try:
        return tools.tenant.session.regenerate_key(action.vendor_id)
    except (OutcomeUnknown, ContractBroken):
        # The old secret may be dead and the new one is lost. Asking again is the only cure; a slow first answer that
        # overtakes this one is caught by the verification.
        return tools.tenant.session.regenerate_key(action.vendor_id)
    except (Denied, Rejected, RetryLater):
        if action.intent is None:  # else an earlier run's secret may be lost, and that has to stay known
            tools.journal.later(dropped(action.object, intent))
        raise


def store(tools: Tools, path: VaultPath, issued: Issued, base: int, *, on_top: bool) -> int:
    """Write with check-and-set, and return the version.

    After a lost reply a conflict may be our own write: then write on top, under the lease. So too when the old secret is
    dead already (`on_top`): nothing at the path can be better than what we hold. Denied and Rejected mean that nothing
    was stored, VaultAway that it cannot be stored now or that we cannot tell.
    """
    cas, unsure = base, False

    def write() -> int:
        nonlocal cas, unsure
        tools.before_write()
        try:
            return tools.access.secrets.write(path, issued.secret, cas=cas)
        except OutcomeUnknown:
            unsure = True
            raise
        except Conflict as conflict:
            if not (unsure or on_top):
                raise
            cas = tools.access.secrets.metadata(path).current_version
            raise RetryLater(conflict.what, where=conflict.where) from None

    retrying = Retrying(
        retry=retry_if_exception_type((RetryLater, OutcomeUnknown)),
        stop=stop_after_attempt(STORE_ATTEMPTS),
        wait=wait_exponential_jitter(multiplier=0.2, max=5),
        sleep=tools.access.settings.sleep,
        reraise=True,
    )
    try:
        return retrying(write)
    except (RetryLater, OutcomeUnknown) as away:
        problem: ReconcilerError = away
    except (Denied, Rejected) as refused:
        if not unsure:
            raise
        problem = refused
    raise VaultAway(
        f"its secret could not be stored: {problem.what}",
        where=problem.where,
        hint="the next run sees to it, with a new secret if need be",
    )


def _compensate(tools: Tools, action: Action, intent: Intent, issued: Issued) -> None:
    """The secret cannot be stored: the key that nobody can use goes at once."""
    _give_up(tools, action, intent, issued.vendor_id)


def _give_up(tools: Tools, action: Action, intent: Intent, vendor_id: str) -> None:
    """Delete a key whose secret nobody has. If that fails, the intent stays open."""
    try:
        tools.tenant.session.delete_key(vendor_id)
    except ReconcilerError:
        return
    tools.journal.later(dropped(action.object, intent))


def _verified(tools: Tools, action: Action, intent: Intent, stored: Stored, issued: Issued) -> Stored:
    """Authenticate with the new secret; one that does not work is replaced once, then the action fails."""
    if action.key.state is KeyState.LOCKED:
        return stored
    for last in (not tools.traits.regenerates_in_place, True):
        verification = _verify(tools, issued)
        if verification is not Verification.BAD:
            return Stored(stored.path, stored.version, verification)
        if not tools.traits.regenerates_in_place:
            # The intent stays as it is: the next run sees a secret that was stored, and no key that it belongs to.
            tools.tenant.session.delete_key(issued.vendor_id)
            break
        unproven = intent.model_copy(update={"base_version": stored.version})
        tools.journal.later(lambda document, unproven=unproven: document.intend(str(action.object), unproven))  # type: ignore[misc]
        tools.journal.flush()
        if not last:
            issued = tools.tenant.session.regenerate_key(issued.vendor_id)
            stored = Stored(stored.path, store(tools, stored.path, issued, stored.version, on_top=True), verification)
    raise ContractBroken(
        "the vendor refuses the secret that it has just issued",
        where=str(action.object),
        hint="the next run issues it anew; if it happens again, look for a second writer",
    )


def _verify(tools: Tools, issued: Issued) -> Verification:
    try:
        return tools.tenant.session.verify(issued)
    except ReconcilerError:
        return Verification.UNVERIFIABLE


def _close(tools: Tools, action: Action, intent: Intent, stored: Stored, vendor_id: str) -> None:
    desired = action.key
    now = tools.access.vault.now()
    kept = action.record if action.operation is Operation.REGENERATE else None
    """What a new secret for the same key leaves as it is."""

    def close(document: StateDocument) -> StateDocument:
        name = str(action.object)
        current = document.objects.get(name)
        known = action.record.revoked if action.record else None
        if current is not None and current.revoked is not None and current.revoked != known:
            # The intent stays open: the next run removes what was issued while somebody revoked the key.
            return document
        record = Record(
            vendor_id=vendor_id,
            generation=intent.generation,
            nonce=kept.nonce if kept else intent.nonce,
            mount=stored.path.mount,
            path=stored.path.path,
            version=stored.version,
            issued_at=now,
            expires=desired.expires,
            owner=desired.owner,
            protect=desired.protect,
            previous=_previous(action, current, vendor_id, stored.path, now),
            made=(kept.made or kept.generation) if kept else intent.generation,
            level_id=kept.level_id if kept else intent.level_id or tools.level_id(action),
            applied=_applied(action, intent, document.intents.get(name)),
            phase=Phase.LOCKED if desired.state is KeyState.LOCKED else Phase.CURRENT,
            adopted=kept.adopted if kept else False,  # a new secret in place puts no mark on the key
            vendor_name=kept.vendor_name if kept else "",
        )
        return document.record(name, record).intend(name, None)

    tools.journal.later(close)


def _applied(action: Action, intent: Intent, opened: Intent | None) -> Mapping[str, str]:
    """What the vendor has been asked for in fields that it does not tell: at its creation, and in changes since."""
    if action.operation is not Operation.REGENERATE or action.record is None:
        return intent.applied
    changed = opened.applied if opened is not None and _finishes(action) is not None else {}
    return {**action.record.applied, **changed}


def _previous(
    action: Action, current: Record | None, vendor_id: str, path: VaultPath, now: datetime
) -> Previous | None:
    """What else of this key lives on beside the generation that has just been stored."""
    if current is not None and current.vendor_id == vendor_id:
        return current.previous
    if action.operation is Operation.REGENERATE:  # it finishes an interrupted creation, whose record is the plan's
        return action.record.previous if action.record else None
    if current is None:
        return None
    replaced_unread = action.kind is ActionKind.REPAIR and current.previous is not None
    if action.observed is None or replaced_unread:
        return current.previous  # in its overlap still; the key whose secret is lost has nothing to keep alive
    return retiring(current, path, end_of_overlap(now, action.overlap))


def _forget(tools: Tools, path: VaultPath, version: int) -> None:
    """A dead secret at a path that the key has left. Failing to remove it harms nobody."""
    try:
        tools.access.secrets.delete_all_versions(path, up_to=version)
    except ReconcilerError:
        return
