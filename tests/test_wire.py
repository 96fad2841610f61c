"""One session to one server: what is sent, what comes back, and how many connections that takes."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

from reconciler import pool
from reconciler.wire import Wire

TIMEOUT = (5.0, 5.0)


class Served:
    """A server on loopback that says what it was asked, and how often somebody connected."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: Callable[[BaseHTTPRequestHandler], bool] = lambda handler: False
        """Answers a request in its own way, or says that it did not."""
        self.url = ""


@pytest.fixture
def served() -> Iterator[Served]:
    told = Served()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            told.connections += 1

        def log_message(self, *_: object) -> None:
            pass

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told.requests.append((self.command, self.path, dict(self.headers), body))
            if not told.answer(self):
                reply(self, b"{}")

        do_GET = do_POST = do_PATCH = do_LIST = answer  # noqa: N815

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        told.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield told
        server.shutdown()
        thread.join()


def reply(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> bool:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)
    return True


@contextmanager
def wire(connections: int = 4) -> Iterator[Wire]:
    with Wire(connections) as session:
        session.trust_env = False
        yield session


def ask(session: Wire, method: str, url: str, **how: Any) -> requests.Response:
    return session.request(method, url, headers=how.pop("headers", {}), timeout=TIMEOUT, **how)


def test_a_request_arrives_as_it_was_given(served: Served) -> None:
    """Method, path, query, headers and body; a length for whatever is not GET, as servers want it."""
    with wire() as session:
        ask(session, "post", f"{served.url}/v1/a%20b?x=1", data=b"{1}", headers={"Content-Type": "text/plain"})
        ask(session, "LIST", f"{served.url}/v1/c")
        ask(session, "GET", f"{served.url}", params={"version": 3})
    (method, path, headers, body), listed, got = served.requests
    assert (method, path, body) == ("POST", "/v1/a%20b?x=1", b"{1}")
    assert headers == {
        "Host": served.url.removeprefix("http://"),
        "Accept-Encoding": "gzip, deflate",
        "Content-Type": "text/plain",
        "Content-Length": "3",
    }
    assert (listed[0], listed[1], listed[2]["Content-Length"]) == ("LIST", "/v1/c", "0")
    assert (got[1], "Content-Length" in got[2]) == ("/?version=3", False)


def test_an_authenticator_adds_its_headers(served: Served) -> None:
    """It gets the request, and may do no more than that."""

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["X-Key"] = f"for {request.method}"
        return request

    with wire() as session:
        ask(session, "GET", served.url, auth=sign)
    assert served.requests[0][2]["X-Key"] == "for GET"


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", " a", "a\nb", "a\0\r"])
def test_no_header_splits_a_request(served: Served, value: str) -> None:
    """A value that would end its line, or begin with a blank, is refused before anything is sent."""
    with wire() as session, pytest.raises(requests.exceptions.InvalidHeader):
        ask(session, "GET", served.url, headers={"X-Key": value})
    assert served.requests == []


def test_connections_are_kept_and_shared(served: Served) -> None:
    """Forty calls of eight threads take as many connections as there may be, and no more."""
    with wire(connections=3) as session, ThreadPoolExecutor(8) as pool:
        statuses = [answer.status_code for answer in pool.map(lambda _: ask(session, "GET", served.url), range(40))]
    assert statuses == [200] * 40
    assert served.connections <= 3


def test_a_connection_that_the_server_has_closed_is_replaced(served: Served) -> None:
    """What a keep-alive time-out has ended is no error."""
    served.answer = lambda handler: reply(handler, b"{}", Connection="close")
    with wire() as session:
        assert [ask(session, "GET", served.url).status_code for _ in range(3)] == [200] * 3
    assert served.connections == 3


def test_answers_are_read_side_by_side(served: Served) -> None:
    """Nobody's body waits for another's: both are answered only once both have been asked for in full."""
    both = threading.Barrier(2, timeout=5)

    def answer(handler: BaseHTTPRequestHandler) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.flush()
        both.wait()
        handler.wfile.write(b"{}")
        return True

    served.answer = answer
    with wire() as session, ThreadPoolExecutor(2) as pool:
        bodies = list(pool.map(lambda _: ask(session, "GET", served.url).content, range(2)))
    assert bodies == [b"{}", b"{}"]


