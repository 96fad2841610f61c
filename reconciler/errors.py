"""What can go wrong, sorted by what the caller can do about it.

::

    ReconcilerError
    ├── InvalidInput          fix the manifest or the command line
    ├── RetryLater            nothing happened; the same call may work later
    │   └── RateLimited       … and the server said when
    ├── Denied                fix a credential or a permission; never retried
    │   ├── AuthenticationFailed
    │   └── NotPermitted
    ├── Rejected              the server understood the call and said no
    │   ├── NotFound
    │   └── Conflict          somebody else wrote first (check-and-set), or the object is in use
    ├── OutcomeUnknown        the call may have acted: look before doing anything else
    ├── ContractBroken        the answer is not what the vendor's contract says
    ├── WriteRefused          a planning run tried to write: a bug of ours, stopped at the transport
    ├── LeaseHeld             another run is at work on the tenant
    ├── LeaseLost             this run's lease is gone; it may not write any more
    ├── Stopped               a guardrail or a policy says no; nothing was changed
    └── Unexpected            a bug of ours, or a machine out of memory: one tenant or object ends, the others go on

Every error says *what* is wrong, *where* (a file position, a tenant, an object or a Vault path) and what to do *next*.
Foreign error text is cut short and stripped of control characters before it gets here: servers echo requests, and a
request may carry a secret. Errors from lower layers are never chained to ours, for their tracebacks hold headers.
"""

from __future__ import annotations

import traceback
import unicodedata

_FOREIGN_TEXT_LIMIT = 200


def printable(text: str) -> str:
    """Text with every control and formatting character replaced, so that no foreign text can steer a terminal."""
    return "".join(c if unicodedata.category(c)[0] != "C" else "\N{REPLACEMENT CHARACTER}" for c in text)


def foreign(text: str) -> str:
    """Text that another system sent, made safe to show: one line, printable, at most 200 characters."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= _FOREIGN_TEXT_LIMIT else line[: _FOREIGN_TEXT_LIMIT - 1] + "…"


class ReconcilerError(Exception):
    """The root: everything that the command line reports in a sentence instead of a traceback."""

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} ({self.hint})" if self.hint else text

    def at(self, where: str) -> ReconcilerError:
        """Return the same error with its place, unless it already has one."""
        self.where = self.where or where
        return self


class InvalidInput(ReconcilerError):
    """The manifests, the estate's settings or the command line are wrong; no call was made."""


class RetryLater(ReconcilerError):
    """The call did not act, or is a read; trying again later may work."""

    def __init__(self, what: str, *, where: str = "", hint: str = "", delay: float | None = None) -> None:
        super().__init__(what, where=where, hint=hint)
        self.delay = delay
        """Seconds that the server asked us to wait, if it said."""


class RateLimited(RetryLater):
    """The server counts our calls and has had enough of them (HTTP 429)."""


class Denied(ReconcilerError):
    """A credential or a permission is missing. Never retried: repeated failures lock keys."""


class AuthenticationFailed(Denied):
    """The credential is wrong, expired or locked (HTTP 401)."""


class NotPermitted(Denied):
    """The credential is good but may not do this (HTTP 403)."""


class Rejected(ReconcilerError):
    """The server understood the call and refused it (HTTP 4xx); it did not act."""


class NotFound(Rejected):
    """The object does not exist (HTTP 404)."""


class Conflict(Rejected):
    """Another writer was first, or the object is in use (HTTP 409, or a failed check-and-set)."""


class OutcomeUnknown(ReconcilerError):
    """A write was sent and no answer can be trusted: it may have acted. Look before doing anything else."""


class ContractBroken(ReconcilerError):
    """The answer is not what the vendor's contract says: HTML from a proxy, half a document, a missing field."""


class WriteRefused(ReconcilerError):
    """A request that is not on the provider's list of reads was stopped before it was sent."""


class LeaseHeld(ReconcilerError):
    """Another run holds the tenant's lease."""

    def __init__(self, what: str, *, where: str = "", hint: str = "", holder: str = "", run: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.holder = holder
        self.run = run


class LeaseLost(ReconcilerError):
    """This run's lease is gone: it stops before its next write."""


class Stopped(ReconcilerError):
    """A guardrail or a policy says no; nothing was changed."""


class Interrupted(Exception):
    """Somebody wants the run to end, so a request that was still waiting has not been sent.

    No `ReconcilerError`, for nothing went wrong: whoever deals with those must not take it for a vendor's answer.
    """


class Unexpected(ReconcilerError):
    """Something that nobody thought of, told by its type and place alone: its text could hold a secret."""

    @classmethod
    def of(cls, problem: Exception) -> Unexpected:
        """Name the exception's type and the innermost frame of ours that it came through."""
        frames = [
            (str(frame.f_globals.get("__name__")), line) for frame, line in traceback.walk_tb(problem.__traceback__)
        ]
        ours = [frame for frame in frames if frame[0].partition(".")[0] == "reconciler"]
        place = "{}:{}".format(*(ours or frames or [("somewhere", 0)])[-1])
        return cls(
            f"internal error: {type(problem).__name__} at {place}", hint="please report this: it is a bug of ours"
        )
