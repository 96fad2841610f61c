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
from reconciler.providers.base import ConnectionSettings, Issued, Verification
from reconciler.providers.cortex_cloud import client as module
from reconciler.providers.cortex_cloud.capabilities import CAPABILITIES
from reconciler.providers.cortex_cloud.client import CALLS, Client
from reconciler.providers.cortex_cloud.emulator import ADMIN, VIEWER
from reconciler.providers.pacing import Pacer
from tests.support.cortex import Cortex

NEW = {"roles": [VIEWER], "security_level": "advanced", "comment": "splunk", "expiration": 1_770_000_000_000}
ROLE = {"pretty_name": "reader", "description": "Reads", "component_permissions": ["rules_view"]}
WRITE = ConnectionSettings(write=True, timeout=5.0)
GENERATE = "/public_api/v1/api_keys/generate"


@pytest.fixture
def connect(fake_time: Any) -> Callable[..., Client]:
    def connect(endpoint: str, page: int = 100, settings: ConnectionSettings = WRITE, **credential: str) -> Client:
        fields = credential or {"keyId": "1", "key": "longsecret"}
        return Client(
            endpoint,
            Credential({name: Secret(value) for name, value in fields.items()}, endpoint),
            settings,
            page=page,
            pacer=Pacer(100_000, 60.0, clock=fake_time.clock, sleep=fake_time.sleep),
            clock=fake_time.clock,
            sleep=fake_time.sleep,
        )

    return connect


@pytest.fixture
def client(cortex: Cortex, connect: Callable[..., Client]) -> Client:
    return connect(cortex.endpoint, **cortex.credentials)


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    ("rate", "calls", "seconds"),
    [
        (RateLimit(), 5, 1.0),
        (RateLimit(share=0.8), 8, 1.0),
        (RateLimit(calls=100, seconds=10.0), 50, 10.0),
        (RateLimit(calls=1, seconds=10.0, share=0.1), 1, 10.0),
    ],
)
def test_promise_8_pace(rate: RateLimit, calls: int, seconds: float) -> None:
    """Half of ten calls a second, for the tenant as a whole, unless the tenant says otherwise; never less than one."""

    def open_one(endpoint: str, key: str) -> Client:
        credential = Credential({"keyId": Secret("1"), "key": Secret(key)}, None)
        return Client(endpoint, credential, ConnectionSettings(write=True, rate=rate))

    one, same = open_one("https://api-a.example", "x"), open_one("https://api-a.example/", "y")
    pacer = one._transport._pacer
    assert same._transport._pacer is pacer
    assert open_one("https://api-b.example", "x")._transport._pacer is not pacer
    assert (pacer._sent.maxlen, pacer._window) == (calls, pytest.approx(seconds * 1.02))


@pytest.mark.promise(8)
def test_promise_8_the_vendors_limit_is_met_not_hit(make_cortex: Callable[..., Cortex], fake_time: Any) -> None:
    """Thirty calls under a limit that is enforced: no refusal, and nearly all of the rate is used."""
    cortex = make_cortex(calls_per_tenant=10)

    class Together:
        def now_ms(self) -> int:
            return int(fake_time.now * 1000)

    cortex.clock = Together()  # type: ignore[assignment]
    settings = ConnectionSettings(write=True, timeout=5.0)
    pacer = Pacer(10, 1.0, clock=fake_time.clock, sleep=fake_time.sleep)
    credential = cortex.credential()
    client = Client(cortex.endpoint, credential, settings, pacer=pacer, clock=fake_time.clock, sleep=fake_time.sleep)
    started = fake_time.now
    for _ in range(30):
        client.roles()
    assert client.calls == 30
    assert 2.0 <= fake_time.now - started <= 2.1
    client.close()


def test_every_call_is_a_declared_operation() -> None:
    """Capabilities list exactly the requests that the client makes, and reads are what they say they are."""
    declared = {operation.request: operation.read for operation in CAPABILITIES.operations}
    assert declared == {str(call): call.effect == "read" for call in CALLS}
    assert {f"{method} {template}" for method, template in module._READS} == {
        name for name, read in declared.items() if read
    }


