"""The kind ApiKey: a key, what it may do, and how often it gets a new secret."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, ValidatorFunctionWrapHandler, WrapValidator, model_validator

from reconciler.manifest.models.base import DESCRIPTION, PROTECT, ApiVersion, RenamableMetadata, Section
from reconciler.manifest.models.ignore_drift import KeyIgnoreDrift
from reconciler.manifest.scalars import Description, Duration, Expires, Line, Moment, Name, Network, refuse
from reconciler.model.desired import KeyState, Strategy

DEFAULT_OVERLAP: Final = timedelta(hours=24)
DEFAULT_RENEW_BEFORE: Final = timedelta(days=7)


class Existing(Section):
    """An object that the vendor ships or somebody else manages."""

    existing: Annotated[Line, Field(min_length=1)] = Field(
        description="The object's name at the vendor.", examples=["Auditor"]
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
    renew_before: Duration | None = Field(
        None,
        description="How long before the key expires at the vendor the next one is issued; shorter than `every`. "
        "7d unless given, or half of `every` where that is shorter.",
        examples=["7d"],
    )
    hold_while_used: bool = Field(
        False,
        description="Keep the old key beyond the overlap while somebody still uses it, where the vendor tells last use.",
    )

    @model_validator(mode="after")
    def _overlap(self) -> Self:
        if not self.every:
            refuse("has an every of no length", "such as 90d")
        if self.renew_before is not None and self.renew_before >= self.every:
            refuse("renews the key before it was due at all", "make renewBefore shorter than every")
        if self.strategy is Strategy.IN_PLACE and self.hold_while_used:
            refuse("holds the old key while it is used, but inPlace leaves none", "leave holdWhileUsed out")
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

    @property
    def effective_renew_before(self) -> timedelta:
        """When to renew, with its default applied."""
        return min(DEFAULT_RENEW_BEFORE, self.every / 2) if self.renew_before is None else self.renew_before

    @cached_property
    def effective(self) -> list[Any]:
        """Everything with its defaults applied, as plain data: every, overlap, strategy, renewal (seconds), and holding."""
        return [
            self.every.total_seconds(),
            self.effective_overlap.total_seconds(),
            self.strategy.value,
            self.effective_renew_before.total_seconds(),
            self.hold_while_used,
        ]


_ROTATIONS: dict[Any, RotationSpec] = {}
_MOST_ROTATIONS: Final = 1000


def _known_rotation(value: Any, check: ValidatorFunctionWrapHandler) -> RotationSpec:
    """Check each way of rotating once: thousands of keys share a few."""
    try:
        same = (*value.items(), *map(type, value.values()))  # 1 equals true, but is none
        if (found := _ROTATIONS.get(same)) is not None:
            return found
    except (AttributeError, TypeError):
        same = ()
    checked: RotationSpec = check(value)
    if same and len(_ROTATIONS) < _MOST_ROTATIONS:
        _ROTATIONS[same] = checked
    return checked


def _not_empty(networks: list[Any]) -> list[Any]:
    if not networks:
        refuse("is empty, and that would mean any address", "name networks, or leave it out to allow any")
    return networks


class ApiKeySpec(Section):
    """What a key is."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["accessLevel"]}, {"required": ["serviceUser"]}]},
    )

    description: Description = DESCRIPTION
    access_level: Annotated[Line, Field(min_length=1)] | Existing | None = Field(
        None,
        description="What the key may do: the name of an AccessLevel in the same tenant, "
        "or `{existing: NAME}` for one that the vendor ships. Give exactly one of `accessLevel` and `serviceUser`.",
        examples=["siem-read", {"existing": "Auditor"}],
    )
    service_user: Annotated[Line, Field(min_length=1)] | Existing | None = Field(
        None,
        description="Where keys belong to users: whose key it is, by the name of a ServiceUser in the same tenant, "
        "or `{existing: NAME}` for a user that somebody else manages.",
        examples=["siem", {"existing": "siem"}],
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
    protect: bool = PROTECT
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="What only this vendor has; the shape is the provider's.",
        examples=[{"locale": "en-US", "timeZone": "Etc/UTC"}],
    )
    allowed_ips: (
        Annotated[list[Network | NetworkListRef], AfterValidator(_not_empty), Field(json_schema_extra={"minItems": 1})]
        | None
    ) = Field(
        None,
        alias="allowedIPs",
        description="Addresses and networks that the key may be used from: CIDR notation, or `{networkList: NAME}`. "
        "Any, when left out. Refused where the vendor cannot restrict addresses.",
        examples=[["203.0.113.0/28", {"networkList": "splunk-egress"}]],
    )
    scope: Annotated[Line, Field(min_length=1)] | dict[str, Any] | None = Field(
        None,
        description="Which data or assets the key reaches: the name of a Scope in the same tenant, or a mapping "
        "in the shape that the provider defines. Everything, when left out. Refused where the vendor has no scopes.",
    )
    reissue_after: Moment | None = Field(
        None,
        description="Issue the key again if it was revoked before this time. Nothing else ends a revocation.",
    )
    ignore_drift: KeyIgnoreDrift


class ApiKey(Section):
    """One API key, whose secret goes to Vault."""

    api_version: ApiVersion
    kind: Literal["ApiKey"] = Field(description="Kind of manifest.")
    metadata: RenamableMetadata = Field(description="Who the object is, and in which tenants.")
    spec: ApiKeySpec = Field(description="What the key is.")
