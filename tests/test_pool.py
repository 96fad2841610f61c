"""One exchange on one connection, with servers and proxies that say exact bytes, or break off."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest
import requests

from reconciler.emulator.tls import LocalCA
from reconciler.errors import OutcomeUnknown, ReconcilerError, RetryLater
from reconciler.pool import leaner
from reconciler.providers.answers import Call, Effect
from reconciler.providers.http import failed
from reconciler.vault import failures
from reconciler.wire import Wire

Talk = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CREATE = Call("POST", "/keys", Effect.ONCE)
WRITE = failures.Call("POST", "secret/data/a", "apply", "update")


class Scripted:
    """A server on loopback that talks to each connection as it is told to, one thread for each."""

    def __init__(self, talk: Talk, context: ssl.SSLContext | None = None) -> None:
        self.heard: list[bytes] = []
        self.connections = 0
        self._talk = talk
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                connection.settimeout(10)
                self.connections += 1
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if self._context is None:
                self._talk(connection)
            else:
                with self._context.wrap_socket(connection, server_side=True) as tls:
                    self._talk(tls)

    def hear(self, connection: socket.socket) -> bytes:
        """One request, with its body; OSError when there is none."""
        message = b""
        while b"\r\n\r\n" not in message:
            piece = connection.recv(65536)
            if not piece:
                raise OSError
            message += piece
        self.heard.append(message)
        return message

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join()


@contextmanager
def scripted(
    talk: Callable[[Scripted, socket.socket], None], context: ssl.SSLContext | None = None
) -> Iterator[Scripted]:
    server = Scripted(lambda connection: talk(server, connection), context)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire(4) as session:
        session.trust_env = False
        yield session


@pytest.fixture
def authority() -> Iterator[LocalCA]:
    ca = LocalCA()
    yield ca
    ca.close()


def post(wire: Wire, url: str, seconds: float = 5.0) -> requests.Response:
    return wire.request("POST", url, headers={}, timeout=(5.0, seconds), data=b"{1}")


def answering(server: Scripted, connection: socket.socket) -> None:
    while True:
        server.hear(connection)
        connection.sendall(OK)


def hanging_up(server: Scripted, connection: socket.socket) -> None:
    """The key is made, and nobody hears of it."""
    server.hear(connection)


def forwarding(proxy: Scripted, connection: socket.socket) -> None:
    """A proxy: a tunnel for CONNECT, else the request is passed on as it came."""
    head = proxy.hear(connection)
    target = head.split()[1].decode()
    tunnel = head.startswith(b"CONNECT")
    host, _, port = (target if tunnel else urlsplit(target).netloc).partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as there:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n") if tunnel else there.sendall(head)
        back = threading.Thread(target=_pass_on, args=(there, connection))
        back.start()
        _pass_on(connection, there)
        back.join()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while piece := one.recv(65536):
            other.sendall(piece)
    with suppress(OSError):
        other.shutdown(socket.SHUT_RDWR)


def unknown_for_both(problem: requests.RequestException) -> None:
    """Neither a vendor's creation nor a write to Vault is said not to have been sent."""
    assert type(failed(CREATE, "https://x", problem)) is OutcomeUnknown
    assert type(failures.unreachable(problem, WRITE, failures.Server("https://x"))) is OutcomeUnknown


def not_sent_for_both(problem: requests.RequestException) -> None:
    assert type(failed(CREATE, "https://x", problem)) is RetryLater
    assert type(failures.unreachable(problem, WRITE, failures.Server("https://x"))) is RetryLater


@pytest.mark.promise(3)
@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxied"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_promise_3_what_was_sent_and_not_answered_is_never_called_unsent(
    wire: Wire, authority: LocalCA, *, tls: bool, proxied: bool
) -> None:
    """The server has read the request and hangs up: the outcome is unknown, and it was sent once, proxy or not."""
    context = authority.server_context() if tls else None
    with scripted(hanging_up, context) as server, scripted(forwarding) as proxy:
        wire.verify = authority.path
        if proxied:
            wire.proxies = {"http": proxy.url, "https": proxy.url}
        with pytest.raises(requests.ConnectionError) as caught:
            post(wire, server.url)
        unknown_for_both(caught.value)
        wire.close()
    assert len(server.heard) == 1
    assert proxy.connections == proxied


def test_a_tunnel_is_kept(wire: Wire, authority: LocalCA) -> None:
    """Through a proxy, too, TLS is negotiated once; the proxy hears who is meant, and not what is said."""
    with scripted(answering, authority.server_context()) as server, scripted(forwarding) as proxy:
        wire.verify, wire.proxies = authority.path, {"https": proxy.url.replace("//", "//user:word@")}
        assert [post(wire, server.url).content for _ in range(3)] == [b"{}"] * 3
        wire.close()
    assert server.connections == proxy.connections == 1
    assert proxy.heard[0].startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.".encode())
    assert b"Proxy-Authorization: Basic " in proxy.heard[0]
    assert b"Proxy-Authorization" not in server.heard[0]


