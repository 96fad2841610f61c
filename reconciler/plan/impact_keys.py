"""What the changes of a tenant's keys mean for access. A pure function of two sides and the time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from reconciler.errors import printable
from reconciler.model import dates
from reconciler.model.action import Change
from reconciler.model.desired import DesiredKey, KeyState, Rotation
from reconciler.model.finding import Finding, Severity
from reconciler.model.impact import Impact
from reconciler.model.names import Kind, ObjectId
from reconciler.plan import differ, widening
from reconciler.plan.addresses import Addresses, from_to
from reconciler.plan.lives import Pairs, created, is_grave, is_risky_level, removed
from reconciler.plan.meaning import Meaning, Side, counted, findings, renamed, some
from reconciler.plan.permissions import Difference, difference

_AFTER_WIDENING: Final = {Impact.WIDENS: Severity.MEDIUM, Impact.NARROWS: Severity.LOW, Impact.NEUTRAL: Severity.INFO}
_COMPARED: Final = attrgetter(
    "name", "owner", "level", "expires", "rotation", "state", "protect", "options", "allowed_ips", "scope", "secret_path",
    "reissue_after",
)  # fmt: skip
_ORDINARY: Final = frozenset({"name", "description", "expires", "allowedIPs", "scope", "state"})
"""Canonical fields that are no options."""


def compare_keys(pairs: Pairs, before: Side | None, after: Side, now: datetime) -> Iterator[Finding]:
    """Every key that comes, goes or changes. `before` None: all are new."""
    told: list[tuple[DesiredKey, Meaning]] = []
    former = renamed(before, after)
    for was, key in pairs.here:
        if was is None or before is None:
            told.append((key, created(key, after)))
        elif _COMPARED(was) != _COMPARED(key):
            told += [(key, meaning) for meaning in _changed(was, key, before, after, former)]
    wanted = {key.name: key for key in after.tenant.keys}
    told += [(wanted.get(key.name, key), removed(key, wanted.get(key.name), after.tenant, now)) for key in pairs.gone]
    yield from findings(after.tenant, told)


# --- fields -------------------------------------------------------------------------------------------------------------


def _changed(
    was: DesiredKey, key: DesiredKey, before: Side, after: Side, former: Mapping[ObjectId, ObjectId]
) -> Iterator[Meaning]:
    if was.name != key.name:
        text = f"renamed from {was.name}; its secret moves to {key.secret_path} with the next rotation"
        yield Meaning("access/key-renamed", Impact.NEUTRAL, Severity.LOW, text)
    yield from _state(was, key, after)
    same = was.level.id is not None and key.level.id is not None and former.get(key.level.id) == was.level.id
    if was.level != key.level and not same:
        yield from _level(was, key, before, after)
    yield from _addresses(was, key)
    yield from _scope(was, key, before, after)
    yield from _expiry(was, key)
    yield from _rotation(was, key)
    yield from _options(was, key, before, after)
    yield from _kept(was, key, before, after)
    yield from _replaced(was, key, before, after)


def _state(was: DesiredKey, key: DesiredKey, after: Side) -> Iterator[Meaning]:
    if was.state is key.state:
        return
    change = (Change("state", str(was.state), str(key.state)),)
    reversible = after.provider.traits(after.tenant).reversible_lock
    if key.state is KeyState.ACTIVE:
        risky = is_grave(key, after)
        text = "unlocked" if reversible else "wanted again: it is created anew"
        severity = Severity.HIGH if risky else Severity.MEDIUM
        yield Meaning("access/key-unlocked", Impact.WIDENS, severity, text, change)
    elif reversible:
        yield Meaning("access/key-locked", Impact.DESTROYS, Severity.MEDIUM, "locked: it stops working", change)
    else:
        severity = Severity.CRITICAL if key.protect or was.protect else Severity.HIGH
        text = "locked for good: this product can lock a key only by deleting it, and its secret is deleted, too"
        yield Meaning("access/key-locked", Impact.DESTROYS, severity, text, change)


def _level(was: DesiredKey, key: DesiredKey, before: Side, after: Side) -> Iterator[Meaning]:
    change = Change("accessLevel", printable(str(was.level)), printable(str(key.level)))
    old, new = before.permissions(was.level), after.permissions(key.level)
    moves = f"moves from {change.old} to {change.new}"
    if old is not None and new is not None:
        found = difference(old, new, after.can)
        if not found.gained and not found.lost:
            text = f"{moves}, which permits the same"
            yield Meaning("access/level", Impact.NEUTRAL, Severity.INFO, text, (change,))
        yield from told_permissions(found, (change,), f" with {change.new}")
    elif is_risky_level(was, before) and not is_grave(key, after):
        yield Meaning("access/level", Impact.NARROWS, Severity.LOW, f"{moves}, away from a high-risk role", (change,))
    else:
        severity = Severity.HIGH if is_grave(key, after) else Severity.MEDIUM
        risk = ", a high-risk role" if is_risky_level(key, after) else ""
        text = f"{moves}{risk}: Git does not say what the vendor's own permits, so it counts as widening"
        yield Meaning("access/level", Impact.WIDENS, severity, text, (change,))


def told_permissions(found: Difference, more: tuple[Change, ...] = (), how: str = "") -> Iterator[Meaning]:
    """What is gained and what is lost, each as one thing to say."""
    for gains, names in ((True, found.gained), (False, found.lost)):
        if not names:
            continue
        risky = [name for name in names if name in found.risky]
        first = [*risky, *(name for name in names if name not in found.risky)]
        text = f"{counted(len(names), 'permission')} {'gained' if gains else 'lost'}{how}: {some(first)}"
        text += f"; {len(risky)} high-risk" if risky else ""
        severity = Severity.LOW if not gains else Severity.HIGH if risky else Severity.MEDIUM
        changes = tuple(Change(f"permissions.{name}", not gains, gains) for name in first)
        impact = Impact.WIDENS if gains else Impact.NARROWS
        figures = {"gained" if gains else "lost": list(names), "highRisk": risky}
        yield Meaning("access/permissions", impact, severity, text, (*more, *changes), figures)


def _addresses(was: DesiredKey, key: DesiredKey) -> Iterator[Meaning]:
    if was.allowed_ips == key.allowed_ips:
        return
    old, new = Addresses.allowed(was.allowed_ips), Addresses.allowed(key.allowed_ips)
    impact = widening.of_addresses(was.allowed_ips, key.allowed_ips)
    if impact is Impact.NEUTRAL:
        return
    added, removed = new - old, old - new
    opens = new.everything and not old.everything
    severity = Severity.HIGH if opens else _AFTER_WIDENING[impact]
    if added and removed:
        text = (
            f"other addresses are allowed: {old} before, {new} now ({added.shown()} added, {removed.shown()} removed)"
        )
    else:
        text = f"allowed addresses {'widen' if added else 'narrow'} {from_to(old, new)}"
    figures = {
        name: dict(zip(("ipv4", "ipv6"), map(str, one.counts), strict=True))
        for name, one in (("before", old), ("after", new), ("added", added), ("removed", removed))
    }
    changes = (Change("allowedIPs", was.allowed_ips, key.allowed_ips),)
    yield Meaning("access/addresses", impact, severity, text, changes, {"addresses": figures})


def _scope(was: DesiredKey, key: DesiredKey, before: Side, after: Side) -> Iterator[Meaning]:
    old, new = before.provider.key_fields(was).get("scope"), after.provider.key_fields(key).get("scope")
    impact = widening.of_scope(old, new, after.can)
    if impact is Impact.NEUTRAL:
        return
    changes = differ.changes({"scope": old}, {"scope": new})
    names = some([printable(change.path.removeprefix("scope.")) for change in changes])
    no_limit = key.scope is None
    reaches = "scope reaches " + ("more" if impact is Impact.WIDENS else "less")
    text = "scope removed: it reaches everything" if no_limit else f"{reaches}: {names}"
    severity = Severity.HIGH if no_limit else _AFTER_WIDENING[impact]
    yield Meaning("access/scope", impact, severity, text, changes)


def _expiry(was: DesiredKey, key: DesiredKey) -> Iterator[Meaning]:
    impact = widening.of_expiry(was.expires, key.expires)
    if impact is Impact.NEUTRAL:
        return
    old, new = (dates.written(one) if one is not None else "never" for one in (was.expires, key.expires))
    figures: dict[str, Any] = {}
    if key.expires is None:
        text = f"end removed: it was {old}"
    elif was.expires is None:
        text = f"ends on {new}, and had no end before"
    else:
        days = round((key.expires - was.expires).total_seconds() / 86_400)
        text = f"end moves from {old} to {new} ({days:+,} days)"
        figures = {"days": days}
    severity = Severity.HIGH if key.expires is None else _AFTER_WIDENING[impact]
    yield Meaning("access/expiry", impact, severity, text, (Change("expires", was.expires, key.expires),), figures)


def _rotation(was: DesiredKey, key: DesiredKey) -> Iterator[Meaning]:
    if was.rotation == key.rotation:
        return
    impact = widening.of_rotation(was.rotation, key.rotation)
    old, new = _spelled(was.rotation), _spelled(key.rotation)
    text = f"rotation is {new}, it was {old or 'none'}" if new else f"rotation removed: it was {old}"
    severity = {Impact.WIDENS: Severity.MEDIUM}.get(impact, Severity.INFO)
    yield Meaning("access/rotation", impact, severity, text, (Change("rotation", old, new),))


def _spelled(rotation: Rotation | None) -> str | None:
    if rotation is None:
        return None
    overlap = f"overlap {widening.span(rotation.overlap)}" if rotation.overlap else "in place"
    held = ", held while used" if rotation.hold_while_used else ""
    return f"every {widening.span(rotation.every)} ({overlap}{held})"


def _options(was: DesiredKey, key: DesiredKey, before: Side, after: Side) -> Iterator[Meaning]:
    old, new = _optional(was, before), _optional(key, after)
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    if not names:
        return
    impact = widening.of_options(old, new, after.can)
    severity = Severity.HIGH if impact is Impact.WIDENS else Severity.LOW
    changes = tuple(Change(name, old.get(name), new.get(name)) for name in names)
    text = "; ".join(
        f"{name} is {printable(str(new.get(name)))}, it was {printable(str(old.get(name)))}" for name in names
    )
    weak = " (gives up protection)" if impact is Impact.WIDENS else ""
    yield Meaning("access/options", impact, severity, text + weak, changes)


def _optional(key: DesiredKey, side: Side) -> dict[str, Any]:
    return {name: value for name, value in side.provider.key_fields(key).items() if name not in _ORDINARY}


def _kept(was: DesiredKey, key: DesiredKey, before: Side, after: Side) -> Iterator[Meaning]:
    """What only we keep."""
    if was.owner != key.owner:
        old, new = (printable(one) or "nobody" for one in (was.owner, key.owner))
        severity = Severity.LOW if key.owner else Severity.MEDIUM
        text = f"owner is {new}, it was {old}"
        yield Meaning("access/owner", Impact.NEUTRAL, severity, text, (Change("owner", was.owner, key.owner),))
    if was.protect != key.protect:
        change = (Change("protect", was.protect, key.protect),)
        text = "protected now" if key.protect else "protection lifted: a later change can remove it"
        severity = Severity.INFO if key.protect else Severity.HIGH
        yield Meaning("access/protect", Impact.NEUTRAL, severity, text, change)
    if was.reissue_after != key.reissue_after and key.reissue_after is not None:
        change = (Change("reissueAfter", was.reissue_after, key.reissue_after),)
        text = f"issued again if it was revoked before {dates.written(key.reissue_after)}"
        yield Meaning("access/key-reissued", Impact.ROTATES, Severity.MEDIUM, text, change)
    if was.name == key.name and was.secret_path != key.secret_path:  # the tenant's template, for the name is the same
        old, new = str(before.tenant.secrets), str(after.tenant.secrets)
        text = f"secret moves from {old} to {new} with the next rotation"
        hint = "look who may read there, and tell the consumers"
        change = (Change("secrets", old, new),)
        yield Meaning("access/secret-path", Impact.NEUTRAL, Severity.HIGH, text, change, hint=hint)


def _replaced(was: DesiredKey, key: DesiredKey, before: Side, after: Side) -> Iterator[Meaning]:
    """What the vendor fixes for a key's life: another value is another key, with another secret."""
    traits = after.provider.traits(after.tenant)
    old, new = before.provider.key_fields(was), after.provider.key_fields(key)
    needs = {name for name in traits.fixed if old.get(name) != new.get(name)}
    if traits.fixed_level and was.level != key.level:
        needs.add("serviceUser" if key.level.kind is Kind.SERVICE_USER else "accessLevel")
    if needs and was.state is key.state:
        text = f"replaced, with a new secret: {', '.join(sorted(needs))} cannot be changed on a key"
        yield Meaning("access/key-replaced", Impact.ROTATES, Severity.MEDIUM, text)
