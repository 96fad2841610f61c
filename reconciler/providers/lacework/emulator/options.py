"""How one emulated account behaves where the vendor's documents are silent, or where it can be configured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HOUR_MS: Final = 3_600_000
CALLS: Final = 480
"""Calls of one function that a user may make in a sliding hour (APIDOC)."""
ROWS: Final = 5000
"""Rows of a page (APIDOC)."""
KEYS_PER_USER: Final = 20


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that can be switched. The defaults are the plainest reading of the contract."""

    calls: int | None = None
    """The most calls of one function in an hour, told in `RateLimit-*`; None: any number, and no such headers."""
    count_tokens: bool = True
    """Whether exchanging a key counts as a function."""
    rows: int = ROWS
    """Rows of a page."""
    tells_descriptions: bool = False
    """Whether answers have a service user's description: the documented ones do not."""
    bad_secret_status: int = 401
    """How a wrong secret or an inactive key is answered: 401 or 403, for no source says."""
    taken_email_status: int = 409
    """How a second user with one e-mail address is answered: 400 or 409, for no source says."""
    profile_for_all: bool = False
    """Whether users that are no admins can ask for their profile, instead of getting a 500."""
    stale_lists: bool = False
    """Whether a deleted user is still in the next list."""
    sub_accounts: tuple[str, ...] = ()
    """Accounts of the same organisation, beside the primary one."""
