from __future__ import annotations

import gzip
import json
import logging
import socket
import ssl
import traceback
from collections.abc import Callable
from datetime import timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
import requests
from requests import PreparedRequest
from urllib3.exceptions import HTTPError

from reconciler import pool
from reconciler.emulator.server import Server
from reconciler.errors import (
    AuthenticationFailed,
    ContractBroken,
    Interrupted,
    InvalidInput,
    OutcomeUnknown,
    RateLimited,
    ReconcilerError,
    Rejected,
    RetryLater,
    WriteRefused,
)
from reconciler.providers.answers import Call, Effect
from reconciler.providers.base import ConnectionSettings
from reconciler.providers.http import Authenticator, Retry, Transport, failed
from reconciler.providers.pacing import Pacer
from reconciler.providers.trend_workload_security.emulator import WorkloadSecurity
from tests.support.emulators import Trend

pytest_plugins = ["tests.support.emulators"]

CURRENT = Call("GET", "/apikeys/current", Effect.READ)
SEARCH = Call("POST", "/apikeys/search", Effect.READ)
MODIFY = Call("POST", "/apikeys/{apiKeyID}", Effect.REPEATABLE)
CREATE = Call("POST", "/apikeys", Effect.ONCE)
READS = {("GET", "/apikeys/current"), ("POST", "/apikeys/search")}
CANARY = "17:canary+secret/value=="


class Key(Authenticator):
    def __init__(self, secret: str = CANARY) -> None:
        self.secret = secret

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["api-secret-key"] = self.secret
        return request

    def conceal(self, text: str) -> str:
        return text.replace(self.secret, "<secret>")


@pytest.fixture
def connect(fake_time: Any) -> Callable[..., Transport]:
    def connect(endpoint: str, secret: str = CANARY, *, calls: int = 10_000, **how: Any) -> Transport:
        settings = {"write": True, "timeout": 5.0} | {
            name: how.pop(name)
            for name in ("write", "timeout", "ca_cert", "before_write", "while_waiting")
            if name in how
        }
        return Transport(
            endpoint,
            auth=Key(secret),
            reads=READS,
            settings=ConnectionSettings(**settings),
            pacer=Pacer(calls, 60.0, clock=fake_time.clock, sleep=fake_time.sleep),
            headers={"api-version": "v1"},
            clock=fake_time.clock,
            sleep=fake_time.sleep,
            **how,
        )

    return connect


@pytest.fixture
def transport(trend: Trend, connect: Callable[..., Transport]) -> Transport:
    return connect(trend.endpoint, trend.credentials["secretKey"])


def test_a_call_returns_the_json_object(transport: Transport) -> None:
    """The answer's object is handed on, and what was sent is counted."""
    assert transport.send(CURRENT)["keyName"] == "bootstrap"
    assert transport.send(SEARCH, {})["apiKeys"]
    assert transport.calls == 2
    transport.close()


@pytest.mark.promise(6)
def test_promise_6_a_planning_run_sends_nothing_but_reads(trend: Trend, connect: Callable[..., Transport]) -> None:
    """Without leave to write, a request that is not on the list of reads never reaches the wire."""
    planning = connect(trend.endpoint, trend.credentials["secretKey"], write=False)
    planning.send(CURRENT)
    planning.send(SEARCH, {})
    before = dict(trend.requests)
    liar = Call("POST", "/roles", Effect.READ)
    for call in (CREATE, MODIFY, liar, Call("DELETE", "/apikeys/current", Effect.READ)):
        with pytest.raises(WriteRefused, match="only reads"):
            planning.send(call, {}, path={"apiKeyID": "1"})
    assert dict(trend.requests) == before
    assert planning.calls == 2


def test_path_parameters_cannot_climb(wire: Any, connect: Callable[..., Transport]) -> None:
    """A value stays one segment of the path."""
    wire.say("200 OK", "{}")
    connect(wire.url).send(MODIFY, {}, path={"apiKeyID": "../roles/1?x"})
    assert wire.requests[0].startswith(b"POST /api/apikeys/..%2Froles%2F1%3Fx HTTP/1.1\r\n")


