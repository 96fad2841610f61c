"""The offline half: what manifests may say and what they mean. It makes no call and imports no HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.errors import InvalidInput
from reconciler.model.credential import Credential
from reconciler.model.desired import DesiredKey, DesiredLevel, DesiredTenant, Strategy
from reconciler.model.observed import Fields, Observed
from reconciler.providers import base
from reconciler.providers.base import Capabilities, ConnectionSettings, Problem, Traits
from reconciler.providers.by_api import ProviderByApi
from reconciler.providers.checks import endpoint_problem, odd_credentials, refuse_elsewhere
from reconciler_lantern import mapping
from reconciler_lantern.capabilities import CAPABILITIES

_REASONS = CAPABILITIES.reasons


class Lantern(ProviderByApi):
    """See `reconciler.providers.base.Provider`."""

    name = "lantern"
    title = "Lantern (invented)"

    @property
    def capabilities(self) -> Capabilities:
        """What can be managed, how, and how sure we are."""
        return CAPABILITIES

    def traits(self, tenant: DesiredTenant) -> Traits:  # noqa: ARG002  tenants choose nothing here
        """The same for every tenant."""
        return CAPABILITIES.traits

    def check_tenant(self, tenant: DesiredTenant) -> Iterator[Problem]:
        """Endpoint, options and credential."""
        problem = endpoint_problem(tenant.endpoint)
        if problem:
            yield Problem(("endpoint",), problem, "for example https://acme.lantern.example")
        for option in tenant.options:
            yield Problem(("options", option), f"unknown option {option!r}", "this provider's tenants have no options")
        for place, _ in odd_credentials(tenant, CAPABILITIES):
            yield Problem(place, "the credential is secret, and nothing else")

    def check_level(self, level: DesiredLevel) -> Iterator[Problem]:
        """Permissions are a list of rights."""
        rights = level.permissions.get("rights")
        if set(level.permissions) - {"rights"}:
            yield Problem(("permissions",), "permissions are rights, and nothing else", "for example {rights: [read]}")
        if not isinstance(rights, list | tuple) or not all(isinstance(one, str) and one for one in rights):
            yield Problem(("permissions", "rights"), "rights is no list of names", "for example {rights: [read]}")

    def check_key(self, key: DesiredKey) -> Iterator[Problem]:
        """What the product does not have is refused with the table's own reason, never dropped."""
        if key.allowed_ips:
            yield Problem(("allowedIPs",), "allowedIPs cannot be honoured here", _REASONS["ApiKey.spec.allowedIPs"])
        if key.scope is not None:
            yield Problem(("scope",), "scope cannot be honoured here", _REASONS["ApiKey.spec.scope"])
        if key.rotation is not None and key.rotation.strategy is Strategy.IN_PLACE:
            reason = _REASONS["ApiKey.spec.rotation.strategy"]
            yield Problem(("rotation", "strategy"), "inPlace cannot be honoured here", reason)
        for option, value in key.options.items():
            if option != "colour":
                yield Problem(("options", option), f"unknown option {option!r}", "this provider's option is colour")
            elif value not in mapping.COLOURS:
                hint = f"one of {', '.join(mapping.COLOURS)}"
                yield Problem(("options", option), f"unknown colour {value!r}", hint)

    def level_fields(self, level: DesiredLevel) -> Fields:
        """Name, description and permissions."""
        return mapping.level_fields(level)

    def key_fields(self, key: DesiredKey) -> Fields:
        """Name, description, expires, state and colour."""
        return mapping.key_fields(key)

    def level_spec(self, found: Observed) -> dict[str, Any]:
        """Description and rights."""
        return mapping.level_spec(found)

    def key_spec(self, found: Observed) -> dict[str, Any]:
        """Description, expires, state and colour."""
        return mapping.key_spec(found)

    def permissions_schema(self) -> Mapping[str, Any]:
        """JSON Schema of `AccessLevel.spec.permissions`."""
        rights = {"type": "array", "items": {"type": "string"}, "description": "Names of rights."}
        return {
            "type": "object",
            "additionalProperties": False,
            "required": ["rights"],
            "properties": {"rights": rights},
        }

    def options_schema(self) -> Mapping[str, Any]:
        """JSON Schema of `ApiKey.spec.options`."""
        colour = {
            "enum": list(mapping.COLOURS),
            "default": mapping.COLOURS[0],
            "description": "What the console shows.",
        }
        return {"type": "object", "additionalProperties": False, "properties": {"colour": colour}}

    def scope_schema(self) -> None:
        """The product has no scopes."""

    def tenant_options_schema(self) -> Mapping[str, Any]:
        """Tenants have no options."""
        return {"type": "object", "additionalProperties": False}

    def connect(self, endpoint: str, credential: Credential, settings: ConnectionSettings) -> base.Session:
        """Open a session. InvalidInput if the credential belongs elsewhere."""
        from reconciler_lantern.session import Session  # noqa: PLC0415  keeps start-up fast

        problem = endpoint_problem(endpoint)
        if problem:
            raise InvalidInput(problem)
        refuse_elsewhere(credential, endpoint)
        return Session(endpoint, credential, settings)
