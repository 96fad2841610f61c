"""The operations on API keys (A2), each from a caller and a call to a status and JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from reconciler.emulator.base import Call
from reconciler.providers.trend_workload_security.emulator import rights
from reconciler.providers.trend_workload_security.emulator.access import Caller
from reconciler.providers.trend_workload_security.emulator.errors import Refused
from reconciler.providers.trend_workload_security.emulator.options import Options
from reconciler.providers.trend_workload_security.emulator.properties import KEY_SEARCH, key_properties
from reconciler.providers.trend_workload_security.emulator.search import search, shuffled
from reconciler.providers.trend_workload_security.emulator.state import Installation, Key, Tenant

Result = tuple[int, Any]

_VIEW: Final = (rights.API_KEYS + "canViewApiKeys", "Not authorized to view API keys.")
_CREATE: Final = (rights.API_KEYS + "canCreateNewApiKeys", "Not authorized to create API keys.")
_EDIT: Final = (rights.API_KEYS + "canEditApiKeyProperties", "Not authorized to modify API keys.")
_DELETE: Final = (rights.API_KEYS + "canDeleteApiKeys", "Not authorized to delete API keys.")
_RENEW: Final = (rights.API_KEYS + "canEditApiKeyProperties", "Not authorized to generate API secret keys.")


class KeyOperations:
    """What `/apikeys` offers to one installation's callers."""

    def __init__(self, installation: Installation, options: Options, now_ms: Callable[[], int]) -> None:
        self._installation = installation
        self._now_ms = now_ms
        self.options = options
        self.hidden: set[int] = set()
        """Keys that the next listing leaves out."""

    def list(self, caller: Caller, _call: Call) -> Result:
        """All keys, in no order that means anything."""
        _legacy_only(caller).require(*_VIEW)
        keys = self._settled(caller.tenant)
        return 200, {"apiKeys": self._visible([keys[number] for number in sorted(keys, key=shuffled)])}

    def search(self, caller: Caller, call: Call) -> Result:
        """The keys that a SearchFilter asks for."""
        _legacy_only(caller).require(*_VIEW)
        return 200, {"apiKeys": self._visible(search(self._settled(caller.tenant), KEY_SEARCH, call.json()))}

    def describe(self, caller: Caller, call: Call) -> Result:
        """One key."""
        _legacy_only(caller).require(*_VIEW)
        return 200, self._find(caller, call).shown

    def create(self, caller: Caller, call: Call) -> Result:
        """A new key; its secret is in this answer and in no other."""
        _legacy_only(caller).require(*_CREATE)
        return self._create(caller, caller.tenant, call.json(), service_account=False)

    def create_for_tenant(self, caller: Caller, call: Call) -> Result:
        """A new key in another tenant, which only the primary tenant can make."""
        _legacy_only(caller).require(rights.TENANT_KEYS, "Not authorized to manage tenant API keys.")
        if caller.tenant.id != 0:
            raise Refused(403, "Not authorized to manage tenant API keys.")
        tenant = self._installation.tenants.get(int(call.params["tenantID"]))
        if tenant is None:
            raise Refused(404, "The tenant does not exist.")
        return self._create(caller, tenant, call.json(), service_account=True)

    def modify(self, caller: Caller, call: Call) -> Result:
        """Change what the request names, and nothing else."""
        _legacy_only(caller).require(*_EDIT)
        key = self._find(caller, call)
        self._modify(caller, key, call.json())
        return 200, key.shown

    def delete(self, caller: Caller, call: Call) -> Result:
        """Revoke for good."""
        _legacy_only(caller).require(*_DELETE)
        key = self._find(caller, call)
        self._reach(caller, caller.tenant, key.shown["roleID"], _DELETE[1])
        self._installation.remove_key(caller.tenant, key)
        return 200, None

    def regenerate(self, caller: Caller, call: Call) -> Result:
        """A new secret; the old one is dead at once. Whatever is in the body is ignored."""
        _legacy_only(caller).require(*_RENEW)
        key = self._find(caller, call)
        self._reach(caller, caller.tenant, key.shown["roleID"], _RENEW[1])
        return 200, {**key.shown, "secretKey": self._installation.renew(caller.tenant, key)}

    def describe_current(self, caller: Caller, _call: Call) -> Result:
        """The calling key. An account-level key gets what the tenant knows of it."""
        if caller.key is None and not caller.session and caller.role:
            return 200, {"active": True, **self._whose(caller, caller.role.shown["ID"])}
        return 200, self._current(caller, _own_key(caller))

    def modify_current(self, caller: Caller, call: Call) -> Result:
        """Change the calling key. It needs the right to edit keys: else any key could give itself another role."""
        key = _own_key(caller)
        caller.require(*_EDIT)
        self._modify(caller, key, call.json())
        return 200, self._current(caller, key)

    def regenerate_current(self, caller: Caller, _call: Call) -> Result:
        """A new secret for the calling key, which needs no right for that."""
        key = _own_key(caller)
        return 200, {**key.shown, "secretKey": self._installation.renew(caller.tenant, key)}

    def _create(self, caller: Caller, tenant: Tenant, body: Any, *, service_account: bool) -> Result:
        now = self._now_ms()
        given = key_properties(body, tenant, self.options, now, creating=True)
        self._unique(tenant, given["keyName"], None)
        self._reach(caller, tenant, given["roleID"], _CREATE[1])
        shown = {
            "description": "",
            "locale": self.options.default_locale,
            "timeZone": self.options.default_time_zone,
            "active": False,  # a boolean that is left out is false (T3)
            "created": now // self.options.truncate_ms * self.options.truncate_ms,
            "unsuccessfulSignInAttempts": 0,
            "serviceAccount": service_account,
            **{name: value for name, value in given.items() if value is not None},
        }
        key = self._installation.add_key(tenant, shown)
        return 201 if self.options.created_statuses else 200, {**key.shown, "secretKey": key.secret}

    def _modify(self, caller: Caller, key: Key, body: Any) -> None:
        given = key_properties(body, caller.tenant, self.options, self._now_ms(), creating=False)
        if "keyName" in given:
            self._unique(caller.tenant, given["keyName"], key.id)
        for role_id in (key.shown["roleID"], given.get("roleID", key.shown["roleID"])):
            self._reach(caller, caller.tenant, role_id, _EDIT[1])
        if given.get("active"):
            key.unlock()
        elif "active" in given:
            key.shown.pop("unlockTime", None)  # locked by a person: until a person unlocks it
        for name, value in given.items():
            if value is None:
                key.shown.pop(name, None)
            else:
                key.shown[name] = value

    def _find(self, caller: Caller, call: Call) -> Key:
        key = caller.tenant.keys.get(int(call.params["apiKeyID"]))
        if key is None:
            raise Refused(404, "The API key does not exist.")
        key.settle(self._now_ms())
        return key

    def _settled(self, tenant: Tenant) -> dict[int, dict[str, Any]]:
        now = self._now_ms()
        for key in tenant.keys.values():
            key.settle(now)
        return {number: key.shown for number, key in tenant.keys.items()}

    def _visible(self, keys: Any) -> Any:
        if not self.hidden:
            return keys
        visible = [key for key in keys if key["ID"] not in self.hidden]
        self.hidden -= {key["ID"] for key in keys}
        return visible

    def _unique(self, tenant: Tenant, name: str, but: int | None) -> None:
        if self.options.unique_names and any(
            key.shown["keyName"] == name for number, key in tenant.keys.items() if number != but
        ):
            raise Refused(400, "An API key of this name exists.")

    def _reach(self, caller: Caller, tenant: Tenant, role_id: int, message: str) -> None:
        role = tenant.roles.get(role_id)
        if role is not None:
            caller.require_reach(role.granted, message)

    def _current(self, caller: Caller, key: Key) -> dict[str, Any]:
        return {**key.shown, **self._whose(caller, key.shown["roleID"])}

    def _whose(self, caller: Caller, role_id: int) -> dict[str, Any]:
        tenant = caller.tenant
        return {"roleURN": tenant.urn(role_id), "tenantID": tenant.id, "tenantGUID": tenant.guid}


def _legacy_only(caller: Caller) -> Caller:
    if caller.key is None and not caller.session:
        raise Refused(403, "This operation takes legacy API keys only.")
    return caller


def _own_key(caller: Caller) -> Key:
    if caller.key is None:
        raise Refused(403, "This operation is for callers who authenticate with an API key of the tenant.")
    return caller.key
