"""Reading what there is: a tenant's vendor lists, its state document and Vault's metadata.

The order matters. The vendor is listed *before* the state is read: an intent is written before the call that it announces,
so whatever a concurrent apply had created when we listed is announced in the state that we read afterwards. The other way
round, a key that is just being issued would look like an orphan.

Ids mean something at one vendor account only. If the tenant's endpoint is not the one that the state was written for, what
was found must prove by its marks that it is the same account under another address; else nothing is planned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from reconciler.errors import Interrupted, InvalidInput, WriteRefused
from reconciler.model.desired import DesiredTenant, VaultPath
from reconciler.model.estate import Estate
from reconciler.model.mark import Mark, owner_tag
from reconciler.model.names import Kind, ObjectId
from reconciler.model.observed import KnownKey, Observed, ObservedTenant
from reconciler.model.state import IntentAction, Phase, StateDocument
from reconciler.plan.draft import TenantView
from reconciler.plan.outdated import paths_of_unknown
from reconciler.providers import registry
from reconciler.providers.base import ConnectionSettings, Provider, Session
from reconciler.providers.naming import vendor_name
from reconciler.vault.connection import Vault
from reconciler.vault.credentials import endpoint_of, read_credential
from reconciler.vault.secrets import SecretStore
from reconciler.vault.state import StateStore


@dataclass(frozen=True, slots=True)
class Access:
    """What a run may use: the estate, Vault under one identity, and how vendors are called."""

    estate: Estate
    vault: Vault
    states: StateStore
    secrets: SecretStore
    settings: ConnectionSettings
    environ: Mapping[str, str]
    trust_endpoints: bool = False
    rotate: frozenset[tuple[str, ObjectId]] = frozenset()
    """Keys (tenant, object) that this run is to rotate, due or not."""
    drop_previous: bool = False
    """Whether their former generation goes first, its overlap over or not."""


@dataclass(slots=True)
class Gate:
    """Stands before every write to one vendor tenant: shut until an apply holds the tenant's lease.

    It is asked when a request is about to be sent, after any wait for a turn, so that a lease which ran out meanwhile
    stops the write that it no longer covers.
    """

    check: Callable[[], None] | None = None
    """Raises LeaseLost when the lease does not cover one more call. None: there is no lease."""
    interrupted: Callable[[], bool] = lambda: False
    """Whether the run is to end: then no request waits any longer."""

    def __call__(self) -> None:
        """Let one write pass, or raise."""
        if self.check is None:
            raise WriteRefused("a vendor write was attempted without the tenant's lease")
        self.check()

    @contextmanager
    def patient(self) -> Iterator[None]:
        """What is done meanwhile is waited for, even by a run that is to end. For one thread at a time."""
        before, self.interrupted = self.interrupted, lambda: False
        try:
            yield
        finally:
            self.interrupted = before

    def waiting(self) -> None:
        """Let a request go on waiting for its turn, or raise Interrupted: it has not been sent then."""
        if self.interrupted():
            raise Interrupted


@dataclass(frozen=True, slots=True)
class OpenTenant:
    """A tenant with a session to its vendor, and the gate before the session's writes."""

    desired: DesiredTenant
    provider: Provider
    session: Session
    gate: Gate


def open_tenant(access: Access, desired: DesiredTenant) -> OpenTenant:
    """Read the tenant's credential (bound to its endpoint) and open a session. Makes no vendor call."""
    provider = registry.get(desired.provider)
    credential = read_credential(
        access.vault,
        desired.credentials_apply if access.settings.write else desired.credentials_plan,
        endpoint=desired.endpoint,
        environ=access.environ,
        trust_endpoints=access.trust_endpoints,
    )
    gate = Gate()
    settings = replace(
        access.settings,
        before_write=gate,
        while_waiting=gate.waiting,
        rate=desired.rate,
        options=desired.options,
        endpoint_map=desired.endpoint_map,
    )
    return OpenTenant(desired, provider, provider.connect(desired.endpoint, credential, settings), gate)


