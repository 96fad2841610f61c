"""The operations on administrator roles (A2)."""

from __future__ import annotations

from typing import Any, Final

from reconciler.emulator.base import Call
from reconciler.providers.trend_workload_security.emulator import rights
from reconciler.providers.trend_workload_security.emulator.access import Caller
from reconciler.providers.trend_workload_security.emulator.errors import Refused
from reconciler.providers.trend_workload_security.emulator.options import Options
from reconciler.providers.trend_workload_security.emulator.properties import ROLE_SEARCH, role_properties
from reconciler.providers.trend_workload_security.emulator.search import search, shuffled
from reconciler.providers.trend_workload_security.emulator.state import Role, Tenant

Result = tuple[int, Any]

_VIEW: Final = (rights.ROLES + "canViewAdministratorRoles", "Not authorized to view administrator roles.")
_CREATE: Final = (rights.ROLES + "canCreateNewAdministratorRoles", "Not authorized to create administrator roles.")
_EDIT: Final = (rights.ROLES + "canEditAdministratorRoleProperties", "Not authorized to modify administrator roles.")
_DELETE: Final = (rights.ROLES + "canDeleteAdministratorRoles", "Not authorized to delete administrator roles.")


class RoleOperations:
    """What `/roles` offers to callers of every kind."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.hidden: set[int] = set()
        """Roles that the next listing leaves out."""

    def list(self, caller: Caller, _call: Call) -> Result:
        """All roles, the built-in ones among them."""
        caller.require(*_VIEW)
        roles = caller.tenant.roles
        return 200, {"roles": self._visible([roles[number].shown for number in sorted(roles, key=shuffled)], roles)}

    def search(self, caller: Caller, call: Call) -> Result:
        """The roles that a SearchFilter asks for."""
        caller.require(*_VIEW)
        roles = caller.tenant.roles
        found = search({number: role.shown for number, role in roles.items()}, ROLE_SEARCH, call.json())
        return 200, {"roles": self._visible(found, roles)}

    def describe(self, caller: Caller, call: Call) -> Result:
        """One role."""
        caller.require(*_VIEW)
        return 200, _find(caller, call).answer()

    def create(self, caller: Caller, call: Call) -> Result:
        """A new role. What is left out is false."""
        caller.require(*_CREATE)
        given, granted = role_properties(call.json(), None, self.options)
        caller.require_reach(granted, _CREATE[1])
        self._unique(caller.tenant, given["name"], None)
        role = caller.tenant.add_role(given, granted)
        return 201 if self.options.created_statuses else 200, role.answer()

    def modify(self, caller: Caller, call: Call) -> Result:
        """Change what the request names."""
        caller.require(*_EDIT)
        role = _changeable(_find(caller, call))
        given, granted = role_properties(call.json(), role, self.options)
        caller.require_reach(role.granted | granted, _EDIT[1])
        if "name" in given:
            self._unique(caller.tenant, given["name"], role.shown["ID"])
        role.shown.update(given)
        role.granted = granted
        return 200, role.answer()

    def delete(self, caller: Caller, call: Call) -> Result:
        """Remove a role; one that a key has stays, unless the installation is told otherwise."""
        caller.require(*_DELETE)
        role = _changeable(_find(caller, call))
        caller.require_reach(role.granted, _DELETE[1])
        number = role.shown["ID"]
        if self.options.role_in_use == "refuse" and any(
            key.shown["roleID"] == number for key in caller.tenant.keys.values()
        ):
            raise Refused(400, "The administrator role is in use.")
        del caller.tenant.roles[number]
        return 200, None

    def _visible(self, shown: Any, roles: dict[int, Role]) -> Any:
        numbers = {role["ID"] for role in shown}
        visible = [roles[role["ID"]].answer() for role in shown if role["ID"] not in self.hidden]
        self.hidden -= numbers
        return visible

    def _unique(self, tenant: Tenant, name: str, but: int | None) -> None:
        if self.options.unique_names and any(
            role.shown["name"] == name for number, role in tenant.roles.items() if number != but
        ):
            raise Refused(400, "An administrator role of this name exists.")


def _find(caller: Caller, call: Call) -> Role:
    role = caller.tenant.roles.get(int(call.params["roleID"]))
    if role is None:
        raise Refused(404, "The administrator role does not exist.")
    return role


def _changeable(role: Role) -> Role:
    if role.shown["immutable"]:
        raise Refused(400, "The administrator role cannot be changed or deleted.")
    return role
