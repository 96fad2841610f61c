"""The emulated tenant: its routes, signing in, and the helpers that tests and the demo use behind its back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from starlette.responses import Response

from reconciler.emulator.base import Call, Emulator, Endpoint, Settings, json_response
from reconciler.providers.trend_vision_one.emulator.keys import KeyOperations
from reconciler.providers.trend_vision_one.emulator.options import CALLS_PER_KEY, LARGEST_BODY, WINDOW_MS, Options
from reconciler.providers.trend_vision_one.emulator.state import KEY_MANAGER, Key, Refused, Tenant, error_of

BOOTSTRAP: Final = "bootstrap"
"""The name of the key that exists from the start; its role is API Key Manager."""
_KEYS: Final = "/v3.0/iam/apiKeys"


class VisionOne(Emulator):
    """One tenant. Methods other than those of `Emulator` are not HTTP: for tests and the demo."""

    name: ClassVar[str] = "trend-vision-one"

    def __init__(self, settings: Settings | None = None, options: Options | None = None) -> None:
        settings = settings or Settings()
        super().__init__(settings)
        options = options or Options()
        if settings.rate_limit is not None:
            options = replace(options, calls_per_key=settings.rate_limit.per_key or CALLS_PER_KEY)
        self.options = options
        self.tenant = Tenant(settings.random())
        self._operations = KeyOperations(self.tenant, options, self._now, self._time)
        self._bootstrap = self._add(BOOTSTRAP, KEY_MANAGER)
        keys = self._operations
        self.serve_endpoints(
            Endpoint(method, path, path, self._answer(act), creates=act == keys.create)
            for method, path, act in (
                ("GET", _KEYS, keys.list_keys),
                ("POST", _KEYS, keys.create),
                ("POST", f"{_KEYS}/delete", keys.delete),
                ("GET", f"{_KEYS}/{{id}}", keys.describe),
                ("PATCH", f"{_KEYS}/{{id}}", keys.modify),
                ("GET", "/v3.0/iam/roles", keys.list_roles),
                ("GET", "/v3.0/healthcheck/connectivity", _connectivity),
            )
        )

    @property
    def credentials(self) -> Mapping[str, str]:
        """The bootstrap key: its token, and its id, by which the reconciler knows that it is its own."""
        return {"token": self._bootstrap.value, "keyId": self._bootstrap.id}

    @property
    def issued(self) -> tuple[str, ...]:
        """Every token that was ever issued, dead ones included. For canary searches in tests only."""
        with self.lock:
            return tuple(self.tenant.issued)

    def error(self, status: int, message: str) -> Response:
        """`{"error": {"code": …, "message": …}}` (T17)."""
        response = json_response(error_of(status, message), status)
        if status == 429 and self.options.retry_after is not None:
            response.headers["Retry-After"] = str(self.options.retry_after)
        return response

    def hide(self, created: Response) -> None:
        """Leave the keys of this answer out of the next listing that would show them."""
        content = json.loads(bytes(created.body))
        with self.lock:
            for item in content if isinstance(content, list) else ():
                self._operations.hidden.add(item.get("body", {}).get("id", ""))

    # Behind the reconciler's back.

    def add_key(self, name: str, role: str = KEY_MANAGER, **given: Any) -> str:
        """Make a key as a person in the console would, and return its token. `given` as in a request."""
        return self._add(name, role, **given).value

    def _add(self, name: str, role: str, **given: Any) -> Key:
        with self.lock:
            return self.tenant.add_key({"name": name, "role": role, **given}, self._now())

    def add_role(self, name: str) -> None:
        """Make a role."""
        with self.lock:
            self.tenant.roles.append(name)

    def keys(self) -> list[dict[str, Any]]:
        """All keys as lists show them."""
        with self.lock:
            return [self.tenant.shown(key, self._time) for key in self.tenant.keys.values()]

    def edit_key(self, name: str, /, **given: Any) -> None:
        """Change a key: `status="disabled"`. LookupError if there is no such key."""
        with self.lock:
            key = self._named(name)
            key.version += 1
            for field, value in given.items():
                setattr(key, field, value)

    def delete_key(self, name: str) -> None:
        """Delete a key. LookupError if there is no such key."""
        with self.lock:
            del self.tenant.keys[self._named(name).id]

    def _named(self, name: str) -> Key:
        for key in self.tenant.keys.values():
            if key.name == name:
                return key
        raise LookupError(f"no key {name!r}")

    # HTTP.

    def _now(self) -> int:
        return self.clock.now_ms()

    def _time(self, at: int | None) -> str | None:
        """A time as answers write it."""
        if at is None:
            return self.options.never
        text = datetime.fromtimestamp(at / 1000, UTC).isoformat(
            timespec="milliseconds" if self.options.milliseconds else "seconds"
        )
        return text.replace("+00:00", "Z")

    def _answer(self, act: Callable[[Key, Call], Response]) -> Callable[[Call], Response]:
        def answer(call: Call) -> Response:
            if len(call.body) > LARGEST_BODY:
                return self.error(413, "The request body is larger than 1 MB.")
            try:
                return act(self._admit(call), call)
            except Refused as refused:
                return self.error(refused.status, refused.message)
            except ValueError:
                return self.error(400, "The request body is not JSON.")

        return answer

    def _admit(self, call: Call) -> Key:
        """Authenticate a call and count it; Refused with 401 or 429."""
        now = self._now()
        kind, _, token = call.headers.get("authorization", "").partition(" ")
        caller = next((key for key in self.tenant.keys.values() if key.value == token), None)
        if kind != "Bearer" or caller is None or not caller.works(now):
            raise Refused(401, "The token is missing, wrong, expired or disabled.")
        if self.options.calls_per_key is not None:
            while caller.calls and caller.calls[0] <= now - WINDOW_MS:
                caller.calls.popleft()
            if len(caller.calls) >= self.options.calls_per_key:
                raise Refused(429, "Too many API requests.")
            caller.calls.append(now)
        caller.last_used = now
        return caller


def _connectivity(_caller: Key, _call: Call) -> Response:
    """Any key may ask whether it gets through (T14)."""
    return json_response({"status": "available"})
