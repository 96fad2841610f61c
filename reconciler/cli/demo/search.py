"""Looks for secrets in whatever a run left behind: whole or in part, as they are or in an encoding.

Tables fold long cells and logs cut long lines, so what is searched for is every short piece of every secret, not the
secret as one text. A piece of ten characters of base 64 is sixty random bits: it is not met by chance.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

PIECE: Final = 10
_STEP: Final = 4
SHORTEST: Final = PIECE + _STEP - 1
"""A leaked piece of this many characters is found wherever it begins."""


class Search:
    """Knows the pieces of some secrets, and finds them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Prepare for these secrets. A key's number before the colon is public, so only what follows it counts."""
        self._pieces = frozenset(
            form[start : start + PIECE]
            for secret in secrets
            for form in forms(secret.rpartition(":")[2])
            for start in range(len(form) - PIECE + 1)
        )

    def hits(self, data: bytes) -> bool:
        """Whether any piece of any secret is in there."""
        return any(data[start : start + PIECE] in self._pieces for start in range(0, len(data) - PIECE + 1, _STEP))

    def files(self, paths: Iterable[Path]) -> list[Path]:
        """The files in which something was found."""
        return [path for path in paths if self.hits(path.read_bytes())]


def forms(secret: str) -> Iterator[bytes]:
    """A secret as it could stand in a file: plain, in a URL, in JSON, in hexadecimal, in base 64 at any offset."""
    plain = secret.encode()
    yield plain
    yield quote(secret, safe="").encode()
    yield secret.replace("/", "\\/").encode()
    yield plain.hex().encode()
    for offset in range(3):
        # The first and last four characters depend on what stands before and after.
        yield base64.b64encode(bytes(offset) + plain)[4 if offset else 0 : -4]
