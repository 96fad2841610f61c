"""How an emulated tenant behaves where the vendor's documents are silent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

WINDOW_MS: Final = 60_000
"""The window of the quotas (T17)."""
CALLS_PER_KEY: Final = 300
"""What `--rate-limit` stands for: the vendor publishes no quota."""
LARGEST_BODY: Final = 1024 * 1024
"""Bytes; more is answered with 413 (T17)."""


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that can be switched. The defaults are the plainest reading of the contract."""

    stale_status: int = 412
    """What a stale `If-Match` gets."""
    taken_status: int = 409
    """What a name that is taken gets."""
    names_ignore_case: bool = False
    master_allowed: bool = False
    """Whether keys can be given the role Master Administrator, as they could before 27 October 2025."""
    roles_listed: Literal["yes", "forbidden", "unknown"] = "yes"
    """Whether the list of roles exists and may be read."""
    roles_per_page: int = 50
    values_in_lists: bool = False
    """Show tokens in lists, which the contract does not say and nobody has seen."""
    never: str | None = ""
    """What `expiredDateTime` and `lastUsedDateTime` are when there is none."""
    milliseconds: bool = False
    """Write times with milliseconds."""
    longest_description: int | None = None
    error_in_body: bool = True
    """Where a multi-status item tells its error: below `body`, or beside `status`."""
    calls_per_key: int | None = None
    """The most calls in a minute; None: any number. Refused calls do not count."""
    retry_after: int | None = None
    """Send this `Retry-After` with 429; the vendor documents none."""
