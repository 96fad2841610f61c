"""Properties that requests may set: checked, normalised as the server stores them. `Invalid` becomes a 400."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reconciler.providers.trend_workload_security.emulator import rights, zones
from reconciler.providers.trend_workload_security.emulator.errors import Invalid
from reconciler.providers.trend_workload_security.emulator.options import Options
from reconciler.providers.trend_workload_security.emulator.state import Role, Tenant
from reconciler.providers.trend_workload_security.rights import FLAGS, LISTS

LOCALES: Final = ("en-US", "ja-JP")
KEY_SEARCH: Final[Mapping[str, str]] = {
    "keyName": "string",
    "description": "string",
    "timeZone": "string",
    "locale": "choice",
    "roleID": "numeric",
    "unsuccessfulSignInAttempts": "numeric",
    "active": "boolean",
    "serviceAccount": "boolean",
    "created": "date",
    "lastSignIn": "date",
    "unlockTime": "date",
    "expiryDate": "date",
}
ROLE_SEARCH: Final[Mapping[str, str]] = {
    "name": "string",
    "description": "string",
    "urn": "string",
    "immutable": "boolean",
    **dict.fromkeys(FLAGS, "boolean"),
}

_KEY_TYPES: Final[Mapping[str, type]] = {
    "keyName": str,
    "description": str,
    "locale": str,
    "roleID": int,
    "timeZone": str,
    "active": bool,
    "expiryDate": int,
    "unlockTime": int,
}
_KEY_READ_ONLY: Final = frozenset(
    {"ID", "created", "lastSignIn", "unsuccessfulSignInAttempts", "secretKey", "serviceAccount"}
    | {"roleURN", "tenantID", "tenantGUID"}
)
_ROLE_TYPES: Final[Mapping[str, type]] = {
    "name": str,
    "description": str,
    "rights": dict,
    **dict.fromkeys(FLAGS, bool),
    **dict.fromkeys(LISTS, list),
}
_ROLE_READ_ONLY: Final = frozenset({"ID", "urn", "immutable"})


def _given(body: Any, types: Mapping[str, type], read_only: frozenset[str]) -> dict[str, Any]:
    """What the request sets: null is nothing, and what only the server sets is ignored (clients send whole objects)."""
    if not isinstance(body, dict):
        raise Invalid("The request body must be a JSON object.")
    given = {name: value for name, value in body.items() if value is not None and name not in read_only}
    for name, value in given.items():
        if name not in types:
            raise Invalid(f"Unknown property: {name}")
        if not isinstance(value, types[name]) or (isinstance(value, bool) and types[name] is not bool):
            raise Invalid(f"Invalid value for property: {name}")
    return given


def _check_name(given: Mapping[str, Any], name: str, *, creating: bool) -> None:
    if (creating or name in given) and not given.get(name, "").strip():
        raise Invalid(f"The property {name} is required.")


def key_properties(body: Any, tenant: Tenant, options: Options, now_ms: int, *, creating: bool) -> dict[str, Any]:
    """What a creation or modification of a key sets, as it is stored; None for a time stands for its removal."""
    given = _given(body, _KEY_TYPES, _KEY_READ_ONLY)
    _check_name(given, "keyName", creating=creating)
    if creating and "roleID" not in given:
        raise Invalid("The property roleID is required.")
    if given.get("roleID", 1) not in tenant.roles:
        raise Invalid(f"Invalid role: {given['roleID']}")
    if given.get("locale", LOCALES[0]) not in LOCALES:
        raise Invalid(f"Invalid locale: {given['locale']}")
    if "timeZone" in given:
        if given["timeZone"] not in zones.accepted():
            raise Invalid(f"Invalid time zone: {given['timeZone']}")
        if options.canonical_time_zones:
            given["timeZone"] = zones.canonical(given["timeZone"])
    for name in ("expiryDate", "unlockTime"):
        if name in given:
            given[name] = _time(name, given[name], options.truncate_ms)
    if options.refuse_past_expiry and (given.get("expiryDate") or now_ms) < now_ms:
        raise Invalid("The expiry date has passed.")
    return given


def _time(name: str, value: int, unit_ms: int) -> int | None:
    """Milliseconds, cut down to whole units; 0 stands for none."""
    if value < 0:
        raise Invalid(f"Invalid value for property: {name}")
    return value // unit_ms * unit_ms or None


def role_properties(body: Any, role: Role | None, options: Options) -> tuple[dict[str, Any], frozenset[str]]:
    """What a creation (no role yet) or modification of a role sets, and all rights that it grants afterwards."""
    given = _given(body, _ROLE_TYPES, _ROLE_READ_ONLY)
    _check_name(given, "name", creating=role is None)
    for name in LISTS.keys() & given.keys():
        if not all(type(number) is int and number >= 0 for number in given[name]):
            raise Invalid(f"Invalid value for property: {name}")
        given[name] = sorted(set(given[name]))
    if role is None and options.role_defaults:
        given = {"allComputers": True, "allPolicies": True, "allowUserInterface": True, **given}
    before = role.granted if role else frozenset[str]()
    tree = given.pop("rights", None)
    if tree is None:
        return given, before
    return given, rights.merge(before if options.rights_modify == "merge" else frozenset(), tree)
