"""Between manifests and the vendor's JSON: canonical fields in both directions. No I/O.

Canonical fields are complete (every property has its value, defaults included), so that what a manifest asks for and what
the vendor answers compare equal exactly when there is nothing to do. A manifest writes the groups of rights beside the
role's properties; the vendor wants them under `rights`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from reconciler.model import mark as marks
from reconciler.model.desired import DesiredKey, DesiredLevel, KeyState
from reconciler.model.mark import Mark
from reconciler.model.names import Kind
from reconciler.model.observed import Fields, Observed
from reconciler.providers.specs import spec
from reconciler.providers.times import from_milliseconds, to_milliseconds, whole_seconds
from reconciler.providers.trend_workload_security.records import KeyRecord, RoleRecord
from reconciler.providers.trend_workload_security.rights import FLAGS, LISTS, RIGHTS
from reconciler.providers.trend_workload_security.timezones import vendor_spelling
from reconciler.providers.zones import DEFAULT, Zone

LOCALES: Final = ("en-US", "ja-JP")
"""The vendor's closed list (T1)."""

_Path = tuple[str, str, str]
_EVERY_RIGHT: Final[tuple[_Path, ...]] = tuple(
    (group, thing, right) for group, things in RIGHTS.items() for thing, rights in things.items() for right in rights
)
_KNOWN: Final = frozenset(_EVERY_RIGHT)


def level_fields(level: DesiredLevel) -> Fields:
    """An access level in canonical form. The permissions must have passed the check."""
    permissions = _permissions(level.permissions, level.permissions)
    return {"name": level.name, "description": level.description.strip(), "permissions": permissions}


def key_fields(key: DesiredKey) -> Fields:
    """A key in canonical form, its level left out. `timeZone` equals every other name of the same zone."""
    return {
        "name": key.name,
        "description": key.description.strip(),
        "locale": key.options.get("locale", LOCALES[0]),
        "timeZone": Zone(key.options.get("timeZone", DEFAULT)),
        "expires": whole_seconds(key.expires),
        "state": str(key.state),
    }


def observed_level(role: RoleRecord) -> Observed:
    """A role as the vendor describes it. `facts`: its `urn`."""
    description, mark = marks.split(role.description)
    properties = {name: getattr(role, name) for name in (*FLAGS, *LISTS)}
    fields = {"name": role.name, "description": description, "permissions": _permissions(properties, role.rights)}
    return Observed(
        kind=Kind.ACCESS_LEVEL,
        vendor_id=str(role.ID),
        name=role.name,
        mark=mark,
        fields=fields,
        builtin=bool(role.immutable),
        facts={"urn": role.urn} if role.urn else {},
    )


def observed_key(key: KeyRecord) -> Observed:
    """A key as the vendor describes it. `facts`: times of creation, last use and unlocking, failures, service account."""
    description, mark = marks.split(key.description)
    fields = {
        "name": key.keyName,
        "description": description,
        "locale": key.locale or "",
        "timeZone": Zone(key.timeZone or ""),
        "expires": from_milliseconds(key.expiryDate),
        "state": str(KeyState.ACTIVE if key.active else KeyState.LOCKED),
    }
    facts = {
        "created": from_milliseconds(key.created),
        "lastUsed": from_milliseconds(key.lastSignIn),
        "unlockTime": from_milliseconds(key.unlockTime),
        "failedSignIns": key.unsuccessfulSignInAttempts or 0,
        "serviceAccount": bool(key.serviceAccount),
    }
    return Observed(
        kind=Kind.API_KEY,
        vendor_id=str(key.ID),
        name=key.keyName,
        mark=mark,
        fields=fields,
        level_id=str(key.roleID) if key.roleID is not None else None,
        facts=facts,
    )


def level_spec(found: Observed) -> dict[str, Any]:
    """A manifest's `spec` of a role: what is not granted is left out."""
    permissions = found.fields["permissions"]
    granted = {name: value for name, value in permissions.items() if value not in (False, ())}
    return spec(description=found.fields["description"], permissions=granted)


