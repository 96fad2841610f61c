"""What carrying out one tenant's actions needs."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.apply.journal import Journal
from reconciler.errors import ReconcilerError, Rejected
from reconciler.model.action import Action
from reconciler.model.names import Kind, ObjectId
from reconciler.plan.observe import Access, OpenTenant
from reconciler.vault.lease import TenantLease


class VaultAway(ReconcilerError):
    """A secret could not be stored, or may be: no more keys are made at this tenant in this run."""


@dataclass(frozen=True, slots=True)
class Tools:
    """One tenant under one lease."""

    access: Access
    tenant: OpenTenant
    lease: TenantLease
    journal: Journal
    owner_tag: str
    run: str

    def before_write(self) -> None:
        """Make sure that the lease outlives one more call; LeaseLost if it does not."""
        self.lease.ensure(self.access.settings.timeout)

    def level_id(self, action: Action) -> str:
        """The vendor's id of the level that the action's key wants, which may have been created a moment ago."""
        desired = action.key
        if desired.level.existing:
            found = action.level_id
        else:
            record = self.journal.document.objects.get(str(ObjectId(Kind.ACCESS_LEVEL, desired.level.name)))
            found = record.vendor_id if record else None
        if found is None:
            raise Rejected(f"its access level {desired.level} does not exist", where=str(action.object))
        return found
