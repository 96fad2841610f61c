"""The environments that the vendors' clients run in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sdk import ROOT, make_environment

MAKE = """
import sys
from pathlib import Path
from tests.support.sdk import make_environment
print(make_environment("none", Path(sys.argv[1]), Path(sys.argv[2])))
"""


def test_one_environment_is_made_once_for_many_processes(tmp_path: Path):
    """Processes that ask at the same time get the same environment, which has what is pinned and nothing of ours."""
    pins = tmp_path / "sdk-none.txt"
    pins.write_text("# nothing\n")
    command = [sys.executable, "-c", MAKE, str(pins), str(tmp_path / "cache")]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = {process.communicate(timeout=50)[0].strip() for process in running}
    (python,) = said
    made = (Path(python).parents[1] / "ready").stat().st_mtime_ns
    assert make_environment("none", pins, tmp_path / "cache") == Path(python)
    assert (Path(python).parents[1] / "ready").stat().st_mtime_ns == made
    alone = subprocess.run([python, "-c", "import requests"], capture_output=True, text=True, check=False)
    assert "No module named 'requests'" in alone.stderr


def test_other_pins_are_another_environment(tmp_path: Path):
    """A changed requirement file makes the environment anew and removes the old one."""
    pins = tmp_path / "sdk-none.txt"
    pins.write_text("# nothing\n")
    before = make_environment("none", pins, tmp_path / "cache")
    pins.write_text("# nothing still\n")
    assert make_environment("none", pins, tmp_path / "cache") != before
    assert not before.exists()


def test_what_cannot_be_installed_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without an index the test fails and says why; the half-made environment is not taken for a whole one."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    pins = tmp_path / "sdk-absent.txt"
    pins.write_text(f"no-such-client==1.0 --hash=sha256:{'0' * 64}\n")
    for _ in range(2):
        with pytest.raises(pytest.fail.Exception, match=r"absent SDK could not be made \(it needs .*no-such-client"):
            make_environment("absent", pins, tmp_path / "cache")
