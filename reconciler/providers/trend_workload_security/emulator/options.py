"""How one emulated installation behaves where the vendor's documents are silent, or where it can be configured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

SECOND: Final = 1000
MINUTE: Final = 60_000
WINDOW_MS: Final = 60_000
"""The sliding window of the rate limits (T4)."""
CALLS_PER_KEY: Final = 500
CALLS_PER_TENANT: Final = 1000
"""What an installation on one's own premises allows unless it is told otherwise (T4)."""


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that can be switched. The defaults are the plainest reading of the contract."""

    created_statuses: bool = False
    """Answer 201 to creations and 204 to deletions, as a third-party client expects (T7), instead of 200."""
    truncate_ms: int = 1
    """Store times cut down to a multiple of this: `SECOND`, `MINUTE`."""
    canonical_time_zones: bool = False
    """Store a time zone under the name that the database's links lead to."""
    role_in_use: Literal["refuse", "allow"] = "refuse"
    """What deleting a role does that a key has. If allowed, such keys can do nothing any more."""
    rights_modify: Literal["merge", "replace"] = "merge"
    """Whether rights that a modification leaves out stay as they are, or become false."""
    role_defaults: bool = False
    """Give a new role what the console gives it (T3): all computers, all policies, sign-in to the console."""
    unique_names: bool = False
    """Refuse a second key or role of the same name."""
    refuse_past_expiry: bool = False
    """Refuse an `expiryDate` that has passed."""
    wrong_secrets: int = 5
    """How many wrong secrets in a row lock a key."""
    lock_ms: int | None = 15 * MINUTE
    """How long such a lock lasts; None: until somebody unlocks the key."""
    calls_per_key: int | None = None
    calls_per_tenant: int | None = None
    """The most calls in a minute; None: any number. Refused calls do not count."""
    retry_after: int | None = None
    """Send this `Retry-After` with 429; the vendor documents none."""
    default_locale: str = "en-US"
    default_time_zone: str = "Etc/UTC"
