from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.errors import ContractBroken, InvalidInput, NotPermitted, OutcomeUnknown, Rejected
from reconciler.model.credential import Credential
from reconciler.model.desired import RateLimit
from reconciler.model.secret import Secret
from reconciler.providers.base import ConnectionSettings
from reconciler.providers.pacing import Pacer
from reconciler.providers.trend_cloud_one.capabilities import CAPABILITIES
from reconciler.providers.trend_cloud_one.client import _READS, CALLS, Client
from tests.support.trend_others import CloudOne

WRITE = ConnectionSettings(write=True, timeout=5.0)
NEW = {"alias": "splunk", "roleID": "full-access"}


@pytest.fixture
def connect(fake_time: Any) -> Callable[..., Client]:
    def connect(endpoint: str, page: int = 100, **credential: str) -> Client:
        return Client(
            endpoint,
            Credential({name: Secret(value) for name, value in credential.items()}, endpoint),
            WRITE,
            page=page,
            pacer=Pacer(100_000, 60.0, clock=fake_time.clock, sleep=fake_time.sleep),
            clock=fake_time.clock,
            sleep=fake_time.sleep,
        )

    return connect


def test_every_call_is_a_declared_operation() -> None:
    """Capabilities list exactly the requests that the client makes, and reads are what they say they are."""
    declared = {operation.request: operation.read for operation in CAPABILITIES.operations}
    assert declared == {str(call).partition("?")[0]: call.effect == "read" for call in CALLS}
    assert {(call.method, call.template) for call in CALLS if call.effect == "read"} == _READS


@pytest.mark.promise(8)
def test_promise_8_half_of_an_assumed_rate_is_shared_by_sessions() -> None:
    """Sessions with one credential share a budget, a new key's verification has its own; a tenant may say otherwise."""

    def open_one(key: str, rate: RateLimit) -> Client:
        return Client("https://c1.example/api", Credential({"apiKey": Secret(key)}, None), ConnectionSettings(
            write=True, rate=rate))  # fmt: skip

    one, other, foreign = (open_one(key, RateLimit()) for key in ("a:share", "a:share", "b:share"))
    assert one._pacer is other._pacer
    assert one._pacer is not foreign._pacer
    assert one._verifying is not one._pacer
    assert one._pacer._sent.maxlen == 150
    assert open_one("a:share", RateLimit(calls=10, share=0.8))._pacer._sent.maxlen == 8


@pytest.mark.parametrize("fields", [{}, {"apiKey": "a:b", "more": "y"}, {"token": "x"}])
def test_a_credential_is_an_api_key(connect: Callable[..., Client], fields: dict[str, str]) -> None:
    """Other fields are refused by name, before any call."""
    with pytest.raises(InvalidInput, match="must hold apiKey"):
        connect("https://c1.example/api", **fields)


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "value", ["a:canary\n", " a:canary", "a:can\u00e4ry", "a:can ary", "canary", ":canary", "canary:"]
)
def test_promise_1_a_credential_that_is_none_is_not_quoted(connect: Callable[..., Client], value: str) -> None:
    """It is ID:SECRET; what is something else is refused without a word of it."""
    with pytest.raises(InvalidInput, match="ID:SECRET") as caught:
        connect("https://c1.example/api", apiKey=value)
    assert "ary" not in str(caught.value)


def test_a_cursor_that_comes_again_is_no_list(wire: Any, connect: Callable[..., Client]) -> None:
    """No endless loop, and no half list."""
    for _ in range(2):
        wire.say("200 OK", json.dumps({"apikeys": [{"id": "a"}], "next": "c/1&"}))
    with pytest.raises(ContractBroken, match="cursor twice"):
        connect(wire.url, apiKey="a:b").list_keys()
    assert wire.requests[1].startswith(b"GET /api/apikeys?limit=100&cursor=c%2F1%26 ")


def test_an_object_on_two_pages_is_one_object(wire: Any, connect: Callable[..., Client]) -> None:
    """Pages shift when keys are made meanwhile; what comes later is newer."""
    wire.say("200 OK", json.dumps({"roles": [{"id": "a", "name": "old"}], "next": "1"}))
    wire.say("200 OK", json.dumps({"roles": [{"id": "a", "name": "new"}, {"id": "b", "name": "b"}], "next": None}))
    assert [role.name for role in connect(wire.url, apiKey="a:b").list_roles()] == ["new", "b"]


