"""The operations on roles (3), each from a caller and a call to a status and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from reconciler.emulator.base import Call
from reconciler.providers.cortex_cloud.emulator.access import Caller
from reconciler.providers.cortex_cloud.emulator.errors import BadParameters, Refused
from reconciler.providers.cortex_cloud.emulator.options import Options
from reconciler.providers.cortex_cloud.emulator.state import EDIT_ACCESS, EVERYTHING, SEE_ACCESS, Tenant

Result = tuple[int, Any]

_FORM: Final = re.compile(r"[a-z][a-z0-9_]*_(view|action)")
_NEEDS: Final = {"file_search": "actions_center_action", "wf_verdict_change": "investigation_query_view"}
"""Sub-permissions, and what they need beside them."""
DATASETS: Final = {"Endpoints": ["endpoints", "host_inventory"], "xdr": ["xdr_data"]}
"""Categories of datasets: in the catalogue, and refused as components."""


class RoleOperations:
    """What `/platform/iam/v1/role` offers."""

    def __init__(self, tenant: Tenant, options: Options, now_ms: Callable[[], int]) -> None:
        self._tenant = tenant
        self._now_ms = now_ms
        self.options = options
        self.hidden: set[str] = set()
        """Roles that the next listing leaves out."""

    def list_all(self, caller: Caller, _call: Call) -> Result:
        """All roles, without what they permit."""
        caller.require(SEE_ACCESS)
        hidden, self.hidden = self.hidden, set()
        roles = [role.shown for number, role in self._tenant.roles.items() if number not in hidden]
        return 200, {"data": roles, "metadata": {"total_count": len(roles)}}

    def create(self, caller: Caller, call: Call) -> Result:
        """A new role; its id is inside the message."""
        caller.require(EDIT_ACCESS)
        data = _data(call)
        name = data.get("pretty_name")
        if not isinstance(name, str) or not name.strip():
            raise BadParameters([{"type": "missing", "loc": ["pretty_name"], "msg": "Field required"}])
        if self._tenant.role_named(name) is not None:
            raise BadParameters(f"The role name {name} is already utilized by another role.")
        granted = _components(data.get("component_permissions"))
        datasets = _datasets(data.get("dataset_permissions") or [])
        role = self._tenant.add_role(
            name,
            granted,
            now_ms=self._now_ms(),
            description=data.get("description") or "",
            created_by=caller.key.shown["user_name"],
        )
        role.datasets = datasets
        return 201, {"data": {"message": f"role_id {role.shown['role_id']} created successfully."}}

    def delete(self, caller: Caller, call: Call) -> Result:
        """Delete a custom role."""
        caller.require(EDIT_ACCESS)
        role_id = call.params["role_id"]
        role = self._tenant.roles.get(role_id)
        if role is None:
            raise Refused(404, "The role does not exist.")
        if not role.shown["is_custom"]:
            raise BadParameters("A predefined role cannot be deleted.")
        users = [key.id for key in self._tenant.keys.values() if role.shown["pretty_name"] in key.shown["roles"]]
        if users and self.options.role_in_use == "refuse":
            raise BadParameters(f"The role is in use by API keys {users}.")
        del self._tenant.roles[role_id]
        return 200, {"data": {"message": f"role_id {role_id} deleted successfully."}}

    def catalogue(self, caller: Caller, _call: Call) -> Result:
        """What can be granted; the member `datasetGroups` is written differently from all others."""
        caller.require(SEE_ACCESS)
        permissions = [
            {
                "name": name,
                "view_name": name.replace("_action", "_view") if name.endswith("_action") else name,
                "action_name": name if name.endswith("_action") else None,
                "sub_permissions": [{"name": sub, "action_name": sub} for sub, main in _NEEDS.items() if main == name],
                "permission_dependencies": [],
            }
            for name in sorted(EVERYTHING - set(_NEEDS))
        ]
        category = {
            "category_name": "Components",
            "sub_categories": [{"sub_category_name": "All", "permissions": permissions}],
        }
        groups = [{"dataset_category": category, "datasets": datasets} for category, datasets in DATASETS.items()]
        return 200, {"data": {"rbac_permissions": [category], "datasetGroups": groups}}


def _data(call: Call) -> Mapping[str, Any]:
    try:
        body = call.json()
    except json.JSONDecodeError:
        raise Refused(400, "Invalid JSON") from None
    data = body.get("request_data") if isinstance(body, dict) else None
    if not isinstance(data, dict):
        raise BadParameters("request_data is missing")
    return data


def _components(given: Any) -> frozenset[str]:
    """The permissions that a role gets: an action brings its view, a sub-permission needs its main one beside it."""
    if not isinstance(given, list) or not given:
        raise BadParameters([{"type": "missing", "loc": ["component_permissions"], "msg": "Field required"}])
    for token in given:
        if token in DATASETS or any(token in datasets for datasets in DATASETS.values()):
            raise BadParameters(f"Dataset permission {token} is not allowed in component_permissions.")
        if token not in EVERYTHING and not (isinstance(token, str) and _FORM.fullmatch(token)):
            raise BadParameters(f"Unknown permission {token}.")
        if token in _NEEDS and _NEEDS[token] not in given:
            raise BadParameters(f"Permission {token} requires {_NEEDS[token]}.")
    views = {token.removesuffix("_action") + "_view" for token in given if token.endswith("_action")}
    return frozenset(given) | views


def _datasets(given: Any) -> list[dict[str, Any]]:
    if not isinstance(given, list):
        raise BadParameters([{"type": "list_type", "loc": ["dataset_permissions"], "msg": "Input should be a list"}])
    for one in given:
        if not isinstance(one, dict) or not isinstance(one.get("category"), str):
            raise BadParameters(
                [{"type": "missing", "loc": ["dataset_permissions", "category"], "msg": "Field required"}]
            )
    return given
