"""The kinds of manifest, as pydantic models: what `validate` checks, `explain` prints and the JSON Schemas are made of.

Rules that concern one field or one object are here; what needs other objects is in `references` and `expand`.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from reconciler.manifest.paths import Path, Template
from reconciler.manifest.scalars import (
    Count,
    Description,
    Duration,
    Expires,
    Line,
    Name,
    Network,
    Variable,
    refuse,
)
from reconciler.model.desired import KeyState, Strategy, Unmanaged
from reconciler.model.desired import RateLimit as RateDefaults
from reconciler.model.estate import Limits as LimitDefaults
from reconciler.model.estate import Timeouts as TimeoutDefaults

API_VERSION: Final = "reconciler/v1"
DEFAULT_OVERLAP: Final = timedelta(hours=24)


class ManifestKind(StrEnum):
    """The kinds that this version knows."""

    ESTATE = "Estate"
    TENANT = "Tenant"
    ACCESS_LEVEL = "AccessLevel"
    API_KEY = "ApiKey"


class Section(BaseModel):
    """A mapping in a manifest: no unknown fields, no conversions between types, never changed."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        validate_by_name=False,
        validate_by_alias=True,
        allow_inf_nan=False,
        use_attribute_docstrings=False,
    )


def exactly_one(section: Section, *fields: str) -> None:
    """Refuse a section that gives none or several of these fields."""
    given = [to_camel(field) for field in fields if getattr(section, field) is not None]
    if len(given) != 1:
        wanted = ", ".join(to_camel(field) for field in fields[:-1]) + f" or {to_camel(fields[-1])}"
        refuse(f"has {' and '.join(given)}" if given else "is empty", f"give exactly one of {wanted}")


def plan_and_apply(section: Section, *single: str) -> None:
    """Refuse a section that is neither one of `single` nor both `plan` and `apply`."""
    given = [to_camel(field) for field in (*single, "plan", "apply") if getattr(section, field) is not None]
    if given == ["plan", "apply"] or (len(given) == 1 and given[0] not in {"plan", "apply"}):
        return
    wanted = ", ".join(to_camel(field) for field in single)
    refuse(f"has {' and '.join(given)}" if given else "is empty", f"give one of {wanted}, or both plan and apply")


# --- metadata -----------------------------------------------------------------------------------------------------------

_NAME = Field(
    description="Name of the object, unique per kind and tenant. It is also the object's name at the vendor.",
    examples=["splunk"],
)


class Metadata(Section):
    """Who an object is."""

    name: Name = _NAME
    owner: Line = Field(
        "",
        description="Who answers for the object: a team's address or handle.",
        examples=["secops@example.com"],
    )
    labels: dict[str, str] = Field(
        default_factory=dict,
        description="Texts to select objects by. Both names and values are text; quote values such as `1` or `true`.",
        examples=[{"env": "prod"}],
    )
    annotations: dict[str, str] = Field(
        default_factory=dict, description="Texts for people and other tools; the reconciler ignores them."
    )


class TenantSelector(Section):
    """Which tenants an object is meant for."""

    match_labels: dict[str, str] = Field(
        min_length=1,
        description="Labels that a tenant must carry, all of them with these values.",
        examples=[{"env": "prod"}],
    )


