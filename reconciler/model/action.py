"""What a plan consists of: actions, things that stand in the way, and notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from reconciler.model.desired import DesiredKey, DesiredLevel, IgnoredDrift, Source
from reconciler.model.impact import Impact
from reconciler.model.names import ObjectId
from reconciler.model.observed import Observed
from reconciler.model.state import Intent, Record


class ActionKind(StrEnum):
    """What a reviewer reads."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    ROTATE = "rotate"
    RETIRE = "retire"
    REPAIR = "repair"
    LOCK = "lock"
    UNLOCK = "unlock"
    DELETE = "delete"
    ADOPT = "adopt"


class Operation(StrEnum):
    """What the apply does for it."""

    CREATE = "create"
    """Create an access level, under an intent."""
    ISSUE = "issue"
    """Create a key and store its secret, under an intent."""
    REGENERATE = "regenerate"
    """Give an existing key a new secret and store it, under an intent."""
    UPDATE = "update"
    """Change fields in place."""
    RECORD = "record"
    """Change only what our state says (close or drop an intent, remember protection, an owner)."""
    DELETE = "delete"
    """Delete the object at the vendor, and every version of its secret."""
    REMOVE = "remove"
    """Delete one vendor-side incarnation (a retiring generation, an orphan); the current secret stays."""
    HAND_OFF = "hand-off"
    """Ask a person to do it in the vendor's console, and remember who was asked for what."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one object, old → new, in canonical values. `path` is the manifest's field, dotted for nested ones."""

    path: str
    old: Any
    new: Any


class Origin(StrEnum):
    """Who made a field differ: found by holding both sides against what the last apply asked for."""

    VENDOR = "vendor"
    GIT = "git"
    BOTH = "both"
    """The vendor has not what was asked for, and the manifests want something else again."""
    UNKNOWN = "unknown"
    """Nothing is remembered of this field: an older version applied it, or the state was rebuilt."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field in which an object at the vendor is not as the manifests want it, and who made it differ."""

    object: ObjectId
    vendor_id: str
    change: Change
    origin: Origin
    ignored: IgnoredDrift | None = None
    """What of the manifest leaves it alone, if anything does."""
    former: int = 0
    """The generation, if it is one in its overlap and not the current one."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do to one object, with what an apply needs to do it."""

    kind: ActionKind
    operation: Operation
    object: ObjectId
    changes: tuple[Change, ...] = ()
    reason: str = ""
    wanted: str = ""
    """Digest of the desired object and of what it depends on."""
    seen: str = ""
    """Digest of the observed object and its record, volatile facts left out."""
    desired: DesiredLevel | DesiredKey | None = None
    observed: Observed | None = None
    record: Record | None = None
    intent: Intent | None = None
    vendor_id: str = ""
    """What is updated, regenerated or deleted."""
    generation: int = 1
    """The generation that this leads to."""
    base_version: int = 0
    """The version of the secret's path when this was planned: the base for check-and-set."""
    level_id: str | None = None
    """Keys: the vendor's id of the wanted access level, None while it does not exist yet."""
    overlap: timedelta = timedelta(0)
    """Issuing beside a key that lives: how long that one goes on working."""
    renamed_from: str = ""
    """The object's name (`Kind/name`) in the state so far, if its manifest has another one now."""
    by_hand: Operation | None = None
    """A handoff: what the person does."""
    steps: tuple[str, ...] = ()
    """A handoff: what to click and to enter."""
    impact: Impact = Impact.NEUTRAL
    """What it means for access."""
    affects: tuple[str, ...] = ()
    """Actions on levels that mean something for access: the names of the declared keys that have the level."""
    kept: tuple[Change, ...] = ()
    """Fields that stay as they are at the vendor, for the manifest ignores their drift."""

    @property
    def key(self) -> DesiredKey:
        """The key that is wanted; TypeError for an action that wants none."""
        if not isinstance(self.desired, DesiredKey):
            raise TypeError(f"{self.kind} of {self.object} wants no key")
        return self.desired

    @property
    def level(self) -> DesiredLevel:
        """The access level that is wanted; TypeError for an action that wants none."""
        if not isinstance(self.desired, DesiredLevel):
            raise TypeError(f"{self.kind} of {self.object} wants no access level")
        return self.desired

    @property
    def source(self) -> Source | None:
        """The manifest that asks for it, if one does."""
        return self.desired.source if self.desired is not None else None


@dataclass(frozen=True, slots=True)
class Blocked:
    """An object that cannot be reconciled, why, and what a person should do."""

    object: ObjectId
    reason: str
    hint: str = ""
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A handoff that an earlier run opened: what the person does (as if it were planned now), who asked, and when."""

    action: Action
    opened: datetime
    by: str
    clicked: str = ""
    """The id of what somebody has made already, where the vendor's audit log tells."""
    intent: Intent | None = None

    @property
    def object(self) -> ObjectId:
        """What it is about."""
        return self.action.object


@dataclass(frozen=True, slots=True)
class Note:
    """Something a reviewer should know that needs no action of ours."""

    object: ObjectId | None
    text: str


@dataclass(frozen=True, slots=True)
class TenantPlan:
    """Everything about one tenant, in the order in which it will be done."""

    tenant: str
    provider: str
    endpoint: str
    actions: tuple[Action, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    notes: tuple[Note, ...] = ()
    unmanaged: tuple[Observed, ...] = ()
    population: int = 0
    """Objects of ours that exist: what guardrail ratios count against."""
    state_version: int = 0
    """Version of the state document that this was planned on; 0 if there is none yet."""
    vanished: int = 0
    """Recorded objects that the vendor no longer lists and nobody asked to remove."""
    waiting: tuple[Waiting, ...] = ()
    """Handoffs that are open already: nothing is asked for twice."""
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What only the vendor knows of the keys of ours that were found (`Observed.facts`), by their names in the manifests."""
    differences: tuple[Difference, ...] = ()
    """Where objects differ from their manifests, whatever is done about it."""
