"""What one tenant has so far, while its objects are brought together, and how a provider's problems become findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from reconciler.manifest.check import Finding
from reconciler.manifest.drafts import ApprovalDraft, ObjectDraft, Place, ScopeDraft, TenantDraft
from reconciler.manifest.problems import Severity
from reconciler.model import dates
from reconciler.model.desired import DesiredKey, DesiredLevel, DesiredTenant, IgnoredDrift
from reconciler.model.names import Kind
from reconciler.providers.base import Doubt, Problem, Provider, Traits

Report = Callable[[Place, str, Finding], None]
"""Takes what is wrong: where, with which object, and what."""

WORDS: Final = {Kind.ACCESS_LEVEL: "access level", Kind.SERVICE_USER: "service user", Kind.API_KEY: "key"}
"""What kinds are called in sentences."""
FIELDS: Final = {Kind.ACCESS_LEVEL: "accessLevel", Kind.SERVICE_USER: "serviceUser"}
"""The fields of a key that refer to them."""
_INSTEAD: Final = {
    Kind.ACCESS_LEVEL: "its keys belong to users: declare a ServiceUser, and let keys name it as serviceUser",
    Kind.SERVICE_USER: "its keys have access levels: declare an AccessLevel, and let keys name it as accessLevel",
}


@dataclass(slots=True)
class Load:
    """How many keys one access level or user has: `total` counts those twice that will live twice."""

    keys: int = 0
    total: int = 0
    over: tuple[Place, str] | None = None
    """The key that was the first too many."""


@dataclass(slots=True)
class WantedTenant:
    """A tenant and what is wanted in it. `bare` is without levels and keys."""

    draft: TenantDraft
    provider: Provider | None
    traits: Traits
    bare: DesiredTenant
    levels: dict[Kind, dict[str, DesiredLevel]] = field(
        default_factory=lambda: {Kind.ACCESS_LEVEL: {}, Kind.SERVICE_USER: {}}
    )
    keys: dict[str, DesiredKey] = field(default_factory=dict)
    scopes: dict[str, ScopeDraft] = field(default_factory=dict)
    approvals: dict[str, ApprovalDraft] = field(default_factory=dict)
    loads: dict[tuple[Kind, str, bool], Load] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The tenant's name."""
        return self.draft.name

    def lacks(self, kind: Kind) -> Problem | None:
        """Why the tenant cannot have objects of a kind, in general words; None if it can."""
        if kind in self.traits.kinds or self.provider is None:
            return None
        other = Kind.SERVICE_USER if kind is Kind.ACCESS_LEVEL else Kind.ACCESS_LEVEL
        hint = _INSTEAD.get(kind, "") if other in self.traits.kinds else "keys name an existing one: {existing: NAME}"
        return Problem((), f"{self.provider.name} has no {WORDS[kind]}s that can be managed", hint)


def named(draft: ObjectDraft, kind: str) -> str:
    """`tenant/Kind/name`, or `Kind/name` where a selector stands for the tenants."""
    return f"{draft.tenant}/{kind}/{draft.name}" if draft.tenant is not None else f"{kind}/{draft.name}"


def reason(provider: Provider, name: str) -> str:
    """Why a provider cannot honour a field, as its table of capabilities has it; empty if it can, or does not say."""
    return provider.capabilities.reasons.get(name, "")


def told(problem: Problem, *path: str | int) -> Finding:
    """A provider's problem as a finding, at its own place or another."""
    severity = Severity.WARNING if isinstance(problem, Doubt) else Severity.ERROR
    place = path or ("spec", *problem.path)
    return Finding(place, problem.what, problem.hint, "provider", key=_about_key(problem), severity=severity)


def ended(ignored: Sequence[IgnoredDrift], now: datetime) -> Iterator[Finding]:
    """A warning for each `ignoreDrift` whose time is over."""
    for index, item in enumerate(ignored):
        if item.until <= now:
            what = f"spec.ignoreDrift[{index}].until has passed: it was {dates.written(item.until)}"
            hint = "it counts no more; delete it, or set a later time"
            yield Finding(("spec", "ignoreDrift", index, "until"), what, hint, "expired", severity=Severity.WARNING)


def _about_key(problem: Problem) -> bool:
    """Whether it is a name that is wrong, and not its value: then the provider quotes the name."""
    return bool(problem.path) and repr(problem.path[-1]) in problem.what
