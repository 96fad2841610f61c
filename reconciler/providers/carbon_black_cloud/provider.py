"""The offline half of the provider: what manifests may say and what they mean. It makes no call and imports no HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from reconciler.errors import InvalidInput
from reconciler.model.credential import Credential
from reconciler.model.desired import DesiredKey, DesiredLevel, DesiredTenant
from reconciler.model.hosts import is_loopback
from reconciler.model.observed import Fields, Observed
from reconciler.model.secret import Secret
from reconciler.providers import base
from reconciler.providers.base import Capabilities, ConnectionSettings, Problem, Step, Traits, Write
from reconciler.providers.carbon_black_cloud import capabilities, console, endpoint_map, mapping, permissions
from reconciler.providers.carbon_black_cloud.capabilities import CAPABILITIES
from reconciler.providers.checks import endpoint_problem, odd_credentials, refuse_elsewhere, unknown_fields
from reconciler.suggest import did_you_mean

HANDOFF: Final = "handoff"
CONSOLE: Final = "console"
_DRIVERS: Final = (HANDOFF, CONSOLE)
_TENANT_OPTIONS: Final = ("orgKey", "driver", "endpointMap", "orgId")
_REASONS: Final = CAPABILITIES.reasons
_CREDENTIAL: Final = ("apiId", "apiSecret")
_ORG_KEY: Final = re.compile(r"[A-Za-z0-9]{1,64}")
_CSP_HOSTS: Final = (
    "ew2.carbonblackcloud.vmware.com",
    "ew2.carbonblack.vmware.com",
    "carbonblack-us-gov.vmware.com",
)
_EXAMPLE: Final = "for example https://defense-eu.conferdeploy.net"


class CarbonBlackCloud:
    """Carbon Black Cloud. A tenant is one organisation; its `driver` says who writes: a person, or an endpoint map."""

    @property
    def name(self) -> str:
        """As tenants write it."""
        return "carbon-black-cloud"

    @property
    def title(self) -> str:
        """The product's own name."""
        return "Carbon Black Cloud"

    @property
    def capabilities(self) -> Capabilities:
        """What can be managed, how, and how sure we are."""
        return CAPABILITIES

    def traits(self, tenant: DesiredTenant) -> Traits:
        """By driver; with driver console by what the endpoint map offers."""
        if tenant.options.get("driver", HANDOFF) != CONSOLE:
            return CAPABILITIES.traits
        return capabilities.traits(endpoint_map.offered(tenant.endpoint_map))

    def check_tenant(self, tenant: DesiredTenant) -> Iterator[Problem]:
        """Endpoint, options, endpoint map and credential fields. Organisations with another identity are refused (S1)."""
        yield from _check_endpoint(tenant.endpoint)
        yield from _check_options(tenant)
        for path, given in odd_credentials(tenant, CAPABILITIES):
            wrong = list(unknown_fields(path, given, _CREDENTIAL, f"there are {', '.join(_CREDENTIAL)}"))
            yield from wrong or [Problem(path, "the credential is apiId and apiSecret together")]

    def check_level(self, level: DesiredLevel) -> Iterator[Problem]:
        """The shape of permissions, and their operations; names that nobody has documented are accepted."""
        return permissions.check(level.permissions)

    def check_key(self, key: DesiredKey) -> Iterator[Problem]:
        """The one option, and scope, which the product does not have."""
        if key.scope is not None:
            yield Problem(("scope",), "scope cannot be honoured here", _REASONS["ApiKey.spec.scope"])
        for option, value in key.options.items():
            path = ("options", option)
            if option != "type":
                hint = did_you_mean(option, ("type",)) or "this provider's only option is type: Custom"
                yield Problem(path, f"unknown option {option!r}", hint)
            elif value != "Custom":
                wanted = re.sub(r"[\s-]", "_", str(value)).upper()
                reason = mapping.DEPRECATED.get("SIEM" if wanted == "SIM" else wanted)
                yield Problem(path, f"keys of type {value!r} cannot be made", reason or "keys are of type Custom")

    def level_fields(self, level: DesiredLevel) -> Fields:
        """Name, description and permissions."""
        return mapping.level_fields(level)

    def key_fields(self, key: DesiredKey) -> Fields:
        """Name, description, allowedIPs and state."""
        return mapping.key_fields(key)

    def level_spec(self, found: Observed) -> None:
        """What a level permits is not told, so that none can be declared as it is."""

    def key_spec(self, found: Observed) -> dict[str, Any] | None:
        """State and, where the console's list is read, description."""
        return mapping.key_spec(found)

    def permissions_schema(self) -> Mapping[str, Any]:
        """JSON Schema of `AccessLevel.spec.permissions`, with what public documents say of each."""
        return permissions.schema()

    def options_schema(self) -> Mapping[str, Any]:
        """JSON Schema of `ApiKey.spec.options`."""
        text = "Type of the key. API, SIEM and LIVE_RESPONSE are switched off by the vendor and refused."
        return {
            "type": "object",
            "additionalProperties": False,
            "description": "What only this product's keys have.",
            "properties": {"type": {"const": "Custom", "default": "Custom", "description": text}},
        }

    def scope_schema(self) -> None:
        """The product has no scopes."""

    def tenant_options_schema(self) -> Mapping[str, Any]:
        """JSON Schema of `Tenant.spec.options`."""
        return {
            "type": "object",
            "additionalProperties": False,
            "required": ["orgKey"],
            "description": "Which organisation, and who makes the changes that have no documented API.",
            "properties": {
                "orgKey": {
                    "type": "string",
                    "pattern": f"^{_ORG_KEY.pattern}$",
                    "description": "The organisation's key, shown at Settings > API Access.",
                },
                "driver": {
                    "enum": list(_DRIVERS),
                    "default": HANDOFF,
                    "description": "handoff: documented calls only, a person clicks the rest. console: the console's own "
                    "undocumented requests, as an EndpointMap describes them.",
                },
                "endpointMap": {
                    "type": "string",
                    "description": "The EndpointMap that says how your console makes keys and access levels.",
                },
                "orgId": {
                    "type": "integer",
                    "minimum": 1,
                    "description": "The organisation's number, where the console's own requests want it.",
                },
            },
        }

    def console_steps(self, tenant: DesiredTenant, write: Write, step: Step) -> tuple[str, ...]:
        """What to click; nothing for what this tenant's driver does by itself."""
        traits = self.traits(tenant)
        by_hand = bool(traits.by_hand_fields) if write is Write.UPDATE_KEY else write in traits.by_hand
        return console.steps(tenant, write, step) if by_hand else ()

    def key_file(self, content: bytes) -> Mapping[str, Secret | str]:  # noqa: ARG002  the protocol's
        """The console gives out no file."""
        raise InvalidInput("this product's console gives out no key file", hint="enter API ID and API Secret Key")

    def connect(self, endpoint: str, credential: Credential, settings: ConnectionSettings) -> base.Session:
        """Open a session. InvalidInput if the credential belongs elsewhere, or if endpoint, options or map are wrong."""
        from reconciler.providers.carbon_black_cloud.session import Session  # noqa: PLC0415  keeps start-up fast

        problems = [*_check_endpoint(endpoint), *_check_connection(settings.options, settings.endpoint_map)]
        if problems:
            raise InvalidInput(problems[0].what, hint=problems[0].hint)
        refuse_elsewhere(credential, endpoint)
        return Session(endpoint, credential, settings)


