"""Lacework passes the conformance suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from reconciler.conformance import OfflineConformance, SessionConformance, Subject
from reconciler.emulator.base import Emulator, Settings
from reconciler.model.credential import Credential
from reconciler.model.names import Kind
from reconciler.providers.base import ConnectionSettings, Write
from reconciler.providers.lacework.emulator import Lacework, Options
from reconciler.providers.lacework.session import Session
from tests.support.conformance import EstateConformance

READ_ONLY, POWER = "LACEWORK_USER_GROUP_READ_ONLY_USER", "LACEWORK_USER_GROUP_POWER_USER"
VARIANTS = {
    "": Options(),
    "small pages": Options(rows=2),
    "descriptions told": Options(tells_descriptions=True, bad_secret_status=403, profile_for_all=True),
}


class LaceworkSubject(Subject):
    """An account. A person makes its keys."""

    location = "reconciler.providers.lacework:PROVIDER"
    level_kind = Kind.SERVICE_USER
    variants = tuple(VARIANTS)
    level_creation = ("POST", "/api/v2/TeamUsers")

    def emulator(self, settings: Settings, variant: str = "") -> Lacework:
        return Lacework(settings, VARIANTS[variant])

    def connect(
        self, endpoint: str, credential: Credential, settings: ConnectionSettings, clock: Callable[[], float]
    ) -> Session:
        """Tokens have a life, which the session measures."""
        return Session(endpoint, credential, settings, clock=clock)

    def level(self, emulator: Emulator) -> dict[str, Any]:
        return {"description": "Reads alerts", "groups": [READ_ONLY.lower(), POWER], "state": "active"}

    def level_changes(self, emulator: Emulator) -> dict[str, Any]:
        return {"description": "Something else", "groups": [POWER]}

    def key(self, emulator: Emulator, now: datetime) -> dict[str, Any]:
        return {"description": "Splunk ingestion, ünïcode included"}

    def key_changes(self, emulator: Emulator, now: datetime) -> dict[str, Any]:
        return {"description": "Something else"}

    def foreign_key(self, emulator: Emulator, name: str) -> None:
        assert isinstance(emulator, Lacework)
        emulator.console_create_key("admin@example.com", name)

    def foreign_level(self, emulator: Emulator, name: str) -> None:
        assert isinstance(emulator, Lacework)
        emulator.add_service_user(name)

    def by_hand(self, emulator: Emulator, write: Write, steps: Sequence[str]) -> dict[str, str]:
        """What a person does who reads the steps."""
        assert isinstance(emulator, Lacework)
        told = "\n".join(steps)
        if write is Write.CREATE_KEY:
            user = next(one.name for one in emulator.users() if one.name.startswith(f"{_after(told, 'select ')} ["))
            file = emulator.console_create_key(user, _line(told, "Name"), _line(told, "Description"))
            return {"keyId": file["keyId"], "secret": file["secret"]}
        key = told.partition("with the ID ")[2].split()[0]
        if write is Write.DELETE_KEY:
            emulator.console_delete_key(key)
        elif "Disable the key" in told:
            emulator.console_disable_key(key)
        elif "Enable the key" in told:
            emulator.console_enable_key(key)
        return {}


def _line(told: str, name: str) -> str:
    return next(line.partition(": ")[2] for line in told.splitlines() if line.startswith(f"{name}: "))


def _after(told: str, word: str) -> str:
    return told.partition(word)[2].partition("'")[2].partition("'")[0]


class TestOffline(OfflineConformance):
    """Without a network."""

    subject = LaceworkSubject()


class TestSession(SessionConformance):
    """Against the emulator."""

    subject = LaceworkSubject()


class TestEstate(EstateConformance):
    """With Vault and the command line."""

    subject = LaceworkSubject()
