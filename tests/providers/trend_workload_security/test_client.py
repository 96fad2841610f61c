from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.errors import (
    AuthenticationFailed,
    ContractBroken,
    InvalidInput,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
    ReconcilerError,
    Rejected,
)
from reconciler.model.credential import Credential
from reconciler.model.desired import RateLimit
from reconciler.model.secret import Secret
from reconciler.providers.base import ConnectionSettings, Issued, Verification
from reconciler.providers.pacing import Pacer
from reconciler.providers.trend_workload_security import client as module
from reconciler.providers.trend_workload_security.capabilities import CAPABILITIES
from reconciler.providers.trend_workload_security.client import CALLS, Client
from tests.support.emulators import Trend

pytest_plugins = ["tests.support.emulators"]

NEW = {"keyName": "splunk", "roleID": 1, "active": True, "locale": "en-US", "timeZone": "Etc/UTC"}
WRITE = ConnectionSettings(write=True, timeout=5.0)


@pytest.fixture
def connect(fake_time: Any) -> Callable[..., Client]:
    def connect(endpoint: str, page: int = 5000, settings: ConnectionSettings = WRITE, **credential: str) -> Client:
        return Client(
            endpoint,
            Credential({name: Secret(value) for name, value in credential.items()}, endpoint),
            settings,
            page=page,
            pacer=Pacer(100_000, 60.0, clock=fake_time.clock, sleep=fake_time.sleep),
            clock=fake_time.clock,
            sleep=fake_time.sleep,
        )

    return connect


@pytest.fixture
def client(trend: Trend, connect: Callable[..., Client]) -> Client:
    return connect(trend.endpoint, secretKey=trend.credentials["secretKey"])


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    ("rate", "calls", "seconds"),
    [
        (RateLimit(), 250, 60.0),
        (RateLimit(share=0.8), 400, 60.0),
        (RateLimit(calls=100, seconds=10.0), 50, 10.0),
        (RateLimit(calls=1, seconds=10.0, share=0.1), 1, 10.0),
    ],
)
def test_promise_8_pace(trend: Trend, rate: RateLimit, calls: int, seconds: float) -> None:
    """Half of what the vendor documents, unless the tenant says otherwise; never less than one call."""
    credential = Credential({"secretKey": Secret(trend.credentials["secretKey"])}, trend.endpoint)
    client = Client(trend.endpoint, credential, ConnectionSettings(write=True, rate=rate))
    for _ in range(calls):
        assert client._pacer._wait(0.0) <= 0.0
        client._pacer._sent.append(0.0)
    assert client._pacer._wait(seconds) > 0.0


def test_every_call_is_a_declared_operation() -> None:
    """Capabilities list exactly the requests that the client makes, and reads are what they say they are."""
    declared = {operation.request: operation.read for operation in CAPABILITIES.operations}
    assert declared == {str(call): call.effect == "read" for call in CALLS}
    assert {f"{method} {template}" for method, template in module._READS} == {
        name for name, read in declared.items() if read
    }


@pytest.mark.parametrize("statuses", [False, True])
def test_a_key_through_its_life(
    make_trend: Callable[..., Trend], connect: Callable[..., Client], statuses: bool
) -> None:
    """Create, change, regenerate, delete, with either dialect of success statuses; deleting twice is deleting."""
    trend = make_trend(created_statuses=statuses)
    client = connect(trend.endpoint, secretKey=trend.credentials["secretKey"])
    issued = client.create_key(NEW)
    assert set(issued.secret) == {"secretKey", "keyId", "endpoint"}
    assert issued.secret["keyId"] == issued.vendor_id
    assert issued.secret["endpoint"] == trend.endpoint
    assert issued.secret["secretKey"].reveal() == trend.secret_of(int(issued.vendor_id))  # type: ignore[union-attr]
    client.modify_key(issued.vendor_id, {"description": "changed"})
    [found] = client.search_keys(
        {"fieldName": "keyName", "stringTest": "equal", "stringValue": "splunk", "stringWildcards": False}
    )
    assert (found.description, found.locale) == ("changed", "en-US")
    again = client.regenerate_key(issued.vendor_id)
    assert again.vendor_id == issued.vendor_id
    assert again.secret["secretKey"] != issued.secret["secretKey"]
    client.delete_key(issued.vendor_id)
    client.delete_key(issued.vendor_id)
    with pytest.raises(NotFound):
        client.regenerate_key(issued.vendor_id)
    assert client.calls == 7
    client.close()


@pytest.mark.parametrize("statuses", [False, True])
def test_a_role_through_its_life(
    make_trend: Callable[..., Trend], connect: Callable[..., Client], statuses: bool
) -> None:
    """Create, change, delete."""
    trend = make_trend(created_statuses=statuses)
    client = connect(trend.endpoint, secretKey=trend.credentials["secretKey"])
    role = client.create_role({"name": "reader"})
    client.modify_role(role, {"description": "changed"})
    assert {found.name: found.description for found in client.search_roles()}["reader"] == "changed"
    client.delete_role(role)
    client.delete_role(role)
    assert "reader" not in {found.name for found in client.search_roles()}


