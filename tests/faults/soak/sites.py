"""The products that schedules run against: what their objects look like from behind, and how somebody meddles with them."""

from __future__ import annotations

import contextlib
import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from reconciler.emulator.base import Call, Emulator, RateLimit, Settings
from reconciler.emulator.clock import ManualClock
from reconciler.model import mark as marks
from reconciler.model.desired import LevelRef
from reconciler.model.mark import Mark
from reconciler.providers import cortex_cloud, trend_vision_one, trend_workload_security
from reconciler.providers.base import Provider
from reconciler.providers.cortex_cloud.emulator import CortexTenant
from reconciler.providers.cortex_cloud.emulator import Options as CortexOptions
from reconciler.providers.trend_vision_one.emulator import VisionOne
from reconciler.providers.trend_workload_security.emulator import AUDITOR, FULL_ACCESS, WorkloadSecurity

FOREIGN: Final = "foreign"
PASSER: Final = "passer"
"""Keys of others that come and go: they stand at the beginning of every list."""
PAGE: Final = 2
"""How many keys one page of a list has."""
_numbers: Final = itertools.count(1)
_UNLIMITED: Final = RateLimit(per_key=10**9, per_tenant=10**9)


@dataclass(frozen=True)
class LiveKey:
    """One key at the vendor. `secret`: what authenticates as it; `shown`: everything lasting that somebody could change."""

    vendor_id: str
    name: str
    mark: Mark | None
    locked: bool
    secret: str
    shown: Mapping[str, Any]


class Site(ABC):
    """One emulated account. What its methods do, is done behind the reconciler's back."""

    provider: ClassVar[Provider]
    calls: ClassVar[tuple[tuple[str, str], ...]]
    """Method and template of the vendor's operations, creations first."""
    secret_field: ClassVar[str]
    manages_levels: ClassVar[bool] = True
    pages: ClassVar[bool] = True
    """Whether lists of a few keys have pages here."""
    emulator: Emulator
    endpoint = ""

    def __init__(self, seed: int) -> None:
        self.clock = ManualClock(datetime.now(UTC))
        self.emulator = self.emulate(Settings(seed=seed, clock=self.clock, rate_limit=_UNLIMITED))

    @classmethod
    @abstractmethod
    def emulate(cls, settings: Settings) -> Any:
        """A fresh account."""

    @classmethod
    def level(cls, name: str) -> LevelRef:
        """How keys refer to a level."""
        return LevelRef(name)

    @classmethod
    @abstractmethod
    def permissions(cls, variant: int) -> Mapping[str, Any]:
        """What a level grants."""

    @classmethod
    def options(cls, variant: int) -> Mapping[str, Any]:
        """Options of a key."""
        return {}

    @abstractmethod
    def add_foreign(self, name: str) -> None:
        """Make a key as a person would."""

    def is_further_page(self, call: Call) -> bool:
        """Whether a request asks for more of a list of keys."""
        return False

    def shift(self) -> None:
        """Somebody else's first key goes, and another one comes: all that lies between moves up by one."""
        passers = [key for key in self.living() if key.name.startswith(PASSER)]
        if passers:
            self.delete(passers[0].vendor_id)
        self.add_foreign(f"{PASSER}{next(_numbers)}")

    @abstractmethod
    def living(self) -> list[LiveKey]:
        """Every key but the reconciler's own."""

    @abstractmethod
    def levels(self) -> dict[str, Mark | None]:
        """Every level that the vendor did not bring along, by vendor id, with its mark."""

    @abstractmethod
    def delete(self, vendor_id: str) -> None:
        """Delete a key."""

    @abstractmethod
    def edit(self, vendor_id: str) -> None:
        """Change something about a key that the manifests say."""

    @abstractmethod
    def unmark(self, vendor_id: str) -> None:
        """Edit the mark of a key away."""

    def edit_level(self, vendor_id: str) -> None:  # noqa: B027  not every product can
        """Change what a level grants, or says."""

    def delete_level(self, vendor_id: str) -> None:  # noqa: B027
        """Delete a level that no key has."""

    def works(self, secret: Mapping[str, str]) -> str | None:
        """The id of the key as which a secret works now; None if it does not."""
        for key in self.living():
            if key.secret == secret.get(self.secret_field):
                return None if key.locked else key.vendor_id
        return None

    def foreign(self) -> list[Mapping[str, Any]]:
        """All that is somebody else's, as it is."""
        return [key.shown for key in self.living() if key.name.startswith(FOREIGN)]


