"""The offline half of the provider: what manifests may say and what they mean. It makes no call and imports no HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.errors import InvalidInput
from reconciler.model.credential import Credential
from reconciler.model.desired import DesiredKey, DesiredLevel, DesiredTenant
from reconciler.model.observed import Fields, Observed
from reconciler.providers import base
from reconciler.providers.base import Capabilities, ConnectionSettings, Problem, Traits
from reconciler.providers.by_api import ProviderByApi
from reconciler.providers.checks import endpoint_problem, odd_credentials, refuse_elsewhere, unknown_fields
from reconciler.providers.localised import odd_options, options_schema
from reconciler.providers.trend_workload_security import mapping, permissions
from reconciler.providers.trend_workload_security.capabilities import CAPABILITIES

_REASONS: Final = CAPABILITIES.reasons


class TrendWorkloadSecurity(ProviderByApi):
    """Deep Security Manager, Workload Security, and Server & Workload Protection (API family A)."""

    @property
    def name(self) -> str:
        """As tenants write it."""
        return "trend-workload-security"

    @property
    def title(self) -> str:
        """The product's own name."""
        return "Trend Micro Deep Security, Workload Security, Server & Workload Protection"

    @property
    def capabilities(self) -> Capabilities:
        """What can be managed, how, and how sure we are."""
        return CAPABILITIES

    def traits(self, tenant: DesiredTenant) -> Traits:  # noqa: ARG002  tenants choose nothing here
        """The same for every tenant."""
        return CAPABILITIES.traits

    def check_tenant(self, tenant: DesiredTenant) -> Iterator[Problem]:
        """The endpoint ends in `/api`, as all documented ones do (T2, T3, T5); credentials are one of the two kinds."""
        problem = endpoint_problem(tenant.endpoint)
        if problem:
            hint = "for example https://workload.us-1.cloudone.trendmicro.com/api or https://dsm.example.com:4119/api"
            yield Problem(("endpoint",), problem, hint)
        elif not tenant.endpoint.rstrip("/").endswith("/api"):
            yield Problem(("endpoint",), "the product's endpoints end in /api", f"{tenant.endpoint.rstrip('/')}/api")
        for option in tenant.options:
            yield Problem(("options", option), f"unknown option {option!r}", "this provider's tenants have no options")
        for path, given in odd_credentials(tenant, CAPABILITIES):
            choices = sorted(name for fields in CAPABILITIES.credential_fields for name in fields)
            wrong = list(unknown_fields(path, given, choices, f"one of {', '.join(choices)}"))
            yield from wrong or [Problem(path, "the credential is exactly one of secretKey and apiKey")]

    def check_level(self, level: DesiredLevel) -> Iterator[Problem]:
        """The permissions against the vendor's contract."""
        return permissions.check(level.permissions)

    def check_key(self, key: DesiredKey) -> Iterator[Problem]:
        """Options, and the fields that the product does not have."""
        if key.allowed_ips:
            yield Problem(("allowedIPs",), "allowedIPs cannot be honoured here", _REASONS["ApiKey.spec.allowedIPs"])
        if key.scope is not None:
            yield Problem(("scope",), "scope cannot be honoured here", _REASONS["ApiKey.spec.scope"])
        yield from odd_options(key.options, mapping.LOCALES)

    def level_fields(self, level: DesiredLevel) -> Fields:
        """Name, description, and permissions with every property explicit."""
        return mapping.level_fields(level)

    def key_fields(self, key: DesiredKey) -> Fields:
        """Name, description, locale, timeZone, expires and state."""
        return mapping.key_fields(key)

    def level_spec(self, found: Observed) -> dict[str, Any]:
        """Description and what is granted."""
        return mapping.level_spec(found)

    def key_spec(self, found: Observed) -> dict[str, Any]:
        """Description, expires, state and options."""
        return mapping.key_spec(found)

    def permissions_schema(self) -> Mapping[str, Any]:
        """JSON Schema of `AccessLevel.spec.permissions`: every right with a description."""
        return permissions.schema()

    def options_schema(self) -> Mapping[str, Any]:
        """JSON Schema of `ApiKey.spec.options`."""
        return options_schema(mapping.LOCALES, "Europe/Berlin", "Asia/Kolkata")

    def scope_schema(self) -> None:
        """The product has no scopes."""

    def tenant_options_schema(self) -> Mapping[str, Any]:
        """Tenants have no options."""
        return {"type": "object", "additionalProperties": False, "description": "This product's tenants have none."}

    def connect(self, endpoint: str, credential: Credential, settings: ConnectionSettings) -> base.Session:
        """Open a session. InvalidInput if the credential belongs elsewhere, or holds other fields than it must."""
        from reconciler.providers.trend_workload_security.session import Session  # noqa: PLC0415  keeps start-up fast

        problem = endpoint_problem(endpoint)
        if problem:
            raise InvalidInput(problem)
        refuse_elsewhere(credential, endpoint)
        return Session(endpoint, credential, settings)
