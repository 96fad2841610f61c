"""Carbon Black Cloud passes the conformance suite, in both drivers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from reconciler.conformance import OfflineConformance, SessionConformance, Subject
from reconciler.emulator.base import Emulator, Settings
from reconciler.emulator.clock import ManualClock
from reconciler.providers.base import Write
from reconciler.providers.carbon_black_cloud.emulator import ENDPOINT_MAP, BlackCloud, Options
from tests.support.conformance import EstateConformance

BASE = "/emulator-defined/orgs/{org_key}"
VARIANTS = {
    "": Options(leaks_secrets=False),
    "older build": Options(grants_as_map=True, org_urns=True, first_row=1),
    "small pages": Options(most_rows=2, dead_secret_status=401),
    "secrets in lists": Options(leaks_secrets=True),
}
OURS = "203.0.113.0/24"
"""Where the emulator thinks that callers are: left out, no new key could be tried."""


class HandoffSubject(Subject):
    """An organisation with documented calls only: a person makes keys and access levels."""

    location = "reconciler.providers.carbon_black_cloud:PROVIDER"
    variants = tuple(VARIANTS)
    leaky = "secrets in lists"
    wrong_secret_is_certain = False  # a key that is limited to addresses is refused the same way from elsewhere

    def emulator(self, settings: Settings, variant: str = "") -> BlackCloud:
        return BlackCloud(settings, VARIANTS[variant])

    def options(self, emulator: Emulator) -> dict[str, Any]:
        assert isinstance(emulator, BlackCloud)
        return dict(emulator.tenant_options)

    def level(self, emulator: Emulator) -> dict[str, Any]:
        permissions = {"org.alerts.notes": ["READ", "CREATE"], "device.quarantine": ["EXECUTE"]}
        return {"description": "Reads alerts", "permissions": permissions}

    def level_changes(self, emulator: Emulator) -> dict[str, Any]:
        return {"description": "Something else", "permissions": {"org.alerts": ["READ"]}}

    def key(self, emulator: Emulator, now: datetime) -> dict[str, Any]:
        return {
            "description": "Splunk ingestion, ünïcode included",
            "allowedIPs": ["203.0.113.0/24", "198.51.100.7", "192.0.2.0/25"],
            "options": {"type": "Custom"},
        }

    def key_changes(self, emulator: Emulator, now: datetime) -> dict[str, Any]:
        return {"description": "Something else", "allowedIPs": [OURS, "192.0.2.1"]}

    def foreign_key(self, emulator: Emulator, name: str) -> None:
        assert isinstance(emulator, BlackCloud)
        emulator.click_create_key(name, "View All")

    def foreign_level(self, emulator: Emulator, name: str) -> None:
        assert isinstance(emulator, BlackCloud)
        emulator.click_create_level(name, {"org.alerts": ["READ"]})

    def let_it_rest(self, emulator: Emulator) -> None:
        """A session lasts a quarter of an hour, and only its beginning is told in the audit log."""
        assert isinstance(emulator.clock, ManualClock)
        emulator.clock.advance(timedelta(minutes=16))

    def by_hand(self, emulator: Emulator, write: Write, steps: Sequence[str]) -> dict[str, str]:
        """What a person does who reads the steps."""
        assert isinstance(emulator, BlackCloud)
        told = {name: value for name, _, value in (line.partition(": ") for line in steps)}
        everything = "\n".join(steps)
        key = (re.findall(r"find API ID (\w+)", everything) or [""])[0]
        match write:
            case Write.CREATE_KEY:
                made = emulator.click_create_key(
                    told["Name"], told["Custom Access Level"], description=told["Description"], ips=_ips(told) or ()
                )
                return dict(zip(("apiId", "apiSecret"), made, strict=True))
            case Write.UPDATE_KEY:
                new = told.get("Name"), told.get("Description"), _ips(told)
                emulator.click_edit_key(key, name=new[0], description=new[1], ips=new[2])
            case Write.REGENERATE_KEY:
                return {"apiId": key, "apiSecret": emulator.click_regenerate_key(key)}
            case Write.DELETE_KEY:
                emulator.click_delete_key(key)
            case Write.CREATE_LEVEL:
                emulator.click_create_level(told["Name"], _ticks(steps), description=told["Description"])
            case Write.UPDATE_LEVEL:
                name = re.findall(r"find (\S+), and click Edit", everything)[0]
                urn = next(one.urn for one in emulator.levels().values() if one.name == name)
                emulator.click_edit_level(
                    urn, name=told["Name"], description=told["Description"], permissions=_ticks(steps)
                )
            case Write.DELETE_LEVEL:
                emulator.click_delete_level(re.findall(r"its URN is (\S+)\)", everything)[0])
        return {}


class ConsoleSubject(HandoffSubject):
    """An organisation with an endpoint map: the emulator's own, for the vendor documents none."""

    key_creation = ("POST", f"{BASE}/keys")
    level_creation = ("POST", f"{BASE}/levels")

    def options(self, emulator: Emulator) -> dict[str, Any]:
        return {**super().options(emulator), "driver": "console", "endpointMap": "emulator"}

    def endpoint_map(self, emulator: Emulator) -> dict[str, Any]:
        return ENDPOINT_MAP


def _ips(told: dict[str, str]) -> list[str] | None:
    """The addresses of a step; None if there is no such step."""
    line = told.get("Authorized IP addresses")
    return None if line is None else [] if line == "leave empty" else line.split(", ")


def _ticks(steps: Sequence[str]) -> dict[str, list[str]]:
    """`  org.alerts.notes (Alerts: notes): CREATE, READ`."""
    found = [re.fullmatch(r"  (\S+)(?: \(.*\))?: ([A-Z, ]+)", line) for line in steps]
    return {line[1]: line[2].split(", ") for line in found if line}


class TestOffline(OfflineConformance):
    """Without a network."""

    subject = HandoffSubject()


class TestOfflineConsole(OfflineConformance):
    """Without a network, driver console."""

    subject = ConsoleSubject()


class TestSession(SessionConformance):
    """Against the emulator."""

    subject = HandoffSubject()


class TestSessionConsole(SessionConformance):
    """Against the emulator, driver console."""

    subject = ConsoleSubject()


class TestEstate(EstateConformance):
    """With Vault and the command line."""

    subject = HandoffSubject()


class TestEstateConsole(EstateConformance):
    """With Vault and the command line, driver console."""

    subject = ConsoleSubject()
