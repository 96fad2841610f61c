"""The kind ApiKey: a key, what it may do, and how often it gets a new secret."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator, model_validator

from reconciler.manifest.models.base import DESCRIPTION, PROTECT, ApiVersion, ObjectMetadata, Section
from reconciler.manifest.scalars import Description, Duration, Expires, Line, Name, Network, refuse
from reconciler.model.desired import KeyState, Strategy

DEFAULT_OVERLAP: Final = timedelta(hours=24)


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

    description: Description = DESCRIPTION
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
    protect: bool = PROTECT
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

    api_version: ApiVersion
    kind: Literal["ApiKey"] = Field(description="Kind of manifest.")
    metadata: ObjectMetadata = Field(description="Who the object is, and in which tenants.")
    spec: ApiKeySpec = Field(description="What the key is.")
