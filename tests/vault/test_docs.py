"""docs/vault.md: its policies and commands, taken from the page and run against a real server."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from reconciler.emulator.openbao import OpenBaoServer, _binary
from reconciler.emulator.openbao import openbao as run_openbao
from reconciler.errors import NotPermitted
from reconciler.model.desired import CredentialRef, VaultPath
from reconciler.model.estate import AppRoleAuth, VaultConfig
from reconciler.model.secret import Secret
from reconciler.vault import SecretStore, StateStore, TenantLease, Vault, read_credential
from tests.support.openbao import ESTATE, empty_state

PAGE = Path(__file__).parents[2] / "docs" / "vault.md"
ENDPOINT = "https://workload.us-1.cloudone.trendmicro.com/api"
KEY = VaultPath("secret", "security-keys/dsm-prod/splunk")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


class Documented:
    """A server that was set up by the page's own commands."""

    def __init__(self, server: OpenBaoServer, folder: Path) -> None:
        self.server = server
        for text in blocks("hcl"):
            (folder / re.findall(r"\A# (\S+\.hcl)", text)[0]).write_text(text, encoding="utf-8")
        for name in ("plan", "apply"):
            (folder / f"{name}-key.txt").write_text(f"vendor-{name}-secret", encoding="utf-8")
        self.printed: list[str] = []
        binary = Path(_binary()).parent
        for text in blocks("sh"):
            done = subprocess.run(
                ["/bin/sh", "-eu"], input=text, cwd=folder, capture_output=True, text=True, check=False, timeout=60,
                env={"PATH": f"{binary}:{os.environ['PATH']}", "HOME": str(folder), **server.environment},
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            self.printed.append(done.stdout)

    def token(self, identity: str) -> str:
        body = {"policies": [f"reconciler-{identity}"], "no_parent": True}
        return str(self.server.request("POST", "auth/token/create", body)["auth"]["client_token"])

    def connect(self, identity: str) -> Vault:
        config = VaultConfig(address=self.server.address)
        return Vault.connect(config, identity=identity, environ={"VAULT_TOKEN": self.token(identity)})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> object:
    with run_openbao() as server:
        yield Documented(server, tmp_path_factory.mktemp("docs"))


@pytest.mark.promise(2)
def test_promise_2_the_documented_planning_identity_reads_no_issued_secret(documented: Documented) -> None:
    """Under the page's policy planning sees state and metadata, in bulk too, and neither a secret nor its field names."""
    documented.server.request("POST", f"secret/data/{KEY.path}", {"data": {"secretKey": "issued"}})
    with documented.connect("plan") as vault:
        store = SecretStore(vault)
        assert store.metadata(KEY).live
        paths = [KEY, *(VaultPath("secret", f"security-keys/dsm-prod/{name}") for name in "abc")]
        assert store.metadata_of(paths)[KEY].live
        assert not store._no_bulk
        store.preflight([KEY])
        assert StateStore(vault, VaultPath("secret", "reconciler"), ESTATE).load("dsm-prod") == (None, 0)
        for area in ("data", "subkeys"):
            with pytest.raises(NotPermitted, match="plan identity lacks the capability `read`"):
                vault.call("GET", f"secret/{area}/{KEY.path}", need="read")
        with pytest.raises(NotPermitted):
            store.write(KEY, {"secretKey": Secret("mine")}, cas=1)
        with pytest.raises(NotPermitted):
            store.delete_all_versions(KEY)


@pytest.mark.promise(2)
def test_promise_2_the_documented_applying_identity_writes_and_cannot_read(documented: Documented) -> None:
    """Under the page's policy applying does all of its work on secrets, state and lease, and cannot read a secret."""
    path = VaultPath("secret", "security-keys/dsm-prod/new")
    with documented.connect("apply") as vault:
        store = SecretStore(vault)
        store.preflight([path])
        assert store.write(path, {"secretKey": Secret("one")}, cas=0) == 1
        assert store.write(path, {"secretKey": Secret("two")}, cas=1) == 2
        store.annotate(path, {"owner": "secops"})
        assert store.metadata(path).custom == {"owner": "secops"}
        with pytest.raises(NotPermitted, match="apply identity lacks the capability `read`"):
            vault.call("GET", f"secret/data/{path.path}", need="read")
        assert store.delete_all_versions(path) == 2
        states = StateStore(vault, VaultPath("secret", "reconciler"), ESTATE)
        with TenantLease.acquire(states, empty_state(), run="r", holder="h", ttl=60, call_timeout=5) as lease:
            lease.commit(lambda document: document)


@pytest.mark.promise(2)
def test_promise_2_each_identity_reads_its_own_vendor_credential_only(documented: Documented) -> None:
    """The credential for applying is closed to planning, and the other way round."""
    for identity, other in (("plan", "apply"), ("apply", "plan")):
        with documented.connect(identity) as vault:
            own = CredentialRef(vault=VaultPath("secret", f"reconciler-credentials/dsm-prod/{identity}"))
            foreign = CredentialRef(vault=VaultPath("secret", f"reconciler-credentials/dsm-prod/{other}"))
            found = read_credential(vault, own, endpoint=ENDPOINT, environ={})
            assert found.fields["secretKey"] == Secret(f"vendor-{identity}-secret")
            with pytest.raises(NotPermitted):
                read_credential(vault, foreign, endpoint=ENDPOINT, environ={})


def test_the_documented_approle_logs_in(documented: Documented) -> None:
    """The page's commands end with a role id and a secret id that log in as the applying identity."""
    printed = "".join(documented.printed[-1].split())  # -field prints no newline into a pipe
    role_id, secret_id = printed[-72:-36], printed[-36:]
    config = VaultConfig(address=documented.server.address, auth_apply=AppRoleAuth())
    environ = {"VAULT_ROLE_ID": role_id, "VAULT_SECRET_ID": secret_id}
    with Vault.connect(config, identity="apply", environ=environ) as vault:
        SecretStore(vault).preflight([KEY])


def test_the_demos_policies_are_no_wider(documented: Documented) -> None:
    """Whatever policy ships beside the page (the demo's) opens no issued secret for reading."""
    for number, file in enumerate(sorted((PAGE.parents[1] / "reconciler").rglob("*.hcl"))):
        documented.server.request(
            "PUT", f"sys/policies/acl/shipped{number}", {"policy": file.read_text(encoding="utf-8")}
        )
        body = {"policies": [f"shipped{number}"], "no_parent": True}
        token = documented.server.request("POST", "auth/token/create", body)["auth"]["client_token"]
        config = VaultConfig(address=documented.server.address)
        with Vault.connect(config, identity="plan", environ={"VAULT_TOKEN": token}) as vault:
            granted = SecretStore(vault).capabilities([f"secret/{area}/{KEY.path}" for area in ("data", "subkeys")])
        assert not any("read" in found for found in granted.values())
