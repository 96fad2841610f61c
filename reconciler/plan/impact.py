"""What the difference between two revisions means for access: tenants, access levels and keys, as findings. Pure.

Nothing here knows YAML, Git or a vendor: both sides are what loading gave, and providers say what their fields mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from reconciler.errors import printable
from reconciler.model.action import Change
from reconciler.model.desired import CredentialRef, DesiredKey, DesiredTenant, OnRemoval, Removal, Unmanaged
from reconciler.model.finding import Finding, Severity
from reconciler.model.impact import Impact
from reconciler.plan import widening
from reconciler.plan.addresses import Addresses
from reconciler.plan.impact_keys import compare_keys
from reconciler.plan.impact_levels import compare_levels
from reconciler.plan.lives import is_grave, living, pair, restricts
from reconciler.plan.meaning import Side, about, counted, named
from reconciler.providers.base import Provider

Providers = Callable[[str], Provider]
"""Gives the provider of a name; both sides were loaded, so that it is installed."""


def compare(
    before: Sequence[DesiredTenant], after: Sequence[DesiredTenant], provider_of: Providers, now: datetime
) -> tuple[Finding, ...]:
    """Everything that the change from one side to the other means for access, and for where credentials go, worst first."""
    old = {tenant.name: Side(tenant, provider_of(tenant.provider)) for tenant in before}
    found: list[Finding] = []
    for tenant in after:
        found += _tenant(old.pop(tenant.name, None), Side(tenant, provider_of(tenant.provider)), now)
    found += (_gone(side.tenant, now) for side in old.values())
    return worst_first(found)


def worst_first(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """By severity, then by place and rule, so that the same change always gives the same list."""
    return tuple(sorted(found, key=lambda one: (-one.severity.rank, one.where, one.rule, one.impact, one.message)))


def _tenant(before: Side | None, after: Side, now: datetime) -> Iterator[Finding]:
    if before is None:
        yield _new(after.tenant, tuple(living(after.tenant, now).values()))
    else:
        yield from _settings(before.tenant, after.tenant)
        yield from _credentials(before.tenant, after.tenant)
        if before.tenant.provider != after.tenant.provider:
            before = None  # another product: whatever is there now is new
    pairs = pair(before.tenant if before is not None else None, after.tenant, now)
    yield from compare_levels(pairs, before, after)
    yield from compare_keys(pairs, before, after, now)


# --- tenants ------------------------------------------------------------------------------------------------------------


def _finding(
    tenant: DesiredTenant, rule: str, severity: Severity, text: str, *changes: Change, impact: Impact = Impact.NEUTRAL,
    hint: str = "", keys: Sequence[DesiredKey] = (),
) -> Finding:  # fmt: skip
    return Finding(
        rule, severity, printable(text), tenant=tenant.name, source=tenant.source, hint=hint, impact=impact,
        changes=changes, figures=about(keys) if keys else {},
    )  # fmt: skip


def _new(tenant: DesiredTenant, keys: Sequence[DesiredKey]) -> Finding:
    text = (
        f"new tenant of {tenant.provider} at {tenant.endpoint}, with the credential {told(tenant)}; "
        f"{counted(len(keys), 'key')}, secrets under {tenant.secrets}"
    )
    hint = "look whether that endpoint is the vendor's, and whose credential that is"
    return _finding(tenant, "access/tenant-created", Severity.HIGH, text, impact=Impact.WIDENS, hint=hint, keys=keys)


def _gone(tenant: DesiredTenant, now: datetime) -> Finding:
    keys = tuple(living(tenant, now).values())
    text = "the tenant is taken out of Git"
    if keys:
        text += f": {named(keys)} live on at the vendor, and nobody rotates, ends or watches them any more"
    severity = Severity.CRITICAL if any(key.protect for key in keys) else Severity.HIGH if keys else Severity.MEDIUM
    hint = "remove its keys in a commit before, if they are to go" if keys else ""
    return _finding(tenant, "access/tenant-removed", severity, text, hint=hint, keys=keys)


_UNMANAGED: Final = {
    Unmanaged.PRUNE: (
        Severity.HIGH,
        Impact.DESTROYS,
        "unmanaged objects that an Approval names are removed from now on",
    ),
    Unmanaged.IGNORE: (Severity.MEDIUM, Impact.NEUTRAL, "unmanaged keys are not reported any more"),
    Unmanaged.REPORT: (Severity.INFO, Impact.NEUTRAL, "unmanaged keys are reported from now on, and none is removed"),
}
_REMOVAL: Final = {
    Removal.DELETE: "keys that are taken out of Git are deleted at once",
    Removal.QUARANTINE: "keys that are taken out of Git are locked first",
    Removal.ORPHAN: "keys that are taken out of Git live on, and nobody looks after them",
}


def _settings(old: DesiredTenant, new: DesiredTenant) -> Iterator[Finding]:
    if old.unmanaged != new.unmanaged:
        severity, impact, text = _UNMANAGED[new.unmanaged]
        change = Change("unmanaged", str(old.unmanaged), str(new.unmanaged))
        yield _finding(new, "access/unmanaged", severity, text, change, impact=impact)
    if old.on_removal != new.on_removal:
        change = Change("onRemoval", _removal(old.on_removal), _removal(new.on_removal))
        text = f"{_REMOVAL[new.on_removal.action]}: {change.new}, it was {change.old}"
        softer = new.on_removal.action is Removal.QUARANTINE and new.on_removal.grace >= old.on_removal.grace
        severity = Severity.INFO if softer else Severity.MEDIUM
        yield _finding(new, "access/on-removal", severity, text, change)
    if old.adopt_rotate != new.adopt_rotate:
        text = f"adopted keys {'get' if new.adopt_rotate else 'do not get'} a new secret by themselves"
        severity, impact = (Severity.MEDIUM, Impact.ROTATES) if new.adopt_rotate else (Severity.INFO, Impact.NEUTRAL)
        change = Change("adopt.rotate", old.adopt_rotate, new.adopt_rotate)
        yield _finding(new, "access/adopt", severity, text, change, impact=impact)


def _removal(given: OnRemoval) -> str:
    return f"{given.action} for {widening.span(given.grace)}" if given.grace else str(given.action)


# --- where credentials go -----------------------------------------------------------------------------------------------


def _credentials(old: DesiredTenant, new: DesiredTenant) -> Iterator[Finding]:
    if old.provider != new.provider:
        text = f"another provider: {new.provider}, it was {old.provider}; its code gets the tenant's credential"
        yield _finding(new, "trust/provider", Severity.CRITICAL, text, Change("provider", old.provider, new.provider))
    if old.endpoint != new.endpoint:
        text = f"another endpoint: {new.endpoint}, it was {old.endpoint}"
        hint = "the tenant's credential is sent there, if the endpoint stored beside it is changed, too"
        change = Change("endpoint", old.endpoint, new.endpoint)
        yield _finding(new, "trust/endpoint", Severity.CRITICAL, text, change, hint=hint)
    if (old.credentials_plan, old.credentials_apply) != (new.credentials_plan, new.credentials_apply):
        text = f"another credential: {told(new)}, it was {told(old)}"
        yield _finding(new, "trust/credential", Severity.HIGH, text, Change("credentials", told(old), told(new)))
    if old.secrets != new.secrets:
        text = f"another place of secrets: {new.secrets}, it was {old.secrets}"
        hint = "look who may read there"
        change = Change("secrets", str(old.secrets), str(new.secrets))
        yield _finding(new, "trust/secrets", Severity.HIGH, text, change, hint=hint)
    if old.options != new.options:
        names = sorted(name for name in {*old.options, *new.options} if old.options.get(name) != new.options.get(name))
        changes = [Change(f"options.{name}", old.options.get(name), new.options.get(name)) for name in names]
        yield _finding(new, "trust/options", Severity.HIGH, f"other options: {', '.join(names)}", *changes)


def told(tenant: DesiredTenant) -> str:
    """Where a tenant's credentials come from."""
    plan, apply = _told(tenant.credentials_plan), _told(tenant.credentials_apply)
    return plan if plan == apply else f"{plan} and {apply}"


def _told(ref: CredentialRef) -> str:
    return str(ref.vault) if ref.vault is not None else f"in {', '.join(sorted(ref.env.values()))}"


# --- the whole estate ---------------------------------------------------------------------------------------------------


def posture(tenants: Sequence[DesiredTenant], provider_of: Providers, now: datetime) -> dict[str, int]:
    """How many keys there are, and how many of them a reviewer would rather not have."""
    found = {"keys": 0, "highRisk": 0, "anyAddress": 0, "noEnd": 0, "noRotation": 0, "noOwner": 0}
    for tenant in tenants:
        side = Side(tenant, provider_of(tenant.provider))
        for key in living(tenant, now).values():
            found["keys"] += 1
            found["highRisk"] += is_grave(key, side)
            found["anyAddress"] += restricts(side) and Addresses.allowed(key.allowed_ips).everything
            found["noEnd"] += key.expires is None
            found["noRotation"] += key.rotation is None
            found["noOwner"] += not key.owner
    return found
