"""An emulated Lantern: what its guide says, and nothing of the client that it proves."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from starlette.responses import Response

from reconciler.emulator.base import Call, Emulator, Endpoint, Settings, json_response

_PAGE: Final = 100
_KEY: Final = {"name": str, "note": str, "role": str, "enabled": bool, "colour": str, "ends": int | None}
_ROLE: Final = {"name": str, "note": str, "rights": list}


class Lantern(Emulator):
    """One account, with a key for whoever starts."""

    name: ClassVar[str] = "lantern"

    def __init__(self, settings: Settings, *, shuffled: bool = False) -> None:
        """`shuffled`: lists come in another order, and rights in another one than they were given in."""
        super().__init__(settings)
        self._random = settings.random()
        self._limit = settings.rate_limit.per_key if settings.rate_limit else None
        self._shuffled = shuffled
        self._secrets: dict[str, str] = {}
        self._calls: dict[str, deque[int]] = {}
        self._issued: list[str] = []
        self._hidden: set[str] = set()
        self.keys: dict[str, dict[str, Any]] = {}
        self.roles: dict[str, dict[str, Any]] = {
            "admin": {"id": "admin", "name": "Admin", "note": "", "rights": ["everything"], "builtin": True}
        }
        self._bootstrap = self.add_key({"name": "bootstrap", "role": "admin"})
        keys, roles = "/v1/keys", "/v1/roles"
        self.serve_endpoints(
            [
                Endpoint("GET", "/v1/me", "/v1/me", self._answer(lambda _, me: (200, self.keys[me]))),
                Endpoint("GET", keys, keys, self._answer(self._list_keys)),
                Endpoint("POST", keys, keys, self._answer(self._create_key), creates=True),
                Endpoint("PATCH", f"{keys}/{{id}}", f"{keys}/{{id}}", self._answer(self._change(self.keys, _KEY))),
                Endpoint("DELETE", f"{keys}/{{id}}", f"{keys}/{{id}}", self._answer(self._delete(self.keys))),
                Endpoint("GET", roles, roles, self._answer(self._list_roles)),
                Endpoint("POST", roles, roles, self._answer(self._create_role), creates=True),
                Endpoint("PATCH", f"{roles}/{{id}}", f"{roles}/{{id}}", self._answer(self._change(self.roles, _ROLE))),
                Endpoint("DELETE", f"{roles}/{{id}}", f"{roles}/{{id}}", self._answer(self._delete(self.roles))),
            ]
        )

    @property
    def credentials(self) -> Mapping[str, str]:
        """The first key."""
        return {"secret": self._bootstrap}

    @property
    def issued(self) -> tuple[str, ...]:
        """Every secret that was ever issued."""
        return tuple(self._issued)

    def error(self, status: int, message: str) -> Response:
        """`{"message": …}`."""
        return json_response({"message": message}, status)

    def hide(self, created: Response) -> None:
        """Leave it out of the next list."""
        self._hidden.add(json.loads(bytes(created.body))["id"])

    def add_key(self, given: Mapping[str, Any]) -> str:
        """Make a key as a person would, and return its secret."""
        with self.lock:
            number, secret = f"key-{len(self._issued) + 1}", f"lantern_{self._random.randbytes(24).hex()}"
            shown = {"note": "", "enabled": True, "colour": "amber", "ends": None, **given, "id": number}
            self.keys[number] = shown
            self._secrets[secret] = number
            self._issued.append(secret)
            return secret

    def add_role(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Make a role as a person would."""
        with self.lock:
            number = f"role-{self._random.randbytes(6).hex()}"
            self.roles[number] = {"note": "", "rights": [], "builtin": False, **given, "id": number}
            return self.roles[number]

    def _answer(self, act: Callable[[Call, str], tuple[int, Any]]) -> Callable[[Call], Response]:
        def answer(call: Call) -> Response:
            number = self._secrets.get(call.headers.get("authorization", "").removeprefix("Bearer "), "")
            key, now = self.keys.get(number), self.clock.now_ms()
            if key is None or not key["enabled"] or (key["ends"] or now) * 1000 <= now:
                return self.error(401, "Who are you?")
            window = self._calls.setdefault(number, deque())
            while window and window[0] <= now - 60_000:
                window.popleft()
            if self._limit is not None and len(window) >= self._limit:
                return self.error(429, "Not so fast.")
            window.append(now)
            status, content = act(call, number)
            return json_response(content, status) if content is not None else Response(status_code=status)

        return answer

    def _list_keys(self, call: Call, _me: str) -> tuple[int, Any]:
        keys = [key for key in self.keys.values() if key["id"] not in self._hidden]
        self._hidden.clear()
        first = int(call.query.get("after") or 0)
        page = keys[first : first + _PAGE]
        following = str(first + _PAGE) if first + _PAGE < len(keys) else ""
        return 200, {"keys": page[::-1] if self._shuffled else page, "next": following}

    def _list_roles(self, _call: Call, _me: str) -> tuple[int, Any]:
        roles = [role for role in self.roles.values() if role["id"] not in self._hidden]
        if self._shuffled:
            roles = [{**role, "rights": role["rights"][::-1]} for role in reversed(roles)]
        return 200, {"roles": roles}

    def _create_key(self, call: Call, _me: str) -> tuple[int, Any]:
        given = call.json()
        if not _fits(given, _KEY) or given.get("role") not in self.roles or not given.get("name"):
            return 400, {"message": "A key has a name and a role."}
        secret = self.add_key(given)
        return 201, {**self.keys[self._secrets[secret]], "secret": secret}

    def _create_role(self, call: Call, _me: str) -> tuple[int, Any]:
        given = call.json()
        return (201, self.add_role(given)) if _fits(given, _ROLE) else (400, {"message": "That is no role."})

    def _change(self, things: dict[str, Any], shape: Mapping[str, Any]) -> Callable[[Call, str], tuple[int, Any]]:
        def change(call: Call, _me: str) -> tuple[int, Any]:
            thing, given = things.get(call.params["id"]), call.json()
            if thing is None:
                return 404, {"message": "There is no such thing."}
            if not _fits(given, shape):
                return 400, {"message": "That cannot be changed."}
            thing.update(given)
            return 200, thing

        return change

    def _delete(self, things: dict[str, Any]) -> Callable[[Call, str], tuple[int, Any]]:
        def delete(call: Call, _me: str) -> tuple[int, Any]:
            number = call.params["id"]
            if number not in things:
                return 404, {"message": "There is no such thing."}
            if things is self.roles and any(key["role"] == number for key in self.keys.values()):
                return 409, {"message": "Keys have this role."}
            del things[number]
            return 204, None

        return delete


def emulator(settings: Settings) -> Lantern:
    """What `reconciler emulate` looks for in every provider's package."""
    return Lantern(settings)


def _fits(given: Any, shape: Mapping[str, Any]) -> bool:
    return isinstance(given, dict) and all(
        name in shape and isinstance(value, shape[name]) for name, value in given.items()
    )
