"""The emulated account: its routes, signing in, and the helpers that tests and the demo use behind its back."""

from __future__ import annotations

import copy
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from starlette.responses import Response

from reconciler.emulator.base import Call, Emulator, Endpoint, Settings, json_response
from reconciler.providers.trend_cloud_one.emulator import properties
from reconciler.providers.trend_cloud_one.emulator.options import CALLS_PER_KEY, WINDOW_MS, Options
from reconciler.providers.trend_cloud_one.emulator.state import (
    FULL_ACCESS,
    READ_ONLY,
    Account,
    Key,
    Refused,
    rfc3339,
)

_Operation = Callable[[Key, Call], tuple[int, Any]]

BOOTSTRAP: Final = "bootstrap"
"""The alias of the key that exists from the start; its role is Full Access."""
_NOT_AUTHENTICATED: Final = "Authentication failed."
_CURSOR: Final = re.compile(r"after-([0-9]+)\.([0-9]+)")


class CloudOne(Emulator):
    """One account. Methods other than those of `Emulator` are not HTTP: for tests and the demo."""

    name: ClassVar[str] = "trend-cloud-one"
    base_path: ClassVar[str] = "/api"

    def __init__(self, settings: Settings | None = None, options: Options | None = None) -> None:
        settings = settings or Settings()
        super().__init__(settings)
        options = options or Options()
        if settings.rate_limit is not None:
            options = replace(options, calls_per_key=settings.rate_limit.per_key or CALLS_PER_KEY)
        self.options = options
        self.account = Account(settings.random())
        self._hidden: set[str] = set()
        self._bootstrap = self.add_key(BOOTSTRAP)
        operations: list[tuple[str, str, _Operation]] = [
            ("GET", "/apikeys", self._list_keys),
            ("POST", "/apikeys", self._create_key),
            ("GET", "/apikeys/{id}", self._describe_key),
            ("POST", "/apikeys/{id}", self._modify_key),
            ("DELETE", "/apikeys/{id}", self._delete_key),
            ("GET", "/roles", self._list_roles),
            ("POST", "/roles", self._create_role),
            ("GET", "/roles/{id}", self._describe_role),
            ("POST", "/roles/{id}", self._modify_role),
            ("DELETE", "/roles/{id}", self._delete_role),
        ]
        creations = (self._create_key, self._create_role)
        self.serve_endpoints(
            Endpoint(method, self.base_path + path, path, self._answer(act), creates=act in creations)
            for method, path, act in operations
        )

    @property
    def credentials(self) -> Mapping[str, str]:
        """The bootstrap key, id and secret."""
        return {"apiKey": self._bootstrap}

    @property
    def issued(self) -> tuple[str, ...]:
        """Every secret that was ever issued (without its id), dead ones included. For canary searches in tests only."""
        with self.lock:
            return tuple(self.account.issued)

    def error(self, status: int, message: str) -> Response:
        """`{"message": …}`; 429 and 503 say how long to wait (T11)."""
        response = json_response({"message": message}, status)
        if status in (429, 503):
            response.headers["Retry-After"] = str(self.options.retry_after)
        return response

    def hide(self, created: Response) -> None:
        """Leave the key or role of this answer out of the next listing that would show it."""
        with self.lock:
            self._hidden.add(json.loads(bytes(created.body)).get("id", ""))

    # Behind the reconciler's back.

    def add_key(self, alias: str, role: str = FULL_ACCESS, **given: Any) -> str:
        """Make a key as a person in the console would, and return its whole credential."""
        with self.lock:
            key = self.account.add_key({"alias": alias, "roleID": role, **given}, self.clock.now_ms())
            return f"{key.shown['id']}:{key.secret}"

    def add_role(self, name: str, **given: Any) -> str:
        """Make a role, and return its id."""
        with self.lock:
            return str(self.account.add_role({"name": name, **given}, self.clock.now_ms())["id"])

    def keys(self) -> list[dict[str, Any]]:
        """Copies of all keys as they are kept."""
        with self.lock:
            return [copy.deepcopy(key.shown) for key in self.account.keys.values()]

    def edit_key(self, alias: str, **given: Any) -> None:
        """Change a key. LookupError if there is no such key."""
        with self.lock:
            self._named(alias).shown.update(given)

    def delete_key(self, alias: str) -> None:
        """Delete a key. LookupError if there is no such key."""
        with self.lock:
            del self.account.keys[self._named(alias).shown["id"]]

    def _named(self, alias: str) -> Key:
        for key in self.account.keys.values():
            if key.shown["alias"] == alias:
                return key
        raise LookupError(f"no key {alias!r}")

    # HTTP.

    def _answer(self, act: _Operation) -> Callable[[Call], Response]:
        def answer(call: Call) -> Response:
            try:
                status, content = act(self._admit(call), call)
            except Refused as refused:
                return self.error(refused.status, refused.message)
            except ValueError:
                return self.error(400, "The request body is not JSON.")
            if content is None:
                return Response(status_code=204)
            return json_response(content, status)

        return answer

    def _admit(self, call: Call) -> Key:
        """Authenticate a call and count it; Refused with 400, 401 or 429."""
        if call.headers.get("api-version") != "v1":
            raise Refused(400, "The Api-Version header is missing or not supported.")
        kind, _, credential = call.headers.get("authorization", "").partition(" ")
        key_id, _, secret = credential.partition(":")
        key = self.account.keys.get(key_id)
        if kind != "ApiKey" or key is None or not hmac.compare_digest(key.secret.encode(), secret.encode()):
            raise Refused(401, _NOT_AUTHENTICATED)
        if not key.shown["enabled"]:
            raise Refused(401, _NOT_AUTHENTICATED)
        if not properties.admits(key.shown, self.options.client_address):
            raise Refused(self.options.excluded_status, "Access from this address is not allowed.")
        self._count(key)
        key.shown["lastActivity"] = rfc3339(self.clock.now_ms())
        return key

    def _count(self, key: Key) -> None:
        if self.options.calls_per_key is None:
            return
        now = self.clock.now_ms()
        while key.calls and key.calls[0] <= now - WINDOW_MS:
            key.calls.popleft()
        if len(key.calls) >= self.options.calls_per_key:
            raise Refused(429, "Too many requests.")
        key.calls.append(now)

    def _list_keys(self, caller: Key, call: Call) -> tuple[int, Any]:
        _require(caller, FULL_ACCESS, READ_ONLY)
        role = call.query.get("roleID")
        if role is not None and not re.fullmatch("[a-z0-9-]+", role):
            raise Refused(400, "roleID is not valid.")
        keys = [key for key in self.account.keys.values() if role in (None, key.shown["roleID"])]
        shown = [self._shown(key, secret=self.options.secrets_in_lists) for key in keys]
        return 200, self._page(call, "apikeys", shown)

    def _create_key(self, caller: Key, call: Call) -> tuple[int, Any]:
        _require(caller, FULL_ACCESS)
        given = properties.of_key(call.json(), self.account.roles, creating=True)
        key = self.account.add_key(given, self.clock.now_ms())
        return 201 if self.options.created_statuses else 200, self._shown(key, secret=True)

    def _describe_key(self, caller: Key, call: Call) -> tuple[int, Any]:
        """Every key may describe itself (T10)."""
        if caller.shown["id"] != call.params["id"]:
            _require(caller, FULL_ACCESS, READ_ONLY)
        return 200, self._shown(self._key(call))

    def _modify_key(self, caller: Key, call: Call) -> tuple[int, Any]:
        _require(caller, FULL_ACCESS)
        key = self._key(call)
        given = properties.of_key(call.json(), self.account.roles, creating=False)
        key.shown.update(given, lastModified=rfc3339(self.clock.now_ms()))
        return 200, None if self.options.created_statuses else self._shown(key)

    def _delete_key(self, caller: Key, call: Call) -> tuple[int, Any]:
        _require(caller, FULL_ACCESS)
        del self.account.keys[self._key(call).shown["id"]]
        return 200, None if self.options.created_statuses else {}

    def _list_roles(self, caller: Key, call: Call) -> tuple[int, Any]:
        _require(caller, FULL_ACCESS, READ_ONLY)
        return 200, self._page(call, "roles", list(self.account.roles.values()))

    def _create_role(self, caller: Key, call: Call) -> tuple[int, Any]:
        _require(caller, FULL_ACCESS)
        given = properties.of_role(call.json(), creating=True)
        role = self.account.add_role(given, self.clock.now_ms())
        return 201 if self.options.created_statuses else 200, role

    def _describe_role(self, caller: Key, call: Call) -> tuple[int, Any]:
        _require(caller, FULL_ACCESS, READ_ONLY)
        return 200, self._role(call)

    def _modify_role(self, caller: Key, call: Call) -> tuple[int, Any]:
        _require(caller, FULL_ACCESS)
        role = self._role(call)
        role.update(properties.of_role(call.json(), creating=False), lastModified=rfc3339(self.clock.now_ms()))
        return 200, None if self.options.created_statuses else role

    def _delete_role(self, caller: Key, call: Call) -> tuple[int, Any]:
        _require(caller, FULL_ACCESS)
        role = self._role(call)["id"]
        used = any(key.shown["roleID"] == role for key in self.account.keys.values())
        if role in (FULL_ACCESS, READ_ONLY) or (used and self.options.role_in_use == "refuse"):
            raise Refused(400, "The role is built in or in use.")
        del self.account.roles[role]
        return 200, None if self.options.created_statuses else {}

    def _key(self, call: Call) -> Key:
        key = self.account.keys.get(call.params["id"])
        if key is None:
            raise Refused(404, "The API key does not exist.")
        return key

    def _role(self, call: Call) -> dict[str, Any]:
        role = self.account.roles.get(call.params["id"])
        if role is None:
            raise Refused(404, "The role does not exist.")
        return role

    def _shown(self, key: Key, *, secret: bool = False) -> dict[str, Any]:
        content = properties.shown(key.shown, self.options)
        if secret:
            whole = f"{key.shown['id']}:{key.secret}"
            content[self.options.one_time_field] = key.secret if self.options.one_time_field == "secret" else whole
        return content

    def _page(self, call: Call, field: str, items: list[dict[str, Any]]) -> dict[str, Any]:
        """One page. A cursor names the next object, and when it was given out: nobody can read anything into it."""
        limit = self._limit(call)
        cursor = call.query.get("cursor")
        found = _CURSOR.fullmatch(cursor) if cursor is not None else None
        if cursor is not None and found is None:
            raise Refused(400, "cursor is not valid.")
        first = int(found[1]) if found else 0
        page = items[first : first + limit]
        following = f"after-{first + limit}.{self.clock.now_ms()}" if first + limit < len(items) else ""
        visible = [item for item in page if item["id"] not in self._hidden]
        self._hidden -= {item["id"] for item in page}
        return {"next": following, field: visible}

    def _limit(self, call: Call) -> int:
        try:
            limit = int(call.query.get("limit", "0"))
        except ValueError:
            limit = -1
        largest = self.options.largest_page
        if limit < 0 or (largest is not None and limit > largest and self.options.beyond_largest == "refuse"):
            raise Refused(400, "limit is not valid.")
        limit = limit or self.options.default_page
        return min(limit, largest) if largest is not None else limit


def _require(caller: Key, *roles: str) -> None:
    if caller.shown["roleID"] not in roles:
        raise Refused(403, "Not authorized.")
