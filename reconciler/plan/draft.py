"""What one tenant is planned from, and the plan while it grows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.model.action import Action, Blocked, Note
from reconciler.model.desired import DesiredTenant, Source, VaultPath
from reconciler.model.mark import Mark
from reconciler.model.names import ObjectId
from reconciler.model.observed import Observed, ObservedTenant, SecretMetadata
from reconciler.model.state import Record, StateDocument
from reconciler.plan.ownership import Ownership
from reconciler.providers.base import Provider, Traits


@dataclass(frozen=True, slots=True)
class TenantView:
    """Everything that was read about one tenant: the vendor's lists, our state, Vault's metadata, the server's time."""

    observed: ObservedTenant
    document: StateDocument | None
    state_version: int
    secrets: Mapping[VaultPath, SecretMetadata]
    now: datetime


@dataclass(slots=True)
class Draft:
    """The inputs of one tenant's plan, and what has been decided so far."""

    desired: DesiredTenant
    provider: Provider
    view: TenantView
    owner_tag: str
    owners: Ownership = field(init=False)
    traits: Traits = field(init=False)
    actions: list[Action] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    vanished: int = 0

    def __post_init__(self) -> None:
        self.owners = Ownership(self.view.observed, self.view.document, self.owner_tag)
        self.traits = self.provider.traits(self.desired)

    def block(self, object_id: ObjectId, reason: str, hint: str = "", source: Source | None = None) -> None:
        """Record that this object cannot be reconciled."""
        self.blocked.append(Blocked(object_id, reason, hint, source))

    def note(self, object_id: ObjectId | None, text: str) -> None:
        """Record something that needs no action."""
        self.notes.append(Note(object_id, text))

    def mark_is_lost(self, found: Observed, record: Record) -> bool:
        """Whether somebody edited our mark away (it is put back by the next update)."""
        return found.mark is None or found.mark != Mark(self.owner_tag, found.mark.generation, record.nonce)

    def block_foreign(self, object_id: ObjectId, source: Source | None) -> bool:
        """Block a creation if something of the same name exists that is not ours; orphans of ours do not count."""
        orphans = {item.vendor_id for item in self.owners.orphans(object_id.kind)}
        same = [
            item
            for item in self.owners.named(object_id.kind, object_id.name)
            if item.vendor_id not in orphans and not self.owners.is_ours(item)
        ]
        if not same:
            return False
        ids = ", ".join(item.vendor_id for item in same)
        if any(item.mark is not None for item in same):
            self.block(
                object_id,
                f"an object of this name exists (id {ids}) that carries a mark of another estate, or a copy of one of ours",
                "find out who owns it: another tenant, or a tenant that was renamed? Rename or remove it, then plan again",
                source,
            )
        else:
            self.block(
                object_id,
                f"an object of this name exists (id {ids}) that the reconciler did not create",
                "it is never touched or created over: choose another name, or remove it in the vendor's console",
                source,
            )
        return True
