"""The cache: what files with a known content say, so that nobody has to parse and check them again (ADR 0019).

It is plain data under a seal: an HMAC whose key lies elsewhere. What another machine or another user wrote, an older
version, somebody with access to the folder or a failing disk, has no seal that fits, and is ignored before anything in it
is looked at. Commands that write to vendors or Vault do not read it at all.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

import pydantic
import yaml

from reconciler.errors import InvalidInput

FOLDER: Final = "RECONCILER_CACHE"
KEY: Final = "RECONCILER_CACHE_KEY"
OFF: Final = "off"
_SHORTEST_KEY: Final = 32
_LARGEST: Final = 512 * 1024 * 1024
_HEX: Final = hashlib.sha256().digest_size * 2
_READ_BY: Final = ("manifest", "model")
"""The rooms whose code decides what a file says."""

_log = logging.getLogger(__name__)


class Cache:
    """One file for each estate, in a folder: the seal, then a line for each manifest file (its digest, its entries)."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self._folder = folder
        self._key = key

    def file(self, root: Path) -> Path:
        """Where an estate's entries are."""
        return self._folder / f"manifests-{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}"

    def read(self, root: Path) -> dict[str, bytes]:
        """Entries by the digest of the file's content; none if there are none that this version of us has written."""
        seal, found, lines = _content(self.file(root)).partition(b"\n")
        if not found or not hmac.compare_digest(seal, self._seal(lines)):
            return {}
        return {line[:_HEX].decode(): line[_HEX + 1 :] for line in lines.splitlines()}

    def write(self, root: Path, entries: Mapping[str, bytes]) -> None:
        """Hold these entries from now on, and no others. Nothing happens where the folder cannot be written."""
        lines = b"\n".join(b"%s %s" % (digest.encode(), line) for digest, line in entries.items())
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _put(self.file(root), b"%s\n%s" % (self._seal(lines), lines))
        except OSError as problem:
            _log.debug("the cache cannot be written: %s", problem.strerror)

    def _seal(self, lines: bytes) -> bytes:
        seal = hmac.new(self._key, _version(), hashlib.sha256)
        seal.update(lines)
        return seal.hexdigest().encode()


@cache
def _version() -> bytes:
    """What changes with the code that reads manifests: entries of other code are foreign. As long as a digest."""
    said = hashlib.sha256(f"{sys.hexversion} {pydantic.VERSION} {yaml.__version__}".encode())
    for room in _READ_BY:
        for file in sorted((Path(__file__).parents[1] / room).rglob("*.py")):
            said.update(hashlib.sha256(file.read_bytes()).digest())
    return said.digest()


def open_cache(environ: Mapping[str, str]) -> Cache | None:
    """The cache that the environment names, or the user's own; None if it is off, or no key for it can be kept.

    InvalidInput for a key that can be guessed.
    """
    folder = environ.get(FOLDER, "")
    if folder == OFF:
        return None
    try:
        home = Path.home()
    except RuntimeError:
        return None
    key = _given_key(environ) or _own_key(
        _base(environ, "XDG_STATE_HOME", home / ".local/state") / "reconciler/cache.key"
    )
    if key is None:
        return None
    return Cache(Path(folder) if folder else _base(environ, "XDG_CACHE_HOME", home / ".cache") / "reconciler", key)


def _base(environ: Mapping[str, str], name: str, default: Path) -> Path:
    """A base folder of the XDG specification, which says to ignore relative ones."""
    given = Path(environ.get(name, ""))
    return given if given.is_absolute() else default


def _given_key(environ: Mapping[str, str]) -> bytes | None:
    given = environ.get(KEY, "")
    if given and len(given) < _SHORTEST_KEY:
        raise InvalidInput(
            f"{KEY} has fewer than {_SHORTEST_KEY} characters",
            hint="make one that nobody guesses: openssl rand -hex 32",
        )
    return given.encode() or None


def _own_key(file: Path) -> bytes | None:
    """The user's key, made at first need; None if it cannot be kept, or others could have read or written it."""
    try:
        if not file.exists():
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):  # another run was first
                _put(file, os.urandom(_SHORTEST_KEY).hex().encode(), new=True)
        status = file.lstat()
    except OSError as problem:
        _log.debug("no key for the cache: %s", problem.strerror)
        return None
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        _log.debug("no key for the cache: others can use the file")
        return None
    key = _content(file)
    return key if len(key) >= _SHORTEST_KEY else None


def _content(file: Path) -> bytes:
    """A regular file's bytes; nothing where there is none, or it cannot be read."""
    try:
        with open(file, "rb", opener=_without_waiting) as opened:
            status = os.fstat(opened.fileno())
            return opened.read() if stat.S_ISREG(status.st_mode) and status.st_size <= _LARGEST else b""
    except OSError:
        return b""


def _without_waiting(file: str, flags: int) -> int:
    """Open it even if it is a pipe that nobody writes to."""
    return os.open(file, flags | os.O_NONBLOCK)


def _put(file: Path, content: bytes, *, new: bool = False) -> None:
    """Write a file whole or not at all, for its owner alone. With `new`, FileExistsError if there is one."""
    import tempfile  # noqa: PLC0415  most runs write nothing

    number, scratch = tempfile.mkstemp(dir=file.parent)
    try:
        with open(number, "wb") as opened:  # noqa: PTH123  it is open
            opened.write(content)
        if new:
            os.link(scratch, file)
        else:
            Path(scratch).replace(file)
    finally:
        Path(scratch).unlink(missing_ok=True)
