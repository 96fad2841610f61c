"""The kind EndpointMap: requests of a vendor's console that the vendor does not document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from reconciler.manifest.models.base import ApiVersion, Metadata, Section


class EndpointMapSpec(Section):
    """How the console is called."""

    operations: dict[str, Any] = Field(
        min_length=1,
        description="Method, path, body and reply fields of each operation, in the provider's shape.",
    )


class EndpointMap(Section):
    """Requests that a vendor does not document, as somebody has seen them: a Tenant's `options.endpointMap` names it."""

    api_version: ApiVersion
    kind: Literal["EndpointMap"] = Field(description="Kind of manifest.")
    metadata: Metadata = Field(description="Who the map is. It is in no tenant: every tenant may refer to it.")
    spec: EndpointMapSpec = Field(description="How the console is called.")
