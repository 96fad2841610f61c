"""What one tenant is planned from, and the plan while it grows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from reconciler.model import dates
from reconciler.model.action import Action, Blocked, Change, Difference, Note, Origin, Waiting
from reconciler.model.desired import DesiredKey, DesiredLevel, DesiredTenant, Source, VaultPath
from reconciler.model.mark import Mark
from reconciler.model.names import ObjectId
from reconciler.model.observed import Observed, ObservedTenant, SecretMetadata
from reconciler.model.state import Record, StateDocument
from reconciler.plan import outdated
from reconciler.plan.origin import Sides, field_name, ignoring, kept
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
    clicked: Mapping[ObjectId, str] = field(default_factory=dict)
    """Open handoffs whose key somebody has made in the console, and its id, where the vendor can tell."""
    rotate: frozenset[ObjectId] = frozenset()
    """Keys that somebody asked to rotate now."""
    drop_previous: frozenset[ObjectId] = frozenset()
    """Keys whose former generation goes now, its overlap over or not."""


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
    waiting: list[Waiting] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    vanished: int = 0
    renamed: dict[ObjectId, ObjectId] = field(default_factory=dict)
    """Objects that the state knows under a former name: new name to old."""
    outdated: Mapping[ObjectId, str] = field(init=False)
    """Keys that show that the state is older than they are, and by what."""

    def __post_init__(self) -> None:
        document = self.view.document
        if document is not None:
            for old, new in renames(self.desired, document):
                document = document.rename(str(old), str(new))
                self.renamed[new] = old
        self.owners = Ownership(self.view.observed, document, self.owner_tag)
        self.traits = self.provider.traits(self.desired)
        self.outdated = outdated.signs(self.desired, self.view.secrets, self.owners, lists_keys=self.traits.lists_keys)

    def block_outdated(self, object_id: ObjectId, source: Source | None = None) -> bool:
        """Block an object of which there is more than the state knows, if the state is an old one."""
        reason = self.outdated.get(object_id, "")
        if self.outdated and not reason:
            newer = [item for item in self.owners.orphans(object_id.kind) if self._is_later(object_id, item)]
            reason = ", ".join(
                f"generation {item.mark.generation} (id {item.vendor_id}) exists" for item in newer if item.mark
            )
        if reason:
            self.block(
                object_id,
                f"the state is older than what it describes: {reason}",
                f"was it restored from a snapshot? `reconciler state rebuild {self.desired.name}` brings it up to date",
                source,
            )
        return bool(reason)

    def _is_later(self, object_id: ObjectId, item: Observed) -> bool:
        return item.name == object_id.name and outdated.is_newer(self.owners, item)

    def block(self, object_id: ObjectId, reason: str, hint: str = "", source: Source | None = None) -> None:
        """Record that this object cannot be reconciled."""
        self.blocked.append(Blocked(object_id, reason, hint, source))

    def note(self, object_id: ObjectId | None, text: str) -> None:
        """Record something that needs no action."""
        self.notes.append(Note(object_id, text))

    def differ(
        self,
        desired: DesiredKey | DesiredLevel,
        found: Observed,
        sides: Sides,
        changes: Iterable[Change],
        former: int = 0,
    ) -> tuple[list[Change], tuple[Change, ...]]:
        """Take note of an object's differences. Gives those to be repaired, and those that its manifest leaves alone."""
        of_key = isinstance(desired, DesiredKey)
        noted = []
        for change in changes:
            origin = sides.origin(change)
            left = (
                ignoring(desired.ignore_drift, change, self.view.now, of_key=of_key)
                if origin is not Origin.GIT
                else None
            )
            noted.append(Difference(desired.id, found.vendor_id, change, origin, left, former))
        self.differences += noted
        for left in dict.fromkeys(one.ignored for one in noted if one.ignored is not None and not former):
            fields = ", ".join(field_name(one.change, of_key=of_key) for one in noted if one.ignored == left)
            self.note(desired.id, f"{fields}: left as found until {dates.written(left.until)}: {left.reason}")
        return [one.change for one in noted if one.ignored is None], kept(noted)

    def other_names(self, name: ObjectId, record: Record) -> tuple[str, ...]:
        """What an object may be called at the vendor beside its manifest's name."""
        former = self.renamed.get(name)
        return tuple(filter(None, (record.vendor_name, former.name if former else "")))

    def mark_is_lost(self, found: Observed, record: Record) -> bool:
        """Whether somebody edited our mark away (it is put back by the next update)."""
        if record.adopted and found.mark is None:
            return False
        return found.mark is None or found.mark != Mark(self.owner_tag, found.mark.generation, record.nonce)

    def note_lost_mark(self, name: ObjectId, found: Observed) -> Change:
        """Take note that our mark is gone. Gives the change that puts it back."""
        change = Change("mark", "missing", "restored")
        self.differences.append(Difference(name, found.vendor_id, change, Origin.VENDOR))
        return change

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


UNDECLARED: Final = (
    "adopted, and no manifest declares it: it is left as it is. Merge the manifest that `import` wrote for it; "
    "a key is removed by declaring it with state: absent"
)


def is_untouched(draft: Draft, record: Record, found: Observed) -> bool:
    """Whether an object was adopted and nothing has been done to it since: no mark, no secret of ours.

    Its manifest may not be merged yet where this run looks, so that a missing one does not mean that somebody removed it.
    """
    if not record.adopted or record.version or record.revoked is not None:
        return False
    shows_marks = found.kind.is_level or draft.traits.lists_keys  # else the mark is what our own record says
    return found.mark is None or not shows_marks


def renames(desired: DesiredTenant, document: StateDocument) -> Iterator[tuple[ObjectId, ObjectId]]:
    """Which objects the state knows under a name that their manifests call a former one: (old, new)."""
    wanted: tuple[DesiredLevel | DesiredKey, ...] = (*desired.levels, *desired.keys)
    for item in wanted:
        if not item.previous_names or str(item.id) in document.objects:
            continue
        former = (ObjectId(item.id.kind, name) for name in item.previous_names)
        found = next((old for old in former if str(old) in document.objects or str(old) in document.intents), None)
        if found is not None:
            yield found, item.id