def test_what_is_sent(
    wire: Any, connect: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Our headers, our credential, and neither `.netrc` nor cookies."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    wire.say("200 OK", "{}", Set_Cookie="sID=1; Path=/")
    wire.say("200 OK", "{}")
    transport = connect(wire.url)
    transport.send(SEARCH, {"maxItems": 1})
    transport.send(CURRENT)
    first, second = (request.decode().lower() for request in wire.requests)
    assert "content-type: application/json" in first
    assert "api-version: v1" in first
    assert "user-agent: access-reconciler" in first
    assert f"api-secret-key: {CANARY}".lower() in first
    assert "authorization" not in first
    assert "cookie" not in second
    assert "content-type" not in second


@pytest.mark.parametrize("call", [CURRENT, MODIFY, CREATE], ids=str)
def test_redirects_are_not_followed(wire: Any, connect: Callable[..., Transport], call: Call) -> None:
    """A redirect would carry the credential elsewhere."""
    wire.say("302 Found", Location="http://127.0.0.1:9/elsewhere")
    with pytest.raises(ContractBroken, match="redirect"):
        connect(wire.url).send(call, path={"apiKeyID": "1"})
    assert len(wire.requests) == 1


@pytest.mark.promise(8)
def test_promise_8_authentication_failures_are_never_repeated(trend: Trend, connect: Callable[..., Transport]) -> None:
    """One 401 and the session is over: neither a retry nor a later call sends the credential again."""
    transport = connect(trend.endpoint, "99:wrong")
    for _ in range(3):
        with pytest.raises(AuthenticationFailed):
            transport.send(CURRENT)
    assert transport.calls == 1
    assert trend.requests["GET /apikeys/current"] == 1


def test_another_credential_does_not_end_the_session(trend: Trend, transport: Transport) -> None:
    """A new secret that fails says nothing about the session's own."""
    with pytest.raises(AuthenticationFailed):
        transport.send(CURRENT, auth=Key("99:wrong"))
    assert transport.send(CURRENT)["keyName"] == "bootstrap"


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    ("call", "fault"), [(CURRENT, "rate-limited"), (CURRENT, "unavailable"), (CREATE, "rate-limited")], ids=str
)
def test_promise_8_retry_after_is_honoured_by_everybody(
    trend: Trend, transport: Transport, fake_time: Any, fault: str, call: Call
) -> None:
    """The call waits as long as it was told, then works; everybody else waits too."""
    trend.faults.inject(fault, retry_after=30)
    started = fake_time.now
    body = {"keyName": "k", "roleID": 1, "active": True} if call is CREATE else None
    transport.send(call, body)
    assert fake_time.now - started >= 30
    assert transport._pacer._resume >= started + 30


def test_a_creation_that_a_gateway_refuses_is_not_repeated(trend: Trend, transport: Transport) -> None:
    """503 may come from a gateway that has passed the request on: a second creation could leave two keys."""
    trend.faults.inject("unavailable")
    with pytest.raises(OutcomeUnknown):
        transport.send(CREATE, {"keyName": "k", "roleID": 1, "active": True})
    assert transport.calls == 1


@pytest.mark.promise(8)
def test_promise_8_a_full_window_of_others_is_waited_for(trend: Trend, transport: Transport, fake_time: Any) -> None:
    """Without Retry-After we back off, longer and longer, until the vendor's window has moved on."""
    trend.faults.inject("rate-limited", times=8)
    transport.send(CURRENT)
    assert transport.calls == 9


@pytest.mark.promise(8)
def test_promise_8_no_429_at_the_full_rate(
    make_trend: Callable[..., Trend], connect: Callable[..., Transport], fake_time: Any
) -> None:
    """Calling as fast as we are let, at all of the documented rate, never meets the vendor's limit."""
    trend = make_trend(calls_per_key=20)
    fake_time.on_sleep = lambda seconds: trend.clock.advance(timedelta(seconds=seconds))
    transport = connect(trend.endpoint, trend.credentials["secretKey"], calls=20)
    for _ in range(90):
        transport.send(CURRENT)
    assert transport.calls == 90


def test_a_wait_beyond_our_patience_is_an_error(trend: Trend, transport: Transport, fake_time: Any) -> None:
    """Told to come back in an hour, we say so at once."""
    trend.faults.inject("rate-limited", retry_after=3600, times=None)
    with pytest.raises(RateLimited) as caught:
        transport.send(CURRENT)
    assert caught.value.delay == 3600
    assert transport.calls == 1
    assert fake_time.slept == []


