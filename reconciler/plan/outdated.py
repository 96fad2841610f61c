"""Signs that a state is older than what it describes: it was restored from an old snapshot of Vault.

What such a state has forgotten carries our mark with a nonce that it does not know, and looks just like a creation that came
late: an orphan, to be removed. But the secret of a late creation was never stored. So a secret that was written after the
last version that the state knows, for a generation that it does not know, tells them apart; and so does a tombstone beside
the secret that the state has not got. Where there is a sign, the key is left alone, and nothing that carries our mark is
removed as an orphan, until `state rebuild` has made the state what it should be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.manifest.paths import fill
from reconciler.model.desired import DesiredKey, DesiredTenant, VaultPath
from reconciler.model.names import NAME, Kind, ObjectId
from reconciler.model.observed import Observed, ObservedTenant, SecretMetadata
from reconciler.model.state import Intent, Record, StateDocument
from reconciler.plan.ownership import Ownership
from reconciler.vault import tags


def paths_of_unknown(
    desired: DesiredTenant, observed: ObservedTenant, document: StateDocument, owner_tag: str
) -> Iterator[VaultPath]:
    """Where the secret of a key would be that has our mark, and that neither the state nor any manifest knows."""
    known = {key.name for key in desired.keys}
    for item in observed.keys:
        ours = item.mark is not None and item.mark.estate == owner_tag
        recorded = str(ObjectId(Kind.API_KEY, item.name)) in document.objects
        if ours and not recorded and item.name not in known and NAME.fullmatch(item.name):
            yield fill(desired.secrets, desired.name, item.name)


def signs(
    desired: DesiredTenant, secrets: Mapping[VaultPath, SecretMetadata], owners: Ownership, *, lists_keys: bool
) -> dict[ObjectId, str]:
    """The keys that show that the state is older than they are, and by what. Empty for a state that is in order.

    `owners`: the tenant's objects and its state, renames included; `lists_keys`: whether the vendor tells which keys exist.
    """
    wanted = {key.id: key for key in desired.keys}
    orphans: dict[ObjectId, list[Observed]] = {}
    for item in owners.orphans(Kind.API_KEY):
        if NAME.fullmatch(item.name):
            orphans.setdefault(ObjectId(Kind.API_KEY, item.name), []).append(item)
    recorded = {name for text in owners.records if (name := ObjectId.parse(text)).kind is Kind.API_KEY}
    found = {}
    for name in {*wanted, *recorded, *orphans}:
        key = _Key(
            desired, name, wanted.get(name), owners.records.get(str(name)), owners.intents.get(str(name)),
            orphans.get(name, ()), lists_keys,
        )  # fmt: skip
        reason = key.sign(secrets)
        if reason:
            found[name] = reason
    return found


def is_newer(owners: Ownership, orphan: Observed) -> bool:
    """Whether something with our mark that the state does not know is of a later generation than those that it knows."""
    name = str(ObjectId(orphan.kind, orphan.name))
    return _generation(orphan) > _latest(owners.records.get(name), owners.intents.get(name))


@dataclass(frozen=True, slots=True)
class _Key:
    """All that is known of one key."""

    tenant: DesiredTenant
    name: ObjectId
    desired: DesiredKey | None
    record: Record | None
    intent: Intent | None
    orphans: Sequence[Observed]
    lists_keys: bool

    def sign(self, secrets: Mapping[VaultPath, SecretMetadata]) -> str:
        """What shows that the state is older than this key; empty if nothing does."""
        for place, version in self._places():
            secret = secrets.get(place)
            if secret is None:
                continue
            told = self._buried(secret, place) or (
                self._written_since(secret, place) if secret.live and secret.current_version > version else ""
            )
            if told:
                return told
        return ""

    def _places(self) -> Iterator[tuple[VaultPath, int]]:
        """Where its secret is or should be, and the version there that the state knows."""
        recorded = VaultPath(self.record.mount, self.record.path) if self.record and self.record.path else None
        if self.record is not None and recorded is not None:
            yield recorded, self.record.version
        if self.desired is not None and self.desired.secret_path != recorded:
            yield self.desired.secret_path, 0
        if self.desired is None and recorded is None:
            yield fill(self.tenant.secrets, self.tenant.name, self.name.name), 0

    @property
    def _names(self) -> tuple[str, ...]:
        return (self.name.name, *self.desired.previous_names) if self.desired is not None else (self.name.name,)

    def _buried(self, secret: SecretMetadata, place: VaultPath) -> str:
        """A tombstone that the state has not got. One that lies at a path which the key has left is an old story."""
        record = self.record
        if record is not None and record.path and place != VaultPath(record.mount, record.path):
            return ""
        revoked = tags.revoked_of(secret, self.tenant.name, self._names)
        if revoked is None or (record is not None and record.revoked is not None and record.revoked.at >= revoked.at):
            return ""
        return f"it was revoked {revoked.at:%Y-%m-%d %H:%M}Z, says {place}: {revoked.reason}"

    def _written_since(self, secret: SecretMetadata, place: VaultPath) -> str:
        """A version that the state does not know, of a generation that it does not know."""
        latest = _latest(self.record, self.intent)
        newer = [item for item in self.orphans if _generation(item) > latest]
        issued = tags.issued_of(secret, self.tenant.name, self._names)
        if issued is not None and issued.generation > latest:
            there = {item.vendor_id for item in newer} | {self.record.vendor_id if self.record is not None else ""}
            if issued.vendor_id in there or not self.lists_keys:
                made = f"generation {issued.generation} (id {issued.vendor_id})"
                return f"version {secret.current_version} of {place} is {made}"
        if newer:
            ids = ", ".join(f"generation {_generation(item)} (id {item.vendor_id})" for item in newer)
            return f"{place} has got version {secret.current_version} since, and {ids} exists"
        return ""


def _latest(record: Record | None, intent: Intent | None) -> int:
    """The latest generation that the state knows of an object; 0 if it knows nothing of it."""
    known = [0]
    if record is not None:
        known += [record.generation, record.previous.generation if record.previous is not None else 0]
    if intent is not None:
        known.append(intent.generation)
    return max(known)


def _generation(item: Observed) -> int:
    return item.mark.generation if item.mark is not None else 0