@pytest.mark.parametrize("page", [1, 2, 3, 7, 50])
def test_all_pages_are_read(trend: Trend, connect: Callable[..., Client], page: int) -> None:
    """Paging by ID gives every key once, whether or not the last page is full."""
    for number in range(6):
        trend.add_key(f"key{number}")
    client = connect(trend.endpoint, page, secretKey=trend.credentials["secretKey"])
    assert [key.keyName for key in client.search_keys()] == ["bootstrap", *(f"key{number}" for number in range(6))]
    assert client.calls == 7 // page + 1


@pytest.mark.parametrize(
    "pages",
    [
        [[1, 2], [1, 2]],
        [[1, 2], [2, 3]],
        [[1, 1], []],
        [[2, 1], []],
        [[0], []],
        [[1, 2, 3], [1, 2, 3]],
    ],
)
def test_a_server_that_does_not_page_as_documented_is_no_list(
    wire: Any, connect: Callable[..., Client], pages: list[list[int]]
) -> None:
    """A server that ignores the criterion or the order gives an error: no endless loop, no key twice, no half list."""
    for page in pages:
        wire.say("200 OK", json.dumps({"apiKeys": [{"ID": number, "keyName": "k"} for number in page]}))
    with pytest.raises(ContractBroken):
        connect(wire.url, 2, secretKey="1:x").search_keys()
    assert len(wire.requests) <= 2


def test_a_whole_page_in_another_order_is_fine(wire: Any, connect: Callable[..., Client]) -> None:
    """What comes in one page is complete, whatever its order."""
    wire.say("200 OK", json.dumps({"apiKeys": [{"ID": 9, "keyName": "b"}, {"ID": 4, "keyName": "a"}]}))
    assert [key.ID for key in connect(wire.url, secretKey="1:x").search_keys()] == [4, 9]


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ({}, "apiKeys"),
        ({"apiKeys": {}}, "apiKeys"),
        ({"apiKeys": [{"keyName": "k"}]}, "apiKeys.0.ID"),
        ({"apiKeys": [{"ID": "7", "keyName": "k"}]}, "apiKeys.0.ID"),
        ({"apiKeys": [{"ID": 7, "keyName": "k", "active": "canary"}]}, "apiKeys.0.active"),
    ],
)
def test_answers_are_held_to_the_contract(wire: Any, connect: Callable[..., Client], answer: Any, place: str) -> None:
    """A missing or ill-typed field is named; what stood there is not quoted; fields that nobody named are passed over."""
    wire.say("200 OK", json.dumps(answer))
    with pytest.raises(ContractBroken, match=place) as caught:
        connect(wire.url, secretKey="1:x").search_keys()
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "answer", [{"ID": 7}, {"ID": 7, "secretKey": ""}, {"secretKey": "7:x"}, {"ID": True, "secretKey": "7:x"}]
)
def test_a_creation_without_id_or_secret_is_unknown(wire: Any, connect: Callable[..., Client], answer: Any) -> None:
    """The key exists, and we cannot use it: somebody has to look."""
    wire.say("200 OK", json.dumps(answer))
    with pytest.raises(OutcomeUnknown, match="without"):
        connect(wire.url, secretKey="1:x").create_key(NEW)
    wire.say("200 OK", "{}")
    with pytest.raises(OutcomeUnknown, match="without ID"):
        connect(wire.url, secretKey="1:x").create_role({"name": "r"})


def test_refusals_say_why(client: Client) -> None:
    """The vendor's own words reach the reader."""
    with pytest.raises(Rejected, match="time zone"):
        client.create_key({**NEW, "timeZone": "Mars/Olympus"})


def test_a_role_that_lacks_rights(trend: Trend, connect: Callable[..., Client]) -> None:
    """403 is about rights; the own key is then unknown rather than an error."""
    trend.add_role("nothing")
    client = connect(trend.endpoint, secretKey=trend.add_key("weak", "nothing"))
    with pytest.raises(NotPermitted, match="Not authorized"):
        client.search_keys()
    trend.faults.inject("forbidden")
    assert client.current_key() is None


def test_the_own_key_is_known(trend: Trend, client: Client) -> None:
    """The key in use can be told from the others."""
    own = client.current_key()
    assert own is not None
    assert next(key["ID"] for key in trend.keys() if key["keyName"] == "bootstrap") == own.ID  # noqa: SIM118


def test_an_account_key_cannot_manage_keys(trend: Trend, connect: Callable[..., Client]) -> None:
    """It may read roles; for keys the error says which credential would do."""
    client = connect(trend.endpoint, apiKey=trend.add_account_key())
    assert client.search_roles()
    assert client.current_key() is None
    with pytest.raises(ReconcilerError, match="secretKey") as caught:
        client.search_keys()
    assert isinstance(caught.value, NotPermitted)


@pytest.mark.parametrize("fields", [{}, {"secretKey": "1:x", "apiKey": "y"}, {"token": "x"}])
def test_a_credential_is_one_of_two(connect: Callable[..., Client], fields: dict[str, str]) -> None:
    """Other fields are refused by name, before any call."""
    with pytest.raises(InvalidInput, match="must hold secretKey or apiKey"):
        connect("https://dsm.example/api", **fields)


