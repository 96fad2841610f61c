"""The kind ServiceUser: an account that keys belong to, where keys get their permissions from their owner."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from reconciler.manifest.models.base import DESCRIPTION, PROTECT, ApiVersion, RenamableMetadata, Section
from reconciler.manifest.models.ignore_drift import UserIgnoreDrift
from reconciler.manifest.scalars import Description, Line


class UserState(StrEnum):
    """What a manifest wants a service user to be."""

    ACTIVE = "active"
    LOCKED = "locked"


class ServiceUserSpec(Section):
    """What keys of a service user may do."""

    description: Description = DESCRIPTION
    groups: list[Annotated[Line, Field(min_length=1)]] = Field(
        default_factory=list,
        description="The user groups that it belongs to, by the vendor's ids: its keys may do what these groups may.",
        examples=[["LACEWORK_USER_GROUP_READ_ONLY_USER"]],
    )
    state: Annotated[UserState, Field(strict=False)] = Field(
        UserState.ACTIVE, description="`active`, or `locked`: none of its keys can authenticate."
    )
    protect: bool = PROTECT
    ignore_drift: UserIgnoreDrift


class ServiceUser(Section):
    """An account that keys belong to: they have its permissions. For vendors that have no access levels for keys."""

    api_version: ApiVersion
    kind: Literal["ServiceUser"] = Field(description="Kind of manifest.")
    metadata: RenamableMetadata = Field(description="Who the object is, and in which tenants.")
    spec: ServiceUserSpec = Field(description="What keys of this user may do.")
