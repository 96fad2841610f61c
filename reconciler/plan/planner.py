"""The planner: a pure function of what is desired, what was observed, and the time."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from reconciler.errors import foreign
from reconciler.model.action import Action, ActionKind, Operation, TenantPlan
from reconciler.model.desired import DesiredTenant, Unmanaged
from reconciler.model.mark import owner_tag
from reconciler.model.names import Kind, ObjectId
from reconciler.model.observed import Observed
from reconciler.plan.draft import Draft, TenantView
from reconciler.plan.keys import plan_keys
from reconciler.plan.levels import keep_levels_in_use, plan_levels
from reconciler.providers.base import Provider


def plan_tenant(desired: DesiredTenant, provider: Provider, view: TenantView, estate: UUID) -> TenantPlan:
    """Everything to be done about one tenant, in order: a level before its keys, removals last."""
    draft = Draft(desired, provider, view, owner_tag(estate, desired.name))
    if draft.owners.has_state or not _block_lost(draft):
        levels = plan_levels(draft)
        plan_keys(draft, levels)
        keep_levels_in_use(draft)
    lease = view.document.lease if view.document else None
    if lease is not None and lease.expires > view.now:
        draft.note(
            None, f"an apply by {lease.holder} has been at work since {lease.since:%H:%M:%S}Z: this may be half its way"
        )
    return TenantPlan(
        tenant=desired.name,
        provider=desired.provider,
        endpoint=desired.endpoint,
        actions=tuple(sorted(draft.actions, key=_order)),
        blocked=tuple(draft.blocked),
        notes=tuple(draft.notes),
        unmanaged=_unmanaged(draft),
        population=len(draft.owners.records),
        state_version=view.state_version,
        vanished=draft.vanished,
    )


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


_RANK: Final = {
    (Kind.ACCESS_LEVEL, Operation.RECORD): 0,
    (Kind.API_KEY, Operation.RECORD): 1,
    (Kind.ACCESS_LEVEL, Operation.CREATE): 2,
    (Kind.ACCESS_LEVEL, Operation.UPDATE): 3,
    (Kind.API_KEY, Operation.UPDATE): 4,
    (Kind.API_KEY, Operation.REMOVE): 5,
    (Kind.API_KEY, Operation.REGENERATE): 6,
    (Kind.API_KEY, Operation.ISSUE): 7,
    (Kind.API_KEY, Operation.DELETE): 8,
    (Kind.ACCESS_LEVEL, Operation.REMOVE): 9,
    (Kind.ACCESS_LEVEL, Operation.DELETE): 10,
}


def _order(action: Action) -> tuple[float, str]:
    rank: float = _RANK[action.object.kind, action.operation]
    if action.kind is ActionKind.REPAIR and action.operation is Operation.REGENERATE:
        rank = _RANK[Kind.API_KEY, Operation.REMOVE] - 0.5  # no other generation goes before this one's secret is there
    return rank, action.object.name
