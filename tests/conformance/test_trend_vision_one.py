"""Vision One passes the conformance suite."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from reconciler.conformance import OfflineConformance, SessionConformance, Subject
from reconciler.emulator.base import Emulator, Settings
from reconciler.providers.trend_vision_one.emulator import Options, VisionOne
from tests.support.conformance import EstateConformance

VARIANTS = {
    "": Options(),
    "milliseconds": Options(milliseconds=True, never=None, error_in_body=False, stale_status=409),
    "names in any case": Options(names_ignore_case=True, taken_status=400, roles_per_page=2),
    "tokens in lists": Options(values_in_lists=True),
}


class VisionOneSubject(Subject):
    """A tenant. Its roles are made in the console."""

    location = "reconciler.providers.trend_vision_one:PROVIDER"
    variants = tuple(VARIANTS)
    leaky = "tokens in lists"
    key_creation = ("POST", "/v3.0/iam/apiKeys")

    def emulator(self, settings: Settings, variant: str = "") -> VisionOne:
        return VisionOne(settings, VARIANTS[variant])

    def options(self, emulator: Emulator) -> dict[str, Any]:
        return {"listRoles": True}

    def existing_levels(self, emulator: Emulator) -> tuple[str, str]:
        return "Auditor", "Analyst"

    def key(self, emulator: Emulator, now: datetime) -> dict[str, Any]:
        return {
            "description": "Splunk ingestion, ünïcode included",
            "expires": (now + timedelta(days=80)).isoformat(),
        }

    def key_changes(self, emulator: Emulator, now: datetime) -> dict[str, Any]:
        return {"description": "Something else", "expires": (now + timedelta(days=150)).isoformat()}

    def foreign_key(self, emulator: Emulator, name: str) -> None:
        assert isinstance(emulator, VisionOne)
        emulator.add_key(name, description="Made by somebody")


class TestOffline(OfflineConformance):
    """Without a network."""

    subject = VisionOneSubject()


class TestSession(SessionConformance):
    """Against the emulator."""

    subject = VisionOneSubject()


class TestEstate(EstateConformance):
    """With Vault and the command line."""

    subject = VisionOneSubject()
