"""Between manifests and the vendor's JSON: canonical fields in both directions. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any, Final

from reconciler.model import mark as marks
from reconciler.model.desired import DesiredKey, DesiredLevel, KeyState
from reconciler.model.mark import Mark
from reconciler.model.names import Kind
from reconciler.model.observed import Fields, Observed
from reconciler.providers.specs import spec
from reconciler.providers.times import from_text
from reconciler.providers.trend_cloud_one.records import KeyRecord, RoleRecord
from reconciler.providers.zones import DEFAULT, Zone

LOCALES: Final = ("en", "ja")
"""The vendor's closed list (T11)."""

SHIPPED: Final = frozenset({"full-access"})
"""Ids of roles that the product ships, as far as they are documented: no field of a role tells."""


def level_fields(level: DesiredLevel) -> Fields:
    """An access level in canonical form. The permissions must have passed the check."""
    urns = tuple(sorted(set(level.permissions.get("serviceRoleURNs", ()))))
    return {
        "name": level.name,
        "description": level.description.strip(),
        "permissions": {"serviceRoleURNs": urns},
    }


def key_fields(key: DesiredKey) -> Fields:
    """A key in canonical form, its level left out. `timeZone` equals every other name of the same zone."""
    return {
        "name": key.name,
        "description": key.description.strip(),
        "locale": key.options.get("locale", LOCALES[0]),
        "timeZone": Zone(key.options.get("timeZone", DEFAULT)),
        "allowedIPs": networks(key.allowed_ips),
        "state": str(key.state),
    }


def observed_level(role: RoleRecord) -> Observed:
    """A role as the vendor describes it. `facts`: its `urn`."""
    description, mark = marks.split(role.description)
    urns = tuple(sorted(set(role.serviceRoleURNs or ())))
    return Observed(
        kind=Kind.ACCESS_LEVEL,
        vendor_id=role.id,
        name=role.name,
        mark=mark,
        fields={"name": role.name, "description": description, "permissions": {"serviceRoleURNs": urns}},
        builtin=role.id in SHIPPED,
        facts={"urn": role.urn} if role.urn else {},
    )


def observed_key(key: KeyRecord) -> Observed:
    """A key as the vendor describes it. `facts`: times of creation, change and last use, and its `urn`."""
    description, mark = marks.split(key.description)
    name = key.alias or ""
    fields = {
        "name": name,
        "description": description,
        "locale": (key.locale or "").lower(),
        "timeZone": Zone(key.timezone or ""),
        "allowedIPs": networks([*(key.allowedIPs or ()), *(key.allowedCIDRs or ())]),
        "state": str(KeyState.ACTIVE if key.enabled else KeyState.LOCKED),
    }
    facts = {
        "created": from_text(key.created),
        "lastModified": from_text(key.lastModified),
        "lastUsed": from_text(key.lastActivity),
        "urn": key.urn,
    }
    return Observed(
        kind=Kind.API_KEY, vendor_id=key.id, name=name, mark=mark, fields=fields, level_id=key.roleID, facts=facts
    )


def level_spec(found: Observed) -> dict[str, Any]:
    """A manifest's `spec` of a role. Its list of service roles is there even if it is empty, for it must be."""
    return spec(description=found.fields["description"], permissions=found.fields["permissions"])


def key_spec(found: Observed) -> dict[str, Any]:
    """A manifest's `spec` of a key, its level left out. Options are there where they differ from the defaults."""
    fields = found.fields
    options = {
        name: fields[name]
        for name, default in (("locale", LOCALES[0]), ("timeZone", DEFAULT))
        if fields[name] != default
    }
    return spec(
        description=fields["description"], state=fields["state"], allowedIPs=fields["allowedIPs"], options=options
    )


def role_body(fields: Fields, mark: Mark) -> dict[str, Any]:
    """The body that creates a role, or makes one what is given."""
    return {
        "name": fields["name"],
        "description": mark.attach(fields["description"]),
        "serviceRoleURNs": list(fields["permissions"]["serviceRoleURNs"]),
    }


def key_body(changed: Fields, level_id: str | None, mark: Mark) -> dict[str, Any]:
    """The body that sets the given fields and no others: all of them for a creation.

    Addresses and networks are two properties at the vendor and both are sent, for a list that is left out may stay.
    """
    body: dict[str, Any] = {}
    for name, value in changed.items():
        match name:
            case "name":
                body["alias"] = value
            case "description":
                body["description"] = mark.attach(value)
            case "locale":
                body["locale"] = value
            case "timeZone":
                body["timezone"] = str.__str__(value)
            case "allowedIPs":
                body["allowedIPs"], body["allowedCIDRs"] = _split(value)
            case "state":
                body["enabled"] = value == KeyState.ACTIVE
            case _:
                raise KeyError(name)
    if level_id is not None:
        body["roleID"] = level_id
    return body


def networks(entries: Iterable[str]) -> tuple[str, ...]:
    """Addresses and networks, however they are written, as canonical networks: each once, sorted as text.

    What is neither stays as it is: a difference that somebody should see.
    """
    return tuple(sorted({_network(entry) for entry in entries}))


def _network(entry: str) -> str:
    try:
        return str(ip_network(entry.strip(), strict=False))
    except ValueError:
        return entry.strip()


def _split(allowed: Iterable[str]) -> tuple[list[str], list[str]]:
    """Single addresses without their prefix length, and networks: what the vendor keeps apart."""
    parsed = [ip_network(entry) for entry in allowed]
    addresses = [str(one.network_address) for one in parsed if one.prefixlen == one.max_prefixlen]
    return addresses, [str(one) for one in parsed if one.prefixlen < one.max_prefixlen]
