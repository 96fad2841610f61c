"""The vendor's answers as records: what the contract says of them is checked, what it does not name is ignored.

Whether lists carry `secret` is not documented. It is no field here: a list that has secrets loses them at parsing.
Field names are the vendor's own (T11).
"""
# ruff: noqa: N815

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[str, Field(min_length=1)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)


class KeyRecord(_Record):
    """An API key without its secret. Times are RFC 3339; absent and null mean "not yet", lists then are empty."""

    id: Id
    alias: str | None = None
    description: str | None = None
    roleID: str | None = None
    locale: str | None = None
    timezone: str | None = None
    enabled: bool | None = None
    allowedIPs: list[str] | None = None
    allowedCIDRs: list[str] | None = None
    created: str | None = None
    lastModified: str | None = None
    lastActivity: str | None = None
    urn: str | None = None


class RoleRecord(_Record):
    """A role. Which ones the product ships is not told."""

    id: Id
    name: str
    description: str | None = None
    serviceRoleURNs: list[str] | None = None
    urn: str | None = None


class KeyPage(_Record):
    """One page of keys; `next` is the cursor of the following one, empty or absent on the last."""

    apikeys: list[KeyRecord]
    next: str | None = None


class RolePage(_Record):
    """One page of roles."""

    roles: list[RoleRecord]
    next: str | None = None
