"""Between manifests and the vendor's JSON: canonical fields in both directions. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from reconciler.model import mark as marks
from reconciler.model.desired import DesiredKey, DesiredLevel, KeyState
from reconciler.model.names import Kind
from reconciler.model.observed import Fields, KnownKey, Observed
from reconciler.providers import naming
from reconciler.providers.carbon_black_cloud import permissions
from reconciler.providers.carbon_black_cloud.records import Connector, Grant, Role
from reconciler.providers.specs import spec
from reconciler.providers.times import from_milliseconds

CUSTOM: Final = "CUSTOM"

DEPRECATED: Final = {
    "API": "keys of type API are deprecated: their APIs were switched off by 31 October 2024 (S6, S11)",
    "SIEM": "keys of type SIEM are deprecated: the vendor switches them off by 31 January 2025 (S6, S11)",
    "LIVE_RESPONSE": "keys of type Live Response are deprecated: the vendor switched them off on 31 October 2024 (S11)",
}
"""Types of keys by the name that manifests would use, and why they cannot be had any more."""
_INTERNAL_TYPES: Final = {"SIM": "SIEM"}


def principal(org_key: str, api_id: str) -> str:
    """A key's URN as grants name it (S17)."""
    return f"psc:cnn:{org_key}:{api_id}"


def level_fields(level: DesiredLevel) -> Fields:
    """An access level in canonical form. The permissions must have passed the check."""
    return {
        "name": level.name,
        "description": level.description.strip(),
        "permissions": permissions.canonical(level.permissions),
    }


def key_fields(key: DesiredKey) -> Fields:
    """A key in canonical form, its level left out. Expiry is ours to enforce, so it is none of these."""
    return {
        "name": key.name,
        "description": key.description.strip(),
        "allowedIPs": key.allowed_ips,
        "state": str(key.state),
    }


def observed_level(role: Role) -> Observed:
    """A role as the vendor describes it: by name and, where it has one, description. Its permissions are not told."""
    description, mark = marks.split(role.desc)
    return Observed(
        kind=Kind.ACCESS_LEVEL,
        vendor_id=role.urn,
        name=role.name,
        mark=mark,
        fields={"name": role.name} if role.desc is None else {"name": role.name, "description": description},
        builtin=role.urn.startswith("psc:role::"),
        facts={"disabled": True} if role.disabled else {},
    )


def observed_key(connector: Connector, grant: Grant | None) -> Observed:
    """A key that the console's list shows. `facts`: type, times of creation, change and last session."""
    description, mark = marks.split(connector.description)
    custom = connector.connectorType in (CUSTOM, None)
    name = naming.base_name(connector.name, mark)
    state = state_of(grant) if custom else KeyState.ACTIVE
    facts: dict[str, Any] = {
        "type": connector.connectorType or CUSTOM,
        "created": from_milliseconds(connector.createTime, beyond=None),
        "updated": from_milliseconds(connector.lastUpdatedTime, beyond=None),
        "lastUsed": _session_start(connector.stats),
    }
    kind = _INTERNAL_TYPES.get(connector.connectorType or "", connector.connectorType or "")
    if kind in DEPRECATED:
        facts["deprecated"] = DEPRECATED[kind]
    return Observed(
        kind=Kind.API_KEY,
        vendor_id=connector.connectorId,
        name=name,
        mark=mark,
        fields={"name": name, "description": description, "state": str(state)},
        level_id=level_of(grant),
        builtin=bool(connector.serviceConnector),
        facts=facts,
    )


def key_spec(found: Observed) -> dict[str, Any] | None:
    """A manifest's `spec` of a key, its level left out, as far as it is told; None for a type that is switched off."""
    if found.facts.get("type", CUSTOM) != CUSTOM:
        return None
    fields = found.fields
    return spec(description=fields.get("description"), state=fields["state"])


def known_key(known: KnownKey, grant: Grant | None) -> Observed:
    """A key that our records name: only its grant can be read."""
    return Observed(
        kind=Kind.API_KEY,
        vendor_id=known.vendor_id,
        name=known.name,
        mark=known.mark,
        fields={"state": str(state_of(grant))},
        level_id=level_of(grant),
    )


def state_of(grant: Grant | None) -> KeyState:
    """A key without a grant that counts may do nothing: that is our lock."""
    return KeyState.ACTIVE if grant is not None and grant.in_force else KeyState.LOCKED


def level_of(grant: Grant | None) -> str | None:
    """The key's access level; several, which only somebody else can have given, are told together."""
    return " ".join(grant.in_force) or None if grant is not None else None


def grant_body(org_key: str, urn: str, name: str, level: str) -> dict[str, Any]:
    """The body that creates a grant: the smallest one seen (S2, S23)."""
    return {"principal": urn, "principal_name": name, "org_ref": f"psc:org:{org_key}", "roles": [level]}


def replaced(grant: Mapping[str, Any], level: str) -> dict[str, Any]:
    """The body that makes a level the only one of a grant: a full replacement (S2)."""
    return {**grant, "roles": [level], "profiles": []}


def _session_start(stats: object) -> datetime | None:
    return from_milliseconds(stats.get("sessionStartTime"), beyond=None) if isinstance(stats, Mapping) else None
