"""A whole world for end-to-end tests: an estate on disk, emulated vendors, a KV mount of its own in a real OpenBao.

Ask for the fixture `world`, add tenants and manifests, and run the real command line in this process.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from reconciler.cli.run import run as run_command
from reconciler.emulator.openbao import OpenBaoServer
from reconciler.errors import Rejected
from tests.support.emulators import Trend
from tests.support.openbao import Naps
from tests.support.troubled import Proxy, troubled

ESTATE_ID = UUID("5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Run:
    """What a command line did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    @property
    def all(self) -> str:
        """Everything that was printed."""
        return self.out + self.err


@dataclass
class World:
    """See the module's text. `kv` is the mount that holds credentials, secrets and state alike."""

    folder: Path
    bao: OpenBaoServer
    kv: str
    environ: Callable[[str, str], None]
    make_trend: Callable[..., Trend]
    trends: dict[str, Trend] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the estate."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    def settings(self, more: str = "") -> None:
        """Write `reconciler.yaml`; `more` is put below `spec`, indented by two spaces."""
        text = f"""\
apiVersion: reconciler/v1
kind: Estate
metadata: {{name: acme}}
spec:
  id: {ESTATE_ID}
  vault:
    address: https://vault.example.com:8200
    state: {{mount: {self.kv}, path: reconciler}}
"""
        self.write("reconciler.yaml", text + textwrap.indent(textwrap.dedent(more), "  "))

    def tenant(self, name: str = "dsm", spec: str = "", **options: Any) -> Trend:
        """Add a tenant with its emulator and its credential in Vault, bound to the emulator's endpoint."""
        trend = self.make_trend(**options)
        trend.clock.advance(datetime.now(UTC) - trend.clock.now())
        self.trends[name] = trend
        self.account(name, "trend-workload-security", trend.endpoint, trend.credentials, spec)
        return trend

    def account(self, name: str, provider: str, endpoint: str, credential: Mapping[str, Any], spec: str = "") -> None:
        """Add a tenant at an account that is there, with its credential in Vault, bound to the endpoint."""
        self.put(f"credentials/{name}", {**credential, "endpoint": endpoint})
        self.write(
            f"tenants/{name}.yaml",
            f"""
            apiVersion: reconciler/v1
            kind: Tenant
            metadata: {{name: {name}, labels: {{env: test}}}}
            spec:
              provider: {provider}
              endpoint: {endpoint}
              credentials: {{vault: {{mount: {self.kv}, path: credentials/{name}}}}}
              secrets: {{mount: {self.kv}, path: "keys/{{tenant}}/{{key}}"}}
              onRemoval: delete
            """
            + textwrap.indent(textwrap.dedent(spec), " " * 14),
        )

    def level(self, name: str = "read", tenant: str = "dsm", right: str = "canViewOtherComputers") -> None:
        """Add an access level."""
        self.write(
            f"levels/{tenant}-{name}.yaml",
            f"""
            apiVersion: reconciler/v1
            kind: AccessLevel
            metadata: {{name: {name}, tenant: {tenant}}}
            spec:
              description: Read computers
              permissions: {{platformRights: {{computerRights: {{{right}: true}}}}}}
            """,
        )

    def key(self, name: str = "splunk", tenant: str = "dsm", *, level: str = "read", **spec: str) -> Path:
        """Add a key; each keyword becomes a field of its spec, as YAML."""
        fields = {"description": f"Key {name}", "accessLevel": level, **spec}
        return self.write(
            f"keys/{tenant}-{name}.yaml",
            "apiVersion: reconciler/v1\nkind: ApiKey\n"
            f"metadata: {{name: {name}, tenant: {tenant}, owner: secops@example.com}}\nspec:\n"
            + "".join(f"  {key}: {value}\n" for key, value in fields.items()),
        )

    def remove(self, name: str) -> None:
        """Take a file out of the estate."""
        (self.folder / name).unlink()

    def run(self, *args: str) -> Run:
        """Run one command line in this process, in the estate's folder, as the token in the environment."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(self.folder):
            status = run_command(list(args))
        self.printed.append(out.getvalue() + err.getvalue())
        return Run(int(status), out.getvalue(), err.getvalue())

    def plan(self, *args: str) -> Run:
        """`plan --detailed-exitcode`."""
        return self.run("plan", "--detailed-exitcode", *args)

    def apply(self, *args: str) -> Run:
        """`apply --auto-approve`."""
        return self.run("apply", "--auto-approve", *args)

    def apply_in_child(self, *args: str) -> Run:
        """`apply --auto-approve` in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "reconciler", "apply", "--auto-approve", *args],
            cwd=self.folder, env=dict(os.environ), capture_output=True, text=True, check=False,
        )  # fmt: skip
        self.printed.append(done.stdout + done.stderr)
        return Run(done.returncode, done.stdout, done.stderr)

    def put(self, path: str, data: dict[str, Any]) -> None:
        """Write a KV entry as root."""
        self.bao.request("POST", f"{self.kv}/data/{path}", {"data": data})

    def secret(self, key: str = "splunk", tenant: str = "dsm") -> dict[str, str]:
        """What a consumer reads."""
        found: dict[str, str] = self.bao.request("GET", f"{self.kv}/data/keys/{tenant}/{key}")["data"]["data"]
        return found

    def metadata(self, key: str = "splunk", tenant: str = "dsm") -> dict[str, Any]:
        """Vault's metadata of a key's secret."""
        found: dict[str, Any] = self.bao.request("GET", f"{self.kv}/metadata/keys/{tenant}/{key}")["data"]
        return found

    def state(self, tenant: str = "dsm") -> dict[str, Any]:
        """The state document as it lies in Vault."""
        path = f"{self.kv}/data/reconciler/{ESTATE_ID}/{tenant}"
        found: dict[str, Any] = json.loads(self.bao.request("GET", path)["data"]["data"]["document"])
        return found

    def edit_state(self, change: Callable[[dict[str, Any]], None], tenant: str = "dsm") -> None:
        """Change the state document as root: how tests move the time that it remembers. A run may commit meanwhile."""
        path = f"{self.kv}/data/reconciler/{ESTATE_ID}/{tenant}"
        for _ in range(50):
            found = self.bao.request("GET", path)["data"]
            state = json.loads(found["data"]["document"])
            change(state)
            body = {"data": {"document": json.dumps(state)}, "options": {"cas": found["metadata"]["version"]}}
            with contextlib.suppress(Rejected):  # somebody has written in between
                self.bao.request("POST", path, body)
                return
        raise AssertionError("the state changes all the time")

    def age(self, days: float, key: str = "splunk", tenant: str = "dsm", *, overlap: bool = True) -> None:
        """Let a key's issue (and with `overlap` the end of its former generation's) lie so many days further back."""

        def back(state: dict[str, Any]) -> None:
            record = state["objects"][f"ApiKey/{key}"]
            record["issuedAt"] = _earlier(record["issuedAt"], days)
            if overlap and "previous" in record:
                record["previous"]["until"] = _earlier(record["previous"]["until"], days)

        self.edit_state(back, tenant)

    def expire_lease(self, tenant: str = "dsm") -> None:
        """Let the lease of a killed run be over."""
        self.edit_state(lambda state: state["lease"].update(expires=_earlier(state["lease"]["expires"], 1)), tenant)

    def killed_apply(self, reached: Callable[[float], bool], *args: str) -> None:
        """Run `apply` in a process of its own, and kill it with SIGKILL once `reached(seconds)` says that it is there."""
        child = subprocess.Popen(
            [sys.executable, "-m", "reconciler", "apply", "--auto-approve", *args],
            cwd=self.folder, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        there = reached(30)
        child.kill()
        output, _ = child.communicate()
        self.printed.append(output)
        assert there, output

    def authenticates(self, key: str = "splunk", tenant: str = "dsm") -> bool:
        """Whether the secret in Vault works at the vendor, as the key whose id lies beside it."""
        import requests

        secret = self.secret(key, tenant)
        answer = requests.get(
            f"{secret['endpoint']}/apikeys/current",
            headers={"api-secret-key": secret["secretKey"], "api-version": "v1"},
            timeout=5,
        )
        return answer.status_code == 200 and str(answer.json()["ID"]) == secret["keyId"]

    def names(self, tenant: str = "dsm") -> list[str]:
        """The names of all keys at the vendor but the reconciler's own."""
        return sorted(key["keyName"] for key in list(self.trends[tenant].keys()) if key["keyName"] != "bootstrap")

    def issued(self) -> set[str]:
        """Every secret that any emulator ever gave out."""
        return {secret for trend in self.trends.values() for secret in trend.issued}


def _earlier(time: str, days: float) -> str:
    return (datetime.fromisoformat(time) - timedelta(days=days)).isoformat()


@pytest.fixture
def vault_proxy(world: World, openbao: OpenBaoServer) -> Iterator[Proxy]:
    """A proxy between the command line and OpenBao that makes trouble when told to. `world` itself goes around it."""
    with troubled(openbao.address) as proxy:
        world.environ("VAULT_ADDR", proxy.address)
        yield proxy
        world.environ("VAULT_ADDR", openbao.address)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> Naps:
    """Nobody waits: every pause of the command line is remembered instead."""
    naps = Naps()
    monkeypatch.setattr("reconciler.cli.estate.sleep", naps)
    return naps


@pytest.fixture
def world(
    tmp_path: Path, openbao: OpenBaoServer, make_trend: Callable[..., Trend], monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """An estate without tenants, as root in OpenBao. At the end nothing that was printed may hold a secret."""
    kv = f"kv{next(_numbers)}"
    openbao.mount_kv(kv)
    for name in ("VAULT_NAMESPACE", "VAULT_CACERT", "BAO_ADDR", "BAO_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VAULT_ADDR", openbao.address)
    monkeypatch.setenv("VAULT_TOKEN", openbao.root_token)
    folder = tmp_path / "estate"
    folder.mkdir()
    made = World(folder, openbao, kv, monkeypatch.setenv, make_trend)
    made.settings()
    yield made
    text = "".join(made.printed)
    for secret in made.issued():
        assert secret not in text
        assert secret.partition(":")[2] not in text
    openbao.request("DELETE", f"sys/mounts/{kv}")
