from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest


@dataclass
class FakeTime:
    """A monotonic clock that only sleeping moves, and a record of all sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)
    on_sleep: Callable[[float], None] = lambda seconds: None

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.on_sleep(seconds)


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


class Wire:
    """A server that says bytes: one canned answer per connection, then it hangs up. None: hangs up without a word."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        self.answers: list[bytes | None] = []
        self.drips = False
        """Whether answers come byte by byte, for as long as somebody listens."""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/api"

    def say(self, status: str, body: str | bytes = b"", **headers: str) -> None:
        content = body.encode() if isinstance(body, str) else body
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.answers.append("\r\n".join([*lines, "", ""]).encode() + content)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.requests.append(connection.recv(65536))
                answer = self.answers.pop(0) if self.answers else None
                if answer and self.drips:
                    _drip(connection, answer)
                elif answer:
                    connection.sendall(answer)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


def _drip(connection: socket.socket, answer: bytes) -> None:
    with contextlib.suppress(OSError):
        for byte in answer:
            connection.sendall(bytes([byte]))
            if select.select([connection], [], [], 0.01)[0]:
                return


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.close()
