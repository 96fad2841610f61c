"""The vendor's answers as records: what the contract says of them is checked, what it does not name is ignored.

`value`, a key's token, is no field here: a list that carried tokens would lose them at parsing. Field names are the
vendor's own (T14).
"""
# ruff: noqa: N815

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(min_length=1)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)


class KeyRecord(_Record):
    """An API key without its token. Times are ISO 8601; empty, absent and null mean "never"."""

    id: Text
    name: str
    role: str | None = None
    status: str | None = None
    description: str | None = None
    expiredDateTime: str | None = None
    lastUsedDateTime: str | None = None
    createdDateTime: str | None = None


class RoleRecord(_Record):
    """A role, as far as we ask for it: keys refer to it by its name."""

    name: Text


class KeyPage(_Record):
    """One page of keys. `totalCount` counts all pages; `nextLink` is the URL of the following one."""

    items: list[KeyRecord]
    totalCount: int | None = None
    nextLink: str | None = None


class RolePage(_Record):
    """One page of roles."""

    items: list[RoleRecord]
    totalCount: int | None = None
    nextLink: str | None = None
