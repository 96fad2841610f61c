"""Exit codes, and how the codes of many tenants become the code of a run."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process's exit status means. Also printed by every command's `--help`."""

    DONE = 0
    ERROR = 1
    PENDING = 2
    STOPPED = 3
    PARTIAL = 4
    LEASE_HELD = 5
    HANDOFF = 6

    @property
    def meaning(self) -> str:
        """One line for help texts and docs."""
        return _MEANING[self]


_MEANING = {
    ExitCode.DONE: "done; nothing to do; in sync",
    ExitCode.ERROR: "error (bad manifest, vendor or Vault failure, wrong usage)",
    ExitCode.PENDING: "plan --detailed-exitcode: changes are pending; drift: drift was found",
    ExitCode.STOPPED: "stopped by policy or a guardrail; nothing was changed",
    ExitCode.PARTIAL: "finished in part: what failed is listed, the rest is done; run again",
    ExitCode.LEASE_HELD: "another run holds the tenant's lease",
    ExitCode.HANDOFF: "everything else is done; handoffs wait for a person",
}

_PRECEDENCE = (
    ExitCode.STOPPED, ExitCode.LEASE_HELD, ExitCode.PARTIAL, ExitCode.HANDOFF, ExitCode.PENDING,
)  # fmt: skip


def combine(codes: Iterable[ExitCode]) -> ExitCode:
    """The code of a run over tenants: 1 when nothing could be done, else 3, 5, 4, 6, 2, 0 in this order."""
    seen = set(codes)
    if ExitCode.ERROR in seen:
        if seen == {ExitCode.ERROR}:
            return ExitCode.ERROR
        seen = (seen - {ExitCode.ERROR}) | {ExitCode.PARTIAL}
    return next((code for code in _PRECEDENCE if code in seen), ExitCode.DONE)
