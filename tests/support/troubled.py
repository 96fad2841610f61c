"""A proxy in front of a real server that gets in the way when told to: replies lost, answers replaced."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Instead:
    """An answer of the proxy's own, with or without asking the server first."""

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    forward: bool = False


LOST = "lost"
"""The server acts, and its reply never arrives."""
HELD = "held"
"""The server acts, and its reply waits until the proxy ends: time to kill whoever waits for it."""
Trouble = str | Instead


@dataclass
class Proxy:
    """`trouble(method, path)` is asked at each request and gives None for an ordinary one."""

    address: str
    trouble: Callable[[str, str], Trouble | None] = lambda method, path: None
    seen: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    connections: int = 0
    """How often a client has connected."""
    holding: Event = field(default_factory=Event)
    """Set once a reply is held."""
    over: Event = field(default_factory=Event)

    def once(self, trouble: Trouble, method: str, part: str, *, after: int = 0) -> None:
        """Trouble at one request: the first, or the one after so many, with that method and that text in its path."""
        left = [after, 1]

        def decide(asked: str, path: str) -> Trouble | None:
            if asked != method or part not in path or not left[1]:
                return None
            if left[0]:
                left[0] -= 1
                return None
            left[1] = 0
            return trouble

        self.trouble = decide

    def always(self, trouble: Trouble, method: str = "", part: str = "") -> None:
        """Trouble at every such request."""
        self.trouble = lambda asked, path: trouble if part in path and method in ("", asked) else None


@contextmanager
def troubled(target: str) -> Iterator[Proxy]:
    """Serve a proxy to `http://HOST:PORT` on loopback."""
    where = urlsplit(target)

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:  # type: ignore[override]
            pass

        def setup(self) -> None:
            super().setup()
            proxy.connections += 1

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            proxy.seen.append((self.command, self.path))
            proxy.headers.append(dict(self.headers))
            trouble = proxy.trouble(self.command, self.path)
            if trouble is None or isinstance(trouble, str) or (isinstance(trouble, Instead) and trouble.forward):
                connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=10)
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                status, content, headers = answer.status, answer.read(), dict(answer.getheaders())
                connection.close()
            if isinstance(trouble, str):
                if trouble == HELD:
                    proxy.holding.set()
                    proxy.over.wait(60)
                self.close_connection = True
                return
            if isinstance(trouble, Instead):
                status, content, headers = trouble.status, trouble.body.encode(), trouble.headers
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = do_LIST = do_PATCH = handle_any  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
