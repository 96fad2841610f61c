"""Workload Security passes the conformance suite."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from reconciler.conformance import OfflineConformance, SessionConformance, Subject
from reconciler.emulator.base import Emulator, Settings
from reconciler.providers.trend_workload_security.emulator import SECOND, Options, WorkloadSecurity
from tests.support.conformance import EstateConformance

RIGHTS = {"platformRights": {"computerRights": {"canViewOtherComputers": True}}}
VARIANTS = {
    "": Options(),
    "coarse": Options(truncate_ms=SECOND, canonical_time_zones=True, created_statuses=True),
    "console defaults": Options(role_defaults=True, rights_modify="replace"),
    "unique names": Options(unique_names=True),
}


class WorkloadSecuritySubject(Subject):
    """An installation on one's own premises."""

    location = "reconciler.providers.trend_workload_security:PROVIDER"
    variants = tuple(VARIANTS)
    key_creation = ("POST", "/apikeys")
    level_creation = ("POST", "/roles")

    def emulator(self, settings: Settings, variant: str = "") -> WorkloadSecurity:
        return WorkloadSecurity(settings, replace(VARIANTS[variant]))

    def level(self, emulator: Emulator) -> dict[str, Any]:
        permissions = {"allComputers": False, "computerIDs": [7, 3], "allPolicies": True, **RIGHTS}
        return {"description": "Reads computers", "permissions": permissions}

    def level_changes(self, emulator: Emulator) -> dict[str, Any]:
        more = {"platformRights": {"computerRights": {"canViewOtherComputers": True, "canTagComputers": True}}}
        return {"description": "Reads and edits", "permissions": {"allComputers": True, **more}}

    def key(self, emulator: Emulator, now: datetime) -> dict[str, Any]:
        return {
            "description": "Splunk ingestion, ünïcode included",
            "expires": (now + timedelta(days=90)).isoformat(),
            "options": {"locale": "ja-JP", "timeZone": "Asia/Calcutta"},
        }

    def key_changes(self, emulator: Emulator, now: datetime) -> dict[str, Any]:
        return {
            "description": "Something else",
            "expires": (now + timedelta(days=200)).isoformat(),
            "options.locale": "en-US",
            "options.timeZone": "Europe/Berlin",
        }

    def foreign_key(self, emulator: Emulator, name: str) -> None:
        assert isinstance(emulator, WorkloadSecurity)
        emulator.add_key(name, description="Made by somebody")

    def foreign_level(self, emulator: Emulator, name: str) -> None:
        assert isinstance(emulator, WorkloadSecurity)
        emulator.add_role(name, description="Made by somebody")


class TestOffline(OfflineConformance):
    """Without a network."""

    subject = WorkloadSecuritySubject()


class TestSession(SessionConformance):
    """Against the emulator."""

    subject = WorkloadSecuritySubject()


class TestEstate(EstateConformance):
    """With Vault and the command line."""

    subject = WorkloadSecuritySubject()
