"""The kind Approval: leave to remove one object that no manifest declares."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import AfterValidator, Field

from reconciler.manifest.models.base import ApiVersion, Section, TenantMetadata
from reconciler.manifest.scalars import Description, Expires, Line, refuse
from reconciler.model.names import Kind
from reconciler.suggest import did_you_mean

_KINDS: Final = tuple(kind.value for kind in Kind)


class ApprovedAction(StrEnum):
    """What can be approved."""

    PRUNE = "prune"


class Named(NamedTuple):
    """An object at the vendor: its kind and its name there."""

    kind: Kind
    name: str


def read_object(text: str) -> Named:
    """Read `Kind/NAME`, where NAME is the vendor's and may be any text; ValueError if it is none."""
    kind, _, name = text.partition("/")
    if name.strip() != name or not name:
        raise ValueError(text)
    return Named(Kind(kind), name)


def _check_object(text: str) -> str:
    try:
        read_object(text)
    except ValueError:
        kind, slash, name = text.partition("/")
        near = did_you_mean(f"{kind}/{name}", [f"{each}/{name}" for each in _KINDS]) if slash and name.strip() else ""
        refuse(
            f"is {text!r}, which is not KIND/NAME", near or f"such as ApiKey/old-siem; kinds are {', '.join(_KINDS)}"
        )
    return text


class ApprovedObject(Section):
    """One object, by the vendor's id."""

    kind: Annotated[Kind, Field(strict=False)] = Field(description="What it is.")
    vendor_id: Annotated[Line, Field(min_length=1)] = Field(description="The vendor's id.", examples=["1234"])


class ApprovalSpec(Section):
    """What is approved."""

    object: Annotated[Line, AfterValidator(_check_object)] | ApprovedObject = Field(
        description="The object at the vendor: `KIND/NAME` with the name that it has there, or its kind and `vendorId`.",
        examples=["ApiKey/old-siem", {"kind": "ApiKey", "vendorId": "1234"}],
    )
    action: Annotated[ApprovedAction, Field(strict=False)] = Field(
        description="What may be done: `prune` removes it, in a tenant with `unmanaged: prune`.", examples=["prune"]
    )
    reason: Description = Field("", description="Why.", examples=["nobody has used it since the SIEM was replaced"])
    until: Expires = Field(
        description="When the approval ends. A bare date ends with that day in UTC; a time needs its offset.",
        examples=["2027-06-30"],
    )


class Approval(Section):
    """Leave to remove one object that no manifest declares, until a day. Without it, nothing that is not ours is touched."""

    api_version: ApiVersion
    kind: Literal["Approval"] = Field(description="Kind of manifest.")
    metadata: TenantMetadata = Field(description="Who the approval is, and in which tenant.")
    spec: ApprovalSpec = Field(description="What is approved.")
