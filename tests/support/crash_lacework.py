"""Lacework, for the crash harness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import requests

from reconciler.emulator.base import Settings
from reconciler.providers.base import Write
from reconciler.providers.lacework.emulator import POWER_USER, READ_ONLY_USER, SERVICE, Lacework
from tests.support.crash_site import FOREIGN, Site

PERSON: Final = "ann@example.com"


class LaceworkAccount(Site):
    """Service users instead of levels, by API. A person makes their keys; no API lists them, none gets a second secret."""

    provider: ClassVar[str] = "lacework"
    level_kind: ClassVar[str] = "ServiceUser"
    level_field: ClassVar[str] = "serviceUser"
    kinds: ClassVar[Mapping[str, str]] = {"replace": "create replace"}
    emulator: Lacework

    @classmethod
    def emulate(cls, seed: int) -> Lacework:
        return Lacework(Settings(seed=seed))

    @classmethod
    def level(cls, variant: int) -> dict[str, Any]:
        return {"description": "Of ours", "groups": [(READ_ONLY_USER, POWER_USER)[variant]]}

    @classmethod
    def key(cls, variant: int) -> dict[str, Any]:
        return {"description": f"The {variant + 1}. text"}

    def add_foreign(self) -> None:
        self.emulator.add_user(PERSON, email=PERSON)
        self.emulator.console_create_key(PERSON, FOREIGN)

    def keys(self) -> dict[str, Mapping[str, Any]]:
        own = self.emulator.credentials["keyId"]
        return {
            key.key_id: {"name": key.name, "description": key.description, "owner": key.owner, "active": key.active}
            for key in self.emulator.api_keys()
            if key.key_id != own
        }

    def levels(self) -> dict[str, str]:
        return {user.guid: user.name for user in self.emulator.users() if user.type == SERVICE}

    def delete_key(self, vendor_id: str) -> None:
        self.emulator.console_delete_key(vendor_id)

    def delete_level(self, vendor_id: str) -> None:
        self.emulator.delete_user(vendor_id)

    def authenticates(self, secret: Mapping[str, str]) -> str | None:
        answer = requests.post(
            f"{self.endpoint}/api/v2/access/tokens",
            json={"keyId": secret["keyId"], "expiryTime": 60}, headers={"X-LW-UAKS": secret["secret"]}, timeout=5,
        )  # fmt: skip
        return secret["keyId"] if answer.status_code == 201 else None

    def by_hand(self, write: Write, steps: Sequence[str]) -> dict[str, str]:
        told = "\n".join(steps)
        if write in {Write.CREATE_KEY, Write.REGENERATE_KEY}:
            wanted = told.partition("select '")[2].partition("'")[0]
            user = next(guid for guid, name in self.levels().items() if name.startswith(f"{wanted} ["))
            file = self.emulator.console_create_key(user, _line(told, "Name"), _line(told, "Description"))
            return {"keyId": file["keyId"], "secret": file["secret"]}
        every = [rest.split()[0] for rest in told.split("with the ID ")[1:]]
        if write is Write.DELETE_KEY:
            for key in set(every) & self.keys().keys():
                self.emulator.console_delete_key(key)
        else:
            (key,) = every
            with self.emulator.lock:
                found = self.emulator.organisation.keys[key]
                found.name = _line(told, "Name") or found.name
                found.description = _line(told, "Description") or found.description
                if "Disable the key" in told or "Enable the key" in told:
                    found.active = "Enable the key" in told
        return {}


def _line(told: str, name: str) -> str:
    return next((line.partition(": ")[2] for line in told.splitlines() if line.startswith(f"{name}: ")), "")
