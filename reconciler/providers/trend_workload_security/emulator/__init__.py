"""An emulator of API family A: API keys and administrator roles, as section D of the vendor page asks for.

Not documented by the vendor, and therefore chosen here (each can be told apart by an option or is harmless to a careful
client): the text of 400 and 401, the default locale and time zone, whether names may repeat (they may), the role's URN,
which right a regeneration needs (the one to edit keys), and that an unknown property is refused.
"""

from __future__ import annotations

from reconciler.emulator.base import Settings
from reconciler.providers.trend_workload_security.emulator.options import MINUTE, SECOND, Options
from reconciler.providers.trend_workload_security.emulator.product import BOOTSTRAP, USER, WorkloadSecurity
from reconciler.providers.trend_workload_security.emulator.state import AUDITOR, FULL_ACCESS

__all__ = ["AUDITOR", "BOOTSTRAP", "FULL_ACCESS", "MINUTE", "SECOND", "USER", "Options", "WorkloadSecurity", "emulator"]


def emulator(settings: Settings) -> WorkloadSecurity:
    """One emulated installation: what `reconciler emulate` looks for in every provider's package."""
    return WorkloadSecurity(settings)
