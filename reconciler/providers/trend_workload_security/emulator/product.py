"""The emulated product: its routes, signing in, and the helpers that tests and the demo use behind its back."""

from __future__ import annotations

import copy
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from starlette.responses import PlainTextResponse, Response

from reconciler.emulator.base import Call, Emulator, Endpoint, RateLimit, Settings, json_response
from reconciler.providers.trend_workload_security.emulator.access import SESSION_COOKIE, Account, Caller, Gate
from reconciler.providers.trend_workload_security.emulator.errors import Refused
from reconciler.providers.trend_workload_security.emulator.keys import KeyOperations
from reconciler.providers.trend_workload_security.emulator.options import CALLS_PER_KEY, CALLS_PER_TENANT, Options
from reconciler.providers.trend_workload_security.emulator.roles import RoleOperations
from reconciler.providers.trend_workload_security.emulator.state import FULL_ACCESS, Installation, Key, Role, Tenant

_Operation = Callable[[Caller, Call], tuple[int, Any]]

USER: Final = "admin"
BOOTSTRAP: Final = "bootstrap"
"""The name of the key that exists from the start."""


class WorkloadSecurity(Emulator):
    """One installation. Tenant 0 holds the bootstrap key, which has the role Full Access and is locked by nothing.

    Methods other than those of `Emulator` are not HTTP: tests and the demo use them behind the reconciler's back.
    """

    name: ClassVar[str] = "trend-workload-security"
    base_path: ClassVar[str] = "/api"

    def __init__(self, settings: Settings | None = None, options: Options | None = None) -> None:
        settings = settings or Settings()
        super().__init__(settings)
        self.options = _limited(options or Options(), settings.rate_limit)
        self.installation = Installation(settings.random())
        self.gate = Gate(self.installation, self.options)
        self._keys = KeyOperations(self.installation, self.options, lambda: self.clock.now_ms())  # noqa: PLW0108  the clock may change
        self._roles = RoleOperations(self.options)
        self.password = self.installation.token(12).hex()
        """Of the user `admin`, who can sign in at `/rest/authentication/login/primary`."""
        self._bootstrap = self.add_key(BOOTSTRAP, description="The credential that everything starts with.")
        self.serve_endpoints(self._endpoints())

    @property
    def credentials(self) -> Mapping[str, str]:
        """The bootstrap key's secret, as long as nobody regenerated it."""
        return {"secretKey": self._bootstrap}

    @property
    def issued(self) -> tuple[str, ...]:
        """Every secret that was ever issued, dead ones included. For canary searches in tests only."""
        with self.lock:
            return tuple(self.installation.issued)

    def error(self, status: int, message: str) -> Response:
        """`{"message": …}`."""
        response = json_response({"message": message}, status)
        if status == 429 and self.options.retry_after is not None:
            response.headers["Retry-After"] = str(self.options.retry_after)
        return response

    def hide(self, created: Response) -> None:
        """Leave the key or role of this answer out of the next listing that would show it."""
        content = json.loads(bytes(created.body))
        if "ID" in content:
            with self.lock:
                (self._keys if "keyName" in content else self._roles).hidden.add(content["ID"])

    # Behind the reconciler's back.

    def add_tenant(self) -> Tenant:
        """Another tenant beside the primary one."""
        with self.lock:
            return self.installation.add_tenant()

    def add_key(self, name: str, role: str = FULL_ACCESS, *, tenant: int = 0, **properties: Any) -> str:
        """Make a key as a person in the console would, and return its secret. `properties` as in JSON."""
        with self.lock:
            home = self.installation.tenants[tenant]
            role_id = next(number for number, one in home.roles.items() if one.shown["name"] == role)
            shown = {
                "keyName": name,
                "description": "",
                "locale": self.options.default_locale,
                "roleID": role_id,
                "timeZone": self.options.default_time_zone,
                "active": True,
                "created": self.clock.now_ms() // self.options.truncate_ms * self.options.truncate_ms,
                "unsuccessfulSignInAttempts": 0,
                "serviceAccount": False,
            }
            return self.installation.add_key(home, {**shown, **properties}).secret

    def add_role(self, name: str, granted: frozenset[str] = frozenset(), *, tenant: int = 0, **properties: Any) -> int:
        """Make a role that grants a set of dotted rights, and return its ID."""
        with self.lock:
            role = self.installation.tenants[tenant].add_role({"name": name, **properties}, granted)
            return int(role.shown["ID"])

    def add_account_key(self, role_id: int = 1) -> str:
        """An account-level key, as `Authorization: ApiKey` wants it: `id:secret`."""
        with self.lock:
            number, secret = (self.installation.token(size).hex() for size in (8, 24))
            self.gate.accounts[number] = Account(role_id, secret, deque())
            self.installation.issued.append(secret)
            return f"{number}:{secret}"

    def keys(self, tenant: int = 0) -> list[dict[str, Any]]:
        """Copies of all keys as answers show them, by ID."""
        with self.lock:
            return [copy.deepcopy(key.shown) for _, key in sorted(self.installation.tenants[tenant].keys.items())]

    def roles(self, tenant: int = 0) -> list[dict[str, Any]]:
        """Copies of all roles as answers show them, by ID."""
        with self.lock:
            return [copy.deepcopy(role.answer()) for _, role in sorted(self.installation.tenants[tenant].roles.items())]

    def secret_of(self, key_id: int) -> str:
        """The secret that works for a key now."""
        with self.lock:
            return self.installation.by_id[key_id][1].secret

    def edit_key(self, name: str, **properties: Any) -> None:
        """Change a key of tenant 0; None takes a property away. LookupError if there is no such key."""
        with self.lock:
            key = self._key(name)
            key.shown.update(properties)
            for gone in [prop for prop, value in key.shown.items() if value is None]:
                del key.shown[gone]

    def delete_key(self, name: str) -> None:
        """Delete a key of tenant 0."""
        with self.lock:
            self.installation.remove_key(self.installation.tenants[0], self._key(name))

    def edit_role(self, name: str, granted: frozenset[str] | None = None, **properties: Any) -> None:
        """Change a role of tenant 0, and what it grants unless None. LookupError if there is no such role."""
        with self.lock:
            role = self._role(name)
            role.shown.update(properties)
            role.granted = role.granted if granted is None else granted

    def delete_role(self, name: str) -> None:
        """Delete a role of tenant 0, even one that keys have."""
        with self.lock:
            del self.installation.tenants[0].roles[self._role(name).shown["ID"]]

    def _key(self, name: str) -> Key:
        for key in self.installation.tenants[0].keys.values():
            if key.shown["keyName"] == name:
                return key
        raise LookupError(f"no key {name!r}")

    def _role(self, name: str) -> Role:
        for role in self.installation.tenants[0].roles.values():
            if role.shown["name"] == name:
                return role
        raise LookupError(f"no role {name!r}")

    # HTTP.

    def _endpoints(self) -> list[Endpoint]:
        keys, roles = self._keys, self._roles
        table: list[tuple[str, str, _Operation]] = [
            ("GET", "/apikeys", keys.list),
            ("POST", "/apikeys", keys.create),
            ("POST", "/apikeys/search", keys.search),
            ("GET", "/apikeys/current", keys.describe_current),
            ("POST", "/apikeys/current", keys.modify_current),
            ("POST", "/apikeys/current/secretkey", keys.regenerate_current),
            ("GET", "/apikeys/{apiKeyID}", keys.describe),
            ("POST", "/apikeys/{apiKeyID}", keys.modify),
            ("DELETE", "/apikeys/{apiKeyID}", keys.delete),
            ("POST", "/apikeys/{apiKeyID}/secretkey", keys.regenerate),
            ("POST", "/tenants/{tenantID}/apikeys", keys.create_for_tenant),
            ("GET", "/roles", roles.list),
            ("POST", "/roles", roles.create),
            ("POST", "/roles/search", roles.search),
            ("GET", "/roles/{roleID}", roles.describe),
            ("POST", "/roles/{roleID}", roles.modify),
            ("DELETE", "/roles/{roleID}", roles.delete),
        ]
        creations = (keys.create, keys.create_for_tenant, roles.create)
        login, logout = "/rest/authentication/login/primary", "/rest/authentication/logout"
        return [
            *(
                Endpoint(
                    method,
                    self.base_path + template.replace("ID}", "ID:int}"),
                    template,
                    self._answer(operation),
                    creates=operation in creations,
                )
                for method, template, operation in table
            ),
            Endpoint("POST", login, login, self._login),
            Endpoint("DELETE", logout, logout, self._logout),
        ]

    def _answer(self, operation: _Operation) -> Callable[[Call], Response]:
        def answer(call: Call) -> Response:
            try:
                status, content = operation(self.gate.admit(call, self.clock.now_ms()), call)
            except Refused as refused:
                return self.error(refused.status, refused.message)
            except ValueError:
                return self.error(400, "The request body is not JSON.")
            if content is None:
                return Response(status_code=204 if self.options.created_statuses else status)
            return json_response(content, status)

        return answer

    def _login(self, call: Call) -> Response:
        """Sign in with user name and password; the answer is the session's id as plain text (T8)."""
        try:
            given = call.json()["dsCredentials"]
            right = (given["userName"], given["password"]) == (USER, self.password)
        except (ValueError, TypeError, LookupError):
            right = False
        if not right:
            return json_response({"error": {"message": "User name or password is wrong."}}, 401)
        session = self.installation.token(16).hex()
        self.gate.sessions[session] = Account(1, "", deque())
        return PlainTextResponse(session)

    def _logout(self, call: Call) -> Response:
        self.gate.sessions.pop(call.query.get(SESSION_COOKIE, ""), None)
        return Response()


def _limited(options: Options, limit: RateLimit | None) -> Options:
    if limit is None:
        return options
    return replace(
        options,
        calls_per_key=CALLS_PER_KEY if limit.per_key is None else limit.per_key,
        calls_per_tenant=CALLS_PER_TENANT if limit.per_tenant is None else limit.per_tenant,
    )
