"""`--trusted-ref` end to end: a stranger's pull request decides nothing about where credentials go."""

from __future__ import annotations

import copy
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulator.openbao import OpenBaoServer
from tests.support.carbonblack import CarbonBlack
from tests.support.openbao import Naps
from tests.support.repository import Repository
from tests.support.world import ESTATE_ID, Run, World

TRUST = ("--trusted-ref", "main")
KEY = """
apiVersion: reconciler/v1
kind: ApiKey
metadata: {name: splunk, tenant: cbc, owner: secops@example.com}
spec: {description: Ingestion, accessLevel: alerts-read, allowedIPs: [203.0.113.0/28]}
"""
LEVEL = """
apiVersion: reconciler/v1
kind: AccessLevel
metadata: {name: alerts-read, tenant: cbc}
spec: {description: Reads, permissions: {org.alerts: [READ]}}
"""


@dataclass
class Listener:
    """Somebody else's server: hangs up on whoever connects, and counts."""

    address: str
    connections: list[str] = field(default_factory=list)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        made = Listener(f"http://127.0.0.1:{server.getsockname()[1]}")

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                made.connections.append("one")
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield made
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def settings(world: World, address: str, *, state: str = "reconciler", more: str = "") -> None:
    world.write(
        "reconciler.yaml",
        f"""
        apiVersion: reconciler/v1
        kind: Estate
        metadata: {{name: acme}}
        spec:
          id: {ESTATE_ID}
          vault: {{address: "{address}", state: {{mount: {world.kv}, path: {state}}}{more}}}
        """,
    )


