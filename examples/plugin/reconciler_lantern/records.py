"""Lantern's answers as records. A secret is no field here: whatever a list may show is lost at parsing."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)


class KeyRecord(_Record):
    """An API key. `ends` is in seconds since 1970."""

    id: str
    name: str
    note: str = ""
    role: str
    enabled: bool
    colour: str
    ends: int | None = None


class RoleRecord(_Record):
    """A role."""

    id: str
    name: str
    note: str = ""
    rights: list[str]
    builtin: bool = False


class KeyPage(_Record):
    """One page of keys; `next` is empty on the last one."""

    keys: list[KeyRecord]
    next: str = ""


class RoleList(_Record):
    """All roles."""

    roles: list[RoleRecord]
