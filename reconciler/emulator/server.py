"""Serves emulators on loopback, in a thread of their own: HTTP/1.1 with keep-alive, on a port that the system picks.

::

    with serve(emulator) as server:
        requests.get(server.endpoint + "/apikeys", …)
"""

from __future__ import annotations

import asyncio
import functools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self, cast

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from reconciler.emulator.app import TRANSPORT, Application
from reconciler.emulator.base import Emulator
from reconciler.emulator.tls import LocalCA

_HOST = "127.0.0.1"
_BACKLOG = 512
_MOMENT = 0.01
_GRACE = 2.0
_Base: Any = AutoHTTPProtocol


async def _with_transport(
    app: ASGIApp, transport: asyncio.Transport, scope: Scope, receive: Receive, send: Send
) -> None:
    scope[TRANSPORT] = transport
    await app(scope, receive, send)


class _Protocol(_Base):  # type: ignore[misc]
    """uvicorn's own protocol (h11 or httptools), which also tells the application about its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        cast("Application", self.app).connections += 1
        self.app: ASGIApp = functools.partial(_with_transport, self.app, transport)


class _Uvicorn(uvicorn.Server):
    """uvicorn without its polling: it runs until told to stop, at once."""

    def __init__(self, config: uvicorn.Config, application: Application) -> None:
        super().__init__(config)
        self._application = application
        self._stopping = asyncio.Event()
        self.ready = threading.Event()
        self.loop: asyncio.AbstractEventLoop

    async def main_loop(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.ready.set()
        await self._stopping.wait()
        self._application.close()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Uvicorn's own way overlooks connections that were just accepted, and waits long for TLS clients to say bye."""
        await asyncio.sleep(_MOMENT)  # whoever waits to be accepted becomes a connection, and whatever hung lets go
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        await asyncio.sleep(_MOMENT)
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_GRACE)
        for connection in list(self.server_state.connections):
            connection.transport.close()
        await asyncio.sleep(_MOMENT)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)

    def stop(self) -> None:
        self.ready.wait()
        self.loop.call_soon_threadsafe(self._stopping.set)


def _listen(port: int) -> socket.socket:
    # The protocol is named, for only then asyncio switches Nagle's algorithm off, which would cost 40 ms per answer.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((_HOST, port))
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


class Server:
    """One listening socket and the emulators behind it. Start and stop it with `with`."""

    def __init__(self, *, port: int = 0, tls: bool = False, latency: float = 0.0) -> None:
        """Bind the port (0: any free one; OSError if it is taken). `latency` in seconds."""
        self.application = Application(latency)
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]
        self.endpoint = ""
        """Where the emulator is that was mounted last."""
        self._ca = LocalCA() if tls else None
        config = uvicorn.Config(
            self.application,
            http=_Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="critical",  # an access log is no place for what clients send
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=60,
        )
        config.load()
        config.ssl = self._ca.server_context() if self._ca else None
        self._uvicorn = _Uvicorn(config, self.application)
        self._thread = threading.Thread(
            target=self._uvicorn.run, args=([self._socket],), name=f"emulator:{self.port}", daemon=True
        )

    @property
    def url(self) -> str:
        """Where it listens: `http://127.0.0.1:PORT`."""
        return f"{'https' if self._ca else 'http'}://{_HOST}:{self.port}"

    @property
    def ca_cert(self) -> str | None:
        """The file with the certificate to trust, if this is TLS."""
        return self._ca.path if self._ca else None

    def mount(self, emulator: Emulator, prefix: str = "") -> str:
        """Serve an emulator below `/prefix` (or at the root) and return its endpoint."""
        self.application.mount(emulator, prefix)
        self.endpoint = f"{self.url}/{prefix}{emulator.base_path}" if prefix else f"{self.url}{emulator.base_path}"
        return self.endpoint

    def unmount(self, prefix: str) -> None:
        """Serve it no longer."""
        self.application.unmount(prefix)

    def __enter__(self) -> Self:
        self._thread.start()
        self._uvicorn.ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End every connection, then the thread; requests that hang are let go. Stopping twice is harmless."""
        if not self._thread.is_alive():
            return
        self._uvicorn.stop()
        self._thread.join()
        if self._ca:
            self._ca.close()


@contextmanager
def serve(emulator: Emulator, *, port: int = 0, tls: bool = False, latency: float = 0.0) -> Iterator[Server]:
    """Serve one emulator, at the root, as long as the block lasts."""
    with Server(port=port, tls=tls, latency=latency) as server:
        server.mount(emulator)
        yield server
