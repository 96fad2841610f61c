"""The emulated product: its routes, and the hands of a person in the console, for tests and the demo."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

from starlette.responses import Response

from reconciler.emulator.base import Call, Emulator, Endpoint, RateLimit, Settings, json_response
from reconciler.providers.carbon_black_cloud.emulator.access import Caller, Gate, TooMany
from reconciler.providers.carbon_black_cloud.emulator.audit import AuditOperations
from reconciler.providers.carbon_black_cloud.emulator.errors import Refused
from reconciler.providers.carbon_black_cloud.emulator.grants import GrantOperations
from reconciler.providers.carbon_black_cloud.emulator.keys import BASE, KeyOperations
from reconciler.providers.carbon_black_cloud.emulator.options import CALLS, Options
from reconciler.providers.carbon_black_cloud.emulator.organisation import SUPER_ADMIN, Key, Level, Organisation

_Operation = Callable[[Caller, Call], tuple[int, Any]]

BOOTSTRAP: Final = "bootstrap"
"""The name of the key that exists from the start, with the role Super Admin."""
PERSON: Final = "admin@example.com"
"""Who clicks."""


class BlackCloud(Emulator):
    """One organisation, with a bootstrap key, a service connector and a key of a type that is switched off.

    Methods other than those of `Emulator` are not HTTP: tests and the demo use them behind the reconciler's back.
    """

    name: ClassVar[str] = "carbon-black-cloud"

    def __init__(self, settings: Settings | None = None, options: Options | None = None) -> None:
        settings = settings or Settings()
        super().__init__(settings)
        self.options = _limited(options or Options(), settings.rate_limit)
        self.org = Organisation(settings.random(), lambda: self.clock.now_ms(), self.options.caller_ip)  # noqa: PLW0108  the clock may change
        self.gate = Gate(self.org, self.options)
        self._grants = GrantOperations(self.org, self.options)
        self._keys = KeyOperations(self.org, self.options)
        self._audit = AuditOperations(self.org)
        self._bootstrap = self.org.add_key(BOOTSTRAP, description="The credential that everything starts with.")
        self.org.grant(self.org.principal(self._bootstrap.id), BOOTSTRAP, [SUPER_ADMIN], "psc:user:console")
        self.org.add_key("Platform service", service=True)
        self.org.add_key("old-siem", type="SIM", description="Made in 2019")
        self.serve_endpoints(self._endpoints())

    @property
    def credentials(self) -> Mapping[str, str]:
        """The bootstrap key: its id, and its secret of now."""
        return {"apiId": self._bootstrap.id, "apiSecret": self._bootstrap.secret}

    @property
    def tenant_options(self) -> Mapping[str, str]:
        """The options that a Tenant for this organisation needs."""
        return {"orgKey": self.org.key}

    @property
    def issued(self) -> tuple[str, ...]:
        """Every secret that was ever issued, dead ones included. For canary searches in tests only."""
        with self.lock:
            return tuple(self.org.issued)

    def error(self, status: int, message: str) -> Response:
        """`{"error_code": …, "message": …}`, one of the shapes that were seen."""
        return json_response({"error_code": f"HTTP_{status}", "message": message}, status)

    def hide(self, created: Response) -> None:
        """Leave the key or access level of this answer out of the next listing."""
        content = json.loads(bytes(created.body))
        with self.lock:
            if "key" in content:
                self._keys.hidden.add(content["key"]["id"])
            elif "urn" in content:
                self._grants.hidden.add(content["urn"])

    # The hands of a person in the console.

    def click_create_key(
        self, name: str, level: str, *, description: str = "", ips: Iterable[str] = (), grant: bool = True
    ) -> tuple[str, str]:
        """Add API Key, with an access level by its name; gives API ID and secret. `grant` False: it stops half-way."""
        with self.lock:
            key = self.org.add_key(self._keys.free_name(name), description=description, ips=tuple(ips))
            self.org.record(PERSON, f"Added API ID {key.id} with name {name} in org {self.org.number}")
            if grant:
                self.give(key.id, level)
            return key.id, key.secret

    def click_edit_key(
        self,
        key_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        ips: Iterable[str] | None = None,
    ) -> None:
        """The pencil: what is None stays."""
        with self.lock:
            key = self.org.keys[key_id]
            key.name = key.name if name is None else self._keys.free_name(name, key)
            key.description = key.description if description is None else description
            key.ips = key.ips if ips is None else tuple(ips)
            key.updated = self.clock.now_ms()
            self.org.record(PERSON, f"Updated API ID {key.id} with name {key.name} in org {self.org.number}")

    def click_regenerate_key(self, key_id: str) -> str:
        """Generate new API Secret Key; gives it."""
        with self.lock:
            secret = self.org.renew(self.org.keys[key_id])
            self.org.record(PERSON, f"Regenerated API key for API ID {key_id} in org {self.org.number}")
            return secret

    def click_delete_key(self, key_id: str) -> None:
        """Delete. Raises Refused (409) while a notification rule holds the key."""
        with self.lock:
            key = self.org.keys[key_id]
            self._keys.refuse_subscribed(key)
            self._keys.remove_key(key, PERSON)

    def click_create_level(
        self,
        name: str,
        permissions: Mapping[str, Sequence[str]],
        *,
        description: str = "",
        user_role: bool = False,
    ) -> str:
        """Add Access Level (or a user role that manages users and roles); gives its URN."""
        with self.lock:
            held = frozenset(
                f"{one}:{operation}" for one, operations in permissions.items() for operation in operations
            )
            level = self.org.add_level(self._keys.free_level(name), description, held, manages=user_role)
            self.org.record(PERSON, f"Added access level {name}")
            return level.urn

    def click_edit_level(
        self,
        urn: str,
        *,
        name: str | None = None,
        description: str | None = None,
        permissions: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Edit an access level: what is None stays."""
        with self.lock:
            level = self.org.levels[urn]
            level.name = level.name if name is None else self._keys.free_level(name, level)
            level.description = level.description if description is None else description
            if permissions is not None:
                level.permissions = frozenset(f"{one}:{each}" for one, many in permissions.items() for each in many)
            self.org.record(PERSON, f"Updated access level {level.name}")

    def click_delete_level(self, urn: str) -> None:
        """Delete an access level, even one that keys have."""
        with self.lock:
            level = self.org.levels.pop(urn)
            self.org.record(PERSON, f"Deleted access level {level.name}")

    # Behind the reconciler's back.

    def give(self, key_id: str, level: str) -> None:
        """Give a key an access level by its name, whatever it had."""
        with self.lock:
            found = next(one for one in self.org.levels.values() if one.name == level)
            principal = self.org.principal(key_id)
            self.org.grant(principal, self.org.keys[key_id].name, [found.urn], f"psc:user:{self.org.key}:1")
            self.org.record(
                PERSON,
                f"Created grant: {principal} with role {level}",
                url=f"/access/v2/orgs/{self.org.key}/grants",
            )

    def take_away(self, key_id: str) -> None:
        """Delete a key's grant."""
        with self.lock:
            self.org.grants.pop(self.org.principal(key_id), None)

    def subscribe(self, key_id: str, rule: str) -> None:
        """Let a notification rule send to a key."""
        with self.lock:
            self.org.keys[key_id].subscriptions.append(rule)

    def unsubscribe(self, key_id: str) -> None:
        """Let no rule send to it any more."""
        with self.lock:
            self.org.keys[key_id].subscriptions.clear()

    def keys(self) -> dict[str, Key]:
        """Copies of all keys, by id."""
        with self.lock:
            return copy.deepcopy(self.org.keys)

    def levels(self) -> dict[str, Level]:
        """Copies of all access levels and roles, by URN."""
        with self.lock:
            return copy.deepcopy(self.org.levels)

    def level_of(self, key_id: str) -> str | None:
        """The name of the one level that a key has; None if it has no grant."""
        with self.lock:
            roles = self.org.roles_of(key_id)
            return roles[0].name if roles else None

    def key_id(self, name: str) -> str:
        """A key's id by its name; LookupError if there is none."""
        with self.lock:
            for key in self.org.keys.values():
                if key.name == name:
                    return key.id
        raise LookupError(f"no key {name!r}")

    def secret_of(self, key_id: str) -> str:
        """The secret that works for a key now."""
        with self.lock:
            return self.org.keys[key_id].secret

    def log(self) -> list[str]:
        """What the audit log says, oldest first."""
        with self.lock:
            return [record["description"] for record in self.org.log]

    # HTTP.

    def _endpoints(self) -> list[Endpoint]:
        keys, grants, audit = self._keys, self._grants, self._audit
        org = "/access/v2/orgs/{org_key}/grants"
        one, profiles = f"{org}/{{principal}}", f"{org}/{{principal}}/profiles"
        base = BASE.replace("orgKey", "org_key")
        table: list[tuple[str, str, _Operation]] = [
            ("POST", org, grants.create),
            ("POST", f"{org}/", grants.create),
            ("GET", one, grants.describe),
            ("PUT", one, grants.replace),
            ("DELETE", one, grants.delete),
            ("POST", profiles, grants.add_profile),
            ("PUT", f"{profiles}/{{profile_uuid}}", grants.replace_profile),
            ("DELETE", f"{profiles}/{{profile_uuid}}", grants.disable_profile),
            ("POST", "/access/v2/grants/_fetch", grants.fetch),
            ("GET", "/access/v3/orgs/{org_key}/principals/{api_id}/roles/permitted", grants.permitted),
            ("POST", "/audit_log/v1/orgs/{org_key}/logs/_search", audit.search),
            ("GET", "/audit_log/v1/orgs/{org_key}/logs/_queue", audit.queue),
            ("POST", "/appservices/v5/orgs/{org_key}/connectors/find", keys.find),
            ("POST", f"{base}/keys", keys.create_key),
            ("PUT", f"{base}/keys/{{id}}", keys.update_key),
            ("POST", f"{base}/keys/{{id}}/secret", keys.regenerate_key),
            ("DELETE", f"{base}/keys/{{id}}", keys.delete_key),
            ("POST", f"{base}/levels", keys.create_level),
            ("PUT", f"{base}/levels/{{id}}", keys.update_level),
            ("DELETE", f"{base}/levels/{{id}}", keys.delete_level),
        ]
        creations = (keys.create_key, keys.create_level)
        return [
            Endpoint(method, path, path, self._answer(operation), creates=operation in creations)
            for method, path, operation in table
        ]

    def _answer(self, operation: _Operation) -> Callable[[Call], Response]:
        def answer(call: Call) -> Response:
            try:
                caller = self.gate.admit(call)
                self.gate.in_org(call)
                status, content = operation(caller, call)
            except TooMany as many:
                response = json_response({"error_code": many.code, "message": many.message}, 429)
                if self.options.retry_after:
                    response.headers["Retry-After"] = str(many.seconds)
                return response
            except Refused as refused:
                return self._refusal(refused)
            except (ValueError, TypeError):
                return self._refusal(Refused(400, "The request body is not what it should be.", "INVALID_BODY"))
            return json_response(content, status)

        return answer

    def _refusal(self, refused: Refused) -> Response:
        content = {"error_code": refused.code, "message": refused.message}
        if refused.code == "CONNECTOR_IN_USE" and self.options.conflict_body == "reason":
            content = {"success": "false", "reason": refused.message}
        elif refused.code == "CONNECTOR_IN_USE" and self.options.conflict_body == "other":
            content = {"errors": refused.message}
        return json_response(content, refused.status)


def _limited(options: Options, limit: RateLimit | None) -> Options:
    if limit is None:
        return options
    return replace(options, calls=CALLS if limit.per_tenant is None else limit.per_tenant)