@pytest.mark.parametrize("level", ["advanced", "standard", "Standard"])
def test_both_security_levels_sign_our_own_calls(cortex: Cortex, connect: Callable[..., Client], level: str) -> None:
    """The credential says which; every advanced call has a nonce of its own, which the emulator takes once."""
    number = cortex.add_key("ours", security_level=level.lower())
    client = connect(cortex.endpoint, keyId=str(number), key=cortex.secret_of(number), securityLevel=level)
    for _ in range(3):
        assert client.roles()
    other = "standard" if level == "advanced" else "advanced"
    wrong = connect(cortex.endpoint, keyId=str(number), key=cortex.secret_of(number), securityLevel=other)
    with pytest.raises(AuthenticationFailed):
        wrong.roles()
    with pytest.raises(AuthenticationFailed):
        wrong.roles()
    assert wrong.calls == 1, "not tried again"


def test_the_time_of_a_signature_is_in_milliseconds(make_cortex: Callable[..., Cortex], fake_time: Any) -> None:
    """A server that looks at the clock accepts ours."""
    cortex = make_cortex(skew_ms=60_000)
    signer = module._Signer("1", Secret("x"), "advanced", now=lambda: 1_767_225_600.5)
    from requests import Request

    prepared = signer(Request("GET", cortex.endpoint).prepare())
    assert prepared.headers["x-xdr-timestamp"] == "1767225600500"
    assert len(str(prepared.headers["x-xdr-nonce"])) == 64
    assert prepared.headers["Authorization"] != "x"


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"key": "x"}, "holds key; it must hold keyId and key"),
        ({"keyId": "1", "key": "x", "token": "y"}, "must hold keyId and key"),
        ({"keyId": "one", "key": "x"}, "keyId is no number"),
        ({"keyId": "1", "key": "x", "securityLevel": "high"}, "neither advanced nor standard"),
        ({"keyId": "1", "key": "can\u00e4ry"}, "no key has"),
        ({"keyId": "1", "key": "canary\n"}, "no key has"),
    ],
)
def test_credentials_that_are_none(connect: Callable[..., Client], fields: dict[str, str], what: str) -> None:
    """Refused before any call, without being quoted."""
    with pytest.raises(InvalidInput, match=what) as caught:
        connect("https://api-acme.example", **fields)
    assert "ary" not in str(caught.value)
    with pytest.raises(InvalidInput, match="holds nothing"):
        Client("https://api-acme.example", Credential({}, None), WRITE)


@pytest.mark.parametrize("options", [{}, {"page_limit": 100}, {"page_limit": 300, "counts": False}])
def test_all_keys_are_read(
    make_cortex: Callable[..., Cortex], connect: Callable[..., Client], options: dict[str, Any]
) -> None:
    """One call where the vendor gives all 1,000 at once, pages by offset where it does not; expired ones included."""
    cortex = make_cortex(**options)
    for number in range(1000):
        cortex.add_key(f"key {number}", VIEWER, expiration=1 + number)
    client = connect(cortex.endpoint, page=300, **cortex.credentials)
    keys = client.list_keys()
    assert [key.id for key in keys] == [key["id"] for key in cortex.keys()]  # noqa: SIM118
    assert len(keys) == 1001
    assert client.calls == {None: 1, 100: 11, 300: 5}[options.get("page_limit")]


@pytest.mark.parametrize(
    ("pages", "ok"),
    [
        ([([1, 2], 3), ([3], 3)], True),
        ([([1, 2], None), ([1, 2], None)], True),
        ([([1, 2], None), ([3], None), ([], None)], True),
        ([([1, 2], 3), ([2], 3), ([1, 2], 3), ([3], 3)], True),
        ([([1, 2], 3), ([], 3)] * 3, False),
        ([([1, 1], 2)] * 3, False),
        ([([1, 2], 1)] * 3, False),
        ([([1, 2], 3), ([2], 3)] * 3, False),
    ],
)
def test_a_list_that_does_not_add_up_is_no_list(
    wire: Any, connect: Callable[..., Client], pages: Any, ok: bool
) -> None:
    """A list that changes while it is read is read again; one that never adds up is an error, not half a list."""
    for numbers, count in pages:
        told = {} if count is None else {"FILTER_COUNT": count}
        wire.say("200 OK", json.dumps({"reply": {"DATA": [{"id": number} for number in numbers], **told}}))
    client = connect(wire.url)
    if ok:
        assert {1, 2} <= {key.id for key in client.list_keys()}
    else:
        with pytest.raises(ContractBroken, match="cannot be trusted"):
            client.list_keys()
    assert len(wire.requests) == len(pages)


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ({}, "reply"),
        ({"reply": []}, "reply"),
        ({"reply": {"DATA": None}}, "reply.data"),
        ({"reply": {"data": [{"roles": []}]}}, "reply.data.0.id"),
        ({"reply": {"data": [{"id": "7"}]}}, "reply.data.0.id"),
        ({"reply": {"data": [{"id": 7, "comment": {"canary": 1}}]}}, "reply.data.0.comment"),
    ],
)
def test_answers_are_held_to_the_contract(wire: Any, connect: Callable[..., Client], answer: Any, place: str) -> None:
    """A missing or ill-typed field is named; what stood there is not quoted."""
    wire.say("200 OK", json.dumps(answer))
    with pytest.raises(ContractBroken, match=place) as caught:
        connect(wire.url).list_keys()
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_half_a_list_of_roles_is_no_list(wire: Any, connect: Callable[..., Client]) -> None:
    """The vendor counts them: fewer than that is an error. Ids may be numbers."""
    role = {"role_id": 7, "pretty_name": "A"}
    wire.say("200 OK", json.dumps({"data": [role], "metadata": {"total_count": 2}}))
    client = connect(wire.url)
    with pytest.raises(ContractBroken, match="1 of 2"):
        client.roles()
    wire.say("200 OK", json.dumps({"data": [role]}))
    assert [one.role_id for one in client.roles()] == ["7"]


