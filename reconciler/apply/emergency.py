"""What an emergency does to the keys of one object at their vendor: find every one of them, and end it.

It has no manifests and no lease. What it knows is the tenant's state document: which vendor account that is, the credential
and the options for it, the ids and nonces of the object's keys. Where a credential may be sent is checked as always.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconciler.errors import AuthenticationFailed, InvalidInput, ReconcilerError, Rejected, foreign
from reconciler.model.desired import CredentialRef, DesiredTenant, KeyState, Source, Unmanaged, VaultPath
from reconciler.model.mark import Mark
from reconciler.model.names import Kind, ObjectId
from reconciler.model.observed import KnownKey, Observed, ObservedTenant
from reconciler.model.state import Intent, Record, StateDocument
from reconciler.plan.observe import Access, OpenTenant, open_tenant
from reconciler.plan.ownership import Ownership, Unclear
from reconciler.providers.base import Session, Traits, Write


def tenant_of(document: StateDocument) -> DesiredTenant:
    """The tenant as the state remembers it: where its vendor account is, and nothing that is wanted in it.

    InvalidInput if the state does not say where the credential is.
    """
    source = Source(f"state of {document.tenant}", 1)
    credential = _credential(document.credentials)
    if credential is None:
        raise InvalidInput(
            "its state does not say where the vendor credential is",
            where=document.tenant,
            hint="apply the tenant once, or end the key in the vendor's console",
        )
    return DesiredTenant(
        name=document.tenant,
        provider=document.provider,
        endpoint=document.endpoint,
        credentials_plan=credential,
        credentials_apply=credential,
        secrets=VaultPath("", ""),
        unmanaged=Unmanaged.IGNORE,
        levels=(),
        keys=(),
        source=source,
        options=document.options,
        endpoint_map=document.endpoint_map,
    )


def _credential(reference: Mapping[str, object]) -> CredentialRef | None:
    match reference:
        case {"vault": {"mount": str(mount), "path": str(path)}}:
            return CredentialRef(vault=VaultPath(mount, path))
        case {"env": dict(names)} if names:
            return CredentialRef(env={str(field): str(variable) for field, variable in names.items()})
    return None


def open_without_lease(access: Access, document: StateDocument) -> OpenTenant:
    """Open a session whose writes need no lease. Only for what ends access, and only once its tombstone is written."""
    tenant = open_tenant(access, tenant_of(document))
    tenant.gate.check = _no_lease_needed
    return tenant


def _no_lease_needed() -> None:
    """Ending access is safe beside any other writer: who holds the lease finds the tombstone at its next commit."""


# --- which keys ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trail:
    """All that the state knows of one object: by this its keys are found."""

    name: ObjectId
    record: Record | None
    intent: Intent | None

    @classmethod
    def of(cls, document: StateDocument, name: ObjectId) -> Trail:
        """The object's record and open intent, as far as there are any."""
        return cls(name, document.objects.get(str(name)), document.intents.get(str(name)))

    def recorded(self) -> Iterator[tuple[str, int, str]]:
        """Vendor id, generation in the mark, and nonce of every key that is recorded."""
        record, intent = self.record, self.intent
        if record is not None and record.vendor_id:
            yield record.vendor_id, record.made or record.generation, record.nonce
        if record is not None and record.previous is not None:
            yield record.previous.vendor_id, record.previous.generation, record.previous.nonce
        if intent is not None and intent.vendor_id and (record is None or intent.vendor_id != record.vendor_id):
            yield intent.vendor_id, intent.generation, intent.nonce

    @property
    def nonces(self) -> frozenset[str]:
        """Every nonce that a key of this object may carry."""
        found = {nonce for _, _, nonce in self.recorded()}
        return frozenset(found | {self.intent.nonce} if self.intent is not None else found)

    @property
    def paths(self) -> tuple[VaultPath, ...]:
        """Where secrets of this object are, were, or were about to be."""
        record, intent = self.record, self.intent
        places = [record, record.previous if record else None, intent]
        return tuple(sorted({VaultPath(place.mount, place.path) for place in places if place and place.path}))

    def known(self, owner_tag: str) -> Iterator[KnownKey]:
        """What a vendor that lists no keys has to be told."""
        level = self.record.level_id if self.record else ""
        for vendor_id, generation, nonce in self.recorded():
            yield KnownKey(vendor_id, self.name.name, Mark(owner_tag, generation, nonce), level)


