from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.errors import (
    AuthenticationFailed,
    Conflict,
    ContractBroken,
    InvalidInput,
    NotPermitted,
    OutcomeUnknown,
    ReconcilerError,
    Rejected,
)
from reconciler.model.credential import Credential
from reconciler.model.desired import RateLimit
from reconciler.model.secret import Secret
from reconciler.providers.answers import Effect
from reconciler.providers.base import ConnectionSettings, Issued, Verification
from reconciler.providers.carbon_black_cloud import client as module
from reconciler.providers.carbon_black_cloud.capabilities import CAPABILITIES
from reconciler.providers.carbon_black_cloud.client import CALLS, Client
from reconciler.providers.carbon_black_cloud.endpoint_map import OPERATIONS, parse
from reconciler.providers.carbon_black_cloud.session import Session
from reconciler.providers.pacing import Pacer
from tests.support.carbonblack import CarbonBlack

Connect = Callable[..., Session]
SECRET = "CANARYCANARYCANARYCANARY"
OPTIONS = {"orgKey": "ABCD"}


@pytest.fixture
def at(fake_time: Any) -> Callable[..., Client]:
    """A client of any server that says what it is told to."""

    def at(endpoint: str, **options: Any) -> Client:
        return Client(
            endpoint,
            Credential({"apiId": Secret("OWN"), "apiSecret": Secret(SECRET)}, endpoint),
            ConnectionSettings(write=True, timeout=5.0, options={**OPTIONS, **options}),
            pacer=Pacer(100_000, 300.0, clock=fake_time.clock, sleep=fake_time.sleep),
            clock=fake_time.clock,
            sleep=fake_time.sleep,
        )

    return at


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    ("rate", "calls", "seconds"),
    [
        (RateLimit(), 500, 300.0),
        (RateLimit(share=0.8), 800, 300.0),
        (RateLimit(calls=1, seconds=9.0, share=0.1), 1, 9.0),
    ],
)
def test_promise_8_every_credential_at_a_host_shares_one_pace(rate: RateLimit, calls: int, seconds: float) -> None:
    """The vendor counts by source address: half of what it documents, for all tenants of a host together."""
    settings = ConnectionSettings(write=True, rate=rate, options=OPTIONS)
    host = f"https://pace-{calls}.example"
    one, other = (
        Client(url, Credential({"apiId": Secret(api_id), "apiSecret": Secret("S")}, None), settings)
        for url, api_id in ((host, "A"), (host.upper().replace("HTTPS", "https") + "/", "B"))
    )
    assert one._pacer is other._pacer
    for _ in range(calls):
        assert one._pacer._wait(0.0) <= 0.0
        one._pacer._sent.append(0.0)
    assert one._pacer._wait(seconds) > 0.0


@pytest.mark.promise(6)
def test_promise_6_every_call_is_a_declared_operation() -> None:
    """Capabilities list exactly the requests that the client makes, and those of a map; reads are what they say."""
    declared = {operation.request: operation.read for operation in CAPABILITIES.operations}
    assert declared == {str(call): call.effect is Effect.READ for call in CALLS} | dict.fromkeys(OPERATIONS, False)
    assert {f"{method} {template}" for method, template in module._READS} == {
        name for name, read in declared.items() if read
    }


def test_how_we_sign_in(wire: Any, at: Callable[..., Client]) -> None:
    """The secret first, then the id, in one header."""
    wire.say("200 OK", json.dumps({"results": {}}))
    assert at(wire.url).permitted_roles() == []
    assert f"X-Auth-Token: {SECRET}/OWN".encode() in wire.requests[0]
    assert b"GET /api/access/v3/orgs/ABCD/principals/OWN/roles/permitted?type=API_KEY HTTP/1.1" in wire.requests[0]


def test_the_organisations_number_is_sent_where_it_is_known(at: Callable[..., Client]) -> None:
    """As the console sends it: a text in the body."""
    sent: list[Any] = []

    def send(call: Any, body: Any, **more: Any) -> dict[str, Any]:
        sent.append(body)
        return {"entries": []}

    number: dict[str, Any] = {"orgId": 4711}
    for options in ({}, number):
        client = at("http://127.0.0.1:1", **options)
        client._transport.send = send  # type: ignore[method-assign,assignment]
        assert client.connectors() == []
    assert [body.get("orgId") for body in sent] == [None, "4711"]


