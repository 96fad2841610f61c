"""The kind Tenant: a vendor account, where its credential is, and where the secrets of its keys go."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from reconciler.manifest.models.base import ApiVersion, Metadata, Section, exactly_one, plan_and_apply
from reconciler.manifest.paths import Path, Template
from reconciler.manifest.scalars import Duration, Variable, refuse
from reconciler.model.desired import RateLimit as RateDefaults
from reconciler.model.desired import Removal, Unmanaged


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


DEFAULT_GRACE: Final = timedelta(days=7)


class RemovalSpec(Section):
    """What becomes of keys whose manifests are gone."""

    action: Annotated[Removal, Field(strict=False)] = Field(
        description="`delete` them, `quarantine` them (locked first, deleted later), or `orphan` them (left as they are).",
        examples=["quarantine"],
    )
    grace: Duration | None = Field(
        None, description="How long a quarantine lasts before the key is deleted. 7d unless given.", examples=["7d"]
    )

    @model_validator(mode="after")
    def _grace(self) -> Self:
        if self.grace is not None and self.action is not Removal.QUARANTINE:
            refuse(f"has a grace, but {self.action} has none", "leave grace out, or use quarantine")
        if self.grace is not None and not self.grace:
            refuse("has a grace of no length", "such as 7d, or use delete")
        return self


class Adopt(StrEnum):
    """What to do about the secrets of adopted keys, which nobody knows."""

    NONE = "none"
    ROTATE = "rotate"


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
        SecretsLocation.model_construct(), description="Where the secrets of this tenant's keys are stored."
    )
    unmanaged: Annotated[Unmanaged, Field(strict=False)] = Field(
        Unmanaged.REPORT,
        description="What to do about keys and access levels at the vendor that no manifest declares: "
        "`report` them, `ignore` them, or `prune` those that an Approval names. Without one, none is touched.",
    )
    on_removal: Annotated[Removal, Field(strict=False)] | RemovalSpec | None = Field(
        None,
        description="What becomes of a key whose manifest is gone: `delete` (it and its secret), `quarantine` (lock it, "
        "and delete it when a grace period is over), `orphan` (leave it and forget it), or a mapping with the `grace`. "
        "`quarantine` where the vendor can undo a lock, else `delete`.",
        examples=["quarantine", {"action": "quarantine", "grace": "7d"}],
    )
    adopt: Annotated[Adopt, Field(strict=False)] = Field(
        Adopt.NONE,
        description="What to do about adopted keys, whose secrets nobody knows: `none`, or `rotate` "
        "to issue them anew on the first apply.",
    )
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="What only this provider asks of a tenant; the shape is the provider's.",
        examples=[{"driver": "handoff"}],
    )
    rate: RateSpec = Field(RateSpec.model_construct(), description="How fast the vendor may be called.")


class Tenant(Section):
    """One vendor account that the reconciler looks after, reached through one provider."""

    api_version: ApiVersion
    kind: Literal["Tenant"] = Field(description="Kind of manifest.")
    metadata: Metadata = Field(description="Who the object is.")
    spec: TenantSpec = Field(description="What the reconciler must know about the account.")
