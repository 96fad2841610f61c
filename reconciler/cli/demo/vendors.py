"""The demo's vendors: an emulator for each tenant, the reconciler's own credentials there, and people who meddle.

A class for each product. What a person does in a handoff is in `person`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from reconciler.emulator.base import Emulator, Settings
from reconciler.emulator.clock import ManualClock
from reconciler.errors import InvalidInput
from reconciler.model.desired import DesiredTenant
from reconciler.providers.carbon_black_cloud import emulator as carbon_black_cloud
from reconciler.providers.cortex_cloud import emulator as cortex_cloud
from reconciler.providers.lacework import emulator as lacework
from reconciler.providers.trend_cloud_one import emulator as trend_cloud_one
from reconciler.providers.trend_vision_one import emulator as trend_vision_one
from reconciler.providers.trend_workload_security import emulator as trend_workload_security

Fields = Mapping[str, str]

WORKLOAD_SECURITY_RIGHTS: Final = frozenset(
    f"platformRights.{group}.{right}"
    for group, rights in {
        "apikeyRights": ("canViewApiKeys", "canCreateNewApiKeys", "canEditApiKeyProperties", "canDeleteApiKeys"),
        "administratorRoleRights": (
            "canViewAdministratorRoles", "canCreateNewAdministratorRoles", "canEditAdministratorRoleProperties",
            "canDeleteAdministratorRoles",
        ),
    }.items()
    for right in rights
)  # fmt: skip
"""All that the applying credential may do there."""
CORTEX_READS: Final = frozenset({"public_api_view", "access_management_view"})
CORTEX_WRITES: Final = CORTEX_READS | {"public_api_action", "access_management_action"}
_SESSION: Final = timedelta(minutes=16)
_CALLER: Final = "203.0.113.7"
"""Where the keys' consumers call from, as far as address restrictions are concerned."""


class Vendor(ABC):
    """One tenant's emulated vendor."""

    emulator: Emulator

    def serve_at(self, endpoint: str) -> None:  # noqa: B027  most need not know
        """Learn where it is served."""

    def lines(self, tenant: DesiredTenant) -> Mapping[str, str]:  # noqa: ARG002  for those who have any
        """Lines of the tenant's manifest that have to be others here, endpoint apart."""
        return {}

    @abstractmethod
    def to_apply(self) -> Fields:
        """Make the reconciler's own key, as an administrator does once: the credential for applying."""

    def to_plan(self) -> Fields:
        """The same for planning, for tenants that keep the two apart."""
        return self.to_apply()

    @abstractmethod
    def meddle(self, tenant: DesiredTenant) -> Iterator[str]:
        """Change something as a person with access to the console could, and say what."""

    def wait(self) -> None:  # noqa: B027  most need not
        """Let so much time pass that each try of a key counts as one of its own."""


class WorkloadSecurity(Vendor):
    """Two keys under narrow roles, and somebody who tries things out in production."""

    def __init__(self, settings: Settings) -> None:
        self.emulator: trend_workload_security.WorkloadSecurity = trend_workload_security.WorkloadSecurity(settings)

    def to_apply(self) -> Fields:
        """Under a role that may manage keys and roles, and nothing else."""
        self.emulator.add_role("API key manager", WORKLOAD_SECURITY_RIGHTS, description="For the reconciler")
        return {"secretKey": self.emulator.add_key("reconciler-apply", "API key manager")}

    def to_plan(self) -> Fields:
        """Under a role that the vendor ships and that can only read."""
        return {"secretKey": self.emulator.add_key("reconciler-plan", trend_workload_security.AUDITOR)}

    def meddle(self, tenant: DesiredTenant) -> Iterator[str]:
        """See the class."""
        if tenant.labels.get("env") != "prod":
            return
        full = trend_workload_security.FULL_ACCESS
        everything = next(role["ID"] for role in self.emulator.roles() if role["name"] == full)
        self.emulator.edit_key("vulnerability-scanner", roleID=everything)
        yield f"the key vulnerability-scanner gets the role {full}, “to see whether that helps”"
        self.emulator.edit_key("splunk", active=False, timeZone="America/New_York")
        yield "the key splunk gets another time zone and is locked"
        self.emulator.add_key("temporary", full)
        yield f"a new key, temporary, with the role {full}"


class CloudOne(Vendor):
    """Somebody lifts a restriction."""

    def __init__(self, settings: Settings) -> None:
        options = trend_cloud_one.Options(client_address=_CALLER)
        self.emulator: trend_cloud_one.CloudOne = trend_cloud_one.CloudOne(settings, options)

    def to_apply(self) -> Fields:
        """Under the role Full Access."""
        return {"apiKey": self.emulator.add_key("reconciler-apply")}

    def to_plan(self) -> Fields:
        """Under a role that can only read."""
        return {"apiKey": self.emulator.add_key("reconciler-plan", trend_cloud_one.READ_ONLY)}

    def meddle(self, tenant: DesiredTenant) -> Iterator[str]:  # noqa: ARG002
        """See the class."""
        self.emulator.edit_key("splunk", allowedIPs=[], allowedCIDRs=[])
        yield "the key splunk may be used from anywhere"


