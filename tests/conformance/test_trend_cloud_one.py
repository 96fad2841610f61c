"""Cloud One passes the conformance suite."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from reconciler.conformance import OfflineConformance, SessionConformance, Subject
from reconciler.emulator.base import Emulator, Settings
from reconciler.providers.trend_cloud_one.emulator import CloudOne, Options
from tests.support.conformance import EstateConformance

VARIANTS = {
    "": Options(),
    "all as CIDRs": Options(networks="cidrs", created_statuses=True),
    "single addresses apart": Options(networks="addresses", exploded_ipv6=True, one_time_field="apiKey"),
    "small pages": Options(largest_page=3, beyond_largest="refuse", default_page=2),
    "secrets in lists": Options(secrets_in_lists=True),
}
URN = "urn:cloudone:{service}:us-1:012345678901:role/{role}"
LOOPBACK = "127.0.0.0/8"
"""Where the tests call from: left out, no new key could be tried."""


class CloudOneSubject(Subject):
    """An account."""

    location = "reconciler.providers.trend_cloud_one:PROVIDER"
    variants = tuple(VARIANTS)
    leaky = "secrets in lists"
    wrong_secret_is_certain = False  # a key that is limited to addresses is refused the same way from elsewhere
    key_creation = ("POST", "/apikeys")
    level_creation = ("POST", "/roles")

    def emulator(self, settings: Settings, variant: str = "") -> CloudOne:
        options = VARIANTS[variant]
        return CloudOne(settings, options)

    def level(self, emulator: Emulator) -> dict[str, Any]:
        urns = [URN.format(service=service, role="read-only") for service in ("workload", "application")]
        return {"description": "Reads two services", "permissions": {"serviceRoleURNs": urns}}

    def level_changes(self, emulator: Emulator) -> dict[str, Any]:
        urn = URN.format(service="workload", role="full-access")
        return {"description": "Manages one", "permissions": {"serviceRoleURNs": [urn]}}

    def key(self, emulator: Emulator, now: datetime) -> dict[str, Any]:
        return {
            "description": "Splunk ingestion, ünïcode included",
            "allowedIPs": ["203.0.113.0/28", "2001:DB8::/48", "198.51.100.7", "2001:db8:1::1", LOOPBACK],
            "options": {"locale": "ja", "timeZone": "Europe/Berlin"},
        }

    def key_changes(self, emulator: Emulator, now: datetime) -> dict[str, Any]:
        return {
            "description": "Something else",
            "allowedIPs": [LOOPBACK, "192.0.2.1"],
            "options.locale": "en",
            "options.timeZone": "Asia/Tokyo",
        }

    def foreign_key(self, emulator: Emulator, name: str) -> None:
        assert isinstance(emulator, CloudOne)
        emulator.add_key(name, description="Made by somebody")

    def foreign_level(self, emulator: Emulator, name: str) -> None:
        assert isinstance(emulator, CloudOne)
        emulator.add_role(name, description="Made by somebody")


class TestOffline(OfflineConformance):
    """Without a network."""

    subject = CloudOneSubject()


class TestSession(SessionConformance):
    """Against the emulator."""

    subject = CloudOneSubject()


class TestEstate(EstateConformance):
    """With Vault and the command line."""

    subject = CloudOneSubject()
