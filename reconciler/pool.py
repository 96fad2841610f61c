"""One request and its answer on one kept connection: urllib3's pools, without what they do anew for every single request.

urllib3 makes the connections (addresses, TLS, certificates) and what goes through a proxy goes through it in full. On a
connection of our own a request leaves in one piece, and the standard library's `HTTPResponse` reads the answer: its head,
its length or chunks. An answer is read whole, within one time limit, so that a connection is never lent to anybody.

`requests` turns the errors into its own; they are those of urllib3, raised where urllib3 would raise them.
"""

from __future__ import annotations

import io
import ssl
import time
import weakref
from collections import deque
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from socket import SocketIO
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, Final, cast

import urllib3
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

if TYPE_CHECKING:
    import socket

    from urllib3 import Timeout
    from urllib3.connection import HTTPConnection

BODY_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of an answer, unpacked. Nobody fills our memory."""
_CHUNK: Final = 256 * 1024


class AnswerTooLarge(HTTPError):
    """An answer has more than `BODY_LIMIT` bytes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole. The body and the headers may hold a secret, so they have no representation."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """By name, whatever its case."""
    body: bytes = field(repr=False)


class _Pool(HTTPConnectionPool):
    """The connections to one server, at most `maxsize` at once: who finds all of them in use waits."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        host = f"[{self.host}]" if ":" in self.host else self.host
        self._name = host if self.port in {None, self.ConnectionCls.default_port} else f"{host}:{self.port}"
        self._turns = BoundedSemaphore(options["maxsize"])
        self._idle: deque[HTTPConnection] = deque()
        """The last one used is the next one: those that a busy moment needed grow old, and their servers close them."""
        weakref.finalize(self, _close, self._idle)

    def urlopen(self, method: str, url: str, *args: Any, **how: Any) -> Any:
        """Send a request and return its `Answer`; urllib3's errors. Nothing is sent twice, and no redirect followed."""
        timeout: Timeout = how["timeout"]
        with self._turns:
            try:
                if self.proxy is not None:
                    return _whole(
                        cast("urllib3.HTTPResponse", super().urlopen(method, url, *args, **how)), _until(timeout)
                    )
                message = _message(method, url, {"Host": self._name, **how["headers"]}, how["body"])
                connection = self._kept() or self._connected(url, timeout)
                return self._exchanged(connection, message, method, _until(timeout))
            except TimeoutError as error:
                raise ReadTimeoutError(self, url, "not answered in time") from error
            except ssl.SSLError as error:
                raise MaxRetryError(self, url, SSLError(error)) from error
            except (HTTPException, OSError) as error:
                raise ProtocolError("Connection aborted.", error) from error

    def close(self) -> None:
        """Close what nobody is using."""
        super().close()
        _close(self._idle)

    def _kept(self) -> HTTPConnection | None:
        """A connection that the server has not closed meanwhile."""
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # somebody else was faster
                break
            if connection.is_connected:
                return connection
            connection.close()
        return None

    def _connected(self, url: str, timeout: Timeout) -> HTTPConnection:
        connection = cast("HTTPConnection", self._new_conn())
        connection.timeout = cast("float", timeout.connect_timeout)
        problem: Exception
        try:
            connection.connect()
            connection.sock.settimeout(cast("float", timeout.read_timeout))
        except TimeoutError:
            problem = ConnectTimeoutError(self, "the TLS connection was not made in time")
        except ssl.SSLError as error:
            problem = SSLError(error)
        except (NewConnectionError, ConnectTimeoutError) as error:
            problem = error
        except (HTTPException, OSError) as error:
            problem = ProtocolError("Connection aborted.", error)
        else:
            return connection
        connection.close()
        raise problem if isinstance(problem, ProtocolError) else MaxRetryError(self, url, problem)

    def _exchanged(self, connection: HTTPConnection, message: bytes, method: str, until: float) -> Answer:
        try:
            with suppress(
                BrokenPipeError, ConnectionResetError
            ):  # a server may answer and close before it has heard all
                connection.send(message)
            reading = HTTPResponse(cast("socket.socket", _Bounded(connection.sock, until)), method=method)
            reading.begin()
            answer = _answer(reading, until)
        except BaseException:
            connection.close()
            raise
        if reading.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return answer


class _TLSPool(_Pool, HTTPSConnectionPool):
    pass


POOLS: Final = {"http": _Pool, "https": _TLSPool}
"""By scheme, as urllib3's `PoolManager` wants them."""


class _Bounded:
    """A socket to be read until a moment: a server that drips bytes resets the time-out of the socket, but not this one."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._sock = sock
        self._until = until

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._sock, self._until))


class _Reader(SocketIO):
    def __init__(self, sock: socket.socket, until: float) -> None:
        super().__init__(sock, "rb")
        self._until = until

    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() > self._until:
            raise TimeoutError
        return super().readinto(buffer)


def _close(connections: deque[HTTPConnection]) -> None:
    while connections:
        connections.pop().close()


def _until(timeout: Timeout) -> float:
    return time.monotonic() + cast("float", timeout.read_timeout)


def _message(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    head = "\r\n".join([f"{method} {url} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""])
    try:
        return head.encode("latin-1") + (body or b"")
    except UnicodeEncodeError:
        raise InvalidHeader("a header holds characters that cannot be sent") from None


def _answer(reading: HTTPResponse, until: float) -> Answer:
    if reading.length is not None and reading.length > BODY_LIMIT:
        raise AnswerTooLarge
    body = reading.read(None if reading.length is not None else BODY_LIMIT + 1)
    if len(body) > BODY_LIMIT:
        raise AnswerTooLarge
    if body and reading.headers.get("Content-Encoding"):
        packed = urllib3.HTTPResponse(io.BytesIO(body), dict(reading.headers), reading.status, preload_content=False)
        return _whole(packed, until)
    return Answer(reading.status, cast("Mapping[str, str]", reading.headers), body)


def _whole(response: urllib3.HTTPResponse, until: float) -> Answer:
    """A response of urllib3's, read to its end and unpacked."""
    body = bytearray()
    with closing(response):
        while piece := response.read1(_CHUNK, decode_content=True):
            body += piece
            if len(body) > BODY_LIMIT:
                raise AnswerTooLarge
            if time.monotonic() > until:
                raise TimeoutError
        response.release_conn()
    return Answer(response.status, response.headers, bytes(body))
