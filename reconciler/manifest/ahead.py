"""Reading ahead: in a large estate a second process reads the later files while the first checks the earlier ones.

Plain values cross between the two as `marshal` bytes, which costs a tenth of parsing them. It is an optimisation only: a
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
from typing import TYPE_CHECKING, Any, Final

from reconciler.manifest import reader
from reconciler.manifest.source import read

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

WORTH_IT: Final = 1_000_000
"""Bytes of manifests from which on a second process pays: starting it takes as long as parsing some 50 kB."""
_SHARE: Final = 0.58
"""The other process only parses, so it gets more than half."""


class Ahead:
    """Documents that another process has read, by the file's place in the list; None for a file to be read here."""

    def __init__(self, first: int = 0, answer: Connection | None = None) -> None:
        self._first = first
        self._answer = answer
        self._files: list[list[tuple[Any, ...]] | None] | None = None

    def documents(self, index: int) -> Iterator[reader.Document] | None:
        """The documents of one file. The first question for a later file waits for the other process."""
        if self._answer is None or index < self._first:
            return None
        if self._files is None:
            self._files = _received(self._answer)
        known = self._files[index - self._first] if index - self._first < len(self._files) else None
        return map(reader.Document._make, known) if known is not None else None


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
    try:
        sizes = [path.stat().st_size for path in paths]
    except OSError:
        return None
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
    """In the other process: read, and send one list of documents per file."""
    answer.send_bytes(marshal.dumps([_read(path) for path in paths]))


def _read(path: Path) -> list[tuple[Any, ...]] | None:
    data = read(path)
    if not isinstance(data, bytes):
        return None
    try:
        return [tuple(document) for document in reader.values(data)]
    except reader.Unusual:
        return None


def _received(answer: Connection) -> list[list[tuple[Any, ...]] | None]:
    try:
        files: list[list[tuple[Any, ...]] | None] = marshal.loads(answer.recv_bytes())  # noqa: S302  our own fork's
    except (EOFError, OSError, ValueError):
        return []
    return files
