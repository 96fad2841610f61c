"""The emulated tenant: its routes, signing in, and the helpers that tests and the demo use behind its back."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from starlette.responses import Response

from reconciler.emulator.base import Call, Emulator, Endpoint, RateLimit, Settings, json_response
from reconciler.providers.cortex_cloud.emulator.access import Caller, Gate
from reconciler.providers.cortex_cloud.emulator.errors import Refused, response
from reconciler.providers.cortex_cloud.emulator.keys import KeyOperations
from reconciler.providers.cortex_cloud.emulator.options import CALLS_PER_TENANT, Options
from reconciler.providers.cortex_cloud.emulator.roles import RoleOperations
from reconciler.providers.cortex_cloud.emulator.scopes import ScopeOperations, fresh
from reconciler.providers.cortex_cloud.emulator.state import ADMIN, Key, Role, Tenant

_Operation = Callable[[Caller, Call], tuple[int, Any]]

BOOTSTRAP: Final = "bootstrap"
"""The comment of the key that exists from the start."""


class CortexTenant(Emulator):
    """One tenant. It starts with an advanced key of the role Instance Administrator that never expires.

    Methods other than those of `Emulator` are not HTTP: tests and the demo use them behind the reconciler's back.
    """

    name: ClassVar[str] = "cortex-cloud"

    def __init__(self, settings: Settings | None = None, options: Options | None = None) -> None:
        settings = settings or Settings()
        super().__init__(settings)
        self.options = _limited(options or Options(), settings.rate_limit)
        self.tenant = Tenant(settings.random())
        self.gate = Gate(self.tenant, self.options)
        self._keys = KeyOperations(self.tenant, self.options, lambda: self.clock.now_ms())  # noqa: PLW0108  the clock may change
        self._roles = RoleOperations(self.tenant, self.options, lambda: self.clock.now_ms())  # noqa: PLW0108
        self._scopes = ScopeOperations(self.tenant, self.options)
        self._bootstrap = self.add_key(BOOTSTRAP, ADMIN)
        self.serve_endpoints(self._endpoints())

    @property
    def credentials(self) -> Mapping[str, str]:
        """The bootstrap key."""
        return {"keyId": str(self._bootstrap), "key": self.tenant.keys[self._bootstrap].secret}

    @property
    def issued(self) -> tuple[str, ...]:
        """Every secret that was ever issued, dead ones included. For canary searches in tests only."""
        with self.lock:
            return tuple(self.tenant.issued)

    def error(self, status: int, message: str) -> Response:
        """`{"reply": {"err_code", "err_msg", "err_extra"}}`."""
        return self._error("", Refused(status, message))

    def hide(self, created: Response) -> None:
        """Leave the key or role of this answer out of the next listing."""
        content = json.loads(bytes(created.body))
        with self.lock:
            number = content.get("reply", {}).get("id")
            if number is not None:
                self._keys.hidden.add(number)
            made = re.match(r"role_id (\S+) created", content.get("data", {}).get("message", ""))
            if made:
                self._roles.hidden.add(made[1])

    # Behind the reconciler's back.

    def add_key(self, comment: str, role: str = ADMIN, *, security_level: str = "advanced", **shown: Any) -> int:
        """Make a key as a person in the console would, by default one that never expires, and return its id."""
        with self.lock:
            about = {
                "creation_time": self.clock.now_ms(),
                "created_by": "Ann Admin",
                "user_name": "ann@example.com",
                "roles": [role],
                "security_level": security_level,
                "comment": comment,
                "expiration": None,
            }
            return self.tenant.add_key({**about, **shown}, fresh(self.options)).id

    def add_role(self, name: str, granted: frozenset[str] = frozenset(), **shown: Any) -> str:
        """Make a custom role and return its id."""
        with self.lock:
            role = self.tenant.add_role(name, granted, now_ms=self.clock.now_ms(), **shown)
            return str(role.shown["role_id"])

    def keys(self) -> list[dict[str, Any]]:
        """Copies of all keys as lists show them, by id."""
        with self.lock:
            return [copy.deepcopy(key.shown) for _, key in sorted(self.tenant.keys.items())]

    def roles(self) -> list[dict[str, Any]]:
        """Copies of all roles as the list shows them, with what they permit as `granted` and `datasets`."""
        with self.lock:
            return [
                {**role.shown, "granted": sorted(role.granted), "datasets": copy.deepcopy(role.datasets)}
                for role in self.tenant.roles.values()
            ]

    def secret_of(self, key_id: int) -> str:
        """The secret of a key. LookupError if there is none with that id."""
        with self.lock:
            return self.tenant.keys[key_id].secret

    def scope_of(self, key_id: int) -> dict[str, Any]:
        """A copy of a key's scope, in the shape that is written."""
        with self.lock:
            return copy.deepcopy(self.tenant.keys[key_id].scope)

    def edit_key(self, key_id: int, scope: dict[str, Any] | None = None, **shown: Any) -> None:
        """Change what a key shows, and its scope unless None (sections in the shape that is written)."""
        with self.lock:
            key = self._key(key_id)
            key.shown.update(shown)
            key.scope.update(scope or {})

    def delete_key(self, key_id: int) -> None:
        """Delete a key."""
        with self.lock:
            del self.tenant.keys[self._key(key_id).id]

    def edit_role(self, role_id: str, granted: frozenset[str] | None = None, **shown: Any) -> None:
        """Change a role as a person in the console can, and what it grants unless None."""
        with self.lock:
            role = self._role(role_id)
            role.shown.update(shown)
            role.granted = role.granted if granted is None else granted

    def delete_role(self, role_id: str) -> None:
        """Delete a role, even one that keys have."""
        with self.lock:
            del self.tenant.roles[self._role(role_id).shown["role_id"]]

    def _key(self, key_id: int) -> Key:
        return self.tenant.keys[key_id]

    def _role(self, role_id: str) -> Role:
        return self.tenant.roles[role_id]

    # HTTP.

    def _endpoints(self) -> list[Endpoint]:
        keys, roles, scopes = self._keys, self._roles, self._scopes
        key, scope = "/platform/iam/v1/api-key/{api_key_id}", "/platform/iam/v1/scope/api-key/{api_key_id}"
        role = "/platform/iam/v1/role"
        table: list[tuple[str, str, _Operation]] = [
            ("POST", "/public_api/v1/api_keys/get_api_keys", keys.list_all),
            ("POST", "/public_api/v1/api_keys/generate", keys.generate),
            ("POST", "/public_api/v1/api_keys/delete", keys.delete),
            ("GET", key, keys.describe),
            ("PUT", key, keys.edit),
            ("GET", scope, scopes.read),
            ("PUT", scope, scopes.replace),
            ("GET", role, roles.list_all),
            ("POST", role, roles.create),
            ("GET", f"{role}/permission-config", roles.catalogue),
            ("DELETE", role + "/{role_id}", roles.delete),
        ]
        creations = (keys.generate, roles.create)
        return [
            Endpoint(
                method,
                template.replace("{api_key_id}", "{api_key_id:int}"),
                template,
                self._answer(operation),
                creates=operation in creations,
            )
            for method, template, operation in table
        ] + [
            # What others guessed or have in their collections is no operation: the vendor answers 500 (2.1).
            Endpoint("POST", f"/public_api/v1/api_keys/{guess}", f"/public_api/v1/api_keys/{guess}", self._guessed)
            for guess in ("get", "list")
        ]

    def _answer(self, operation: _Operation) -> Callable[[Call], Response]:
        def answer(call: Call) -> Response:
            try:
                status, content = operation(self.gate.admit(call, self.clock.now_ms()), call)
            except Refused as refused:
                return self._error(call.path, refused)
            return json_response(content, status)

        return answer

    def _guessed(self, _call: Call) -> Response:
        return self.error(500, "An error occurred while processing the request.")

    def _error(self, path: str, refused: Refused) -> Response:
        made = response(path, refused.status, refused.message, refused.extra)
        if refused.status == 429 and self.options.retry_after is not None:
            made.headers["Retry-After"] = str(self.options.retry_after)
        return made


def _limited(options: Options, limit: RateLimit | None) -> Options:
    if limit is None:
        return options
    return replace(
        options,
        calls_per_key=limit.per_key,
        calls_per_tenant=CALLS_PER_TENANT if limit.per_tenant is None else limit.per_tenant,
    )
