"""The mark in an object's description or comment that says: this is ours, of this generation, from this intent.

A name is not ownership. A mark is `[rcl:OWNER:GENERATION:NONCE]` at the end of the text: 16 hexadecimal digits that tell
the estate and the tenant, the generation, and 80 random bits in base 32 that were written to the intent before the call.
The owner names the tenant as well because two tenants of one estate may share a vendor account: what one of them has just
created must never look like an orphan to the other.
It is stripped before descriptions are compared or shown. It is no secret: it authenticates nothing.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from typing import Final, NamedTuple
from uuid import UUID

_MARK: Final = re.compile(r"\[rcl:([0-9a-f]{16}):([0-9]{1,9}):([a-z2-7]{16})\]\s*\Z")
_ANYWHERE: Final = re.compile(r"\[rcl:[^\]]*\]")


class Mark(NamedTuple):
    """Whose an object is: see the module's text for the format."""

    estate: str
    generation: int
    nonce: str

    def __str__(self) -> str:
        return f"[rcl:{self.estate}:{self.generation}:{self.nonce}]"

    def attach(self, text: str) -> str:
        """The text with the mark at its end, as it is sent to the vendor."""
        return f"{text} {self}" if text else str(self)


def owner_tag(estate: UUID, tenant: str) -> str:
    """Whose a mark says that something is: 8 digits of the estate's UUID, and 8 of the SHA-256 of the tenant's name."""
    return estate.hex[:8] + hashlib.sha256(tenant.encode()).hexdigest()[:8]


def new_nonce() -> str:
    """80 random bits, as 16 characters of `a-z2-7`."""
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()


def handoff_nonce(owner: str, name: str, generation: int) -> str:
    """The nonce of a key that a person makes in the console: always the same for one generation of one object.

    A plan shows the mark before any intent is written, so that whoever acts on the plan enters the mark that we expect.
    """
    digest = hashlib.sha256(f"{owner}/{name}/{generation}".encode()).digest()
    return base64.b32encode(digest[:10]).decode().lower()


def split(text: str | None) -> tuple[str, Mark | None]:
    """Take a vendor's text apart: the description that a person wrote, stripped, and our mark if it ends with one."""
    text = text or ""
    found = _MARK.search(text)
    if found is None:
        return text.strip(), None
    return text[: found.start()].strip(), Mark(found[1], int(found[2]), found[3])


def contains_mark(text: str) -> bool:
    """Whether a text that a person wrote could be mistaken for one of our marks."""
    return _ANYWHERE.search(text) is not None
