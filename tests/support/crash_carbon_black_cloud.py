"""Carbon Black Cloud, for the crash harness: with an endpoint map, and with a person in the console."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import requests

from reconciler.emulator.base import Settings
from reconciler.providers.base import Traits, Write
from reconciler.providers.carbon_black_cloud.capabilities import traits
from reconciler.providers.carbon_black_cloud.emulator import ENDPOINT_MAP, SUPER_ADMIN, VIEW_ALL, BlackCloud
from tests.support.crash_site import FOREIGN, Site

OPERATIONS: Final = ({"org.alerts": ["READ"]}, {"device.quarantine": ["EXECUTE"]})
OURS: Final = "203.0.113.0/24"
"""Where the emulator thinks that callers are."""
BROUGHT_ALONG: Final = frozenset({"bootstrap", "Platform service", "old-siem"})


class CarbonBlackHandoff(Site):
    """A person makes keys and levels; grants have an API. Keys get new secrets in place and have their level for life."""

    provider: ClassVar[str] = "carbon-black-cloud"
    variant: ClassVar[str] = "handoff"
    kinds: ClassVar[Mapping[str, str]] = {
        # What a person is to delete is locked before: a grant has an API.
        **dict.fromkeys(("delete-key", "absent", "delete-then-wanted", "delete-then-moved"), "lock delete"),
        "delete-retiring": "create lock delete",
        "replace": "create replace",
    }
    two_steps: ClassVar[bool] = True
    emulator: BlackCloud

    @classmethod
    def emulate(cls, seed: int) -> BlackCloud:
        return BlackCloud(Settings(seed=seed))

    @classmethod
    def traits(cls) -> Traits:
        return traits(None)

    @classmethod
    def level(cls, variant: int) -> dict[str, Any]:
        return {"description": "Of ours", "permissions": OPERATIONS[variant]}

    @classmethod
    def key(cls, variant: int) -> dict[str, Any]:
        return {"allowedIPs": [OURS, "192.0.2.0/25"][: 2 - variant]}

    def add_foreign(self) -> None:
        self.emulator.click_create_key(FOREIGN, "View All")

    def keys(self) -> dict[str, Mapping[str, Any]]:
        return {
            key.id: {"name": key.name, "description": key.description, "ips": key.ips, "secret": key.secret}
            for key in self.emulator.keys().values()
            if key.name not in BROUGHT_ALONG
        }

    def levels(self) -> dict[str, str]:
        brought_along = {SUPER_ADMIN, VIEW_ALL}
        return {urn: level.name for urn, level in self.emulator.levels().items() if urn not in brought_along}

    def delete_key(self, vendor_id: str) -> None:
        self.emulator.click_delete_key(vendor_id)

    def delete_level(self, vendor_id: str) -> None:
        self.emulator.click_delete_level(vendor_id)

    def authenticates(self, secret: Mapping[str, str]) -> str | None:
        number = secret["apiId"]
        url = f"{secret['endpoint']}/access/v3/orgs/{self.emulator.org.key}/principals/{number}/roles/permitted"
        answer = requests.get(url, headers={"X-Auth-Token": f"{secret['apiSecret']}/{number}"}, timeout=5)
        refused = answer.status_code == 401 or "credentials" in answer.text
        return number if not refused and self.emulator.level_of(number) is not None else None

    def rest(self) -> None:
        with self.emulator.lock:
            for key in self.emulator.org.keys.values():
                key.session = None  # the audit log tells the beginning of a session only

    def by_hand(self, write: Write, steps: Sequence[str]) -> dict[str, str]:
        told = {name: value for name, _, value in (line.partition(": ") for line in steps)}
        everything, product = "\n".join(steps), self.emulator
        every = re.findall(r"find API ID (\w+)", everything) or [""]
        key = every[0]
        text, ips = told.get("Description"), _addresses(told)
        match write:
            case Write.CREATE_KEY:
                level = told["Custom Access Level"]
                made = product.click_create_key(told["Name"], level, description=text or "", ips=ips or ())
                return dict(zip(("apiId", "apiSecret"), made, strict=True))
            case Write.REGENERATE_KEY:
                return {"apiId": key, "apiSecret": product.click_regenerate_key(key)}
            case Write.UPDATE_KEY:
                product.click_edit_key(key, name=told.get("Name"), description=text, ips=ips)
            case Write.DELETE_KEY:
                for one in set(every) & self.keys().keys():
                    product.click_delete_key(one)
            case Write.CREATE_LEVEL:
                product.click_create_level(told["Name"], _ticks(steps), description=text or "")
            case Write.UPDATE_LEVEL:
                name = re.findall(r"find (\S+), and click Edit", everything)[0]
                urn = next(urn for urn, level in self.levels().items() if level == name)
                product.click_edit_level(urn, name=told["Name"], description=text, permissions=_ticks(steps))
            case Write.DELETE_LEVEL:
                urn = re.findall(r"its URN is (\S+)\)", everything)[0]
                if urn in self.levels():
                    product.click_delete_level(urn)
        return {}


class CarbonBlackConsole(CarbonBlackHandoff):
    """Everything by API, with an endpoint map."""

    variant: ClassVar[str] = ""
    kinds: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def traits(cls) -> Traits:
        return traits(frozenset(ENDPOINT_MAP["operations"]))

    def tenant(self) -> dict[str, Any]:
        return {"options": {**self.emulator.tenant_options, "driver": "console", "endpointMap": "emulator"}}

    def documents(self) -> Sequence[Mapping[str, Any]]:
        return ({"kind": "EndpointMap", "metadata": {"name": "emulator"}, "spec": ENDPOINT_MAP},)


def _addresses(told: Mapping[str, str]) -> list[str] | None:
    line = told.get("Authorized IP addresses")
    return None if line is None else [] if line == "leave empty" else line.split(", ")


def _ticks(steps: Sequence[str]) -> dict[str, list[str]]:
    found = [re.fullmatch(r"  (\S+)(?: \(.*\))?: ([A-Z, ]+)", line) for line in steps]
    return {line[1]: line[2].split(", ") for line in found if line}
