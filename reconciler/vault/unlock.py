"""Taking the lease of a run that is dead.

The lease is not simply removed. The dead run's last vendor call may still be on its way, and whoever finds no lease would
begin at once. So it is replaced by one that has ended: a run that lives after all finds another's name in it and stops, and
the next one takes over an expired lease, which makes it wait and look again.
"""

from __future__ import annotations

from reconciler.errors import InvalidInput
from reconciler.model.state import Lease, StateDocument
from reconciler.vault.state import StateStore


def unlock(store: StateStore, tenant: str, run: str, by: str) -> Lease | None:
    """End the lease that the run `run` holds, and return it as it was; None if nobody holds one.

    InvalidInput if another run holds it, told with what an operator has to know; NotFound for a tenant without a state.
    """
    now = store.vault.now()
    taken: list[Lease] = []

    def end(document: StateDocument) -> StateDocument:
        lease = document.lease
        if lease is None or lease.expires <= now:
            return document
        if lease.run != run:
            raise InvalidInput(
                f"{lease.holder} holds the lease since {lease.since:%Y-%m-%d %H:%M:%S} UTC, "
                f"at least until {lease.expires:%H:%M:%S}",
                where=tenant,
                hint=f"if that run is dead: reconciler unlock {tenant} --holder {lease.run}",
            )
        taken.append(lease)
        ended = Lease(run=f"unlocked-{run}", holder=f"nobody (unlocked by {by})", since=now, expires=now)
        return document.model_copy(update={"lease": ended})

    store.amend(tenant, end)
    return taken[-1] if taken else None