class WorkloadSecuritySite(Site):
    """New secrets in place, reversible locks, names may repeat."""

    provider = trend_workload_security.PROVIDER
    secret_field = "secretKey"
    calls = (
        ("POST", "/apikeys"),
        ("POST", "/roles"),
        ("POST", "/apikeys/{apiKeyID}/secretkey"),
        ("POST", "/apikeys/{apiKeyID}"),
        ("POST", "/roles/{roleID}"),
        ("DELETE", "/apikeys/{apiKeyID}"),
        ("DELETE", "/roles/{roleID}"),
        ("POST", "/apikeys/search"),
        ("POST", "/roles/search"),
        ("GET", "/apikeys/current"),
    )
    emulator: WorkloadSecurity

    @classmethod
    def emulate(cls, settings: Settings) -> WorkloadSecurity:
        return WorkloadSecurity(settings)

    def is_further_page(self, call: Call) -> bool:
        if (call.method, call.template) != ("POST", "/apikeys/search"):
            return False
        criteria = json.loads(call.body or b"{}").get("searchCriteria") or [{}]
        return bool(criteria[0].get("idValue"))

    @classmethod
    def permissions(cls, variant: int) -> Mapping[str, Any]:
        right = ("canViewOtherComputers", "canDeleteComputers")[variant]
        return {"platformRights": {"computerRights": {right: True}}}

    @classmethod
    def options(cls, variant: int) -> Mapping[str, Any]:
        return {"locale": ("en-US", "ja-JP")[variant]}

    def add_foreign(self, name: str) -> None:
        self.emulator.add_key(name, description="Somebody's.")

    def living(self) -> list[LiveKey]:
        volatile = {"lastSignIn", "unsuccessfulSignInAttempts"}
        found = []
        for key in self.emulator.keys():  # noqa: SIM118  it is no mapping
            if key["keyName"] == "bootstrap":
                continue
            mark = marks.split(key.get("description"))[1]
            secret = self.emulator.secret_of(key["ID"])
            shown = {name: value for name, value in key.items() if name not in volatile}
            found.append(LiveKey(str(key["ID"]), key["keyName"], mark, not key["active"], secret, shown))
        return found

    def levels(self) -> dict[str, Mark | None]:
        return {
            str(role["ID"]): marks.split(role.get("description"))[1]
            for role in self.emulator.roles()
            if role["name"] not in {AUDITOR, FULL_ACCESS}
        }

    def delete(self, vendor_id: str) -> None:
        home = self.emulator.installation.tenants[0]
        with self.emulator.lock:
            self.emulator.installation.remove_key(home, home.keys[int(vendor_id)])

    def _shown(self, vendor_id: str) -> dict[str, Any]:
        return self.emulator.installation.tenants[0].keys[int(vendor_id)].shown

    def edit(self, vendor_id: str) -> None:
        with self.emulator.lock:
            self._shown(vendor_id).update(timeZone="Asia/Tokyo", active=False)

    def unmark(self, vendor_id: str) -> None:
        with self.emulator.lock:
            self._shown(vendor_id).update(description="Tidied up")

    def edit_level(self, vendor_id: str) -> None:
        with self.emulator.lock:
            role = self.emulator.installation.tenants[0].roles[int(vendor_id)]
            role.granted = frozenset()

    def delete_level(self, vendor_id: str) -> None:
        with self.emulator.lock:
            name = self.emulator.installation.tenants[0].roles[int(vendor_id)].shown["name"]
            same = [role for role in self.emulator.roles() if role["name"] == name]
            if len(same) == 1 and not any(str(key.shown["roleID"]) == vendor_id for key in self.living()):
                self.emulator.delete_role(name)


