"""The vendors' own clients, each in an environment of its own: their dependencies clash with ours and with each other.

Ask for the fixture `sdk_python`: `sdk_python("lacework")` is the interpreter of an environment that holds exactly what
`requirements/sdk-lacework.txt` pins. It is made once and kept in pytest's cache directory (`--cache-clear` and
`make clean` remove it); whatever cannot be installed is a failure, never a skip.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 540.0
"""What making an environment may take, on a slow connection."""


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Give time to the first test of an environment: it waits until the environment is made."""
    for item in items:
        if "sdk_python" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(SECONDS + 60))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time; the lock of one that died is free."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(name: str, *command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        pytest.fail(f"the environment of the {name} SDK was not ready after {SECONDS:.0f} s", pytrace=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        pytest.fail(
            f"the environment of the {name} SDK could not be made (it needs a package index, once): {said}",
            pytrace=False,
        )


def make_environment(name: str, requirements: Path, under: Path) -> Path:
    """The interpreter of an environment with these pinned and hashed requirements, made if `under` has none yet.

    Fails the test, with pip's words, when it cannot be made. Safe to call from several processes at once.
    """
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:16]
    home = under / f"{name}-{wanted}"
    python, ready = home / "bin" / "python", home / "ready"
    under.mkdir(parents=True, exist_ok=True)
    with _locked(under / f"{name}.lock"):
        if not ready.exists():
            for old in under.glob(f"{name}-*"):  # of other pins, or half made
                shutil.rmtree(old)
            _run(name, sys.executable, "-m", "venv", "--without-pip", str(home))
            pip = (sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check")
            # No build of any kind: what it would need is not pinned.
            _run(name, *pip, "install", "-qq", "--require-hashes", "--only-binary=:all:", "-r", str(requirements))
            ready.touch()
    return python


@pytest.fixture(scope="session")
def sdk_python(request: pytest.FixtureRequest) -> Callable[..., Path]:
    """The interpreter that has a vendor's client: `sdk_python("lacework")` takes `requirements/sdk-lacework.txt`."""
    under = request.config.rootpath / ".pytest_cache" / "d" / "sdk"

    @cache
    def sdk_python(name: str, requirements: Path | None = None) -> Path:
        return make_environment(name, requirements or ROOT / "requirements" / f"sdk-{name}.txt", under)

    return sdk_python
