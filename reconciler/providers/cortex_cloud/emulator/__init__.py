"""An emulator of the API-key and access-management part of Cortex Cloud (`vendors/cortex-cloud.md`).

Not known of the vendor, and therefore chosen here (each can be told apart by an option or is harmless to a careful client):
the bodies that reading and editing one key answer, the text of 401, which tokens mean the permissions to manage keys and
access (`public_api_*`, `access_management_*`), what a new key's scope is, that a role in use is not deleted, and that a
role which does not exist is refused with 400 when a key is edited.
"""

from __future__ import annotations

from reconciler.emulator.base import Settings
from reconciler.providers.cortex_cloud.emulator.options import DAY, Options
from reconciler.providers.cortex_cloud.emulator.product import BOOTSTRAP, CortexTenant
from reconciler.providers.cortex_cloud.emulator.state import ADMIN, CLI_READ_ONLY, VIEWER

__all__ = ["ADMIN", "BOOTSTRAP", "CLI_READ_ONLY", "DAY", "VIEWER", "CortexTenant", "Options", "emulator"]


def emulator(settings: Settings) -> CortexTenant:
    """One emulated tenant: what `reconciler emulate` looks for in every provider's package."""
    return CortexTenant(settings)
