"""The vendor's answers as records: what we rely on is checked, what we do not name is ignored.

`apiKey`, the secret that `connectors/find` may hold, is no field here: it is lost at parsing. Field names are the vendor's.
"""
# ruff: noqa: N815

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

_Id = Annotated[str, Field(min_length=1)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)


class Role(_Record):
    """A role that may be given to a key: an access level, or a user role (S2, S5). It does not tell its permissions."""

    urn: _Id
    name: str
    desc: str | None = None
    disabled: bool | None = None


class PermittedRoles(_Record):
    """Roles by organisation: `KEY` or `psc:org:KEY`, and the same with `:CHILDREN`."""

    results: dict[str, list[Role]]


class Conditions(_Record):
    """When a profile counts."""

    disabled: bool | None = None


class Profile(_Record):
    """One part of a grant in the form for several organisations."""

    roles: list[str] | None = None
    conditions: Conditions | None = None


class Grant(_Record):
    """What a principal may do: roles or profiles, never both in use (S2)."""

    principal: _Id
    principal_name: str | None = None
    roles: list[str] | None = None
    profiles: list[Profile] | None = None

    @property
    def in_force(self) -> tuple[str, ...]:
        """The URNs of the roles that count, each one once, sorted."""
        found = set(self.roles or ())
        for profile in self.profiles or ():
            if not (profile.conditions and profile.conditions.disabled):
                found.update(profile.roles or ())
        return tuple(sorted(found))


class Grants(_Record):
    """What a bulk read answers: a list, or (older builds) a map by principal (S3)."""

    results: list[Grant] | dict[str, Grant]


class Connector(_Record):
    """A key as the console's own list shows it (S20, S21: observed, not documented). Times are epoch milliseconds."""

    connectorId: _Id
    name: str
    description: str | None = None
    connectorType: str | None = None
    createTime: int | None = None
    lastUpdatedTime: int | None = None
    serviceConnector: Any = None
    stats: Any = None


class ConnectorPage(_Record):
    """What `connectors/find` answers."""

    entries: list[Connector]


class AuditRecord(_Record):
    """One event (S10)."""

    description: str
    create_time: str
    actor: str | None = None
    actor_ip: str | None = None
    flagged: bool | None = None


class AuditPage(_Record):
    """What a search of the audit log answers."""

    num_found: int
    results: list[AuditRecord]
