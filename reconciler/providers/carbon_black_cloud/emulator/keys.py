"""Keys and access levels. Listing keys was observed (S20, S21); every other path here is *emulator-defined*.

The vendor documents no request that makes keys or access levels, and none is known. The paths below `/emulator-defined` are
this emulator's own, there to be described by an endpoint map: `ENDPOINT_MAP`.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any, Final

from reconciler.emulator.base import Call
from reconciler.providers.carbon_black_cloud.emulator.access import Caller, mapping
from reconciler.providers.carbon_black_cloud.emulator.errors import Refused
from reconciler.providers.carbon_black_cloud.emulator.options import Options
from reconciler.providers.carbon_black_cloud.emulator.organisation import Key, Level, Organisation

Result = tuple[int, Any]

BASE: Final = "/emulator-defined/orgs/{orgKey}"
ENDPOINT_MAP: Final[dict[str, Any]] = {
    "operations": {
        "createKey": {
            "method": "POST",
            "path": f"{BASE}/keys",
            "body": {
                "name": "{name}",
                "description": "{description}",
                "type": "CUSTOM",
                "level": "{level}",
                "authorizedIps": "{allowedIPs}",
            },
            "reply": {"id": "key.id", "secret": "key.secret"},
        },
        "updateKey": {
            "method": "PUT",
            "path": f"{BASE}/keys/{{id}}",
            "body": {"name": "{name}", "description": "{description}", "authorizedIps": "{allowedIPs}"},
        },
        "regenerateKey": {"method": "POST", "path": f"{BASE}/keys/{{id}}/secret", "reply": {"secret": "key.secret"}},
        "deleteKey": {"method": "DELETE", "path": f"{BASE}/keys/{{id}}"},
        "createLevel": {
            "method": "POST",
            "path": f"{BASE}/levels",
            "body": {"name": "{name}", "description": "{description}", "permissions": "{permissions}"},
            "reply": {"id": "urn"},
        },
        "updateLevel": {
            "method": "PUT",
            "path": f"{BASE}/levels/{{id}}",
            "body": {"name": "{name}", "description": "{description}", "permissions": "{permissions}"},
        },
        "deleteLevel": {"method": "DELETE", "path": f"{BASE}/levels/{{id}}"},
    }
}
"""The `spec` of an EndpointMap for this emulator. These paths are not the vendor's."""


