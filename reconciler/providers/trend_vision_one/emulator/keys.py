"""What can be done with keys, and the list of roles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response

from reconciler.emulator.base import Call, json_response
from reconciler.providers.trend_vision_one.emulator import filters
from reconciler.providers.trend_vision_one.emulator.options import Options
from reconciler.providers.trend_vision_one.emulator.state import (
    KEY_MANAGER,
    LIFETIMES,
    MASTER,
    Key,
    Refused,
    Tenant,
    error_of,
)

_MANAGERS: Final = (MASTER, KEY_MANAGER)
_PAGES: Final = ("50", "100", "200")
_ORDERS: Final = ("createdDateTime", "expiredDateTime", "lastUsedDateTime", "lastModifiedDateTime")
_CHANGEABLE: Final = ("name", "role", "status", "description")


class KeyOperations:
    """The operations of `/v3.0/iam`."""

    def __init__(
        self,
        tenant: Tenant,
        options: Options,
        now: Callable[[], int],
        write_time: Callable[[int | None], str | None],
    ) -> None:
        self._tenant = tenant
        self._options = options
        self._now = now
        self._write_time = write_time
        self.hidden: set[str] = set()

    def list_keys(self, caller: Key, call: Call) -> Response:
        """One page of keys."""
        _manager(caller)
        test = filters.parse(call.headers["tmv1-filter"]) if "tmv1-filter" in call.headers else None
        top = call.query.get("top", "50")
        if top not in _PAGES:
            raise Refused(400, "top is 50, 100 or 200.")
        keys = self._ordered(call.query.get("orderBy", "createdDateTime desc"))
        shown = [self._shown(key) for key in keys]
        shown = [key for key in shown if test is None or test(key)]
        seen = {key["id"] for key in shown} & self.hidden
        self.hidden -= seen
        return self._page(call, [key for key in shown if key["id"] not in seen], int(top))

    def list_roles(self, caller: Key, call: Call) -> Response:
        """One page of roles."""
        if self._options.roles_listed == "unknown":
            raise Refused(404, "No such operation.")
        if self._options.roles_listed == "forbidden":
            raise Refused(403, "The role of this key may not list roles.")
        _manager(caller)
        roles = [{"id": f"role-{index}", "name": name} for index, name in enumerate(self._tenant.roles)]
        return self._page(call, roles, self._options.roles_per_page)

    def describe(self, caller: Key, call: Call) -> Response:
        """One key, and its ETag."""
        _manager(caller)
        key = self._key(call.params["id"])
        response = json_response(self._shown(key))
        response.headers["ETag"] = f'"{key.etag}"'
        return response

    def create(self, caller: Key, call: Call) -> Response:
        """Several keys, each with a status of its own; the tokens are in this answer and in no other."""
        _manager(caller)
        return self._each(call.json(), self._create)

    def delete(self, caller: Key, call: Call) -> Response:
        """Several keys, each with a status of its own."""
        _manager(caller)
        return self._each(call.json(), self._delete)

    def modify(self, caller: Key, call: Call) -> Response:
        """Change what the request names, if the key is still the one that the caller saw."""
        _manager(caller)
        key = self._key(call.params["id"])
        seen = call.headers.get("if-match")
        if seen is None:
            raise Refused(400, "The If-Match header is missing.")
        if seen.strip('"') != key.etag:
            raise Refused(self._options.stale_status, "The key was changed meanwhile.")
        given = self._checked(call.json(), _CHANGEABLE)
        self._unique(given.get("name"), key.id)
        for name, value in given.items():
            setattr(key, name, value)
        key.version += 1
        return Response(status_code=204)

    def _create(self, item: Any) -> dict[str, Any]:
        given = self._checked(item, (*_CHANGEABLE, "monthsToExpiration"))
        for name in ("name", "role"):
            if name not in given:
                raise Refused(400, f"{name} is missing.")
        self._unique(given["name"], None)
        key = self._tenant.add_key(given, self._now())
        body = {"id": key.id, "value": key.value, "expiredDateTime": self._write_time(key.expires)}
        return {"status": 201, "body": body}

    def _delete(self, item: Any) -> dict[str, Any]:
        if not isinstance(item, dict) or not isinstance(item.get("id"), str):
            raise Refused(400, "id is missing.")
        del self._tenant.keys[self._key(item["id"]).id]
        return {"status": 204}

    def _each(self, items: Any, act: Callable[[Any], dict[str, Any]]) -> Response:
        if not isinstance(items, list) or not items:
            raise Refused(400, "The request body is no array.")
        return json_response([self._one(item, act) for item in items], 207)

    def _one(self, item: Any, act: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        try:
            return act(item)
        except Refused as refused:
            error = error_of(refused.status, refused.message)
            return {"status": refused.status, **({"body": error} if self._options.error_in_body else error)}

    def _checked(self, given: Any, known: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(given, dict):
            raise Refused(400, "A key is a JSON object.")
        for name, value in given.items():
            if name not in known or not self._is_valid(name, value):
                raise Refused(400, f"{name} is not valid.")
        if given.get("role") == MASTER and not self._options.master_allowed:
            raise Refused(400, "API keys cannot have the role Master Administrator.")
        return given

    def _is_valid(self, name: str, value: Any) -> bool:
        match name:
            case "monthsToExpiration":
                return not isinstance(value, bool) and value in LIFETIMES
            case "status":
                return value in ("enabled", "disabled")
            case "role":
                return value in self._tenant.roles
            case "description":
                longest = self._options.longest_description
                return isinstance(value, str) and (longest is None or len(value) <= longest)
            case _:
                return isinstance(value, str) and bool(value)

    def _unique(self, name: str | None, but: str | None) -> None:
        if name is None:
            return
        fold = str.casefold if self._options.names_ignore_case else str
        if any(fold(key.name) == fold(name) for number, key in self._tenant.keys.items() if number != but):
            raise Refused(self._options.taken_status, "An API key of this name exists.")

    def _key(self, number: str) -> Key:
        key = self._tenant.keys.get(number)
        if key is None:
            raise Refused(404, "The API key does not exist.")
        return key

    def _shown(self, key: Key) -> dict[str, Any]:
        value = {"value": key.value} if self._options.values_in_lists else {}
        return {**self._tenant.shown(key, self._write_time), **value}

    def _ordered(self, order: str) -> list[Key]:
        field, _, direction = order.partition(" ")
        if field not in _ORDERS or direction not in ("", "asc", "desc"):
            raise Refused(400, "orderBy is not valid.")
        names: Mapping[str, Callable[[Key], int]] = {
            "createdDateTime": lambda key: key.created,
            "expiredDateTime": lambda key: key.expires or 0,
            "lastUsedDateTime": lambda key: key.last_used or 0,
            "lastModifiedDateTime": lambda key: key.version,
        }
        return sorted(self._tenant.keys.values(), key=names[field], reverse=direction == "desc")

    def _page(self, call: Call, items: list[Any], top: int) -> Response:
        """One page; the link to the next one is absolute, and repeats what was asked for."""
        token = call.query.get("skipToken", "skip-0")
        if not token.removeprefix("skip-").isdecimal():
            raise Refused(400, "skipToken is not valid.")
        first = int(token.removeprefix("skip-"))
        page = items[first : first + top]
        content: dict[str, Any] = {"items": page, "totalCount": len(items), "count": len(page)}
        if first + top < len(items):
            query = urlencode({**call.query, "skipToken": f"skip-{first + top}"})
            content["nextLink"] = f"https://{call.headers.get('host', '')}{call.path}?{query}"
        return json_response(content)


def _manager(caller: Key) -> None:
    if caller.role not in _MANAGERS:
        raise Refused(403, "The role of this key may not manage API keys.")