@dataclass(frozen=True, slots=True)
class Carriers:
    """The keys at the vendor that carry an object's mark, and those of which it cannot be told whether they do."""

    keys: tuple[Observed, ...]
    unclear: tuple[Observed, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """What the vendor and the state say of the tenant at this moment."""

    observed: ObservedTenant
    document: StateDocument
    owner_tag: str


def carriers(scene: Scene, trail: Trail) -> Carriers:
    """Every key of one object: by recorded id, by nonce, and what a run of ours created under its name unrecorded."""
    owners = Ownership(scene.observed, scene.document, scene.owner_tag)
    keys: dict[str, Observed] = {}
    unclear: dict[str, Observed] = {}
    for vendor_id, _, nonce in trail.recorded():
        found = owners.recorded(trail.name, vendor_id, nonce)
        if isinstance(found, Unclear):
            unclear[vendor_id] = found.observed
        elif found is not None:
            keys[vendor_id] = found
    created = owners.intended(trail.name, trail.intent) if trail.intent is not None else None
    if created is not None:
        keys[created.vendor_id] = created
    orphans = {orphan.vendor_id for orphan in owners.orphans(Kind.API_KEY)}
    for item in scene.observed.keys:
        ours = item.mark is not None and item.mark.estate == scene.owner_tag and item.mark.nonce in trail.nonces
        if item.name == trail.name.name and (ours or item.vendor_id in orphans):
            keys[item.vendor_id] = item
    return Carriers(tuple(keys.values()), tuple(item for id_, item in unclear.items() if id_ not in keys))


# --- ending one key -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of one key at its vendor. `left` says what could not be done; empty if it cannot be used any more."""

    vendor_id: str
    how: str = ""
    left: str = ""
    to_delete: bool = False
    """Whether a person still has to delete it."""
    own: bool = False
    """Whether it is the key that we are calling with."""


def end(tenant: OpenTenant, scene: Scene, trail: Trail, item: Observed) -> Ended:
    """Take away what one key can do: delete it, or where that is done by hand lock it.

    What the vendor says against it is in the result. AuthenticationFailed is raised: nothing more should be tried then.
    """
    if item.vendor_id == scene.observed.own_key_id:
        return Ended(
            item.vendor_id,
            left=f"id {item.vendor_id} is the key that the reconciler itself is using, which it never touches: "
            "give the tenant another credential, then revoke again",
            own=True,
        )
    traits = tenant.provider.traits(tenant.desired)
    mark = known_mark(item, trail, scene.owner_tag)
    try:
        if Write.DELETE_KEY not in traits.by_hand:
            return _delete(tenant.session, traits, item, mark)
        if _lockable(traits):
            tenant.session.update_key(item.vendor_id, {"state": str(KeyState.LOCKED)}, None, mark)
            return Ended(item.vendor_id, how="access taken away", to_delete=True)
        return _lock_user(tenant.session, scene, item)
    except AuthenticationFailed:
        raise
    except ReconcilerError as problem:
        return Ended(item.vendor_id, left=f"id {item.vendor_id} may still work: {problem}")


def _lockable(traits: Traits) -> bool:
    """Whether a key can be locked by API without deleting it."""
    return traits.reversible_lock and Write.UPDATE_KEY not in traits.by_hand and "state" not in traits.by_hand_fields


def _delete(session: Session, traits: Traits, item: Observed, mark: Mark) -> Ended:
    try:
        session.delete_key(item.vendor_id)
    except Rejected as refused:  # still in use, says the vendor
        if not _lockable(traits):
            raise
        session.update_key(item.vendor_id, {"state": str(KeyState.LOCKED)}, None, mark)
        return Ended(
            item.vendor_id,
            how="locked",
            left=f"id {item.vendor_id} is locked, and could not be deleted: {refused}",
        )
    return Ended(item.vendor_id, how="deleted")


def known_mark(item: Observed, trail: Trail, owner_tag: str) -> Mark:
    """The mark that it has or, if somebody edited that away, had: names at the vendor may depend on it."""
    recorded = {known.vendor_id: known.mark for known in trail.known(owner_tag)}
    return item.mark or recorded[item.vendor_id]


def _lock_user(session: Session, scene: Scene, item: Observed) -> Ended:
    """Keys of this product work as long as their user does."""
    user = next((level for level in scene.observed.levels if level.vendor_id == item.level_id), None)
    record = _record_of(scene.document, user) if user is not None else None
    if user is None or record is None:
        name = f"{foreign(user.name)!r} " if user is not None else ""
        return Ended(
            item.vendor_id,
            left=f"id {item.vendor_id} may still work: its user {name}is not ours to lock",
            to_delete=True,
        )
    if user.fields.get("state") != KeyState.LOCKED:
        mark = user.mark or Mark(scene.owner_tag, record.made or record.generation, record.nonce)
        fields = {
            "description": "",
            **user.fields,
            "state": str(KeyState.LOCKED),
        }  # a vendor may leave out what is empty
        session.update_level(user.vendor_id, fields, mark)
    return Ended(item.vendor_id, how=f"its user {user.name!r} locked, with all its keys", to_delete=True)


def _record_of(document: StateDocument, user: Observed) -> Record | None:
    return next(
        (
            record
            for name, record in document.objects.items()
            if record.vendor_id == user.vendor_id and ObjectId.parse(name).kind is user.kind
        ),
        None,
    )