@pytest.fixture
def reviewed(world: World, openbao: OpenBaoServer, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """An estate with one key, merged into main; its Vault address stands in reconciler.yaml alone."""
    monkeypatch.delenv("VAULT_ADDR")
    settings(world, openbao.address)
    world.tenant()
    world.level()
    world.key()
    repository = Repository.make(world.folder)
    repository.commit()
    return repository


def lines(run: Run) -> list[str]:
    return [line for line in run.err.splitlines() if line.startswith("finding: ")]


@pytest.mark.promise(4)
@pytest.mark.parametrize("command", ["plan", "apply", "rotate", "handoff", "revoke", "complete", "cancel"])
def test_promise_4_another_vault_gets_no_connection(
    world: World, reviewed: Repository, listener: Listener, naps: Naps, command: str
) -> None:
    """A changed address is told, the reviewed one is used, and what we log in with does not reach the other."""
    settings(world, listener.address)
    args = {
        "plan": ("plan",),
        "apply": ("apply", "--auto-approve"),
        "rotate": ("rotate", "dsm/splunk", "--auto-approve"),
        "handoff": ("handoff",),
        "complete": ("handoff", "complete", "dsm/splunk"),
        "cancel": ("handoff", "cancel", "dsm/splunk"),
        "revoke": ("revoke", "dsm/splunk", "--reason", "leaked", "--auto-approve"),
    }[command]
    world.apply(*TRUST)
    done = world.run(*args, *TRUST)
    assert done.status == (1 if command in {"complete", "cancel"} else 0)  # there is no handoff, which OpenBao said
    [line] = lines(done)
    assert line.startswith(f"finding: Vault address differs from main ({listener.address} here")
    assert listener.connections == []
    assert world.run(*args).status == 1
    assert listener.connections != []


def test_an_apply_works_by_what_was_reviewed(world: World, reviewed: Repository, listener: Listener) -> None:
    """The proposal's key is issued, in the Vault, under the state and with the login of main."""
    settings(world, listener.address, state="elsewhere", more=", auth: {jwt: {role: evil, env: CI_JWT}}")
    world.key("soar")
    done = world.apply(*TRUST)
    assert (done.status, listener.connections) == (0, [])
    assert len(lines(done)) == 4
    assert world.authenticates("soar")
    assert set(world.state()["objects"]) >= {"ApiKey/splunk", "ApiKey/soar"}
    assert world.plan(*TRUST).status == 0


def test_the_environment_wins_over_both(
    world: World, reviewed: Repository, listener: Listener, openbao: OpenBaoServer
) -> None:
    """VAULT_ADDR is the operator's word (ADR 0007)."""
    settings(world, listener.address)
    reviewed.commit()
    settings(world, "https://vault.example.net")
    world.environ("VAULT_ADDR", openbao.address)
    done = world.run("plan", *TRUST)
    assert (done.status, listener.connections) == (0, [])
    assert lines(done)[0].endswith("the one of main is used, unless VAULT_ADDR is set")


def test_differences_are_in_the_json(world: World, reviewed: Repository, listener: Listener) -> None:
    """With the revision that counted; without the option nothing is added."""
    commit = reviewed.git("rev-parse", "main")
    settings(world, listener.address)
    seen = world.run("plan", "--format", "json", *TRUST)
    [line] = lines(seen)
    assert seen.json["trusted"] == {
        "ref": "main",
        "commit": commit,
        "findings": [{"rule": "trust/settings", "subject": "vault.address", "message": line}],
    }
    assert world.run("apply", "--auto-approve", "--format", "json", *TRUST).json["trusted"]["commit"] == commit
    assert world.run("handoff", "--format", "json", *TRUST).json["trusted"]["commit"] == commit
    rotated = world.run("rotate", "dsm/splunk", "--auto-approve", "--format", "json", *TRUST)
    assert rotated.json["trusted"]["commit"] == commit
    reason = ("--reason", "leaked", "--auto-approve", "--format", "json")
    assert world.run("revoke", "dsm/splunk", *reason, *TRUST).json["trusted"]["commit"] == commit
    world.environ("VAULT_ADDR", world.bao.address)
    assert "trusted" not in world.run("plan", "--format", "json").json


def test_guardrails_cannot_be_loosened_by_what_they_judge(world: World, reviewed: Repository) -> None:
    """A proposal that deletes much may raise the limit as it likes."""
    for number in range(12):
        world.key(f"key-{number}")
    assert world.apply().status == 0
    reviewed.commit()
    for number in range(12):
        world.remove(f"keys/dsm-key-{number}.yaml")
    with (world.folder / "reconciler.yaml").open("a") as file:
        file.write("  limits: {deletes: {ratio: 1.0, max: 10000, floor: 3}}\n")
    stopped = world.plan(*TRUST)
    assert stopped.status == 3
    assert lines(stopped) == ["finding: limits of the guardrails differ from main: those of main are used"]
    assert world.plan().status == 2


def test_a_saved_plan_stands_only_with_the_revision_that_it_was_made_with(world: World, reviewed: Repository) -> None:
    """What was overruled when it was shown is overruled when it is done."""
    with (world.folder / "reconciler.yaml").open("a") as file:
        file.write("  limits: {deletes: {ratio: 1.0, max: 10000, floor: 3}}\n")
    assert world.run("plan", "--out", "saved", *TRUST).status == 0
    assert "the manifests have changed" in world.apply("saved").err
    assert world.apply("saved", *TRUST).status == 0


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("plan", "--trusted-ref", "nobody"), "knows no revision 'nobody'"),
        (("plan", "--trusted-ref", ""), "is not the name of a Git revision"),
        (("plan", "--trusted-ref=--help"), "is not the name of a Git revision"),
        (("handoff", "--trusted-ref", "main", "cancel", "dsm/splunk"), "stands before the subcommand"),
        (("revoke", "dsm/splunk", "--reason", "x", "--auto-approve", "--trusted-ref", "x:y"), "knows no revision"),
    ],
)
def test_a_revision_that_cannot_be_read_ends_the_run(
    world: World, reviewed: Repository, listener: Listener, args: tuple[str, ...], told: str
) -> None:
    """Before anything is sent anywhere: it is never passed over."""
    settings(world, listener.address)
    done = world.run(*args)
    assert done.status == 1
    assert told in done.err
    assert listener.connections == []


