"""An emulator of Carbon Black Cloud: grants, permitted roles and the audit log as documented, the console's list of keys as
observed, and, below `/emulator-defined`, what the vendor documents nowhere: making keys and access levels.

Chosen here, because nobody knows: the texts of all errors, the wording of audit records on failures, deletions and access
levels, that names of access levels are unique, that a level in use cannot be deleted, and an access level's URN.
"""

from __future__ import annotations

from reconciler.emulator.base import Settings
from reconciler.providers.carbon_black_cloud.emulator.errors import Refused
from reconciler.providers.carbon_black_cloud.emulator.keys import ENDPOINT_MAP
from reconciler.providers.carbon_black_cloud.emulator.options import Options
from reconciler.providers.carbon_black_cloud.emulator.organisation import SUPER_ADMIN, VIEW_ALL
from reconciler.providers.carbon_black_cloud.emulator.product import BOOTSTRAP, PERSON, BlackCloud

__all__ = [
    "BOOTSTRAP",
    "ENDPOINT_MAP",
    "PERSON",
    "SUPER_ADMIN",
    "VIEW_ALL",
    "BlackCloud",
    "Options",
    "Refused",
    "emulator",
]


def emulator(settings: Settings) -> BlackCloud:
    """One emulated organisation: what `reconciler emulate` looks for in every provider's package."""
    return BlackCloud(settings)
