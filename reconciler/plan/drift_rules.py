"""The classes of drift, what each means, and what makes two findings of two runs the same one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from reconciler.model.action import Change
from reconciler.model.desired import Source
from reconciler.model.finding import Finding, Severity
from reconciler.model.names import ObjectId
from reconciler.model.observed import Observed


class Rule(StrEnum):
    """The classes of drift. Their names do not change."""

    CHANGED = "drift/changed"
    MISSING = "drift/missing"
    UNMANAGED = "drift/unmanaged"
    SECRET_MISSING = "drift/secret-missing"  # noqa: S105  a rule's name
    SECRET_CHANGED = "drift/secret-changed"  # noqa: S105
    ROTATION_OVERDUE = "drift/rotation-overdue"
    EXPIRING = "drift/expiring"
    EXPIRED_ALIVE = "drift/expired-alive"
    UNUSED = "drift/unused"
    DEPRECATED = "drift/deprecated"
    REVOKED_ALIVE = "drift/revoked-alive"
    UNFINISHED = "drift/unfinished"
    STATE_MISSING = "drift/state-missing"
    STATE_OUTDATED = "drift/state-outdated"


RULES: Final[Mapping[str, str]] = {
    Rule.CHANGED: "Somebody changed an object of ours at the vendor.",
    Rule.MISSING: "An object of ours is gone at the vendor.",
    Rule.UNMANAGED: "The vendor has an object that is in no manifest and not ours.",
    Rule.SECRET_MISSING: "A key's secret is not in Vault any more.",
    Rule.SECRET_CHANGED: "Somebody else wrote to where a key's secret lies.",
    Rule.ROTATION_OVERDUE: "A key should have got its next secret.",
    Rule.EXPIRING: "A key ends soon.",
    Rule.EXPIRED_ALIVE: "A key, or a former generation of one, should be gone, and is not.",
    Rule.UNUSED: "Nobody has used a key for a long time.",
    Rule.DEPRECATED: "A key is of a kind that the vendor switches off.",
    Rule.REVOKED_ALIVE: "Something of a revoked key is still there.",
    Rule.UNFINISHED: "A run died and left something half-done.",
    Rule.STATE_MISSING: "Objects carry our mark, but the tenant's state is gone.",
    Rule.STATE_OUTDATED: "The tenant's state is older than a key that it describes.",
}
"""Every rule, and what it means in a sentence."""

_SEVERITY: Final = {
    Rule.CHANGED: Severity.HIGH,
    Rule.MISSING: Severity.HIGH,
    Rule.UNMANAGED: Severity.MEDIUM,
    Rule.SECRET_MISSING: Severity.HIGH,
    Rule.SECRET_CHANGED: Severity.HIGH,
    Rule.ROTATION_OVERDUE: Severity.MEDIUM,
    Rule.EXPIRING: Severity.MEDIUM,
    Rule.EXPIRED_ALIVE: Severity.HIGH,
    Rule.UNUSED: Severity.LOW,
    Rule.DEPRECATED: Severity.MEDIUM,
    Rule.REVOKED_ALIVE: Severity.CRITICAL,
    Rule.UNFINISHED: Severity.MEDIUM,
    Rule.STATE_MISSING: Severity.CRITICAL,
    Rule.STATE_OUTDATED: Severity.CRITICAL,
}
_HARMLESS: Final = frozenset({"name", "description", "options"})
"""Fields that say nothing of what a key may do, for how long and from where."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """From when on time itself makes a finding. None: never."""

    expiring: timedelta | None = timedelta(days=14)
    unused: timedelta | None = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Findings:
    """Makes the findings of one tenant."""

    tenant: str

    def of(
        self, rule: Rule, name: ObjectId, message: str, hint: str, *, source: Source | None = None, about: str = "",
        change: Change | None = None, **figures: Any,
    ) -> Finding:  # fmt: skip
        """A finding about an object of ours. `about` tells it from others of the same rule and object, in every run."""
        changes = (change,) if change is not None else ()
        harmless = rule is Rule.CHANGED and change is not None and change.path.partition(".")[0] in _HARMLESS
        severity = Severity.LOW if harmless else _SEVERITY[rule]
        figures = {"identity": self._identity(rule, str(name), about), **figures}
        return Finding(
            rule, severity, message, self.tenant, name, source=source, hint=hint, changes=changes, figures=figures
        )

    def of_foreign(
        self, rule: Rule, item: Observed, name: ObjectId, message: str, hint: str, **figures: Any
    ) -> Finding:
        """A finding about something that is not ours, or that we do not know: the vendor's id is all that stays."""
        known_as = self._identity(rule, f"{item.kind}/id {item.vendor_id}")
        severity = Severity.LOW if rule is Rule.UNMANAGED and item.kind.is_level else _SEVERITY[rule]
        figures = {"identity": known_as, "vendorId": item.vendor_id, **figures}
        return Finding(rule, severity, message, self.tenant, name, hint=hint, figures=figures)

    def of_tenant(self, rule: Rule, message: str, hint: str, **figures: Any) -> Finding:
        """A finding about the tenant itself."""
        figures = {"identity": self._identity(rule, ""), **figures}
        return Finding(rule, _SEVERITY[rule], message, self.tenant, hint=hint, figures=figures)

    def _identity(self, rule: Rule, known_as: str, about: str = "") -> str:
        return f"{rule}|{self.tenant}|{known_as}|{about}"


def identity(finding: Finding) -> str:
    """What makes a finding the same one in another run: rule, tenant, object and field, and neither values nor times."""
    return str(finding.figures["identity"])
