from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.errors import (
    ContractBroken,
    InvalidInput,
    NotPermitted,
    OutcomeUnknown,
    RateLimited,
    ReconcilerError,
    Rejected,
    RetryLater,
)
from reconciler.model.credential import Credential
from reconciler.model.desired import RateLimit
from reconciler.model.secret import Secret
from reconciler.providers.base import ConnectionSettings
from reconciler.providers.pacing import Pacer
from reconciler.providers.trend_vision_one.capabilities import CAPABILITIES
from reconciler.providers.trend_vision_one.client import _READS, CALLS, Client
from tests.support.trend_others import VisionOne

WRITE = ConnectionSettings(write=True, timeout=5.0)
NEW = {"name": "splunk", "role": "Auditor"}


@pytest.fixture
def connect(fake_time: Any) -> Callable[..., Client]:
    def connect(endpoint: str, **credential: str) -> Client:
        return Client(
            endpoint,
            Credential({name: Secret(value) for name, value in credential.items()}, endpoint),
            WRITE,
            pacer=Pacer(100_000, 60.0, clock=fake_time.clock, sleep=fake_time.sleep),
            clock=fake_time.clock,
            sleep=fake_time.sleep,
        )

    return connect


def page(*ids: str, total: int | None = None, link: str | None = None) -> str:
    items = [{"id": one, "name": one} for one in ids]
    return json.dumps({"items": items, "totalCount": total, "nextLink": link})


def test_every_call_is_a_declared_operation() -> None:
    """Capabilities list exactly the requests that the client makes, and reads are what they say they are."""
    declared = {operation.request: operation.read for operation in CAPABILITIES.operations}
    assert declared == {str(call).partition("?")[0]: call.effect == "read" for call in CALLS}
    assert {(call.method, call.template) for call in CALLS if call.effect == "read"} == _READS


@pytest.mark.promise(8)
def test_promise_8_half_of_an_assumed_rate_is_shared_by_sessions() -> None:
    """Sessions with one credential share a budget, a new key's verification has its own; a tenant may say otherwise."""

    def open_one(token: str, rate: RateLimit) -> Client:
        settings = ConnectionSettings(write=True, rate=rate)
        return Client("https://v1.example", Credential({"token": Secret(token)}, None), settings)

    one, other, foreign = (open_one(token, RateLimit()) for token in ("share", "share", "foreign"))
    assert one._pacer is other._pacer
    assert one._pacer is not foreign._pacer
    assert one._verifying is not one._pacer
    assert one._pacer._sent.maxlen == 150
    assert open_one("share", RateLimit(calls=10, share=0.8))._pacer._sent.maxlen == 8


@pytest.mark.parametrize("fields", [{}, {"keyId": "x"}, {"token": "x", "more": "y"}])
def test_a_credential_is_a_token(connect: Callable[..., Client], fields: dict[str, str]) -> None:
    """Other fields are refused by name, before any call."""
    with pytest.raises(InvalidInput, match="must hold token"):
        connect("https://v1.example", **fields)


@pytest.mark.promise(1)
@pytest.mark.parametrize("value", ["canary\n", " canary", "can\u00e4ry", "can ary"])
def test_promise_1_a_token_that_fits_in_no_header_is_not_quoted(connect: Callable[..., Client], value: str) -> None:
    """Libraries quote headers that they refuse; so we refuse first."""
    with pytest.raises(InvalidInput) as caught:
        connect("https://v1.example", token=value)
    assert "ary" not in str(caught.value)


@pytest.mark.parametrize(
    "link", ["https://evil.example/v3.0/iam/apiKeys?skipToken=a%26b", "?skipToken=a%26b", "/x?top=200&skipToken=a%26b"]
)
def test_of_a_link_only_its_token_is_used(wire: Any, connect: Callable[..., Client], link: str) -> None:
    """Wherever the link points: the next page is asked for at the endpoint."""
    wire.say("200 OK", page("1", total=2, link=link))
    wire.say("200 OK", page("2", total=2))
    assert [key.id for key in connect(wire.url, token="x").list_keys("splunk")] == ["1", "2"]
    first, second = wire.requests
    path = b"GET /api/v3.0/iam/apiKeys?top=200&orderBy=createdDateTime%20asc"
    assert first.startswith(path + b" ")
    assert second.startswith(path + b"&skipToken=a%26b ")
    assert b"TMV1-Filter: name eq 'splunk'" in first
    assert b"TMV1-Filter: name eq 'splunk'" in second


@pytest.mark.parametrize("link", ["https://[", "https://v1.example/keys", "https://v1.example/keys?skipToken=a"])
def test_a_link_that_leads_nowhere_is_no_list(wire: Any, connect: Callable[..., Client], link: str) -> None:
    """No endless loop, and no half list."""
    for _ in range(2):
        wire.say("200 OK", page("1", total=2, link=link))
    with pytest.raises(ContractBroken, match="skipToken"):
        connect(wire.url, token="x").list_keys()


