from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import requests

from reconciler.cli import emulate, main
from reconciler.emulator.faults import FaultName

NAME = "trend-workload-security"


@contextmanager
def emulating(*args: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The real command in a process of its own, and what it printed when it was ready."""
    command = [sys.executable, "-c", "import sys, reconciler.cli; sys.exit(reconciler.cli.main())", "emulate", *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def status(place: dict[str, Any], path: str = "/apikeys/current", **how: Any) -> int:
    headers = {"api-version": "v1", "api-secret-key": place["credentials"]["secretKey"]}
    return requests.get(place["endpoint"] + path, headers=headers, timeout=20, **how).status_code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_line_when_ready_and_a_signal_ends_it(number: signal.Signals):
    """Exactly one JSON line on standard output, nothing on standard error, exit status 0."""
    with emulating(NAME) as (process, ready):
        place = ready[NAME]
        assert (list(ready), sorted(place)) == ([NAME], ["credentials", "endpoint"])
        assert place["endpoint"].startswith("http://127.0.0.1:")
        assert place["endpoint"].endswith("/api")
        assert status(place) == 200
        process.send_signal(number)
        assert process.communicate(timeout=20) == ("", "")
        assert process.returncode == 0


def test_tls_tenants_seed_rate_and_latency():
    """Everything that can be chosen, in one run."""
    options = (
        "--tls",
        "--tenants",
        "2",
        "--seed",
        "7",
        "--calls-per-key",
        "2",
        "--calls-per-tenant",
        "9",
        "--latency-ms",
        "1",
    )
    with emulating(NAME, *options) as (process, ready):
        place = ready[NAME]
        assert Path(place["caCert"]).read_text().startswith("-----BEGIN CERTIFICATE")
        one, two = place["tenants"]
        assert one == {"endpoint": place["endpoint"], "credentials": place["credentials"]}
        assert one["credentials"] != two["credentials"]
        assert [status(one, verify=place["caCert"]) for _ in range(3)] == [200, 200, 429]
        assert status(two, verify=place["caCert"]) == 200
        process.terminate()
        process.communicate(timeout=20)
    assert not Path(place["caCert"]).exists()
    with emulating(NAME, "--seed", "7") as (_, again):
        assert again[NAME]["credentials"] == one["credentials"]


def test_faults_and_a_port_of_ones_own():
    """A fault hits what it was told to, on the port that was asked for."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with emulating(NAME, "--port", str(port), "--fault", "unavailable,path=/roles", "--rate-limit") as (process, ready):
        assert ready[NAME]["endpoint"] == f"http://127.0.0.1:{port}/api"
        assert [status(ready[NAME], path) for path in ("/roles", "/apikeys", "/roles")] == [503, 200, 503]
        process.terminate()
        process.communicate(timeout=20)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["trend-workload-securty"],
            "'trend-workload-securty' is no provider\nhint: did you mean 'trend-workload-security'?",
        ),
        (
            ["nonsense"],
            "'nonsense' is no provider\nhint: there are: carbon-black-cloud, cortex-cloud, lacework, ",
        ),
        ([NAME, "--fault", "reset-aftr"], "unknown fault 'reset-aftr': did you mean 'reset-after'?"),
        ([NAME, "--port", "70000"], "70000 is not in the range"),
        ([], "Missing argument 'PROVIDER...'"),
    ],
)
def test_wrong_usage_is_explained(capfd: pytest.CaptureFixture[str], args: list[str], message: str):
    """Exit status 1, nothing on standard output, and what would be right."""
    assert main(["emulate", *args]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert message in err


def test_a_taken_port_is_explained(capfd: pytest.CaptureFixture[str]):
    """Which port, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["emulate", NAME, "--port", str(port)]) == 1
    assert f"port {port} cannot be used" in capfd.readouterr().err


def test_a_provider_without_emulator_is_named(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """A plugin need not bring one."""
    bare = EntryPoint("bare", "json:PROVIDER", emulate.GROUP)
    monkeypatch.setattr(emulate, "entry_points", lambda group: [bare])
    monkeypatch.setattr(emulate, "names", lambda: ("bare",))
    assert main(["emulate", "bare"]) == 1
    assert "'bare' has no emulator" in capfd.readouterr().err


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Which package, and how to get it."""
    for module in [name for name in sys.modules if name.startswith(("reconciler.emulator", "starlette"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "starlette", None)
    assert main(["emulate", NAME]) == 1
    err = capfd.readouterr().err
    assert "need the package 'starlette'" in err
    assert "access-reconciler[emulator]" in err


def test_the_help_names_every_fault_and_warns_of_the_credential():
    """The list cannot go stale."""
    text = " ".join((emulate.command.help or "").replace("\n", " ").split())
    assert [name for name in FaultName if str(name) not in text] == []
    assert "the one command that prints any" in text
