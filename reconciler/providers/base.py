"""What a provider is.

A provider has two halves. The *offline* half (`Provider`) knows what the vendor can do and turns manifests into canonical
fields; it does no I/O, and `validate` needs nothing else. The *connected* half (`Session`) makes calls; `connect` gives one.
A session knows nothing of planning or applying: in a planning run its transport refuses every request that is not a read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from reconciler.model.credential import Credential
from reconciler.model.desired import DOCUMENTED_RATE, DesiredKey, DesiredLevel, DesiredTenant, RateLimit
from reconciler.model.mark import Mark
from reconciler.model.observed import Fields, Observed, ObservedTenant
from reconciler.model.secret import Secret


class Evidence(StrEnum):
    """How sure we are of a vendor fact (see `vendors/` in the design)."""

    DOCUMENTED = "documented"
    OBSERVED = "observed"
    ASSUMED = "assumed"


class How(StrEnum):
    """Who makes a declared field true."""

    API = "API"
    HANDOFF = "handoff"
    ENFORCED = "enforced by us"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Operation:
    """One vendor operation: what it is for, the request it makes, and how sure we are of it."""

    name: str
    request: str
    evidence: Evidence
    source: str
    """Which of the vendor page's sources says so."""
    read: bool = False


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing that a manifest can ask for: how it is honoured here, and how sure we are. `reason` explains a refusal."""

    field: str
    how: How
    evidence: Evidence
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rate:
    """A vendor limit: `calls` in any `seconds` (sliding window)."""

    calls: int
    seconds: float
    evidence: Evidence
    source: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a product can do; generates `reconciler providers` and the tables in the docs."""

    fields: tuple[Capability, ...]
    operations: tuple[Operation, ...]
    rate: Rate
    regenerates_in_place: bool
    reversible_lock: bool
    credential_fields: tuple[frozenset[str], ...]
    """The sets of credential fields that a tenant may give, any one of them."""
    high_risk: tuple[str, ...] = ()
    """Permissions (dotted paths, `*` for any last part) that a least-privilege check should question."""


class Problem(NamedTuple):
    """Something wrong in a manifest's `spec`, found by a provider: where below `spec`, what, and what would be right."""

    path: tuple[str | int, ...]
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Issued:
    """What issuing a key gave: the vendor's id, and what consumers need, field by field, for Vault."""

    vendor_id: str
    secret: Mapping[str, Secret | str]


class Verification(StrEnum):
    """Whether a new secret works."""

    GOOD = "good"
    BAD = "bad"
    UNVERIFIABLE = "unverifiable"
    """It cannot be told from here: the key is locked, or an address restriction excludes us."""


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """How calls are made: `write` False refuses all but the provider's reads; `rate` is what we may use."""

    write: bool
    timeout: float = 30.0
    rate: RateLimit = DOCUMENTED_RATE
    ca_cert: str | bool = True
    user_agent: str = "access-reconciler"
    connections: int = 8
    sleep: Callable[[float], None] = time.sleep
    before_write: Callable[[], None] | None = None
    """Called right before each request that is not a read is sent, waiting for a turn included; it raises to stop it."""


class Session(Protocol):
    """One tenant, connected. Every method raises the errors of `reconciler.errors`, with no secret in them.

    A create or regenerate whose outcome cannot be known raises `OutcomeUnknown`; nothing is repeated here but reads and
    writes that give the same result when made twice.
    """

    @property
    def calls(self) -> int:
        """How many requests were sent so far."""
        ...

    def observe(self) -> ObservedTenant:
        """List everything that can be managed, with the documented minimum of calls."""
        ...

    def create_level(self, name: str, fields: Fields, mark: Mark) -> str:
        """Create an access level and return the vendor's id."""
        ...

    def update_level(self, vendor_id: str, fields: Fields, mark: Mark) -> None:
        """Make the level's fields what is given (all of them), mark included. Repeating it is harmless."""
        ...

    def delete_level(self, vendor_id: str) -> None:
        """Delete it; one that is gone already is success."""
        ...

    def create_key(self, name: str, fields: Fields, level_id: str, mark: Mark) -> Issued:
        """Create a key. Its secret exists only in what this returns."""
        ...

    def update_key(self, vendor_id: str, changed: Fields, level_id: str | None, mark: Mark) -> None:
        """Change the given fields, and the level unless None. `description` is always among them when the mark changed."""
        ...

    def regenerate_key(self, vendor_id: str) -> Issued:
        """Give the key a new secret; the old one is dead at once. NotFound if there is no such key."""
        ...

    def delete_key(self, vendor_id: str) -> None:
        """Delete it; one that is gone already is success."""
        ...

    def find_key(self, name: str, mark: Mark) -> Observed | None:
        """Look whether a key with this mark exists (after a creation whose outcome is unknown)."""
        ...

    def find_level(self, name: str, mark: Mark) -> Observed | None:
        """Look whether an access level with this mark exists."""
        ...

    def verify(self, issued: Issued) -> Verification:
        """Authenticate with a new secret as the key that it belongs to."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...


class Provider(Protocol):
    """The offline half: what a product can do, and what a manifest means there."""

    @property
    def name(self) -> str:
        """As tenants write it: `trend-workload-security`."""
        ...

    @property
    def title(self) -> str:
        """The product's own name."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What can be managed, how, and how sure we are."""
        ...

    def check_tenant(self, tenant: DesiredTenant) -> Iterable[Problem]:
        """Problems of the tenant's own spec (the endpoint's shape, credential field names)."""
        ...

    def check_level(self, level: DesiredLevel) -> Iterable[Problem]:
        """Problems of an access level's spec: permissions against the vendor's contract."""
        ...

    def check_key(self, key: DesiredKey) -> Iterable[Problem]:
        """Problems of a key's spec: options, time zones, fields that this vendor cannot honour."""
        ...

    def level_fields(self, level: DesiredLevel) -> Fields:
        """The level in canonical form, comparable with `Observed.fields`."""
        ...

    def key_fields(self, key: DesiredKey) -> Fields:
        """The key in canonical form, its level left out, comparable with `Observed.fields`."""
        ...

    def permissions_schema(self) -> Mapping[str, Any]:
        """JSON Schema (2020-12) of `AccessLevel.spec.permissions` for this provider, with descriptions."""
        ...

    def options_schema(self) -> Mapping[str, Any]:
        """JSON Schema of `ApiKey.spec.options` for this provider."""
        ...

    def connect(self, endpoint: str, credential: Credential, settings: ConnectionSettings) -> Session:
        """Open a session. Makes no call yet."""
        ...
