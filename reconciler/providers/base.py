"""What a provider is.

A provider has two halves. The *offline* half (`Provider`) knows what the vendor can do and turns manifests into canonical
fields; it does no I/O, and `validate` needs nothing else. The *connected* half (`Session`) makes calls; `connect` gives one.
A session knows nothing of planning or applying: in a planning run its transport refuses every request that is not a read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, runtime_checkable

from reconciler.model.credential import Credential
from reconciler.model.desired import DOCUMENTED_RATE, DesiredKey, DesiredLevel, DesiredTenant, RateLimit
from reconciler.model.mark import Mark
from reconciler.model.names import Kind
from reconciler.model.observed import Fields, KnownKey, Observed, ObservedTenant
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


class Write(StrEnum):
    """The writes that a product may offer in its console only."""

    CREATE_LEVEL = "create the access level"
    UPDATE_LEVEL = "change the access level"
    DELETE_LEVEL = "delete the access level"
    CREATE_KEY = "create the key"
    REGENERATE_KEY = "generate a new secret"
    UPDATE_KEY = "change the key"
    DELETE_KEY = "delete the key"


class Expiry(StrEnum):
    """What a product does about `expires`."""

    EDITABLE = "editable"
    """Kept exactly, and can be changed: it is compared like any field."""
    FIXED = "fixed"
    """Set at creation only; what lies far off may be shortened. A later wish needs a new key."""
    ROUNDED = "rounded"
    """Set at creation only and rounded up; the exact moment is enforced by us."""
    NONE = "none"
    """Not known to the product: enforced by us alone."""


@dataclass(frozen=True, slots=True)
class Traits:
    """How a tenant's objects behave: what planning and applying must know, the same for every vendor."""

    kinds: frozenset[Kind] = frozenset({Kind.ACCESS_LEVEL, Kind.API_KEY})
    """What manifests may declare here."""
    lists_keys: bool = True
    """Whether observing finds every key. If not, it is told which keys our records name."""
    marked_only: bool = False
    """Whether observing reads in full only keys that carry a mark: adopted ones, which have none, are named to it."""
    named_in_comment: bool = False
    """Whether keys have no name but what our comment says: an adopted one gets its manifest's with the first comment."""
    regenerates_in_place: bool = True
    """Whether a key can get a new secret, the old one being dead at once."""
    reversible_lock: bool = True
    """Whether `state: locked` can be had without deleting the key."""
    replaces_levels: bool = False
    """Whether an access level can only be changed by making another and re-pointing its keys."""
    fixed_level: bool = False
    """Whether a key keeps its access level for life: another one needs a new key."""
    fixed: frozenset[str] = frozenset()
    """Canonical fields of a key that are set at creation only: another value needs a new key."""
    unreadable: frozenset[str] = frozenset()
    """Canonical fields (of keys and levels) that the vendor need not tell: where one is missing from what was found, the
    state's digest of what was last asked for stands in for it."""
    expiry: Expiry = Expiry.EDITABLE
    by_hand: frozenset[Write] = frozenset()
    """Writes that a person makes in the console."""
    by_hand_fields: frozenset[str] = frozenset()
    """Canonical fields of a key that are changed in the console, where the others can be changed by API."""
    most_keys_per_level: int | None = None
    """How many keys may live under one level (or user) at once."""


@dataclass(frozen=True, slots=True)
class OwnKey:
    """What the reconciler's own key needs at a product, as far as that is known: for the check of a set-up."""

    plan: frozenset[str] = frozenset()
    """The permissions that planning needs, named like `OwnCredential.permissions`; none: they are not known."""
    apply: frozenset[str] = frozenset()
    """Those that applying needs, the ones of planning among them."""
    harmless: tuple[str, ...] = ()
    """Patterns of permissions that only look, which may be held without need."""
    too_much_to_plan: frozenset[str] = frozenset()
    """Roles that may do far more than planning needs."""
    too_much: frozenset[str] = frozenset()
    """Roles that may do far more than even applying needs."""
    advice: str = ""
    """What to give it instead; its grade in the text where it is not documented."""
    signs_time: bool = False
    """Whether requests are signed with this machine's time, so that a wrong clock refuses them all."""