@pytest.mark.parametrize(
    "fault", ["error-before", "error-after", "reset-before", "reset-after", "html-error", "cut-off", "unavailable"]
)
@pytest.mark.parametrize("call", [CURRENT, MODIFY], ids=str)
def test_what_may_be_repeated_is_repeated(trend: Trend, transport: Transport, fault: str, call: Call) -> None:
    """Reads and repeatable writes outlive a few failures, and give up after the fifth."""
    trend.faults.inject(fault, times=2)
    body = {"description": "new"} if call is MODIFY else None
    assert transport.send(call, body, path={"apiKeyID": "1"})
    assert transport.calls == 3
    trend.faults.inject(fault, times=None)
    with pytest.raises(RetryLater):
        transport.send(call, body, path={"apiKeyID": "1"})
    assert transport.calls == 8


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    "fault",
    [
        "error-before",
        "error-after",
        "reset-before",
        "reset-after",
        "html-error",
        "html",
        "cut-off",
        "truncated",
        "late-create",
    ],
)
def test_promise_3_a_creation_is_never_repeated_blindly(trend: Trend, transport: Transport, fault: str) -> None:
    """Whatever goes wrong once a creation was sent, it was sent once, and its outcome is unknown."""
    trend.faults.inject(fault, times=None)
    with pytest.raises(OutcomeUnknown, match="look before"):
        transport.send(CREATE, {"keyName": "k", "roleID": 1, "active": True})
    assert trend.requests["POST /apikeys"] == 1


@pytest.mark.parametrize("fault", ["html", "truncated"])
def test_nonsense_with_success_is_a_broken_contract(trend: Trend, transport: Transport, fault: str) -> None:
    """A read that is answered with a login page or half a document says so, with the endpoint."""
    trend.faults.inject(fault, times=None)
    with pytest.raises(ContractBroken) as caught:
        transport.send(CURRENT)
    assert trend.endpoint in str(caught.value)
    assert transport.calls == 1


def test_a_server_that_hangs_is_left(trend: Trend, connect: Callable[..., Transport]) -> None:
    """No answer in time: unknown for a creation, worth another try for a read."""
    trend.faults.inject("hang-after", times=None)
    impatient = connect(trend.endpoint, trend.credentials["secretKey"], timeout=0.05, retry=Retry(attempts=2))
    with pytest.raises(OutcomeUnknown, match="in time"):
        impatient.send(CREATE, {"keyName": "k", "roleID": 1, "active": True})
    with pytest.raises(RetryLater, match="in time"):
        impatient.send(CURRENT)
    assert impatient.calls == 3


def test_a_server_that_drips_is_left(wire: Any, connect: Callable[..., Transport]) -> None:
    """The time-out is for the whole answer, not for each byte of it."""
    wire.say("200 OK", "{}" + " " * 1000)
    wire.drips = True
    with pytest.raises(RetryLater, match="in time"):
        connect(wire.url, timeout=0.2, retry=Retry(attempts=1)).send(CURRENT)