class KeyOperations:
    """Keys and access levels, as the console manages them."""

    def __init__(self, org: Organisation, options: Options) -> None:
        self._org = org
        self.options = options
        self.hidden: set[str] = set()
        """Keys that the next listing leaves out, by id."""

    def find(self, caller: Caller, call: Call) -> Result:
        """The console's list (S20): all keys, service connectors too, and perhaps their secrets."""
        caller.require_console()
        body = mapping(call.json())
        keys = [key for key in self._org.keys.values() if key.id not in self.hidden]
        self.hidden.clear()
        keys.sort(key=lambda key: key.created, reverse=body.get("sortDefinition", {}).get("sortOrder") == "DESC")
        start = max(0, int(body.get("fromRow", 0)) - self.options.first_row)
        rows = min(int(body.get("maxRows", 50)), self.options.most_rows or 10_000)
        return 200, {"entries": [self._shown(key) for key in keys[start : start + rows]]}

    def create_key(self, caller: Caller, call: Call) -> Result:
        """Emulator-defined. The key alone: its grant is a second step, as the console's audit records suggest (S17)."""
        caller.require_console()
        body = mapping(call.json())
        if body.get("type") != "CUSTOM":
            raise Refused(400, "Only keys of type Custom can be made.", "INVALID_ENUM_VALUE")
        if body.get("level") not in self._org.levels:
            raise Refused(400, "There is no such access level.", "INVALID_VALUE")
        name = self.free_name(body.get("name"))
        key = self._org.add_key(name, description=str(body.get("description", "")), ips=_networks(body))
        self._org.record(caller.key.id, f"Added API ID {key.id} with name {name} in org {self._org.number}")
        return 200, {"key": {"id": key.id, "secret": key.secret}}

    def update_key(self, caller: Caller, call: Call) -> Result:
        """Emulator-defined. Name, description and addresses, as a whole; type and level are fixed (S8)."""
        caller.require_console()
        key = self._key(call)
        body = mapping(call.json())
        if {"type", "level"} & set(body):
            raise Refused(400, "Type and access level of a key cannot be changed.", "INVALID_VALUE")
        key.name = self.free_name(body.get("name"), key)
        key.description = str(body.get("description", ""))
        key.ips = _networks(body)
        key.updated = self._org.now_ms()
        self._org.record(caller.key.id, f"Updated API ID {key.id} with name {key.name} in org {self._org.number}")
        return 200, {}

    def regenerate_key(self, caller: Caller, call: Call) -> Result:
        """Emulator-defined. The same id, a new secret."""
        caller.require_console()
        key = self._key(call)
        self._org.record(caller.key.id, f"Regenerated API key for API ID {key.id} in org {self._org.number}")
        return 200, {"key": {"id": key.id, "secret": self._org.renew(key)}}

    def delete_key(self, caller: Caller, call: Call) -> Result:
        """Emulator-defined. 409 while a notification sends to the key (S9); its grant goes with it."""
        caller.require_console()
        key = self._key(call)
        self.refuse_subscribed(key)
        self.remove_key(key, caller.key.id)
        return 200, {}

    def create_level(self, caller: Caller, call: Call) -> Result:
        """Emulator-defined."""
        caller.require_console()
        body = mapping(call.json())
        name = self.free_level(body.get("name"))
        level = self._org.add_level(name, str(body.get("description", "")), _permissions(body))
        self._org.record(caller.key.id, f"Added access level {name}")
        return 200, {"urn": level.urn}

    def update_level(self, caller: Caller, call: Call) -> Result:
        """Emulator-defined. Every key with the level changes at once."""
        caller.require_console()
        level = self._level(call)
        body = mapping(call.json())
        level.name = self.free_level(body.get("name"), level)
        level.description = str(body.get("description", ""))
        level.permissions = _permissions(body)
        self._org.record(caller.key.id, f"Updated access level {level.name}")
        return 200, {}

    def delete_level(self, caller: Caller, call: Call) -> Result:
        """Emulator-defined. Refused while a grant names it: nobody knows what the vendor does."""
        caller.require_console()
        level = self._level(call)
        if any(level.urn in grant["roles"] for grant in self._org.grants.values()):
            raise Refused(409, "The access level is in use.", "CONFLICT")
        del self._org.levels[level.urn]
        self._org.record(caller.key.id, f"Deleted access level {level.name}")
        return 200, {}

    def remove_key(self, key: Key, actor: str) -> None:
        """Take out a key and its grant."""
        del self._org.keys[key.id]
        self._org.grants.pop(self._org.principal(key.id), None)
        self._org.record(actor, f"Deleted API ID {key.id} with name {key.name} in org {self._org.number}")

    def free_name(self, name: object, but: Key | None = None) -> str:
        """A key's name, unique in the organisation (S6); 400 otherwise."""
        if not isinstance(name, str) or not name:
            raise Refused(400, "A key has a name.", "INVALID_VALUE")
        if any(key.name == name for key in self._org.keys.values() if key is not but):
            raise Refused(400, "An API key of this name exists.", "DUPLICATE_NAME")
        return name

    def free_level(self, name: object, but: Level | None = None) -> str:
        """An access level's name, unique too."""
        if not isinstance(name, str) or not name:
            raise Refused(400, "An access level has a name.", "INVALID_VALUE")
        if any(level.name == name for level in self._org.levels.values() if level is not but):
            raise Refused(400, "An access level of this name exists.", "DUPLICATE_NAME")
        return name

    def refuse_subscribed(self, key: Key) -> None:
        """409 while notification rules hold a key; the cause is in the body alone."""
        if key.subscriptions:
            rules = ", ".join(key.subscriptions)
            raise Refused(409, f"The API key subscribes to the notification {rules}.", "CONNECTOR_IN_USE")

    def _shown(self, key: Key) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "connectorId": key.id,
            "name": key.name,
            "description": key.description,
            "connectorType": key.type,
            "orgId": self._org.number,
            "createTime": key.created,
            "lastUpdatedTime": key.updated,
            "sessionId": None,
            "serviceConnector": key.service,
            "stats": {"lastReportedTime": key.session, "sessionStartTime": key.session} if key.session else {},
            "notificationState": None,
        }
        return {**shown, "apiKey": key.secret} if self.options.leaks_secrets else shown

    def _key(self, call: Call) -> Key:
        key = self._org.keys.get(call.params["id"])
        if key is None:
            raise Refused(404, "There is no such API key.", "NOT_FOUND")
        return key

    def _level(self, call: Call) -> Level:
        level = self._org.levels.get(call.params["id"])
        if level is None or level.urn.startswith("psc:role::"):
            raise Refused(404, "There is no such access level.", "NOT_FOUND")
        return level


def _networks(body: dict[str, Any]) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(one)) for one in body.get("authorizedIps", ()))
    except (TypeError, ValueError):
        raise Refused(400, "Authorized IP addresses are addresses or networks.", "INVALID_VALUE") from None


def _permissions(body: dict[str, Any]) -> frozenset[str]:
    given = body.get("permissions")
    if not isinstance(given, dict):
        raise Refused(400, "Permissions are names with operations.", "INVALID_VALUE")
    return frozenset(f"{name}:{operation}" for name, operations in given.items() for operation in operations)