@dataclass(frozen=True, slots=True)
class OwnCredential:
    """What a product tells of the credential that a session calls with. No secret is in here."""

    evidence: Evidence
    source: str
    """Which of the vendor page's sources says that the product tells this."""
    key_id: str | None = None
    tells_expiry: bool = False
    """Whether the product says when a key ends, or documents that none does."""
    expires: datetime | None = None
    """UTC; None: never, or the product does not tell."""
    roles: tuple[str, ...] = ()
    """What gives it its permissions, by the product's names; none: the product does not tell."""
    permissions: frozenset[str] | None = None
    """Everything that it may do, as dotted paths; None: the product does not tell."""
    remark: str = ""
    """Why less is told than could be, or what else there is to know."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the headers of an answer tell beside it: the server's time, and what is left of its rate limit."""

    date: datetime | None = None
    """UTC, whole seconds."""
    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    """Seconds until the limit's window opens again."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a product can do; generates `reconciler providers` and the tables in the docs."""

    fields: tuple[Capability, ...]
    operations: tuple[Operation, ...]
    rate: Rate
    credential_fields: tuple[frozenset[str], ...]
    """The sets of credential fields that a tenant may give, any one of them."""
    high_risk: tuple[str, ...] = ()
    """Permissions (dotted paths, `*` for anything within one part) that a least-privilege check should question."""
    high_risk_levels: tuple[str, ...] = ()
    """Levels (or users) that the vendor ships, by their names there, which a key should rarely have."""
    restrictions: tuple[str, ...] = ()
    """Permissions (dotted paths) that take something away: without them, a key may do more."""
    implied: tuple[tuple[str, str], ...] = ()
    """Permissions that another one brings along: a regular expression for the former, the latter as its replacement."""
    weak_options: tuple[str, ...] = ()
    """Values of a key's options that give up protection, as `OPTION.VALUE`."""
    scope_within: Callable[[Any, Any], bool] | None = None
    """Whether a canonical scope reaches nothing that another one does not. None: no scopes, or it cannot be told."""
    traits: Traits = Traits()
    """As they are for a tenant that chooses nothing."""
    handoff_fields: tuple[str, ...] = ()
    """What a person brings from the console when a key was made there: the secret's fields, the key's id first."""
    own_key: OwnKey = OwnKey()

    @property
    def reasons(self) -> Mapping[str, str]:
        """Why a field cannot be honoured, for each that is unsupported."""
        return {field.field: field.reason for field in self.fields if field.how is How.UNSUPPORTED}


class Problem(NamedTuple):
    """Something wrong in a manifest's `spec`, found by a provider: where below `spec`, what, and what would be right."""

    path: tuple[str | int, ...]
    what: str
    hint: str = ""


class Doubt(Problem):
    """Something that may be right all the same: a warning, which stops nothing."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Issued:
    """What issuing a key gave: the vendor's id, and what consumers need, field by field, for Vault."""

    vendor_id: str
    secret: Mapping[str, Secret | str]


@dataclass(frozen=True, slots=True)
class Step:
    """The values of one handoff: what a person has to enter. `level` is the access level's name as the console shows it."""

    name: str
    fields: Fields
    mark: Mark
    level: str = ""
    vendor_id: str = ""
    changed: frozenset[str] = frozenset()
    """For a change: which of the fields are to be changed."""


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
    connections: int = 16
    """Most connections to the vendor at once: eight creations, and as many verifications beside them."""
    sleep: Callable[[float], None] = time.sleep
    options: Mapping[str, Any] = field(default_factory=dict)
    """The tenant's `options`, checked by the provider before."""
    endpoint_map: Mapping[str, Any] | None = None
    """The tenant's endpoint map, if it names one."""
    before_write: Callable[[], None] | None = None
    """Called right before each request that is not a read is sent, waiting for a turn included; it raises to stop it."""
    while_waiting: Callable[[], None] | None = None
    """Called twice a second while a request waits for its turn, or for another try; it raises to end the wait."""
    on_answer: Callable[[Heard], None] | None = None
    """Called with what each answer's headers tell, refusals included; by any thread."""


