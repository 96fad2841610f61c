"""Which files are manifests, where an estate's root is, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.errors import InvalidInput
from reconciler.manifest import source
from reconciler.manifest.problems import Problem
from reconciler.manifest.source import Files, below, find_root, read, resolved, shown


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty folder, by its real path."""
    folder = tmp_path.resolve() / "root"
    folder.mkdir()
    return folder


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"# {name}\n")


def names(files: Files) -> list[str]:
    return [str(path.relative_to(files.root)) for path in files.paths.values()]


def said(problems: list[Problem], root: Path) -> list[str]:
    return [str(problem).replace(f"{root}/", "").replace(str(root), ".") for problem in problems]


def test_walk(root: Path) -> None:
    """Both endings, in every folder, sorted; hidden ones and other files are left out."""
    touch(
        root,
        "b.yaml",
        "a.yml",
        "c/d/e.yaml",
        "c/x.json",
        ".git/x.yaml",
        ".hidden.yaml",
        "README.md",
        "yaml",
        "z.yaml.bak",
    )
    assert names(Files(root)) == ["a.yml", "b.yaml", "c/d/e.yaml"]


def test_symlinks_within(root: Path) -> None:
    """Links that stay are followed, each file is read once, and circles end."""
    touch(root, "real/a.yaml")
    (root / "again").symlink_to("real")
    (root / "real/circle").symlink_to("..")
    (root / "link.yaml").symlink_to("real/a.yaml")
    assert names(Files(root)) == ["again/a.yaml"]
    assert Files(root).problems == []


def test_symlinks_that_leave(root: Path) -> None:
    """Links that leave the folder, or lead nowhere, are refused if they could be manifests."""
    touch(root.parent, "outside/a.yaml", "outside/note.txt")
    (root / "a.yaml").symlink_to("../outside/a.yaml")
    (root / "folder").symlink_to("../outside")
    (root / "gone.yaml").symlink_to("nowhere")
    (root / "gone.txt").symlink_to("nowhere")
    (root / "loop.yaml").symlink_to("loop.yaml")
    (root / "note.txt").symlink_to("../outside/note.txt")

    files = Files(root)
    assert files.paths == {}
    assert said(files.problems, root) == [
        "a.yaml:1:1: error: the symbolic link leaves the folder (it must lead to something in .)",
        "folder:1:1: error: the symbolic link leaves the folder (it must lead to something in .)",
        "gone.yaml:1:1: error: the symbolic link leads nowhere",
        "loop.yaml:1:1: error: the symbolic link leads nowhere",
    ]


def test_what_is_no_file(root: Path) -> None:
    """A pipe that is named like a manifest is refused instead of waited for; a folder may be named so."""
    os.mkfifo(root / "pipe.yaml")
    touch(root, "folder.yaml/a.yaml")
    files = Files(root)
    assert names(files) == ["folder.yaml/a.yaml"]
    assert said(files.problems, root) == ["pipe.yaml:1:1: error: this is not a regular file"]


def test_unreadable(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may not be read is said to be so."""
    touch(root, "closed/a.yaml")

    def denied(path: object) -> object:
        raise PermissionError(13, "Permission denied")

    assert said([problem for problem in [read(root / "none.yaml")] if isinstance(problem, Problem)], root) == [
        "none.yaml:1:1: error: the file cannot be read: No such file or directory"
    ]
    monkeypatch.setattr(source.os, "scandir", denied)
    files = Files(root)
    assert said(files.problems, root) == [".:1:1: error: the folder cannot be read: Permission denied"]


def test_size(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the greatest size is read; one byte more is too much."""
    monkeypatch.setattr(source, "MAX_BYTES", 10)
    (root / "a.yaml").write_bytes(b"x" * 10)
    assert read(root / "a.yaml") == b"x" * 10
    (root / "a.yaml").write_bytes(b"x" * 11)
    assert "more than" in str(read(root / "a.yaml"))


def test_growing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file to which somebody writes meanwhile is not taken for a whole one."""
    (root / "a.yaml").write_bytes(b"x")
    original = os.fstat

    def then_grow(number: int) -> os.stat_result:
        before = original(number)
        (root / "a.yaml").write_bytes(b"xyz")
        return before

    monkeypatch.setattr(source.os, "fstat", then_grow)
    assert "grew while it was read" in str(read(root / "a.yaml"))


def test_a_pipe_by_name(root: Path) -> None:
    """What is no regular file has no size beforehand, and is read to its end."""
    reader, writer = os.pipe()
    os.write(writer, b"a: 1")
    os.close(writer)
    assert read(Path(f"/dev/fd/{reader}")) == b"a: 1"
    os.close(reader)


def test_find_root(root: Path) -> None:
    """The nearest reconciler.yaml upward, from a file or a folder."""
    touch(root, "reconciler.yaml", "a/b/c.yaml", "n/reconciler.yaml", "n/x.yaml")
    assert find_root(root / "a/b/c.yaml") == root
    assert find_root(root / "a/b") == root
    assert find_root(root / "n/x.yaml") == root / "n"
    (root / "reconciler.yaml").unlink()
    (root / "reconciler.yaml").mkdir()
    assert find_root(root / "a") is None


def test_below(root: Path) -> None:
    """Files of the root, and those of a path that the root leaves out; none twice."""
    touch(root, "a.yaml", "b/c.yaml", ".h/d.yaml", "e.txt")
    all_names = [[str(path.relative_to(root)) for path in below(root, extra)[0].values()] for extra in (
        None, root / "b", root / ".h", root / ".h/d.yaml", root / "e.txt",
    )]  # fmt: skip
    usual = ["a.yaml", "b/c.yaml"]
    assert all_names == [usual, usual, [".h/d.yaml", *usual], [".h/d.yaml", *usual], [*usual, "e.txt"]]


def test_paths_as_shown(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are relative to the current folder where they are below it."""
    monkeypatch.chdir(root)
    assert shown(root / "a/b.yaml") == "a/b.yaml"
    assert shown(root) == "."
    assert shown(root.parent / "root-2/x.yaml") == str(root.parent / "root-2/x.yaml")
    assert shown(root.parent / "x.yaml") == str(root.parent / "x.yaml")


def test_resolved(root: Path) -> None:
    """A path that is not there is wrong input."""
    with pytest.raises(InvalidInput, match="there is no such file or folder"):
        resolved(root / "none")
    (root / "loop").symlink_to("loop")
    with pytest.raises(InvalidInput):
        resolved(root / "loop")
