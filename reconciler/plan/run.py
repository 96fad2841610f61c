"""Planning many tenants side by side. One that cannot be read is excluded and named; the others go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from reconciler.errors import ReconcilerError, Unexpected
from reconciler.model.action import TenantPlan
from reconciler.model.desired import DesiredTenant
from reconciler.plan.draft import TenantView
from reconciler.plan.observe import Access, OpenTenant, observe, open_tenant
from reconciler.plan.planner import plan_tenant

PARALLEL_TENANTS: Final = 64
"""Planning a tenant is waiting for its vendor, one answer after the other, and little work."""


@dataclass(frozen=True, slots=True)
class PlannedTenant:
    """A tenant that could be read: its plan, and the session that an apply goes on with."""

    tenant: OpenTenant
    plan: TenantPlan
    view: TenantView | None = None
    """What it was planned from, if the run was asked to keep that."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A tenant that could not be read, and why."""

    tenant: DesiredTenant
    error: ReconcilerError


@dataclass(frozen=True, slots=True)
class Planned:
    """All tenants of a run, each readable or not, in the order of their names."""

    readable: tuple[PlannedTenant, ...]
    unreadable: tuple[Unreadable, ...]

    @property
    def plans(self) -> tuple[TenantPlan, ...]:
        """The plans alone."""
        return tuple(item.plan for item in self.readable)

    def with_plans(self, plans: Sequence[TenantPlan]) -> Planned:
        """The same tenants with other plans, given in the same order."""
        pairs = zip(self.readable, plans, strict=True)
        return Planned(tuple(replace(item, plan=plan) for item, plan in pairs), self.unreadable)

    def close(self) -> None:
        """Close every session."""
        for item in self.readable:
            item.tenant.session.close()


def plan_all(
    access: Access,
    tenants: Sequence[DesiredTenant],
    progress: Callable[[str], None] = lambda _: None,
    *,
    keep_views: bool = False,
) -> Planned:
    """Observe and plan every tenant. `progress` is called with the name of each tenant that is done.

    `keep_views` keeps what each was planned from, which takes the memory of all of it at once.
    """

    def one(desired: DesiredTenant) -> PlannedTenant | Unreadable:
        tenant: OpenTenant | None = None
        try:
            tenant = open_tenant(access, desired)
            view = observe(access, tenant) if keep_views else None
            plan = replan(access, tenant) if view is None else _planned(access, tenant, view)
            if not plan.actions and not keep_views:
                tenant.session.close()  # its connections; one that is used again opens new ones
            return PlannedTenant(tenant, plan, view)
        except Exception as problem:  # noqa: BLE001  what ends one tenant must not end the others
            if tenant is not None:
                tenant.session.close()
            return Unreadable(desired, problem if isinstance(problem, ReconcilerError) else Unexpected.of(problem))
        finally:
            progress(desired.name)

    with ThreadPoolExecutor(max_workers=PARALLEL_TENANTS, thread_name_prefix="plan") as pool:
        results = list(pool.map(one, sorted(tenants, key=lambda tenant: tenant.name)))
    return Planned(
        readable=tuple(item for item in results if isinstance(item, PlannedTenant)),
        unreadable=tuple(item for item in results if isinstance(item, Unreadable)),
    )


def replan(access: Access, tenant: OpenTenant) -> TenantPlan:
    """Observe one tenant once more and plan it."""
    return _planned(access, tenant, observe(access, tenant))


def _planned(access: Access, tenant: OpenTenant, view: TenantView) -> TenantPlan:
    return plan_tenant(tenant.desired, tenant.provider, view, access.estate.id)