class ObjectMetadata(Metadata):
    """Who an object is, and in which tenant or tenants. Give exactly one of `tenant` and `tenantSelector`."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["tenant"]}, {"required": ["tenantSelector"]}]},
    )

    tenant: Name | None = Field(None, description="Name of the tenant that the object lives in.", examples=["dsm-prod"])
    tenant_selector: TenantSelector | None = Field(
        None,
        description="Selects several tenants by their labels: the object is wanted in each of them.",
        examples=[{"matchLabels": {"env": "prod"}}],
    )


# --- Tenant -------------------------------------------------------------------------------------------------------------


class VaultEntry(Section):
    """An entry in a KV v2 mount."""

    mount: Path = Field("secret", description="Mount of the KV v2 engine.")
    path: Path = Field(description="Path of the entry below the mount.", examples=["reconciler-credentials/dsm-prod"])


_IN_VAULT = Field(
    None,
    description="In Vault: the entry holds the credential's fields, and `endpoint`, the only place they may be sent to.",
)
_IN_ENVIRONMENT = Field(
    None,
    min_length=1,
    description="In environment variables: name of the credential's field to name of the variable. "
    "Such a credential is sent to loopback addresses only, unless `--trust-endpoints` is given.",
    examples=[{"secretKey": "DSM_SECRET_KEY"}],
)


class Credential(Section):
    """Where a vendor credential is. Give exactly one of `vault` and `env`."""

    vault: VaultEntry | None = _IN_VAULT
    env: dict[str, Variable] | None = _IN_ENVIRONMENT

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, "vault", "env")
        return self


class Credentials(Section):
    """Where the tenant's vendor credential is. Give `vault` or `env`, or `plan` and `apply` for two different ones."""

    vault: VaultEntry | None = _IN_VAULT
    env: dict[str, Variable] | None = _IN_ENVIRONMENT
    plan: Credential | None = Field(
        None, description="The credential for planning; read-only, where the vendor has such a role."
    )
    apply: Credential | None = Field(None, description="The credential for applying.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        plan_and_apply(self, "vault", "env")
        return self


class SecretsLocation(Section):
    """Where the secrets of a tenant's keys are stored."""

    mount: Path = Field("secret", description="Mount of the KV v2 engine.")
    path: Template = Field(
        "security-keys/{tenant}/{key}",
        description="Path template: `{tenant}` and `{key}` stand for the names. `{key}` must occur.",
    )


def _refuse_prune(value: Any) -> Any:
    if value == "prune":
        refuse(
            "cannot be prune in this version", "pruning needs an Approval manifest, which is not there yet; use report"
        )
    return value


class RateSpec(Section):
    """How fast the vendor may be called."""

    calls: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="How many calls the vendor allows in the time `per`. What the vendor documents, when left out; "
        "set it where your installation's limit is another.",
        examples=[500],
    )
    per: Duration = Field(
        timedelta(seconds=RateDefaults().seconds), description="The time that `calls` are counted in."
    )
    share: float = Field(
        RateDefaults().share,
        gt=0,
        le=1,
        description="The part of it that the reconciler uses: other integrations share the limit.",
    )

    @model_validator(mode="after")
    def _per(self) -> Self:
        if not self.per:
            refuse("has a per of no length", "such as 60s")
        return self


class TenantSpec(Section):
    """What the reconciler must know about a vendor account."""

    provider: str = Field(
        description="Which product it is; `reconciler providers` lists them.", examples=["trend-workload-security"]
    )
    endpoint: str = Field(
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
        description="Base address of the vendor's API for this account.",
        examples=["https://workload.us-1.cloudone.trendmicro.com/api"],
    )
    credentials: Credentials = Field(
        description="Where the vendor credential is.", examples=[{"vault": {"path": "reconciler-credentials/dsm-prod"}}]
    )
    secrets: SecretsLocation = Field(
        SecretsLocation(), description="Where the secrets of this tenant's keys are stored."
    )
    unmanaged: Annotated[Unmanaged, Field(strict=False), BeforeValidator(_refuse_prune)] = Field(
        Unmanaged.REPORT,
        description="What to do about keys and access levels at the vendor that no manifest declares: "
        "`report` them, or `ignore` them. They are never touched.",
    )
    rate: RateSpec = Field(RateSpec(), description="How fast the vendor may be called.")


class Tenant(Section):
    """One vendor account that the reconciler looks after, reached through one provider."""

    api_version: Literal["reconciler/v1"] = Field(description="Version of the manifest format.")
    kind: Literal["Tenant"] = Field(description="Kind of manifest.")
    metadata: Metadata = Field(description="Who the object is.")
    spec: TenantSpec = Field(description="What the reconciler must know about the account.")


# --- AccessLevel --------------------------------------------------------------------------------------------------------

