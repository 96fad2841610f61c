"""Which keys of a tenant come, go and stay between two revisions, and what coming and going means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from reconciler.errors import printable
from reconciler.model import dates
from reconciler.model.desired import DesiredKey, DesiredTenant, KeyState, OnRemoval, Removal
from reconciler.model.finding import Severity
from reconciler.model.impact import Impact
from reconciler.plan import widening
from reconciler.plan.addresses import Addresses
from reconciler.plan.meaning import Meaning, Side, counted, some
from reconciler.plan.permissions import shown


@dataclass(frozen=True, slots=True)
class Pairs:
    """The keys of a tenant, on both sides."""

    here: tuple[tuple[DesiredKey | None, DesiredKey], ...]
    """Those that are to be there, each with what it was; None if it was not."""
    gone: tuple[DesiredKey, ...]
    """Those that were to be there and are no more."""


def living(tenant: DesiredTenant, now: datetime) -> Mapping[str, DesiredKey]:
    """The keys that are to be there, by name: neither absent nor expired."""
    return {
        key.name: key
        for key in tenant.keys
        if key.state is not KeyState.ABSENT and (key.expires is None or key.expires > now)
    }


def pair(before: DesiredTenant | None, after: DesiredTenant, now: datetime) -> Pairs:
    """Match the keys of both sides by name, or by the name that one had before. `before` None: all are new."""
    old = living(before, now) if before is not None else {}
    new = living(after, now)
    former = {name: _former(key.previous_names, old, new) for name, key in new.items() if name not in old}
    here = tuple((old.get(former.get(name) or name), key) for name, key in new.items())
    renamed = set(former.values())
    return Pairs(here, tuple(key for name, key in old.items() if name not in new and name not in renamed))


def _former(names: Iterable[str], old: Mapping[str, DesiredKey], new: Mapping[str, DesiredKey]) -> str | None:
    return next((name for name in names if name in old and name not in new), None)


def created(key: DesiredKey, side: Side) -> Meaning:
    """What a new key brings."""
    permissions = side.permissions(key.level)
    risky = sorted(map(shown, permissions.risky(side.can))) if permissions is not None else []
    grave = risky or is_risky_level(key, side)
    if permissions is None:
        grants = f"what the vendor's {printable(key.level.name)!r} permits"
    else:
        grants = f"{counted(len(permissions.granted), 'permission')} of {key.level.name}"
        grants += f", {len(risky)} of them high-risk ({some(risky)})" if risky else ""
    where = str(Addresses.allowed(key.allowed_ips)) if restricts(side) else "any address"
    ends = f"until {dates.written(key.expires)}" if key.expires is not None else "without an end"
    locked = "locked, " if key.state is KeyState.LOCKED else ""
    return Meaning(
        "access/key-created",
        Impact.WIDENS,
        Severity.HIGH if grave else Severity.MEDIUM,
        f"created: {locked}with {grants}, from {where}, {ends}",
        figures={"level": printable(str(key.level)), "highRisk": risky},
    )


def removed(key: DesiredKey, wanted: DesiredKey | None, tenant: DesiredTenant, now: datetime) -> Meaning:
    """What goes with a key. `wanted`: what its manifest says now, if there is one."""
    protected = key.protect or (wanted is not None and wanted.protect)
    severity = Severity.CRITICAL if protected else Severity.MEDIUM
    impact, what = Impact.DESTROYS, "its secret is deleted, too"
    if wanted is None:
        why = "removed: taken out of Git"
        impact, what = _on_removal(tenant.on_removal)
    elif wanted.state is KeyState.ABSENT:
        why = "removed: state is absent"
    else:
        why = f"removed: it expired on {dates.written(wanted.expires or now)}"
    hint = "plan refuses it: lift the protection in a commit of its own first" if protected else ""
    if protected:
        what += "; it is protected"
    return Meaning("access/key-removed", impact, severity, f"{why}; {what}", hint=hint)


def _on_removal(given: OnRemoval) -> tuple[Impact, str]:
    match given.action:
        case Removal.ORPHAN:
            return Impact.NEUTRAL, "the key lives on at the vendor, and nobody looks after it (onRemoval: orphan)"
        case Removal.QUARANTINE:
            return Impact.DESTROYS, f"it is locked, and deleted after {widening.span(given.grace)}"
        case _:
            return Impact.DESTROYS, "its secret is deleted, too"


def restricts(side: Side) -> bool:
    """Whether keys of this product can be tied to addresses."""
    return "ApiKey.spec.allowedIPs" not in side.can.reasons


def is_risky_level(key: DesiredKey, side: Side) -> bool:
    """Whether the key has a role of the vendor that is called high-risk."""
    return key.level.existing and key.level.name.casefold() in {one.casefold() for one in side.can.high_risk_levels}


def is_grave(key: DesiredKey, side: Side) -> bool:
    """Whether the key may do something that is called high-risk."""
    permissions = side.permissions(key.level)
    return is_risky_level(key, side) or (permissions is not None and bool(permissions.risky(side.can)))
