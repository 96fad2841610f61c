"""What a check came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from reconciler.doctor.catalogue import Check
from reconciler.errors import ReconcilerError
from reconciler.vault.failures import Identity

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """It works, and could be better or safer."""
    PROBLEM = "problem"
    """Something does not work until it is mended."""
    SKIPPED = "skipped"
    """It could not be asked, or nobody tells."""


@dataclass(frozen=True, slots=True)
class Result:
    """One answer. A check may give several. Texts of other systems in it are cut short, and not yet made printable."""

    check: Check
    verdict: Verdict
    found: str
    """What was found, in one sentence; of a check that was skipped, why."""
    mend: str = ""
    """What to do about it."""
    text: tuple[str, ...] = ()
    """Lines to copy: commands, or the policy that is missing."""
    tenant: str = ""
    facts: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    """The same for machines: plain JSON values."""


@dataclass(frozen=True, slots=True)
class Examination:
    """Everything that was found. `estate` is None where not even `reconciler.yaml` could be read."""

    estate: UUID | None
    name: str
    identity: Identity
    results: tuple[Result, ...]
    providers: Mapping[str, str]
    """The provider of each tenant that was looked at."""

    def count(self, verdict: Verdict) -> int:
        """How many results have it."""
        return Counter(result.verdict for result in self.results)[verdict]


def ok(check: Check, found: str, *, tenant: str = "", **facts: Any) -> Result:
    """All is well."""
    return Result(check, Verdict.OK, found, tenant=tenant, facts=facts)


def warning(
    check: Check, found: str, mend: str = "", text: Iterable[str] = (), *, tenant: str = "", **facts: Any
) -> Result:
    """It works, and somebody should look."""
    return Result(check, Verdict.WARNING, found, mend, tuple(text), tenant, facts)


def problem(
    check: Check, found: str, mend: str = "", text: Iterable[str] = (), *, tenant: str = "", **facts: Any
) -> Result:
    """It does not work."""
    return Result(check, Verdict.PROBLEM, found, mend, tuple(text), tenant, facts)


def skipped(check: Check, why: str, *, tenant: str = "") -> Result:
    """It was not asked."""
    return Result(check, Verdict.SKIPPED, why, tenant=tenant)


def failed(check: Check, error: ReconcilerError, *, tenant: str = "") -> Result:
    """What an error says, as a problem."""
    place = f"{error.where}: " if error.where and error.where != tenant and error.where not in error.what else ""
    return problem(check, f"{place}{error.what}", error.hint, tenant=tenant)
