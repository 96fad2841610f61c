"""What the manifests ask for, one tenant at a time, with every reference and selector resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from reconciler.model.names import Kind, ObjectId


class Source:
    """Where in the manifests something stands. `str()` gives `file:line:col`, lines and columns counted from 1."""

    __slots__ = ("column", "file", "line")

    def __init__(self, file: str, line: int, column: int = 1) -> None:
        self.file = file
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def __repr__(self) -> str:
        return f"Source({self})"


class KeyState(StrEnum):
    """What a manifest wants a key to be."""

    ACTIVE = "active"
    LOCKED = "locked"
    ABSENT = "absent"


class Unmanaged(StrEnum):
    """What to do about objects at the vendor that are not ours."""

    REPORT = "report"
    IGNORE = "ignore"
    PRUNE = "prune"
    """Remove those that an Approval names."""


class Removal(StrEnum):
    """What becomes of a key whose manifest is gone."""

    DELETE = "delete"
    QUARANTINE = "quarantine"
    """Locked first, and deleted when the grace period is over."""
    ORPHAN = "orphan"
    """Left as it is, and forgotten."""


class Strategy(StrEnum):
    """How a rotation puts the next secret in place."""

    OVERLAP = "overlap"
    IN_PLACE = "inPlace"


@dataclass(frozen=True, slots=True)
class LevelRef:
    """What gives a key its permissions: a level of ours by its manifest's name, or an existing one by the vendor's name.

    Where keys belong to users, `kind` is ServiceUser: the user stands where others have an access level.
    """

    name: str
    existing: bool = False
    kind: Kind = Kind.ACCESS_LEVEL

    @property
    def id(self) -> ObjectId | None:
        """The object of ours that it names; None for one that exists at the vendor."""
        return None if self.existing else ObjectId(self.kind, self.name)

    def __str__(self) -> str:
        return f"{self.name} (existing)" if self.existing else self.name


NO_TEXTS: Final[Mapping[str, str]] = {}
"""The labels and annotations of most objects. A plain dict, for a mapping proxy can be neither pickled nor copied."""
DEFAULT_OVERLAP = timedelta(hours=24)
DEFAULT_RENEWAL = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Rotation:
    """How often a key gets a new secret, and how long the old one goes on working beside it."""

    every: timedelta
    overlap: timedelta = timedelta(0)
    strategy: Strategy = Strategy.OVERLAP
    renew_before: timedelta = DEFAULT_RENEWAL
    """How long before the vendor ends a key the next generation is made."""
    hold_while_used: bool = False
    """Keep the former generation beyond its overlap while somebody still uses it (where the vendor tells)."""


@dataclass(frozen=True, slots=True)
class OnRemoval:
    """What becomes of keys whose manifests are gone. `grace` is how long a quarantine lasts; none for other actions."""

    action: Removal = Removal.DELETE
    grace: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class IgnoredDrift:
    """Fields that may differ at the vendor until a moment (UTC, exclusive): drift there is counted and left alone.

    `fields` are those of the manifest, without `spec`: `description`, `options.locale`, `permissions.platformRights`.
    """

    fields: tuple[str, ...]
    until: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Approval:
    """Leave to prune one object that is not ours, until a moment (UTC, exclusive); it may have passed.

    The object is given by its name at the vendor or by the vendor's id; the other one is empty.
    """

    kind: Kind
    name: str
    until: datetime
    source: Source
    vendor_id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, order=True)
class VaultPath:
    """A KV v2 entry. As text: `secret/security-keys/dsm-prod/splunk`, the form that `vault kv get` takes."""

    mount: str
    path: str

    def __str__(self) -> str:
        return f"{self.mount}/{self.path}"

    def lies_under(self, other: VaultPath) -> bool:
        """Whether this entry is the other one, or below it."""
        return self.mount == other.mount and (self.path + "/").startswith(other.path.rstrip("/") + "/")


@dataclass(frozen=True, slots=True)
class CredentialRef:
    """Where a tenant's vendor credential is: in Vault, or in environment variables (field name → variable name)."""

    vault: VaultPath | None = None
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How fast a vendor may be called: `calls` in any `seconds` (None: what the vendor documents), our `share` of it."""

    calls: int | None = None
    seconds: float = 60.0
    share: float = 0.5


DOCUMENTED_RATE = RateLimit()
"""Half of what the vendor documents."""


@dataclass(frozen=True, slots=True)
class DesiredLevel:
    """One access level (or service user) as the manifests want it. `permissions` is the manifest's own tree, unchanged.

    A service user's permissions are `{"groups": [GUID, …]}`, and `locked` says that it may not sign in.
    """

    tenant: str
    name: str
    description: str
    permissions: Mapping[str, Any]
    protect: bool
    source: Source
    owner: str = ""
    kind: Kind = Kind.ACCESS_LEVEL
    locked: bool = False
    previous_names: tuple[str, ...] = ()
    """Names that it had in the manifests before: a record under one of them is this object's."""
    labels: Mapping[str, str] = field(default_factory=lambda: NO_TEXTS)
    annotations: Mapping[str, str] = field(default_factory=lambda: NO_TEXTS)
    ignore_drift: tuple[IgnoredDrift, ...] = ()

    @property
    def id(self) -> ObjectId:
        """`AccessLevel/NAME`, or `ServiceUser/NAME`."""
        return ObjectId(self.kind, self.name)


