"""What became of each action."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.errors import LeaseHeld, ReconcilerError, Stopped
from reconciler.model.action import Action, TenantPlan
from reconciler.model.desired import VaultPath
from reconciler.model.outcome import ExitCode


class Status(StrEnum):
    """How an action ended."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    WAITING = "waiting"
    """A person was asked; everything that a run can do about it is done."""


@dataclass(frozen=True, slots=True)
class Result:
    """One action's end. For a key that got a secret: where it is, never what it is."""

    action: Action
    status: Status
    detail: str = ""
    secret: VaultPath | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class TenantResult:
    """One tenant's end: its actions, and what stopped all of it, if something did."""

    plan: TenantPlan
    results: tuple[Result, ...] = ()
    error: ReconcilerError | None = None

    @property
    def done(self) -> int:
        """How many actions were carried out."""
        return sum(result.status is Status.DONE for result in self.results)

    @property
    def code(self) -> ExitCode:
        """This tenant's own exit code."""
        if isinstance(self.error, LeaseHeld):
            return ExitCode.LEASE_HELD
        if isinstance(self.error, Stopped):
            return ExitCode.STOPPED
        asked = sum(result.status is Status.WAITING for result in self.results)
        failed = self.error is not None or self.done + asked < len(self.results)
        if failed and not self.done:
            return ExitCode.ERROR
        if failed or self.plan.blocked:
            return ExitCode.PARTIAL
        return ExitCode.HANDOFF if asked or self.plan.waiting else ExitCode.DONE
