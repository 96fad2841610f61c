"""The offline half of the provider: what manifests may say and what they mean. It makes no call and imports no HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from reconciler.errors import InvalidInput
from reconciler.model.credential import Credential
from reconciler.model.desired import CredentialRef, DesiredKey, DesiredLevel, DesiredTenant
from reconciler.model.observed import Fields, Observed
from reconciler.model.secret import Secret
from reconciler.providers import base
from reconciler.providers.base import Capabilities, ConnectionSettings, How, Problem, Step, Traits, Write
from reconciler.providers.checks import endpoint_problem, same_endpoint
from reconciler.providers.trend_workload_security import mapping, permissions
from reconciler.providers.trend_workload_security.capabilities import CAPABILITIES
from reconciler.providers.trend_workload_security.timezones import DEFAULT, known, suggest
from reconciler.suggest import did_you_mean

_REASONS: Final = {field.field: field.reason for field in CAPABILITIES.fields if field.how is How.UNSUPPORTED}
_OPTIONS: Final = ("locale", "timeZone")


class TrendWorkloadSecurity:
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
        if tenant.credentials_plan == tenant.credentials_apply:
            yield from _check_credential(("credentials",), tenant.credentials_apply)
        else:
            yield from _check_credential(("credentials", "plan"), tenant.credentials_plan)
            yield from _check_credential(("credentials", "apply"), tenant.credentials_apply)

    def check_level(self, level: DesiredLevel) -> Iterator[Problem]:
        """The permissions against the vendor's contract."""
        return permissions.check(level.permissions)

    def check_key(self, key: DesiredKey) -> Iterator[Problem]:
        """Options, and the fields that the product does not have."""
        if key.allowed_ips:
            yield Problem(("allowedIPs",), "allowedIPs cannot be honoured here", _REASONS["ApiKey.spec.allowedIPs"])
        if key.scope is not None:
            yield Problem(("scope",), "scope cannot be honoured here", _REASONS["ApiKey.spec.scope"])
        for option, value in key.options.items():
            path = ("options", option)
            match option:
                case "locale" if value not in mapping.LOCALES:
                    hint = did_you_mean(str(value), mapping.LOCALES) or f"one of {', '.join(mapping.LOCALES)}"
                    yield Problem(path, f"unknown locale {value!r}", hint)
                case "timeZone" if not isinstance(value, str) or value not in known():
                    near = suggest(value) if isinstance(value, str) else ""
                    hint = f"did you mean {near!r}?" if near else "a name of the tz database, such as Europe/Berlin"
                    yield Problem(path, f"unknown time zone {value!r}", hint)
                case "locale" | "timeZone":
                    pass
                case _:
                    hint = did_you_mean(option, _OPTIONS) or f"this provider's options: {', '.join(_OPTIONS)}"
                    yield Problem(path, f"unknown option {option!r}", hint)

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
        return {
            "type": "object",
            "additionalProperties": False,
            "description": "What only this product's keys have.",
            "properties": {
                "locale": {
                    "type": "string",
                    "enum": list(mapping.LOCALES),
                    "default": mapping.LOCALES[0],
                    "description": "Language of the key's sessions.",
                },
                "timeZone": {
                    "type": "string",
                    "default": DEFAULT,
                    "examples": [DEFAULT, "Europe/Berlin", "Asia/Kolkata"],
                    "description": "Time zone of the key's sessions: any name of the tz database.",
                },
            },
        }

    def scope_schema(self) -> None:
        """The product has no scopes."""

    def tenant_options_schema(self) -> Mapping[str, Any]:
        """Tenants have no options."""
        return {"type": "object", "additionalProperties": False, "description": "This product's tenants have none."}

    def console_steps(self, tenant: DesiredTenant, write: Write, step: Step) -> tuple[str, ...]:  # noqa: ARG002
        """Nothing is made by hand here."""
        return ()

    def key_file(self, content: bytes) -> Mapping[str, Secret | str]:  # noqa: ARG002  the protocol's
        """The console gives out no file."""
        raise InvalidInput("this product's console gives out no key file")

    def connect(self, endpoint: str, credential: Credential, settings: ConnectionSettings) -> base.Session:
        """Open a session. InvalidInput if the credential belongs elsewhere, or holds other fields than it must."""
        from reconciler.providers.trend_workload_security.session import Session  # noqa: PLC0415  keeps start-up fast

        problem = endpoint_problem(endpoint)
        if problem:
            raise InvalidInput(problem)
        if credential.endpoint is not None and not same_endpoint(credential.endpoint, endpoint):
            what = "the credential is stored for another endpoint than this tenant's, and was not sent"
            raise InvalidInput(what, hint="change the endpoint that is stored beside the credential, or the tenant's")
        return Session(endpoint, credential, settings)


def _check_credential(path: tuple[str, ...], reference: CredentialRef) -> Iterable[Problem]:
    given = frozenset(reference.env)
    if reference.vault is not None or given in CAPABILITIES.credential_fields:
        return
    choices = sorted(name for fields in CAPABILITIES.credential_fields for name in fields)
    wrong = sorted(given - set(choices))
    for name in wrong:
        hint = did_you_mean(name, choices) or f"one of {', '.join(choices)}"
        yield Problem((*path, "env", name), f"unknown credential field {name!r}", hint)
    if not wrong:
        yield Problem((*path, "env"), "the credential is exactly one of secretKey and apiKey")
