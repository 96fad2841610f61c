"""The example plugin, installed as a package of its own, passes the conformance suite."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[2] / "examples" / "plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plugin's wheel, built and installed by pip into a folder of its own, beside the packages that we have."""
    target = tmp_path_factory.mktemp("site")
    command = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target"]
    done = subprocess.run(
        [sys.executable, *command, str(target), str(PLUGIN)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return target


def run(path: Path | str, *args: str, cwd: Path = PLUGIN) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own, which finds the plugin."""
    environ = {**os.environ, "PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *args], cwd=cwd, env=environ, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_plugin_is_found_by_its_entry_point(installed: Path) -> None:
    """Being installed is all that it takes: `reconciler providers` has its table, and its module is not ours."""
    done = run(installed, "-m", "reconciler", "providers", "lantern")
    assert done.returncode == 0, done.stderr
    assert "Lantern (invented)" in done.stdout
    assert "the product cannot restrict keys to addresses" in done.stdout


@pytest.mark.timeout(180)
def test_the_plugin_passes_the_conformance_suite(installed: Path) -> None:
    """Its own tests are the suite, and all of them pass."""
    done = run(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests")
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("file", "right", "wrong", "test"),
    [
        ("mapping.py", 'body["note"] = mark.attach(value)', "pass", "what_is_made_reads_back_as_it_was_wanted"),
        ("mapping.py", '"name" | "colour"', '"name" if "description" in changed', "change_of_one_field_changes_that"),
        ("client.py", '{"secret": Secret(value), ', '{"secret": value, ', "secret_is_in_no_representation"),
        ("client.py", '/v1/keys?after={after}", Effect.READ', '/v1/keys", Effect.READ', "every_key_is_listed"),
        ("client.py", 'Call("POST", "/v1/keys", Effect.ONCE)', 'Call("POST", "/v1/keys", Effect.READ)', "not_answered"),
        (
            "client.py",
            "_PACERS.within(CAPABILITIES.rate, self._settings.rate, counted_by)",
            "_PACERS.get(counted_by, 10**6, self._settings.rate.seconds)",
            "rate_is_met_and_not_hit",
        ),
        ("provider.py", "if key.allowed_ips:", "if False:", "cannot_be_had_is_refused"),
    ],
)
def test_the_suite_sees_a_provider_that_is_wrong(
    installed: Path, tmp_path: Path, file: str, right: str, wrong: str, test: str
) -> None:
    """A provider that drops a field, shows a secret, loses a page, repeats a creation or hurries does not pass."""
    broken = tmp_path / "broken"
    shutil.copytree(PLUGIN, broken)
    module = broken / "reconciler_lantern" / file
    text = module.read_text("utf-8")
    assert right in text
    module.write_text(text.replace(right, wrong), "utf-8")
    tests = ["tests", "-k", f"(TestSession or TestOffline) and {test}"]
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=line", *tests]
    done = run(f"{broken}{os.pathsep}{installed}", *command, cwd=broken)
    assert done.returncode == 1, done.stdout[-4000:]
    assert " failed" in done.stdout
    assert " error" not in done.stdout.splitlines()[-1]