def test_cookies_are_not_kept(served: Served) -> None:
    """A server cannot make the next request carry something."""
    served.answer = lambda handler: reply(handler, b"{}", Set_Cookie="a=b")
    with wire() as session:
        for _ in range(2):
            ask(session, "GET", served.url)
    assert "Cookie" not in served.requests[1][2]


def test_a_packed_body_is_unpacked(served: Served) -> None:
    """gzip, as many servers pack without being asked twice."""
    served.answer = lambda handler: reply(handler, gzip.compress(b'{"a":1}'), Content_Encoding="gzip")
    with wire() as session:
        assert ask(session, "GET", served.url).json() == {"a": 1}


def test_a_redirect_is_followed_only_if_asked(served: Served) -> None:
    """With method and body where its status says so; and from the new place the answer is what counts."""
    served.answer = lambda handler: (
        handler.path == "/old" and reply(handler, b"", 307, Location="/new", Set_Cookie="a=b")
    )
    with wire() as session:
        assert ask(session, "POST", f"{served.url}/old", data=b"{}").status_code == 307
        answer = ask(session, "POST", f"{served.url}/old", data=b"{}", allow_redirects=True)
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert [(method, path, body) for method, path, _, body in served.requests[1:]] == [
        ("POST", "/old", b"{}"),
        ("POST", "/new", b"{}"),
    ]
    assert "Cookie" not in served.requests[2][2]


def test_another_server_is_called_by_its_own_name(served: Served) -> None:
    """A redirect to a server of another name: the request says that name, not the first one's."""
    there = served.url.replace("127.0.0.1", "localhost")
    served.answer = lambda handler: handler.path == "/old" and reply(handler, b"", 307, Location=f"{there}/new")
    with wire() as session:
        ask(session, "POST", f"{served.url}/old", data=b"{}", allow_redirects=True)
    assert [headers["Host"] for _, _, headers, _ in served.requests] == [
        served.url.removeprefix("http://"),
        there.removeprefix("http://"),
    ]


@pytest.mark.parametrize(
    ("scheme", "port", "name"),
    [("http", 80, "[::1]"), ("https", 443, "[::1]"), ("http", 8200, "[::1]:8200"), ("https", None, "vault.example")],
)
def test_a_server_is_called_by_its_name(scheme: str, port: int | None, name: str) -> None:
    """The `Host` as browsers write it: brackets for IPv6, and no port that goes without saying."""
    host = "::1" if "::1" in name else name
    kinds = pool.leaner({"http": HTTPConnectionPool, "https": HTTPSConnectionPool})
    with kinds[scheme](host, port, maxsize=1) as made:
        assert made._name == name


def test_a_body_that_breaks_off_is_an_error(served: Served) -> None:
    """Half an answer is none, whether the connection ends or the rest never comes."""

    def half(handler: BaseHTTPRequestHandler) -> bool:
        handler.close_connection = handler.path == "/ends"
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"{")
        return True

    served.answer = half
    with wire() as session:
        with pytest.raises(requests.ConnectionError):
            ask(session, "GET", f"{served.url}/ends")
        with pytest.raises(requests.ReadTimeout):
            session.request("GET", f"{served.url}/hangs", headers={}, timeout=(5.0, 0.05))


def test_a_request_leaves_in_one_piece(monkeypatch: pytest.MonkeyPatch, served: Served) -> None:
    """Head and body together: a server never waits for the rest, and a dying process leaves all of it or a part."""
    sent: list[bytes] = []
    ordinary = HTTPConnection.send
    monkeypatch.setattr(HTTPConnection, "send", lambda self, data: (sent.append(data), ordinary(self, data))[1])
    with wire() as session:
        ask(session, "POST", served.url, data=b"{1}")
    (message,) = sent
    assert message.endswith(b"\r\n\r\n{1}")


def test_nothing_is_sent_twice(served: Served) -> None:
    """A connection that ends in the middle of an exchange is an error, be it a new one or one that was kept."""

    def hang_up(handler: BaseHTTPRequestHandler) -> bool:
        handler.close_connection = handler.command == "POST"
        return handler.close_connection

    served.answer = hang_up
    with wire() as session:
        for method in ("POST", "GET", "POST"):
            with pytest.raises(requests.ConnectionError) if method == "POST" else nullcontext():
                ask(session, method, served.url, data=b"{}")
    assert [method for method, *_ in served.requests] == ["POST", "GET", "POST"]
    assert served.connections == 2