def test_an_endless_answer_is_left(
    wire: Any, connect: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody fills our memory."""
    monkeypatch.setattr(pool, "BODY_LIMIT", 100)
    wire.say("200 OK", "{}" + " " * 1000)
    with pytest.raises(ContractBroken, match="64 MB"):
        connect(wire.url).send(CURRENT)


def test_compressed_and_chunked_answers_are_read(wire: Any, connect: Callable[..., Transport]) -> None:
    """Both ways of sending a body work."""
    wire.say("200 OK", gzip.compress(b'{"ID": 1}'), Content_Encoding="gzip")
    wire.answers.append(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\n"
        b'{"ID"\r\n4\r\n: 2}\r\n0\r\n\r\n'
    )
    transport = connect(wire.url)
    assert transport.send(CURRENT) == {"ID": 1}
    assert transport.send(CURRENT) == {"ID": 2}


@pytest.mark.parametrize("call", [CURRENT, CREATE], ids=str)
def test_a_server_that_is_not_there_acted_on_nothing(connect: Callable[..., Transport], call: Call) -> None:
    """Refused connections and unknown hosts are tried again, for nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    transport = connect(f"http://127.0.0.1:{port}/api")
    with pytest.raises(RetryLater, match="cannot be reached"):
        transport.send(call, {})
    assert transport.calls == 5


def test_an_untrusted_certificate_is_named(connect: Callable[..., Transport]) -> None:
    """An unknown CA stops us before anything is sent; with the CA it works; a missing CA file is named."""
    emulator = WorkloadSecurity()
    with Server(tls=True) as server:
        endpoint = server.mount(emulator)
        secret = emulator.credentials["secretKey"]
        with pytest.raises(ContractBroken, match="not trusted"):
            connect(endpoint, secret).send(CREATE, {})
        assert connect(endpoint, secret, ca_cert=server.ca_cert).send(CURRENT)["keyName"] == "bootstrap"
        with pytest.raises(InvalidInput, match="CA certificates"):
            connect(endpoint, secret, ca_cert="/nowhere/ca.pem").send(CURRENT)
    assert emulator.requests.total() == 1


@pytest.mark.parametrize(("call", "error"), [(CURRENT, ContractBroken), (CREATE, OutcomeUnknown)], ids=str)
def test_a_server_without_tls(
    wire: Any, connect: Callable[..., Transport], call: Call, error: type[ReconcilerError]
) -> None:
    """A TLS connection that fails for another reason may, for all we know, have carried the call."""
    with pytest.raises(error, match="TLS"):
        connect(wire.url.replace("http:", "https:")).send(call, {})


def test_a_proxy_that_refuses(wire: Any, connect: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that cannot be reached is named as such."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(RetryLater, match="proxy"):
        connect("https://vendor.example/api").send(CREATE, {})


def _every(base: type[BaseException]) -> list[type[BaseException]]:
    return [base, *(found for below in base.__subclasses__() for found in _every(below))]


@pytest.mark.parametrize("call", [CURRENT, MODIFY, CREATE], ids=str)
def test_every_failure_of_the_library_has_an_error(call: Call) -> None:
    """The mapping is complete: whatever requests, urllib3, http.client or the system raises becomes one of our errors."""
    bases = (requests.RequestException, HTTPError, HTTPException, OSError, ValueError)
    theirs = ("requests.", "urllib3.", "http.client", "builtins", "socket", "ssl")
    for kind in {kind for base in bases for kind in _every(base) if f"{kind.__module__}.".startswith(theirs)}:
        failure = kind.__new__(kind)
        failure.args = (f"{CANARY} in the text",)
        error = failed(call, "https://x/api", failure)  # type: ignore[arg-type]
        assert isinstance(error, InvalidInput | ContractBroken | RetryLater | OutcomeUnknown)
        assert CANARY not in str(error)
        assert error.hint


def test_only_what_was_surely_not_sent_is_called_so() -> None:
    """For a creation, every failure that is not known to come before sending has an unknown outcome."""
    failures = [
        requests.ConnectionError("reset"),
        requests.ReadTimeout(),
        ValueError("?"),
        HTTPException(),
        ssl.SSLError(),
    ]
    kinds = [type(failed(CREATE, "https://x", failure)) for failure in failures[:4]]
    assert kinds == [OutcomeUnknown] * 4
    assert type(failed(CREATE, "https://x", requests.exceptions.SSLError("odd"))) is OutcomeUnknown
    assert type(failed(CREATE, "not a url", requests.exceptions.InvalidURL("odd"))) is InvalidInput


@pytest.mark.promise(1)
@pytest.mark.parametrize("echo", [CANARY, f"Unknown key {CANARY}\x1b[31m!"])
def test_promise_1_errors_hold_nothing_that_was_sent(
    wire: Any, connect: Callable[..., Transport], caplog: pytest.LogCaptureFixture, echo: str
) -> None:
    """Echoes of our headers are cut out, errors have no chain, and the log at DEBUG says only what was done."""
    caplog.set_level(logging.DEBUG)
    wire.say("400 Bad Request", json.dumps({"message": echo, "request": {"api-secret-key": CANARY}}))
    wire.answers.append(None)
    transport = connect(wire.url)
    for call, kind in ((CREATE, Rejected), (CREATE, OutcomeUnknown)):
        with pytest.raises(kind) as caught:
            transport.send(call, {"description": CANARY})
        text = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        assert CANARY not in text
        assert "\x1b" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
    assert CANARY not in caplog.text
    assert "POST /apikeys: 400 in" in caplog.text


def test_before_write_has_the_last_word(trend: Trend, connect: Callable[..., Transport]) -> None:
    """A run that lost its lease stops right before sending, after any wait; reads go on."""

    def stop() -> None:
        raise WriteRefused("lease lost")

    transport = connect(trend.endpoint, trend.credentials["secretKey"], before_write=stop)
    transport.send(CURRENT)
    with pytest.raises(WriteRefused, match="lease lost"):
        transport.send(MODIFY, {}, path={"apiKeyID": "1"})
    assert trend.requests["POST /apikeys/{apiKeyID}"] == 0


def test_an_authenticator_must_know_how_to_conceal() -> None:
    """A provider that forgets it finds out at once."""
    with pytest.raises(NotImplementedError):
        Authenticator().conceal("x")


def test_who_is_told_to_give_up_does_not_try_again(
    wire: Any, connect: Callable[..., Transport], fake_time: Any
) -> None:
    """Between two tries somebody may say that there is to be none: nothing is sent then."""
    asked: list[float] = []

    def told() -> None:
        asked.append(fake_time.clock())
        if len(asked) == 5:
            raise Interrupted

    wire.say("429 Too Many Requests", "{}", Retry_After="30")
    transport = connect(wire.url, while_waiting=told)
    with pytest.raises(Interrupted):
        transport.send(CURRENT)
    assert transport.calls == 1
    assert asked[-1] - asked[0] == pytest.approx(2.0)
