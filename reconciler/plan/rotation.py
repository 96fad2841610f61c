"""Rotation: when a key is due for its next generation, and when the one before that ends."""

from __future__ import annotations

from datetime import datetime, timedelta

from reconciler.model.action import ActionKind, Operation
from reconciler.model.desired import KeyState, Strategy, VaultPath
from reconciler.model.names import Kind
from reconciler.model.observed import Observed
from reconciler.model.state import Previous, Record
from reconciler.plan import digest
from reconciler.plan.key_plan import KeyPlan
from reconciler.plan.ownership import Unclear


def retire(key: KeyPlan, record: Record) -> bool:
    """Plan the end of the previous generation when its time has come. True while one is still waiting."""
    previous = record.previous
    if previous is None:
        return False
    locked = key.wanted().state is KeyState.LOCKED
    gone = key.draft.owners.by_id(Kind.API_KEY, previous.vendor_id) is None
    if previous.until > key.now and not locked and not gone:
        key.draft.note(
            key.id,
            f"generation {previous.generation} (id {previous.vendor_id}) keeps working "
            f"until {previous.until:%Y-%m-%d %H:%M}Z",
        )
        _update_retiring(key, previous)
        return True
    if not previous_can_go(key, record):
        return True
    reason = "it is gone at the vendor" if gone else "the key is locked" if locked else "its overlap is over"
    key.act(
        ActionKind.RETIRE,
        Operation.REMOVE,
        f"generation {previous.generation} (id {previous.vendor_id}): {reason}",
        vendor_id=previous.vendor_id,
        generation=record.generation,
    )
    return False


def previous_can_go(key: KeyPlan, record: Record) -> bool:
    """Whether the retiring generation, if there is one, is clearly ours to delete; if not the object is blocked."""
    if record.previous is None:
        return True
    found = key.draft.owners.recorded(key.id, record.previous.vendor_id, record.previous.nonce)
    if isinstance(found, Unclear):
        key.block(
            f"our records say that its generation {record.previous.generation} is id {record.previous.vendor_id}, "
            f"but that is now {found.observed.name!r} without our mark",
            "its owner cannot be told: look at it in the vendor's console",
        )
        return False
    return not key.is_own(record.previous.vendor_id)


def _update_retiring(key: KeyPlan, previous: Previous) -> None:
    """A generation in its overlap must not keep access that the manifest has since taken away."""
    found = key.draft.owners.recorded(key.id, previous.vendor_id, previous.nonce)
    if not isinstance(found, Observed):
        return
    changed, level_id = key.differences(found)
    changed = [change for change in changed if change.path != "expires"]
    if changed and key.record is not None:
        key.act(
            ActionKind.UPDATE, Operation.UPDATE, f"generation {previous.generation}, in its overlap",
            changes=tuple(changed), vendor_id=found.vendor_id, generation=previous.generation, level_id=level_id,
            observed=found, seen=digest.seen(found, key.record),
        )  # fmt: skip


def rotate(key: KeyPlan, record: Record) -> None:
    """Plan the next generation if it is due."""
    desired = key.wanted()
    rotation = desired.rotation
    if rotation is None or record.issued_at is None or record.issued_at + rotation.every > key.now:
        return
    if desired.state is KeyState.LOCKED:
        key.draft.note(key.id, "rotation is due, and waits until the key is unlocked")
        return
    due = f"issued {record.issued_at:%Y-%m-%d}, due every {spell(rotation.every)}"
    path = desired.secret_path
    if not key.may_write(path):
        return
    in_place = rotation.strategy is Strategy.IN_PLACE or not rotation.overlap
    if in_place and key.draft.traits.regenerates_in_place:
        if not key.is_own(record.vendor_id):
            key.act(
                ActionKind.ROTATE, Operation.REGENERATE, f"{due}; in place: the old secret dies at once",
                vendor_id=record.vendor_id, generation=record.generation + 1,
                base_version=key.secret(path).current_version,
            )  # fmt: skip
        return
    key.act(
        ActionKind.ROTATE,
        Operation.ISSUE,
        f"{due}; the old key keeps working for {spell(rotation.overlap)}",
        generation=record.generation + 1,
        base_version=key.secret(path).current_version,
    )


def retiring(replaced: Record, new_path: VaultPath, until: datetime) -> Previous:
    """The record of a key that has a successor. Where its secret lies is kept only if the path has moved."""
    moved = VaultPath(replaced.mount, replaced.path) != new_path
    return Previous(
        vendor_id=replaced.vendor_id,
        generation=replaced.generation,
        nonce=replaced.nonce,
        until=until,
        mount=replaced.mount if moved else "",
        path=replaced.path if moved else "",
    )


def spell(span: timedelta) -> str:
    """A duration as manifests write it, in its largest whole unit: `90d`, `36h`, `90m`, `45s`."""
    seconds = int(span.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
