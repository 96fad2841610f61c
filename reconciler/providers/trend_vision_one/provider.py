"""The offline half of the provider: what manifests may say and what they mean. It makes no call and imports no HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from reconciler.errors import InvalidInput
from reconciler.model.credential import Credential
from reconciler.model.desired import DesiredKey, DesiredLevel, DesiredTenant, Strategy
from reconciler.model.observed import Fields, Observed
from reconciler.providers import base
from reconciler.providers.base import Capabilities, ConnectionSettings, Problem, Traits
from reconciler.providers.by_api import ProviderByApi
from reconciler.providers.checks import endpoint_problem, odd_credentials, refuse_elsewhere, unknown_fields
from reconciler.providers.trend_vision_one import mapping
from reconciler.providers.trend_vision_one.capabilities import CAPABILITIES
from reconciler.suggest import did_you_mean

REGIONS: Final = {
    "us": "https://api.xdr.trendmicro.com",
    "eu": "https://api.eu.xdr.trendmicro.com",
    "sg": "https://api.sg.xdr.trendmicro.com",
    "in": "https://api.in.xdr.trendmicro.com",
    "au": "https://api.au.xdr.trendmicro.com",
    "jp": "https://api.xdr.trendmicro.co.jp",
    "usgov": "https://api.usgov.xdr.trendmicro.com",
}
"""The documented ones (T17); there are more, of the same form."""

MASTER: Final = "Master Administrator"
"""Keys cannot be given this role since 27 October 2025 (T15)."""

_REASONS: Final = CAPABILITIES.reasons
_CREDENTIAL: Final = ("keyId", "token")


class TrendVisionOne(ProviderByApi):
    """API keys of Trend Vision One (API family C)."""

    @property
    def name(self) -> str:
        """As tenants write it."""
        return "trend-vision-one"

    @property
    def title(self) -> str:
        """The product's own name."""
        return "Trend Vision One"

    @property
    def capabilities(self) -> Capabilities:
        """What can be managed, how, and how sure we are."""
        return CAPABILITIES

    def traits(self, tenant: DesiredTenant) -> Traits:  # noqa: ARG002  tenants choose nothing of it here
        """The same for every tenant."""
        return CAPABILITIES.traits

    def check_tenant(self, tenant: DesiredTenant) -> Iterator[Problem]:
        """The endpoint is a region's API host without a path (T17); the credential is `token`, perhaps with `keyId`."""
        yield from _check_endpoint(tenant.endpoint)
        for option, value in tenant.options.items():
            if option not in {"roles", "listRoles"}:
                hint = did_you_mean(option, ["roles", "listRoles"]) or "this provider's options: roles, listRoles"
                yield Problem(("options", option), f"unknown option {option!r}", hint)
            elif option == "listRoles":
                if not isinstance(value, bool):
                    yield Problem(("options", "listRoles"), "listRoles is neither true nor false", "true or false")
            elif not (isinstance(value, list | tuple) and all(isinstance(one, str) and one for one in value)):
                yield Problem(("options", "roles"), "roles is no list of names", "the names that the console shows")
        for path, given in odd_credentials(tenant, CAPABILITIES):
            yield from unknown_fields(
                path, given, _CREDENTIAL, "this product's credential is token, and may hold keyId"
            )
            if "token" not in given:
                yield Problem(path, "the credential is token, the value that the console showed once")

    def check_level(self, level: DesiredLevel) -> Iterator[Problem]:  # noqa: ARG002  none can be honoured
        """Roles cannot be declared here."""
        yield Problem((), "access levels cannot be managed here", _REASONS["AccessLevel.spec.permissions"])

    def check_key(self, key: DesiredKey) -> Iterator[Problem]:
        """The fields that the product does not have, and the role that keys cannot have."""
        if key.level.existing and key.level.name == MASTER:
            hint = "make a role with just what the key needs"
            yield Problem(("accessLevel", "existing"), f"API keys cannot have the role {MASTER}", hint)
        if key.allowed_ips:
            yield Problem(("allowedIPs",), "allowedIPs cannot be honoured here", _REASONS["ApiKey.spec.allowedIPs"])
        if key.scope is not None:
            yield Problem(("scope",), "scope cannot be honoured here", _REASONS["ApiKey.spec.scope"])
        if key.rotation is not None and key.rotation.strategy is Strategy.IN_PLACE:
            reason = _REASONS["ApiKey.spec.rotation.strategy"]
            yield Problem(("rotation", "strategy"), "inPlace cannot be honoured here", reason)
        for option in key.options:
            yield Problem(("options", option), f"unknown option {option!r}", "this provider's keys have no options")

    def level_fields(self, level: DesiredLevel) -> Fields:
        """For completeness: `check_level` refuses every access level."""
        return {"name": level.name, "description": level.description.strip(), "permissions": {}}

    def key_fields(self, key: DesiredKey) -> Fields:
        """Name, description, expires and state."""
        return mapping.key_fields(key)

    def level_spec(self, found: Observed) -> None:
        """Roles cannot be declared here."""

    def key_spec(self, found: Observed) -> dict[str, Any]:
        """Description, expires and state."""
        return mapping.key_spec(found)

    def permissions_schema(self) -> Mapping[str, Any]:
        """JSON Schema of `AccessLevel.spec.permissions`: nothing can be declared."""
        return {
            "type": "object",
            "additionalProperties": False,
            "description": f"Not to be used: {_REASONS['AccessLevel.spec.permissions']}.",
        }

    def options_schema(self) -> Mapping[str, Any]:
        """JSON Schema of `ApiKey.spec.options`: keys have none."""
        return {"type": "object", "additionalProperties": False, "description": "This product's keys have none."}

    def scope_schema(self) -> None:
        """The product has no scopes."""

    def tenant_options_schema(self) -> Mapping[str, Any]:
        """JSON Schema of `Tenant.spec.options`."""
        return {
            "type": "object",
            "additionalProperties": False,
            "description": "What only this product's tenants have.",
            "properties": {
                "roles": {
                    "type": "array",
                    "items": {"type": "string", "minLength": 1},
                    "examples": [["SIEM reader"]],
                    "description": "Roles that keys may be given, by name, beside those that keys have already.",
                },
                "listRoles": {
                    "type": "boolean",
                    "default": False,
                    "description": "Whether the vendor is asked for its list of roles: a call whose answer is not "
                    "published but assumed.",
                },
            },
        }

    def connect(self, endpoint: str, credential: Credential, settings: ConnectionSettings) -> base.Session:
        """Open a session. InvalidInput if the credential belongs elsewhere, or is not what it must be."""
        from reconciler.providers.trend_vision_one.session import Session  # noqa: PLC0415  keeps start-up fast

        problem = endpoint_problem(endpoint)
        if problem:
            raise InvalidInput(problem)
        refuse_elsewhere(credential, endpoint)
        return Session(endpoint, credential, settings)


def _check_endpoint(endpoint: str) -> Iterator[Problem]:
    problem = endpoint_problem(endpoint)
    if problem:
        yield Problem(("endpoint",), problem, f"one of {', '.join(REGIONS.values())}, or another region's")
        return
    url = urlsplit(endpoint)
    host = url.hostname or ""
    if "trendmicro." not in host:
        return  # an emulator or a gateway, which may have a path
    if not (host.startswith("api.") and ".xdr." in f".{host}"):
        hint = did_you_mean(host, [urlsplit(one).hostname or "" for one in REGIONS.values()])
        yield Problem(("endpoint",), f"{host} is not an API host of this product", hint or f"such as {REGIONS['us']}")
    elif url.path.strip("/"):
        yield Problem(("endpoint",), "the product's endpoints have no path", f"{url.scheme}://{url.netloc}")
