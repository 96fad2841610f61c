"""The kind AccessLevel: a named set of permissions."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from reconciler.manifest.models.base import DESCRIPTION, PROTECT, ApiVersion, RenamableMetadata, Section
from reconciler.manifest.models.ignore_drift import LevelIgnoreDrift
from reconciler.manifest.scalars import Description


class AccessLevelSpec(Section):
    """What keys of an access level may do."""

    description: Description = DESCRIPTION
    permissions: dict[str, Any] = Field(
        default_factory=dict,
        description="The permissions, in the shape that the tenant's provider defines. What is left out is not granted.",
        examples=[{"platformRights": {"computerRights": {"canViewOtherComputers": True}}}],
    )
    protect: bool = PROTECT
    ignore_drift: LevelIgnoreDrift


class AccessLevel(Section):
    """A named set of permissions: a role, at most vendors."""

    api_version: ApiVersion
    kind: Literal["AccessLevel"] = Field(description="Kind of manifest.")
    metadata: RenamableMetadata = Field(description="Who the object is, and in which tenants.")
    spec: AccessLevelSpec = Field(description="What keys of this access level may do.")
