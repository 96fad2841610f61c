"""Saved plans: what was decided, by digest, so that what is shown is what is done.

A saved plan holds no secret and gives no power: an apply plans afresh and does only those of its *own* actions that the
file names with the same digests. An action that is done already is no longer in the fresh plan, so that a plan goes on
where it stopped; what a dead run left half-way of a planned object is repaired under the same plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from reconciler.errors import InvalidInput
from reconciler.model.action import Action, ActionKind, Operation, TenantPlan
from reconciler.model.desired import DesiredKey
from reconciler.model.estate import Estate
from reconciler.model.names import ObjectId

_OPENS_INTENT: Final = frozenset({ActionKind.CREATE, ActionKind.REPLACE, ActionKind.ROTATE, ActionKind.REPAIR})
FALLS_DUE: Final = frozenset({ActionKind.ROTATE, ActionKind.RETIRE})


class SavedAction(BaseModel):
    """One action: what a reviewer read, and the digests of what it was decided on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ActionKind
    object: str
    reason: str
    fields: tuple[str, ...]
    wanted: str
    seen: str


class SavedTenant(BaseModel):
    """One tenant's part of a saved plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant: str
    provider: str
    endpoint: str
    actions: tuple[SavedAction, ...]


class SavedPlan(BaseModel):
    """The file that `plan --out` writes and `apply FILE` reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    estate: UUID
    manifests: str
    created: datetime
    tenants: tuple[SavedTenant, ...]


def save(path: Path, estate: Estate, plans: Sequence[TenantPlan], now: datetime) -> None:
    """Write the plan; InvalidInput if the file cannot be written."""
    saved = SavedPlan(
        estate=estate.id,
        manifests=estate.digest,
        created=now,
        tenants=tuple(
            SavedTenant(
                tenant=plan.tenant,
                provider=plan.provider,
                endpoint=plan.endpoint,
                actions=tuple(_saved(action) for action in plan.actions),
            )
            for plan in plans
        ),
    )
    try:
        path.write_text(saved.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"the plan cannot be written: {error.strerror}", where=str(path)) from None


def load(path: Path, estate: Estate) -> SavedPlan:
    """Read a plan and check that it was made of these manifests; InvalidInput if not."""
    try:
        saved = SavedPlan.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InvalidInput(f"the plan cannot be read: {error.strerror}", where=str(path)) from None
    except ValidationError:
        raise InvalidInput(
            "this is not a plan that this version wrote",
            where=str(path),
            hint="write one with `reconciler plan --out FILE`",
        ) from None
    if saved.estate != estate.id:
        raise InvalidInput("the plan was made for another estate", where=str(path))
    if saved.manifests != estate.digest:
        raise InvalidInput("the manifests have changed since the plan was made", where=str(path), hint="plan again")
    return saved


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a fresh plan a saved one covers."""

    plan: TenantPlan
    stale: tuple[Action, ...]
    """Actions on planned objects, or on levels that planned keys use, that are not what was planned."""
    unplanned: tuple[Action, ...]
    """Actions that only time brought, or on objects that the saved plan does not mention: left for another plan."""


def select(fresh: TenantPlan, saved: SavedPlan) -> Selection:
    """Compare a fresh plan with the saved one."""
    mine = next((item for item in saved.tenants if item.tenant == fresh.tenant), None)
    planned = mine.actions if mine is not None and mine.endpoint == fresh.endpoint else ()
    objects = {action.object for action in planned}
    kinds = {(action.object, action.kind) for action in planned}
    exact = {(action.object, action.kind, action.wanted, action.seen) for action in planned}
    begun = {(action.object, action.wanted) for action in planned if action.kind in _OPENS_INTENT}
    kept, stale, unplanned = [], [], []
    for action in fresh.actions:
        name = str(action.object)
        recovery = action.kind is ActionKind.REPAIR and action.intent is not None and (name, action.wanted) in begun
        due = action.kind in FALLS_DUE and (name, action.kind) not in kinds
        if (name, action.kind, action.wanted, action.seen) in exact or recovery:
            kept.append(action)
        elif name in objects and not due:
            stale.append(action)
        else:
            unplanned.append(action)
    levels = {level for action in kept for level in _rests_on(action)}
    stale += [action for action in unplanned if action.object in levels]
    unplanned = [action for action in unplanned if action.object not in levels]
    return Selection(replace(fresh, actions=tuple(kept)), tuple(stale), tuple(unplanned))


def _rests_on(action: Action) -> tuple[ObjectId, ...]:
    """The access level of ours that an action gives to a key."""
    desired = action.desired
    if not isinstance(desired, DesiredKey) or desired.level.id is None:
        return ()
    gives = action.operation is Operation.ISSUE or any(change.path == "accessLevel" for change in action.changes)
    return (desired.level.id,) if gives else ()


def _saved(action: Action) -> SavedAction:
    return SavedAction(
        kind=action.kind,
        object=str(action.object),
        reason=action.reason,
        fields=tuple(change.path for change in action.changes),
        wanted=action.wanted,
        seen=action.seen,
    )