def test_a_list_that_is_shorter_than_counted_is_no_list(wire: Any, connect: Callable[..., Client]) -> None:
    """A key that slipped through between two pages is not a key that is gone."""
    wire.say("200 OK", page("1", "2", total=3, link="?skipToken=a"))
    wire.say("200 OK", page("2", total=3))
    with pytest.raises(RetryLater, match="2 keys of 3"):
        connect(wire.url, token="x").list_keys()


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ({}, "items"),
        ({"items": {}}, "items"),
        ({"items": [{"name": "k"}]}, "items.0.id"),
        ({"items": [{"id": 7, "name": "k"}]}, "items.0.id"),
        ({"items": [{"id": "7", "name": "k", "status": True, "value": "canary"}]}, "items.0.status"),
    ],
)
def test_answers_are_held_to_the_contract(wire: Any, connect: Callable[..., Client], answer: Any, place: str) -> None:
    """A missing or ill-typed field is named; what stood there is not quoted."""
    wire.say("200 OK", json.dumps(answer))
    with pytest.raises(ContractBroken, match=place) as caught:
        connect(wire.url, token="x").list_keys()
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("items", "error"),
    [
        ([], OutcomeUnknown),
        ([7], OutcomeUnknown),
        ([{"status": 201, "body": {}}, {"status": 201, "body": {}}], OutcomeUnknown),
        ([{"status": "201"}], OutcomeUnknown),
        ([{"status": 99}], OutcomeUnknown),
        ([{"status": 201}], OutcomeUnknown),
        ([{"status": 201, "body": {"id": "a"}}], OutcomeUnknown),
        ([{"status": 201, "body": {"id": "a", "value": ""}}], OutcomeUnknown),
        ([{"status": 201, "body": {"value": "x"}}], OutcomeUnknown),
        ([{"status": 500, "body": {"error": {"code": "InternalServerError"}}}], OutcomeUnknown),
        ([{"status": 400, "body": {"error": {"code": "BadRequest", "message": "no"}}}], Rejected),
        ([{"status": 403, "error": {"code": "AccessDenied", "message": "no"}}], NotPermitted),
        ([{"status": 429}], RateLimited),
        ([{"status": 404, "body": "no"}], Rejected),
    ],
)
def test_the_status_of_the_one_item_decides(
    wire: Any, connect: Callable[..., Client], items: Any, error: type[ReconcilerError]
) -> None:
    """207 is no success: a creation is what its item says, and unknown when the item says nothing."""
    wire.say("207 Multi-Status", json.dumps(items))
    with pytest.raises(error):
        connect(wire.url, token="x").create_key(NEW)


def test_deleting_what_is_not_there(wire: Any, connect: Callable[..., Client]) -> None:
    """404 in the item is deleted; an answer that names no item is an error, for it can be asked again."""
    wire.say("207 Multi-Status", json.dumps([{"status": 404, "body": {"error": {"code": "NotFound"}}}]))
    connect(wire.url, token="x").delete_key("a")
    wire.say("207 Multi-Status", "[]")
    with pytest.raises(ContractBroken):
        connect(wire.url, token="x").delete_key("a")


@pytest.mark.parametrize("etag", ['"v1"', "v1"])
def test_an_etag_is_sent_without_its_quotes(wire: Any, connect: Callable[..., Client], etag: str) -> None:
    """As the vendor's own SDK sends it."""
    wire.say("200 OK", page(), ETag=etag)
    wire.say("204 No Content")
    connect(wire.url, token="x").modify_key("a", {"status": "disabled"})
    assert b"If-Match: v1\r\n" in wire.requests[1]


def test_no_change_without_an_etag(wire: Any, connect: Callable[..., Client]) -> None:
    """Nothing is written over what was not seen."""
    wire.say("200 OK", page())
    with pytest.raises(ContractBroken, match="ETag"):
        connect(wire.url, token="x").modify_key("a", {"status": "disabled"})
    assert len(wire.requests) == 1


def test_a_role_that_lacks_rights(tenant: VisionOne, connect: Callable[..., Client]) -> None:
    """403 is about rights, in the vendor's words."""
    weak = connect(tenant.endpoint, token=tenant.add_key("weak", "Auditor"))
    with pytest.raises(NotPermitted, match="may not manage API keys"):
        weak.list_keys()


@pytest.mark.promise(1)
@pytest.mark.parametrize("status", ["400 Bad Request", "207 Multi-Status"])
def test_promise_1_an_echoed_credential_is_cut_out(wire: Any, connect: Callable[..., Client], status: str) -> None:
    """Servers echo what they were sent, in whole answers and in items."""
    error = {"error": {"code": "BadRequest", "message": "your token longsecret is odd"}}
    wire.say(status, json.dumps([{"status": 400, "body": error}] if status.startswith("207") else error))
    with pytest.raises(Rejected, match="is odd") as caught:
        connect(wire.url, token="longsecret").create_key(NEW)
    assert "longsecret" not in str(caught.value)
