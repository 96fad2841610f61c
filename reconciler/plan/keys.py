"""What to do about one tenant's keys: recovery first, then creation, drift, rotation and removal."""

from __future__ import annotations

from reconciler.errors import foreign
from reconciler.model.action import ActionKind, Change, Operation
from reconciler.model.desired import KeyState, VaultPath
from reconciler.model.names import Kind, ObjectId
from reconciler.model.observed import Observed
from reconciler.model.state import Record
from reconciler.plan.draft import Draft
from reconciler.plan.key_plan import KeyPlan
from reconciler.plan.levels import LevelIndex, granted, remembered, remove_orphan
from reconciler.plan.ownership import Unclear
from reconciler.plan.recovery import recover
from reconciler.plan.rotation import previous_can_go, retire, rotate


def plan_keys(draft: Draft, levels: LevelIndex) -> None:
    """Plan every key that is wanted or recorded."""
    wanted = {key.name: key for key in draft.desired.keys}
    names = set(wanted)
    for text in (*draft.owners.records, *draft.owners.intents):
        object_id = ObjectId.parse(text)
        if object_id.kind is Kind.API_KEY:
            names.add(object_id.name)
    for name in sorted(names):
        _plan(KeyPlan(draft, levels, ObjectId(Kind.API_KEY, name), wanted.get(name)))
    for orphan in draft.owners.orphans(Kind.API_KEY):
        if orphan.vendor_id == draft.view.observed.own_key_id:
            draft.block(ObjectId(Kind.API_KEY, foreign(orphan.name)), "it is the key that the reconciler is using")
        else:
            remove_orphan(draft, orphan)


def _plan(key: KeyPlan) -> None:
    key.record = key.draft.owners.records.get(str(key.id))
    intent = key.draft.owners.intents.get(str(key.id))
    if intent is not None:
        recover(key, intent)
    if key.record is not None and key.found is None:
        found = key.draft.owners.recorded(key.id, key.record.vendor_id, key.record.nonce)
        if isinstance(found, Unclear):
            key.block(
                f"our records say id {key.record.vendor_id}, but that is now {found.observed.name!r} without our mark",
                "its owner cannot be told: look at it in the vendor's console",
            )
            return
        key.found = found
    removal = key.why_removed()
    if removal:
        _remove(key, removal)
    elif key.record is None:
        _create(key)
    else:
        _keep(key, key.record)


def _remove(key: KeyPlan, reason: str) -> None:
    if key.record is None:
        if reason.startswith("expired"):
            key.draft.note(key.id, f"{reason}: not created")
        return
    if key.record.protect or (key.desired is not None and key.desired.protect):
        key.block(
            f"it is protected, and {reason}",
            "protection is lifted in a commit of its own: apply protect: false while the key is still wanted",
        )
        return
    if key.is_own(key.record.vendor_id) or not previous_can_go(key, key.record):
        return
    if key.found is None:
        reason += "; gone at the vendor already, its secret is not"
    key.act(
        ActionKind.DELETE, Operation.DELETE, reason, vendor_id=key.record.vendor_id,
    )  # fmt: skip


def _create(key: KeyPlan) -> None:
    desired = key.wanted()
    if key.draft.block_foreign(key.id, desired.source) or not key.level_is_known():
        return
    if not key.may_write(desired.secret_path):
        return
    key.act(
        ActionKind.CREATE,
        Operation.ISSUE,
        "",
        changes=_all_fields(key),
        base_version=key.secret(desired.secret_path).current_version,
    )


def _all_fields(key: KeyPlan) -> tuple[Change, ...]:
    desired = key.wanted()
    fields = dict(key.draft.provider.key_fields(desired), accessLevel=str(desired.level))
    return (*granted(fields), Change("secret", None, str(desired.secret_path)))


def _keep(key: KeyPlan, record: Record) -> None:
    desired = key.wanted()
    if record.revoked is not None:
        key.block(f"it was revoked {record.revoked.at:%Y-%m-%d %H:%M}Z: {record.revoked.reason}")
        return
    key.draft.vanished += key.found is None
    if not key.level_is_known():
        return
    if key.found is None:
        if key.draft.block_foreign(key.id, desired.source) or not key.may_write(desired.secret_path):
            return
        key.act(
            ActionKind.REPAIR,
            Operation.ISSUE,
            f"key {record.vendor_id} is gone at the vendor: issue a new one",
            changes=_all_fields(key),
            generation=record.generation + 1,
            base_version=key.secret(desired.secret_path).current_version,
        )
        retire(key, record)
        return
    _update(key, record, key.found)
    if not key.secret_pending:
        _mend_secret(key, record)
    if not retire(key, record) and not key.secret_pending:
        rotate(key, record)


def _update(key: KeyPlan, record: Record, found: Observed) -> None:
    desired = key.wanted()
    changed, level_id = key.differences(found)
    if key.draft.mark_is_lost(found, record):
        changed.append(Change("mark", "missing", "restored"))
    at_vendor = bool(changed)
    changed += remembered(record, desired.owner, desired.protect)
    if not changed:
        return
    state = next((change.new for change in changed if change.path == "state"), None)
    if state == KeyState.LOCKED and key.is_own(found.vendor_id):
        return
    kinds = {KeyState.LOCKED.value: ActionKind.LOCK, KeyState.ACTIVE.value: ActionKind.UNLOCK}
    key.act(
        kinds.get(str(state), ActionKind.UPDATE),
        Operation.UPDATE if at_vendor else Operation.RECORD,
        "",
        changes=tuple(changed),
        vendor_id=found.vendor_id,
        generation=record.generation,
        level_id=level_id,
    )


def _mend_secret(key: KeyPlan, record: Record) -> None:
    path = VaultPath(record.mount, record.path)
    secret = key.secret(path)
    if not secret.live:
        if key.may_write(key.wanted().secret_path):
            key.reissue(f"its secret is missing from {path}: reissue", record.generation + 1, key.wanted().secret_path)
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