def key_spec(found: Observed) -> dict[str, Any]:
    """A manifest's `spec` of a key, its level left out. Options are there where they differ from the defaults."""
    fields = found.fields
    options = {
        name: fields[name]
        for name, default in (("locale", LOCALES[0]), ("timeZone", DEFAULT))
        if fields[name] != default
    }
    return spec(description=fields["description"], expires=fields["expires"], state=fields["state"], options=options)


def role_to_create(fields: Fields, mark: Mark) -> dict[str, Any]:
    """The body that creates a role. Rights are sent where granted: on a creation, what is left out is false (T3)."""
    granted: dict[str, Any] = {}
    for path in _paths(fields["permissions"]):
        _put(granted, path, value=True)
    return {**_role(fields, mark), "rights": granted}


def role_to_update(fields: Fields, mark: Mark, also_revoked: Iterable[_Path] = ()) -> dict[str, Any]:
    """The body that makes a role's fields what is given: a partial modify leaves alone what it does not name (T3).

    So every right is named, the refused ones as false; `also_revoked` adds rights that only a newer server knows.
    """
    granted = set(_paths(fields["permissions"]))
    tree: dict[str, Any] = {}
    for path in _EVERY_RIGHT:
        _put(tree, path, value=path in granted)
    for path in also_revoked:
        _put(tree, path, value=False)
    return {**_role(fields, mark), "rights": tree}


def key_to_create(fields: Fields, level_id: str, mark: Mark) -> dict[str, Any]:
    """The body that creates a key. `active` is always sent: left out it would be false (T3)."""
    body = key_to_update(fields, level_id, mark)
    if fields["expires"] is None:
        del body["expiryDate"]
    return body


def key_to_update(changed: Fields, level_id: str | None, mark: Mark) -> dict[str, Any]:
    """The body that changes the given fields and nothing else. `expiryDate` 0 means never (T3)."""
    body: dict[str, Any] = {}
    for name, value in changed.items():
        match name:
            case "name":
                body["keyName"] = value
            case "description":
                body["description"] = mark.attach(value)
            case "locale":
                body["locale"] = value
            case "timeZone":
                body["timeZone"] = vendor_spelling(value)
            case "expires":
                body["expiryDate"] = to_milliseconds(value) if value is not None else 0  # T1, T3
            case "state":
                body["active"] = value == KeyState.ACTIVE
            case _:
                raise KeyError(name)
    if level_id is not None:
        body["roleID"] = int(level_id)
    return body


def granted(role: RoleRecord) -> frozenset[str]:
    """Every right of a role: `platformRights.apikeyRights.canViewApiKeys`."""
    return frozenset(".".join(path) for path in _paths(role.rights or {}))


def unknown_rights(level: Observed) -> tuple[_Path, ...]:
    """Paths of granted rights that are not in the contract: a newer server has them, and somebody granted them."""
    return tuple(path for path in _paths(level.fields["permissions"]) if path not in _KNOWN)


def _permissions(properties: Mapping[str, Any], rights: Mapping[str, Any] | None) -> dict[str, Any]:
    found: dict[str, Any] = {name: properties.get(name) is True for name in FLAGS}
    for name, (flag, _) in LISTS.items():
        found[name] = () if found[flag] else tuple(sorted(set(properties.get(name) or ())))
    for path in sorted(_paths(rights or {})):
        _put(found, path, value=True)
    return found


def _paths(tree: Mapping[str, Any]) -> Iterator[_Path]:
    """The granted rights of a tree; whatever else stands beside them is passed over."""
    for group, things in tree.items():
        for thing, rights in things.items() if isinstance(things, Mapping) else ():
            for right, granted in rights.items() if isinstance(rights, Mapping) else ():
                if granted is True:
                    yield group, thing, right


def _put(tree: dict[str, Any], path: _Path, *, value: bool) -> None:
    group, thing, right = path
    tree.setdefault(group, {}).setdefault(thing, {})[right] = value


def _role(fields: Fields, mark: Mark) -> dict[str, Any]:
    permissions = fields["permissions"]
    body = {"name": fields["name"], "description": mark.attach(fields["description"])}
    return body | {name: permissions[name] for name in FLAGS} | {name: list(permissions[name]) for name in LISTS}
