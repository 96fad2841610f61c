"""`reconciler demo`: the whole story, the proof at its end, and what it looks like when something is wrong."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from reconciler.cli.demo import proof, story
from reconciler.cli.demo.search import SHORTEST, Search, forms
from reconciler.cli.demo.shell import Shell
from reconciler.cli.demo.stage import Stage, example, stage
from reconciler.manifest import load_estate
from reconciler.model.outcome import ExitCode
from tests.docs.tables import ROOT, renewed

pytestmark = pytest.mark.timeout(180)  # a demo runs a dozen processes, and the machine may have other work
DEMO = [sys.executable, "-m", "reconciler", "demo"]
SECRET = "17:mKq0pU9dY3vT/6hZx1nB+Rw8sLeJcGfA2oVtXyQk5iM="


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder)}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One demo that was run with --keep, and its folder."""
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run([*DEMO, "--keep"], env=environment(folder), capture_output=True, text=True, check=False)
    return done, next(folder.glob("reconciler-demo-*"))


@pytest.mark.promise(1)
def test_promise_1_the_demo_ends_well(kept: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """Every command ends as told, every key authenticates, and no secret is in anything that was left behind."""
    done, _ = kept
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"→ exit code (\d)", done.stdout) == ["0", "2", "0", "0", "2", "0", "0"]
    assert done.stdout.count("✔") == 5
    assert "✘" not in done.stdout
    assert "\x1b" not in done.stdout


