"""The offline half of the provider: what manifests may say and what they mean. It makes no call and imports no HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.errors import InvalidInput
from reconciler.model.credential import Credential
from reconciler.model.desired import DesiredKey, DesiredLevel, DesiredTenant, Strategy
from reconciler.model.observed import Fields, Observed
from reconciler.providers import base
from reconciler.providers.base import Capabilities, ConnectionSettings, Problem, Traits
from reconciler.providers.by_api import ProviderByApi
from reconciler.providers.checks import endpoint_problem, odd_credentials, refuse_elsewhere, unknown_fields
from reconciler.providers.localised import odd_options, options_schema
from reconciler.providers.trend_cloud_one import mapping
from reconciler.providers.trend_cloud_one.capabilities import CAPABILITIES
from reconciler.suggest import did_you_mean

_REASONS: Final = CAPABILITIES.reasons
_PERMISSIONS: Final = ("serviceRoleURNs",)
_URN: Final = "urn:cloudone:application:us-1:012345678901:role/full-access"
_ENDPOINT: Final = "https://accounts.cloudone.trendmicro.com/api"


class TrendCloudOne(ProviderByApi):
    """Account-level keys of Trend Cloud One (API family B)."""

    @property
    def name(self) -> str:
        """As tenants write it."""
        return "trend-cloud-one"

    @property
    def title(self) -> str:
        """The product's own name."""
        return "Trend Cloud One (account keys)"

    @property
    def capabilities(self) -> Capabilities:
        """What can be managed, how, and how sure we are."""
        return CAPABILITIES

    def traits(self, tenant: DesiredTenant) -> Traits:  # noqa: ARG002  tenants choose nothing here
        """The same for every tenant."""
        return CAPABILITIES.traits

    def check_tenant(self, tenant: DesiredTenant) -> Iterator[Problem]:
        """The endpoint ends in `/api`, as the documented one does (T11); the credential is `apiKey`."""
        problem = endpoint_problem(tenant.endpoint)
        if problem:
            yield Problem(("endpoint",), problem, f"for example {_ENDPOINT}")
        elif not tenant.endpoint.rstrip("/").endswith("/api"):
            yield Problem(("endpoint",), "the product's endpoint ends in /api", f"{tenant.endpoint.rstrip('/')}/api")
        for option in tenant.options:
            yield Problem(("options", option), f"unknown option {option!r}", "this provider's tenants have no options")
        for path, given in odd_credentials(tenant, CAPABILITIES):
            yield from unknown_fields(path, given, ["apiKey"], "this product's credential is apiKey")
            if "apiKey" not in given:
                yield Problem(path, "the credential is apiKey: ID:SECRET, as the vendor showed it")

    def check_level(self, level: DesiredLevel) -> Iterator[Problem]:
        """A role is a list of service roles, by URN."""
        for name in level.permissions:
            if name not in _PERMISSIONS:
                hint = did_you_mean(name, _PERMISSIONS) or "a role is serviceRoleURNs, and nothing else"
                yield Problem(("permissions", name), f"unknown permission {name!r}", hint)
        urns = level.permissions.get("serviceRoleURNs")
        if not isinstance(urns, list | tuple):
            what = "serviceRoleURNs is missing" if urns is None else "serviceRoleURNs is no list"
            yield Problem(("permissions", "serviceRoleURNs"), what, f"a list of URNs such as {_URN}")
            return
        for index, urn in enumerate(urns):
            if not (isinstance(urn, str) and urn.startswith("urn:cloudone:") and ":role/" in urn):
                path = ("permissions", "serviceRoleURNs", index)
                yield Problem(path, f"{urn!r} is no URN of a service's role", f"such as {_URN}")

    def check_key(self, key: DesiredKey) -> Iterator[Problem]:
        """Options, and the fields that the product does not have."""
        if key.scope is not None:
            yield Problem(("scope",), "scope cannot be honoured here", _REASONS["ApiKey.spec.scope"])
        if key.rotation is not None and key.rotation.strategy is Strategy.IN_PLACE:
            reason = _REASONS["ApiKey.spec.rotation.strategy"]
            yield Problem(("rotation", "strategy"), "inPlace cannot be honoured here", reason)
        yield from odd_options(key.options, mapping.LOCALES)

    def level_fields(self, level: DesiredLevel) -> Fields:
        """Name, description, and the service roles."""
        return mapping.level_fields(level)

    def key_fields(self, key: DesiredKey) -> Fields:
        """Name, description, locale, timeZone, allowedIPs and state."""
        return mapping.key_fields(key)

    def level_spec(self, found: Observed) -> dict[str, Any]:
        """Description and service roles."""
        return mapping.level_spec(found)

    def key_spec(self, found: Observed) -> dict[str, Any]:
        """Description, state, allowedIPs and options."""
        return mapping.key_spec(found)

    def permissions_schema(self) -> Mapping[str, Any]:
        """JSON Schema of `AccessLevel.spec.permissions`."""
        return {
            "type": "object",
            "additionalProperties": False,
            "description": "A role of the account: one role of each service that it reaches.",
            "required": ["serviceRoleURNs"],
            "properties": {
                "serviceRoleURNs": {
                    "type": "array",
                    "items": {"type": "string", "pattern": "^urn:cloudone:.*:role/"},
                    "examples": [[_URN]],
                    "description": "URNs of services' roles, as the console or the API's list of roles shows them.",
                }
            },
        }

    def options_schema(self) -> Mapping[str, Any]:
        """JSON Schema of `ApiKey.spec.options`."""
        return options_schema(mapping.LOCALES, "America/Toronto")

    def scope_schema(self) -> None:
        """The product has no scopes."""

    def tenant_options_schema(self) -> Mapping[str, Any]:
        """Tenants have no options."""
        return {"type": "object", "additionalProperties": False, "description": "This product's tenants have none."}

    def connect(self, endpoint: str, credential: Credential, settings: ConnectionSettings) -> base.Session:
        """Open a session. InvalidInput if the credential belongs elsewhere, or is not what it must be."""
        from reconciler.providers.trend_cloud_one.session import Session  # noqa: PLC0415  keeps start-up fast

        problem = endpoint_problem(endpoint)
        if problem:
            raise InvalidInput(problem)
        refuse_elsewhere(credential, endpoint)
        return Session(endpoint, credential, settings)
