"""Which way one field of a key goes: whether its new value gives more access than the old one, or less. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from reconciler.model.desired import Rotation
from reconciler.model.impact import Impact
from reconciler.plan.addresses import Addresses
from reconciler.plan.permissions import Difference
from reconciler.providers.base import Capabilities


def way(*, more: bool, less: bool) -> Impact:
    """Some of both is widening: something can be done that could not be done before."""
    return Impact.WIDENS if more else Impact.NARROWS if less else Impact.NEUTRAL


def of_addresses(old: Sequence[str], new: Sequence[str]) -> Impact:
    """Of `allowedIPs`; none means any address. What cannot be read as an address counts as widening."""
    try:
        before, after = Addresses.allowed(old), Addresses.allowed(new)
    except ValueError:
        return Impact.WIDENS
    return way(more=not after <= before, less=not before <= after)


def of_permissions(difference: Difference) -> Impact:
    """Of what a level grants."""
    return way(more=bool(difference.gained), less=bool(difference.lost))


def of_expiry(old: datetime | None, new: datetime | None) -> Impact:
    """Of `expires`; None is never."""
    if old is None or new is None:
        return way(more=new is None and old is not None, less=old is None and new is not None)
    return way(more=new > old, less=new < old)


def of_rotation(old: Rotation | None, new: Rotation | None) -> Impact:
    """Of `rotation`: a secret that lives longer can be abused for longer. The time of renewal is a matter of taste."""
    if old is None or new is None:
        return way(more=new is None and old is not None, less=old is None and new is not None)
    more = new.every > old.every or new.overlap > old.overlap or new.hold_while_used > old.hold_while_used
    less = new.every < old.every or new.overlap < old.overlap or new.hold_while_used < old.hold_while_used
    return way(more=more, less=less)


def of_scope(old: Any, new: Any, can: Capabilities) -> Impact:
    """Of a canonical scope. Where the provider cannot compare two, a change counts as widening."""
    if old == new:
        return Impact.NEUTRAL
    if can.scope_within is None:
        return Impact.WIDENS
    return way(more=not can.scope_within(new, old), less=not can.scope_within(old, new))


def of_options(old: Mapping[str, Any], new: Mapping[str, Any], can: Capabilities) -> Impact:
    """Of what only this vendor has, in canonical fields: which values give up protection is the provider's to say."""
    names = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    return way(
        more=any(f"{name}.{new.get(name)}" in can.weak_options for name in names),
        less=any(f"{name}.{old.get(name)}" in can.weak_options for name in names),
    )


def span(duration: timedelta) -> str:
    """A duration in the largest unit that leaves no rest: `90d`, `36h`, `none` for nothing."""
    seconds = int(duration.total_seconds())
    size, unit = next(one for one in ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")) if not seconds % one[0])
    return f"{seconds // size}{unit}" if seconds else "none"
