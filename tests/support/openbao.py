"""A real OpenBao server for tests, one per worker; each test gets a KV mount and policies of its own.

Ask for the fixture `sandbox`, or for `openbao` to talk to the server as root.
"""

from __future__ import annotations

import itertools
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from reconciler.emulator.openbao import OpenBaoServer
from reconciler.emulator.openbao import openbao as run_openbao
from reconciler.model.desired import VaultPath
from reconciler.model.estate import TokenAuth, VaultAuth, VaultConfig
from reconciler.model.state import StateDocument
from reconciler.vault import SecretStore, StateStore, Vault
from reconciler.vault.failures import Identity
from tests.support.troubled import Proxy, troubled

ESTATE = UUID("5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11")
_numbers = itertools.count(1)


def never_sleep(seconds: float) -> None:
    """For what must not wait: a wait is a failure."""
    raise AssertionError(f"wanted to sleep for {seconds} s")


class Naps(list[float]):
    """A `sleep` that takes no time and remembers how long it was to take."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@dataclass
class JwtIssuer:
    """A CI system of our own that signs tokens (ES256)."""

    issuer: str = "https://ci.example.com"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def public_key(self) -> str:
        """PEM, as `jwt_validation_pubkeys` takes it."""
        pem = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return pem.decode()

    def sign(self, age: float = 0.0, life: float = 300.0, **claims: Any) -> str:
        """A token made `age` seconds ago for `life` seconds, with these claims."""
        now = int(time.time() - age)
        payload = {"iss": self.issuer, "sub": "job", "iat": now, "nbf": now, "exp": now + int(life), **claims}
        signed = f"{_part({'alg': 'ES256', 'typ': 'JWT'})}.{_part(payload)}"
        r, s = decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _part(value: Mapping[str, Any]) -> str:
    return _b64(json.dumps(value).encode())


def _b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Sandbox:
    """One test's part of the server: a fresh KV v2 mount, and connections to it."""

    server: OpenBaoServer
    mount: str
    opened: list[Vault] = field(default_factory=list)
    address: str = ""
    """Where to connect to, if not to the server itself."""

    def path(self, path: str) -> VaultPath:
        """An entry in our mount."""
        return VaultPath(self.mount, path)

    def config(self, auth: VaultAuth | None = None, **more: Any) -> VaultConfig:
        """Settings for this server, with the same login for both identities."""
        method = auth or TokenAuth()
        return VaultConfig(address=self.address or self.server.address, auth_plan=method, auth_apply=method, **more)

    def connect(
        self,
        identity: Identity = "apply",
        *,
        token: str = "",
        config: VaultConfig | None = None,
        environ: Mapping[str, str] | None = None,
        sleep: Callable[[float], None] = never_sleep,
        timeout: float = 30.0,
    ) -> Vault:
        """Connect, as root unless told otherwise."""
        env = {"VAULT_TOKEN": token or self.server.root_token} if environ is None else environ
        vault = Vault.connect(config or self.config(), identity=identity, environ=env, sleep=sleep, timeout=timeout)
        self.opened.append(vault)
        return vault

    def token(self, policy: str, **options: Any) -> str:
        """A token under just this policy (and `default`)."""
        name = f"{self.mount}-{next(_numbers)}"
        self.server.request("PUT", f"sys/policies/acl/{name}", {"policy": policy})
        made = self.server.request("POST", "auth/token/create", {"policies": [name], "no_parent": True, **options})
        return str(made["auth"]["client_token"])

    def secrets(self, **connection: Any) -> SecretStore:
        """A secret store on a connection of its own."""
        return SecretStore(self.connect(**connection))

    def states(self, **connection: Any) -> StateStore:
        """A state store on a connection of its own, in our mount under `reconciler`."""
        return StateStore(self.connect(**connection), self.path("reconciler"), ESTATE)

    def put(self, path: str, data: Mapping[str, Any]) -> None:
        """Write an entry as root."""
        self.server.request("POST", f"{self.mount}/data/{path}", {"data": data})

    def get(self, path: str) -> dict[str, Any]:
        """Read an entry as root."""
        found: dict[str, Any] = self.server.request("GET", f"{self.mount}/data/{path}")["data"]["data"]
        return found

    def metadata(self, path: str) -> dict[str, Any]:
        """Read an entry's metadata as root."""
        found: dict[str, Any] = self.server.request("GET", f"{self.mount}/metadata/{path}")["data"]
        return found


def empty_state(tenant: str = "dsm", **more: Any) -> StateDocument:
    """The document of a tenant that has none yet."""
    return StateDocument(estate=ESTATE, tenant=tenant, provider="trend-workload-security", endpoint="https://x", **more)


@pytest.fixture(scope="session")
def openbao() -> Iterator[OpenBaoServer]:
    """A server for all tests of this worker."""
    with run_openbao() as server:
        yield server


@pytest.fixture
def sandbox(openbao: OpenBaoServer) -> Iterator[Sandbox]:
    """A fresh KV v2 mount, gone after the test."""
    mount = f"box{next(_numbers)}"
    openbao.mount_kv(mount)
    box = Sandbox(openbao, mount)
    yield box
    for vault in box.opened:
        vault.close()
    openbao.request("DELETE", f"sys/mounts/{mount}")


@pytest.fixture
def proxied(sandbox: Sandbox) -> Iterator[tuple[Sandbox, Proxy]]:
    """The sandbox, its connections made through a proxy that makes trouble when told to."""
    with troubled(sandbox.server.address) as proxy:
        sandbox.address = proxy.address
        yield sandbox, proxy
        for vault in sandbox.opened:
            vault.close()


@pytest.fixture
def jwt(openbao: OpenBaoServer) -> Iterator[tuple[JwtIssuer, str]]:
    """A JWT login method that trusts a key of ours: the issuer, and the method's mount."""
    issuer, mount = JwtIssuer(), f"jwt{next(_numbers)}"
    openbao.request("POST", f"sys/auth/{mount}", {"type": "jwt"})
    config = {"jwt_validation_pubkeys": [issuer.public_key], "bound_issuer": issuer.issuer}
    openbao.request("POST", f"auth/{mount}/config", config)
    yield issuer, mount
    openbao.request("DELETE", f"sys/auth/{mount}")
