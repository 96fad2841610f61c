"""Reading and replacing scopes (4): what is written and what is read have different shapes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from reconciler.emulator.base import Call
from reconciler.providers.cortex_cloud.emulator.access import Caller
from reconciler.providers.cortex_cloud.emulator.errors import BadParameters, Refused
from reconciler.providers.cortex_cloud.emulator.options import Options
from reconciler.providers.cortex_cloud.emulator.state import ADMINS, EDIT_ACCESS, SEE_ACCESS, Key, Tenant

Result = tuple[int, Any]

_MODES: Final = ("no_scope", "see_all", "scope")
_TAG_MODES: Final = ("no_scope", "any", "scope")
_ROW_MODES: Final = ("no_scope", "see_all")
_ADMIN: Final = "Scope cannot be updated for admin entity"


def fresh(options: Options) -> dict[str, Any]:
    """The scope of a key that nobody has given one, as it is kept here: in the shape that is written."""
    mode = options.fresh_scope
    return {
        "assets": {"mode": mode, "asset_group_ids": []},
        "endpoints": {
            "endpoint_groups": {"mode": mode, "names": []},
            "endpoint_tags": {"mode": "any" if mode == "see_all" else mode, "names": []},
        },
        "cases_issues": {"mode": mode, "names": [], "include_cases_issues_empty_entities": mode == "see_all"},
        "datasets_rows": {"default_filter_mode": mode, "filters": []},
    }


class ScopeOperations:
    """What `/platform/iam/v1/scope/api-key/{id}` offers."""

    def __init__(self, tenant: Tenant, options: Options) -> None:
        self._tenant = tenant
        self.options = options

    def read(self, caller: Caller, call: Call) -> Result:
        """A key's scope."""
        caller.require(SEE_ACCESS)
        shown = self.shown(self._find(call).scope)
        return 200, {"data": {"scope": shown} if self.options.scope_level else shown}

    def replace(self, caller: Caller, call: Call) -> Result:
        """Replace a key's scope: what is left out becomes `no_scope`."""
        caller.require(EDIT_ACCESS)
        key = self._find(call)
        if ADMINS & set(key.shown["roles"]):
            raise BadParameters(_ADMIN)
        try:
            body = call.json()
        except json.JSONDecodeError:
            raise Refused(400, "Invalid JSON") from None
        data = body.get("request_data") if isinstance(body, dict) else None
        if not isinstance(data, dict):
            raise BadParameters("request_data is missing")
        key.scope = self._checked(data)
        return 200, {"data": {"message": "Scope updated successfully"}}

    def shown(self, scope: Mapping[str, Any]) -> dict[str, Any]:
        """A scope in the shape that is read."""
        endpoints, cases = scope["endpoints"], scope["cases_issues"]
        groups = [
            {"asset_group_id": number, "asset_group_name": f"group {number}"}
            for number in scope["assets"]["asset_group_ids"]
        ]
        shown: dict[str, Any] = {
            "assets": {"mode": self._mode(scope["assets"]["mode"]), "asset_groups": groups},
            "endpoints": {name: self._tags(section) for name, section in endpoints.items()},
            "cases_issues": {
                **self._tags(cases),
                "include_cases_issues_empty_entities": cases["include_cases_issues_empty_entities"],
            },
        }
        if self.options.dataset_scoping:
            shown["datasets_rows"] = scope["datasets_rows"]
        return shown

    def _tags(self, section: Mapping[str, Any]) -> dict[str, Any]:
        return {"mode": self._mode(section["mode"]), "tags": [self._tenant.tag(name) for name in section["names"]]}

    def _mode(self, mode: str) -> str:
        return mode.capitalize() if self.options.capitals else mode

    def _find(self, call: Call) -> Key:
        key = self._tenant.keys.get(int(call.params["api_key_id"])) if self.options.has_scopes else None
        if key is None:
            raise Refused(404, "The entity does not exist.")
        return key

    def _checked(self, data: Mapping[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(data) - {"assets", "endpoints", "cases_issues", "datasets_rows"})
        if unknown:
            raise BadParameters([{"type": "extra_forbidden", "loc": unknown, "msg": "Extra inputs are not permitted"}])
        if "datasets_rows" in data and not self.options.dataset_scoping:
            raise BadParameters("Dataset scoping is not enabled on this tenant.")
        endpoints, cases = data.get("endpoints") or {}, data.get("cases_issues") or {}
        assets, rows = data.get("assets") or {}, data.get("datasets_rows") or {}
        return {
            "assets": _section(assets, _MODES, "asset_group_ids"),
            "endpoints": {
                "endpoint_groups": _section(endpoints.get("endpoint_groups") or {}, _MODES, "names"),
                "endpoint_tags": _section(endpoints.get("endpoint_tags") or {}, _TAG_MODES, "names"),
            },
            "cases_issues": {
                **_section(cases, _MODES, "names"),
                "include_cases_issues_empty_entities": bool(cases.get("include_cases_issues_empty_entities")),
            },
            "datasets_rows": {
                "default_filter_mode": _one_of(rows.get("default_filter_mode", "no_scope"), _ROW_MODES),
                "filters": list(rows.get("filters") or ()),
            },
        }


def _section(section: Mapping[str, Any], modes: tuple[str, ...], names: str) -> dict[str, Any]:
    """One section. Names are taken as `tags` too, as one client sends them."""
    given = section.get(names, [tag["tag_name"] if isinstance(tag, dict) else tag for tag in section.get("tags") or ()])
    kind = int if names == "asset_group_ids" else str
    if not isinstance(given, list) or not all(isinstance(one, kind) for one in given):
        raise BadParameters(
            [{"type": "list_type", "loc": [names], "msg": "Input should be a valid list", "input": given}]
        )
    return {"mode": _one_of(section.get("mode", "no_scope"), modes), names: list(given)}


def _one_of(mode: Any, modes: tuple[str, ...]) -> str:
    if mode not in modes:
        raise BadParameters([{"type": "enum", "loc": ["mode"], "msg": f"Input should be one of {', '.join(modes)}"}])
    return str(mode)
