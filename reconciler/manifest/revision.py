"""Reading files of one Git revision, whatever the working tree holds. Git is run to read objects, and for nothing else.

The working tree may be a stranger's: it is what a pull request proposes. So nothing in it has a say here. Git is run where
the repository's own `.git` is, which no commit can contain; otherwise a folder that looks like a bare repository, which a
commit can contain, would be taken for one. Files come as the objects of the revision: nothing is checked out, so neither
symbolic links nor filters nor `..` lead anywhere, and a missing object is not fetched. Git gets none of our environment but
where it finds itself and its settings.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from reconciler.errors import InvalidInput, foreign, printable
from reconciler.manifest.source import MAX_BYTES, shown

OLDEST_GIT: Final = (2, 30)
"""The first whose `rev-parse` knows `--end-of-options`."""
TIMEOUT: Final = 30.0
"""Seconds that one call of git may take."""
_INHERITED: Final = ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR")
_GIT_SETTINGS: Final = "GIT_CONFIG"
"""`safe.directory` may be given in variables that begin so. They are the operator's, like every variable."""
_ENVIRONMENT: Final = {
    "LC_ALL": "C",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}
_SETTINGS: Final = ("-c", "safe.bareRepository=explicit", "-c", "core.warnAmbiguousRefs=true")
_FILE_MODES: Final = frozenset({b"100644", b"100755"})
_LINK_MODE: Final = b"120000"
_SUBMODULE_MODE: Final = b"160000"
_HASH: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_NOT_IN_A_REF: Final = re.compile(r"[^\x21-\x7e]")


@dataclass(frozen=True, slots=True)
class File:
    """A regular file in a revision: its object, and its size in bytes."""

    object: str
    size: int


