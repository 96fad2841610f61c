"""How one emulated organisation behaves where the vendor's documents are silent, contradict each other, or changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

WINDOW_MS: Final = 300_000
CALLS: Final = 1000
"""The vendor's example: 1,000 calls in five minutes, per source address (S24)."""
SESSION_MS: Final = 900_000
"""A key in use begins a new session about every 15 minutes (S16)."""


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that can be switched. The defaults are the plainest reading of the contract."""

    leaks_secrets: bool = True
    """Put `apiKey` into `connectors/find`, as scripts have seen (S20)."""
    dead_secret_status: Literal[401, 403] = 403
    """What a former secret is answered: the vendor's pages differ (S1, S14)."""
    first_row: Literal[0, 1] = 0
    """The number of the first row of `connectors/find`: scripts differ."""
    most_rows: int | None = None
    """The most rows that one answer of `connectors/find` holds, whatever was asked for."""
    grants_as_map: bool = False
    """Answer a bulk read of grants with a map by principal, as older builds do."""
    org_urns: bool = False
    """Name organisations by URN in the answer to permitted roles, instead of by key."""
    writes_logins: bool = True
    """Write audit records of sessions, and of failed ones."""
    caller_ip: str = "203.0.113.7"
    """Where callers come from, in the audit log and for keys that are limited to addresses."""
    conflict_body: Literal["message", "reason", "other"] = "message"
    """What the answer looks like when a key in use is deleted: only its status is documented (S9)."""
    calls: int | None = None
    """The most calls in a window; None: any number. Calls that are refused make the block longer."""
    window_ms: int = WINDOW_MS
    retry_after: bool = True
    """Send `Retry-After` with 429."""
