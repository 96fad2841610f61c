"""Lantern passes the suite that every provider passes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from reconciler_lantern.emulator import Lantern

from reconciler.conformance import EstateConformance, OfflineConformance, SessionConformance, Subject
from reconciler.emulator.base import Emulator, Settings


class LanternSubject(Subject):
    """What the suite must know."""

    location = "reconciler_lantern:PROVIDER"
    variants = ("", "shuffled")
    key_creation = ("POST", "/v1/keys")
    level_creation = ("POST", "/v1/roles")

    def emulator(self, settings: Settings, variant: str = "") -> Lantern:
        return Lantern(settings, shuffled=variant == "shuffled")

    def level(self, emulator: Emulator) -> dict[str, Any]:
        return {"description": "Reads", "permissions": {"rights": ["read", "list"]}}

    def level_changes(self, emulator: Emulator) -> dict[str, Any]:
        return {"description": "Something else", "permissions": {"rights": ["write"]}}

    def key(self, emulator: Emulator, now: datetime) -> dict[str, Any]:
        ends = (now + timedelta(days=90)).isoformat()
        return {"description": "For the SIEM", "expires": ends, "options": {"colour": "green"}}

    def key_changes(self, emulator: Emulator, now: datetime) -> dict[str, Any]:
        ends = (now + timedelta(days=30)).isoformat()
        return {"description": "Something else", "expires": ends, "options.colour": "red"}

    def foreign_key(self, emulator: Emulator, name: str) -> None:
        assert isinstance(emulator, Lantern)
        emulator.add_key({"name": name, "role": "admin"})

    def foreign_level(self, emulator: Emulator, name: str) -> None:
        assert isinstance(emulator, Lantern)
        emulator.add_role({"name": name})


class TestOffline(OfflineConformance):
    """Without a network."""

    subject = LanternSubject()


class TestSession(SessionConformance):
    """Against the emulator."""

    subject = LanternSubject()


class TestEstate(EstateConformance):
    """With a real OpenBao, through the command line."""

    subject = LanternSubject()
