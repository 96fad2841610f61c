"""Two revisions of an estate, compared: what changes for access, how many keys it is about, and what there is then. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reconciler.manifest.snapshot import Snapshot
from reconciler.model.finding import Finding, Severity
from reconciler.model.impact import Impact
from reconciler.plan.impact import Providers, compare, posture, worst_first
from reconciler.plan.trust import compare_trust

_COMES: Final = frozenset({"access/key-created", "access/tenant-created"})
_LOCKS: Final = frozenset({"access/key-locked", "access/level-locked"})


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the way from one side to the other means."""

    before: Snapshot
    after: Snapshot
    findings: tuple[Finding, ...]
    """Worst first."""
    posture_before: Mapping[str, int]
    posture_after: Mapping[str, int]

    @property
    def tenants(self) -> tuple[str, ...]:
        """The names of all tenants, on either side."""
        sides = (self.before.estate, self.after.estate)
        return tuple(sorted({tenant.name for side in sides if side is not None for tenant in side.tenants}))

    @property
    def counts(self) -> Mapping[str, int]:
        """How many keys gain or lose access, come, go, are locked or need a new secret; how many findings about trust."""
        access = [one for one in self.findings if one.rule.startswith("access/")]
        return {
            "gain": _keys(one for one in access if one.impact is Impact.WIDENS and one.rule not in _COMES),
            "lose": _keys(one for one in access if one.impact is Impact.NARROWS),
            "created": _keys(one for one in access if one.rule == "access/key-created"),
            "removed": _keys(one for one in access if one.rule == "access/key-removed"),
            "locked": _keys(one for one in access if one.rule in _LOCKS),
            "rotated": _keys(one for one in access if one.impact is Impact.ROTATES),
            "trust": sum(one.rule.startswith("trust/") for one in self.findings),
            "findings": len(self.findings),
        }

    def fails(self, severity: Severity) -> bool:
        """Whether something that widens access, or changes what is trusted, is at least so severe."""
        return any(
            one.severity.rank >= severity.rank and (one.impact is Impact.WIDENS or one.rule.startswith("trust/"))
            for one in self.findings
        )


def compare_sides(before: Snapshot, after: Snapshot, provider_of: Providers, now: datetime) -> Comparison:
    """Compare two sides. Without an estate on the older one, everything is new."""
    old = before.estate.tenants if before.estate is not None else ()
    new = after.estate.tenants if after.estate is not None else ()
    found: Sequence[Finding] = [*compare_trust(before, after), *compare(old, new, provider_of, now)]
    return Comparison(before, after, worst_first(found), posture(old, provider_of, now), posture(new, provider_of, now))


def _keys(findings: Iterable[Finding]) -> int:
    """How many keys these are about, each once."""
    return len({(one.tenant, key) for one in findings for key in one.figures.get("keys", ())})