def test_a_plain_proxy_gets_its_own_credentials(wire: Wire) -> None:
    """It is asked for whole addresses, with the server's name as the host."""
    with scripted(answering) as server, scripted(forwarding) as proxy:
        wire.proxies = {"http": proxy.url.replace("//", "//user:word@")}
        post(wire, f"{server.url}/a?b=c")
        wire.close()
    (heard,) = proxy.heard
    assert heard.startswith(f"POST {server.url}/a?b=c HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n".encode())
    assert b"Proxy-Authorization: Basic " in heard


def test_a_certificate_is_checked_behind_a_proxy(wire: Wire, authority: LocalCA) -> None:
    """An unknown authority is no fault of the proxy's."""
    with scripted(answering, authority.server_context()) as server, scripted(forwarding) as proxy:
        wire.proxies = {"https": proxy.url}
        with pytest.raises(requests.exceptions.SSLError):
            post(wire, server.url)
        wire.close()
    assert server.heard == []


@pytest.mark.parametrize(
    "refusal", [b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", b"", b"nonsense\r\n\r\n"]
)
def test_a_proxy_that_gives_no_tunnel_has_passed_on_nothing(wire: Wire, refusal: bytes) -> None:
    """It refuses, hangs up, or speaks something else."""

    def refuse(proxy: Scripted, connection: socket.socket) -> None:
        proxy.hear(connection)
        connection.sendall(refusal)

    with scripted(refuse) as proxy:
        wire.proxies = {"https": proxy.url}
        with pytest.raises(requests.exceptions.ProxyError) as caught:
            post(wire, "https://vault.example/v1/x")
        not_sent_for_both(caught.value)
        wire.close()


def test_a_handshake_that_is_broken_off_has_carried_nothing(wire: Wire) -> None:
    """The server hangs up before there is TLS: worth another try, for a creation as well."""

    def hang_up(_: Scripted, connection: socket.socket) -> None:
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset

    with scripted(hang_up) as server:
        with pytest.raises(requests.RequestException) as caught:
            post(wire, server.url.replace("http:", "https:"))
        not_sent_for_both(caught.value)


def test_tls_that_breaks_after_sending_is_no_wrong_address(wire: Wire, authority: LocalCA) -> None:
    """Something in between speaks plain text into the stream: the request is there, whatever TLS calls the fault."""

    def spoil(server: Scripted, connection: socket.socket) -> None:
        server.hear(connection)
        with socket.socket(fileno=connection.detach()) as plain:
            plain.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")

    with scripted(spoil, authority.server_context()) as server:
        wire.verify = authority.path
        with pytest.raises(requests.ConnectionError) as caught:
            post(wire, server.url)
        unknown_for_both(caught.value)


def test_interim_answers_are_passed_over(wire: Wire) -> None:
    """103 and its like are no answers, and what follows them is nobody else's."""

    def hint(server: Scripted, connection: socket.socket) -> None:
        for number in (b"1", b"2"):
            server.hear(connection)
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + number)

    with scripted(hint) as server:
        answers = [post(wire, server.url) for _ in range(2)]
        wire.close()
    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"1"), (200, b"2")]
    assert "Link" not in answers[0].headers


def test_another_protocol_is_not_spoken(wire: Wire) -> None:
    """Who switches protocols unasked is left."""

    def switch(server: Scripted, connection: socket.socket) -> None:
        server.hear(connection)
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 0\r\n\r\n")

    with scripted(switch) as server:
        assert [post(wire, server.url).status_code for _ in range(2)] == [101, 101]
        wire.close()
    assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\nnopac",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    ],
    ids=["two lengths", "negative chunk", "half a chunk", "half a body", "not packed", "not http", "endless head"],
)
def test_half_an_answer_is_none(wire: Wire, answer: bytes) -> None:
    """What is no whole answer leaves the outcome open, and its connection is not used again."""

    def say(server: Scripted, connection: socket.socket) -> None:
        server.hear(connection)
        connection.sendall(answer)

    with scripted(say) as server:
        for number in (1, 2):
            with pytest.raises(requests.RequestException) as caught:
                post(wire, server.url)
            unknown_for_both(caught.value)
            assert server.connections == number
            assert len(server.heard) == number


