"""Cortex Cloud, for the crash harness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import requests

from reconciler.emulator.base import Settings
from reconciler.providers.cortex_cloud.emulator import BOOTSTRAP, CortexTenant
from tests.support.crash_site import FOREIGN, Site

COMPONENTS = ("investigation_query_view", "dashboards_view")


class CortexCloud(Site):
    """No second secrets, no locks; keys are made in steps, levels are replaced, every key has an end."""

    provider: ClassVar[str] = "cortex-cloud"
    kinds: ClassVar[Mapping[str, str]] = {"update-level": "replace update retire"}
    emulator: CortexTenant

    @classmethod
    def emulate(cls, seed: int) -> CortexTenant:
        return CortexTenant(Settings(seed=seed))

    @classmethod
    def level(cls, variant: int) -> dict[str, Any]:
        return {"permissions": {"components": [COMPONENTS[variant]]}}

    @classmethod
    def key(cls, variant: int) -> dict[str, Any]:
        return {
            "expires": "2038-06-30",
            "options": {"securityLevel": "standard"},
            "scope": {"assets": {"mode": "scope", "groupIds": [12 + variant]}},
        }

    def add_foreign(self) -> None:
        self.emulator.add_key(FOREIGN)

    def keys(self) -> dict[str, Mapping[str, Any]]:
        return {
            str(key["id"]): {"name": key["comment"], "scope": self.emulator.scope_of(key["id"]), **key}
            for key in self.emulator.keys()  # noqa: SIM118  it is no mapping
            if key["comment"] != BOOTSTRAP
        }

    def levels(self) -> dict[str, str]:
        return {role["role_id"]: role["pretty_name"] for role in self.emulator.roles() if role["is_custom"]}

    def delete_key(self, vendor_id: str) -> None:
        self.emulator.delete_key(int(vendor_id))

    def delete_level(self, vendor_id: str) -> None:
        self.emulator.delete_role(vendor_id)

    def authenticates(self, secret: Mapping[str, str]) -> str | None:
        headers = {"x-xdr-auth-id": secret["keyId"], "Authorization": secret["key"]}
        answer = requests.get(f"{secret['endpoint']}/platform/iam/v1/role", headers=headers, timeout=5)
        return secret["keyId"] if answer.status_code != 401 else None
