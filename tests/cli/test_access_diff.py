"""`access-diff` on real repositories: what it compares, what it refuses, its exit codes, and that it calls nobody."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli import main
from tests.manifest.estates import SETTINGS, key, manifest, tenant
from tests.support.repository import Repository

LEVEL = manifest(
    "AccessLevel",
    "read",
    "permissions: {serviceRoleURNs: ['urn:cloudone:application:us-1:012345678901:role/auditor']}",
    tenant="t",
)
NETWORKS = manifest("NetworkList", "egress", "networks: [203.0.113.0/28]")
EVIL = "\\x1b[2J\\x1b]0;owned\\a\\u202e"
"""As YAML spells it in double quotes."""


def cloud_key(name: str, *fields: str) -> str:
    return key(name, "t", "allowedIPs: [{networkList: egress}]", *fields, level="accessLevel: read")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """An estate with two keys that use one network list, merged into main; the current folder."""
    made = Repository.make(tmp_path / "repo")
    made.commit(**{
        "reconciler.yaml": SETTINGS, "t.yaml": tenant("t", "trend-cloud-one"), "level.yaml": LEVEL,
        "networks.yaml": NETWORKS, "jira.yaml": cloud_key("jira"), "splunk.yaml": cloud_key("splunk"),
    })  # fmt: skip
    monkeypatch.chdir(made.folder)
    return made


def write(repository: Repository, **files: str) -> None:
    for name, text in files.items():
        (repository.folder / f"{name}.yaml").write_text(text)


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(["access-diff", *arguments])
    return status, *capsys.readouterr()


def rules(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[tuple[str, str]]:
    status, out, _ = ran(capsys, *arguments, "--format", "json")
    assert status == 0
    return [(one["rule"], one["impact"]) for one in json.loads(out)["findings"]]


def test_a_network_list_is_expanded_to_every_key_that_uses_it(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence for both keys, what is added and gone, who answers, and a summary."""
    write(repository, networks=manifest("NetworkList", "egress", "networks: [203.0.0.0/16]"))
    status, out, err = ran(capsys, "main")
    assert (status, err) == (0, "")
    commit = repository.git("rev-parse", "--short=12", "main")
    assert out == (
        "t\n"
        "└── medium    widens    2 keys (jira, splunk): allowed addresses widen from 16 to 65,536 addresses\n"
        "    ├── + 203.0.0.0/16\n"
        "    ├── - 203.0.113.0/28\n"
        "    └── jira.yaml:1:1\n"
        "\n"
        f"main ({commit}) → the working tree\n"
        "keys 2 · with high-risk permissions 0 · open to any address 0 · without an end 2 · not rotated 2 · "
        "without an owner 2\n"
        "Access: 2 keys gain access\n"
    )


