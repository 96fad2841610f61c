"""Trend Cloud One, for the crash harness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import requests

from reconciler.emulator.base import Settings
from reconciler.providers.trend_cloud_one.emulator import BOOTSTRAP, FULL_ACCESS, READ_ONLY, CloudOne
from tests.support.crash_site import FOREIGN, Site

URN = "urn:cloudone:workload:us-1:012345678901:role/{}"


class TrendCloudOne(Site):
    """No key gets a second secret; locks are reversible, names are unique, and keys can be tied to addresses."""

    provider: ClassVar[str] = "trend-cloud-one"
    emulator: CloudOne

    @classmethod
    def emulate(cls, seed: int) -> CloudOne:
        return CloudOne(Settings(seed=seed))

    @classmethod
    def level(cls, variant: int) -> dict[str, Any]:
        return {"permissions": {"serviceRoleURNs": [URN.format(("read-only", "full-access")[variant])]}}

    @classmethod
    def key(cls, variant: int) -> dict[str, Any]:
        return {"allowedIPs": ["127.0.0.0/8", "192.0.2.1"][: 2 - variant], "options": {"locale": ("en", "ja")[variant]}}

    def add_foreign(self) -> None:
        self.emulator.add_key(FOREIGN, description="Somebody's.")

    def keys(self) -> dict[str, Mapping[str, Any]]:
        return {
            key["id"]: {"name": key["alias"], **key}
            for key in self.emulator.keys()  # noqa: SIM118  it is no mapping
            if key["alias"] != BOOTSTRAP
        }

    def levels(self) -> dict[str, str]:
        with self.emulator.lock:
            roles = self.emulator.account.roles
            return {number: role["name"] for number, role in roles.items() if number not in {FULL_ACCESS, READ_ONLY}}

    def delete_key(self, vendor_id: str) -> None:
        with self.emulator.lock:
            del self.emulator.account.keys[vendor_id]

    def delete_level(self, vendor_id: str) -> None:
        with self.emulator.lock:
            del self.emulator.account.roles[vendor_id]

    def authenticates(self, secret: Mapping[str, str]) -> str | None:
        key = secret["apiKey"]
        number = key.partition(":")[0]
        headers = {"Api-Version": "v1", "Authorization": f"ApiKey {key}"}
        answer = requests.get(f"{secret['endpoint']}/apikeys/{number}", headers=headers, timeout=5)
        return number if answer.status_code != 401 else None