def _check_endpoint(endpoint: str) -> Iterator[Problem]:
    problem = endpoint_problem(endpoint)
    if problem:
        yield Problem(("endpoint",), problem, _EXAMPLE)
        return
    url = urlsplit(endpoint)
    host = (url.hostname or "").rstrip(".")
    if any(host == one or host.endswith(f".{one}") for one in _CSP_HOSTS):
        what = "organisations at this host (Prod UK, GovCloud) sign in with VMware Cloud Services"
        yield Problem(("endpoint",), what, "they have no API for grants, so their keys cannot be managed here")
    elif re.fullmatch(r"api-[a-z0-9-]+\.conferdeploy\.net", host):
        what = "this is a host of the old API, which is switched off"
        yield Problem(("endpoint",), what, f"give the console's own address, {_EXAMPLE}")
    elif url.path.strip("/") and not is_loopback(host):
        yield Problem(("endpoint",), "the endpoint has a path", f"{url.scheme}://{url.netloc}")


def _check_options(tenant: DesiredTenant) -> Iterator[Problem]:
    for option in tenant.options:
        if option not in _TENANT_OPTIONS:
            hint = did_you_mean(option, _TENANT_OPTIONS) or f"there are {', '.join(_TENANT_OPTIONS)}"
            yield Problem(("options", option), f"unknown option {option!r}", hint)
    yield from _check_connection(tenant.options, tenant.endpoint_map)


def _check_connection(options: Mapping[str, Any], found: Mapping[str, Any] | None) -> Iterator[Problem]:
    """What the connection itself depends on. Problems of the map have paths below `endpointMap`, which is its own spec."""
    org_key, driver, org_id = options.get("orgKey"), options.get("driver", HANDOFF), options.get("orgId")
    if not isinstance(org_key, str) or not _ORG_KEY.fullmatch(org_key):
        what = "the organisation's key is missing" if org_key is None else f"{org_key!r} is no organisation's key"
        hint = "letters and digits, as Settings > API Access shows them; in quotes if all digits"
        yield Problem(("options", "orgKey"), what, hint)
    if org_id is not None and (not isinstance(org_id, int) or isinstance(org_id, bool) or org_id < 1):
        what = f"{org_id!r} is no organisation's number"
        yield Problem(("options", "orgId"), what, "a whole number from 1 on")
    if driver not in _DRIVERS:
        hint = did_you_mean(str(driver), _DRIVERS) or "handoff or console"
        yield Problem(("options", "driver"), f"unknown driver {driver!r}", hint)
    elif driver == HANDOFF:
        if options.get("endpointMap") is not None:
            hint = "say driver: console, or take the endpointMap away"
            yield Problem(("options", "endpointMap"), "driver handoff uses no endpoint map", hint)
    else:
        yield from _check_map(options, found)


def _check_map(options: Mapping[str, Any], found: Mapping[str, Any] | None) -> Iterator[Problem]:
    path = ("options", "endpointMap")
    name = options.get("endpointMap")
    if name is not None and not isinstance(name, str):
        yield Problem(path, "endpointMap is the name of an EndpointMap", "endpointMap: our-console")
    elif found is not None:
        yield from (Problem(("endpointMap", *one.path), one.what, one.hint) for one in endpoint_map.check(found))
        if endpoint_map.wants_number(found) and options.get("orgId") is None:
            what = "the endpoint map uses {orgId}, and the tenant does not tell it"
            yield Problem(("options", "orgId"), what, "give the organisation's number")
    elif name is None:
        hint = "name an EndpointMap that describes your console's requests; or say driver: handoff"
        yield Problem(path, "driver console needs an endpoint map", hint)
