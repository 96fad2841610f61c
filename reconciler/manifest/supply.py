"""The entries of each file, from where they are had soonest: the cache, the process that reads ahead, or the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reconciler.manifest import records
from reconciler.manifest.ahead import Ahead, read_entries, reading_ahead
from reconciler.manifest.cache import Cache
from reconciler.manifest.problems import Problem
from reconciler.manifest.source import read, weight

WORTH_KEEPING: Final = 256_000
"""Bytes of manifests from which on a cache pays: some 700 keys, which take a tenth of a second."""

Line = tuple[str, bytes]
"""A file that the cache knows: the digest of its content, and its entries as they are kept."""


class Supply:
    """Entries by the file's place in the list. With `keep`, it notes what the cache is to hold from now on."""

    def __init__(
        self, paths: Sequence[Path], known: Mapping[int, Line], rest: Sequence[int], ahead: Ahead, *, keep: bool
    ) -> None:
        self._paths = paths
        self._known = known
        self._ahead = ahead
        self._places = {index: place for place, index in enumerate(rest)}
        self._keep = keep
        self.kept: dict[str, bytes] = {}

    def entries(self, index: int) -> list[records.Entry] | None:
        """The entries of a file; None if the file needs the careful pass, or cannot be read."""
        if index in self._known:
            digest, line = self._known[index]
            self.kept[digest] = line
            return records.decode(line)
        had = self._ahead.file(self._places[index]) or read_entries(self._paths[index])
        if had is None:
            return None
        digest, found = had
        if self._keep:
            self.kept[digest] = records.encode(found)
        return found


@contextmanager
def supply(root: Path, paths: Sequence[Path], cache: Cache | None) -> Iterator[Supply]:
    """Supply the entries of an estate's files, and let the cache, if there is one, keep them for the next time."""
    if weight(paths) < WORTH_KEEPING:
        cache = None
    cached = cache.read(root) if cache is not None else {}
    known = _known(paths, cached) if cached else {}
    rest = [index for index in range(len(paths)) if index not in known]
    with reading_ahead([paths[index] for index in rest]) as ahead:
        supplied = Supply(paths, known, rest, ahead, keep=cache is not None)
        yield supplied
    if cache is not None and supplied.kept.keys() != cached.keys():
        cache.write(root, supplied.kept)


def _known(paths: Sequence[Path], cached: Mapping[str, bytes]) -> dict[int, Line]:
    """The files that have a content that the cache knows."""
    known = {}
    for index, path in enumerate(paths):
        data = read(path)
        if not isinstance(data, Problem) and (line := cached.get(digest := records.digest(data))) is not None:
            known[index] = digest, line
    return known
