"""The offline half of the provider: what manifests may say and what they mean. It makes no call and imports no HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.errors import InvalidInput
from reconciler.model.credential import Credential
from reconciler.model.desired import DesiredKey, DesiredLevel, DesiredTenant, Strategy
from reconciler.model.names import Kind
from reconciler.model.observed import Fields, Observed
from reconciler.model.secret import Secret
from reconciler.providers import base
from reconciler.providers.base import Capabilities, ConnectionSettings, Problem, Step, Traits, Write
from reconciler.providers.checks import odd_credentials, refuse_elsewhere, unknown_fields
from reconciler.providers.lacework import accounts, console, keyfile, mapping
from reconciler.providers.lacework.capabilities import CAPABILITIES
from reconciler.suggest import did_you_mean

_REASONS: Final = CAPABILITIES.reasons
_CREDENTIAL: Final = ("keyId", "secret")
_TENANT_OPTIONS: Final = ("subAccount",)
_GUID: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")


class Lacework:
    """Lacework FortiCNAPP, API v2, with the role-based access control model (TeamUsers and UserGroups)."""

    @property
    def name(self) -> str:
        """As tenants write it."""
        return "lacework"

    @property
    def title(self) -> str:
        """The product's own name."""
        return "Lacework FortiCNAPP"

    @property
    def capabilities(self) -> Capabilities:
        """What can be managed, how, and how sure we are."""
        return CAPABILITIES

    def traits(self, tenant: DesiredTenant) -> Traits:  # noqa: ARG002  tenants choose nothing here
        """The same for every tenant."""
        return CAPABILITIES.traits

    def check_tenant(self, tenant: DesiredTenant) -> Iterator[Problem]:
        """The endpoint is an account's address; `subAccount` is a name; credentials are a key's two parts."""
        problem, hint = accounts.problem(tenant.endpoint)
        if problem:
            yield Problem(("endpoint",), problem, hint)
        for option, value in tenant.options.items():
            path = ("options", option)
            if option not in _TENANT_OPTIONS:
                hint = did_you_mean(option, _TENANT_OPTIONS) or "this provider's tenants have the option subAccount"
                yield Problem(path, f"unknown option {option!r}", hint)
            elif not accounts.is_sub_account(value):
                yield Problem(path, "subAccount is no name of an account", "for example subAccount: acme-dev")
        for place, given in odd_credentials(tenant, CAPABILITIES):
            wrong = list(unknown_fields(place, given, _CREDENTIAL, f"one of {', '.join(_CREDENTIAL)}"))
            yield from wrong or [Problem(place, "the credential is keyId and secret, both of them")]

    def check_level(self, level: DesiredLevel) -> Iterator[Problem]:
        """Service users have groups, by GUID; access levels are not what keys get their permissions from here."""
        if level.kind is not Kind.SERVICE_USER:
            yield Problem((), "this product has no access levels for keys", _REASONS["AccessLevel"])
            return
        found = level.permissions.get("groups", ())
        for number, group in enumerate(found):
            if not isinstance(group, str) or not _GUID.fullmatch(group):
                hint = (
                    "the GUID that the console or `GET /api/v2/TeamUsers` shows, such as LACEWORK_USER_GROUP_POWER_USER"
                )
                yield Problem(("groups", number), "this is no GUID of a user group", hint)

    def check_key(self, key: DesiredKey) -> Iterator[Problem]:
        """The fields that the product does not have."""
        if key.level.kind is not Kind.SERVICE_USER:
            yield Problem(("accessLevel",), "this product has no access levels for keys", "name a serviceUser instead")
        if key.allowed_ips:
            yield Problem(("allowedIPs",), "allowedIPs cannot be honoured here", _REASONS["ApiKey.spec.allowedIPs"])
        if key.scope is not None:
            yield Problem(("scope",), "scope cannot be honoured here", _REASONS["ApiKey.spec.scope"])
        if key.rotation is not None and key.rotation.strategy is Strategy.IN_PLACE:
            path, reason = ("rotation", "strategy"), _REASONS["ApiKey.spec.rotation.strategy"]
            yield Problem(path, "a key cannot be rotated in place here", f"{reason}; leave it out, or say overlap")
        for option in key.options:
            yield Problem(("options", option), f"unknown option {option!r}", "this provider's keys have no options")

    def level_fields(self, level: DesiredLevel) -> Fields:
        """Name, description, groups and state."""
        return mapping.level_fields(level)

    def key_fields(self, key: DesiredKey) -> Fields:
        """Name, description and state."""
        return mapping.key_fields(key)

    def level_spec(self, found: Observed) -> dict[str, Any] | None:
        """Groups, state and, where it is told, description."""
        return mapping.level_spec(found)

    def key_spec(self, found: Observed) -> dict[str, Any]:  # noqa: ARG002  the protocol's
        """Nothing is told of a key."""
        return {}

    def permissions_schema(self) -> Mapping[str, Any]:
        """Nothing is valid: there are no access levels."""
        return {"not": {}, "description": f"This product has none: {_REASONS['AccessLevel']}."}

    def options_schema(self) -> Mapping[str, Any]:
        """Keys have no options."""
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
                "subAccount": {
                    "type": "string",
                    "pattern": r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$",
                    "description": "The account of an organisation to act on, where the endpoint is the organisation's "
                    "primary account. The credential must then be a person's key: service users cannot.",
                    "examples": ["acme-dev"],
                }
            },
        }

    def console_steps(self, tenant: DesiredTenant, write: Write, step: Step) -> tuple[str, ...]:
        """What to click and to enter for whatever concerns a key."""
        return console.steps(tenant, write, step)

    def key_file(self, content: bytes) -> Mapping[str, Secret | str]:
        """`keyId`, `secret` and, where the file has them, `account` and `subAccount`: all of them go to `accept_key`."""
        return keyfile.parse(content)

    def connect(self, endpoint: str, credential: Credential, settings: ConnectionSettings) -> base.Session:
        """Open a session. InvalidInput if the credential belongs elsewhere, or holds other fields than it must."""
        from reconciler.providers.lacework.session import Session  # noqa: PLC0415  keeps start-up fast

        problem, hint = accounts.problem(endpoint)
        if problem:
            raise InvalidInput(problem, hint=hint)
        refuse_elsewhere(credential, endpoint)
        return Session(endpoint, credential, settings)
