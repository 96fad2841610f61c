"""How one emulated tenant behaves where products differ, or where the vendor's documents are silent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

DAY: Final = 86_400_000
WINDOW_MS: Final = 1000
CALLS_PER_TENANT: Final = 10
"""Ten calls in a second, over all endpoints (8)."""


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that can be switched. The defaults are what was observed most."""

    lower_case_envelope: bool = False
    """Answer lists with `data` and not `DATA`, as one product does."""
    counts: bool = True
    """Tell how many keys there are."""
    page_limit: int | None = None
    """The most keys in one answer; None: any number, as observed with 276."""
    default_ms: int = 7 * DAY
    """How long a key lives whose creation names no expiration."""
    longest_ms: int | None = 180 * DAY
    """How far off an expiration may lie; None: any time."""
    beyond_longest: Literal["shorten", "refuse"] = "shorten"
    edit_key: Literal["works", "404", "405"] = "works"
    """Whether this tenant has the documented call that edits a key."""
    omitted_comment: Literal["cleared", "kept"] = "cleared"
    update_count_as_text: bool = False
    scope_level: bool = False
    """Put the scope one level deeper, under `scope`."""
    capitals: bool = False
    """Answer modes and security levels with a capital letter."""
    dataset_scoping: bool = False
    """Know `datasets_rows`; otherwise it is refused, and not answered."""
    fresh_scope: Literal["see_all", "no_scope"] = "see_all"
    """What a new key reaches until somebody says."""
    has_scopes: bool = True
    """Know scopes at all; otherwise 404."""
    role_in_use: Literal["refuse", "allow"] = "refuse"
    only_own_roles: bool = False
    """Let a key hand out its own roles only."""
    skew_ms: int | None = None
    """How far an advanced key's timestamp may be off; None: any time (the vendor's figure is not known)."""
    single_nonces: bool = True
    """Take each nonce of an advanced key once."""
    calls_per_tenant: int | None = None
    calls_per_key: int | None = None
    """The most calls in a second; None: any number. Refused calls do not count."""
    retry_after: int | None = None
    """Send this `Retry-After` with 429; the vendor documents none."""