def test_an_estate_in_a_subfolder(world: World, reviewed: Repository, tmp_path: Path, listener: Listener) -> None:
    """Of the repository, and asked for from elsewhere."""
    inner = Repository.make(tmp_path / "outer")
    (tmp_path / "outer/estates").mkdir()
    world.folder.joinpath(".git").rename(tmp_path / "unused")
    world.folder = world.folder.rename(tmp_path / "outer/estates/acme")
    inner.commit()
    settings(world, listener.address)
    done = world.run("plan", "--estate", str(world.folder / "keys"), *TRUST)
    assert done.status == 0
    assert len(lines(done)) == 1
    assert listener.connections == []


def test_a_changed_endpoint_is_told_and_bound_by_its_credential(
    world: World, reviewed: Repository, listener: Listener
) -> None:
    """The finding is shown, and the credential's own endpoint refuses the rest."""
    path = world.folder / "tenants/dsm.yaml"
    path.write_text(path.read_text().replace(world.trends["dsm"].endpoint, f"{listener.address}/api"))
    done = world.run("plan", *TRUST)
    assert done.status == 1
    assert 'endpoint of tenant "dsm" differs from main' in lines(done)[0]
    assert "may be sent to" in done.all
    assert listener.connections == []


@pytest.fixture
def from_environment(world: World, reviewed: Repository, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Write the tenant with its credential in the environment, at an endpoint."""
    monkeypatch.setenv("DSM", world.trends["dsm"].credentials["secretKey"])
    monkeypatch.setenv("CI_TOKEN", "another-credential-of-the-pipeline")

    def write(endpoint: str, variable: str) -> None:
        world.write(
            "tenants/dsm.yaml",
            f"""
            apiVersion: reconciler/v1
            kind: Tenant
            metadata: {{name: dsm}}
            spec:
              provider: trend-workload-security
              endpoint: {endpoint}
              credentials: {{env: {{secretKey: {variable}}}}}
              secrets: {{mount: {world.kv}, path: "keys/{{tenant}}/{{key}}"}}
            """,
        )

    return write


@pytest.mark.parametrize(
    ("endpoint", "variable"),
    [("https://evil.example.net/api", "DSM"), ("https://vendor.example.com/api", "CI_TOKEN")],
)
def test_trust_endpoints_reaches_what_was_reviewed_only(
    world: World,
    reviewed: Repository,
    from_environment: Callable[[str, str], None],
    endpoint: str,
    variable: str,
) -> None:
    """Else a proposal could have any variable of the pipeline sent to any place."""
    from_environment("https://vendor.example.com/api", "DSM")
    reviewed.commit()
    from_environment(endpoint, variable)
    done = world.run("plan", "--trust-endpoints", *TRUST)
    assert done.status == 1
    assert "--trust-endpoints does not reach this tenant" in done.err
    assert "tenants/dsm.yaml" in done.err


def test_trust_endpoints_and_this_machine(
    world: World, reviewed: Repository, from_environment: Callable[[str, str], None]
) -> None:
    """A loopback endpoint needs no trust, and a reviewed one has it."""
    from_environment(world.trends["dsm"].endpoint, "DSM")
    assert world.run("plan", "--trust-endpoints", *TRUST).status == 0
    reviewed.commit()
    done = world.run("plan", "--trust-endpoints", *TRUST)
    assert (done.status, lines(done)) == (0, [])


# --- endpoint maps ------------------------------------------------------------------------------------------------------


@dataclass
class Cloud:
    """A Carbon Black tenant whose console is called by a map."""

    world: World
    repository: Repository
    vendor: CarbonBlack

    def write_map(self, change: Callable[[dict[str, Any]], None] = lambda _: None, name: str = "emulator") -> None:
        spec = copy.deepcopy(self.vendor.endpoint_map)
        change(spec["operations"])
        manifest = {"apiVersion": "reconciler/v1", "kind": "EndpointMap", "metadata": {"name": name}, "spec": spec}
        self.world.write(f"{name}-map.yaml", json.dumps(manifest))

    def tenant(self, **options: Any) -> None:
        spec = {
            "provider": "carbon-black-cloud",
            "endpoint": self.vendor.endpoint,
            "credentials": {"vault": {"mount": self.world.kv, "path": "credentials/cbc"}},
            "secrets": {"mount": self.world.kv, "path": "keys/{tenant}/{key}"},
            "options": {**self.vendor.console_options, **options},
        }
        manifest = {"apiVersion": "reconciler/v1", "kind": "Tenant", "metadata": {"name": "cbc"}, "spec": spec}
        self.world.write("cbc.yaml", json.dumps(manifest))


@pytest.fixture
def cloud(world: World, make_carbonblack: Callable[..., CarbonBlack]) -> Cloud:
    """Merged into main: tenant, map and level. Proposed: a key."""
    vendor = make_carbonblack()
    world.put("credentials/cbc", {**vendor.credentials, "endpoint": vendor.endpoint})
    made = Cloud(world, Repository.make(world.folder), vendor)
    made.write_map()
    made.tenant()
    world.write("level.yaml", LEVEL)
    made.repository.commit()
    world.write("key.yaml", KEY)
    return made


def test_a_map_that_takes_something_else_for_the_secret(cloud: Cloud) -> None:
    """By the proposal's map the id would be stored as the secret; by the reviewed one the secret is."""
    cloud.write_map(lambda operations: operations["createKey"]["reply"].update(secret="key.id"))
    done = cloud.world.apply(*TRUST)
    assert lines(done) == ['finding: endpoint map "emulator" differs from main: the one of main is used']
    assert done.status == 0
    stored = cloud.world.secret("splunk", "cbc")
    assert stored["apiSecret"] != stored["apiId"]
    assert any(stored["apiSecret"] in issued for issued in cloud.vendor.issued)
    assert cloud.world.state("cbc")["endpointMap"] == cloud.vendor.endpoint_map


def test_a_map_that_sends_the_key_elsewhere(cloud: Cloud) -> None:
    """The path of the request that makes a key is the reviewed one: by the other, nothing would be made."""
    cloud.write_map(lambda operations: operations["createKey"].update(path="/elsewhere"))
    done = cloud.world.apply(*TRUST)
    assert (done.status, len(lines(done))) == (0, 1)
    assert cloud.world.secret("splunk", "cbc")


@pytest.mark.parametrize("method", ["GET", "HEAD", "get"])
def test_a_map_cannot_call_a_write_a_read(cloud: Cloud, method: str) -> None:
    """Such a map is refused before any call, whoever wrote it; trust makes no difference."""
    cloud.write_map(lambda operations: operations["createKey"].update(method=method))
    for more in ((), TRUST):
        done = cloud.world.run("plan", *more)
        assert done.status == 1
        assert "is no method of a write" in done.err
    cloud.repository.commit()
    cloud.write_map()
    done = cloud.world.run("plan", *TRUST)
    assert done.status == 1
    assert "is no method of a write" in done.all
    assert len(lines(done)) == 1


def test_a_map_that_main_does_not_have(cloud: Cloud) -> None:
    """The tenant does without: what the map would have done is a person's to do, and nothing is sent by it."""
    cloud.write_map(name="new")
    cloud.tenant(endpointMap="new")
    planned = cloud.world.run("plan", *TRUST)
    assert lines(planned)[0] == 'finding: endpoint map "new" is not in main: it is not used'
    done = cloud.world.apply(*TRUST)
    assert done.status == 6
    cloud.repository.commit()
    assert lines(cloud.world.run("plan", *TRUST)) == []


def test_a_handoff_is_completed_under_the_trusted_revision(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """`handoff complete` and `handoff cancel` read it too."""
    monkeypatch.setattr("sys.stdin", io.StringIO("a\nb\n"))
    cloud.write_map(lambda operations: operations["createKey"].update(path="/elsewhere"))
    for subcommand in ("complete", "cancel"):
        done = cloud.world.run("handoff", subcommand, "cbc/splunk", *TRUST)
        assert done.status == 1
        assert len(lines(done)) == 1