@dataclass(frozen=True, slots=True)
class Revision:
    """One folder as a commit holds it. Every method may raise InvalidInput."""

    ref: str
    """As it was asked for."""
    commit: str
    """The commit's hash, hexadecimal."""
    files: Mapping[str, File]
    """The regular files by their paths below the folder, parts separated by `/`. No links, no submodules."""
    top: Path
    """Where the repository begins."""
    links: Mapping[str, File] = field(default_factory=dict)
    """The symbolic links: where each leads is its content, which is read like a file's."""
    submodules: Mapping[str, str] = field(default_factory=dict)
    """The commits that other repositories are at, by the paths where these belong."""

    def read(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Path and content of some of `files` and `links`, in order. InvalidInput for one too large or missing."""
        files = [self.files.get(path) or self.links[path] for path in paths]
        for path, file in zip(paths, files, strict=True):
            if file.size > MAX_BYTES:
                raise InvalidInput(f"the file is larger than {MAX_BYTES} bytes", where=self.place(path))
        asked = "".join(f"{file.object}\n" for file in files).encode()
        told = memoryview(_git(self.top, "cat-file", "--batch", given=asked)) if paths else memoryview(b"")
        for path, file in zip(paths, files, strict=True):
            head = f"{file.object} blob {file.size}\n".encode()
            if told[: len(head)] != head:
                hint = "the clone is not complete: fetch the revision with all its files"
                raise InvalidInput("git does not have the file", where=self.place(path), hint=hint)
            yield path, bytes(told[len(head) : len(head) + file.size])
            told = told[len(head) + file.size + 1 :]

    def place(self, path: str) -> str:
        """A file of the revision as messages name it: `REF:path`."""
        return printable(f"{self.ref}:{path}")


def read_revision(folder: Path, ref: str, *, where: str = "--trusted-ref", may_lack: bool = False) -> Revision:
    """Find a folder (absolute, without symbolic links) in the commit that a name means.

    InvalidInput if git, the repository, the revision or the folder in it is not there, or if the name has two meanings.
    `where`: what messages call the option that gave the name. `may_lack`: without the folder there are no files.
    """
    _check_name(ref, where)
    top = _top_of(folder)
    commit = _resolve(top, ref, where)
    inside = folder.relative_to(top).as_posix()
    tree = f"{commit}:{'' if inside == '.' else inside}"
    if may_lack and not _git(top, "ls-tree", "-z", commit, "--", f":(literal){inside}" if inside != "." else "."):
        return Revision(ref, commit, {}, top)
    told = _git(top, "rev-parse", "--verify", "--end-of-options", tree, failed=lambda _: _no_folder(ref, inside, where))
    tree = _hash(told, where)
    files: dict[str, File] = {}
    links: dict[str, File] = {}
    submodules: dict[str, str] = {}
    for path, mode, file in _entries(_git(top, "ls-tree", "-r", "-z", "-l", tree)):
        if mode in _FILE_MODES:
            files[path] = file
        elif mode == _LINK_MODE:
            links[path] = file
        elif mode == _SUBMODULE_MODE:
            submodules[path] = file.object
    return Revision(ref, commit, files, top, links, submodules)


def git_version() -> str | None:
    """`2.39.5`; None if there is no git that runs."""
    try:
        return _git(Path("/"), "version").decode(errors="replace").strip().removeprefix("git version ")
    except InvalidInput:
        return None


def _check_name(ref: str, where: str) -> None:
    if not ref or ref.startswith("-") or _NOT_IN_A_REF.search(ref):
        hint = "give a branch, a tag or a commit, for example origin/main"
        raise InvalidInput(f"{printable(ref)!r} is not the name of a Git revision", where=where, hint=hint)


def _top_of(folder: Path) -> Path:
    """Where the repository's own `.git` is: a folder, or a file in further working trees."""
    for place in (folder, *folder.parents):
        if os.path.lexists(place / ".git"):
            return place
    raise InvalidInput(
        "this folder is in no Git repository, so that there is no revision to read",
        where=shown(folder),
        hint="work in a clone (--trusted-ref can be left out)",
    )


def _resolve(top: Path, ref: str, where: str) -> str:
    def unknown(told: str) -> InvalidInput:
        if "dubious ownership" in told:
            hint = f"git config --global --add safe.directory {top}"
            return InvalidInput("git refuses the repository, for it is another user's", where=shown(top), hint=hint)
        hint = "fetch it first, for a pipeline's clone often holds one commit only: git fetch origin BRANCH"
        return InvalidInput(f"Git knows no revision {ref!r} here", where=where, hint=hint)

    def ambiguous(told: str) -> None:
        if "is ambiguous" in told:
            hint = f"write it in full, for example refs/heads/{ref} or refs/remotes/{ref}"
            raise InvalidInput(f"{ref!r} is the name of two revisions", where=where, hint=hint)

    told = _git(top, "rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}", failed=unknown, said=ambiguous)
    return _hash(told, where)


def _no_folder(ref: str, inside: str, where: str) -> InvalidInput:
    return InvalidInput(f"the revision {ref!r} holds no folder {printable(inside)!r}", where=where)


def _hash(answer: bytes, where: str) -> str:
    text = answer.decode("ascii", "replace").strip()
    if not _HASH.fullmatch(text):
        raise InvalidInput("git does not answer with a commit", where=where, hint=foreign(text))
    return text


def _entries(listing: bytes) -> Iterator[tuple[str, bytes, File]]:
    """Read `MODE TYPE OBJECT SIZE<tab>PATH`, each ended by a zero byte. What is no blob has `-` for a size."""
    for entry in listing.split(b"\0")[:-1]:
        facts, _, path = entry.partition(b"\t")
        mode, _kind, name, size = facts.split()
        yield os.fsdecode(path), mode, File(name.decode(), int(size) if size.isdigit() else 0)


def _git(
    top: Path,
    *arguments: str,
    given: bytes = b"",
    failed: Callable[[str], InvalidInput] | None = None,
    said: Callable[[str], None] | None = None,
) -> bytes:
    """What git answers. `failed` makes the error of what it says on failing, `said` looks at what it says beside."""
    program = shutil.which("git")
    if program is None or not Path(program).is_absolute():
        raise InvalidInput(
            "git is not installed, and revisions are read by it", hint="install git, version 2.30 or later"
        )
    environment = {name: value for name, value in os.environ.items() if name.startswith(_GIT_SETTINGS)}
    environment |= {name: os.environ[name] for name in _INHERITED if name in os.environ} | _ENVIRONMENT
    try:
        done = subprocess.run(  # noqa: S603  fixed arguments; names are checked, and behind --end-of-options
            [program, "--no-pager", *_SETTINGS, *arguments],
            cwd=top, env=environment, input=given, capture_output=True, timeout=TIMEOUT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise InvalidInput(f"git did not answer within {TIMEOUT:.0f} seconds", where=shown(top)) from None
    except OSError as error:
        raise InvalidInput(f"git cannot be run: {error.strerror}", where=program) from None
    told = done.stderr.decode(errors="replace")
    if done.returncode:
        if failed:
            raise failed(told)
        hint = "the clone may not be complete: fetch the revision with all its files"
        raise InvalidInput(f"git {arguments[0]} failed: {foreign(told)}", where=shown(top), hint=hint)
    if said:
        said(told)
    return done.stdout
