"""The hooks that estates use with `pre-commit`: the real program, on real repositories."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.repository import Repository

ROOT = Path(__file__).parents[2]
KEY = "apiVersion: reconciler/v1\nkind: ApiKey\nmetadata: {name: splunk, tenant: dsm}\n"


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """What a release holds, as a repository: pre-commit clones it and installs the package from there."""
    folder = tmp_path_factory.mktemp("release")
    for name in (".pre-commit-hooks.yaml", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in ("reconciler", "examples/estate"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    made = Repository.make(folder)
    made.commit()
    return made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pre-commit keeps what it has installed: the second run finds it there."""
    return tmp_path_factory.mktemp("store")


def run(estate: Repository, store: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the hooks over every file. What the package needs is taken from this environment: no index is asked."""
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--all-files", "--color=never", *arguments],
        cwd=estate.folder, capture_output=True, text=True, check=False,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "COVERAGE_"))},
            "PRE_COMMIT_HOME": str(store), "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0",
            "PYTHONPATH": sysconfig.get_path("purelib"), "GIT_CONFIG_GLOBAL": os.devnull,
        },
    )  # fmt: skip


@pytest.fixture
def estate(tmp_path: Path, hooks: Repository) -> Repository:
    """A repository with the estate of the examples, and both hooks."""
    shutil.copytree(ROOT / "examples/estate", tmp_path / "estate")
    made = Repository.make(tmp_path / "estate")
    configuration = f"""\
repos:
  - repo: {hooks.folder}
    rev: {hooks.git("rev-parse", "HEAD")}
    hooks:
      - id: reconciler-fmt
      - id: reconciler-validate
"""
    made.commit(**{".pre-commit-config.yaml": configuration, ".github/workflows/x.yml": "on:   push\n"})
    return made


@pytest.mark.timeout(180)
def test_the_hooks_pass_on_a_good_estate(estate: Repository, store: Path) -> None:
    """Installed by pre-commit from the repository, both hooks run and leave a good estate as it is, workflows included."""
    done = run(estate, store)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split(".")[0] for line in done.stdout.splitlines() if "Passed" in line] == [
        "reconciler fmt",
        "reconciler validate",
    ]
    assert estate.git("status", "--porcelain") == ""


@pytest.mark.timeout(180)
def test_the_hooks_stop_a_bad_manifest_and_mend_an_untidy_one(estate: Repository, store: Path) -> None:
    """A manifest with a mistake stops the commit with its place; an untidy one is put in order for the next try."""
    estate.commit(**{"bad.yaml": KEY + "spec: {accessLevel: nobody}\n"})
    done = run(estate, store, "reconciler-validate")
    assert done.returncode == 1
    assert "bad.yaml:3:" in done.stdout
    (estate.folder / "bad.yaml").unlink()
    level = (estate.folder / "trend-workload-security/access-levels.yaml").read_text()
    estate.commit(**{"trend-workload-security/access-levels.yaml": level.replace("spec:", "spec:   ")})
    assert run(estate, store, "reconciler-fmt").returncode == 1
    assert (estate.folder / "trend-workload-security/access-levels.yaml").read_text() == level
    estate.commit()
    assert run(estate, store).returncode == 0