def test_an_idle_connection_that_was_closed_is_not_used(served: Served) -> None:
    """The server ended it after its answer, without a word: the next call, which must not be lost, takes a new one."""
    closed = threading.Event()

    def end_later(handler: BaseHTTPRequestHandler) -> bool:
        reply(handler, b"{}")
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True
        closed.set()
        return True

    with wire() as session:
        served.answer = end_later
        ask(session, "GET", served.url)
        assert closed.wait(5)
        served.answer = lambda handler: False
        assert ask(session, "POST", served.url, data=b"{}").status_code == 200
    assert served.connections == 2


def test_more_than_was_announced_is_nobodys_answer(served: Served) -> None:
    """What follows an answer unasked is never taken for the next one."""

    def twice(handler: BaseHTTPRequestHandler) -> bool:
        one, other = b'{"for":"you"}', b'{"for":"nobody"}'
        handler.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%bHTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
            % (len(one), one, len(other), other)
        )
        return True

    with wire() as session:
        served.answer = twice
        assert ask(session, "GET", served.url).json() == {"for": "you"}
        served.answer = lambda handler: reply(handler, b'{"for":"me"}')
        assert ask(session, "GET", served.url).json() == {"for": "me"}


def test_an_early_answer_counts(served: Served) -> None:
    """A server may refuse and hang up before it has read a long body."""
    with socket.create_server(("127.0.0.1", 0)) as server, wire() as session:

        def refuse() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 20):
                    pass

        thread = threading.Thread(target=refuse)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        assert ask(session, "POST", url, data=b" " * (1 << 22)).status_code == 413
        session.close()
        thread.join()


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_nobody_fills_our_memory(served: Served, monkeypatch: pytest.MonkeyPatch, coding: str) -> None:
    """Neither by much, nor by little that unpacks to much, nor without saying how much it will be."""
    monkeypatch.setattr(pool, "BODY_LIMIT", 1000)
    body = gzip.compress(b" " * 100_000) if coding else b" " * 1001
    length = {} if coding else {"Content_Length": str(len(body))}
    served.answer = lambda handler: reply(handler, body, **({"Content_Encoding": coding} if coding else length))
    with wire() as session, pytest.raises(requests.RequestException) as caught:
        ask(session, "GET", served.url)
    assert isinstance(caught.value.args[0], pool.AnswerTooLarge)

    def unannounced(handler: BaseHTTPRequestHandler) -> bool:
        handler.close_connection = True
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b" " * 2000)
        return True

    served.answer = unannounced
    with wire() as session, pytest.raises(requests.RequestException):
        ask(session, "GET", served.url)


def test_a_header_that_cannot_be_sent_is_refused(served: Served) -> None:
    """HTTP has no letters beyond Latin-1."""
    with wire() as session, pytest.raises(requests.exceptions.InvalidHeader):
        ask(session, "GET", served.url, headers={"X-Key": "ключ"})
    assert served.requests == []


@pytest.mark.parametrize("path", ["a b", "a\r\nX: 1", "ä"])
def test_no_address_splits_a_request(served: Served, path: str) -> None:
    """An address that would end the request's line is refused before anything is sent."""
    with wire() as session, pytest.raises(requests.exceptions.InvalidURL):
        ask(session, "GET", f"{served.url}/{path}")
    assert served.requests == []


def test_who_does_not_shake_hands_in_time_got_nothing() -> None:
    """A server that accepts connections and never answers TLS: the request has surely not been sent."""
    with socket.create_server(("127.0.0.1", 0)) as server, wire() as session:
        url = f"https://127.0.0.1:{server.getsockname()[1]}/"
        with pytest.raises(requests.ConnectTimeout):
            session.request("POST", url, headers={}, timeout=(0.05, 5.0))


def test_a_closed_session_may_be_used_again(served: Served) -> None:
    """With new connections."""
    with wire() as session:
        ask(session, "GET", served.url)
        session.close()
        ask(session, "GET", served.url)
    assert served.connections == 2


def test_a_proxy_is_asked_for_whole_addresses(served: Served) -> None:
    """Where a plain HTTP proxy stands in between, the request names the server."""
    with wire() as session:
        session.proxies = {"http": served.url}
        for _ in range(2):
            ask(session, "GET", "http://vault.example/v1/sys/health")
    assert [path for _, path, _, _ in served.requests] == ["http://vault.example/v1/sys/health"] * 2
    assert served.connections == 1
