"""What every checkout must hold: pinned and hashed requirements, and no trace of one machine."""

from __future__ import annotations

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
OURS = [lock for lock in LOCKS if not lock.name.startswith(("sdk-", "bench-"))]
"""What we ship and test with. Others' clients and the bench's peers run in environments of their own: they clash."""

# Written in parts, so that this file does not find itself.
MACHINE_PATHS = [f"/{top}/" for top in ("root", "work", "Users")] + ["/opt/" + "py", "file:" + "///"]
HOME = re.compile("/" + r"home/[a-z]\w*/")
INDEX_HOSTS = [".".join(p) for p in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("debian", "org"))]


@cache
def tracked_texts() -> list[tuple[str, str]]:
    """Every text file that is or would be committed, with its path."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    texts = []
    for name in listing.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file() and b"\0" not in (content := path.read_bytes()):
            texts.append((name, content.decode("utf-8")))
    return texts


def pins(lock: Path) -> dict[str, tuple[str, int]]:
    """What a requirement file pins: version and number of hashes, by name."""
    found = re.findall(r"^([\w.-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})*)", lock.read_text(), re.MULTILINE)
    return {name: (version, hashes.count("--hash")) for name, version, hashes in found}


def normal(requirement: str) -> str:
    """The name in a requirement, as indexes spell it."""
    name = re.match(r"[\w.-]+", requirement)
    assert name
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def test_no_file_names_a_machine_or_an_index() -> None:
    """No committed text holds a path of one machine or the host of a package index."""
    found = [(name, bad) for name, text in tracked_texts() for bad in (*MACHINE_PATHS, *INDEX_HOSTS) if bad in text] + [
        (name, match[0]) for name, text in tracked_texts() for match in HOME.finditer(text)
    ]
    assert found == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda p: p.name)
def test_every_requirement_is_pinned_and_hashed(lock: Path) -> None:
    """A requirement file has no line but comments, pins and hashes, and every pin has a hash."""
    allowed = re.compile(r"\s*(#.*)?|[\w.-]+==\S+( ;.*)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [line for line in lock.read_text().splitlines() if not allowed.fullmatch(line)] == []
    assert [name for name, (_, hashes) in pins(lock).items() if not hashes] == []


def test_every_dependency_is_locked() -> None:
    """Each dependency of the package is in the lock files of those who need it: `make lock` was not forgotten."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runtime = {normal(requirement) for requirement in project["dependencies"]}
    extras = {
        name: {normal(requirement) for requirement in extra} - {"access-reconciler"}
        for name, extra in project["optional-dependencies"].items()
    }
    shown = extras["emulator"] | extras["openbao"]
    assert runtime <= pins(ROOT / "requirements/runtime.txt").keys()
    assert runtime | shown <= pins(ROOT / "requirements/demo.txt").keys()
    assert runtime.union(*extras.values()) <= pins(ROOT / "requirements/dev.txt").keys()


@pytest.mark.parametrize("lock", OURS, ids=lambda p: p.name)
def test_lock_files_agree(lock: Path) -> None:
    """What is tested is what is shipped: every lock file pins the versions that the tests run with."""
    tested = pins(ROOT / "requirements/dev.txt")
    assert {name: tested[name] for name in pins(lock)} == pins(lock)
