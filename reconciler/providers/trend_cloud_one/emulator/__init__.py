"""An emulator of the account API: keys and roles, as part B of the vendor page describes them.

Not documented by the vendor, and therefore chosen here (each can be switched or is harmless to a careful client): which verb
modifies, success codes, the name of the one-time field, the largest page, how addresses are given back, what a key gets
that calls from elsewhere, the texts of errors, which roles may manage keys, and every rate.
"""

from __future__ import annotations

from reconciler.emulator.base import Settings
from reconciler.providers.trend_cloud_one.emulator.options import Options
from reconciler.providers.trend_cloud_one.emulator.product import BOOTSTRAP, CloudOne
from reconciler.providers.trend_cloud_one.emulator.state import FULL_ACCESS, READ_ONLY

__all__ = ["BOOTSTRAP", "FULL_ACCESS", "READ_ONLY", "CloudOne", "Options", "emulator"]


def emulator(settings: Settings) -> CloudOne:
    """One emulated account: what `reconciler emulate` looks for in every provider's package."""
    return CloudOne(settings)