def test_surplus_within_tls_is_nobodys_answer(wire: Wire, authority: LocalCA) -> None:
    """A second answer that came in the same record is in nobody's sight but OpenSSL's."""
    padded = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: "
    padded += b"y" * (8192 - len(padded) - 6) + b"\r\n\r\n{}"

    def twice(server: Scripted, connection: socket.socket) -> None:
        server.hear(connection)
        connection.sendall(padded + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nNOBODY")
        server.hear(connection)
        connection.sendall(OK)

    with scripted(twice, authority.server_context()) as server:
        wire.verify = authority.path
        assert post(wire, server.url).content == b"{}"
        with suppress(requests.ConnectionError):
            assert post(wire, server.url).content == b"{}"
        wire.close()


def test_the_time_limit_is_for_everything(wire: Wire) -> None:
    """A byte shortly before its end does not give the rest as long again."""
    over = threading.Event()

    def stall(server: Scripted, connection: socket.socket) -> None:
        server.hear(connection)
        connection.sendall(b"H")
        over.wait(0.4)
        connection.sendall(b"T")
        over.wait(5)

    with scripted(stall) as server:
        started = time.monotonic()
        with pytest.raises(requests.ReadTimeout) as caught:
            post(wire, server.url, seconds=0.5)
        assert time.monotonic() - started < 0.85
        unknown_for_both(caught.value)
        over.set()


def test_waiting_for_a_connection_counts_and_sends_nothing() -> None:
    """Who could not be served within the limit has not been: a lease that was looked at before is over by then."""
    go, asked = threading.Event(), threading.Event()

    def slow(server: Scripted, connection: socket.socket) -> None:
        while True:
            server.hear(connection)
            asked.set()
            go.wait(5)
            connection.sendall(OK)

    with scripted(slow) as server, Wire(1) as wire:
        wire.trust_env = False
        first = threading.Thread(target=post, args=(wire, server.url))
        first.start()
        assert asked.wait(5)
        second: list[BaseException] = []

        def late() -> None:
            try:
                post(wire, server.url, seconds=0.05)
            except requests.RequestException as problem:
                second.append(problem)

        waiting = threading.Thread(target=late)
        waiting.start()
        waiting.join(0.1)
        go.set()
        first.join()
        waiting.join()
        wire.close()
    (problem,) = second
    assert isinstance(problem, requests.ConnectTimeout)
    not_sent_for_both(problem)
    assert len(server.heard) == 1


def test_a_kept_connection_has_the_whole_time_again(wire: Wire) -> None:
    """What was left for the last answer's end is not the next one's limit."""
    go = threading.Event()

    def second_is_slow(server: Scripted, connection: socket.socket) -> None:
        server.hear(connection)
        connection.sendall(OK)
        server.hear(connection)
        go.wait(0.3)
        connection.sendall(OK)

    with scripted(second_is_slow) as server:
        post(wire, server.url, seconds=0.2)
        assert post(wire, server.url, seconds=5.0).status_code == 200
        wire.close()
    assert server.connections == 1


@pytest.mark.parametrize("header", [{"X-Namespace": "team\n"}, {"X-A: b\r\nX": "c"}, {"X-A": "b\nX-Vault-Token: t"}])
def test_no_line_begins_within_a_header(wire: Wire, header: dict[str, str]) -> None:
    """Neither in a value nor in a name, whatever version of requests has looked at it before."""
    with scripted(answering) as server, pytest.raises(requests.exceptions.InvalidHeader):
        wire.request("POST", server.url, headers=header, timeout=(5.0, 5.0))
    assert server.connections == 0


def test_a_fragment_stays_here(wire: Wire) -> None:
    """Of a redirect's address the server hears what is meant for it."""

    def redirect(server: Scripted, connection: socket.socket) -> None:
        server.hear(connection)
        connection.sendall(b"HTTP/1.1 307 Over There\r\nContent-Length: 0\r\nLocation: /new?a=1#part\r\n\r\n")
        answering(server, connection)

    with scripted(redirect) as server:
        wire.request("POST", server.url, headers={}, timeout=(5.0, 5.0), data=b"{1}", allow_redirects=True)
        wire.close()
    assert server.heard[1].startswith(b"POST /new?a=1 HTTP/1.1\r\n")


@pytest.mark.parametrize("place", ["//[::1", "http://" + "a" * 70 + ".example/"])
def test_a_redirect_to_nowhere(wire: Wire, place: str) -> None:
    """An address that is none is an error like any other."""

    def redirect(server: Scripted, connection: socket.socket) -> None:
        server.hear(connection)
        connection.sendall(f"HTTP/1.1 307 Over There\r\nContent-Length: 0\r\nLocation: {place}\r\n\r\n".encode())

    with scripted(redirect) as server, pytest.raises(requests.RequestException) as caught:
        wire.request("POST", server.url, headers={}, timeout=(5.0, 5.0), data=b"{1}", allow_redirects=True)
    assert isinstance(failures.unreachable(caught.value, WRITE, failures.Server("x")), ReconcilerError)


def test_whatever_ends_an_exchange_gives_its_turn_back(wire: Wire) -> None:
    """More failures than there are connections do not make the next call wait for ever."""
    with scripted(hanging_up) as server:
        for _ in range(9):
            with pytest.raises(requests.ConnectionError):
                post(wire, server.url)
    with scripted(answering) as server:
        assert post(wire, server.url).status_code == 200
        wire.close()


def test_a_connection_that_cannot_be_made_is_not_left_open(wire: Wire) -> None:
    """A CA file that is none: nothing is open afterwards (an unclosed socket fails the test)."""
    with scripted(answering) as server, pytest.raises((requests.RequestException, OSError)):
        wire.request("GET", server.url.replace("http:", "https:"), headers={}, timeout=(5.0, 5.0), verify=__file__)


def test_other_kinds_of_pools_are_made_leaner_too() -> None:
    """SOCKS proxies have pools of their own, which make their own connections."""

    class Other:
        pass

    made = leaner({"http": Other})["http"]
    assert issubclass(made, Other)
