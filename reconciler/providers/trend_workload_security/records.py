"""The vendor's answers as records: what the contract says of them is checked, what it does not name is ignored.

`secretKey` is no field here: a list that carried secrets would lose them at parsing. Field names are the vendor's own (T1).
"""
# ruff: noqa: N815

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

_Id = Annotated[int, Field(gt=0)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)


class KeyRecord(_Record):
    """An API key without its secret. Times are epoch milliseconds, UTC; absent and null mean "not yet" or "never"."""

    ID: _Id
    keyName: str
    description: str | None = None
    locale: str | None = None
    roleID: int | None = None
    timeZone: str | None = None
    active: bool | None = None
    created: int | None = None
    lastSignIn: int | None = None
    unlockTime: int | None = None
    unsuccessfulSignInAttempts: int | None = None
    expiryDate: int | None = None
    serviceAccount: bool | None = None


class RoleRecord(_Record):
    """An administrator role. `immutable` marks the ones that the product ships; absent and null mean false."""

    ID: _Id
    name: str
    description: str | None = None
    urn: str | None = None
    immutable: bool | None = None
    canOnlyManipulateUsersWithEqualOrLesserRights: bool | None = None
    allComputers: bool | None = None
    allPolicies: bool | None = None
    allowUserInterface: bool | None = None
    allowWebService: bool | None = None
    allowManageWorkloadSecurityLink: bool | None = None
    allowMigration: bool | None = None
    rights: dict[str, Any] | None = None
    computerIDs: list[int] | None = None
    computerGroupIDs: list[int] | None = None
    policyIDs: list[int] | None = None


class KeyPage(_Record):
    """What listing and searching keys answer."""

    apiKeys: list[KeyRecord]


class RolePage(_Record):
    """What listing and searching roles answer."""

    roles: list[RoleRecord]


class CurrentKey(_Record):
    """The key that a call was authenticated with, as far as we ask for it."""

    ID: _Id
    expiryDate: int | None = None
    roleID: int | None = None
