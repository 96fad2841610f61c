"""Where manifests are: the estate's root, and the files below a path."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from reconciler.errors import InvalidInput
from reconciler.manifest.problems import Problem
from reconciler.model.desired import Source

ROOT_FILE: Final = "reconciler.yaml"
MAX_BYTES: Final = 32 * 1024 * 1024
_MEBIBYTE: Final = 1024 * 1024
_ENDINGS: Final = (".yaml", ".yml")


def shown(path: Path) -> str:
    """A path as messages show it: relative to the current folder where it is below it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


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
    """The manifest files below a folder, each once, sorted; hidden folders and files are left out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[Problem] = []
        self.paths: list[Path] = []
        self._seen: set[Path] = set()
        if root.is_dir():
            self._folder(root)
        else:
            self._file(root, named=True)

    def _folder(self, folder: Path) -> None:
        if folder.resolve() in self._seen:
            return
        self._seen.add(folder.resolve())
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            self._problem(folder, "unreadable", f"the folder cannot be read: {error.strerror}")
            return
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith(".") or (entry.is_symlink() and not self._stays(path)):
                continue
            if path.is_dir():
                self._folder(path)
            elif path.suffix in _ENDINGS:
                self._file(path)

    def _stays(self, path: Path) -> bool:
        """Whether a symbolic link leads to something below the root. One that does not is a problem if it could matter."""
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):
            if path.suffix in _ENDINGS:
                self._problem(path, "symlink", "the symbolic link leads nowhere")
            return False
        if target.is_relative_to(self.root):
            return True
        if path.suffix in _ENDINGS or target.is_dir():
            self._problem(
                path,
                "symlink",
                "the symbolic link leaves the folder",
                f"it must lead to something in {shown(self.root)}",
            )
        return False

    def _file(self, path: Path, *, named: bool = False) -> None:
        real = path.resolve()
        if real in self._seen:
            return
        self._seen.add(real)
        if not named and not stat.S_ISREG(real.stat().st_mode):
            self._problem(path, "unreadable", "this is not a regular file")
            return
        self.paths.append(path)

    def _problem(self, path: Path, code: str, what: str, hint: str = "") -> None:
        self.problems.append(Problem(Source(shown(path), 1), what, hint, code=code))


def read(path: Path) -> bytes | Problem:
    """A file's bytes, or why there are none."""
    place = Source(shown(path), 1)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        return Problem(place, f"the file cannot be read: {error.strerror}", code="unreadable")
    if len(data) > MAX_BYTES:
        what = f"the file has {size / _MEBIBYTE:.0f} MiB, which is more than {MAX_BYTES // _MEBIBYTE} MiB"
        return Problem(place, what, "split it into several", code="too-large")
    return data


def below(root: Path, extra: Path | None) -> tuple[list[Path], list[Problem]]:
    """The files below the root, and those below a path that the root's own walk leaves out (a hidden folder, say)."""
    files = Files(root)
    found: dict[Path, Path] = {path.resolve(): path for path in files.paths}
    problems = list(files.problems)
    if extra is not None and not any(real.is_relative_to(extra) for real in found):
        more = Files(extra)
        found.update((path.resolve(), path) for path in more.paths)
        problems.extend(more.problems)
    return sorted(found.values()), problems
