from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from reconciler.errors import InvalidInput
from reconciler.manifest import revision
from reconciler.manifest.revision import Revision, read_revision
from tests.support.repository import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.make(tmp_path / "repo")


def texts(found: Revision) -> dict[str, str]:
    return {path: data.decode() for path, data in found.read(list(found.files))}


def test_files_come_from_the_commit_not_from_the_working_tree(repository: Repository) -> None:
    """Whatever was edited, added or removed since."""
    commit = repository.commit(**{"a.yaml": "old", "sub/b c.yaml": "ü"})
    (repository.folder / "a.yaml").write_text("new")
    (repository.folder / "c.yaml").write_text("more")
    shutil.rmtree(repository.folder / "sub")
    found = read_revision(repository.folder, "main")
    assert texts(found) == {"a.yaml": "old", "sub/b c.yaml": "ü"}
    assert (found.ref, found.commit, found.top) == ("main", commit, repository.folder)


def test_a_folder_within_the_repository(repository: Repository) -> None:
    """Paths are below the folder, and its siblings are not seen."""
    repository.commit(**{"estates/a/x.yaml": "a", "estates/b/x.yaml": "b", "x.yaml": "top"})
    assert texts(read_revision(repository.folder / "estates/a", "HEAD")) == {"x.yaml": "a"}
    repository.commit(**{"estates/[a]*/x.yaml": "glob"})
    assert texts(read_revision(repository.folder / "estates/[a]*", "HEAD")) == {"x.yaml": "glob"}


@pytest.mark.parametrize("name", ["main", "v1", "HEAD~1", "refs/heads/main~1", "main^{/first}"])
def test_whatever_git_calls_a_commit(repository: Repository, name: str) -> None:
    """Branches, tags that have a message of their own, ancestors, hashes."""
    repository.commit(a="1")
    repository.git("tag", "-a", "v1", "-m", "release")
    second = repository.commit(a="2")
    known = {"main": second, "main^{/first}": None}.get(name, repository.git("rev-parse", "v1^{commit}"))
    if known is None:
        with pytest.raises(InvalidInput, match="knows no revision"):
            read_revision(repository.folder, name)
    else:
        assert read_revision(repository.folder, name).commit == known
    assert read_revision(repository.folder, second[:12]).commit == second


