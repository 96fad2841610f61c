"""The state document of one tenant: the non-secret facts about what is ours. Its format is PROTOCOL's, version 1.

Records say what exists, intents what was about to happen when a run last wrote, the lease who may write now.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

FORMAT: Final = 1


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class IntentAction(StrEnum):
    """What a run was about to do at the vendor."""

    CREATE = "create"
    REGENERATE = "regenerate"


class Phase(StrEnum):
    """Where a key is in its life (PROTOCOL.md, "Rotation")."""

    ISSUING = "issuing"
    CURRENT = "current"
    LOCKED = "locked"
    QUARANTINED = "quarantined"
    REVOKED = "revoked"
    BLOCKED = "blocked"
    ORPHANED = "orphaned"
    """Left at the vendor as it is, on request: known, so that it is not taken for a lost creation."""


class Lease(_Document):
    """Who may write. `expires` is the Vault server's time, UTC."""

    run: str
    holder: str
    since: datetime
    expires: datetime


class HandoffAction(StrEnum):
    """What a person was asked to do in the vendor's console."""

    CREATE = "create"
    REGENERATE = "regenerate"
    UPDATE = "update"
    DELETE = "delete"


class Handoff(_Document):
    """A step that waits for a person. `wanted` is the digest of what was asked for, to notice that it has changed since."""

    action: HandoffAction
    opened: datetime
    by: str
    wanted: str = ""
    vendor_id: str = ""
    """What is to be changed or deleted."""
    rotation: bool = False
    """Whether the new key was asked for as a rotation, due or not."""


class Previous(_Document):
    """The generation before the current one, which goes on working until `until`."""

    vendor_id: str
    generation: int
    nonce: str
    until: datetime
    mount: str = ""
    path: str = ""
    """Where its secret still lies, if the key's path has moved since; empty otherwise."""
    vendor_name: str = ""
    """What an adopted key is called at the vendor: it carries no mark to be known by."""


class Revoked(_Document):
    """A tombstone: recovery of this object only ever removes."""

    at: datetime
    by: str
    reason: str


class Record(_Document):
    """One object that is ours."""

    vendor_id: str
    generation: int = 1
    nonce: str
    phase: Phase = Phase.CURRENT
    mount: str = ""
    path: str = ""
    version: int = 0
    """The Vault version that holds the current secret; 0 for objects without one."""
    issued_at: datetime | None = None
    expires: datetime | None = None
    owner: str = ""
    protect: bool = False
    previous: Previous | None = None
    quarantine_until: datetime | None = None
    """A key that was taken out of Git is locked until then, and deleted after it."""
    adopted: bool = False
    """It was there before us: it carries no mark until we change it or issue its next generation.

    With `version` 0 its secret is not in Vault, for nobody knows it, and that is no fault to be repaired.
    """
    vendor_name: str = ""
    """What an adopted object is called at the vendor, where no manifest could have that name."""
    revoked: Revoked | None = None
    handoff: Handoff | None = None
    """A change or removal of this object that waits for a person."""
    made: int = 0
    """The generation in the object's mark: the one it was created in, for a new secret leaves the mark alone."""
    level_id: str = ""
    """Keys: the vendor's id of what gave the key its permissions when it was issued."""
    applied: Mapping[str, str] = Field(default_factory=dict)
    """Digests of what was last asked of the vendor, field by field. They stand in for what it does not tell back, and tell
    drift from a change in Git. A record that an older version wrote has the former only."""


class Intent(_Document):
    """What was about to be done, written before the vendor call. `base_version` is the secret path's version then."""

    run: str
    action: IntentAction
    generation: int = 1
    nonce: str
    base_version: int = 0
    mount: str = ""
    path: str = ""
    vendor_id: str = ""
    """The key whose secret is being regenerated; empty for a creation."""
    protect: bool = False
    """Whether what is being created is protected, for its manifest may be gone when a dead run is recovered from."""
    handoff: Handoff | None = None
    """The creation or the new secret waits for a person, not for a run."""
    level_id: str = ""
    applied: Mapping[str, str] = Field(default_factory=dict)
    overlap: float = 0.0
    """Seconds that the generation before goes on working."""


class StateDocument(_Document):
    """All of one tenant. Keys of `objects` and `intents` are `Kind/name`."""

    format: Literal[1] = FORMAT
    estate: UUID
    tenant: str
    provider: str
    endpoint: str
    credentials: Mapping[str, Any] = Field(default_factory=dict)
    options: Mapping[str, Any] = Field(default_factory=dict)
    """The tenant's options, for an emergency that has no manifests."""
    endpoint_map: Mapping[str, Any] | None = None
    lease: Lease | None = None
    objects: Mapping[str, Record] = Field(default_factory=dict)
    intents: Mapping[str, Intent] = Field(default_factory=dict)

    def locks_leaked_keys(self, owner_id: str) -> bool:
        """Whether a revoked key of this owner of keys still exists: unlocking the owner would revive it."""
        return any(
            record.revoked is not None
            and record.level_id == owner_id
            and (bool(record.vendor_id) or record.previous is not None)
            for record in self.objects.values()
        )

    def record(self, key: str, record: Record | None) -> StateDocument:
        """A copy in which the object has this record, or none."""
        return self.model_copy(update={"objects": _put(self.objects, key, record)})

    def amend(self, key: str, **update: object) -> StateDocument:
        """A copy in which these fields of the object's record are changed; the same if it has none."""
        record = self.objects.get(key)
        return self.record(key, record.model_copy(update=update)) if record is not None else self

    def rename(self, old: str, new: str) -> StateDocument:
        """A copy in which the object's record and open intent are known under another name."""
        return self.model_copy(
            update={"objects": _moved(self.objects, old, new), "intents": _moved(self.intents, old, new)}
        )

    def intend(self, key: str, intent: Intent | None) -> StateDocument:
        """A copy in which the object has this open intent, or none."""
        return self.model_copy(update={"intents": _put(self.intents, key, intent)})


def _moved(items: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    """What stands under the new name already stays."""
    moved = {key: value for key, value in items.items() if key != old}
    return moved if old not in items or new in items else {**moved, new: items[old]}


def _put(items: Mapping[str, Any], key: str, value: object | None) -> dict[str, Any]:
    changed = {k: v for k, v in items.items() if k != key}
    if value is not None:
        changed[key] = value
    return changed