_PROTECT = Field(
    False,
    description="Never delete or replace the object, even when its manifest is gone. "
    "It is remembered; lift it in a commit of its own.",
)
_DESCRIPTION = Field("", description="What the object is for, as the vendor's console shows it.")


class AccessLevelSpec(Section):
    """What keys of an access level may do."""

    description: Description = _DESCRIPTION
    permissions: dict[str, Any] = Field(
        default_factory=dict,
        description="The permissions, in the shape that the tenant's provider defines. What is left out is not granted.",
        examples=[{"platformRights": {"computerRights": {"canViewOtherComputers": True}}}],
    )
    protect: bool = _PROTECT


class AccessLevel(Section):
    """A named set of permissions: a role, at most vendors."""

    api_version: Literal["reconciler/v1"] = Field(description="Version of the manifest format.")
    kind: Literal["AccessLevel"] = Field(description="Kind of manifest.")
    metadata: ObjectMetadata = Field(description="Who the object is, and in which tenants.")
    spec: AccessLevelSpec = Field(description="What keys of this access level may do.")


# --- ApiKey -------------------------------------------------------------------------------------------------------------


class ExistingLevel(Section):
    """An access level that the vendor ships or somebody else manages."""

    existing: Annotated[Line, Field(min_length=1)] = Field(
        description="The access level's name at the vendor.", examples=["Auditor"]
    )


class NetworkListRef(Section):
    """A named list of networks."""

    network_list: Name = Field(description="Name of the network list.", examples=["splunk-egress"])


class RotationSpec(Section):
    """How often a key gets a new secret."""

    every: Duration = Field(description="How long a secret is used before the next one is issued.", examples=["90d"])
    overlap: Duration | None = Field(
        None,
        description="How long the old secret goes on working after the new one is in Vault; shorter than `every`. "
        "24h unless given, where the strategy is `overlap`.",
        examples=["24h"],
    )
    strategy: Annotated[Strategy, Field(strict=False)] = Field(
        Strategy.OVERLAP,
        description="`overlap` issues a second key beside the old one and retires that later; "
        "`inPlace` gives the key a new secret, and the old one is dead at once.",
    )

    @model_validator(mode="after")
    def _overlap(self) -> Self:
        if not self.every:
            refuse("has an every of no length", "such as 90d")
        if self.strategy is Strategy.IN_PLACE and self.overlap:
            refuse("has an overlap, but inPlace has none: the old secret is dead at once", "leave overlap out")
        if self.strategy is Strategy.OVERLAP and self.effective_overlap >= self.every:
            given = "the overlap" if self.overlap is not None else "the overlap (24h unless given)"
            refuse(f"is due again before {given} has ended", "make overlap shorter than every")
        return self

    @property
    def effective_overlap(self) -> timedelta:
        """The overlap with its default applied: none when rotating in place."""
        if self.strategy is Strategy.IN_PLACE:
            return timedelta(0)
        return DEFAULT_OVERLAP if self.overlap is None else self.overlap


_ROTATIONS: dict[Any, RotationSpec] = {}
_MOST_ROTATIONS: Final = 1000


def _known_rotation(value: Any, check: ValidatorFunctionWrapHandler) -> RotationSpec:
    """Check each way of rotating once: thousands of keys share a few. Only texts are valid in it, so equal is the same."""
    try:
        same = tuple(value.items())
        if (found := _ROTATIONS.get(same)) is not None:
            return found
    except (AttributeError, TypeError):
        same = ()
    checked: RotationSpec = check(value)
    if same and len(_ROTATIONS) < _MOST_ROTATIONS:
        _ROTATIONS[same] = checked
    return checked