@pytest.mark.parametrize("name", ["", "-h", "--output=/tmp/x", "a b", "a\nb", "a\0b", "ä", "\x1b[2J"])
def test_what_is_no_name_does_not_reach_git(repository: Repository, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options above all; an empty variable of a pipeline is not taken for "no option"."""
    repository.commit(a="1")
    monkeypatch.setattr(revision, "_git", None)
    with pytest.raises(InvalidInput, match="is not the name of a Git revision") as problem:
        read_revision(repository.folder, name)
    assert str(problem.value).isprintable()


@pytest.mark.parametrize("name", ["nobody", "main:a", "main..main", "v1^{tree}", "0" * 40])
def test_an_unknown_revision_says_what_to_do(repository: Repository, name: str) -> None:
    """A pipeline's clone mostly holds one commit."""
    repository.commit(a="1")
    with pytest.raises(InvalidInput, match="knows no revision") as problem:
        read_revision(repository.folder, name)
    assert "git fetch" in problem.value.hint


def test_a_name_with_two_meanings_is_refused(repository: Repository) -> None:
    """Git would take the tag, which more people may push than the branch."""
    repository.commit(a="1")
    repository.git("tag", "main")
    repository.commit(a="2")
    with pytest.raises(InvalidInput, match="name of two revisions") as problem:
        read_revision(repository.folder, "main")
    assert "refs/heads/main" in problem.value.hint
    assert texts(read_revision(repository.folder, "refs/heads/main")) == {"a": "2"}


def test_no_repository(tmp_path: Path) -> None:
    """A folder that is in none has no trusted revision."""
    with pytest.raises(InvalidInput, match="in no Git repository"):
        read_revision(tmp_path, "main")


def test_a_folder_that_looks_like_a_bare_repository_is_none(repository: Repository, tmp_path: Path) -> None:
    """A commit can hold such a folder, with settings that run programs, and another `main`."""
    repository.commit(**{"estate/x.yaml": "reviewed"})
    evil = Repository.make(tmp_path / "evil")
    evil.commit(**{"x.yaml": "evil", "estate/x.yaml": "evil"})
    estate = repository.folder / "estate"
    shutil.copytree(evil.folder / ".git", estate, dirs_exist_ok=True)
    touched = tmp_path / "touched"
    evil.git("config", "--file", str(estate / "config"), "core.fsmonitor", f"touch {touched}")
    assert texts(read_revision(estate, "main")) == {"x.yaml": "reviewed"}
    assert not touched.exists()


def test_links_and_submodules_are_no_files(repository: Repository, tmp_path: Path) -> None:
    """A link's text is not taken for a file, and nothing is followed."""
    other = Repository.make(tmp_path / "other")
    other.commit(**{"y.yaml": "other"})
    (tmp_path / "outside.yaml").write_text("outside")
    repository.folder.joinpath("link.yaml").symlink_to("../outside.yaml")
    repository.folder.joinpath("inside.yaml").symlink_to("x.yaml")
    repository.git("-c", "protocol.file.allow=always", "submodule", "-q", "add", str(other.folder), "module")
    repository.commit(**{"x.yaml": "x"})
    assert set(read_revision(repository.folder, "main").files) == {".gitmodules", "x.yaml"}


def test_further_working_trees_have_their_repository_elsewhere(repository: Repository, tmp_path: Path) -> None:
    """There `.git` is a file."""
    repository.commit(**{"x.yaml": "x"})
    repository.git("worktree", "add", "-q", str(tmp_path / "more"), "-b", "proposal")
    assert texts(read_revision(tmp_path / "more", "main")) == {"x.yaml": "x"}


def test_a_folder_that_the_revision_does_not_have(repository: Repository) -> None:
    """A pull request that adds an estate has none to compare with."""
    repository.commit(a="1")
    (repository.folder / "new").mkdir()
    with pytest.raises(InvalidInput, match="holds no folder 'new'"):
        read_revision(repository.folder / "new", "main")


def test_git_is_not_installed(repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor is one that a relative folder in PATH would find."""
    repository.commit(a="1")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidInput, match="git is not installed"):
        read_revision(repository.folder, "main")
    script(tmp_path / "git", "echo hello")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", ".")
    with pytest.raises(InvalidInput, match="git is not installed"):
        read_revision(repository.folder, "main")


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("exec sleep 60", "did not answer within"),
        ("echo nonsense", "does not answer with a commit"),
        ("echo 'fatal: detected dubious ownership' >&2; exit 128", "another user's"),
    ],
)
def test_a_git_that_misbehaves(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, told: str
) -> None:
    """It is waited for no longer than told, and what it says is no traceback."""
    script(tmp_path / "git", text)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(revision, "TIMEOUT", 0.2)
    with pytest.raises(InvalidInput, match=told):
        read_revision(repository.folder, "main")


def test_a_git_that_cannot_be_run_or_fails_later(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Both are sentences."""
    commit = repository.commit(a="1")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    script(tmp_path / "git", f'case "$*" in *rev-parse*) echo {commit};; *) echo no >&2; exit 1;; esac')
    with pytest.raises(InvalidInput, match="git ls-tree failed: no"):
        read_revision(repository.folder, "main")
    (tmp_path / "git").write_bytes(b"#!/no/such/program\n")
    with pytest.raises(InvalidInput, match="git cannot be run"):
        read_revision(repository.folder, "main")


@pytest.mark.promise(1)
def test_promise_1_git_gets_no_credentials_and_is_led_nowhere(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither tokens nor another repository reach it by the environment."""
    repository.commit(**{"x.yaml": "reviewed"})
    evil = Repository.make(tmp_path / "evil")
    evil.commit(**{"x.yaml": "evil"})
    told = tmp_path / "environment"
    (tmp_path / "bin").mkdir()
    script(tmp_path / "bin/git", f'env >>{told}; exec {shutil.which("git")} "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("VAULT_TOKEN", "canary-in-the-environment")
    monkeypatch.setenv("GIT_DIR", str(evil.folder / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(evil.folder))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(evil.folder / ".git/objects"))
    assert texts(read_revision(repository.folder, "main")) == {"x.yaml": "reviewed"}
    assert "canary" not in told.read_text()
    assert str(evil.folder) not in told.read_text()


@pytest.mark.parametrize("without", ["GIT_ALLOW_PROTOCOL", "GIT_NO_LAZY_FETCH"])
def test_what_the_clone_does_not_hold_is_not_fetched(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: str
) -> None:
    """A partial clone would be completed over the network; two bolts, one of which older versions lack, forbid it."""
    repository.commit(**{"x.yaml": "x"})
    repository.git("config", "uploadpack.allowFilter", "true")
    source = repository.folder.as_uri()
    repository.git("clone", "-q", "--filter=blob:none", "--no-checkout", source, str(tmp_path / "partial"))
    packs = set((tmp_path / "partial/.git/objects/pack").iterdir())
    monkeypatch.delitem(revision._ENVIRONMENT, without)
    with pytest.raises(InvalidInput) as problem:
        texts(read_revision(tmp_path / "partial", "origin/main"))
    assert "fetch the revision with all its files" in problem.value.hint
    assert set((tmp_path / "partial/.git/objects/pack").iterdir()) == packs


def test_large_files_are_refused(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they are in the working tree."""
    repository.commit(**{"x.yaml": "x" * 100})
    monkeypatch.setattr(revision, "MAX_BYTES", 99)
    with pytest.raises(InvalidInput, match="larger than 99 bytes") as problem:
        texts(read_revision(repository.folder, "main"))
    assert problem.value.where == "main:x.yaml"


def test_many_files_in_one_answer(repository: Repository) -> None:
    """Contents that look like git's own lines do not confuse the reading, and an empty file is one."""
    files = {f"{number}.yaml": f"{'0' * 40} blob 3\nabc\n" * number for number in range(40)}
    repository.commit(**files)
    assert texts(read_revision(repository.folder, "main")) == files
    assert not list(read_revision(repository.folder, "main").read([]))


def test_an_answer_that_is_not_what_was_asked_for(repository: Repository) -> None:
    """An object that is gone is told with its file."""
    repository.commit(**{"x.yaml": "x"})
    found = read_revision(repository.folder, "main")
    name = found.files["x.yaml"].object
    (repository.folder / ".git/objects" / name[:2] / name[2:]).unlink()
    with pytest.raises(InvalidInput, match="git does not have the file") as problem:
        texts(found)
    assert problem.value.where == "main:x.yaml"


def test_nobody_runs_git_unasked() -> None:
    """Loading an estate does not even import what would."""
    import subprocess

    code = (
        "import sys, reconciler.manifest, reconciler.cli.estate; print('reconciler.manifest.revision' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_which_git_this_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its version, or nothing where there is none."""
    found = revision.git_version()
    assert found is not None
    assert found[0].isdigit()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision.git_version() is None
