"""An emulator of the public API v2 as far as keys are concerned: token exchange, users, membership in groups, profile.

Keys are made by `console_…` methods, for no public API makes any. Not documented by the vendor, and therefore chosen here:
statuses of a wrong secret, of a taken e-mail address and of an unknown group; that only admins change users; that a
disabled user's keys are exchanged no longer, and that a deleted user's keys are dead; the address of a further page. Where
two readings are likely, `Options` has a switch.
"""

from __future__ import annotations

from reconciler.emulator.base import Settings
from reconciler.providers.lacework.emulator.options import CALLS, KEYS_PER_USER, Options
from reconciler.providers.lacework.emulator.product import BOOTSTRAP, Lacework
from reconciler.providers.lacework.emulator.state import ADMIN, POWER_USER, READ_ONLY_USER, SERVICE, STANDARD

__all__ = [
    "ADMIN",
    "BOOTSTRAP",
    "CALLS",
    "KEYS_PER_USER",
    "POWER_USER",
    "READ_ONLY_USER",
    "SERVICE",
    "STANDARD",
    "Lacework",
    "Options",
    "emulator",
]


def emulator(settings: Settings) -> Lacework:
    """One emulated organisation: what `reconciler emulate` looks for in every provider's package."""
    return Lacework(settings)
