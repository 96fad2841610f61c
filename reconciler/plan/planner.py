"""The planner: a pure function of what is desired, what was observed, and the time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, Final
from uuid import UUID

from reconciler.errors import foreign
from reconciler.model.action import Action, ActionKind, Change, Operation, TenantPlan
from reconciler.model.desired import Approval, DesiredTenant, Unmanaged
from reconciler.model.mark import owner_tag
from reconciler.model.names import Kind, ObjectId
from reconciler.model.observed import Observed
from reconciler.plan import digest
from reconciler.plan.draft import Draft, TenantView
from reconciler.plan.handoff import hand_off
from reconciler.plan.keys import plan_keys
from reconciler.plan.levels import keep_levels_in_use, plan_levels
from reconciler.plan.marks import marked
from reconciler.providers.base import Provider


def plan_tenant(desired: DesiredTenant, provider: Provider, view: TenantView, estate: UUID) -> TenantPlan:
    """Everything to be done about one tenant, in order: a level before its keys, removals last."""
    draft = Draft(desired, provider, view, owner_tag(estate, desired.name))
    if draft.owners.has_state or not _block_lost(draft):
        levels = plan_levels(draft)
        plan_keys(draft, levels)
        _prune(draft)
        keep_levels_in_use(draft)
        hand_off(draft, levels)
        _move_records(draft)
        draft.actions = marked(draft)
    lease = view.document.lease if view.document else None
    if lease is not None and lease.expires > view.now:
        draft.note(
            None, f"an apply by {lease.holder} has been at work since {lease.since:%H:%M:%S}Z: this may be half its way"
        )
    return TenantPlan(
        tenant=desired.name,
        provider=desired.provider,
        endpoint=desired.endpoint,
        actions=tuple(sorted(draft.actions, key=partial(_order, used={key.level_id for key in view.observed.keys}))),
        blocked=tuple(draft.blocked),
        notes=tuple(draft.notes),
        unmanaged=_unmanaged(draft),
        population=len(draft.owners.records),
        state_version=view.state_version,
        vanished=draft.vanished,
        waiting=tuple(draft.waiting),
        facts=_facts(draft),
        differences=tuple(draft.differences),
    )


def _facts(draft: Draft) -> dict[str, Mapping[str, Any]]:
    """What the vendor knows of the keys that our records name."""
    former = {old: new for new, old in draft.renamed.items()}
    found = {}
    for text, record in draft.owners.records.items():
        name = ObjectId.parse(text)
        item = draft.owners.by_id(Kind.API_KEY, record.vendor_id) if name.kind is Kind.API_KEY else None
        if item is not None:
            found[former.get(name, name).name] = item.facts
    return found


def _move_records(draft: Draft) -> None:
    """The state follows a rename before anything else is done to the object."""
    for new, old in draft.renamed.items():
        draft.actions.append(
            Action(
                ActionKind.UPDATE, Operation.RECORD, new, (Change("name", old.name, new.name),),
                f"our record moves from {old}; its secret stays where it is until the next rotation",
                renamed_from=str(old), record=draft.owners.records.get(str(new)), seen=digest.seen(None, None),
            )
        )  # fmt: skip


def _prune(draft: Draft) -> None:
    """Remove what is not ours, where the tenant opted in and an approval that has not ended names just that object."""
    if draft.desired.unmanaged is not Unmanaged.PRUNE:
        return
    foreign_items = _unmanaged(draft)
    for item in foreign_items:
        approval = next((one for one in draft.desired.approvals if _names(one, item)), None)
        if approval is None or approval.until <= draft.view.now:
            continue
        same = [other for other in foreign_items if _names(approval, other)]
        if len(same) > 1:
            ids = ", ".join(other.vendor_id for other in same)
            name = ObjectId(item.kind, foreign(item.name))
            draft.block(name, f"the approval names {len(same)} objects (ids {ids})", "name one by its id: vendorId")
            continue
        draft.actions.append(
            Action(
                ActionKind.DELETE, Operation.REMOVE, ObjectId(item.kind, foreign(item.name)),
                reason=f"id {item.vendor_id} is not ours; approved at {approval.source}", observed=item,
                vendor_id=item.vendor_id, wanted=digest.wanted(None), seen=digest.seen(item, None),
            )
        )  # fmt: skip


def _names(approval: Approval, item: Observed) -> bool:
    if approval.kind is not item.kind:
        return False
    return approval.vendor_id == item.vendor_id if approval.vendor_id else approval.name == item.name


def _block_lost(draft: Draft) -> bool:
    """Block everything that carries our mark: without a state document nothing can be told, so nothing is planned."""
    lost = [item for kind in Kind for item in draft.owners.orphans(kind)]
    for item in lost:
        draft.block(
            ObjectId(item.kind, foreign(item.name)),
            f"id {item.vendor_id} carries this estate's mark, but there is no state document for this tenant",
            "the state was lost or this is a copy of the estate: nothing is touched until the state is restored",
        )
    return bool(lost)


def _unmanaged(draft: Draft) -> tuple[Observed, ...]:
    if draft.desired.unmanaged is Unmanaged.IGNORE:
        return ()
    own = draft.view.observed.own_key_id
    foreign = (item for kind in Kind for item in draft.owners.foreign(kind))
    return tuple(item for item in foreign if item.kind is not Kind.API_KEY or item.vendor_id != own)


_LEVEL, _KEY = True, False
_RANK: Final = {
    (_LEVEL, Operation.RECORD): 0,
    (_KEY, Operation.RECORD): 1,
    (_LEVEL, Operation.CREATE): 2,
    (_LEVEL, Operation.UPDATE): 3,
    (_KEY, Operation.UPDATE): 4,
    (_KEY, Operation.REMOVE): 5,
    (_KEY, Operation.REGENERATE): 6,
    (_KEY, Operation.ISSUE): 7,
    (_KEY, Operation.DELETE): 8,
    (_LEVEL, Operation.REMOVE): 9,
    (_LEVEL, Operation.DELETE): 10,
}


def _order(action: Action, used: Collection[str | None]) -> tuple[float, str]:
    rank: float = _RANK[action.object.kind.is_level, action.by_hand or action.operation]
    if action.renamed_from:
        return -1, action.object.name
    orphan = action.kind is ActionKind.REPAIR and action.operation is Operation.REMOVE
    if orphan and action.object.kind.is_level and action.vendor_id not in used:
        return 1.5, action.object.name  # it may hold the very name that the next level is to have
    if action.kind is ActionKind.REPAIR and action.operation is Operation.REGENERATE:
        rank = _RANK[_KEY, Operation.REMOVE] - 0.5  # no other generation goes before this one's secret is there
    elif action.kind is ActionKind.RETIRE and action.record and action.vendor_id == action.record.vendor_id:
        rank = max(rank, _RANK[_KEY, Operation.ISSUE] + 0.5)  # its successor is in this very plan
    return rank, action.object.name
