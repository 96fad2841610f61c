"""Between manifests and Lantern's JSON: canonical fields in both directions. No I/O."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from reconciler.model import mark as marks
from reconciler.model.desired import DesiredKey, DesiredLevel, KeyState
from reconciler.model.mark import Mark
from reconciler.model.names import Kind
from reconciler.model.observed import Fields, Observed
from reconciler.providers.specs import spec
from reconciler.providers.times import whole_seconds
from reconciler_lantern.records import KeyRecord, RoleRecord

COLOURS: Final = ("amber", "green", "red")


def key_fields(key: DesiredKey) -> Fields:
    """A key in canonical form: complete, so that it equals what is observed exactly when there is nothing to do."""
    return {
        "name": key.name,
        "description": key.description.strip(),
        "expires": whole_seconds(key.expires),
        "state": str(key.state),
        "colour": key.options.get("colour", COLOURS[0]),
    }


def level_fields(level: DesiredLevel) -> Fields:
    """A role in canonical form. Rights are a set: sorted, each one once."""
    rights = tuple(sorted(set(level.permissions["rights"])))
    return {"name": level.name, "description": level.description.strip(), "permissions": {"rights": rights}}


def observed_key(key: KeyRecord) -> Observed:
    """A key as Lantern describes it."""
    description, mark = marks.split(key.note)
    fields = {
        "name": key.name,
        "description": description,
        "expires": datetime.fromtimestamp(key.ends, UTC) if key.ends else None,
        "state": str(KeyState.ACTIVE if key.enabled else KeyState.LOCKED),
        "colour": key.colour,
    }
    return Observed(Kind.API_KEY, key.id, key.name, mark, fields, level_id=key.role)


def observed_level(role: RoleRecord) -> Observed:
    """A role as Lantern describes it."""
    description, mark = marks.split(role.note)
    permissions = {"rights": tuple(sorted(role.rights))}
    fields = {"name": role.name, "description": description, "permissions": permissions}
    return Observed(Kind.ACCESS_LEVEL, role.id, role.name, mark, fields, builtin=role.builtin)


def key_spec(found: Observed) -> dict[str, Any]:
    """A manifest's `spec` of a key that exists, its role left out."""
    fields = found.fields
    options = {} if fields["colour"] == COLOURS[0] else {"colour": fields["colour"]}
    return spec(description=fields["description"], expires=fields["expires"], state=fields["state"], options=options)


def level_spec(found: Observed) -> dict[str, Any]:
    """A manifest's `spec` of a role that exists."""
    return spec(description=found.fields["description"], permissions=found.fields["permissions"])


def key_body(changed: Fields, role: str | None, mark: Mark) -> dict[str, Any]:
    """The body that creates a key, or changes the given fields and nothing else."""
    body: dict[str, Any] = {} if role is None else {"role": role}
    for name, value in changed.items():
        match name:
            case "name" | "colour":
                body[name] = value
            case "description":
                body["note"] = mark.attach(value)
            case "state":
                body["enabled"] = value == KeyState.ACTIVE
            case "expires":
                body["ends"] = int(value.timestamp()) if value else None
            case _:
                raise KeyError(name)
    return body


def role_body(fields: Fields, mark: Mark) -> dict[str, Any]:
    """The body that makes a role what is given."""
    rights = list(fields["permissions"]["rights"])
    return {"name": fields["name"], "note": mark.attach(fields["description"]), "rights": rights}
