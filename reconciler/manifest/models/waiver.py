"""The kind Waiver: leave for one object to break one rule."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from reconciler.manifest.models.base import ApiVersion, Section, TenantMetadata
from reconciler.manifest.scalars import Expires, Line, Name, refuse
from reconciler.model.names import Kind, ObjectId


def _check_object(text: str) -> str:
    try:
        ObjectId.parse(text)
    except ValueError:
        refuse(f"is {text!r}, which is not KIND/NAME", f"such as ApiKey/splunk; kinds are {', '.join(Kind)}")
    return text


class WaiverSpec(Section):
    """What is waived."""

    rule: Name = Field(description="The rule's id.", examples=["ip-restriction"])
    object: Annotated[Line, AfterValidator(_check_object)] = Field(
        description="The object that may break it: `KIND/NAME`. Of an access level or a service user: all of its keys.",
        examples=["ApiKey/splunk"],
    )
    reason: Annotated[str, Field(min_length=1, max_length=1000)] = Field(
        description="Why.", examples=["the vendor's cloud calls from addresses that it does not publish"]
    )
    approver: Annotated[Line, Field(min_length=1)] = Field(
        description="Who approved it.", examples=["ciso@example.com"]
    )
    until: Expires = Field(
        description="When the waiver ends. A bare date ends with that day in UTC; a time needs its offset.",
        examples=["2027-06-30"],
    )


class Waiver(Section):
    """Leave for one object to break one rule of a policy, until a day. Nothing else lets a denied object pass."""

    api_version: ApiVersion
    kind: Literal["Waiver"] = Field(description="Kind of manifest.")
    metadata: TenantMetadata = Field(description="Who the waiver is, and in which tenant.")
    spec: WaiverSpec = Field(description="What is waived.")
