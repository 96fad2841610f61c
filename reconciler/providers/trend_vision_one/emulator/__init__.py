"""An emulator of Vision One's API keys, as part C of the vendor page describes them.

Not documented by the vendor, and therefore chosen here (each can be switched or is harmless to a careful client): the status
of a stale or missing ETag and of a name that is taken, which roles may manage keys, the shape of the list of roles, how
months are counted, what "never" looks like, the largest name and description, and every quota.
"""

from __future__ import annotations

from reconciler.emulator.base import Settings
from reconciler.providers.trend_vision_one.emulator.options import Options
from reconciler.providers.trend_vision_one.emulator.product import BOOTSTRAP, VisionOne
from reconciler.providers.trend_vision_one.emulator.state import KEY_MANAGER, MASTER, ROLES

__all__ = ["BOOTSTRAP", "KEY_MANAGER", "MASTER", "ROLES", "Options", "VisionOne", "emulator"]


def emulator(settings: Settings) -> VisionOne:
    """One emulated tenant: what `reconciler emulate` looks for in every provider's package."""
    return VisionOne(settings)