@pytest.mark.promise(1)
@pytest.mark.parametrize("value", ["1:canary\n", " 1:canary", "1:can\u00e4ry", "1:can ary"])
def test_promise_1_a_credential_that_fits_in_no_header_is_not_quoted(
    connect: Callable[..., Client], value: str
) -> None:
    """Libraries quote headers that they refuse; so we refuse first."""
    with pytest.raises(InvalidInput) as caught:
        connect("https://dsm.example/api", secretKey=value)
    assert "ary" not in str(caught.value)


def test_verify(trend: Trend, client: Client) -> None:
    """A new secret is good, an old one bad; trouble on the way proves nothing."""
    first = client.create_key(NEW)
    assert client.verify(first) is Verification.GOOD
    second = client.regenerate_key(first.vendor_id)
    assert client.verify(first) is Verification.BAD
    assert client.verify(second) is Verification.GOOD
    assert client.verify(Issued("999", second.secret)) is Verification.BAD
    assert client.verify(Issued("999", {"secretKey": "plain"})) is Verification.BAD
    assert client.verify(Issued("999", {"secretKey": Secret("no header")})) is Verification.BAD
    for fault in ("forbidden", "html", "error-before"):
        trend.faults.clear()
        trend.faults.inject(fault, times=None)
        assert client.verify(second) is Verification.UNVERIFIABLE
    trend.faults.clear()
    assert client.search_keys()


def test_verify_needs_an_id(wire: Any, connect: Callable[..., Client]) -> None:
    """An answer that does not say whose the secret is proves nothing."""
    wire.say("200 OK", "{}")
    issued = Issued("7", {"secretKey": Secret("7:x")})
    assert connect(wire.url, secretKey="1:x").verify(issued) is Verification.UNVERIFIABLE


@pytest.mark.promise(8)
def test_promise_8_sessions_with_one_credential_share_half_the_rate() -> None:
    """By default half of 500 calls in 60 s, however many sessions there are; another credential has its own budget."""

    def open_one(secret: str) -> Client:
        return Client("https://dsm.example/api", Credential({"secretKey": Secret(secret)}, None), WRITE)

    one, other, foreign = open_one("1:share"), open_one("1:share"), open_one("2:share")
    assert one._pacer is other._pacer
    assert one._pacer is not foreign._pacer
    assert one._pacer._sent.maxlen == 250
    assert one._verifying is not one._pacer
    for client in (one, other, foreign):
        client.close()


def _failure_of(issue: Callable[[], Issued], seen: list[str]) -> ReconcilerError | None:
    try:
        seen.append(repr(issue()))
    except (OutcomeUnknown, AuthenticationFailed, NotFound) as error:
        return error
    return None


@pytest.mark.promise(1)
@pytest.mark.parametrize("fault", ["", "truncated", "cut-off", "error-after", "reset-after", "html", "unauthorized"])
def test_promise_1_no_secret_in_errors_logs_or_representations(
    trend: Trend, client: Client, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    """Whatever happens while secrets are issued, nothing that can be printed holds one."""
    caplog.set_level(logging.DEBUG)
    seen = [repr(client), repr(vars(client)), repr(vars(client._transport))]
    contexts: list[BaseException | None] = []
    for number in range(2):
        if fault:
            trend.faults.inject(fault, path="/apikeys")
            trend.faults.inject(fault, path="/apikeys/{apiKeyID}/secretkey")
        for issue in (lambda: client.create_key(NEW), lambda: client.regenerate_key("2")):
            error = _failure_of(issue, seen)
            if error is not None:
                seen += [repr(error), "".join(traceback.format_exception(error)), repr(error.__dict__)]
                contexts.append(error.__context__)
        trend.add_key(f"other{number}")
    text = caplog.text + "".join(seen)
    assert contexts == [None] * len(contexts)
    assert bool(contexts) == bool(fault)
    assert trend.issued
    for secret in trend.issued:
        assert secret not in text
        assert secret.partition(":")[2] not in text
    assert "POST /apikeys" in caplog.text


@pytest.mark.promise(1)
def test_promise_1_secrets_in_lists_are_dropped_at_parsing(wire: Any, connect: Callable[..., Client]) -> None:
    """A list that carries secrets, which none should, loses them before anybody sees it."""
    wire.say("200 OK", json.dumps({"apiKeys": [{"ID": 9, "keyName": "b", "secretKey": "9:canary"}]}))
    assert "canary" not in repr(connect(wire.url, secretKey="1:x").search_keys())


@pytest.mark.promise(1)
@pytest.mark.parametrize("echo", ["your key 1:longsecret== is odd", "your key longsecret== is odd"])
def test_promise_1_an_echoed_credential_is_cut_out(wire: Any, connect: Callable[..., Client], echo: str) -> None:
    """Servers echo what they were sent."""
    wire.say("400 Bad Request", json.dumps({"message": echo}))
    with pytest.raises(Rejected, match="is odd") as caught:
        connect(wire.url, secretKey="1:longsecret==").search_keys()
    assert "longsecret" not in str(caught.value)
