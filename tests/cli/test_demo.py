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
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from reconciler.cli.demo import proof, story, vendors
from reconciler.cli.demo.person import Person
from reconciler.cli.demo.search import SHORTEST, Search, forms
from reconciler.cli.demo.shell import Shell
from reconciler.cli.demo.stage import Stage, example, stage
from reconciler.errors import InvalidInput
from reconciler.manifest import load_estate
from reconciler.model.outcome import ExitCode
from reconciler.providers.carbon_black_cloud.emulator import ENDPOINT_MAP, BlackCloud
from reconciler.providers.cortex_cloud.emulator import CortexTenant
from reconciler.providers.lacework.emulator import Lacework
from reconciler.providers.trend_cloud_one.emulator import CloudOne
from reconciler.providers.trend_vision_one.emulator import VisionOne
from reconciler.providers.trend_workload_security.emulator import WorkloadSecurity
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
    assert re.findall(r"→ exit code (\d)", done.stdout) == [*"026", *"060", *"00", *"200"]
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


def test_every_provider_has_a_part(kept: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """Each provider that we ship has a tenant, all but the second installation drift, and all are in sync twice."""
    done, folder = kept
    tenants = load_estate(folder / "estate").tenants
    assert {tenant.provider for tenant in tenants} == set(vendors.CAST)
    drift = (folder / "output" / "10-plan.out").read_text()
    untouched = {
        tenant.name for tenant in tenants if not re.search(rf"^{tenant.name} ·.*\n[├└]── [^?i]", drift, re.MULTILINE)
    }
    assert untouched == {"dsm-staging"}
    assert done.stdout.count("Plan: in sync, nothing to do (8 tenants)") == 2


def test_handed_in_files_are_gone(kept: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """A key file was downloaded, handed in and removed."""
    done, folder = kept
    assert "downloads its file, lw-prod-splunk.json" in done.stdout
    assert list((folder / "downloads").iterdir()) == []


def test_the_examples_endpoint_map_is_the_emulators() -> None:
    """The example's map of a console's requests is the one that the emulator serves, and says that it is nobody else's."""
    file = example() / "carbon-black-cloud" / "endpoint-map.yaml"
    mapped = next(tenant.endpoint_map for tenant in load_estate(example()).tenants if tenant.endpoint_map)
    assert mapped == ENDPOINT_MAP
    assert "No console of the vendor has them" in file.read_text()


def test_only_endpoints_and_organisations_differ(kept: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """The estate that was run is the checked-in one, with other endpoints and organisations."""
    _, folder = kept
    differing = []
    for original in sorted(example().rglob("*.yaml")):
        copy = folder / "estate" / original.relative_to(example())
        pairs = zip(original.read_text().splitlines(), copy.read_text().splitlines(), strict=True)
        differing += [old.split()[0] for old, new in pairs if old != new]
    assert sorted(differing) == ["endpoint:"] * 8 + ["orgKey:"] * 2


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
    """A stage on which the estate has been applied, and what a person had to make was made."""
    with stage() as ready:
        console = Console(file=io.StringIO(), width=80)
        shell = Shell(console, ready.manifests, ready.folder / "output")
        story.Teller(ready, console, shell, 0, Person(ready.vendors, ready.downloads)).roll_out()
        yield ready


def dsm(ready: Stage) -> WorkloadSecurity:
    """The emulated installation of one tenant."""
    emulator = ready.vendors["dsm-prod"].emulator
    assert isinstance(emulator, WorkloadSecurity)
    return emulator


def failures(ready: Stage) -> str:
    return "\n".join(failure for claim in proof.claims(ready) for failure in claim.failures)


def test_the_proof_holds(applied: Stage) -> None:
    """After an apply every claim holds."""
    assert failures(applied) == ""


def test_a_secret_in_a_log_is_found(applied: Stage) -> None:
    """A part of one secret in one of the files is enough for the proof to fail, and the file is named."""
    secret = applied.vendors["dsm-prod"].emulator.issued[-1].partition(":")[2]
    leak = applied.folder / "output" / "leak.log"
    leak.write_text(f"DEBUG: answer: …{secret[5:30]}")
    try:
        assert failures(applied) == f"a secret is in {leak}"
    finally:
        leak.unlink()


def test_a_key_that_does_not_work_is_named(applied: Stage) -> None:
    """A key that the vendor no longer lets in, and one that it should not let in, make the proof fail."""
    vendor = dsm(applied)
    vendor.edit_key("soar", active=False)
    vendor.edit_key("old-dashboard", active=True)
    try:
        assert failures(applied) == "dsm-prod/soar: bad\ndsm-prod/old-dashboard: good"
    finally:
        vendor.edit_key("soar", active=True)
        vendor.edit_key("old-dashboard", active=False)


def test_a_bad_key_of_any_product_is_named(applied: Stage) -> None:
    """At every vendor a key that somebody has cut off makes the proof fail, each in the way that the vendor tells it."""
    cloud_one, vision_one, cortex, carbon_black, laces = (
        applied.vendors[name].emulator for name in ("cloud-one", "vision-one", "cortex-prod", "cbc-prod", "lw-prod")
    )
    assert isinstance(cloud_one, CloudOne)
    assert isinstance(vision_one, VisionOne)
    assert isinstance(cortex, CortexTenant)
    assert isinstance(carbon_black, BlackCloud)
    assert isinstance(laces, Lacework)
    cloud_one.edit_key("splunk", enabled=False)
    vision_one.edit_key("splunk", status="disabled")
    keys = cortex.keys()
    number, ends = next((key["id"], key["expiration"]) for key in keys if key["comment"].startswith("splunk"))
    cortex.edit_key(number, expiration=1)
    black = carbon_black.org.keys[carbon_black.key_id("splunk")]
    secret, black.secret = black.secret, "0" * 24
    lace = next(key.key_id for key in laces.api_keys() if key.name == "splunk")
    laces.console_disable_key(lace)
    try:
        assert set(failures(applied).splitlines()) == {
            "cbc-prod/splunk: bad",
            "cloud-one/splunk: unverifiable",
            "cortex-prod/splunk: bad",
            "lw-prod/splunk: bad",
            "vision-one/splunk: unverifiable",
        }
    finally:
        cloud_one.edit_key("splunk", enabled=True)
        vision_one.edit_key("splunk", status="enabled")
        cortex.edit_key(number, expiration=ends)
        black.secret = secret
        laces.console_enable_key(lace)


def test_the_person_does_what_it_knows_only(applied: Stage, tmp_path: Path) -> None:
    """A handoff at a vendor whose console nobody in the demo knows is an error, and nothing is clicked."""
    person = Person(applied.vendors, tmp_path)
    asked = {"object": "ApiKey/soar", "steps": ["Name: soar"]}
    listed = json.dumps({"tenants": [{"tenant": "dsm-prod", "waiting": [asked]}]})
    with pytest.raises(TypeError, match="dsm-prod/soar"):
        list(person.work_off(listed))


def test_a_tenant_that_nobody_plays_is_named() -> None:
    """An estate with a provider that the demo has no emulator for is refused."""
    tenant = replace(load_estate(example()).tenants[0], provider="acme")
    with pytest.raises(InvalidInput, match="no emulator for acme"):
        vendors.cast(tenant, 1)


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


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_pasted_is_taken_and_not_shown(applied: Stage, tmp_path: Path, terminal: bool) -> None:
    """A command gets what is pasted on its standard input, on a terminal and elsewhere; nothing of it is shown."""
    shown = io.StringIO()
    console = Console(file=shown, width=90, force_terminal=terminal, color_system=None)
    vendor = applied.vendors["cbc-prod"].emulator
    assert isinstance(vendor, BlackCloud)
    shell = Shell(console, applied.manifests, tmp_path)
    asked = shell.run(["rotate", "cbc-prod/splunk", "--auto-approve"], applied.environment("apply"))
    assert asked.code == ExitCode.HANDOFF
    command = ["handoff", "complete", "cbc-prod/splunk"]
    wrong = shell.run(command, applied.environment("apply"), pasted="ABCDEFGHIJ\nWRONGWRONGWRONGWRONGWRON\n")
    assert wrong.code == ExitCode.ERROR
    assert "does not accept this id and secret" in wrong.log.read_text()
    assert "WRONGWRONG" not in shown.getvalue() + wrong.log.read_text()
    given_up = shell.run(["handoff", "cancel", "cbc-prod/splunk"], applied.environment("apply"))
    assert given_up.code == ExitCode.DONE


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
