"""The operations on API keys (2), each from a caller and a call to a status and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from reconciler.emulator.base import Call
from reconciler.providers.cortex_cloud.emulator.access import Caller
from reconciler.providers.cortex_cloud.emulator.errors import BadKeyRequest, BadParameters, Refused
from reconciler.providers.cortex_cloud.emulator.options import Options
from reconciler.providers.cortex_cloud.emulator.scopes import fresh
from reconciler.providers.cortex_cloud.emulator.state import EDIT_KEYS, SEE_KEYS, Key, Tenant

Result = tuple[int, Any]


class KeyOperations:
    """What `/public_api/v1/api_keys/*` and `/platform/iam/v1/api-key/{id}` offer."""

    def __init__(self, tenant: Tenant, options: Options, now_ms: Callable[[], int]) -> None:
        self._tenant = tenant
        self._now_ms = now_ms
        self.options = options
        self.hidden: set[int] = set()
        """Keys that the next listing leaves out."""

    def list_all(self, caller: Caller, call: Call) -> Result:
        """Keys, expired ones too, in the order of their creation unless sorted."""
        caller.require(SEE_KEYS)
        data = _request_data(call, optional=True)
        hidden, self.hidden = self.hidden, set()
        every = [key for key in self._tenant.keys.values() if key.id not in hidden]
        found = _sorted([key for key in every if _matches(key, data.get("filters"))], data.get("sort"))
        first, last = _whole(data, "search_from", 0), _whole(data, "search_to", len(found))
        page = found[first:last][: self.options.page_limit]
        reply: dict[str, Any] = {"DATA": [self._shown(key) for key in page]}
        if self.options.counts:
            reply |= {"FILTER_COUNT": len(found), "TOTAL_COUNT": len(every)}
        if self.options.lower_case_envelope:
            reply = {name.lower(): value for name, value in reply.items()}
        return 200, {"reply": reply}

    def generate(self, caller: Caller, call: Call) -> Result:
        """A new key; its secret is in this answer and in no other. Mistakes are answered with 500."""
        caller.require(EDIT_KEYS)
        data = _request_data(call)
        shown = {
            "creation_time": self._now_ms(),
            "created_by": caller.key.shown["user_name"],
            "user_name": caller.key.shown["user_name"],
            "roles": self._roles(data, BadKeyRequest),
            "security_level": _level(data, BadKeyRequest),
            "comment": _comment(data, BadKeyRequest),
            "expiration": self._expiration(data),
        }
        if self.options.only_own_roles and not (
            caller.is_admin or set(shown["roles"]) <= set(caller.key.shown["roles"])
        ):
            raise Refused(403, "Insufficient permissions for api key")
        key = self._tenant.add_key(shown, fresh(self.options))
        return 200, {"reply": {"id": key.id, "key": key.secret}}

    def delete(self, caller: Caller, call: Call) -> Result:
        """Delete the keys of these ids; ids that do not exist are passed over."""
        caller.require(EDIT_KEYS)
        filters = _request_data(call).get("filters")
        if not isinstance(filters, list) or not filters or any(_field(one) != "id" for one in filters):
            raise BadKeyRequest("filters on the field id are required")
        gone = [key.id for key in self._tenant.keys.values() if _matches(key, filters)]
        for number in gone:
            del self._tenant.keys[number]
        return 200, {"reply": {"update_count": str(len(gone)) if self.options.update_count_as_text else len(gone)}}

    def describe(self, caller: Caller, call: Call) -> Result:
        """One key, as the list shows it."""
        caller.require(SEE_KEYS)
        return 200, {"data": self._shown(self._find(call))}

    def edit(self, caller: Caller, call: Call) -> Result:
        """Replace roles, security level and comment; the expiration stays."""
        if self.options.edit_key != "works":
            raise Refused(int(self.options.edit_key), "Not found" if self.options.edit_key == "404" else "Not allowed")
        caller.require(EDIT_KEYS)
        key = self._find(call)
        data = _request_data(call)
        unknown = sorted(set(data) - {"roles", "security_level", "comment"})
        if unknown:
            raise BadParameters([{"type": "extra_forbidden", "loc": unknown, "msg": "Extra inputs are not permitted"}])
        roles, level = self._roles(data, BadParameters), _level(data, BadParameters)
        comment = _comment(data, BadParameters)
        key.shown.update(roles=roles, security_level=level)
        if "comment" in data or self.options.omitted_comment == "cleared":
            key.shown["comment"] = comment
        return 200, {"data": {"message": f"API key {key.id} updated successfully"}}

    def _find(self, call: Call) -> Key:
        key = self._tenant.keys.get(int(call.params["api_key_id"]))
        if key is None:
            raise Refused(404, "The API key does not exist.")
        return key

    def _shown(self, key: Key) -> dict[str, Any]:
        level = key.shown["security_level"]
        return {**key.shown, "security_level": level.capitalize() if self.options.capitals else level}

    def _roles(self, data: Mapping[str, Any], wrong: Callable[[str], Refused]) -> list[str]:
        roles = data.get("roles")
        if not isinstance(roles, list) or not roles:
            raise wrong("roles is required")
        unknown = [role for role in roles if not isinstance(role, str) or self._tenant.role_named(role) is None]
        if unknown:
            raise wrong(f"Unknown custom roles: {', '.join(map(str, unknown))}")
        return list(roles)

    def _expiration(self, data: Mapping[str, Any]) -> int:
        now = self._now_ms()
        if "expiration" not in data:
            return now + self.options.default_ms
        expiration = data["expiration"]
        if not isinstance(expiration, int) or isinstance(expiration, bool) or expiration <= 0:
            raise BadKeyRequest("expiration must be integer in epoch milliseconds")
        longest = self.options.longest_ms
        if longest is None or expiration <= now + longest:
            return expiration
        if self.options.beyond_longest == "refuse":
            raise BadKeyRequest("expiration is too far in the future")
        return now + longest


def _request_data(call: Call, *, optional: bool = False) -> Mapping[str, Any]:
    try:
        body = call.json()
    except json.JSONDecodeError:
        raise Refused(400, "Invalid JSON") from None
    data = body.get("request_data") if isinstance(body, dict) else None
    if not isinstance(data, dict) and not (optional and body in (None, {})):
        raise Refused(500 if call.path.startswith("/public_api/") else 400, "request_data is missing")
    return data or {}


def _matches(key: Key, filters: Any) -> bool:
    """Whether a key meets all filters."""
    if not isinstance(filters or [], list) or not all(isinstance(one, dict) for one in filters or ()):
        raise BadKeyRequest("filters must be a list of objects")
    for one in filters or ():
        field, operator, value = (one.get(name) for name in ("field", "operator", "value"))
        match field, operator:
            case "id", "in" if isinstance(value, list):
                hit = key.id in value
            case "roles", "contains" if isinstance(value, list):
                hit = bool(set(value) & set(key.shown["roles"]))
            case "expiration", "gte" | "lte" if isinstance(value, int):
                at = key.shown["expiration"]
                hit = at is not None and (at >= value if operator == "gte" else at <= value)
            case _:
                raise BadKeyRequest(f"filter on {field} with {operator} is not supported")
        if not hit:
            return False
    return True


def _field(one: Any) -> Any:
    return one.get("field") if isinstance(one, dict) else None


def _sorted(keys: list[Key], sort: Any) -> list[Key]:
    if not sort:
        return keys
    field, keyword = sort.get("field"), sort.get("keyword", "asc")
    if field not in {"expiration", "roles"} or keyword not in {"asc", "desc"}:
        raise BadKeyRequest("sort is by expiration or roles, asc or desc")
    never = float("inf")

    def rank(key: Key) -> Any:
        value = key.shown[field]
        return value if field == "roles" else never if value is None else value

    return sorted(keys, key=rank, reverse=keyword == "desc")


def _whole(data: Mapping[str, Any], name: str, default: int) -> int:
    value = data.get(name, default)
    if not isinstance(value, int) or value < 0:
        raise BadKeyRequest(f"{name} must be a positive integer")
    return value


def _level(data: Mapping[str, Any], wrong: Callable[[str], Refused]) -> str:
    level = data.get("security_level")
    if level not in {"standard", "advanced"}:
        raise wrong("security_level must be one of standard, advanced")
    return str(level)


def _comment(data: Mapping[str, Any], wrong: Callable[[str], Refused]) -> str:
    comment = data.get("comment") or ""
    if not isinstance(comment, str):
        raise wrong("comment must be a string")
    return comment