@pytest.mark.parametrize(
    "reply", [None, {}, {"id": 7}, {"id": 7, "key": ""}, {"key": "canary"}, {"id": True, "key": "canary"}]
)
def test_a_creation_without_id_or_secret_is_unknown(wire: Any, connect: Callable[..., Client], reply: Any) -> None:
    """The key exists, and we cannot use it: somebody has to look."""
    wire.say("200 OK", json.dumps({"reply": reply}))
    with pytest.raises(OutcomeUnknown, match="without") as caught:
        connect(wire.url).create_key(NEW)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("answer", [{}, {"data": []}, {"data": {"message": 3}}, {"data": {"message": "created"}}])
def test_a_role_without_an_id_is_unknown(wire: Any, connect: Callable[..., Client], answer: Any) -> None:
    """The id is inside a message; where it is not, the role has to be looked for."""
    wire.say("201 Created", json.dumps(answer))
    with pytest.raises(OutcomeUnknown, match="without the role's id"):
        connect(wire.url).create_role(ROLE)


def test_a_deletion_that_deletes_nothing(wire: Any, connect: Callable[..., Client]) -> None:
    """Nothing deleted is fine for a key that is gone, and an error for one that is still there; counts may be text."""
    client = connect(wire.url)
    key = {"reply": {"DATA": [{"id": 7}]}}
    wire.say("200 OK", json.dumps({"reply": {"update_count": "0"}}))
    wire.say("200 OK", json.dumps(key))
    with pytest.raises(Rejected, match="still there"):
        client.delete_key("7")
    wire.say("200 OK", json.dumps({"reply": {"update_count": 0}}))
    wire.say("200 OK", json.dumps({"reply": {"DATA": []}}))
    client.delete_key("7")
    wire.say("200 OK", json.dumps({"reply": {"update_count": "1"}}))
    client.delete_key("7")
    wire.say("200 OK", json.dumps({"reply": {}}))
    with pytest.raises(ContractBroken, match="update_count"):
        client.delete_key("7")


def test_refusals_say_why(cortex: Cortex, client: Client) -> None:
    """The vendor's own words reach the reader, in whichever form; bad input for a creation is an unknown outcome."""
    with pytest.raises(OutcomeUnknown, match="Unknown custom roles: nobody"):
        client.create_key({**NEW, "roles": ["nobody"]})
    with pytest.raises(OutcomeUnknown, match="integer in epoch milliseconds"):
        client.create_key({**NEW, "expiration": 0})
    assert cortex.requests[f"POST {GENERATE}"] == 2, "asked once each"
    client.create_role(ROLE)
    with pytest.raises(Conflict, match="already utilized"):
        client.create_role(ROLE)
    with pytest.raises(Rejected, match="Unknown permission"):
        client.create_role({**ROLE, "pretty_name": "other", "component_permissions": ["alerts:read"]})
    client.delete_role("gone already")
    with pytest.raises(Rejected, match="cannot be deleted"):
        client.delete_role("VIEWER")
    with pytest.raises(Rejected, match="Unknown custom roles") as caught:
        client.edit_key(cortex.credentials["keyId"], {"roles": ["nobody"], "security_level": "advanced"})
    assert "replace" not in caught.value.hint


def test_a_role_that_lacks_rights(cortex: Cortex, connect: Callable[..., Client]) -> None:
    """403 is about rights."""
    number = cortex.add_key("weak", VIEWER)
    client = connect(cortex.endpoint, keyId=str(number), key=cortex.secret_of(number))
    with pytest.raises(NotPermitted, match="Insufficient permissions"):
        client.list_keys()


