"""`--target`: a part of a plan. Guardrails are checked before this, over everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reconciler.errors import InvalidInput
from reconciler.model.action import Action, ActionKind, Blocked, Operation, TenantPlan
from reconciler.model.desired import DesiredKey, DesiredTenant
from reconciler.model.names import Kind, ObjectId
from reconciler.suggest import did_you_mean


@dataclass(frozen=True, slots=True)
class Target:
    """A tenant, or one object of it. As text: `TENANT`, `TENANT/KEY`, `TENANT/KIND/NAME`."""

    tenant: str
    object: ObjectId | None = None

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read one target; InvalidInput if it is none."""
        parts = text.split("/")
        try:
            if len(parts) == 1 and parts[0]:
                return cls(parts[0])
            if len(parts) == 2:
                return cls(parts[0], ObjectId.parse(f"{Kind.API_KEY}/{parts[1]}"))
            if len(parts) == 3:
                return cls(parts[0], ObjectId.parse(f"{parts[1]}/{parts[2]}"))
        except ValueError:
            pass
        raise InvalidInput(
            f"{text!r} is no target",
            hint="write TENANT, TENANT/KEY or TENANT/KIND/NAME, such as dsm-prod/AccessLevel/read",
        )


def tenants(all_tenants: Sequence[DesiredTenant], targets: Sequence[Target]) -> tuple[DesiredTenant, ...]:
    """The tenants that the targets name; InvalidInput for one that does not exist. No targets: all tenants."""
    names = {tenant.name for tenant in all_tenants}
    for target in targets:
        if target.tenant not in names:
            raise InvalidInput(
                f"--target names tenant {target.tenant!r}, which the estate does not have",
                hint=did_you_mean(target.tenant, names),
            )
    chosen = {target.tenant for target in targets}
    return tuple(tenant for tenant in all_tenants if not targets or tenant.name in chosen)


def refuse_unknown(tenant: DesiredTenant, plan: TenantPlan, targets: Sequence[Target]) -> None:
    """InvalidInput for a target that is in no manifest of its tenant and that nothing is to be done about either."""
    mine = [target.object for target in targets if target.tenant == tenant.name and target.object is not None]
    if not mine:
        return
    known = {level.id for level in tenant.levels} | {key.id for key in tenant.keys}
    known |= {action.object for action in plan.actions} | {blocked.object for blocked in plan.blocked}
    known |= {waiting.object for waiting in plan.waiting}
    for name in mine:
        if name not in known:
            raise InvalidInput(
                f"--target names {name}, which tenant {tenant.name} does not have",
                hint=did_you_mean(str(name), map(str, known)),
            )


def narrow(plan: TenantPlan, targets: Sequence[Target]) -> TenantPlan:
    """Only what the targets name, and the access levels that a named key needs."""
    mine = [target for target in targets if target.tenant == plan.tenant]
    if not mine or any(target.object is None for target in mine):
        return plan
    chosen = {target.object for target in mine}
    for action in plan.actions:
        if action.object in chosen and isinstance(action.desired, DesiredKey) and action.desired.level.id is not None:
            chosen.add(action.desired.level.id)
    others = [action for action in plan.actions if action.object not in chosen]
    waiting = {action.object: _users(action, others) for action in plan.actions if action.object in chosen}
    held = tuple(
        Blocked(name, f"keys that still use it are no targets: {', '.join(users)}", "name them too, or plan the tenant")
        for name, users in waiting.items()
        if users
    )
    return replace(
        plan,
        actions=tuple(action for action in plan.actions if action.object in chosen and not waiting[action.object]),
        blocked=tuple(item for item in plan.blocked if item.object in chosen) + held,
        waiting=tuple(item for item in plan.waiting if item.object in chosen),
        notes=tuple(note for note in plan.notes if note.object is None or note.object in chosen),
        unmanaged=(),
    )


def only_rotation(plan: TenantPlan, name: ObjectId) -> TenantPlan:
    """Of a plan only what gives this key its next secret.

    A replacement is a rotation that cannot wait; the end of a former generation is kept with what makes its successor; a
    rename comes first, or the state would know the key twice.
    """
    kinds = {ActionKind.ROTATE, ActionKind.RETIRE, ActionKind.REPAIR, ActionKind.REPLACE}
    mine = tuple(
        action for action in plan.actions if action.object == name and (action.kind in kinds or action.renamed_from)
    )
    return replace(plan, actions=mine, waiting=tuple(item for item in plan.waiting if item.object == name))


def _users(removal: Action, others: Sequence[Action]) -> list[str]:
    """The keys that another part of the plan takes off a level which this action deletes."""
    if not removal.object.kind.is_level or removal.operation not in {Operation.DELETE, Operation.REMOVE}:
        return []
    return sorted(
        {action.object.name for action in others if action.observed and action.observed.level_id == removal.vendor_id}
    )
