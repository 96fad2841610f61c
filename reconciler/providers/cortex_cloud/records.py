"""The vendor's answers as records: what is known of them is checked, what is not named here is ignored.

`key` is no field here: a list that carried secrets would lose them at parsing. Most response bodies are not documented
but observed (`vendors/cortex-cloud.md`), so envelopes are taken in upper and in lower case, and numbers of things done as
numbers and as text.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _lower_keys(value: Any) -> Any:
    return {str(name).lower(): item for name, item in value.items()} if isinstance(value, dict) else value


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)


class KeyRecord(_Record):
    """A key without its secret (2.1). Times are epoch milliseconds; an `expiration` of null means never."""

    id: Annotated[int, Field(gt=0)]
    roles: list[str] = []
    """Display names (`pretty_name`), not ids."""
    security_level: str | None = None
    comment: str | None = None
    expiration: int | None = None
    creation_time: int | None = None
    created_by: str | None = None
    user_name: str | None = None


class KeyPage(_Record):
    """One answer of the list. `filter_count` is how many keys there are in all that the filters let through."""

    data: list[KeyRecord]
    filter_count: int | None = None
    total_count: int | None = None


class KeyList(_Record):
    """The list's envelope: its member names are in upper case on some products, in lower case on others."""

    reply: Annotated[KeyPage, BeforeValidator(_lower_keys)]


class Deleted(_Record):
    """How many keys a deletion hit."""

    update_count: Annotated[int, BeforeValidator(_number)]


class DeletedReply(_Record):
    """The deletion's envelope."""

    reply: Deleted


class RoleRecord(_Record):
    """A role (3). There are no permissions in it."""

    role_id: Annotated[str, BeforeValidator(_text)]
    pretty_name: str
    description: str | None = None
    is_custom: bool | None = None
    created_ts: int | None = None
    updated_ts: int | None = None


class _Count(_Record):
    total_count: int | None = None


class RoleList(_Record):
    """All roles."""

    data: list[RoleRecord]
    metadata: _Count | None = None


class AssetGroup(_Record):
    """An asset group of a scope."""

    asset_group_id: int


class Assets(_Record):
    """Which assets."""

    mode: str | None = None
    asset_groups: list[AssetGroup] | None = None


class Tag(_Record):
    """A name in a scope: of a group or of a tag."""

    tag_name: str


class Named(_Record):
    """A section of a scope that holds names."""

    mode: str | None = None
    tags: list[Tag] | None = None
    include_cases_issues_empty_entities: bool | None = None


class Endpoints(_Record):
    """Which endpoints. An older version calls the tags `endpoint_filters`."""

    endpoint_groups: Named | None = None
    endpoint_tags: Named | None = None
    endpoint_filters: Named | None = None


class DatasetFilter(_Record):
    """Which rows of a dataset."""

    dataset: str
    filter: str


class DatasetRows(_Record):
    """Which rows of datasets; there only where the tenant has dataset scoping."""

    default_filter_mode: str | None = None
    filters: list[DatasetFilter] | None = None


class ScopeRecord(_Record):
    """A scope as reading it gives it (4); what writing takes has another shape."""

    assets: Assets | None = None
    endpoints: Endpoints | None = None
    cases_issues: Named | None = None
    datasets_rows: DatasetRows | None = None


def _without_scope_level(value: Any) -> Any:
    inner = value.get("scope") if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else value


class ScopeReply(_Record):
    """The scope's envelope; some clients met one more level, `scope`."""

    data: Annotated[ScopeRecord, BeforeValidator(_without_scope_level)]