class CortexSite(Site):
    """No new secrets, no locks; levels are replaced; keys are made in steps."""

    provider = cortex_cloud.PROVIDER
    secret_field = "key"
    calls = (
        ("POST", "/public_api/v1/api_keys/generate"),
        ("POST", "/platform/iam/v1/role"),
        ("PUT", "/platform/iam/v1/api-key/{api_key_id}"),
        ("PUT", "/platform/iam/v1/scope/api-key/{api_key_id}"),
        ("POST", "/public_api/v1/api_keys/delete"),
        ("DELETE", "/platform/iam/v1/role/{role_id}"),
        ("POST", "/public_api/v1/api_keys/get_api_keys"),
        ("GET", "/platform/iam/v1/role"),
        ("GET", "/platform/iam/v1/scope/api-key/{api_key_id}"),
        ("GET", "/platform/iam/v1/api-key/{api_key_id}"),
    )
    emulator: CortexTenant

    @classmethod
    def emulate(cls, settings: Settings) -> CortexTenant:
        return CortexTenant(settings, CortexOptions(page_limit=PAGE))

    def is_further_page(self, call: Call) -> bool:
        if (call.method, call.template) != ("POST", "/public_api/v1/api_keys/get_api_keys"):
            return False
        return bool((json.loads(call.body or b"{}").get("request_data") or {}).get("search_from"))

    @classmethod
    def permissions(cls, variant: int) -> Mapping[str, Any]:
        return {"components": ["investigation_query_view", "dashboards_view"][: variant + 1]}

    @classmethod
    def options(cls, variant: int) -> Mapping[str, Any]:
        return {"securityLevel": ("advanced", "standard")[variant]}

    def add_foreign(self, name: str) -> None:
        self.emulator.add_key(name)

    def living(self) -> list[LiveKey]:
        found = []
        for key in self.emulator.keys():  # noqa: SIM118  it is no mapping
            if key["comment"] == "bootstrap":
                continue
            text, mark = marks.split(key["comment"])
            secret = self.emulator.secret_of(key["id"])
            name = text.partition(":")[0].strip()
            found.append(LiveKey(str(key["id"]), name, mark, False, secret, key))
        return found

    def levels(self) -> dict[str, Mark | None]:
        return {
            role["role_id"]: marks.split(role.get("description"))[1]
            for role in self.emulator.roles()
            if role.get("is_custom")
        }

    def delete(self, vendor_id: str) -> None:
        self.emulator.delete_key(int(vendor_id))

    def edit(self, vendor_id: str) -> None:
        key = next(key for key in self.emulator.keys() if str(key["id"]) == vendor_id)  # noqa: SIM118
        text, mark = marks.split(key["comment"])
        if mark is not None:
            name = text.partition(":")[0].strip()
            self.emulator.edit_key(int(vendor_id), comment=mark.attach(f"{name}: edited"))

    def unmark(self, vendor_id: str) -> None:
        key = next(key for key in self.living() if key.vendor_id == vendor_id)
        self.emulator.edit_key(int(vendor_id), comment=key.name)

    def delete_level(self, vendor_id: str) -> None:
        role = next(role for role in self.emulator.roles() if role["role_id"] == vendor_id)
        if not any(role["pretty_name"] in key.shown["roles"] for key in self.living()):
            self.emulator.delete_role(vendor_id)


class VisionOneSite(Site):
    """No new secrets, reversible locks, roles that are the vendor's, names are unique."""

    provider = trend_vision_one.PROVIDER
    secret_field = "token"
    manages_levels = False
    pages = False  # 50 keys are the fewest
    calls = (
        ("POST", "/v3.0/iam/apiKeys"),
        ("PATCH", "/v3.0/iam/apiKeys/{id}"),
        ("POST", "/v3.0/iam/apiKeys/delete"),
        ("GET", "/v3.0/iam/apiKeys"),
        ("GET", "/v3.0/iam/apiKeys/{id}"),
        ("GET", "/v3.0/iam/roles"),
        ("GET", "/v3.0/healthcheck/connectivity"),
    )
    emulator: VisionOne

    @classmethod
    def emulate(cls, settings: Settings) -> VisionOne:
        return VisionOne(settings)

    @classmethod
    def level(cls, name: str) -> LevelRef:
        return LevelRef({"read": "Auditor", "write": "Analyst"}[name], existing=True)

    @classmethod
    def permissions(cls, variant: int) -> Mapping[str, Any]:
        return {}

    def add_foreign(self, name: str) -> None:
        with contextlib.suppress(Exception):
            self.emulator.add_key(name, description="Somebody's.")

    def living(self) -> list[LiveKey]:
        found = []
        with self.emulator.lock:
            for key in self.emulator.tenant.keys.values():
                if key.name == "bootstrap":
                    continue
                mark = marks.split(key.description)[1]
                shown = {"name": key.name, "role": key.role, "description": key.description, "status": key.status}
                found.append(LiveKey(key.id, key.name, mark, key.status != "enabled", key.value, shown))
        # Each generation has a name of its own.
        return [
            replace(key, name=key.name.removesuffix(f".g{key.mark.generation}")) if key.mark else key for key in found
        ]

    def levels(self) -> dict[str, Mark | None]:
        return {}

    def delete(self, vendor_id: str) -> None:
        with self.emulator.lock:
            del self.emulator.tenant.keys[vendor_id]

    def edit(self, vendor_id: str) -> None:
        with self.emulator.lock:
            key = self.emulator.tenant.keys[vendor_id]
            key.status = "disabled"
            key.version += 1

    def unmark(self, vendor_id: str) -> None:
        with self.emulator.lock:
            key = self.emulator.tenant.keys[vendor_id]
            key.description = "Tidied up"
            key.version += 1


SITES: Final[Mapping[str, type[Site]]] = {
    site.provider.name: site for site in (WorkloadSecuritySite, CortexSite, VisionOneSite)
}