class ApiKeySpec(Section):
    """What a key is."""

    description: Description = _DESCRIPTION
    access_level: Annotated[Line, Field(min_length=1)] | ExistingLevel = Field(
        description="What the key may do: the name of an AccessLevel in the same tenant, "
        "or `{existing: NAME}` for one that the vendor ships.",
        examples=["siem-read", {"existing": "Auditor"}],
    )
    expires: Expires | None = Field(
        None,
        description="When the key stops working. A bare date ends with that day in UTC; "
        "a time needs its offset. It never expires when left out.",
    )
    rotation: Annotated[RotationSpec, WrapValidator(_known_rotation)] | None = Field(
        None, description="How often the key gets a new secret. Never, when left out.", examples=[{"every": "90d"}]
    )
    state: Annotated[KeyState, Field(strict=False)] = Field(
        KeyState.ACTIVE,
        description="`active`, `locked` (it exists, but cannot authenticate), "
        "or `absent` (the key and its secret are removed).",
    )
    protect: bool = _PROTECT
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="What only this vendor has; the shape is the provider's.",
        examples=[{"locale": "en-US", "timeZone": "Etc/UTC"}],
    )
    allowed_ips: list[Network | NetworkListRef] = Field(
        default_factory=list,
        alias="allowedIPs",
        description="Addresses and networks that the key may be used from: CIDR notation, or `{networkList: NAME}`. "
        "Any, when left out. Refused where the vendor cannot restrict addresses.",
        examples=[["203.0.113.0/28", {"networkList": "splunk-egress"}]],
    )
    scope: Annotated[Line, Field(min_length=1)] | dict[str, Any] | None = Field(
        None,
        description="Which data or assets the key reaches: the name of a scope, or a mapping. "
        "Everything, when left out. Refused where the vendor has no scopes.",
    )


class ApiKey(Section):
    """One API key, whose secret goes to Vault."""

    api_version: Literal["reconciler/v1"] = Field(description="Version of the manifest format.")
    kind: Literal["ApiKey"] = Field(description="Kind of manifest.")
    metadata: ObjectMetadata = Field(description="Who the object is, and in which tenants.")
    spec: ApiKeySpec = Field(description="What the key is.")


# --- Estate (reconciler.yaml) -------------------------------------------------------------------------------------------


class TokenLogin(Section):
    """Use the token in `VAULT_TOKEN` as it is."""


class AppRoleLogin(Section):
    """Log in by AppRole."""

    mount: Path = Field("approle", description="Mount of the auth method.")
    role_id: Line = Field("", description="The role id. It is no secret by itself; else it comes from `roleIdEnv`.")
    role_id_env: Variable = Field("VAULT_ROLE_ID", description="Environment variable that holds the role id.")
    secret_id_env: Variable = Field("VAULT_SECRET_ID", description="Environment variable that holds the secret id.")


class JwtLogin(Section):
    """Log in with a JSON Web Token, such as a CI system's OIDC token."""

    role: Annotated[Line, Field(min_length=1)] = Field(
        description="Role of the auth method.", examples=["reconciler-apply"]
    )
    mount: Path = Field("jwt", description="Mount of the auth method.")
    env: Variable = Field("VAULT_JWT", description="Environment variable that holds the token.")


_TOKEN = Field(None, description="Use the token in `VAULT_TOKEN` (or `BAO_TOKEN`): `{}`.")
_APP_ROLE = Field(None, description="Log in by AppRole.")
_JWT = Field(None, description="Log in with a JSON Web Token of a CI system.")


class Login(Section):
    """One way to log in to Vault. Give exactly one."""

    token: TokenLogin | None = _TOKEN
    app_role: AppRoleLogin | None = _APP_ROLE
    jwt: JwtLogin | None = _JWT

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, "token", "app_role", "jwt")
        return self


