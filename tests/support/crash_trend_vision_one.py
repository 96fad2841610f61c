"""Trend Vision One, for the crash harness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import requests

from reconciler.emulator.base import Settings
from reconciler.providers.trend_vision_one.emulator import BOOTSTRAP, VisionOne
from tests.support.crash_site import FOREIGN, Site

ROLES = {"read": "Auditor", "write": "Analyst"}


class TrendVisionOne(Site):
    """No key gets a second secret; locks are reversible, names are unique, roles are the console's, ends are in months."""

    provider: ClassVar[str] = "trend-vision-one"
    kinds: ClassVar[Mapping[str, str]] = {
        "repoint": "update",
        "repoint-then-back": "update",
    }
    emulator: VisionOne

    @classmethod
    def emulate(cls, seed: int) -> VisionOne:
        return VisionOne(Settings(seed=seed))

    def tenant(self) -> dict[str, Any]:
        return {"options": {"roles": sorted(ROLES.values())}}

    @classmethod
    def level_ref(cls, name: str) -> dict[str, str]:
        return {"existing": ROLES[name]}

    @classmethod
    def key(cls, variant: int) -> dict[str, Any]:
        return {"description": f"The {variant + 1}. text"}

    def add_foreign(self) -> None:
        self.emulator.add_key(FOREIGN, description="Somebody's.")

    def keys(self) -> dict[str, Mapping[str, Any]]:
        return {key["id"]: key for key in self.emulator.keys() if key["name"] != BOOTSTRAP}  # noqa: SIM118

    def delete_key(self, vendor_id: str) -> None:
        with self.emulator.lock:
            del self.emulator.tenant.keys[vendor_id]

    def authenticates(self, secret: Mapping[str, str]) -> str | None:
        headers = {"Authorization": f"Bearer {secret['token']}"}
        answer = requests.get(f"{secret['endpoint']}/v3.0/healthcheck/connectivity", headers=headers, timeout=5)
        if answer.status_code != 200:
            return None
        with self.emulator.lock:  # the product does not tell a key its id
            return next(key.id for key in self.emulator.tenant.keys.values() if key.value == secret["token"])
