"""What carrying out one tenant's actions needs."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass

from reconciler.apply.journal import Journal
from reconciler.errors import ReconcilerError, Rejected
from reconciler.model.action import Action
from reconciler.plan import digest
from reconciler.plan.observe import Access, OpenTenant
from reconciler.providers.base import Traits
from reconciler.vault.lease import TenantLease


class VaultAway(ReconcilerError):
    """A secret could not be stored, or may be: no more keys are made at this tenant in this run."""


def holder() -> str:
    """Who is applying, for people who find the lease held: user, host and process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return f"{user}@{os.uname().nodename} (process {os.getpid()})"


@dataclass(frozen=True, slots=True)
class Tools:
    """One tenant under one lease."""

    access: Access
    tenant: OpenTenant
    lease: TenantLease
    journal: Journal
    owner_tag: str
    run: str

    @property
    def traits(self) -> Traits:
        """How this tenant's objects behave."""
        return self.tenant.provider.traits(self.tenant.desired)

    def before_write(self) -> None:
        """Make sure that the lease outlives one more call; LeaseLost if it does not."""
        self.lease.ensure(self.access.settings.timeout)

    def level_id(self, action: Action) -> str:
        """The vendor's id of the level that the action's key wants, which may have been created a moment ago."""
        desired = action.key
        if desired.level.id is None:
            found = action.level_id
        else:
            record = self.journal.document.objects.get(str(desired.level.id))
            found = record.vendor_id if record else None
        if found is None:
            raise Rejected(f"its access level {desired.level} does not exist", where=str(action.object))
        return found


def applied_to(tools: Tools, action: Action) -> dict[str, str]:
    """Digests of what is asked for, field by field: the state keeps them for fields that the vendor does not tell back."""
    return digest.asked(tools.tenant.provider, action.desired) if action.desired is not None else {}
