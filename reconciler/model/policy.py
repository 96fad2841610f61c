"""Rules about keys, waivers from them, and the variables that rules are written over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from reconciler.model.desired import Source
from reconciler.model.names import ObjectId

MAX_LENGTH: Final = 1000
"""Characters of an expression, and of what is said with it."""

Param = bool | int | str | timedelta | tuple[str, ...]
"""The value of a rule's parameter."""


class Type(StrEnum):
    """The type of a variable, as CEL calls it."""

    TEXT = "string"
    BOOL = "bool"
    INT = "int"
    TIME = "timestamp"
    DURATION = "duration"
    TEXTS = "list(string)"
    LABELS = "map(string, string)"
    TREE = "map(string, dyn)"

    @classmethod
    def of(cls, value: Param) -> Type:
        """The type of a parameter."""
        if isinstance(value, bool):
            return cls.BOOL
        known = {int: cls.INT, str: cls.TEXT, timedelta: cls.DURATION, tuple: cls.TEXTS}
        return known[type(value)]


class Variable(NamedTuple):
    """One thing that an expression can ask for. A `nullable` one is `null` where there is none."""

    name: str
    type: Type
    description: str
    nullable: bool = False


VARIABLES: Final = (
    Variable("key.name", Type.TEXT, "the key's name"),
    Variable("key.owner", Type.TEXT, "who answers for it; empty if nobody is named"),
    Variable("key.description", Type.TEXT, "what it is for"),
    Variable("key.labels", Type.LABELS, "its labels"),
    Variable("key.annotations", Type.LABELS, "its annotations"),
    Variable("key.expires", Type.TIME, "the first moment at which it no longer works", nullable=True),
    Variable("key.rotation.every", Type.DURATION, "how often it gets a new secret", nullable=True),
    Variable("key.rotation.overlap", Type.DURATION, "how long the old secret goes on working", nullable=True),
    Variable("key.allowedIPs", Type.TEXTS, "networks that it may be used from, lists resolved; empty for any"),
    Variable("key.state", Type.TEXT, "`active` or `locked`"),
    Variable("key.scope", Type.TREE, "what it reaches; empty if it has no scope"),
    Variable("key.options", Type.TREE, "what only its vendor has"),
    Variable("key.protect", Type.BOOL, "whether it is protected"),
    Variable("level.kind", Type.TEXT, "`AccessLevel` or `ServiceUser`"),
    Variable("level.name", Type.TEXT, "what gives the key its permissions: its name here, or at the vendor"),
    Variable("level.existing", Type.BOOL, "whether it exists at the vendor and is not declared here"),
    Variable("level.owner", Type.TEXT, "who answers for it"),
    Variable("level.labels", Type.LABELS, "its labels; its own, not the key's"),
    Variable("level.annotations", Type.LABELS, "its annotations"),
    Variable("level.permissions", Type.TEXTS, "its permissions as paths such as `org.alerts.READ`; empty if existing"),
    Variable("level.tree", Type.TREE, "its permissions as the manifest has them"),
    Variable("level.highRisk", Type.TEXTS, "those of its permissions that the vendor's page calls high-risk"),
    Variable("level.keys", Type.INT, "how many keys of the tenant have it"),
    Variable("tenant.name", Type.TEXT, "the tenant's name"),
    Variable("tenant.provider", Type.TEXT, "the product, such as `cortex-cloud`"),
    Variable("tenant.endpoint", Type.TEXT, "the base address of its API"),
    Variable("tenant.labels", Type.LABELS, "its labels"),
    Variable("tenant.supports", Type.TEXTS, "fields of a key that the product can honour, such as `allowedIPs`"),
    Variable("change.kinds", Type.TEXTS, "what is planned for the key, such as `create`; empty for nothing"),
    Variable("change.fields", Type.TEXTS, "the fields that would change"),
    Variable("observed.exists", Type.BOOL, "whether the key was found at the vendor"),
    Variable("observed.lastUsed", Type.TIME, "when the vendor saw it in use", nullable=True),
    Variable("observed.deprecated", Type.TEXT, "why its type is deprecated; empty if it is not"),
    Variable("now", Type.TIME, "the time of the run"),
)
"""What every expression can ask for. A rule's own parameters come on top, as `params.NAME`."""

ONLINE: Final = ("change.", "observed.")
"""How the variables begin that only a plan can tell."""


class Effect(StrEnum):
    """What a violation does."""

    DENY = "deny"
    """It stops `plan` and `apply` (exit code 3)."""
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule about keys: what must be true of each. Expressions are CEL over `VARIABLES`."""

    id: str
    assertion: str
    effect: Effect
    message: str
    """What a violation says; `{{ … }}` in it are expressions."""
    source: Source
    description: str = ""
    match: str = ""
    """Which keys it is for; empty: every one."""
    hint: str = ""
    reference: str = ""
    """Where the fact stands that it is built on."""
    params: Mapping[str, Param] = field(default_factory=dict)
    """Expressions have them as `params.NAME`."""
    builtin: bool = False


@dataclass(frozen=True, slots=True)
class Waiver:
    """Leave for one object to break one rule, until a moment (UTC, exclusive).

    Of an access level or a service user, it holds for all of its keys in the tenant.
    """

    name: str
    rule: str
    tenant: str
    object: ObjectId
    reason: str
    approver: str
    until: datetime
    source: Source

    @property
    def where(self) -> str:
        """`tenant/Kind/name`."""
        return f"{self.tenant}/{self.object}"


@dataclass(frozen=True, slots=True)
class Policies:
    """All rules that are on, sorted by id, and all waivers."""

    rules: tuple[Rule, ...] = ()
    waivers: tuple[Waiver, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rules or self.waivers)


NO_POLICIES: Final = Policies()
