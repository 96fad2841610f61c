"""Grants, profiles and permitted roles (S2, S5): documented."""

from __future__ import annotations

import copy
import uuid
from typing import Any

from reconciler.emulator.base import Call
from reconciler.providers.carbon_black_cloud.emulator.access import Caller, mapping
from reconciler.providers.carbon_black_cloud.emulator.errors import Refused
from reconciler.providers.carbon_black_cloud.emulator.options import Options
from reconciler.providers.carbon_black_cloud.emulator.organisation import Organisation

Result = tuple[int, Any]


class GrantOperations:
    """What `/access` offers."""

    def __init__(self, org: Organisation, options: Options) -> None:
        self._org = org
        self.options = options
        self.hidden: set[str] = set()
        """Access levels that the next listing leaves out, by URN."""

    def permitted(self, caller: Caller, call: Call) -> Result:
        """The roles that the caller may give away: those that hold nothing that the caller does not."""
        if call.params["api_id"] != caller.key.id:
            raise Refused(403, "The principal is not the caller.", "FORBIDDEN")
        caller.require_management()
        if call.query.get("type") not in ("USER", "API_KEY"):
            raise Refused(400, "type is USER or API_KEY.", "INVALID_ENUM_VALUE")
        roles = [
            level.shown()
            for level in self._org.levels.values()
            if level.urn not in self.hidden and caller.holds(level.permissions)
        ]
        self.hidden.clear()
        org = f"psc:org:{self._org.key}" if self.options.org_urns else self._org.key
        return 200, {"results": {org: roles, f"{org}:CHILDREN": [*roles[:1]]}}

    def create(self, caller: Caller, call: Call) -> Result:
        """A grant for a principal that has none."""
        caller.require_management()
        body = mapping(call.json())
        principal = self._principal(body)
        if principal in self._org.grants:
            raise Refused(409, "The principal has a grant.", "CONFLICT")
        roles, profiles = self._content(caller, body)
        grant = self._org.grant(principal, body.get("principal_name", ""), roles, caller.urn)
        grant["profiles"] = [_whole(profile, self._uuid()) for profile in profiles]
        self._record("Created", caller, call, grant)
        return 200, copy.deepcopy(grant)

    def describe(self, caller: Caller, call: Call) -> Result:
        """One grant."""
        caller.require_management()
        return 200, copy.deepcopy(self._find(call))

    def replace(self, caller: Caller, call: Call) -> Result:
        """The whole grant anew: what is left out is gone (S2)."""
        caller.require_management()
        grant = self._find(call)
        body = mapping(call.json())
        if self._principal(body) != grant["principal"]:
            raise Refused(400, "The principal cannot be changed.", "INVALID_VALUE")
        roles, profiles = self._content(caller, body)
        known = {profile.get("profile_uuid") for profile in grant["profiles"]}
        grant.update(
            roles=roles,
            profiles=[
                _whole(one, one["profile_uuid"] if one.get("profile_uuid") in known else self._uuid())
                for one in profiles
            ],
            principal_name=body.get("principal_name", ""),
            expires=body.get("expires", 0),
        )
        self._changed(caller, grant)
        self._record("Updated", caller, call, grant)
        return 200, copy.deepcopy(grant)

    def delete(self, caller: Caller, call: Call) -> Result:
        """Take it away; the answer is what was there."""
        caller.require_management()
        grant = self._find(call)
        del self._org.grants[grant["principal"]]
        self._record("Deleted", caller, call, grant)
        return 200, grant

    def fetch(self, caller: Caller, call: Call) -> Result:
        """The grants of many principals; those without one are missing."""
        caller.require_management()
        body = call.json()
        if not isinstance(body, list) or not all(isinstance(one, dict) for one in body):
            raise Refused(400, "The request body is no JSON array.", "INVALID_BODY")
        found = [self._org.grants[one["principal"]] for one in body if one.get("principal") in self._org.grants]
        if self.options.grants_as_map:
            return 200, {"results": {grant["principal"]: copy.deepcopy(grant) for grant in found}}
        return 200, {"results": copy.deepcopy(found)}

    def add_profile(self, caller: Caller, call: Call) -> Result:
        """One more profile."""
        caller.require_management()
        grant = self._find(call)
        body = mapping(call.json())
        if grant["roles"]:
            raise Refused(400, "A grant has roles or profiles, not both.", "INVALID_VALUE")
        self._check_roles(caller, body.get("roles", []))
        profile = _whole(body, self._uuid())
        grant["profiles"].append(profile)
        self._changed(caller, grant)
        return 200, copy.deepcopy(profile)

    def replace_profile(self, caller: Caller, call: Call) -> Result:
        """A profile anew."""
        caller.require_management()
        grant, profile = self._profile(call)
        body = mapping(call.json())
        self._check_roles(caller, body.get("roles", []))
        number = profile["profile_uuid"]
        profile.clear()
        profile.update(_whole(body, number))
        self._changed(caller, grant)
        return 200, copy.deepcopy(profile)

    def disable_profile(self, caller: Caller, call: Call) -> Result:
        """Deleting a profile switches it off (S2)."""
        caller.require_management()
        grant, profile = self._profile(call)
        profile["conditions"] = {**(profile.get("conditions") or {}), "disabled": True}
        self._changed(caller, grant)
        return 200, copy.deepcopy(profile)

    def _find(self, call: Call) -> dict[str, Any]:
        grant = self._org.grants.get(call.params["principal"])
        if grant is None:
            raise Refused(404, "The principal has no grant.", "NOT_FOUND")
        return grant

    def _profile(self, call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
        grant = self._find(call)
        for profile in grant["profiles"]:
            if profile["profile_uuid"] == call.params["profile_uuid"]:
                return grant, profile
        raise Refused(404, "The grant has no such profile.", "NOT_FOUND")

    def _principal(self, body: dict[str, Any]) -> str:
        principal = body.get("principal")
        if body.get("org_ref") != f"psc:org:{self._org.key}" or not isinstance(principal, str):
            raise Refused(400, "principal and org_ref are needed.", "INVALID_VALUE")
        kind, _, name = principal.rpartition(":")
        known = name in self._org.keys if kind == f"psc:cnn:{self._org.key}" else kind == f"psc:user:{self._org.key}"
        if not known:
            raise Refused(400, "There is no such principal.", "INVALID_VALUE")
        return principal

    def _content(self, caller: Caller, body: dict[str, Any]) -> tuple[list[str], list[dict[str, Any]]]:
        roles, profiles = list(body.get("roles") or ()), list(body.get("profiles") or ())
        if roles and profiles:
            raise Refused(400, "A grant has roles or profiles, not both.", "INVALID_VALUE")
        self._check_roles(caller, roles)
        for profile in profiles:
            self._check_roles(caller, profile.get("roles", []))
        return roles, profiles

    def _check_roles(self, caller: Caller, roles: list[str]) -> None:
        for urn in roles:
            level = self._org.levels.get(urn)
            if level is None:
                raise Refused(400, "There is no such role.", "INVALID_VALUE")
            if not caller.holds(level.permissions):
                raise Refused(403, "The role holds permissions that the caller lacks.", "FORBIDDEN")

    def _changed(self, caller: Caller, grant: dict[str, Any]) -> None:
        grant["updated_by"] = caller.urn
        grant["update_time"] = self._org.now()

    def _record(self, what: str, caller: Caller, call: Call, grant: dict[str, Any]) -> None:
        names = ", ".join(self._org.levels[urn].name for urn in grant["roles"] if urn in self._org.levels)
        text = f"{what} grant: {grant['principal']} with role {names}"
        self._org.record(caller.key.id, text, url=call.path)

    def _uuid(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, self._org.letters(20)))


def _whole(profile: dict[str, Any], number: str) -> dict[str, Any]:
    """A profile with every field that answers have."""
    empty: dict[str, Any] = {
        "orgs": {"allow": [], "deny": []},
        "org_groups": [],
        "roles": [],
        "conditions": None,
        "can_manage": True,
    }
    return {**empty, **profile, "profile_uuid": number}