@dataclass(frozen=True, slots=True)
class DesiredKey:
    """One key of one tenant as the manifests want it. `expires` is in UTC, whole seconds, and exclusive.

    `allowed_ips` are canonical networks, each one once, sorted, network lists resolved: `203.0.113.0/28`. `scope` is the
    mapping of the manifest, or that of the Scope which it names; None where it has none.
    """

    tenant: str
    name: str
    owner: str
    description: str
    level: LevelRef
    expires: datetime | None
    rotation: Rotation | None
    state: KeyState
    protect: bool
    options: Mapping[str, Any]
    allowed_ips: tuple[str, ...]
    scope: Mapping[str, Any] | None
    secret_path: VaultPath
    source: Source
    previous_names: tuple[str, ...] = ()
    """Names that it had in the manifests before: a record under one of them is this object's."""
    reissue_after: datetime | None = None
    """A key that was revoked before this moment (UTC) is issued again."""
    labels: Mapping[str, str] = field(default_factory=lambda: NO_TEXTS)
    annotations: Mapping[str, str] = field(default_factory=lambda: NO_TEXTS)
    ignore_drift: tuple[IgnoredDrift, ...] = ()

    @property
    def id(self) -> ObjectId:
        """`ApiKey/NAME`."""
        return ObjectId(Kind.API_KEY, self.name)


@dataclass(frozen=True, slots=True)
class DesiredTenant:
    """One tenant and everything that the manifests want in it, sorted by name."""

    name: str
    provider: str
    endpoint: str
    credentials_plan: CredentialRef
    credentials_apply: CredentialRef
    secrets: VaultPath
    """Mount and path *template* of the tenant's secrets, with `{tenant}` and `{key}` still in it."""
    unmanaged: Unmanaged
    levels: tuple[DesiredLevel, ...]
    keys: tuple[DesiredKey, ...]
    source: Source
    labels: Mapping[str, str] = field(default_factory=dict)
    rate: RateLimit = DOCUMENTED_RATE
    options: Mapping[str, Any] = field(default_factory=dict)
    """What only this provider asks of a tenant; its shape is checked by the provider."""
    endpoint_map: Mapping[str, Any] | None = None
    """The `spec` of the EndpointMap that the options name: requests that the vendor does not document."""
    on_removal: OnRemoval = OnRemoval()
    adopt_rotate: bool = False
    """Whether adopted keys, whose secrets nobody knows, get new ones."""
    approvals: tuple[Approval, ...] = ()
