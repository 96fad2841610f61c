"""Reading what there is: a tenant's vendor lists, its state document and Vault's metadata.

The order matters. The vendor is listed *before* the state is read: an intent is written before the call that it announces,
so whatever a concurrent apply had created when we listed is announced in the state that we read afterwards. The other way
round, a key that is just being issued would look like an orphan.

Ids mean something at one vendor account only. If the tenant's endpoint is not the one that the state was written for, what
was found must prove by its marks that it is the same account under another address; else nothing is planned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from reconciler.errors import InvalidInput, WriteRefused
from reconciler.model.desired import DesiredTenant, VaultPath
from reconciler.model.estate import Estate
from reconciler.model.names import Kind
from reconciler.model.observed import ObservedTenant
from reconciler.model.state import StateDocument
from reconciler.plan.draft import TenantView
from reconciler.providers import registry
from reconciler.providers.base import ConnectionSettings, Provider, Session
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


@dataclass(slots=True)
class Gate:
    """Stands before every write to one vendor tenant: shut until an apply holds the tenant's lease.

    It is asked when a request is about to be sent, after any wait for a turn, so that a lease which ran out meanwhile
    stops the write that it no longer covers.
    """

    check: Callable[[], None] | None = None
    """Raises LeaseLost when the lease does not cover one more call. None: there is no lease."""

    def __call__(self) -> None:
        """Let one write pass, or raise."""
        if self.check is None:
            raise WriteRefused("a vendor write was attempted without the tenant's lease")
        self.check()


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
        rate=desired.rate,
        options=desired.options,
        endpoint_map=desired.endpoint_map,
    )
    return OpenTenant(desired, provider, provider.connect(desired.endpoint, credential, settings), gate)


def observe(access: Access, tenant: OpenTenant) -> TenantView:
    """Everything that the planner needs to know of one tenant, with no secret in it.

    InvalidInput when the state is about another vendor account; else the errors of the session and of Vault.
    """
    observed = tenant.session.observe()
    document, version = access.states.load(tenant.desired.name)
    if document is not None and _moved(tenant.desired, document) and not _same_account(observed, document):
        raise InvalidInput(
            f"the state was written for {document.endpoint} ({document.provider}), and nothing that it names is here",
            where=str(tenant.desired.source),
            hint="a tenant is one vendor account: put the endpoint back, or give the new account a tenant of its own name",
        )
    paths = _paths(tenant.desired, document)
    secrets = access.secrets.metadata_of(paths) if paths else {}
    return TenantView(
        observed=observed, document=document, state_version=version, secrets=secrets, now=access.vault.now()
    )


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
