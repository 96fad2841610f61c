"""How far this machine's clock is from another one, and what breaks by it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from reconciler.doctor.catalogue import Check
from reconciler.doctor.results import Result, ok, problem, warning

NOTICED: Final = timedelta(seconds=10)
"""As much as Vault forgives a JSON Web Token, and more than whole seconds and slow answers explain."""
WRONG: Final = timedelta(minutes=5)
_MEND: Final = "set this machine's clock by NTP"
_COMMANDS: Final = ("timedatectl set-ntp true",)


def agree(check: Check, whose: str, skew: timedelta, breaks: str, *, tenant: str = "") -> Result:
    """`skew`: how far this machine's clock is ahead. `breaks`: what does not work when it is far off."""
    seconds = round(skew.total_seconds())
    if abs(skew) <= NOTICED:
        return ok(check, f"this machine's clock agrees with {whose}", tenant=tenant, skewSeconds=seconds)
    way = "ahead of" if seconds > 0 else "behind"
    found = f"this machine's clock is {_length(abs(seconds))} {way} {whose}: {breaks}"
    report = problem if abs(skew) > WRONG else warning
    return report(check, found, _MEND, _COMMANDS, tenant=tenant, skewSeconds=seconds)


def _length(seconds: int) -> str:
    """`42 s`, `7 min`, `3 h`, `12 days`."""
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