def test_a_page_that_is_refused_even_at_the_default_is_refused(wire: Any, connect: Callable[..., Client]) -> None:
    """Asking for less is tried once."""
    for _ in range(2):
        wire.say("400 Bad Request", json.dumps({"message": "no"}))
    with pytest.raises(Rejected, match="no"):
        connect(wire.url, apiKey="a:b").list_keys()
    assert wire.requests[1].startswith(b"GET /api/apikeys?limit=0 ")
    wire.say("404 Not Found", json.dumps({"message": "no"}))
    with pytest.raises(Rejected):
        connect(wire.url, apiKey="a:b").list_keys()
    wire.say("400 Bad Request", json.dumps({"message": "no"}))
    with pytest.raises(Rejected):
        connect(wire.url, page=0, apiKey="a:b").list_keys()
    assert len(wire.requests) == 4


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ({}, "apikeys"),
        ({"apikeys": {}}, "apikeys"),
        ({"apikeys": [{"alias": "k"}]}, "apikeys.0.id"),
        ({"apikeys": [{"id": ""}]}, "apikeys.0.id"),
        ({"apikeys": [{"id": "7", "enabled": "canary"}]}, "apikeys.0.enabled"),
    ],
)
def test_answers_are_held_to_the_contract(wire: Any, connect: Callable[..., Client], answer: Any, place: str) -> None:
    """A missing or ill-typed field is named; what stood there is not quoted."""
    wire.say("200 OK", json.dumps(answer))
    with pytest.raises(ContractBroken, match=place) as caught:
        connect(wire.url, apiKey="a:b").list_keys()
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("answer", [{"id": "a"}, {"id": "a", "secret": ""}, {"secret": "x"}, {"id": 7, "secret": "x"}])
def test_a_creation_without_id_or_secret_is_unknown(wire: Any, connect: Callable[..., Client], answer: Any) -> None:
    """The key exists, and we cannot use it: somebody has to look."""
    wire.say("200 OK", json.dumps(answer))
    with pytest.raises(OutcomeUnknown, match="without"):
        connect(wire.url, apiKey="a:b").create_key(NEW)
    wire.say("200 OK", "{}")
    with pytest.raises(OutcomeUnknown, match="without its id"):
        connect(wire.url, apiKey="a:b").create_role({"name": "r"})


@pytest.mark.parametrize(
    ("answer", "whole"),
    [({"secret": "x"}, "a:x"), ({"apiKey": "a:x"}, "a:x"), ({"secret": "a:x"}, "a:x"), ({"apiKey": "x"}, "a:x")],
)
def test_the_whole_credential_is_put_together_whatever_it_is_called(
    wire: Any, connect: Callable[..., Client], answer: dict[str, str], whole: str
) -> None:
    """The one-time field's name is not confirmed, nor whether it holds the id."""
    wire.say("201 Created", json.dumps({"id": "a", **answer}))
    assert connect(wire.url, apiKey="a:b").create_key(NEW).secret["apiKey"] == Secret(whole)


def test_refusals_say_why(account: CloudOne, connect: Callable[..., Client]) -> None:
    """The vendor's own words reach the reader; a role without rights is no wrong credential."""
    client = connect(account.endpoint, apiKey=account.credentials["apiKey"])
    with pytest.raises(Rejected, match="timezone is not valid"):
        client.create_key({**NEW, "timezone": "Mars/Olympus"})
    weak = connect(account.endpoint, apiKey=account.add_key("weak", account.add_role("weak")))
    with pytest.raises(NotPermitted, match="Not authorized"):
        weak.list_keys()


@pytest.mark.promise(1)
@pytest.mark.parametrize("echo", ["your key a:longsecret is odd", "your key longsecret is odd"])
def test_promise_1_an_echoed_credential_is_cut_out(wire: Any, connect: Callable[..., Client], echo: str) -> None:
    """Servers echo what they were sent."""
    for _ in range(2):
        wire.say("400 Bad Request", json.dumps({"message": echo}))
    with pytest.raises(Rejected, match="is odd") as caught:
        connect(wire.url, apiKey="a:longsecret").list_keys()
    assert "longsecret" not in str(caught.value)
