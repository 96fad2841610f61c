"""Between manifests and the vendor's JSON: canonical fields in both directions. No I/O.

Our mark stands at the end of a service user's *name*. The documented answers have no description for service users (only
the console's own API shows one), so a mark there could not be found again; the name is in every answer and can be changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from reconciler.model import mark as marks
from reconciler.model.desired import DesiredKey, DesiredLevel, KeyState
from reconciler.model.mark import Mark
from reconciler.model.names import Kind
from reconciler.model.observed import Fields, KnownKey, Observed
from reconciler.providers.lacework.records import UserRecord
from reconciler.providers.specs import spec
from reconciler.providers.times import from_milliseconds

_SERVICE: Final = "serviceuser"


class Guid(str):
    """A user group's GUID as somebody wrote it, equal to every spelling that differs in case only."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.upper() == other.upper()

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.upper())


def groups(guids: Iterable[str]) -> tuple[Guid, ...]:
    """A set of groups: each once, sorted without regard to case."""
    found = {guid.upper(): Guid(guid) for guid in guids}
    return tuple(found[name] for name in sorted(found))


def level_fields(level: DesiredLevel) -> Fields:
    """A service user in canonical form. Its groups must have passed the check."""
    return {
        "name": level.name,
        "description": level.description.strip(),
        "groups": groups(level.permissions.get("groups", ())),
        "state": _state(enabled=not level.locked),
    }


def key_fields(key: DesiredKey) -> Fields:
    """A key in canonical form, its user left out. None of it can be read back."""
    return {"name": key.name, "description": key.description.strip(), "state": str(key.state)}


def observed_user(user: UserRecord, own: frozenset[str] = frozenset()) -> Observed:
    """A user as the vendor describes it.

    Standard users are people: never ours, and found by their e-mail address. `facts`: its type, display name, last
    sign-in, and whether we are calling as this user.
    """
    service = user.type.replace("_", "").lower() == _SERVICE
    text = user.name or ""
    name, mark = marks.split(text) if service else ((user.email or text).strip().lower(), None)
    fields: dict[str, Any] = {
        "name": name,
        "groups": groups(group.userGroupGuid for group in user.userGroups or ()),
        "state": _state(enabled=bool(user.userEnabled)),
    }
    if service and "description" in user.model_fields_set:
        fields["description"] = (user.description or "").strip()
    return Observed(
        kind=Kind.SERVICE_USER,
        vendor_id=user.userGuid,
        name=name,
        mark=mark,
        fields=fields,
        builtin=not service,
        facts={
            "type": "service user" if service else "standard user",
            "displayName": text,
            "lastUsed": _time(user.lastLoginTime),
            "own": user.userGuid in own,
        },
    )


def level_spec(found: Observed) -> dict[str, Any] | None:
    """A manifest's `spec` of a service user; None for a person."""
    if found.builtin:
        return None
    fields = found.fields
    return spec(description=fields.get("description"), groups=fields["groups"], state=fields["state"])


def known_key(key: KnownKey) -> Observed:
    """A key of our records, as it is known: the vendor tells nothing of keys."""
    return Observed(
        kind=Kind.API_KEY, vendor_id=key.vendor_id, name=key.name, mark=key.mark, fields={}, level_id=key.level_id
    )


def user_to_create(name: str, fields: Fields, mark: Mark) -> dict[str, Any]:
    """The body that creates a service user. An empty description is left out."""
    body = {"type": "ServiceUser", **user_to_update({**fields, "name": name}, mark)}
    return {member: value for member, value in body.items() if member != "description" or value}


def user_to_update(fields: Fields, mark: Mark) -> dict[str, Any]:
    """The body that makes a service user's own members what is given; groups are joined and left on their own.

    Without a `state` nothing is said of it: an update must not take off a lock that somebody has just put on.
    """
    body: dict[str, Any] = {"name": mark.attach(fields["name"]), "description": fields["description"]}
    if "state" in fields:
        body["userEnabled"] = int(fields["state"] == KeyState.ACTIVE)
    return body


def _state(*, enabled: bool) -> str:
    return str(KeyState.ACTIVE if enabled else KeyState.LOCKED)


def _time(value: int | str | None) -> datetime | None:
    """Epoch milliseconds in UTC, whole seconds; None for absent, 0 and whatever is no such number."""
    try:
        return from_milliseconds(int(value or 0), beyond=None)
    except ValueError:
        return None
