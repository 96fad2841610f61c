"""A tenant's state computed anew from what still tells: the marks at the vendor, and Vault's metadata.

For a state document that was lost, or that was restored from an old snapshot. A pure function: it knows the manifests (for
names and paths), the vendor's list, the metadata of the secrets, and the document as it is, as far as there is one.

A key with this tenant's mark is ours. Its secret is in Vault if the entry's metadata names just this key; otherwise the
secret counts as missing, and the next plan issues it anew. What cannot be told apart is left out, and named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.model.desired import DesiredKey, DesiredTenant, VaultPath
from reconciler.model.mark import Mark, handoff_nonce
from reconciler.model.names import NAME, Kind, ObjectId
from reconciler.model.observed import KnownKey, Observed, ObservedTenant, SecretMetadata
from reconciler.model.state import Intent, Phase, Previous, Record, Revoked, StateDocument
from reconciler.plan.ownership import Ownership, Unclear
from reconciler.providers.base import Traits
from reconciler.vault import tags

_NOTHING = SecretMetadata(current_version=0, live=False)


class Outcome(StrEnum):
    """What a rebuilding does to one object's record."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One record that will not be as it is."""

    object: ObjectId
    outcome: Outcome
    old: Record | None
    new: Record | None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a rebuilding goes by."""

    desired: DesiredTenant
    traits: Traits
    observed: ObservedTenant
    document: StateDocument | None
    secrets: Mapping[VaultPath, SecretMetadata]
    owner_tag: str
    now: datetime
    applied: Mapping[ObjectId, Mapping[str, str]] = field(default_factory=dict)
    """Digests, as Git says them, of what the vendor does not tell: nothing else is left to go by."""


@dataclass(slots=True)
class Rebuilt:
    """The new records and intents, how they differ from the old ones, and what was left out."""

    objects: dict[str, Record] = field(default_factory=dict)
    intents: dict[str, Intent] = field(default_factory=dict)
    notes: list[tuple[ObjectId, str]] = field(default_factory=list)
    before: Mapping[str, Record] = field(default_factory=dict)

    @property
    def differences(self) -> Iterator[Difference]:
        """Every record that changes, by name."""
        for text in sorted({*self.before, *self.objects}):
            old, new = self.before.get(text), self.objects.get(text)
            if old == new:
                continue
            outcome = Outcome.ADDED if old is None else Outcome.REMOVED if new is None else Outcome.CHANGED
            yield Difference(ObjectId.parse(text), outcome, old, new)

    @property
    def gist(self) -> tuple[object, ...]:
        """What must be the same for two rebuildings to say the same, moments left out."""
        records = sorted((name, r.vendor_id, r.generation, r.path, r.version) for name, r in self.objects.items())
        return tuple(records), tuple(sorted(self.intents)), tuple(self.notes)


def paths_of(desired: DesiredTenant, document: StateDocument | None) -> set[VaultPath]:
    """The entries whose metadata is needed."""
    paths = {key.secret_path for key in desired.keys}
    for record in document.objects.values() if document is not None else ():
        places = (record, record.previous) if record.previous is not None else (record,)
        paths |= {VaultPath(place.mount, place.path) for place in places if place.path}
    return paths


def known_keys(
    desired: DesiredTenant, document: StateDocument | None, secrets: Mapping[VaultPath, SecretMetadata], owner_tag: str
) -> Iterator[KnownKey]:
    """What a vendor that lists no keys has to be told: the keys of the old records, and those that Vault names."""
    for text, record in document.objects.items() if document is not None else ():
        object_id = ObjectId.parse(text)
        if object_id.kind is Kind.API_KEY and record.vendor_id:
            mark = Mark(owner_tag, record.made or record.generation, record.nonce)
            yield KnownKey(record.vendor_id, object_id.name, mark, record.level_id)
    old = document.objects if document is not None else {}
    for key in desired.keys:
        issued = tags.issued_of(secrets.get(key.secret_path, _NOTHING), desired.name, _names(key))
        record_now = old.get(str(key.id))
        if issued is not None and (record_now is None or record_now.vendor_id != issued.vendor_id):
            nonce = handoff_nonce(owner_tag, str(key.id), issued.generation)
            yield KnownKey(issued.vendor_id, key.name, Mark(owner_tag, issued.generation, nonce), "")


def rebuild(facts: Facts) -> Rebuilt:
    """Compute records and intents anew. Calls nobody, and changes nothing."""
    return _Rebuilding(facts).run()


def _names(key: DesiredKey) -> tuple[str, ...]:
    return (key.name, *key.previous_names)


@dataclass(frozen=True, slots=True)
class _Case:
    """One key: what was found of it, and what manifests, old state and Vault say of it."""

    name: ObjectId
    found: Sequence[Observed]
    old: Record | None
    desired: DesiredKey | None
    path: VaultPath | None
    secret: SecretMetadata
    issued: tags.Issued | None
    revoked: Revoked | None


@dataclass(slots=True)
class _Rebuilding:
    facts: Facts
    result: Rebuilt = field(default_factory=Rebuilt)
    _owners: Ownership = field(init=False)

    def __post_init__(self) -> None:
        self._owners = Ownership(self.facts.observed, self.facts.document, self.facts.owner_tag)

    def run(self) -> Rebuilt:
        document = self.facts.document
        if document is not None:
            self.result.before = document.objects
            self.result.intents = dict(document.intents)  # what a run left open is for the recovery
        for kind in Kind:
            found = self._marked(kind)
            names = {*found, *(i.name for i in map(ObjectId.parse, self.result.before) if i.kind is kind)}
            if kind is Kind.API_KEY:  # one that is revoked may be known to Vault alone
                names |= {key.name for key in self.facts.desired.keys}
            for name in sorted(names):
                make = self._level if kind.is_level else self._key
                record = make(ObjectId(kind, name), found.get(name, []))
                if record is not None:
                    self.result.objects[f"{kind}/{name}"] = record
        return self.result

    def _marked(self, kind: Kind) -> dict[str, list[Observed]]:
        """The vendor's objects with this tenant's mark, by name, the latest generation first."""
        pending = {intent.nonce for intent in self.result.intents.values()}
        found: dict[str, list[Observed]] = {}
        for item in self.facts.observed.of(kind):
            mark = item.mark
            if mark is None or mark.estate != self.facts.owner_tag or item.builtin or mark.nonce in pending:
                continue
            if NAME.fullmatch(item.name) is None:
                self._note(
                    ObjectId(kind, "unknown"), f"id {item.vendor_id} has our mark, and a name that none of ours has"
                )
                continue
            found.setdefault(item.name, []).append(item)
        for items in found.values():
            items.sort(key=_generation, reverse=True)
        return found

    # -- access levels -----------------------------------------------------------------------------------------------------

    def _level(self, name: ObjectId, found: Sequence[Observed]) -> Record | None:
        old = self._old(name)
        if old is not None and (kept := self._stands(name, old, found)):
            return kept
        if len(found) > 1:
            self._leave_out(name, found)
            return None
        if not found:
            return None
        desired = next((level for level in self.facts.desired.levels if level.id == name), None)
        return self._record(
            found[0], old, desired.owner if desired else None, protect=desired.protect if desired else None,
            applied=self.facts.applied.get(name, {}),
        )  # fmt: skip

    # -- keys --------------------------------------------------------------------------------------------------------------

    def _key(self, name: ObjectId, found: Sequence[Observed]) -> Record | None:
        key = self._case(name, found)
        current = self._current(key)
        if current is None:
            return _buried(key, self._absent(key), self.facts.owner_tag)
        desired, record = key.desired, key.old
        if record is None or not self._is(record, current) or not self._secret_stands(record):
            record = self._record(
                current, key.old, desired.owner if desired else None, protect=desired.protect if desired else None,
                expires=desired.expires if desired else None, applied=self.facts.applied.get(name, {}),
            )  # fmt: skip
            record = self._with_secret(key, record)
        return _buried(key, self._with_previous(key, record), self.facts.owner_tag)

    def _case(self, name: ObjectId, found: Sequence[Observed]) -> _Case:
        old = self._old(name)
        desired = next((key for key in self.facts.desired.keys if key.id == name), None)
        path = desired.secret_path if desired is not None else None
        if old is not None and old.path:
            path = VaultPath(old.mount, old.path)
        secret = self.facts.secrets.get(path, _NOTHING) if path is not None else _NOTHING
        names, tenant = _names(desired) if desired is not None else (name.name,), self.facts.desired.name
        revoked = (old.revoked if old else None) or tags.revoked_of(secret, tenant, names)
        return _Case(name, found, old, desired, path, secret, tags.issued_of(secret, tenant, names), revoked)

    def _current(self, key: _Case) -> Observed | None:
        """Which of the keys of that name is the one whose secret consumers read."""
        found, old = key.found, key.old
        if key.issued is not None and key.secret.live:
            named = [item for item in found if item.vendor_id == key.issued.vendor_id]
            if named:
                return named[0]
        if len(found) > 1 and _generation(found[0]) == _generation(found[1]):
            self._leave_out(key.name, found)
            return None
        if found:
            return found[0]
        again = self._owners.recorded(key.name, old.vendor_id, old.nonce) if old is not None else None
        return again if isinstance(again, Observed) else None

    def _absent(self, key: _Case) -> Record | None:
        """A record whose key is not there, or cannot be told: it goes, unless it says more than that."""
        old = key.old
        if old is None or key.found:
            return None
        if isinstance(self._owners.recorded(key.name, old.vendor_id, old.nonce), Unclear):
            self._note(key.name, f"id {old.vendor_id} is another's now, without our mark: its record stays as it is")
            return old
        return old if old.revoked is not None or not self.facts.traits.lists_keys else None

    def _secret_stands(self, old: Record) -> bool:
        """Whether the record's secret is the current version of its path still, or is nobody's to know."""
        if old.adopted and not old.version:
            return True
        secret = self.facts.secrets.get(VaultPath(old.mount, old.path), _NOTHING)
        return secret.live and secret.current_version == old.version

    def _with_secret(self, key: _Case, record: Record) -> Record:
        """Where its secret is. One that is not known to be this key's counts as missing."""
        path, secret, issued = key.path, key.secret, key.issued
        if path is None:
            return record
        place: dict[str, object] = {"mount": path.mount, "path": path.path, "version": secret.current_version}
        if issued is not None and issued.vendor_id == record.vendor_id and secret.live:
            generation = max(issued.generation, record.generation)
            return record.model_copy(update={**place, "generation": generation, "issued_at": secret.updated})
        if key.revoked is not None or not secret.live:
            return record.model_copy(update=place)
        if issued is None:
            self._note(key.name, f"the secret at {path} does not say whose it is: it counts as not ours")
            return record
        self._note(key.name, f"the secret at {path} is of id {issued.vendor_id}: the next plan issues a new one")
        # No version of it is this key's, and the record says so until one is: that outlives any plan that is refused.
        return record.model_copy(update={**place, "version": 0})

    def _with_previous(self, key: _Case, record: Record) -> Record:
        """The generation before, which goes on working until its overlap ends; any others are left out."""
        rest = [item for item in key.found if item.vendor_id != record.vendor_id]
        if record.previous is not None and any(item.vendor_id == record.previous.vendor_id for item in rest):
            self._leave_out(key.name, [item for item in rest if item.vendor_id != record.previous.vendor_id])
            return record
        if not rest:
            gone = record.previous is not None and self.facts.traits.lists_keys
            return record.model_copy(update={"previous": None}) if gone else record
        self._leave_out(key.name, rest[1:])
        rotation = key.desired.rotation if key.desired is not None else None
        overlap = rotation.overlap if rotation is not None else timedelta(0)
        mark = rest[0].mark
        previous = Previous(
            vendor_id=rest[0].vendor_id,
            generation=_generation(rest[0]),
            nonce=mark.nonce if mark is not None else "",
            until=(key.secret.updated or self.facts.now) + overlap,
        )
        return record.model_copy(update={"previous": previous})

    # -- both --------------------------------------------------------------------------------------------------------------

    def _old(self, name: ObjectId) -> Record | None:
        return self.result.before.get(str(name))

    def _is(self, old: Record, item: Observed) -> bool:
        return old.vendor_id == item.vendor_id and (item.mark is None or item.mark.nonce == old.nonce)

    def _stands(self, name: ObjectId, old: Record, found: Sequence[Observed]) -> Record | None:
        """The old record, if what it names is there."""
        if any(self._is(old, item) for item in found):
            self._leave_out(name, [item for item in found if not self._is(old, item)])
            return old
        again = None if found else self._owners.recorded(name, old.vendor_id, old.nonce)
        return old if again is not None else None

    def _record(
        self,
        item: Observed,
        old: Record | None,
        owner: str | None,
        *,
        protect: bool | None,
        expires: datetime | None = None,
        applied: Mapping[str, str],
    ) -> Record:
        """What vendor and manifests say of an object. What nobody declares is protected: nobody can tell any more."""
        mark = item.mark
        same = old is not None and self._is(old, item)
        if protect is None:
            protect = old.protect if old is not None else True
            if old is None:
                self._note(
                    ObjectId(item.kind, item.name),
                    "no manifest declares it: whether it was protected is lost, so it is",
                )
        return Record(
            vendor_id=item.vendor_id,
            generation=old.generation if old is not None and same else _generation(item),
            made=_generation(item),
            nonce=mark.nonce if mark is not None else old.nonce if old is not None else "",
            expires=expires if expires is not None else old.expires if old is not None else None,
            owner=owner if owner is not None else old.owner if old is not None else "",
            protect=protect,
            handoff=old.handoff if old is not None and same else None,
            level_id=item.level_id or "",
            applied=old.applied if old is not None and same else applied,
            adopted=old.adopted if old is not None and same else False,
            vendor_name=old.vendor_name if old is not None and same else "",
        )

    def _leave_out(self, name: ObjectId, items: Iterable[Observed]) -> None:
        ids = ", ".join(f"id {item.vendor_id} (generation {_generation(item)})" for item in items)
        if ids:
            self._note(
                name, f"left out: {ids}; the next apply takes such keys for orphans and removes them: look first"
            )

    def _note(self, name: ObjectId, text: str) -> None:
        self.result.notes.append((name, text))


def _generation(item: Observed) -> int:
    return item.mark.generation if item.mark is not None else 1


def _buried(key: _Case, record: Record | None, owner_tag: str) -> Record | None:
    """The record with its tombstone: one is kept even where nothing else is left."""
    if key.revoked is None:
        return record
    if record is None:
        record = Record(
            vendor_id=key.issued.vendor_id if key.issued is not None else "",
            generation=key.issued.generation if key.issued is not None else 1,
            nonce=handoff_nonce(owner_tag, str(key.name), 0),
            mount=key.path.mount if key.path is not None else "",
            path=key.path.path if key.path is not None else "",
        )
    return record.model_copy(update={"revoked": key.revoked, "phase": Phase.REVOKED})
