"""Applying plans of many tenants side by side, each under its own lease.

Whatever ends a tenant, a bug of ours included, ends that tenant only: its lease is given back, and every other one has its
results. Ctrl-C lets the calls that are under way come to their end, and begins nothing new.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from reconciler.apply.introduce import introduced
from reconciler.apply.issue import secret_path
from reconciler.apply.journal import Journal, Mutation
from reconciler.apply.result import Result, Status, TenantResult
from reconciler.apply.tenant import TenantRun
from reconciler.apply.tools import Tools, holder
from reconciler.errors import Conflict, Interrupted, ReconcilerError, RetryLater, Unexpected
from reconciler.model.action import Action, Operation, TenantPlan
from reconciler.model.mark import owner_tag
from reconciler.plan.observe import Access
from reconciler.plan.run import PlannedTenant, replan
from reconciler.plan.saved import FALLS_DUE
from reconciler.vault.lease import TenantLease

PARALLEL_TENANTS: Final = 16
_NAP: Final = 0.5  # seconds


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
            futures: list[Future[TenantResult]] = []
            try:
                for item in planned:
                    futures.append(pool.submit(self._tenant, item))  # noqa: PERF401  those that are submitted count
                return tuple(future.result() for future in futures)
            except KeyboardInterrupt:
                self.stop.set()
                futures += [pool.submit(self._tenant, item) for item in planned[len(futures) :]]
                return tuple(future.result() for future in futures)

    def _tenant(self, item: PlannedTenant) -> TenantResult:
        if not item.plan.actions:
            return TenantResult(item.plan)
        error: ReconcilerError
        if self.stop.is_set():
            error = RetryLater("the run was interrupted before this tenant's turn", hint="run it again")
            return TenantResult(item.plan, _skipped(item.plan.actions, error), error.at(item.plan.tenant))
        try:
            with self.held(item) as tools:
                return self._under(tools, item)
        except Interrupted:
            error = RetryLater("the run was interrupted", hint="run it again")
        except Exception as problem:  # noqa: BLE001  what ends one tenant must not end the others
            error = problem if isinstance(problem, ReconcilerError) else Unexpected.of(problem)
        return TenantResult(item.plan, _skipped(item.plan.actions, error), error.at(item.plan.tenant))

    @contextmanager
    def held(self, item: PlannedTenant) -> Iterator[Tools]:
        """Hold a tenant's lease, with everything that writing to the tenant takes. Raises LeaseHeld and Vault's errors."""
        with self._lease(item) as lease:
            tools = Tools(
                access=self.access,
                tenant=item.tenant,
                lease=lease,
                journal=Journal(lease),
                owner_tag=owner_tag(self.access.estate.id, item.plan.tenant),
                run=self.run,
            )
            item.tenant.gate.check = tools.before_write
            item.tenant.gate.interrupted = self.stop.is_set
            tools.journal.later(self._introduced(item))
            yield tools

    def _under(self, tools: Tools, item: PlannedTenant) -> TenantResult:
        plan = self._standing(item, tools.lease)
        self._preflight(plan)
        tenant = TenantRun(tools, self.stop, lambda result: self.progress(item.plan.tenant, result))
        results = tenant.carry_out(plan.actions)
        return TenantResult(plan, results, tenant.error and tenant.error.at(item.plan.tenant))

    def _introduced(self, item: PlannedTenant) -> Mutation:
        """The state names the vendor account and its credential as they are now: an emergency may have nothing else."""
        now = introduced(self.access.estate, item.tenant.desired)
        return lambda document: document.model_copy(
            update={
                "endpoint": now.endpoint,
                "credentials": now.credentials,
                "options": now.options,
                "endpoint_map": now.endpoint_map,
            }
        )

    def _preflight(self, plan: TenantPlan) -> None:
        """Make sure, before the first vendor call, that every new secret can be stored."""
        paths = {
            secret_path(action)
            for action in plan.actions
            if action.operation in {Operation.ISSUE, Operation.REGENERATE}
        }
        if paths:
            self.access.secrets.preflight(paths)

    def _lease(self, item: PlannedTenant) -> TenantLease:
        timeouts = self.access.estate.timeouts
        return TenantLease.acquire(
            self.access.states,
            introduced(self.access.estate, item.tenant.desired),
            run=self.run,
            holder=holder(),
            ttl=timeouts.lease,
            call_timeout=timeouts.call,
            wait=self.lease_timeout,
            sleep=self._wait,
        )

    def _wait(self, seconds: float) -> None:
        """Wait for a lease in short naps: an interruption ends it, and then nothing is begun under the lease."""
        while seconds > 0 and not self.stop.is_set():
            self.access.settings.sleep(min(seconds, _NAP))
            seconds -= _NAP

    def _standing(self, item: PlannedTenant, lease: TenantLease) -> TenantPlan:
        """The plan to carry out: the given one if nothing can have changed since, else what still stands of it."""
        if self.fresh and lease.acquired_from == item.plan.state_version and not lease.taken_over:
            return item.plan
        again = replan(self.access, item.tenant)
        was = {_identity(action) for action in item.plan.actions}
        changed = [
            action
            for action in again.actions
            if _identity(action) not in was and action.kind not in FALLS_DUE and _planned(action, item.plan)
        ]
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
