"""The machine's checks: git of any age, optional parts, variables without effect."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.doctor import machine
from reconciler.doctor.results import Verdict
from reconciler.model.estate import AppRoleAuth, JwtAuth, TokenAuth


@pytest.mark.parametrize(
    ("version", "needed", "verdict"),
    [
        ("2.39.5", True, Verdict.OK),
        ("2.30.0 (Apple Git-1)", True, Verdict.OK),
        ("2.29.9", True, Verdict.PROBLEM),
        ("2.29.9", False, Verdict.WARNING),
        (None, True, Verdict.PROBLEM),
        (None, False, Verdict.WARNING),
        ("something\x1b[2J", False, Verdict.WARNING),
    ],
)
def test_git(monkeypatch: pytest.MonkeyPatch, version: str | None, needed: bool, verdict: Verdict) -> None:
    """Missing or too old is a problem where the trusted revision needs it, and else a warning."""
    monkeypatch.setattr(machine, "git_version", lambda: version)
    [found] = machine.git(needed=needed)
    assert found.verdict is verdict
    assert "\x1b" not in found.found


def test_without_optional_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them is missed, and the message says what each is for."""
    monkeypatch.setattr(machine, "find_spec", lambda name: None)
    monkeypatch.setattr(machine.shutil, "which", lambda name: None)
    [found] = machine.extras()
    assert (found.verdict, found.facts["installed"]) == (Verdict.OK, [])
    assert "emulator, openbao" in found.found


@pytest.mark.parametrize(
    ("environ", "method", "named"),
    [
        ({}, TokenAuth(), []),
        ({"VAULT_ADDR": "a", "BAO_ADDR": "a"}, TokenAuth(), []),
        ({"VAULT_ADDR": "a", "BAO_ADDR": "b"}, TokenAuth(), ["BAO_ADDR"]),
        ({"BAO_SKIP_VERIFY": "1"}, None, ["BAO_SKIP_VERIFY"]),
        ({"VAULT_TOKEN": "x", "VAULT_JWT": "y"}, TokenAuth(), ["VAULT_JWT"]),
        ({"VAULT_TOKEN": "x", "VAULT_JWT": "y"}, JwtAuth("role"), ["VAULT_TOKEN"]),
        ({"VAULT_ROLE_ID": "x", "BAO_TOKEN": "y"}, AppRoleAuth(), ["BAO_TOKEN"]),
        ({"MY_JWT": "x", "VAULT_JWT": "y"}, JwtAuth("role", env="MY_JWT"), ["VAULT_JWT"]),
    ],
)
def test_variables(environ: dict[str, str], method: Any, named: list[str]) -> None:
    """Those that do not count are named; those that do, or say the same twice, are not."""
    found = list(machine.environment(environ, method))
    assert [one.facts["variable"] for one in found if one.verdict is Verdict.WARNING] == named
    assert bool(named) is not (found[0].verdict is Verdict.OK)