class VisionOne(Vendor):
    """One credential for both: only a role that manages keys can list them here."""

    def __init__(self, settings: Settings) -> None:
        self.emulator: trend_vision_one.VisionOne = trend_vision_one.VisionOne(settings)

    def to_apply(self) -> Fields:
        """The key that is there."""
        return self.emulator.credentials

    def meddle(self, tenant: DesiredTenant) -> Iterator[str]:  # noqa: ARG002
        """See the class."""
        self.emulator.edit_key("splunk", status="disabled")
        yield "the key splunk is disabled, and nobody knows why Splunk is silent"


class CortexCloud(Vendor):
    """Somebody widens a scope."""

    def __init__(self, settings: Settings) -> None:
        self.emulator: cortex_cloud.CortexTenant = cortex_cloud.CortexTenant(settings)

    def to_apply(self) -> Fields:
        """Under a role that may manage keys and access."""
        return self._key("reconciler-apply", CORTEX_WRITES)

    def to_plan(self) -> Fields:
        """Under a role that may see them."""
        return self._key("reconciler-plan", CORTEX_READS)

    def _key(self, comment: str, granted: frozenset[str]) -> Fields:
        self.emulator.add_role(comment, granted)
        number = self.emulator.add_key(comment, comment)
        return {"keyId": str(number), "key": self.emulator.secret_of(number)}

    def meddle(self, tenant: DesiredTenant) -> Iterator[str]:  # noqa: ARG002
        """See the class."""
        key = next(one["id"] for one in self.emulator.keys() if one["comment"].startswith("splunk: "))  # noqa: SIM118
        self.emulator.edit_key(key, scope={"assets": {"mode": "see_all", "asset_group_ids": []}})
        yield f"the key splunk (id {key}) reaches all assets"


class CarbonBlackCloud(Vendor):
    """A grant gets lost where people make the keys, a name is changed where the console's own requests do."""

    def __init__(self, settings: Settings) -> None:
        options = carbon_black_cloud.Options(caller_ip=_CALLER)
        self.emulator: carbon_black_cloud.BlackCloud = carbon_black_cloud.BlackCloud(settings, options)

    def to_apply(self) -> Fields:
        """The key that is there, a Super Admin's: the vendor gives nothing to give away that one does not hold."""
        return self.emulator.credentials

    def lines(self, tenant: DesiredTenant) -> Mapping[str, str]:
        """Another organisation."""
        mine = self.emulator.tenant_options["orgKey"]
        return {f"orgKey: {tenant.options['orgKey']}": f"orgKey: {mine}"}

    def meddle(self, tenant: DesiredTenant) -> Iterator[str]:
        """See the class."""
        if tenant.options.get("driver") == "console":
            self.emulator.click_edit_key(self.emulator.key_id("soar"), name="soar-old")
            yield "the key soar is called soar-old"
        else:
            self.emulator.take_away(self.emulator.key_id("splunk"))
            yield "the key splunk loses its access level"

    def wait(self) -> None:
        """A quarter of an hour later keys begin new sessions, and the audit log tells of them."""
        later = datetime.fromtimestamp(self.emulator.clock.now_ms() / 1000, UTC) + _SESSION
        self.emulator.clock = ManualClock(later)


class Lacework(Vendor):
    """Somebody makes a service user an administrator."""

    def __init__(self, settings: Settings) -> None:
        self.emulator: lacework.Lacework = lacework.Lacework(settings)

    def to_apply(self) -> Fields:
        """An administrator's key."""
        return self.emulator.credentials

    def to_plan(self) -> Fields:
        """The key of a service user that can only read."""
        self.emulator.add_service_user("reconciler-plan", groups=[lacework.READ_ONLY_USER])
        file = self.emulator.console_create_key("reconciler-plan", "reconciler-plan")
        return {name: file[name] for name in ("keyId", "secret")}

    def serve_at(self, endpoint: str) -> None:
        """Key files name their account."""
        self.emulator.account = endpoint.partition("://")[2]

    def meddle(self, tenant: DesiredTenant) -> Iterator[str]:  # noqa: ARG002
        """See the class."""
        self.emulator.edit_user(self.user("siem"), groups=[lacework.READ_ONLY_USER, lacework.ADMIN])
        yield "the service user siem becomes an administrator"

    def user(self, name: str) -> str:
        """The GUID of a service user that the reconciler made: it has a mark behind its name."""
        return next(user.guid for user in self.emulator.users() if user.name.startswith(f"{name} ["))


CAST: Final[Mapping[str, Callable[[Settings], Any]]] = {
    "carbon-black-cloud": CarbonBlackCloud,
    "cortex-cloud": CortexCloud,
    "lacework": Lacework,
    "trend-cloud-one": CloudOne,
    "trend-vision-one": VisionOne,
    "trend-workload-security": WorkloadSecurity,
}
"""Who plays which provider."""


def cast(tenant: DesiredTenant, number: int) -> Vendor:
    """The vendor of a tenant, with nothing of it but what every customer gets."""
    if tenant.provider not in CAST:
        raise InvalidInput(f"the demo has no emulator for {tenant.provider}", where=tenant.name)
    vendor: Vendor = CAST[tenant.provider](Settings(tenant=number))
    return vendor
