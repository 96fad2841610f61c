"""The kind Scope: which data or assets keys reach."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from reconciler.manifest.models.base import DESCRIPTION, ApiVersion, ObjectMetadata, Section
from reconciler.manifest.scalars import Description


class ScopeSpec(Section):
    """What keys with a scope reach."""

    description: Description = DESCRIPTION
    scope: dict[str, Any] = Field(
        description="What keys with this scope reach, in the shape that the tenant's provider defines."
    )


class Scope(Section):
    """A named scope for keys of the same tenant. It is part of each of them at the vendor, and no object there."""

    api_version: ApiVersion
    kind: Literal["Scope"] = Field(description="Kind of manifest.")
    metadata: ObjectMetadata = Field(description="Who the scope is, and in which tenants.")
    spec: ScopeSpec = Field(description="What keys with this scope reach.")
