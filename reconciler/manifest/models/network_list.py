"""The kind NetworkList: networks that keys of any tenant may be used from, under one name."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reconciler.manifest.models.base import DESCRIPTION, ApiVersion, Metadata, Section
from reconciler.manifest.scalars import Description, Network


class NetworkListSpec(Section):
    """Which networks these are."""

    description: Description = DESCRIPTION
    networks: list[Network] = Field(
        min_length=1,
        description="Addresses and networks, in CIDR notation. At least one: a key without any could be used from anywhere.",
        examples=[["203.0.113.0/28", "2001:db8::/48"]],
    )


class NetworkList(Section):
    """A named list of networks, shared by the whole estate: `allowedIPs` of keys refer to it."""

    api_version: ApiVersion
    kind: Literal["NetworkList"] = Field(description="Kind of manifest.")
    metadata: Metadata = Field(description="Who the list is. It is in no tenant: keys of every tenant may refer to it.")
    spec: NetworkListSpec = Field(description="Which networks these are.")