@pytest.mark.parametrize("level", ["advanced", "standard"])
def test_verify(cortex: Cortex, connect: Callable[..., Client], client: Client, level: str) -> None:
    """A secret is good if the vendor knows it, whether or not its key may do anything; trouble on the way proves nothing."""
    issued = client.create_key({**NEW, "security_level": level})
    assert set(issued.secret) == {"keyId", "key", "securityLevel", "endpoint"}
    assert (issued.secret["securityLevel"], issued.secret["endpoint"]) == (level, cortex.endpoint)
    admin = client.create_key({**NEW, "security_level": level, "roles": [ADMIN]})
    assert client.verify(issued) is Verification.GOOD
    assert client.verify(admin) is Verification.GOOD
    wrong = [
        Issued("999", issued.secret),
        Issued(admin.vendor_id, issued.secret),
        Issued(issued.vendor_id, {**issued.secret, "key": "plain"}),
        Issued(issued.vendor_id, {**issued.secret, "key": Secret("no header")}),
        Issued(issued.vendor_id, {**issued.secret, "securityLevel": "standard" if level == "advanced" else "advanced"}),
    ]
    assert {client.verify(one) for one in wrong} == {Verification.BAD}
    for fault in ("html", "error-before", "unavailable"):
        cortex.faults.clear()
        cortex.faults.inject(fault, times=None)
        assert client.verify(issued) is Verification.UNVERIFIABLE
    cortex.faults.clear()
    assert client.list_keys(), "a wrong new key does not spoil our own"


@pytest.mark.parametrize("body", ["", "{}", "<html>no</html>", '{"detail": "blocked"}'])
def test_a_proxys_403_proves_nothing(wire: Any, connect: Callable[..., Client], body: str) -> None:
    """Only the vendor's own words say that a key was known."""
    wire.say("403 Forbidden", body)
    issued = Issued("7", {"key": Secret("x"), "securityLevel": "standard"})
    assert connect(wire.url).verify(issued) is Verification.UNVERIFIABLE


def _failure_of(issue: Callable[[], Issued], seen: list[str]) -> ReconcilerError | None:
    try:
        seen.append(repr(issue()))
    except (OutcomeUnknown, AuthenticationFailed) as error:
        return error
    return None


@pytest.mark.promise(1)
@pytest.mark.parametrize("fault", ["", "truncated", "cut-off", "error-after", "reset-after", "html", "unauthorized"])
def test_promise_1_no_secret_in_errors_logs_or_representations(
    cortex: Cortex, client: Client, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    """Whatever happens while secrets are issued, nothing that can be printed holds one."""
    caplog.set_level(logging.DEBUG)
    seen = [repr(client), repr(vars(client)), repr(vars(client._transport)), repr(vars(client._transport._auth))]
    if fault:
        cortex.faults.inject(fault, path=GENERATE)
    error = _failure_of(lambda: client.create_key(NEW), seen)
    assert bool(error) == bool(fault)
    if error is not None:
        seen += [repr(error), "".join(traceback.format_exception(error)), repr(error.__dict__)]
        assert error.__context__ is None
    text = caplog.text + "".join(seen)
    assert cortex.issued
    for secret in cortex.issued:
        assert secret not in text
    assert f"POST {GENERATE}" in caplog.text


@pytest.mark.promise(1)
def test_promise_1_secrets_in_lists_are_dropped_at_parsing(wire: Any, connect: Callable[..., Client]) -> None:
    """A list that carries secrets, which none should, loses them before anybody sees it."""
    wire.say("200 OK", json.dumps({"reply": {"DATA": [{"id": 9, "key": "canary"}], "FILTER_COUNT": 1}}))
    assert "canary" not in repr(connect(wire.url).list_keys())


@pytest.mark.promise(1)
def test_promise_1_an_echoed_credential_is_cut_out(wire: Any, connect: Callable[..., Client]) -> None:
    """Servers echo what they were sent; what pydantic calls `input` is not repeated at all."""
    extra = [{"type": "x", "loc": ["a"], "msg": "longsecret is odd", "input": "canary"}]
    wire.say("400 Bad Request", json.dumps({"data": {"err_msg": "No.", "metadata": {"err_extra": extra}}}))
    with pytest.raises(Rejected, match=r"No\. <secret> is odd") as caught:
        connect(wire.url, keyId="1", key="longsecret", securityLevel="standard").roles()
    assert "longsecret" not in str(caught.value)
    assert "canary" not in str(caught.value)
