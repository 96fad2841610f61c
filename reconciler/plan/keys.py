"""What to do about one tenant's keys: recovery first, then creation, drift, rotation and removal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from reconciler.errors import foreign
from reconciler.model.action import ActionKind, Change, Operation
from reconciler.model.desired import KeyState, Removal, VaultPath
from reconciler.model.names import Kind, ObjectId
from reconciler.model.observed import Observed
from reconciler.model.state import Phase, Record, Revoked
from reconciler.plan.draft import UNDECLARED, Draft, is_untouched
from reconciler.plan.key_plan import KeyPlan
from reconciler.plan.levels import LevelIndex, granted, remembered, remove_orphan
from reconciler.plan.ownership import Unclear
from reconciler.plan.recovery import recover
from reconciler.plan.replacement import replace_key
from reconciler.plan.rotation import previous_can_go, retire, rotate


def plan_keys(draft: Draft, levels: LevelIndex) -> None:
    """Plan every key that is wanted or recorded."""
    wanted = {key.name: key for key in draft.desired.keys}
    names = set(wanted)
    for text in (*draft.owners.records, *draft.owners.intents):
        object_id = ObjectId.parse(text)
        if object_id.kind is Kind.API_KEY:
            names.add(object_id.name)
    names |= {object_id.name for object_id in draft.outdated}
    for name in sorted(names):
        _plan(KeyPlan(draft, levels, ObjectId(Kind.API_KEY, name), wanted.get(name)))
    _refuse_too_many(draft)
    for orphan in draft.owners.orphans(Kind.API_KEY):
        if orphan.vendor_id == draft.view.observed.own_key_id:
            draft.block(ObjectId(Kind.API_KEY, foreign(orphan.name)), "it is the key that the reconciler is using")
        else:
            remove_orphan(draft, orphan)


def _refuse_too_many(draft: Draft) -> None:
    """Block new keys beyond the number that the vendor allows under one level, those that live on included."""
    most = draft.traits.most_keys_per_level
    if most is None:
        return
    living: Counter[str] = Counter()
    for text, record in draft.owners.records.items():
        if ObjectId.parse(text).kind is Kind.API_KEY and record.level_id:
            living[record.level_id] += 1 + (record.previous is not None)
    for action in sorted(draft.actions, key=lambda action: action.object):
        if action.operation is not Operation.ISSUE or action.level_id is None:
            continue
        living[action.level_id] += 1
        if living[action.level_id] > most:
            draft.actions.remove(action)
            draft.block(
                action.object,
                f"{action.key.level} would have {living[action.level_id]} keys, and the vendor allows {most}",
                "remove keys that nobody needs, or spread them over more owners",
                action.source,
            )


def _plan(key: KeyPlan) -> None:
    if key.draft.block_outdated(key.id, key.desired.source if key.desired else None):
        return
    key.record = key.draft.owners.records.get(str(key.id))
    intent = key.draft.owners.intents.get(str(key.id))
    if intent is not None:
        recover(key, intent)
    if key.record is not None and key.found is None:
        names = key.draft.other_names(key.id, key.record)
        found = key.draft.owners.recorded(key.id, key.record.vendor_id, key.record.nonce, *names)
        if isinstance(found, Unclear):
            key.block(
                f"our records say id {key.record.vendor_id}, but that is now {found.observed.name!r} without our mark",
                "its owner cannot be told: look at it in the vendor's console",
            )
            return
        key.found = found
    removal = key.why_removed()
    orphaned = key.record is not None and key.record.phase is Phase.ORPHANED and key.record.revoked is None
    if key.desired is None and orphaned:
        return
    if removal:
        _remove(key, removal)
    elif key.record is None:
        _create(key)
    else:
        _keep(key, key.record)


def _remove(key: KeyPlan, reason: str) -> None:
    if key.record is None:
        if reason.startswith(("expired", "state: locked")):
            key.draft.note(key.id, f"{reason}: not created")
        return
    protected = key.record.protect or (key.desired is not None and key.desired.protect)
    if protected and key.record.revoked is None:  # a revocation is the stronger word
        key.block(
            f"it is protected, and {reason}",
            "protection is lifted in a commit of its own: apply protect: false while the key is still wanted",
        )
        return
    if key.is_own(key.record.vendor_id) or not previous_can_go(key, key.record):
        return
    if key.record.revoked is not None and not _lives_on(key, key.record):
        return  # only its tombstone is left, and that stays
    if key.desired is None and key.found is not None and is_untouched(key.draft, key.record, key.found):
        key.draft.note(key.id, UNDECLARED)
        return
    if key.desired is None and key.found is not None and _spared(key, key.record, key.found):
        return
    if key.found is None:
        reason += "; gone at the vendor already, its secret is not"
    locks = key.desired is not None and reason.startswith("state: locked")
    key.act(
        ActionKind.LOCK if locks else ActionKind.DELETE, Operation.DELETE, reason, vendor_id=key.record.vendor_id,
    )  # fmt: skip


def _spared(key: KeyPlan, record: Record, found: Observed) -> bool:
    """Do with a key that was taken out of Git what its tenant says: True unless that is to delete it now."""
    on_removal = key.draft.desired.on_removal
    if record.revoked is not None:
        return False
    if on_removal.action is Removal.ORPHAN:
        left = record.model_copy(update={"phase": Phase.ORPHANED})
        key.act(ActionKind.DELETE, Operation.RECORD, "taken out of Git: left as it is, and forgotten", record=left)
        return True
    if on_removal.action is not Removal.QUARANTINE:
        return False
    if record.phase is Phase.QUARANTINED and record.quarantine_until is not None:
        if record.quarantine_until <= key.now:
            return False
        key.draft.note(key.id, f"in quarantine: locked, and deleted after {record.quarantine_until:%Y-%m-%d %H:%M}Z")
        return True
    if record.previous is not None:  # it was about to end anyway: what is locked must not live on beside its lock
        previous = record.previous
        reason = f"generation {previous.generation} (id {previous.vendor_id}): the key is taken out of Git"
        key.act(ActionKind.RETIRE, Operation.REMOVE, reason, vendor_id=previous.vendor_id, generation=record.generation)
    until = key.now + on_removal.grace
    state = found.fields.get("state", str(KeyState.ACTIVE))
    key.act(
        ActionKind.LOCK,
        Operation.UPDATE,
        f"taken out of Git: in quarantine, deleted after {until:%Y-%m-%d %H:%M}Z",
        changes=(Change("state", state, str(KeyState.LOCKED)),),
        vendor_id=found.vendor_id,
        record=record.model_copy(update={"phase": Phase.QUARANTINED, "quarantine_until": until}),
    )
    return True


def _create(key: KeyPlan) -> None:
    desired = key.wanted()
    if key.draft.block_foreign(key.id, desired.source) or not key.level_is_known():
        return
    if not key.may_write(desired.secret_path):
        return
    key.issue(ActionKind.CREATE, "", desired.secret_path, changes=_all_fields(key))


def _all_fields(key: KeyPlan) -> tuple[Change, ...]:
    desired = key.wanted()
    fields = {**key.draft.provider.key_fields(desired), key.level_word: str(desired.level)}
    if desired.expires is not None:
        fields["expires"] = desired.expires  # where the vendor does not know it, it is kept by us all the same
    return (*granted(fields), Change("secret", None, str(desired.secret_path)))


def _keep(key: KeyPlan, record: Record) -> None:
    desired = key.wanted()
    if record.revoked is not None:
        _revoked(key, record.revoked)
        return
    key.draft.vanished += key.found is None
    if not key.level_is_known():
        return
    if key.found is None:
        if key.draft.block_foreign(key.id, desired.source) or not key.may_write(desired.secret_path):
            return
        gone = f"key {record.vendor_id} is gone at the vendor: issue a new one"
        key.issue(ActionKind.REPAIR, gone, desired.secret_path, changes=_all_fields(key))
        retire(key, record)
        return
    changed, level_id = key.differences(key.found)
    if not key.secret_pending and replace_key(key, record, key.found, changed, level_id):
        return
    _update(key, record, key.found, changed, level_id)
    if not key.secret_pending:
        _mend_secret(key, record)
    if not retire(key, record) and not key.secret_pending:
        rotate(key, record)


def _lives_on(key: KeyPlan, record: Record) -> bool:
    """Whether anything of a revoked key is left: a key of either generation at the vendor, or a secret in Vault."""
    if key.found is not None or record.previous is not None:
        return True
    return bool(record.path) and key.secret(VaultPath(record.mount, record.path)).live


def _revoked(key: KeyPlan, revoked: Revoked) -> None:
    """What was revoked only ever goes, until Git asks for a new generation by a time that lies after the revocation."""
    desired = key.wanted()
    record = key.record
    if record is not None and _lives_on(key, record):
        if not key.is_own(record.vendor_id) and previous_can_go(key, record):
            key.act(ActionKind.REPAIR, Operation.DELETE, "it was revoked, and lives on", vendor_id=record.vendor_id)
        key.block(f"it was revoked {revoked.at:%Y-%m-%d %H:%M}Z: {revoked.reason}", "plan again when that is done")
        return
    when = f"{revoked.at:%Y-%m-%d %H:%M}Z"
    if desired.reissue_after is None or desired.reissue_after <= revoked.at:
        key.block(
            f"it was revoked {when}: {revoked.reason}",
            f"for a new key set spec.reissueAfter to a time after that, such as {key.now:%Y-%m-%dT%H:%M:%SZ}",
        )
        return
    if desired.reissue_after > key.now:
        key.draft.note(key.id, f"revoked {when}; issued again after {desired.reissue_after:%Y-%m-%d %H:%M}Z")
        return
    if not key.level_is_known() or not key.may_write(desired.secret_path):
        return
    again = f"issued again, as Git asks for after its revocation {when}"
    key.issue(ActionKind.CREATE, again, desired.secret_path, changes=_all_fields(key), observed=None)


def _update(key: KeyPlan, record: Record, found: Observed, differs: Sequence[Change], level_id: str | None) -> None:
    desired = key.wanted()
    changed = list(differs)
    if key.draft.mark_is_lost(found, record):
        changed.append(key.draft.note_lost_mark(key.id, found))
    at_vendor = bool(changed)
    changed += remembered(record, desired.owner, desired.protect)
    if record.phase in {Phase.QUARANTINED, Phase.ORPHANED}:
        changed.append(Change("phase", str(record.phase), str(Phase.CURRENT)))  # Git wants it again
    if not changed:
        return
    state = next((change.new for change in changed if change.path == "state"), None)
    if state == KeyState.LOCKED and key.is_own(found.vendor_id):
        return
    kinds = {KeyState.LOCKED.value: ActionKind.LOCK, KeyState.ACTIVE.value: ActionKind.UNLOCK}
    kind, reason = kinds.get(str(state), ActionKind.UPDATE), ""
    if found.level_id is None and desired.state is KeyState.ACTIVE and record.phase is not Phase.LOCKED:
        kind, reason = ActionKind.REPAIR, f"key {found.vendor_id} has lost its {key.level_word}"
    key.act(
        kind,
        Operation.UPDATE if at_vendor else Operation.RECORD,
        reason,
        changes=tuple(changed),
        vendor_id=found.vendor_id,
        generation=record.generation,
        level_id=level_id,
    )


def _mend_secret(key: KeyPlan, record: Record) -> None:
    if record.adopted and not record.version:
        _tell_unknown(key)
        return
    path = VaultPath(record.mount, record.path)
    secret = key.secret(path)
    if not secret.live or key.superseded or not record.version:
        if key.may_write(key.wanted().secret_path):
            lost = f"is not the one at {path}" if secret.live else f"is missing from {path}"
            if key.superseded:
                lost = "lies under one that does not work"
            key.reissue(f"its secret {lost}: reissue", key.next_generation, key.wanted().secret_path)
        return
    if secret.current_version != record.version:
        key.draft.note(
            key.id,
            f"{path} is at version {secret.current_version}, and we wrote {record.version}: "
            "somebody else wrote there; rotate the key to be sure of it",
        )
    if path != key.wanted().secret_path:
        key.draft.note(
            key.id,
            f"its secret stays at {path} until the next rotation, then moves to {key.wanted().secret_path}",
        )


def _tell_unknown(key: KeyPlan) -> None:
    """Nobody knows the secret of an adopted key: it goes on working, and what consumers have of it is not in Vault."""
    if key.draft.desired.adopt_rotate:
        return
    target = f"{key.draft.desired.name}/{key.id.name}"
    offer = f"`reconciler rotate {target}` puts a new one into Vault"
    if key.draft.provider.capabilities.handoff_fields:
        offer += f"; `reconciler handoff complete {target}` takes in the one that it has"
    key.draft.note(key.id, f"adopted: its secret is not known here; {offer}")
