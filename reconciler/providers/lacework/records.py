"""The vendor's answers as records: what the contract says of them is checked, what it does not name is ignored.

Keys and secrets are no fields here: the console's own API nests `apiKeys` in users, and they would be lost at parsing.
Field names are the vendor's own (APIDOC).
"""
# ruff: noqa: N815

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Text = Annotated[str, Field(min_length=1)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)


class GroupRecord(_Record):
    """A user group, as a user's answer names it."""

    userGroupGuid: _Text


class UserRecord(_Record):
    """A user of either type. `userEnabled` is 0 or 1; `lastLoginTime` epoch milliseconds, 0 or absent for never."""

    userGuid: _Text
    name: str | None = None
    email: str | None = None
    description: str | None = None
    type: str
    userEnabled: Annotated[int, Field(ge=0, le=1)] | bool
    userGroups: list[GroupRecord] | None = None
    lastLoginTime: int | str | None = None


class _Urls(_Record):
    nextPage: str | None = None


class _Paging(_Record):
    totalRows: int | None = None
    urls: _Urls | None = None


class UserPage(_Record):
    """One page of users. No `paging` means that there is no more."""

    data: list[UserRecord]
    paging: _Paging | None = None

    @property
    def next(self) -> str:
        """Where the next page is; nothing if there is none."""
        return (self.paging and self.paging.urls and self.paging.urls.nextPage) or ""

    @property
    def total(self) -> int:
        """How many users there are on all pages; 0 if the answer does not say."""
        return (self.paging and self.paging.totalRows) or 0


class UserAnswer(_Record):
    """What reading and changing one user answers."""

    data: UserRecord


class _Created(_Record):
    userGuid: _Text


class CreatedAnswer(_Record):
    """What a creation answers, as far as we need it."""

    data: _Created


class _AccountRecord(_Record):
    userGuid: str | None = None


class _ProfileRecord(_Record):
    accounts: list[_AccountRecord] | None = None


class ProfileAnswer(_Record):
    """Whose token it is: one user, who has a GUID in each account."""

    data: list[_ProfileRecord]

    @property
    def guids(self) -> frozenset[str]:
        """The user's GUIDs in all accounts that the answer names."""
        accounts = [account for profile in self.data for account in profile.accounts or ()]
        return frozenset(account.userGuid for account in accounts if account.userGuid)
