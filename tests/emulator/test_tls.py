from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path

import pytest
import requests

from reconciler.emulator.server import serve
from reconciler.emulator.tls import LocalCA
from reconciler.providers.trend_workload_security.emulator import WorkloadSecurity


def test_the_file_holds_a_certificate_and_no_key():
    """What is written to disk is public, and it goes with the authority."""
    ca = LocalCA()
    text = Path(ca.path).read_text()
    assert "BEGIN CERTIFICATE" in text
    assert "PRIVATE KEY" not in text
    ca.close()
    assert not Path(ca.path).exists()


def test_https_is_trusted_with_the_file_and_refused_without():
    """A client that names the file gets in by address; one that does not, does not."""
    with serve(WorkloadSecurity(), tls=True) as server:
        assert server.endpoint == f"https://127.0.0.1:{server.port}/api"
        assert requests.get(server.endpoint, verify=server.ca_cert, timeout=20).status_code == 404
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(server.endpoint, timeout=20)


def test_it_ends_although_a_tls_client_does_not_say_goodbye():
    """A client that never answers the server's farewell is cut off."""
    with serve(WorkloadSecurity(), tls=True) as server:
        context = ssl.create_default_context(cafile=server.ca_cert)
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as client,
        ):
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 404"
            before = time.monotonic()
            server.stop()
            assert time.monotonic() - before < 1.5
