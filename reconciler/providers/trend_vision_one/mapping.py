"""Between manifests and the vendor's JSON: canonical fields in both directions, and months for dates. No I/O."""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime
from typing import Any, Final

from reconciler.model import mark as marks
from reconciler.model.desired import DesiredKey, KeyState
from reconciler.model.mark import Mark
from reconciler.model.names import Kind
from reconciler.model.observed import Fields, Observed
from reconciler.providers.naming import base_name, vendor_name
from reconciler.providers.specs import spec
from reconciler.providers.times import from_text, whole_seconds
from reconciler.providers.trend_vision_one.records import KeyRecord

MONTHS: Final = (1, 3, 6, 12)
"""The lifetimes that a key can be given (T14)."""
NEVER: Final = 0
"""What the vendor takes for a key without an end; its SDK's default (T14)."""

_STATUS: Final = {KeyState.ACTIVE: "enabled", KeyState.LOCKED: "disabled"}


def key_fields(key: DesiredKey) -> Fields:
    """A key in canonical form, its role left out. `expires` is the wish: the vendor's own end lies at it or later."""
    return {
        "name": key.name,
        "description": key.description.strip(),
        "expires": whole_seconds(key.expires),
        "state": str(key.state),
    }


def observed_key(key: KeyRecord) -> Observed:
    """A key as the vendor describes it, under its base name if it is marked. `facts`: creation and last use."""
    description, mark = marks.split(key.description)
    name = base_name(key.name, mark)
    fields = {
        "name": name,
        "description": description,
        "expires": from_text(key.expiredDateTime),
        "state": str(KeyState.ACTIVE if key.status == _STATUS[KeyState.ACTIVE] else KeyState.LOCKED),
    }
    facts = {
        "created": from_text(key.createdDateTime),
        "lastUsed": from_text(key.lastUsedDateTime),
        "vendorName": key.name,
    }
    return Observed(
        kind=Kind.API_KEY, vendor_id=key.id, name=name, mark=mark, fields=fields, level_id=key.role, facts=facts
    )


def key_spec(found: Observed) -> dict[str, Any]:
    """A manifest's `spec` of a key, its role left out. `expires` is the end that the vendor has set."""
    fields = found.fields
    return spec(description=fields["description"], expires=fields["expires"], state=fields["state"])


def observed_role(name: str) -> Observed:
    """A role: its name is also its id, for that is what keys refer to it by. All are the vendor's, none is ours."""
    fields = {"name": name, "description": "", "permissions": {}}
    return Observed(kind=Kind.ACCESS_LEVEL, vendor_id=name, name=name, mark=None, fields=fields, builtin=True)


def key_to_create(fields: Fields, role: str, mark: Mark, now: datetime) -> dict[str, Any]:
    """The body of one key to create."""
    return {**key_to_update(fields, role, mark), "monthsToExpiration": months(fields["expires"], now)}


def key_to_update(changed: Fields, role: str | None, mark: Mark) -> dict[str, Any]:
    """The body that changes the given fields and nothing else. `expires` is not among them: it is set at creation only."""
    body: dict[str, Any] = {}
    for name, value in changed.items():
        match name:
            case "name":
                body["name"] = vendor_name(value, mark)
            case "description":
                body["description"] = mark.attach(value)
            case "state":
                body["status"] = _STATUS[KeyState(value)]
            case "expires":
                pass
            case _:
                raise KeyError(name)
    if role is not None:
        body["role"] = role
    return body


def months(expires: datetime | None, now: datetime) -> int:
    """The shortest lifetime that the vendor offers and that does not end before `expires`; NEVER if none is that long.

    A key that ended early would be an outage; the exact moment is enforced by the reconciler.
    """
    if expires is None:
        return NEVER
    return next((count for count in MONTHS if _later(now, count) >= expires), NEVER)


def _later(start: datetime, count: int) -> datetime:
    """So many calendar months later; the last day of a month that has no such day."""
    years, month = divmod(start.month - 1 + count, 12)
    year = start.year + years
    return start.replace(year=year, month=month + 1, day=min(start.day, monthrange(year, month + 1)[1]))
