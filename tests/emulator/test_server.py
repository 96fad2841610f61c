from __future__ import annotations

import asyncio
import http.client
import socket
import threading
import time
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from reconciler.emulator.app import Application
from reconciler.emulator.server import Server, serve
from reconciler.providers.trend_workload_security.emulator import WorkloadSecurity

V1 = {"api-version": "v1"}


def test_one_connection_carries_many_requests():
    """HTTP/1.1 with keep-alive: the socket stays the same."""
    emulator = WorkloadSecurity()
    with serve(emulator) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        sockets = set()
        for _ in range(3):
            connection.request("GET", "/api/roles", headers={**V1, "api-secret-key": emulator.credentials["secretKey"]})
            assert connection.getresponse().read().startswith(b'{"roles":[')
            sockets.add(connection.sock)
        assert len(sockets) == 1
        connection.close()
    assert emulator.requests == {"GET /roles": 3}


def test_it_ends_cleanly_with_connections_open():
    """Leaving the block frees port and thread although a client is still connected."""
    with serve(WorkloadSecurity()) as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        port = server.port
        server.stop()
        assert client.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        assert not [thread for thread in threading.enumerate() if thread.name == f"emulator:{port}"]
        Server(port=port).__enter__().stop()


def test_a_taken_port_is_an_error_at_once():
    """Binding happens in the constructor, so that nobody waits for a server that never starts."""
    with serve(WorkloadSecurity()) as server, pytest.raises(OSError, match="in use"):
        Server(port=server.port)


def test_tenants_side_by_side_know_nothing_of_each_other():
    """One server, two emulators below paths of their own: one's credential is nothing to the other."""
    one, two = WorkloadSecurity(), WorkloadSecurity()
    with Server() as server:
        first, second = server.mount(one, "one"), server.mount(two, "two")
        headers = {**V1, "api-secret-key": one.credentials["secretKey"]}
        assert requests.get(f"{first}/apikeys", headers=headers, timeout=20).status_code == 200
        assert requests.get(f"{second}/apikeys", headers=headers, timeout=20).status_code == 401
        assert requests.get(f"{server.url}/api/apikeys", headers=headers, timeout=20).status_code == 404
        server.unmount("one")
        assert requests.get(f"{first}/apikeys", headers=headers, timeout=20).status_code == 404


def test_latency_makes_answers_later():
    """Every answer takes at least that long."""
    with serve(WorkloadSecurity(), latency=0.05) as server:
        before = time.monotonic()
        requests.get(server.endpoint, timeout=20)
        assert time.monotonic() - before >= 0.05


def test_a_stopping_server_answers_what_it_has_begun():
    """Requests that are under way get their answers."""
    emulator = WorkloadSecurity()
    with serve(emulator, latency=0.2) as server, ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(2)]
        for client in clients:
            client.sendall(b"GET /api/roles HTTP/1.1\r\nHost: x\r\n\r\n")
        while emulator.requests.total() < 2:
            pass
        server.stop()
        assert [client.recv(12) for client in clients] == [b"HTTP/1.1 400"] * 2


def test_a_body_in_many_messages_is_read_whole():
    """However the server hands it on."""
    emulator = WorkloadSecurity()
    messages = [
        {"body": piece, "more_body": more} for piece, more in ((b'{"keyName": "a",', True), (b'"roleID": 1}', False))
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", **messages.pop(0)}

    async def send(message: Any) -> None:
        sent.append(message)

    async def serve_one() -> None:
        application = Application()
        application.mount(emulator)
        headers = [(b"api-version", b"v1"), (b"api-secret-key", emulator.credentials["secretKey"].encode())]
        scope = {"type": "http", "method": "POST", "path": "/api/apikeys", "query_string": b"", "headers": headers}
        await application(scope, receive, send)

    asyncio.run(serve_one())
    assert sent[0]["status"] == 200
    assert emulator.keys()[-1]["keyName"] == "a"


def test_a_body_in_many_pieces_is_read_whole():
    """Chunked uploads arrive as one body."""
    emulator = WorkloadSecurity()
    with serve(emulator) as server:
        pieces = iter([b'{"keyName": "in ', b'pieces", ', b'"roleID": 1}'])
        headers = {**V1, "api-secret-key": emulator.credentials["secretKey"]}
        answer = requests.post(f"{server.endpoint}/apikeys", data=pieces, headers=headers, timeout=20)
    assert answer.json()["keyName"] == "in pieces"