def test_what_is_kept(kept: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """--keep leaves manifests, outputs, logs at DEBUG, the saved plan and the state, and says where."""
    done, folder = kept
    assert f"kept: {folder}" in done.stdout
    assert load_estate(folder / "estate").name == "acme"
    assert json.loads((folder / "estate/first.plan.json").read_text())["tenants"]
    assert list((folder / "state").rglob("*.json"))
    assert all("DEBUG" in log.read_text() for log in (folder / "output").glob("*-plan.log"))


def test_only_the_endpoints_differ(kept: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """The estate that was run is the checked-in one, with other endpoints."""
    _, folder = kept
    differing = []
    for original in sorted(example().rglob("*.yaml")):
        copy = folder / "estate" / original.relative_to(example())
        pairs = zip(original.read_text().splitlines(), copy.read_text().splitlines(), strict=True)
        differing += [old.split()[0] for old, new in pairs if old != new]
    assert differing == ["endpoint:", "endpoint:"]


def test_the_readme_shows_what_plan_says(kept: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """The drift in the README is what `plan` prints in the demo, with the example's own endpoints."""
    _, folder = kept
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "<!-- generated: drift -->" in readme
    assert renewed(readme, folder) == readme


def test_nothing_stays_without_keep(tmp_path: Path) -> None:
    """A demo that is told to stop takes its folder and its servers with it."""
    with subprocess.Popen(DEMO, env=environment(tmp_path), stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        vault = next(found[1] for line in demo.stdout if (found := re.search(r"OpenBao.* at (http\S+)", line)))
        assert list(tmp_path.iterdir())
        demo.send_signal(signal.SIGTERM)
        demo.stdout.read()
    assert demo.returncode == 130
    assert list(tmp_path.iterdir()) == []
    probe = [sys.executable, "-c", f"import urllib.request as u; u.urlopen('{vault}/v1/sys/health')"]
    assert b"Connection refused" in subprocess.run(probe, capture_output=True, check=False).stderr


@pytest.mark.parametrize("package", ["uvicorn", "starlette"])
def test_missing_extras_are_named(package: str) -> None:
    """Without the emulators' packages the demo says what to install."""
    program = f"import sys; sys.modules[{package!r}] = None; from reconciler.cli import main; sys.exit(main(['demo']))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert package in done.stderr
    assert "pip install 'access-reconciler[emulator,openbao]'" in done.stderr


@pytest.fixture(scope="module")
def applied() -> Iterator[Stage]:
    """A stage on which the estate has been applied."""
    with stage() as ready:
        shell = Shell(Console(file=io.StringIO(), width=80), ready.manifests, ready.folder / "output")
        assert shell.run(["apply", "--auto-approve"], ready.environment("apply")).code == 0
        yield ready


def failures(ready: Stage) -> str:
    return "\n".join(failure for claim in proof.claims(ready) for failure in claim.failures)


def test_the_proof_holds(applied: Stage) -> None:
    """After an apply every claim holds."""
    assert failures(applied) == ""


def test_a_secret_in_a_log_is_found(applied: Stage) -> None:
    """A part of one secret in one of the files is enough for the proof to fail, and the file is named."""
    secret = applied.vendors["dsm-prod"].issued[-1].partition(":")[2]
    leak = applied.folder / "output" / "leak.log"
    leak.write_text(f"DEBUG: answer: …{secret[5:30]}")
    try:
        assert failures(applied) == f"a secret is in {leak}"
    finally:
        leak.unlink()


def test_a_key_that_does_not_work_is_named(applied: Stage) -> None:
    """A key that the vendor no longer lets in, and one that it should not let in, make the proof fail."""
    vendor = applied.vendors["dsm-prod"]
    vendor.edit_key("soar", active=False)
    vendor.edit_key("old-dashboard", active=True)
    try:
        assert failures(applied) == "dsm-prod/soar: bad\ndsm-prod/old-dashboard: good"
    finally:
        vendor.edit_key("soar", active=True)
        vendor.edit_key("old-dashboard", active=False)


def test_an_identity_that_can_read_is_named(applied: Stage) -> None:
    """If a policy lets an identity read an issued secret, the proof fails."""
    policy = 'path "secret/data/security-keys/dsm-prod/soar" { capabilities = ["read"] }'
    before = applied.bao.request("GET", "sys/policies/acl/reconciler-plan")["data"]["policy"]
    applied.bao.request("PUT", "sys/policies/acl/reconciler-plan", {"policy": before + policy})
    try:
        assert failures(applied) == "plan: secret/security-keys/dsm-prod/soar"
    finally:
        applied.bao.request("PUT", "sys/policies/acl/reconciler-plan", {"policy": before})


def test_a_missing_secret_is_named(applied: Stage) -> None:
    """A key without a secret in OpenBao makes the proof fail."""
    path = "secret/delete/security-keys/dsm-prod/soar"
    applied.bao.request("POST", path, {"versions": [1]})
    try:
        assert "dsm-prod/soar: no secret in OpenBao" in failures(applied)
    finally:
        applied.bao.request("POST", path.replace("delete", "undelete"), {"versions": [1]})


def test_a_step_that_goes_wrong_ends_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo stops at a command that does not end as it should, shows the end of its log, and exits with 1."""
    wrong = story.Step("Nonsense", "", ("validate", "nowhere.yaml"), None, ExitCode.DONE)
    monkeypatch.setattr(story, "_BEFORE", (wrong,))
    console = Console(file=io.StringIO(), width=80)
    assert story.tell(console, keep=False, pause=0) == ExitCode.ERROR
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "✘ it had to be 0" in shown
    assert "nowhere.yaml" in shown
    assert "✘ the demo failed" in shown


def test_a_terminal_gets_real_colours(tmp_path: Path) -> None:
    """On a terminal commands run on one too; with --no-color, or elsewhere, there is no colour."""
    colours = {}
    for name, terminal, system in (("terminal", True, "standard"), ("plain", True, None), ("pipe", False, None)):
        (tmp_path / name).mkdir()
        console = Console(file=io.StringIO(), width=90, force_terminal=terminal, color_system=system)  # type: ignore[arg-type]
        ran = Shell(console, tmp_path, tmp_path / name).run(["providers"], {**os.environ, "TERM": "xterm"})
        assert ran.code == 0
        colours[name] = "\x1b[" in ran.output.read_text()
    assert colours == {"terminal": True, "plain": False, "pipe": False}


def test_the_policies_are_those_of_the_docs() -> None:
    """The demo's identities have the policies that docs/vault.md tells people to install, to the letter."""
    page = (ROOT / "docs/vault.md").read_text(encoding="utf-8")
    documented = re.findall(r"^```hcl\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    ours = [(ROOT / f"reconciler/cli/demo/{identity}.hcl").read_text() for identity in ("plan", "apply")]
    assert documented == ours


@given(st.integers(0, 6), st.data(), st.binary(max_size=40), st.binary(max_size=40))
def test_any_long_enough_part_is_found(which: int, data: st.DataObject, before: bytes, after: bytes) -> None:
    """Wherever a part of a secret begins and whatever stands around it, in any of the forms, the search finds it."""
    form = list(forms(SECRET.partition(":")[2]))[which]
    start = data.draw(st.integers(0, len(form) - SHORTEST))
    length = data.draw(st.integers(SHORTEST, len(form) - start))
    assert Search([SECRET]).hits(before + form[start : start + length] + after)


def test_other_texts_are_not_taken_for_secrets() -> None:
    """A key's number, and texts without any part of a secret, are no hit."""
    search = Search([SECRET])
    assert not search.hits(b"17: created the key splunk, see secret/security-keys/dsm-prod/splunk " * 20)
    assert not search.hits(b"")
