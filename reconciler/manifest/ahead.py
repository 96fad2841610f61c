"""Reading ahead: in a large estate a second process reads the later files while the first reads the earlier ones.

Entries (`records`) cross between the two as `marshal` bytes, which costs a tenth of parsing. It is an optimisation only: a
file that the other process cannot read as a matter of course, or all of them if it fails, are read here as if it had never
been.
"""

from __future__ import annotations

import marshal
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.manifest import records
from reconciler.manifest.problems import Problem
from reconciler.manifest.source import read, weight

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

WORTH_IT: Final = 1_000_000
"""Bytes of manifests from which on a second process pays: starting it takes as long as parsing some 50 kB."""
_SHARE: Final = 0.58
"""The other process only reads, so it gets more than half."""


Read = tuple[str, list[records.Entry]]
"""What a file holds: the digest of its bytes, and its entries."""


class Ahead:
    """Files that another process has read, by their places in the list; None for a file to be read here."""

    def __init__(self, first: int = 0, answer: Connection | None = None) -> None:
        self._first = first
        self._answer = answer
        self._files: list[Read | None] | None = None

    def file(self, index: int) -> Read | None:
        """One file. The first question for a later file waits for the other process."""
        if self._answer is None or index < self._first:
            return None
        if self._files is None:
            self._files = _received(self._answer)
        return self._files[index - self._first] if index - self._first < len(self._files) else None


@contextmanager
def reading_ahead(paths: Sequence[Path]) -> Iterator[Ahead]:
    """Let another process read the later part of these files, if that pays and this process has no other thread."""
    first = _split(paths)
    if first is None or threading.active_count() > 1 or not hasattr(os, "fork") or (os.cpu_count() or 1) < 2:
        yield Ahead()
        return
    import multiprocessing  # noqa: PLC0415  only large estates need it

    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    other = context.Process(target=_serve, args=(paths[first:], theirs), daemon=True)
    try:
        other.start()
    except OSError:  # no more processes to be had
        yield Ahead()
        return
    theirs.close()
    try:
        yield Ahead(first, ours)
    finally:
        ours.close()
        other.kill()  # it has answered, or nobody wants its answer any more
        other.join()


def _split(paths: Sequence[Path]) -> int | None:
    """Where the other process's part begins; None if there is too little to share."""
    sizes = [weight([path]) for path in paths]
    total = sum(sizes)
    if total < WORTH_IT:
        return None
    seen = 0
    for index, size in enumerate(sizes):
        seen += size
        if seen >= total * (1 - _SHARE):
            return index + 1
    return None  # pragma: no cover  the sum reaches its own part


def _serve(paths: Sequence[Path], answer: Connection) -> None:
    """In the other process: read, and answer for every file."""
    answer.send_bytes(marshal.dumps([read_entries(path) for path in paths]))


def read_entries(path: Path) -> Read | None:
    """One file, here and now; None if it needs the careful pass, or cannot be read."""
    data = read(path)
    if isinstance(data, Problem) or (found := records.entries(data)) is None:
        return None
    return records.digest(data), found


def _received(answer: Connection) -> list[Read | None]:
    try:
        files: list[Read | None] = marshal.loads(answer.recv_bytes())  # noqa: S302  our own fork's
    except (EOFError, OSError, ValueError):
        return []
    return files
