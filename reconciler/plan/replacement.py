"""Replacing a key: what the vendor fixes for a key's life can only be changed by issuing another key in its place."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

from reconciler.model.action import ActionKind, Change, Operation
from reconciler.model.desired import DEFAULT_OVERLAP
from reconciler.model.observed import Observed
from reconciler.model.state import Record
from reconciler.plan.key_plan import KeyPlan
from reconciler.plan.rotation import previous_can_go, spell
from reconciler.providers.base import Expiry, Write


def replace_key(key: KeyPlan, record: Record, found: Observed, changed: Sequence[Change], level_id: str | None) -> bool:
    """Plan a replacement if one is needed: True then, whether it can be done or is blocked."""
    needs = _needs(key, record, found, changed, level_id)
    if not needs:
        return False
    path = key.wanted().secret_path
    if key.is_own(found.vendor_id) or not key.may_write(path) or not previous_can_go(key, record):
        return True
    if record.previous is not None:  # never three at once
        previous = record.previous
        reason = f"generation {previous.generation} (id {previous.vendor_id}): the key is replaced"
        key.act(ActionKind.RETIRE, Operation.REMOVE, reason, vendor_id=previous.vendor_id, generation=record.generation)
        if Write.DELETE_KEY in key.draft.traits.by_hand:
            return True  # it lives until a person says that it is gone
    overlap = _overlap(key, needs)
    lives = f"the old key keeps working for {spell(overlap)}" if overlap else "the old key goes at once"
    reason = f"{', '.join(sorted(needs))} cannot be changed on a key: a new one is issued; {lives}"
    key.issue(ActionKind.REPLACE, reason, path, changes=tuple(changed), level_id=level_id, overlap=overlap)
    key.secret_pending = True
    if not overlap:
        key.end_former(found.vendor_id, "it is replaced, and must not keep the access that it had")
    return True


def _needs(key: KeyPlan, record: Record, found: Observed, changed: Collection[Change], wanted: str | None) -> set[str]:
    """The fields that only a new key can have as they are wanted."""
    traits = key.draft.traits
    fixed = set(traits.fixed)
    if traits.expiry in {Expiry.FIXED, Expiry.ROUNDED}:
        fixed.add("expires")
    needs = {change.path.split(".")[0] for change in changed} & fixed
    if traits.fixed_level:
        had = found.level_id or record.level_id
        if had and wanted != had:
            needs.add(key.level_word)
    return needs


def _overlap(key: KeyPlan, needs: Collection[str]) -> timedelta:
    """How long the old key may go on: not at all if it has access that the new one should not have."""
    if set(needs) != {"expires"}:
        return timedelta(0)
    desired = key.wanted()
    overlap = desired.rotation.overlap if desired.rotation is not None else DEFAULT_OVERLAP
    return min(overlap, desired.expires - key.now) if desired.expires is not None else overlap
