"""The offline half of the provider: what manifests may say and what they mean. It makes no call and imports no HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from reconciler.errors import InvalidInput
from reconciler.model.credential import Credential
from reconciler.model.desired import DesiredKey, DesiredLevel, DesiredTenant, Strategy
from reconciler.model.hosts import is_loopback
from reconciler.model.observed import Fields, Observed
from reconciler.providers import base
from reconciler.providers.base import Capabilities, ConnectionSettings, Problem, Traits
from reconciler.providers.by_api import ProviderByApi
from reconciler.providers.checks import endpoint_problem, odd_credentials, refuse_elsewhere, unknown_fields
from reconciler.providers.cortex_cloud import mapping, permissions, scope_rules
from reconciler.providers.cortex_cloud.capabilities import (
    CAPABILITIES,
    FIXED_TRAITS,
    LEAST_ROLE,
    SECURITY_LEVELS,
    TRAITS,
)
from reconciler.suggest import did_you_mean

_REASONS: Final = CAPABILITIES.reasons
_CREDENTIAL: Final = ("keyId", "key", "securityLevel")
_TENANT_OPTIONS: Final = ("leastRole", "editableKeys")
_ENDPOINT: Final = "for example https://api-acme.xdr.us.paloaltonetworks.com"


class CortexCloud(ProviderByApi):
    """Cortex Cloud; Cortex XSIAM, XDR 5 and XSOAR 8 publish the same API."""

    @property
    def name(self) -> str:
        """As tenants write it."""
        return "cortex-cloud"

    @property
    def title(self) -> str:
        """The product's own name."""
        return "Palo Alto Networks Cortex Cloud"

    @property
    def capabilities(self) -> Capabilities:
        """What can be managed, how, and how sure we are."""
        return CAPABILITIES

    def traits(self, tenant: DesiredTenant) -> Traits:
        """Where the tenant says that keys cannot be edited, role and comment are for life too."""
        return FIXED_TRAITS if tenant.options.get("editableKeys") is False else TRAITS

    def check_tenant(self, tenant: DesiredTenant) -> Iterator[Problem]:
        """The endpoint is `https://api-FQDN` and no more (1); options; credential fields."""
        yield from _check_endpoint(tenant.endpoint)
        for option, value in tenant.options.items():
            path = ("options", option)
            if option not in _TENANT_OPTIONS:
                hint = did_you_mean(option, _TENANT_OPTIONS) or f"this provider's options: {', '.join(_TENANT_OPTIONS)}"
                yield Problem(path, f"unknown option {option!r}", hint)
            elif option == "editableKeys" and not isinstance(value, bool):
                yield Problem(path, f"editableKeys is {value!r}; it is either true or false")
            elif option == "leastRole" and (not isinstance(value, str) or not value.strip()):
                yield Problem(path, f"leastRole is {value!r}; it is the name of a role", f"for example {LEAST_ROLE}")
        for place, given in odd_credentials(tenant, CAPABILITIES):
            wrong = list(unknown_fields(place, given, _CREDENTIAL, f"one of {', '.join(_CREDENTIAL)}"))
            what = "the credential is keyId and key, and securityLevel if that is not advanced"
            yield from wrong or [Problem(place, what)]

    def check_level(self, level: DesiredLevel) -> Iterator[Problem]:
        """The permissions against the shape that a role has."""
        return permissions.check(level.permissions)

    def check_key(self, key: DesiredKey) -> Iterator[Problem]:
        """Expiry, options, scope, and the fields that the product does not have."""
        if key.expires is None:
            yield Problem(
                (),
                "the key has no expires: left out, the vendor ends a key after about a week, and that a key made by API "
                "can be unlimited is nowhere shown",
                "write expires: DATE; more than about 180 days ahead is shortened, and renewed in time by rotation",
            )
        if key.allowed_ips:
            yield Problem(("allowedIPs",), "allowedIPs cannot be honoured here", _REASONS["ApiKey.spec.allowedIPs"])
        if key.rotation is not None and key.rotation.strategy is Strategy.IN_PLACE:
            yield Problem(
                ("rotation", "strategy"),
                "a rotation in place cannot be honoured here",
                _REASONS["ApiKey.spec.rotation.strategy"],
            )
        if key.scope is not None:
            yield from scope_rules.check(key.scope)
        for option, value in key.options.items():
            path = ("options", option)
            if option != "securityLevel":
                hint = did_you_mean(option, ["securityLevel"]) or "this provider's options: securityLevel"
                yield Problem(path, f"unknown option {option!r}", hint)
            elif value not in SECURITY_LEVELS:
                hint = did_you_mean(value, SECURITY_LEVELS) if isinstance(value, str) else ""
                yield Problem(path, f"unknown security level {value!r}", hint or f"one of {', '.join(SECURITY_LEVELS)}")

    def level_fields(self, level: DesiredLevel) -> Fields:
        """Name, description, and permissions with every default."""
        return mapping.level_fields(level)

    def key_fields(self, key: DesiredKey) -> Fields:
        """Name, description, securityLevel, expires and scope."""
        return mapping.key_fields(key)

    def level_spec(self, found: Observed) -> None:
        """What a role permits is not told, so that none can be declared as it is."""

    def key_spec(self, found: Observed) -> dict[str, Any] | None:
        """Description, expires, options and scope; None if the scope was not read."""
        return mapping.key_spec(found)

    def permissions_schema(self) -> Mapping[str, Any]:
        """JSON Schema of `AccessLevel.spec.permissions`."""
        return permissions.schema()

    def options_schema(self) -> Mapping[str, Any]:
        """JSON Schema of `ApiKey.spec.options`."""
        return {
            "type": "object",
            "additionalProperties": False,
            "description": "What only this product's keys have.",
            "properties": {
                "securityLevel": {
                    "type": "string",
                    "enum": list(SECURITY_LEVELS),
                    "default": SECURITY_LEVELS[0],
                    "description": "advanced: calls are signed with a nonce and the time. standard: the key itself is sent; "
                    "the vendor's CLI needs that.",
                },
            },
        }

    def scope_schema(self) -> Mapping[str, Any]:
        """JSON Schema of a scope."""
        return scope_rules.schema()

    def tenant_options_schema(self) -> Mapping[str, Any]:
        """JSON Schema of `Tenant.spec.options`."""
        return {
            "type": "object",
            "additionalProperties": False,
            "description": "How this tenant's keys are made.",
            "properties": {
                "leastRole": {
                    "type": "string",
                    "minLength": 1,
                    "default": LEAST_ROLE,
                    "description": "The role that a new key has until its secret is stored and its scope is set.",
                },
                "editableKeys": {
                    "type": "boolean",
                    "default": True,
                    "description": "Whether the tenant's API can edit keys. If false, a new key gets its real role at once, "
                    "and a change of role, name or description replaces the key.",
                },
            },
        }

    def connect(self, endpoint: str, credential: Credential, settings: ConnectionSettings) -> base.Session:
        """Open a session. InvalidInput if the credential belongs elsewhere, or holds other fields than it must."""
        from reconciler.providers.cortex_cloud.session import Session  # noqa: PLC0415  keeps start-up fast

        problem = next(_check_endpoint(endpoint), None)
        if problem:
            raise InvalidInput(problem.what, hint=problem.hint)
        refuse_elsewhere(credential, endpoint)
        return Session(endpoint, credential, settings)


def _check_endpoint(endpoint: str) -> Iterator[Problem]:
    """Both families of paths are on the host that begins with `api-` (1); loopback may be anything, for emulators."""
    problem = endpoint_problem(endpoint)
    if problem:
        yield Problem(("endpoint",), problem, _ENDPOINT)
        return
    url = urlsplit(endpoint)
    host = str(url.hostname)
    if is_loopback(host):
        return
    if not host.startswith("api-"):
        yield Problem(("endpoint",), "the product's endpoints begin with api-", f"https://api-{host}")
    elif url.path.rstrip("/"):
        yield Problem(("endpoint",), "the endpoint has a path", f"https://{url.netloc}")
