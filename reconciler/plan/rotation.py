"""Rotation: when a key is due for its next generation, and when the one before that ends."""

from __future__ import annotations

from datetime import datetime, timedelta

from reconciler.model.action import ActionKind, Operation
from reconciler.model.desired import DEFAULT_OVERLAP, DEFAULT_RENEWAL, KeyState, Rotation, Strategy, VaultPath
from reconciler.model.names import Kind
from reconciler.model.observed import Observed
from reconciler.model.state import HandoffAction, Previous, Record
from reconciler.plan import digest
from reconciler.plan.key_plan import KeyPlan
from reconciler.plan.ownership import Unclear
from reconciler.providers.base import Write


def retire(key: KeyPlan, record: Record) -> bool:
    """Plan the end of the previous generation when its time has come. True while one is still waiting."""
    previous = record.previous
    if previous is None:
        return False
    locked = key.wanted().state is KeyState.LOCKED
    found = key.draft.owners.by_id(Kind.API_KEY, previous.vendor_id)
    gone = found is None
    used = _still_used(key, record, found) if found is not None else ""
    rotation = key.wanted().rotation
    held = bool(used) and rotation is not None and rotation.hold_while_used
    dropped = key.id in key.draft.view.drop_previous or _is_asked_away(record)
    if (previous.until > key.now or held) and not locked and not gone and not dropped:
        until = f"{previous.until:%Y-%m-%d %H:%M}Z"
        over = previous.until <= key.now
        works = f"is held beyond the end of its overlap ({until})" if over else f"keeps working until {until}"
        key.draft.note(key.id, f"generation {previous.generation} (id {previous.vendor_id}) {works}{used}")
        _update_retiring(key, previous)
        return True
    if not previous_can_go(key, record):
        return True
    reason = "it is gone at the vendor" if gone else "the key is locked" if locked else "its overlap is over"
    if dropped and not gone:
        reason = "it makes room for the next one"
    key.act(
        ActionKind.RETIRE,
        Operation.REMOVE,
        f"generation {previous.generation} (id {previous.vendor_id}): {reason}",
        vendor_id=previous.vendor_id,
        generation=record.generation,
    )
    # Where a person deletes it, it lives until that is confirmed, and the state can remember one such generation.
    return Write.DELETE_KEY in key.draft.traits.by_hand and not gone


def _is_asked_away(record: Record) -> bool:
    """Whether a person was asked to delete the generation before: that stands, whatever was said since."""
    handoff, previous = record.handoff, record.previous
    asked = handoff is not None and handoff.action is HandoffAction.DELETE
    return asked and handoff is not None and previous is not None and handoff.vendor_id == previous.vendor_id


def end_of_overlap(now: datetime, overlap: timedelta) -> datetime:
    """Until when the generation before works. Without overlap that is over at once, even if the server's clock, which
    counts whole seconds, is read once more and gives the second before.
    """
    return now + overlap if overlap else now - timedelta(seconds=2)


def _still_used(key: KeyPlan, record: Record, found: Observed) -> str:
    """Words for it if somebody has used a generation of late, after its successor was in Vault, where the vendor tells."""
    last_used, rotation = found.facts.get("lastUsed"), key.wanted().rotation
    if not isinstance(last_used, datetime) or record.issued_at is None or last_used <= record.issued_at:
        return ""
    overlap = rotation.overlap if rotation is not None else DEFAULT_OVERLAP
    if last_used <= key.now - max(overlap, timedelta(hours=1)):
        return ""
    return f"; somebody still uses it (last on {last_used:%Y-%m-%d %H:%M}Z)"


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
    """A generation in its overlap must not keep access that the manifest has since taken away. A lock of it stays."""
    found = key.draft.owners.recorded(key.id, previous.vendor_id, previous.nonce)
    if not isinstance(found, Observed):
        return
    traits = key.draft.traits
    left_alone = {"expires", *traits.fixed, *traits.unreadable, *(("accessLevel",) if traits.fixed_level else ())}
    left_alone.add("state")  # of a key that is locked none lives on
    changed, level_id = key.differences(found, former=previous.generation, left_alone=left_alone)
    if changed and key.record is not None:
        key.act(
            ActionKind.UPDATE, Operation.UPDATE, f"generation {previous.generation}, in its overlap",
            changes=tuple(changed), vendor_id=found.vendor_id, generation=previous.generation, level_id=level_id,
            observed=found, seen=digest.seen(found, key.record),
        )  # fmt: skip


def rotate(key: KeyPlan, record: Record) -> None:
    """Plan the next generation if it is due."""
    desired = key.wanted()
    rotation = desired.rotation or Rotation(timedelta(0), DEFAULT_OVERLAP)
    due = _why_due(key, record)
    if not due:
        return
    if desired.state is KeyState.LOCKED:
        key.draft.note(key.id, "rotation is due, and waits until the key is unlocked")
        return
    path = desired.secret_path
    if not key.may_write(path):
        return
    in_place = rotation.strategy is Strategy.IN_PLACE or not rotation.overlap
    if in_place and key.draft.traits.regenerates_in_place:
        if not key.is_own(record.vendor_id):
            key.act(
                ActionKind.ROTATE, Operation.REGENERATE, f"{due}; in place: the old secret dies at once",
                vendor_id=record.vendor_id, generation=key.next_generation,
                base_version=key.secret(path).current_version,
            )  # fmt: skip
        return
    lives = f"the old key keeps working for {spell(rotation.overlap)}"
    key.issue(ActionKind.ROTATE, f"{due}; {lives}", path, overlap=rotation.overlap)
    if not rotation.overlap:
        key.end_former(record.vendor_id, "without overlap")


def _why_due(key: KeyPlan, record: Record) -> str:
    """Why the key needs its next generation now: its age, or an end that the vendor has set; empty if it does not."""
    rotation, ends = key.wanted().rotation, _vendors_end(key)
    intent = key.draft.owners.intents.get(str(key.id))
    brought = intent is not None and record.generation >= intent.generation  # and not recorded, for that run died
    if key.id in key.draft.view.rotate or (
        intent is not None and intent.handoff is not None and intent.handoff.rotation and not brought
    ):
        return "asked for"  # now, or of a person who has not brought it yet
    if record.adopted and not record.version and key.draft.desired.adopt_rotate:
        return "adopted: its secret is not known"
    if rotation is not None and record.issued_at is not None and record.issued_at + rotation.every <= key.now:
        return f"issued {record.issued_at:%Y-%m-%d}, due every {spell(rotation.every)}"
    if ends is None:
        return ""
    before = rotation.renew_before if rotation is not None else DEFAULT_RENEWAL
    if ends - before <= key.now:
        return f"the vendor ends it on {ends:%Y-%m-%d %H:%M}Z, renewed {spell(before)} before"
    key.draft.note(key.id, f"the vendor ends it on {ends:%Y-%m-%d %H:%M}Z; it is renewed {spell(before)} before")
    return ""


def _vendors_end(key: KeyPlan) -> datetime | None:
    """When the vendor ends the key, if that is before the manifest does."""
    ends = key.found.fields.get("expires") if key.found else None
    expires = key.wanted().expires
    return ends if isinstance(ends, datetime) and (expires is None or ends < expires) else None


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
        vendor_name=replaced.vendor_name if replaced.adopted else "",
    )


def spell(span: timedelta) -> str:
    """A duration as manifests write it, in its largest whole unit: `90d`, `36h`, `90m`, `45s`."""
    seconds = int(span.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
