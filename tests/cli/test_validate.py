"""`reconciler validate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.cli import main

TENANT = """\
apiVersion: reconciler/v1
kind: Tenant
metadata: {name: dsm}
spec:
  provider: trend-workload-security
  endpoint: https://dsm.example.com:4119/api
  credentials: {env: {secretKey: DSM_SECRET_KEY}}
---
apiVersion: reconciler/v1
kind: ApiKey
metadata: {name: splunk, tenant: dsm}
spec:
  accessLevel: {existing: Auditor}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_valid(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Manifests that are right: a line that says so, and 0."""
    (folder / "a.yaml").write_text(TENANT)
    assert main(["validate"]) == 0
    assert capsys.readouterr() == ("2 objects in 1 file: valid\n", "")


@pytest.mark.promise(9)
def test_promise_9_problems_as_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every problem is a line with its place, then a summary; 1."""
    (folder / "sub").mkdir()
    (folder / "sub/a.yaml").write_text(TENANT + "  stat: locked\n  expires: 2020-01-01\n")
    (folder / "b.yaml").write_text("a: [\n")
    assert main(["validate", "."]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "b.yaml:2:1: error: this is not YAML: did not find expected node content, while parsing a flow node",
        "sub/a.yaml:14:3: error: unknown field spec.stat (did you mean 'state'?)",
        (
            "sub/a.yaml:15:12: warning: spec.expires has passed: it was 2020-01-01 "
            "(the key is not created, and removed if it lives; set a later time, or state: absent)"
        ),
        "2 problems in 2 files, 1 warning",
    ]


def test_warnings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Warnings alone are no failure."""
    (folder / "a.yaml").write_text(TENANT + "  expires: 2020-01-01\n")
    assert main(["validate", "a.yaml"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 objects in 1 file: valid, 1 warning"


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for programs."""
    (folder / "a.yaml").write_text(TENANT.replace("Auditor}", 'Auditor}\n  options: {timeZone: "Nowhere\\t"}'))
    assert main(["validate", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "format": 1,
        "problems": [
            {
                "file": "a.yaml",
                "line": 14,
                "column": 23,
                "severity": "error",
                "code": "provider",
                "object": "dsm/ApiKey/splunk",
                "message": "unknown time zone 'Nowhere\\t'",
                "hint": "a name of the tz database, such as Europe/Berlin",
            }
        ],
        "files": 1,
        "objects": 2,
    }


@pytest.mark.promise(9)
def test_promise_9_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing that a manifest holds steers the terminal."""
    (folder / "a.yaml").write_text(TENANT.replace("Auditor", '"\\e[31m"') + '  "\\e[2J": 1\n  "\\u202e": 2\n')
    assert main(["validate"]) == 1
    assert main(["validate", "--format", "json"]) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_no_such_path(capsys: pytest.CaptureFixture[str]) -> None:
    """A path that is not there is wrong usage."""
    assert main(["validate", "none"]) == 1
    assert "none" in capsys.readouterr().err


def test_cache(folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large estate is kept where the environment says; not with --no-cache, and not when the cache is off."""
    (folder / "a.yaml").write_text(TENANT)
    monkeypatch.setattr("reconciler.manifest.supply.WORTH_KEEPING", 1)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("RECONCILER_CACHE_KEY", "k" * 32)
    monkeypatch.setenv("RECONCILER_CACHE", str(home))
    assert main(["validate", "--no-cache", str(folder)]) == 0
    assert list(home.iterdir()) == []
    assert main(["validate", str(folder)]) == 0
    [file] = home.iterdir()
    file.unlink()
    monkeypatch.setenv("RECONCILER_CACHE", "off")
    monkeypatch.chdir(home)
    assert main(["validate", str(folder)]) == 0
    assert list(home.iterdir()) == []


def test_cache_key_that_can_be_guessed(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short RECONCILER_CACHE_KEY is refused with the reason."""
    monkeypatch.setenv("RECONCILER_CACHE_KEY", "short")
    assert main(["validate", str(folder)]) == 1
    assert "RECONCILER_CACHE_KEY has fewer than 32 characters" in capsys.readouterr().err
