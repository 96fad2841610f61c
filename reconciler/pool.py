"""One request and its answer on one kept connection: urllib3's pools, without what they do anew for every single request.

urllib3 makes the connections: addresses, proxies and their tunnels, TLS, certificates. A request leaves in one piece, and
the standard library's `HTTPResponse` reads the answer: its head, its length or chunks. An answer is read whole, within one
time limit, so that a connection is never lent to anybody.

`requests` turns the errors into its own; they are those of urllib3. One that names the proxy, the connection or its TLS
(`MaxRetryError`) means that nothing was sent; whatever happens after the first byte is a `ProtocolError` or a time-out.
"""

from __future__ import annotations

import errno
import io
import ssl
import time
import weakref
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from socket import SocketIO
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

import urllib3
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
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
_GRAIN: Final = 0.1
"""Seconds by which a time limit may be missed: to set a socket's for each request would cost a switch of threads."""
_HUNG_UP: Final = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EPROTOTYPE})
"""What sending says when the other side has closed the connection; the last one on macOS."""


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
        super().__init__(*args, **{**options, "maxsize": 1})  # of urllib3's own queue, which goes unused
        self._turns = BoundedSemaphore(options["maxsize"])
        self._idle: deque[HTTPConnection] = deque()
        """The last one used is the next one: those that a busy moment needed grow old, and their servers close them."""
        weakref.finalize(self, _close, self._idle)
        host = self.host.partition("%")[0].rstrip(".")
        host = f"[{host}]" if ":" in host else host
        self._name = host if self.port in {None, self.ConnectionCls.default_port} else f"{host}:{self.port}"

    def urlopen(self, method: str, url: str, *_: Any, **how: Any) -> Any:
        """Send a request and return its `Answer`; urllib3's errors. Nothing is sent twice, and no redirect followed."""
        timeout: Timeout = how["timeout"]
        through = url.startswith("/")  # a proxy that is asked for whole addresses stands at this connection's end
        names = {"Host": self._name} if through else {"Host": urlsplit(url).netloc, **self.proxy_headers}
        message = _message(method, url, {**names, **how["headers"]}, how["body"])
        until = time.monotonic() + cast("float", timeout.read_timeout)
        with self._turns:
            connection = self._kept() or self._connected(url, timeout, tunnel=through and self.proxy is not None)
            if time.monotonic() > until:
                connection.close()
                raise MaxRetryError(self, url, ConnectTimeoutError(self, "the connection was not there in time"))
            try:
                return self._exchanged(connection, message, method, until)
            except TimeoutError as error:
                raise ReadTimeoutError(self, url, "not answered in time") from error
            except (HTTPException, OSError, ValueError) as error:
                raise ProtocolError("Connection aborted.", error) from error

    def close(self) -> None:
        """Close what nobody is using."""
        super().close()
        _close(self._idle)

    def _kept(self) -> HTTPConnection | None:
        """A connection on which nothing has come since its last answer, not even the server's good-bye."""
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # somebody else was faster
                break
            if connection.is_connected and not getattr(connection.sock, "pending", int)():
                return connection
            connection.close()
        return None

    def _connected(self, url: str, timeout: Timeout, *, tunnel: bool) -> HTTPConnection:
        connection = cast("HTTPConnection", self._new_conn())
        connection.timeout = cast("float", timeout.connect_timeout)
        problem: Exception
        try:
            if tunnel:
                self._prepare_proxy(connection)
            else:
                connection.connect()
        except BaseException as error:
            at_proxy = self.proxy is not None and not connection.has_connected_to_proxy
            connection.close()
            match error:
                case NewConnectionError() | ConnectTimeoutError() | SSLError():
                    problem = error
                case TimeoutError():
                    problem = ConnectTimeoutError(self, "the connection was not made in time")
                case ssl.SSLError():
                    problem = SSLError(error)
                case OSError() | HTTPException():
                    problem = NewConnectionError(connection, "the connection was not made")
                    at_proxy = self.proxy is not None
                case _:
                    raise
            if at_proxy:
                problem = ProxyError("the proxy does not let us through", problem)
            raise MaxRetryError(self, url, problem) from error
        return connection

    def _exchanged(self, connection: HTTPConnection, message: bytes, method: str, until: float) -> Answer:
        try:
            _limit(connection.sock, until)
            try:
                connection.send(message)
            except OSError as error:  # a server may answer and close before it has heard everything
                if error.errno not in _HUNG_UP:
                    raise
            reading = HTTPResponse(cast("socket.socket", _Bounded(connection.sock, until)), method=method)
            reading.begin()
            while reading.status < HTTPStatus.OK and reading.status != HTTPStatus.SWITCHING_PROTOCOLS:
                reading.headers = None  # type: ignore[assignment]  # an interim answer: the real one follows
                reading.begin()
            answer = _answer(reading, until)
        except BaseException:
            connection.close()
            raise
        if reading.will_close or reading.status == HTTPStatus.SWITCHING_PROTOCOLS:
            connection.close()
        else:
            self._idle.append(connection)
        return answer


def leaner(pools: Mapping[str, type]) -> dict[str, type]:
    """The pool classes of one of urllib3's managers, by scheme, each with this way of sending."""
    return {scheme: _leaner(kind) for scheme, kind in pools.items()}


@cache
def _leaner(kind: type) -> type:
    """Made once for all sessions: every tenant has one."""
    return type(kind.__name__, (_Pool, kind), {})


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
        _limit(self._sock, self._until)  # type: ignore[attr-defined]
        return super().readinto(buffer)


def _limit(sock: socket.socket, until: float) -> None:
    """Let a socket wait no longer than until then; TimeoutError when that is over."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    if abs((sock.gettimeout() or 0.0) - left) > _GRAIN:
        sock.settimeout(left)


def _close(connections: deque[HTTPConnection]) -> None:
    while connections:
        connections.pop().close()


def _message(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    lines = [f"{method} {url} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if any("\n" in line or "\r" in line for line in lines):
        raise InvalidHeader("a header would end before its value does")
    try:
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")
    except UnicodeEncodeError:
        raise InvalidHeader("a header holds characters that cannot be sent") from None


def _answer(reading: HTTPResponse, until: float) -> Answer:
    if len(set(reading.headers.get_all("Content-Length", ()))) > 1:
        raise HTTPException("an answer of two lengths")
    if reading.length is not None and reading.length > BODY_LIMIT:
        raise AnswerTooLarge
    body = reading.read(None if reading.length is not None else BODY_LIMIT + 1)
    if len(body) > BODY_LIMIT:
        raise AnswerTooLarge
    headers = cast("Mapping[str, str]", reading.headers)
    if body and headers.get("Content-Encoding"):
        body = _unpacked(urllib3.HTTPResponse(io.BytesIO(body), dict(headers.items()), preload_content=False), until)
    return Answer(reading.status, headers, body)


def _unpacked(response: urllib3.HTTPResponse, until: float) -> bytes:
    body = bytearray()
    while piece := response.read1(_CHUNK, decode_content=True):
        body += piece
        if len(body) > BODY_LIMIT:
            raise AnswerTooLarge
        if time.monotonic() > until:
            raise TimeoutError
    return bytes(body)
