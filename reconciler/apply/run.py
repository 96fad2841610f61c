"""Applying plans of many tenants side by side, each under its own lease."""

from __future__ import annotations

import getpass
import os
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from reconciler.apply.journal import Journal
from reconciler.apply.result import Result, Status, TenantResult
from reconciler.apply.tenant import TenantRun
from reconciler.apply.tools import Tools
from reconciler.errors import Conflict, ReconcilerError
from reconciler.model.action import Action, Operation, TenantPlan
from reconciler.model.desired import CredentialRef
from reconciler.model.mark import estate_tag
from reconciler.model.state import StateDocument
from reconciler.plan.observe import Access
from reconciler.plan.run import PARALLEL_TENANTS, PlannedTenant, replan
from reconciler.vault.lease import TenantLease


def holder() -> str:
    """Who is applying, for people who find the lease held: user, host and process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return f"{user}@{os.uname().nodename} (process {os.getpid()})"


@dataclass(frozen=True, slots=True)
class ApplyRun:
    """One `apply`: what it may use, and how it is watched and interrupted.

    `fresh` says that the plans were made a moment ago by this very process. If not, or if the state document has moved
    on, each tenant is observed again under its lease, and a plan that no longer stands is not applied.
    """

    access: Access
    fresh: bool
    lease_timeout: float = 0.0
    progress: Callable[[str, Result], None] = lambda _tenant, _result: None
    stop: threading.Event = field(default_factory=threading.Event)
    run: str = field(default_factory=lambda: secrets.token_hex(8))

    def apply_all(self, planned: Sequence[PlannedTenant]) -> tuple[TenantResult, ...]:
        """Apply every tenant's plan. Tenants with nothing to do take no lease."""
        with ThreadPoolExecutor(max_workers=PARALLEL_TENANTS, thread_name_prefix="apply") as pool:
            futures = [pool.submit(self._tenant, item) for item in planned]
            try:
                return tuple(future.result() for future in futures)
            except KeyboardInterrupt:
                self.stop.set()
                return tuple(future.result() for future in futures)

    def _tenant(self, item: PlannedTenant) -> TenantResult:
        if not item.plan.actions:
            return TenantResult(item.plan)
        try:
            lease = self._lease(item)
        except ReconcilerError as error:
            return TenantResult(item.plan, _skipped(item.plan.actions, error), error.at(item.plan.tenant))
        with lease:
            return self._under(lease, item)

    def _under(self, lease: TenantLease, item: PlannedTenant) -> TenantResult:
        try:
            plan = self._standing(item, lease)
            self._preflight(plan)
        except ReconcilerError as error:
            return TenantResult(item.plan, _skipped(item.plan.actions, error), error.at(item.plan.tenant))
        tools = Tools(
            access=self.access,
            tenant=item.tenant,
            lease=lease,
            journal=Journal(lease),
            estate_tag=estate_tag(self.access.estate.id),
            run=self.run,
        )
        item.tenant.gate.check = tools.before_write
        watched = TenantRun(tools, self.stop, lambda result: self.progress(item.plan.tenant, result))
        return TenantResult(plan, watched.carry_out(plan.actions))

    def _preflight(self, plan: TenantPlan) -> None:
        """Make sure, before the first vendor call, that every new secret can be stored."""
        paths = {
            action.key.secret_path
            for action in plan.actions
            if action.operation in {Operation.ISSUE, Operation.REGENERATE}
        }
        if paths:
            self.access.secrets.preflight(paths)

    def _lease(self, item: PlannedTenant) -> TenantLease:
        desired = item.tenant.desired
        template = StateDocument(
            estate=self.access.estate.id,
            tenant=desired.name,
            provider=desired.provider,
            endpoint=desired.endpoint,
            credentials=_reference(desired.credentials_apply),
        )
        timeouts = self.access.estate.timeouts
        return TenantLease.acquire(
            self.access.states,
            template,
            run=self.run,
            holder=holder(),
            ttl=timeouts.lease,
            call_timeout=timeouts.call,
            wait=self.lease_timeout,
            sleep=self.access.settings.sleep,
        )

    def _standing(self, item: PlannedTenant, lease: TenantLease) -> TenantPlan:
        """The plan to carry out: the given one if nothing can have changed since, else what still stands of it."""
        if self.fresh and lease.acquired_from == item.plan.state_version and not lease.taken_over:
            return item.plan
        again = replan(self.access, item.tenant)
        was = {_identity(action) for action in item.plan.actions}
        changed = [action for action in again.actions if _identity(action) not in was and _planned(action, item.plan)]
        if changed:
            names = ", ".join(sorted({str(action.object) for action in changed}))
            raise Conflict(
                f"what was planned no longer stands: {names} changed since", where=item.plan.tenant, hint="plan again"
            )
        return replace(again, actions=tuple(action for action in again.actions if _identity(action) in was))


def _identity(action: Action) -> tuple[object, ...]:
    return action.object, action.kind, action.operation, action.wanted, action.seen


def _planned(action: Action, plan: TenantPlan) -> bool:
    return any(other.object == action.object for other in plan.actions)


def _skipped(actions: Sequence[Action], error: ReconcilerError) -> tuple[Result, ...]:
    return tuple(Result(action, Status.SKIPPED, f"not begun: {error}") for action in actions)


def _reference(ref: CredentialRef) -> dict[str, object]:
    """Where the credential is, as the state document remembers it (never what it is)."""
    if ref.vault is not None:
        return {"vault": {"mount": ref.vault.mount, "path": ref.vault.path}}
    return {"env": dict(ref.env)}