def observe(access: Access, tenant: OpenTenant, also: Sequence[KnownKey] = ()) -> TenantView:
    """Everything that the planner needs to know of one tenant, with no secret in it.

    `also`: keys that are not ours and are to be read in full all the same. InvalidInput when the state is about another
    vendor account; else the errors of the session and of Vault.
    """
    document: StateDocument | None
    traits, tag = tenant.provider.traits(tenant.desired), owner_tag(access.estate.id, tenant.desired.name)
    if traits.lists_keys:
        if traits.marked_only:
            adopted, _ = access.states.read(tenant.desired.name)
            also = (*_known_keys(adopted, tag, adopted=True), *also)
        observed = tenant.session.observe(also) if also else tenant.session.observe()
        document, version = access.states.read(tenant.desired.name)
        if document is not None and (missing := _missing(document, observed)):
            observed = _with(missing, observed, tenant.session.observe(also) if also else tenant.session.observe())
    else:
        # Here nothing is found but what is asked for, so nothing can look like an orphan: the state comes first.
        document, version = access.states.read(tenant.desired.name)
        observed = tenant.session.observe((*_known_keys(document, tag), *also))
    if document is not None and _moved(tenant.desired, document) and not _same_account(observed, document):
        raise InvalidInput(
            f"the state was written for {document.endpoint} ({document.provider}), and nothing that it names is here",
            where=str(tenant.desired.source),
            hint="a tenant is one vendor account: put the endpoint back, or give the new account a tenant of its own name",
        )
    paths = _paths(tenant.desired, document)
    if document is not None:
        paths |= set(paths_of_unknown(tenant.desired, observed, document, tag))
    secrets = access.secrets.metadata_of(paths) if paths else {}
    return TenantView(
        observed=observed,
        document=document,
        state_version=version,
        secrets=secrets,
        now=access.vault.now(),
        clicked=_clicked(tenant.session, document),
        rotate=(asked := frozenset(name for where, name in access.rotate if where == tenant.desired.name)),
        drop_previous=asked if access.drop_previous else frozenset(),
    )


def _missing(document: StateDocument, observed: ObservedTenant) -> set[tuple[Kind, str]]:
    """What the state names and the vendor has not listed: it is gone, or the list was not what it seemed.

    What was revoked, or left to others, may be gone for good, and nothing is made anew for it.
    """
    recorded: set[tuple[Kind, str]] = set()
    for text, record in document.objects.items():
        if record.revoked is not None or record.phase is Phase.ORPHANED:
            continue
        kind, previous = ObjectId.parse(text).kind, record.previous
        recorded |= {(kind, known.vendor_id) for known in (record, previous) if known is not None and known.vendor_id}
    return recorded - {(item.kind, item.vendor_id) for kind in Kind for item in observed.of(kind)}


def _with(missing: set[tuple[Kind, str]], first: ObservedTenant, second: ObservedTenant) -> ObservedTenant:
    """The first reading, with what it missed and a second one has found.

    Pages shift while somebody makes and deletes objects, and a vendor may list late what it has just made: one reading is
    not enough to say that something is gone. Nothing else is taken from the second, which was made after the state was read.
    """

    def found(items: Sequence[Observed]) -> tuple[Observed, ...]:
        return tuple(item for item in items if (item.kind, item.vendor_id) in missing)

    return replace(
        first, levels=(*first.levels, *found(second.levels)), keys=(*first.keys, *found(second.keys)),
    )  # fmt: skip


def _known_keys(document: StateDocument | None, tag: str, *, adopted: bool = False) -> Iterator[KnownKey]:
    """The keys that the records name, with the generation before where one is still alive; or just the adopted ones."""
    for text, record in (document.objects if document else {}).items():
        name = ObjectId.parse(text)
        if name.kind is not Kind.API_KEY:
            continue
        if adopted and not (record.adopted or (record.previous and record.previous.vendor_name)):
            continue
        if record.vendor_id:  # of a revoked key there may be nothing left but its tombstone
            yield KnownKey(
                record.vendor_id, name.name, Mark(tag, record.made or record.generation, record.nonce), record.level_id
            )
        if record.previous is not None:
            previous = record.previous
            yield KnownKey(
                previous.vendor_id, name.name, Mark(tag, previous.generation, previous.nonce), record.level_id
            )


def _clicked(session: Session, document: StateDocument | None) -> dict[ObjectId, str]:
    """Which open handoffs of new keys somebody has seen to already, where the vendor's audit log tells."""
    found = {}
    for text, intent in (document.intents if document else {}).items():
        name = ObjectId.parse(text)
        if intent.handoff is not None and intent.action is IntentAction.CREATE and name.kind is Kind.API_KEY:
            made = session.clicked(vendor_name(name.name, intent.generation), intent.handoff.opened)
            if made is not None:
                found[name] = made
    return found


def _moved(desired: DesiredTenant, document: StateDocument) -> bool:
    return desired.provider != document.provider or endpoint_of(desired.endpoint) != endpoint_of(document.endpoint)


def _same_account(observed: ObservedTenant, document: StateDocument) -> bool:
    """Whether something that the state names was found, by its nonce. A state that names nothing fits everywhere."""
    known = {record.nonce for record in document.objects.values()}
    known |= {intent.nonce for intent in document.intents.values()}
    found = {item.mark.nonce for kind in Kind for item in observed.of(kind) if item.mark is not None}
    return not known or not known.isdisjoint(found)


def _paths(desired: DesiredTenant, document: StateDocument | None) -> set[VaultPath]:
    """Where this tenant's secrets are or should be."""
    paths = {key.secret_path for key in desired.keys}
    if document is not None:
        paths |= {VaultPath(item.mount, item.path) for item in document.objects.values() if item.path}
        paths |= {VaultPath(item.mount, item.path) for item in document.intents.values() if item.path}
    return paths
