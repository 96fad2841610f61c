"""Rebuilding a tenant's state: read everything, propose, and on a yes write it, by check-and-set on what was read.

Neither the vendor nor any secret is touched: the session's gate stays shut, and only the state document is written.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.apply.introduce import introduced
from reconciler.apply.tools import holder
from reconciler.errors import Conflict, ContractBroken
from reconciler.model.desired import DesiredKey, DesiredLevel, DesiredTenant
from reconciler.model.mark import owner_tag
from reconciler.model.state import StateDocument
from reconciler.plan import digest
from reconciler.plan.observe import Access, open_tenant
from reconciler.plan.rebuild import Facts, Rebuilt, known_keys, paths_of, rebuild
from reconciler.vault.lease import TenantLease


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a rebuilding would write, and the version of the state that this was made on."""

    desired: DesiredTenant
    rebuilt: Rebuilt
    document: StateDocument | None
    """None where there is none, or none that can be read."""
    version: int
    why: str = ""
    """What is wrong with a state that cannot be read."""

    @property
    def changes(self) -> bool:
        """Whether there is anything to write."""
        new = self.document is None or dict(self.rebuilt.intents) != dict(self.document.intents)
        return new or any(True for _ in self.rebuilt.differences)


def propose(access: Access, desired: DesiredTenant) -> Proposal:
    """Read vendor, Vault and the state as it is, and compute the state anew. Writes nothing."""
    why = ""
    try:
        document, version = access.states.load(desired.name)
    except ContractBroken as lost:
        document, version, why = None, access.states.forget(desired.name), str(lost)
    tag = owner_tag(access.estate.id, desired.name)
    paths = paths_of(desired, document)
    secrets = access.secrets.metadata_of(paths) if paths else {}
    tenant = open_tenant(access, desired)
    try:
        traits = tenant.provider.traits(desired)
        known = () if traits.lists_keys else tuple(known_keys(desired, document, secrets, tag))
        observed = tenant.session.observe(known)
    finally:
        tenant.session.close()
    wanted: tuple[DesiredLevel | DesiredKey, ...] = (*desired.levels, *desired.keys)
    applied = {item.id: digest.untold(tenant.provider, traits, item) for item in wanted}
    facts = Facts(desired, traits, observed, document, secrets, tag, access.vault.now(), applied)
    return Proposal(desired, rebuild(facts), document, version, why)


def carry_out(access: Access, proposal: Proposal, run: str) -> None:
    """Write what was proposed. Conflict if anything has changed since; LeaseHeld if a run is at work on the tenant.

    A state that is not there is written in one go, records and all: an empty one, even for a moment, would make every
    object of ours look like an orphan. One that is there is changed under its lease, and read again first.
    """
    if proposal.document is None:
        document = introduced(access.estate, proposal.desired).model_copy(update=_content(proposal.rebuilt))
        access.states.commit(document, proposal.version)
        return
    timeouts = access.estate.timeouts
    lease = TenantLease.acquire(
        access.states, proposal.document, run=run, holder=holder(), ttl=timeouts.lease, call_timeout=timeouts.call,
        expected_version=proposal.version, sleep=access.settings.sleep,
    )  # fmt: skip
    with lease:
        again = propose(access, proposal.desired)
        if again.rebuilt.gist != proposal.rebuilt.gist:
            raise Conflict(
                "vendor, Vault or state have changed since they were shown; nothing was written",
                where=proposal.desired.name,
                hint="run it again",
            )
        header = introduced(access.estate, proposal.desired)
        update = {name: getattr(header, name) for name in _HEADER} | _content(proposal.rebuilt)
        lease.commit(lambda document: document.model_copy(update=update))


_HEADER = ("provider", "endpoint", "credentials", "options", "endpoint_map")


def _content(rebuilt: Rebuilt) -> dict[str, object]:
    return {"objects": dict(rebuilt.objects), "intents": dict(rebuilt.intents)}