class VaultLogin(Section):
    """How to log in to Vault. Give one way, or `plan` and `apply` for two identities."""

    token: TokenLogin | None = _TOKEN
    app_role: AppRoleLogin | None = _APP_ROLE
    jwt: JwtLogin | None = _JWT
    plan: Login | None = Field(None, description="How to log in for planning.")
    apply: Login | None = Field(None, description="How to log in for applying.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        plan_and_apply(self, "token", "app_role", "jwt")
        return self


class StateLocation(Section):
    """Where the state documents are kept."""

    mount: Path = Field("secret", description="Mount of the KV v2 engine.")
    path: Path = Field("reconciler", description="Folder of the state documents: one below it per estate and tenant.")


class VaultSection(Section):
    """Which Vault (or OpenBao) it is, and who we are there."""

    address: str = Field(
        "",
        pattern=r"^(https?://[^\s/?#@]+(/[^\s?#]*)?)?$",
        description="Address of the server. `VAULT_ADDR` is used when the file has none.",
        examples=["https://vault.example.com:8200"],
    )
    namespace: Line = Field("", description="Namespace, where the server has them.")
    ca_cert: Line = Field("", description="File with the CA certificates (PEM), relative to reconciler.yaml.")
    auth: VaultLogin = Field(
        VaultLogin(token=TokenLogin()),
        description="How to log in. The token in `VAULT_TOKEN`, when left out.",
        examples=[{"jwt": {"role": "reconciler-apply"}}],
    )
    state: StateLocation = Field(StateLocation(), description="Where the state documents are kept.")


class LimitSection(Section):
    """A threshold: a run stops above `ratio` or above `max`, but never at or below `floor`."""

    ratio: float = Field(LimitDefaults().deletes.ratio, ge=0, le=1, description="Part of all objects of ours, 0 to 1.")
    max: Count = Field(LimitDefaults().deletes.max, description="Number of objects.")
    floor: Count = Field(LimitDefaults().deletes.floor, description="So few are always allowed.")

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.floor > self.max:
            refuse(f"has a floor ({self.floor}) above its max ({self.max})", "then max would never count")
        return self


class RotationLimit(Section):
    """How many rotations one run may do."""

    max_per_run: Count = Field(
        LimitDefaults().rotations, description="Number of keys; the rest waits for the next run."
    )


class LimitsSection(Section):
    """How much one run may destroy, per tenant and over all tenants."""

    deletes: LimitSection = Field(LimitSection(), description="Deletions, and locks that cannot be undone.")
    replacements: LimitSection = Field(LimitSection(), description="Keys that are replaced by new ones.")
    rotations: RotationLimit = Field(RotationLimit(), description="Rotations.")


class TimeoutsSection(Section):
    """How long things may take."""

    call: Duration = Field(timedelta(seconds=TimeoutDefaults().call), description="One vendor call.")
    lease: Duration = Field(
        timedelta(seconds=TimeoutDefaults().lease),
        description="How long a run holds a tenant without a sign of life; at least three times `call`.",
    )

    @model_validator(mode="after")
    def _order(self) -> Self:
        if not self.call:
            refuse("allows a call no time", "such as call: 30s")
        if self.lease < 3 * self.call:
            refuse("has a lease shorter than three calls", "make lease at least three times call")
        return self


class EstateSpec(Section):
    """The estate's settings."""

    id: Annotated[UUID, Field(strict=False)] = Field(
        description="The estate's UUID, written by `reconciler init`. It is in every mark and state path; never change it.",
        examples=["5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11"],
    )
    vault: VaultSection = Field(VaultSection(), description="Which Vault it is, and who we are there.")
    limits: LimitsSection = Field(LimitsSection(), description="How much one run may destroy.")
    timeouts: TimeoutsSection = Field(TimeoutsSection(), description="How long things may take.")


class Estate(Section):
    """The settings of a repository of manifests: `reconciler.yaml`, at its root."""

    api_version: Literal["reconciler/v1"] = Field(description="Version of the manifest format.")
    kind: Literal["Estate"] = Field(description="Kind of manifest.")
    metadata: Metadata = Field(description="Who the estate is.")
    spec: EstateSpec = Field(description="The estate's settings.")


Manifest = Estate | Tenant | AccessLevel | ApiKey

MODELS: Final[dict[ManifestKind, type[Manifest]]] = {
    ManifestKind.ESTATE: Estate,
    ManifestKind.TENANT: Tenant,
    ManifestKind.ACCESS_LEVEL: AccessLevel,
    ManifestKind.API_KEY: ApiKey,
}
"""The model of every kind."""
