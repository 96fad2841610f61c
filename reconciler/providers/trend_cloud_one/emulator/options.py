"""How an emulated account behaves where the vendor's documents are silent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

WINDOW_MS: Final = 60_000
CALLS_PER_KEY: Final = 300
"""What `--rate-limit` stands for: the vendor publishes no figure."""


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that can be switched. The defaults are the plainest reading of the contract."""

    created_statuses: bool = False
    """Answer 201 to creations and 204 to changes and deletions, instead of 200."""
    one_time_field: Literal["secret", "apiKey"] = "secret"
    """What the one-time field is called; `apiKey` holds the whole credential."""
    secrets_in_lists: bool = False
    """Show secrets in lists, which is not documented either way."""
    default_page: int = 25
    largest_page: int | None = None
    beyond_largest: Literal["clamp", "refuse"] = "clamp"
    """What asking for a larger page does."""
    networks: Literal["kept", "cidrs", "addresses"] = "kept"
    """Give addresses back as they came; all as CIDRs; or those that are one address without their /32."""
    exploded_ipv6: bool = False
    """Give IPv6 addresses back in capitals and at full length."""
    client_address: str = "127.0.0.1"
    """Where calls come from, as far as `allowedIPs` are concerned."""
    excluded_status: int = 401
    """What a key gets that is used from elsewhere."""
    role_in_use: Literal["refuse", "allow"] = "refuse"
    calls_per_key: int | None = None
    """The most calls in a minute; None: any number. Refused calls do not count."""
    retry_after: int = 1
    """Seconds in `Retry-After`, which 429 and 503 carry (T11)."""
