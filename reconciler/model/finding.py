"""Findings: what a reviewer, a pipeline or a scheduled run should know, each with its place, its impact and how bad it is.

Guardrails, policies, access changes and drift all speak in findings, and every report format is made from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from reconciler.model.action import Change
from reconciler.model.desired import Source
from reconciler.model.impact import Impact
from reconciler.model.names import ObjectId

__all__ = ["Finding", "Impact", "Severity"]

_NO_FIGURES: Final[Mapping[str, Any]] = MappingProxyType({})


class Severity(StrEnum):
    """How much a reviewer should care, from least to most."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for `info`, 4 for `critical`."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know. `rule` does not change: `ROOM/NAME`, as `guardrail/deletes` or `access/addresses`."""

    rule: str
    severity: Severity
    message: str
    """One sentence without its place, in our own words. Text from manifests and vendors in it is printable already."""
    tenant: str = ""
    """Empty: it is about the whole run, or the whole estate."""
    object: ObjectId | None = None
    source: Source | None = None
    """The manifest's place, if it has one."""
    hint: str = ""
    """What to do next."""
    impact: Impact = Impact.NEUTRAL
    denies: bool = False
    """Whether it stops `plan` and `apply` (exit code 3)."""
    allow: str = ""
    """How `--allow` names it; empty if nothing but a change in Git can."""
    changes: tuple[Change, ...] = ()
    """The fields that it is about, old and new."""
    figures: Mapping[str, Any] = field(default_factory=lambda: _NO_FIGURES)
    """Numbers and names for machines: plain JSON values."""

    @property
    def where(self) -> str:
        """`tenant/ApiKey/name`, as far as there is one."""
        return "/".join(part for part in (self.tenant, str(self.object) if self.object else "") if part)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{self.rule}: {place}{self.message}" + (f" ({self.hint})" if self.hint else "")
