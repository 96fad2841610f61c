"""Where manifests are: the estate's root, and the files below a path."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from reconciler.errors import InvalidInput
from reconciler.manifest.problems import Problem
from reconciler.model.desired import Source

ROOT_FILE: Final = "reconciler.yaml"
MAX_BYTES: Final = 32 * 1024 * 1024
_MEBIBYTE: Final = 1024 * 1024
ENDINGS: Final = (".yaml", ".yml")


def shown(path: Path) -> str:
    """A path as messages show it: relative to the current folder where it is below it."""
    text, here = str(path), os.getcwd()  # noqa: PTH109  once per file: a Path costs ten times as much
    return "." if text == here else text.removeprefix(here.rstrip(os.sep) + os.sep)


def is_hidden(path: str) -> bool:
    """Whether a path with `/` between its parts leads to, or through, something hidden."""
    return any(part.startswith(".") for part in path.split("/"))


def is_manifest(path: str) -> bool:
    """Whether a file below an estate's root is one of its manifests, by its path with `/` between the parts."""
    return path.endswith(ENDINGS) and not is_hidden(path)


def resolved(path: Path) -> Path:
    """The path, absolute and without symbolic links. InvalidInput if there is nothing."""
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise InvalidInput("there is no such file or folder", where=str(path)) from None


def find_root(path: Path) -> Path | None:
    """The nearest folder with a `reconciler.yaml`, from a resolved path upward."""
    start = path if path.is_dir() else path.parent
    return next((folder for folder in (start, *start.parents) if (folder / ROOT_FILE).is_file()), None)


class Files:
    """The manifest files below a resolved folder (or the one file), each once; hidden folders and files are left out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[Problem] = []
        self.paths: dict[Path, Path] = {}
        """By their real paths, which differ where symbolic links lead to them."""
        self._folders: set[Path] = set()
        if root.is_dir():
            self._folder(root, root)
        else:
            self.paths[root] = root

    def _folder(self, folder: Path, real: Path) -> None:
        if real in self._folders:
            return
        self._folders.add(real)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            self._problem(folder, "unreadable", f"the folder cannot be read: {error.strerror}")
            return
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith(".") or (entry.is_symlink() and not self._stays(path)):
                continue
            below = path.resolve() if entry.is_symlink() else real / entry.name
            if entry.is_dir():
                self._folder(path, below)
            elif path.suffix not in ENDINGS or below in self.paths:
                continue
            elif entry.is_file():
                self.paths[below] = path
            else:
                self._problem(path, "unreadable", "this is not a regular file")

    def _stays(self, path: Path) -> bool:
        """Whether a symbolic link leads to something below the root. One that does not is a problem if it could matter."""
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):
            if path.suffix in ENDINGS:
                self._problem(path, "symlink", "the symbolic link leads nowhere")
            return False
        if target.is_relative_to(self.root):
            return True
        if path.suffix in ENDINGS or target.is_dir():
            self._problem(
                path,
                "symlink",
                "the symbolic link leaves the folder",
                f"it must lead to something in {shown(self.root)}",
            )
        return False

    def _problem(self, path: Path, code: str, what: str, hint: str = "") -> None:
        self.problems.append(_unread(path, code, what, hint))


def read(path: Path) -> bytes | Problem:
    """A file's bytes, or why there are none."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            # Not simply up to the limit: Python would make room for all of that.
            expected = min(status.st_size, MAX_BYTES) if stat.S_ISREG(status.st_mode) else MAX_BYTES
            data = file.read(expected + 1)
    except OSError as error:
        return _unread(path, "unreadable", f"the file cannot be read: {error.strerror}")
    if len(data) <= expected:
        return data
    size = max(status.st_size, len(data))
    if size <= MAX_BYTES:
        return _unread(path, "unreadable", "the file grew while it was read", "try again")
    what = f"the file has {size / _MEBIBYTE:.0f} MiB, which is more than {MAX_BYTES // _MEBIBYTE} MiB"
    return _unread(path, "too-large", what, "split it into several")


def weight(paths: Iterable[Path]) -> int:
    """The bytes of these files together; 0 if one cannot be looked at, which others will tell."""
    try:
        return sum(path.stat().st_size for path in paths)
    except OSError:
        return 0


def _unread(path: Path, code: str, what: str, hint: str = "") -> Problem:
    return Problem(Source(shown(path), 1), what, hint, code=code)


def below(root: Path, extra: Path | None) -> tuple[dict[Path, Path], list[Problem]]:
    """The files below the root by their real paths, and those of a path that the root's walk leaves out (a hidden one)."""
    files = Files(root)
    found, problems = files.paths, files.problems
    if extra is not None and not any(real.is_relative_to(extra) for real in found):
        more = Files(extra)
        found = {**more.paths, **found}
        problems = [*problems, *more.problems]
    return dict(sorted(found.items(), key=lambda item: item[1])), problems
