"""The kind Estate, `reconciler.yaml`: the settings of a repository of manifests."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from reconciler.manifest.models.base import ApiVersion, Metadata, Section
from reconciler.manifest.models.policy import Params
from reconciler.manifest.models.vault import VaultSection
from reconciler.manifest.scalars import Count, Duration, Name, refuse
from reconciler.model.estate import Limits as LimitDefaults
from reconciler.model.estate import Timeouts as TimeoutDefaults


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

    deletes: LimitSection = Field(LimitSection.model_construct(), description="Deletions.")
    replacements: LimitSection = Field(
        LimitSection.model_construct(), description="Keys that are replaced by new ones."
    )
    locks: LimitSection = Field(LimitSection.model_construct(), description="Locks that cannot be undone.")
    widenings: LimitSection | None = Field(
        None,
        description="Keys whose access widens: more permissions, more addresses, a later end. Not limited when left out.",
        examples=[{"ratio": 0.1, "max": 5, "floor": 0}],
    )
    rotations: RotationLimit = Field(RotationLimit.model_construct(), description="Rotations.")


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


class Mode(StrEnum):
    """What rules are to do."""

    OFF = "off"
    WARN = "warn"
    DENY = "deny"


class RuleSection(Section):
    """How one rule is to be."""

    severity: Annotated[Mode, Field(strict=False)] | None = Field(
        None,
        description="`off`, `warn` or `deny`; as the rule itself or `builtin` says, when left out.",
        examples=["deny"],
    )
    params: Params = Field(
        default_factory=dict, description="Other values for the rule's parameters.", examples=[{"within": "180d"}]
    )


class PolicySection(Section):
    """Which rules keys are held against, beside those of the estate's policies."""

    builtin: Annotated[Mode, Field(strict=False)] = Field(
        Mode.OFF,
        description="What the built-in rules do: nothing (`off`), `warn`, or `deny`. "
        "`reconciler explain policy/` lists them.",
    )
    rules: dict[Name, RuleSection] = Field(
        default_factory=dict,
        description="Single rules that are to be otherwise, by their ids.",
        examples=[{"expiry-within": {"severity": "deny", "params": {"within": "180d"}}}],
    )


class EstateSpec(Section):
    """The estate's settings."""

    id: Annotated[UUID, Field(strict=False)] = Field(
        description="The estate's UUID, written by `reconciler init`. It is in every mark and state path; never change it.",
        examples=["5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11"],
    )
    vault: VaultSection = Field(VaultSection.model_construct(), description="Which Vault it is, and who we are there.")
    limits: LimitsSection = Field(LimitsSection.model_construct(), description="How much one run may destroy.")
    policy: PolicySection = Field(PolicySection.model_construct(), description="Which rules keys are held against.")
    timeouts: TimeoutsSection = Field(TimeoutsSection.model_construct(), description="How long things may take.")


class Estate(Section):
    """The settings of a repository of manifests: `reconciler.yaml`, at its root."""

    api_version: ApiVersion
    kind: Literal["Estate"] = Field(description="Kind of manifest.")
    metadata: Metadata = Field(description="Who the estate is.")
    spec: EstateSpec = Field(description="The estate's settings.")