@pytest.mark.parametrize(
    "fields", [{}, {"apiId": "A"}, {"apiId": "A", "apiSecret": "B", "orgKey": "C"}, {"apiId": "A b", "apiSecret": "B"}]
)
def test_credentials_that_are_none(fields: dict[str, str]) -> None:
    """Both fields and nothing else, without spaces; no value is quoted."""
    credential = Credential({name: Secret(value) for name, value in fields.items()}, None)
    with pytest.raises(InvalidInput) as caught:
        Client("https://x.example", credential, ConnectionSettings(write=False, options=OPTIONS))
    assert "A b" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ({}, "results"),
        ({"results": []}, "results"),
        ({"results": {"ABCD": [{"name": "x"}]}}, "results.ABCD.0.urn"),
        ({"results": {"ABCD": [{"urn": "", "name": "x"}]}}, "results.ABCD.0.urn"),
        ({"results": {"ABCD": [{"urn": "u", "name": 7, "desc": "canary"}]}}, "results.ABCD.0.name"),
    ],
)
def test_answers_are_held_to_the_contract(wire: Any, at: Callable[..., Client], answer: Any, place: str) -> None:
    """A missing or ill-typed field is named; what stood there is not quoted."""
    wire.say("200 OK", json.dumps(answer))
    with pytest.raises(ContractBroken, match=place) as caught:
        at(wire.url).permitted_roles()
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_only_our_organisations_roles_count(wire: Any, at: Callable[..., Client]) -> None:
    """Those of child organisations are no levels for our keys; the organisation is named by key or URN, in any case."""
    role = {"urn": "psc:role:X:Y", "name": "y"}
    for name in ("ABCD", "abcd", "psc:org:ABCD"):
        wire.say("200 OK", json.dumps({"results": {name: [role], f"{name}:CHILDREN": [role], "OTHER": [role]}}))
        assert len(at(wire.url).permitted_roles()) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"message": "in use", "reason": "x"}, "in use"),
        ({"message": "", "reason": "because"}, "because"),
        ({"errors": ["held by", "Digest"]}, '{"errors": ["held by", "Digest"]}'),
        ({"message": None, "apiKey": "LEAK", "Secret": "LEAK", "n": 1}, '{"message": null, "n": 1}'),
        ({"apiKey": "LEAK"}, ""),
        ({"message": f"you sent {SECRET}/OWN"}, "you sent <secret>/OWN"),
        ({"message": "two\nlines\x1b[31m"}, "two lines\N{REPLACEMENT CHARACTER}[31m"),
    ],
)
def test_what_a_refusal_says_is_shown(wire: Any, at: Callable[..., Client], body: Any, said: str) -> None:
    """The message, the reason, or the whole body, cleaned, with our secret and whatever may be one taken out."""
    wire.say("409 Conflict", json.dumps(body))
    with pytest.raises(Conflict) as caught:
        at(wire.url).delete_grant("A")
    assert caught.value.what.endswith(f"HTTP 409: {said}" if said else "HTTP 409")
    assert "LEAK" not in str(caught.value)
    assert len(wire.requests) == 1


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    ("status", "kind"), [("401 Unauthorized", AuthenticationFailed), ("403 Forbidden", NotPermitted)]
)
def test_promise_8_refused_credentials_are_not_tried_again(
    wire: Any, at: Callable[..., Client], status: str, kind: type[ReconcilerError]
) -> None:
    """One request, one refusal: a former secret is answered with either of the two."""
    wire.say(status, json.dumps({"message": "no"}))
    with pytest.raises(kind):
        at(wire.url).permitted_roles()
    assert len(wire.requests) == 1


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    "answer", [{}, {"key": {"id": "A"}}, {"key": {"secret": SECRET}}, {"key": {"id": 7, "secret": SECRET}}, {"key": 3}]
)
def test_promise_3_a_creation_without_id_or_secret_is_unknown(
    at: Callable[..., Client], carbonblack: CarbonBlack, answer: Any
) -> None:
    """The key exists, and we cannot use it: somebody has to look. Nothing of the answer is quoted."""
    operation = parse(carbonblack.endpoint_map)["createKey"]
    values = {"orgKey": "ABCD", "name": "n", "description": "d", "level": "l", "allowedIPs": []}
    client = at("http://127.0.0.1:1")
    client._transport.send = lambda *_, **__: answer  # type: ignore[method-assign]
    with pytest.raises(OutcomeUnknown, match=r"without (id|secret)") as caught:
        client.issue(operation, values)
    assert SECRET not in str(caught.value)


def test_refusals_keep_their_cause(carbonblack: CarbonBlack, connect: Connect) -> None:
    """What the vendor says of a wrong name or principal stands in the error."""
    session = connect(carbonblack)
    with pytest.raises(Rejected, match="no such principal"):
        session._client.ensure_grant("NOBODY", "x", "psc:role::BETA_VIEW_ALL", create=True)
    with pytest.raises(Rejected, match="no such role"):
        session._client.ensure_grant(carbonblack.key_id("old-siem"), "x", "psc:role:X:NONE", create=True)


def test_verifying_what_cannot_be_a_secret(at: Callable[..., Client]) -> None:
    """No request is made with it."""
    client = at("http://127.0.0.1:1")
    assert client.sign_in(Issued("A", {"apiSecret": "text"})) is Verification.BAD
    assert client.sign_in(Issued("A", {"apiSecret": Secret("with space")})) is Verification.BAD
    assert client.calls == 0


@pytest.mark.promise(1)
def test_promise_1_no_secret_in_logs_and_errors(
    carbonblack: CarbonBlack, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """Everything goes wrong once at DEBUG: neither our secret, nor a new one, nor a leaked one shows up."""
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    for fault in ("truncated", "html", "error-after", "forbidden", "cut-off", "unauthorized"):
        session = connect(carbonblack, console=True)
        carbonblack.faults.clear()
        carbonblack.faults.inject(fault, times=None)
        for action in (session.observe, lambda session=session: session.regenerate_key(carbonblack.key_id("old-siem"))):
            try:
                shown.append(repr(action()))
            except ReconcilerError as error:
                shown += [str(error), "".join(traceback.format_exception(error))]
    text = caplog.text + "".join(shown)
    assert "HTTP 403" in text
    assert not [secret for secret in carbonblack.issued if secret in text]
