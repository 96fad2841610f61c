"""Trend Micro Workload Security, for the crash harness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import requests

from reconciler.emulator.base import Settings
from reconciler.providers.trend_workload_security.emulator import AUDITOR, BOOTSTRAP, FULL_ACCESS, WorkloadSecurity
from tests.support.crash_site import FOREIGN, Site

RIGHTS = ("canViewOtherComputers", "canDeleteComputers")
VOLATILE = frozenset({"lastSignIn", "unsuccessfulSignInAttempts"})


class TrendWorkloadSecurity(Site):
    """Keys get new secrets in place, names may repeat, locks are reversible."""

    provider: ClassVar[str] = "trend-workload-security"
    emulator: WorkloadSecurity

    @classmethod
    def emulate(cls, seed: int) -> WorkloadSecurity:
        return WorkloadSecurity(Settings(seed=seed))

    @classmethod
    def level(cls, variant: int) -> dict[str, Any]:
        return {"permissions": {"platformRights": {"computerRights": {RIGHTS[variant]: True}}}}

    @classmethod
    def key(cls, variant: int) -> dict[str, Any]:
        return {"options": {"locale": ("en-US", "ja-JP")[variant]}}

    def add_foreign(self) -> None:
        self.emulator.add_key(FOREIGN, description="Somebody's.")

    def keys(self) -> dict[str, Mapping[str, Any]]:
        return {
            str(key["ID"]): {"name": key["keyName"], **{n: v for n, v in key.items() if n not in VOLATILE}}
            for key in self.emulator.keys()  # noqa: SIM118  it is no mapping
            if key["keyName"] != BOOTSTRAP
        }

    def levels(self) -> dict[str, str]:
        return {
            str(role["ID"]): role["name"]
            for role in self.emulator.roles()
            if role["name"] not in {AUDITOR, FULL_ACCESS}
        }

    def delete_key(self, vendor_id: str) -> None:
        home = self.emulator.installation.tenants[0]
        with self.emulator.lock:
            self.emulator.installation.remove_key(home, home.keys[int(vendor_id)])

    def delete_level(self, vendor_id: str) -> None:
        self.emulator.delete_role(self.levels()[vendor_id])

    def authenticates(self, secret: Mapping[str, str]) -> str | None:
        answer = requests.get(
            f"{secret['endpoint']}/apikeys/current",
            headers={"api-secret-key": secret["secretKey"], "api-version": "v1"},
            timeout=5,
        )
        return str(answer.json()["ID"]) if answer.status_code == 200 else None