def test_two_revisions_are_compared_whatever_the_working_tree_holds(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither side is checked out, and the working tree may be broken."""
    repository.git("branch", "old")
    repository.commit(**{"splunk.yaml": cloud_key("splunk", "expires: 2038-06-30")})
    write(repository, broken="a: [")
    assert rules(capsys, "old", "main") == [("access/expiry", "narrows")]
    assert rules(capsys, "main", "old") == [("access/expiry", "widens")]
    assert rules(capsys, "main", "main") == []
    status, out, err = ran(capsys, "main")
    assert (status, out) == (1, "")
    assert err.startswith("broken.yaml:")


def test_a_side_that_is_not_valid_is_an_error_with_its_places(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every problem, as `REF:path:line:col`; exit 1, in every format."""
    good = repository.git("rev-parse", "main")
    repository.commit(**{"splunk.yaml": cloud_key("splunk", "unknown: 1"), "sub/x.yaml": key("x", "nobody")})
    for sides in ((good, "main"), ("main", good)):
        status, out, err = ran(capsys, *sides)
        assert (status, out) == (1, "")
        assert "main:splunk.yaml:7:3: error: unknown field" in err
        assert "main:sub/x.yaml:3:29: error: there is no tenant 'nobody'" in err
    status, out, _ = ran(capsys, "main", good, "--format", "json")
    assert (status, [one["file"] for one in json.loads(out)["problems"]]) == (
        1,
        ["main:splunk.yaml", "main:sub/x.yaml"],
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nope",), "BASE: Git knows no revision 'nope' here"),
        (("main", "nope"), "HEAD: Git knows no revision 'nope' here"),
        (("--", "-x"), "BASE: '-x' is not the name of a Git revision"),
        (("main", ""), "HEAD: '' is not the name of a Git revision"),
        (("main", "--fail-on", "severe"), "Invalid value for '--fail-on'"),
        ((), "Missing argument 'BASE'"),
    ],
)
def test_what_cannot_be_compared_says_what_to_do(
    repository: Repository, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    """Exit code 1 and a sentence."""
    status, out, err = ran(capsys, *arguments)
    assert (status, out) == (1, "")
    assert told in err


def test_without_a_repository(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to compare with."""
    (tmp_path / "reconciler.yaml").write_text(SETTINGS)
    status, _, err = ran(capsys, "main", "--estate", str(tmp_path))
    assert status == 1
    assert "in no Git repository" in err


def test_an_estate_that_is_new(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """On a base that has none, in the root or in a folder, everything is new."""
    repository.git("checkout", "-q", "--orphan", "empty")
    repository.git("rm", "-rfq", ".")
    repository.commit(README="x")
    status, out, _ = ran(capsys, "empty", "main")
    assert status == 0
    assert out.splitlines()[-1] == "Access: 2 keys are created; 1 finding about trust"
    assert "new estate acme: Vault at https://vault.example.com:8200" in out
    assert "new tenant of trend-cloud-one at https://vendor.example.com/api" in out
    repository.git("checkout", "-q", "main")
    for name in ("reconciler.yaml", "t.yaml", "level.yaml", "networks.yaml", "jira.yaml"):
        path = repository.folder / "estates" / "acme" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((repository.folder / name).read_text())
    assert ("trust/estate", "neutral") in rules(capsys, "main", "--estate", "estates/acme")


def test_exit_codes(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """0 whatever is found; 2 and 3 where they are asked for, the stop before the change."""
    write(repository, networks=manifest("NetworkList", "egress", "networks: [203.0.0.0/16]"))
    assert ran(capsys, "main")[0] == 0
    assert ran(capsys, "main", "--detailed-exitcode")[0] == 2
    assert ran(capsys, "main", "main", "--detailed-exitcode")[0] == 0
    assert ran(capsys, "main", "--fail-on", "high")[0] == 0
    assert ran(capsys, "main", "--fail-on", "medium")[0] == 3
    assert ran(capsys, "main", "--fail-on", "medium", "--detailed-exitcode")[0] == 3
    write(repository, networks=manifest("NetworkList", "egress", "networks: [203.0.113.0/29]"))
    assert ran(capsys, "main", "--fail-on", "info")[0] == 0
    assert ran(capsys, "main", "--fail-on", "info", "--detailed-exitcode")[0] == 2


def test_what_only_other_formats_tell(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """SARIF's places are the newer side's files as the repository has them; JUnit has a case for what is in order."""
    repository.commit(**{"splunk.yaml": cloud_key("splunk", "expires: 2038-06-30"), "jira.yaml": "---\n"})
    out = ran(capsys, "main~1", "main", "--format", "sarif")[1]
    run = json.loads(out)["runs"][0]
    places = {
        one["ruleId"]: one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]
    }
    assert places == {"access/expiry": "splunk.yaml", "access/key-removed": "reconciler.yaml"}
    assert {one["id"] for one in run["tool"]["driver"]["rules"]} == set(places)
    assert '<testcase classname="t" name="access-diff" />' in ran(capsys, "main", "main", "--format", "junit")[1]
    told = ran(capsys, "main~1", "main", "--format", "markdown")[1]
    assert "`main:splunk.yaml:1:1`" in told
    assert "`main~1:jira.yaml:1:1`" in told


def test_a_pull_request_that_wants_the_credentials(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """Endpoint, credential, Vault, limits, a plugin and the pipeline: each is a finding, the worst first."""
    evil = tenant("t", "trend-cloud-one").replace("vendor.example.com", "evil.example.net")
    (repository.folder / "t.yaml").write_text(evil.replace("reconciler-credentials/t", "reconciler-credentials/other"))
    (repository.folder / "reconciler.yaml").write_text(
        SETTINGS.replace("vault.example.com", "vault.example.net")
        + "  limits: {deletes: {ratio: 1.0, max: 1000, floor: 9}}\n"
    )
    (repository.folder / "requirements.txt").write_text("reconciler-evil==1.0\n")
    found = rules(capsys, "main")
    assert found == [
        ("trust/vault", "neutral"), ("trust/endpoint", "neutral"),
        ("trust/limits", "widens"), ("trust/pipeline", "neutral"), ("trust/credential", "neutral"),
    ]  # fmt: skip
    assert ran(capsys, "main", "--fail-on", "critical")[0] == 3


def test_a_pull_request_that_judges_itself(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """A policy that is loosened, a waiver that is added, built-in rules that are switched off."""
    policy = """apiVersion: reconciler/v1
kind: Policy
metadata: {name: own}
spec: {rules: [{id: has-end, description: d, severity: %s, assert: key.expires != null, message: no end}]}
"""
    waiver = manifest(
        "Waiver", "w", "rule: has-end", "object: ApiKey/jira", "reason: because", "approver: me", "until: 2038-01-01",
        tenant="t",
    )  # fmt: skip
    repository.commit(**{"policy.yaml": policy % "deny", "reconciler.yaml": f"{SETTINGS}  policy: {{builtin: deny}}\n"})
    write(repository, policy=policy % "warn", waiver=waiver, reconciler=f"{SETTINGS}  policy: {{builtin: 'off'}}\n")
    status, out, _ = ran(capsys, "main", "--format", "json")
    assert status == 0
    assert [(one["rule"], one["severity"], one["tenant"]) for one in json.loads(out)["findings"]] == [
        ("trust/policy", "high", None), ("trust/settings", "high", None), ("trust/waiver", "high", "t"),
    ]  # fmt: skip
    assert "rule has-end, object ApiKey/jira" in out


def test_hostile_texts_do_not_steer_the_terminal(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """Owners, roles, permissions, file names and revisions of a stranger."""
    level = manifest(
        "AccessLevel",
        "read",
        f'permissions: {{serviceRoleURNs: ["urn:cloudone:application:us-1:012345678901:role/{EVIL}"]}}',
        tenant="t",
    )
    write(repository, level=level, **{"a\x1b[31mb": key("new", "t", level=f'accessLevel: {{existing: "{EVIL}"}}')})
    for form in ("text", "json", "markdown", "sarif", "junit"):
        status, out, err = ran(capsys, "main", "--format", form)
        assert status in {0, 1}
        assert all(character.isprintable() for character in (out + err).replace("\n", ""))
        assert status == 1 or "new" in out


@pytest.mark.promise(2)
def test_promise_2_a_fork_has_no_credential_and_needs_none(repository: Repository, tmp_path: Path) -> None:
    """Without any environment, in a process that dies at the first socket: the same answer."""
    write(repository, networks=manifest("NetworkList", "egress", "networks: [0.0.0.0/0]"))
    script = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise SystemExit(99)\n"
        "socket.socket.connect = socket.socket.sendto = socket.getaddrinfo = socket.create_connection = refuse\n"
        "from reconciler.cli import main\n"
        "sys.exit(main(['access-diff', 'main', '--detailed-exitcode', '--format', 'json']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=repository.folder, env={"PATH": os.environ["PATH"]},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "")
    assert [one["rule"] for one in json.loads(done.stdout)["findings"]] == ["access/addresses"]


def test_no_server_named_in_the_manifests_is_called(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """Vault and endpoint are a listener that counts."""
    connections: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        (repository.folder / "reconciler.yaml").write_text(SETTINGS.replace("https://vault.example.com:8200", address))
        manifest_of_tenant = tenant("t", "trend-cloud-one").replace("https://vendor.example.com", address)
        (repository.folder / "t.yaml").write_text(manifest_of_tenant)
        assert len(rules(capsys, "main")) == 2
        with contextlib.suppress(BlockingIOError):
            connections.append(server.accept())
    assert connections == []


def test_no_hook_or_filter_of_the_proposal_is_run(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """Attributes, a folder that looks like a repository, and a submodule's address are data."""
    marker = repository.folder.parent / "ran"
    repository.commit(**{
        ".gitattributes": "*.yaml filter=evil\n",
        ".gitmodules": f'[submodule "x"]\n  path = x\n  url = ext::touch {marker}\n',
        "bare/HEAD": "ref: refs/heads/main\n", "bare/config": f"[core]\n  fsmonitor = touch {marker}\n  bare = true\n",
        "bare/objects/x": "", "bare/refs/x": "",
    })  # fmt: skip
    assert ran(capsys, "main~1", "main")[0] == 0
    assert not marker.exists()


def test_a_key_named_alike_in_both_sides_of_a_rename_is_one(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """`previousNames` keeps a renamed key the same key."""
    (repository.folder / "splunk.yaml").unlink()
    write(repository, siem=cloud_key("siem").replace("name: siem", "name: siem, previousNames: [splunk]"))
    assert rules(capsys, "main") == [("access/key-renamed", "neutral")]