class Session(Protocol):
    """One tenant, connected. Every method raises the errors of `reconciler.errors`, with no secret in them.

    A create or regenerate whose outcome cannot be known raises `OutcomeUnknown`; nothing is repeated here but reads and
    writes that give the same result when made twice.
    """

    @property
    def calls(self) -> int:
        """How many requests were sent so far."""
        ...

    def observe(self, known: Sequence[KnownKey] = ()) -> ObservedTenant:
        """List everything that can be managed, with the documented minimum of calls.

        `known`: the keys of our records where the vendor does not list keys (`Traits.lists_keys`): those that cannot even be
        looked up are returned as they are known. Where listing reads in full only what carries a mark
        (`Traits.marked_only`): keys that are to be read in full without one.
        """
        ...

    def own_credential(self) -> OwnCredential:
        """Ask the product, by reads, about the credential that this session calls with.

        At least one call is made, so that a credential which the product refuses is an error, and never "not told".
        """
        ...

    def create_level(self, name: str, fields: Fields, mark: Mark) -> str:
        """Create an access level and return the vendor's id."""
        ...

    def update_level(self, vendor_id: str, fields: Fields, mark: Mark) -> None:
        """Make the level's fields what is given (all of them), mark included. Repeating it is harmless.

        Only `state`, where levels have one, may be left out: then it stays as it is, even if somebody has just changed it.
        """
        ...

    def delete_level(self, vendor_id: str) -> None:
        """Delete it; one that is gone already is success."""
        ...

    def create_key(self, name: str, fields: Fields, level_id: str, mark: Mark) -> Issued:
        """Create a key. Its secret exists only in what this returns.

        Where a product needs several steps, this makes the least that gives a secret; `finish_key` does the rest.
        """
        ...

    def finish_key(self, vendor_id: str, fields: Fields, level_id: str, mark: Mark) -> None:
        """Whatever a new key needs beyond its creation, once its secret is stored. Repeating it is harmless."""
        ...

    def accept_key(self, fields: Mapping[str, Secret | str]) -> Issued:
        """A key that a person made in the console, from `Capabilities.handoff_fields`. Makes no call.

        InvalidInput if the id or the secret cannot be one; where the product has no handoffs, always.
        """
        ...

    def clicked(self, name: str, since: datetime) -> str | None:
        """The id of a key of that name that a person has made in the console since then, where the vendor can tell."""
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


class Trace(NamedTuple):
    """What a vendor's audit log says of a change: who, when (UTC) and what, in the vendor's words."""

    actor: str
    at: datetime
    what: str


@runtime_checkable
class Auditing(Protocol):
    """A session to a vendor whose audit log tells who changed a key. Not every session is one."""

    def last_change(self, vendor_id: str, since: datetime) -> Trace | None:
        """The newest entry since then about a key that is neither ours nor about its use. None where there is none."""
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

    def traits(self, tenant: DesiredTenant) -> Traits:
        """How this tenant's objects behave: its options may choose."""
        ...

    def check_tenant(self, tenant: DesiredTenant) -> Iterable[Problem]:
        """Problems of the tenant's own spec (endpoint, credential fields, options, endpoint map)."""
        ...

    def check_level(self, level: DesiredLevel) -> Iterable[Problem]:
        """Problems of an access level's spec: permissions against the vendor's contract."""
        ...

    def check_key(self, key: DesiredKey) -> Iterable[Problem]:
        """Problems of a key's spec: options, time zones, scope, fields that this vendor cannot honour."""
        ...

    def level_fields(self, level: DesiredLevel) -> Fields:
        """The level in canonical form, comparable with `Observed.fields`."""
        ...

    def key_fields(self, key: DesiredKey) -> Fields:
        """The key in canonical form, its level left out, comparable with `Observed.fields`."""
        ...

    def level_spec(self, found: Observed) -> Mapping[str, Any] | None:
        """The manifest's `spec` of a level that exists, as YAML gives it: `level_fields` of it are the fields found.

        None if no manifest can say it: its permissions are not told, or levels are not managed here.
        """
        ...

    def key_spec(self, found: Observed) -> Mapping[str, Any] | None:
        """The manifest's `spec` of a key that exists, without `accessLevel` and `serviceUser`.

        `key_fields` of it are the fields found, the name apart, as far as the vendor tells them. None if no manifest can
        say it, or if too little of it was read to say it without widening it. What no manifest may say (an unknown option)
        is in it all the same: `check_key` has the reason.
        """
        ...

    def permissions_schema(self) -> Mapping[str, Any]:
        """JSON Schema (2020-12) of `AccessLevel.spec.permissions` for this provider, with descriptions."""
        ...

    def options_schema(self) -> Mapping[str, Any]:
        """JSON Schema of `ApiKey.spec.options` for this provider."""
        ...

    def scope_schema(self) -> Mapping[str, Any] | None:
        """JSON Schema of a scope (`ApiKey.spec.scope`, `Scope.spec.scope`) for this provider; None: it has no scopes."""
        ...

    def tenant_options_schema(self) -> Mapping[str, Any]:
        """JSON Schema of `Tenant.spec.options` for this provider."""
        ...

    def console_steps(self, tenant: DesiredTenant, write: Write, step: Step) -> tuple[str, ...]:
        """What to click and to enter in the console, a line each, for a write that is made by hand; else nothing."""
        ...

    def key_file(self, content: bytes) -> Mapping[str, Secret | str]:
        """The handoff fields from the file that the vendor's console gives out for a new key.

        InvalidInput, quoting nothing of it, if it is no such file, or if the product has none.
        """
        ...

    def connect(self, endpoint: str, credential: Credential, settings: ConnectionSettings) -> Session:
        """Open a session. Makes no call yet."""
        ...
