"""Who owns what: matches the vendor's objects with our records, intents and marks.

A name is not ownership. An object is ours if its id is in our records and its mark agrees, or if its mark's nonce is in an
open intent. This tenant's mark with a nonce that nobody knows is an orphan of ours: a creation that came late. Everything
else is foreign and stays untouched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reconciler.model.names import Kind, ObjectId
from reconciler.model.observed import Observed, ObservedTenant
from reconciler.model.state import Intent, Record, StateDocument


@dataclass(frozen=True, slots=True)
class Unclear:
    """The recorded id exists, but neither its mark nor its name is what we gave it."""

    observed: Observed


class Ownership:
    """An index over one tenant's observed objects and state document (None: there is none yet)."""

    def __init__(self, observed: ObservedTenant, document: StateDocument | None, owner_tag: str) -> None:
        self._tag = owner_tag
        self.has_state = document is not None
        self.records: Mapping[str, Record] = document.objects if document else {}
        self.intents: Mapping[str, Intent] = document.intents if document else {}
        self._by_id = {kind: {item.vendor_id: item for item in observed.of(kind)} for kind in Kind}
        self._by_name: dict[Kind, dict[str, list[Observed]]] = {kind: {} for kind in Kind}
        self._by_nonce: dict[Kind, dict[str, list[Observed]]] = {kind: {} for kind in Kind}
        for kind in Kind:
            for item in observed.of(kind):
                self._by_name[kind].setdefault(item.name, []).append(item)
                if item.mark is not None and item.mark.estate == owner_tag:
                    self._by_nonce[kind].setdefault(item.mark.nonce, []).append(item)
        self._claimed = self._claims()
        self._nonces = frozenset(self._known_nonces())
        self._orphans: dict[Kind, list[Observed]] = {}

    def _known_nonces(self) -> Iterator[str]:
        for record in self.records.values():
            yield record.nonce
            if record.previous is not None:
                yield record.previous.nonce
        for intent in self.intents.values():
            yield intent.nonce

    def _claims(self) -> dict[Kind, set[str]]:
        claimed: dict[Kind, set[str]] = {kind: set() for kind in Kind}
        for key, record in self.records.items():
            kind = ObjectId.parse(key).kind
            claimed[kind].add(record.vendor_id)
            if record.previous is not None:
                claimed[kind].add(record.previous.vendor_id)
        for key, intent in self.intents.items():
            object_id = ObjectId.parse(key)
            found = self.intended(object_id, intent)
            if found is not None:
                claimed[object_id.kind].add(found.vendor_id)
        return claimed

    def recorded(self, object_id: ObjectId, vendor_id: str, nonce: str, *names: str) -> Observed | Unclear | None:
        """The object that a record names: found, gone (None), or something else under the same id (Unclear).

        Without a mark it is known by its name: the manifest's, an adopted object's own, or one of `names` (a former one).
        """
        found = self._by_id[object_id.kind].get(vendor_id)
        if found is None:
            return None
        if found.mark is not None and found.mark.nonce == nonce:
            return found
        if found.mark is None and found.name in {object_id.name, *names, *self._own_names(object_id, vendor_id)}:
            return found
        return Unclear(found)

    def _own_names(self, object_id: ObjectId, vendor_id: str) -> Iterator[str]:
        """What the object with that id was called by others before we adopted it."""
        record = self.records.get(str(object_id))
        for known in (record, record.previous) if record is not None else ():
            if known is not None and known.vendor_id == vendor_id and known.vendor_name:
                yield known.vendor_name

    def intended(self, object_id: ObjectId, intent: Intent) -> Observed | None:
        """What an open intent brought into being, if anything: of copies that somebody made, the one of that name."""
        found = self._by_nonce[object_id.kind].get(intent.nonce, [])
        return next((item for item in found if item.name == object_id.name), found[0] if found else None)

    def named(self, kind: Kind, name: str) -> list[Observed]:
        """Every object of that exact name, whoever owns it."""
        return self._by_name[kind].get(name, [])

    def by_id(self, kind: Kind, vendor_id: str) -> Observed | None:
        """The object with that vendor id, whoever owns it."""
        return self._by_id[kind].get(vendor_id)

    def by_id_of_any(self, kinds: Iterable[Kind], vendor_id: str) -> Observed | None:
        """The object of one of these kinds with that vendor id."""
        return next((found for kind in kinds if (found := self.by_id(kind, vendor_id)) is not None), None)

    def is_ours(self, item: Observed) -> bool:
        """Whether a record or an open intent claims it."""
        return item.vendor_id in self._claimed[item.kind]

    def orphans(self, kind: Kind) -> list[Observed]:
        """Objects with this tenant's mark and a nonce that no record and no intent knows.

        A copy that somebody made of one of our objects carries a nonce that is known: it is not an orphan but foreign.
        """
        if kind not in self._orphans:
            self._orphans[kind] = [
                item
                for item in self._by_id[kind].values()
                if item.mark is not None
                and not item.builtin
                and item.mark.estate == self._tag
                and item.mark.nonce not in self._nonces
                and not self.is_ours(item)
            ]
        return self._orphans[kind]

    def foreign(self, kind: Kind) -> list[Observed]:
        """Objects that are not ours, the vendor's own left out: what a report calls unmanaged."""
        orphans = {item.vendor_id for item in self.orphans(kind)}
        return [
            item
            for item in self._by_id[kind].values()
            if not item.builtin and not self.is_ours(item) and item.vendor_id not in orphans
        ]
