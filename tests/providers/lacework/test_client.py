from __future__ import annotations

import json
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from reconciler.errors import (
    AuthenticationFailed,
    ContractBroken,
    InvalidInput,
    NotPermitted,
    OutcomeUnknown,
    RateLimited,
    Rejected,
)
from reconciler.model.credential import Credential
from reconciler.model.desired import RateLimit
from reconciler.model.secret import Secret
from reconciler.providers.base import ConnectionSettings, Issued, Verification
from reconciler.providers.lacework import client as module
from reconciler.providers.lacework.capabilities import CAPABILITIES
from reconciler.providers.lacework.client import CALLS, GET_USER, JOIN, LEAVE, LIST_USERS, Client, function
from reconciler.providers.lacework.tokens import LIFETIME, MARGIN
from reconciler.providers.pacing import Pacer, Pacers
from tests.support.lacework import Organisation

WRITE = ConnectionSettings(write=True, timeout=5.0)
EXCHANGE = "POST /api/v2/access/tokens"
KEY_ID, SECRET = "ACME_" + "0" * 40, "_" + "f" * 32
TOKEN = ("201 Created", json.dumps({"token": "_token", "expiresAt": "2026-01-01T01:00:00.000Z"}))


class FakePacers(Pacers):
    """Pacers on a clock that only sleeping moves."""

    def __init__(self, fake_time: Any) -> None:
        super().__init__()
        self._time = fake_time
        self.made: dict[object, Pacer] = {}

    def get(self, counted_by: object, calls: int, seconds: float) -> Pacer:
        made = Pacer(calls, seconds, clock=self._time.clock, sleep=self._time.sleep)
        return self.made.setdefault(counted_by, made)


@pytest.fixture
def connect(fake_time: Any) -> Callable[..., Client]:
    def connect(
        endpoint: str, *, settings: ConnectionSettings = WRITE, pacers: Pacers | None = None, **credential: str
    ) -> Client:
        return Client(
            endpoint,
            Credential({name: Secret(value) for name, value in credential.items()}, endpoint),
            settings,
            pacers=pacers or FakePacers(fake_time),
            clock=fake_time.clock,
            sleep=fake_time.sleep,
        )

    return connect


@pytest.fixture
def client(lacework: Organisation, connect: Callable[..., Client]) -> Client:
    return connect(lacework.endpoint, **lacework.credentials)


@pytest.fixture
def wired(wire: Any, connect: Callable[..., Client]) -> Client:
    """A client of the server that says bytes; its endpoint is no account's, but nothing here depends on that."""
    return connect(wire.url.removesuffix("/api"), keyId=KEY_ID, secret=SECRET)


def test_every_call_is_a_declared_operation() -> None:
    """Capabilities list exactly the requests that the client makes, and reads are what they say they are."""
    declared = {operation.request: operation.read for operation in CAPABILITIES.operations}
    assert declared.pop("GET {paging.urls.nextPage}")
    assert declared == {str(call): call.effect == "read" for call in CALLS}


def test_what_the_vendor_counts() -> None:
    """Method and endpoint, whatever the ids in it."""
    assert function(LIST_USERS) == function(GET_USER) == "GET /api/v2/TeamUsers"
    assert (function(JOIN), function(LEAVE)) == (
        "POST /api/v2/UserGroups/addUsers",
        "POST /api/v2/UserGroups/removeUsers",
    )


def test_one_token_serves_a_run_and_is_renewed_before_it_ends(
    lacework: Organisation, client: Client, fake_time: Any
) -> None:
    """Exchanged once for any number of threads; again shortly before its end, never after it."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: client.users(), range(8)))
    assert lacework.requests[EXCHANGE] == 1
    [token] = lacework.organisation.tokens.values()
    assert token.ends_ms - lacework.clock.now_ms() == LIFETIME * 1000
    for passed, exchanged in ((LIFETIME - MARGIN - 1, 1), (1, 2), (10 * LIFETIME, 3)):
        fake_time.now += passed
        lacework.clock.advance(timedelta(seconds=passed))
        client.users()
        assert lacework.requests[EXCHANGE] == exchanged


@pytest.mark.promise(8)
@pytest.mark.parametrize(("status", "error"), [(401, AuthenticationFailed), (403, NotPermitted)])
def test_promise_8_a_refused_key_is_not_tried_again(
    make_lacework: Callable[..., Organisation], connect: Callable[..., Client], status: int, error: type[Exception]
) -> None:
    """One exchange, whatever is asked for afterwards."""
    lacework = make_lacework(bad_secret_status=status)
    client = connect(lacework.endpoint, keyId=lacework.credentials["keyId"], secret=SECRET)
    with pytest.raises(error):
        client.users()
    for ask in (client.users, client.own_users, lambda: client.user("USER_1"), lambda: client.delete_user("USER_1")):
        with pytest.raises(AuthenticationFailed, match="invalid or inactive"):
            ask()
    assert lacework.requests == {EXCHANGE: 1}


@pytest.mark.promise(8)
def test_promise_8_a_refused_token_is_not_tried_again(lacework: Organisation, client: Client) -> None:
    """A 401 in mid-run ends all calls of the session."""
    client.users()
    lacework.organisation.tokens.clear()
    for ask in (client.own_users, client.users, client.own_users):
        with pytest.raises(AuthenticationFailed):
            ask()
    assert lacework.requests.total() == 3


@pytest.mark.promise(8)
def test_promise_8_each_function_has_half_of_its_window(lacework: Organisation, client: Client, fake_time: Any) -> None:
    """240 calls of one function go at once, the next one waits for its hour; another function is not held up."""
    lacework.faults.inject("unavailable", path="/api/v2/UserProfile", times=None)
    for _ in range(240):
        client.users()
    assert fake_time.slept == []
    client.delete_user("USER_1")
    assert fake_time.slept == []
    client.users()
    assert [math.ceil(seconds) for seconds in fake_time.slept] == [3672]


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    ("rate", "calls", "seconds"),
    [
        (RateLimit(), 240, 3600.0),
        (RateLimit(share=1.0), 480, 3600.0),
        (RateLimit(calls=100, seconds=60.0), 50, 60.0),
        (RateLimit(calls=1, share=0.1), 1, 60.0),
    ],
)
def test_promise_8_pace(connect: Callable[..., Client], rate: RateLimit, calls: int, seconds: float) -> None:
    """Half of what the vendor documents, unless the tenant says otherwise; never less than one call."""
    settings = ConnectionSettings(write=True, rate=rate)
    client = connect("https://acme.lacework.net", settings=settings, keyId=KEY_ID, secret=SECRET)
    pacer = client._pacer(LIST_USERS)
    assert (pacer._sent.maxlen, pacer._window / 1.02) == (calls, pytest.approx(seconds))


@pytest.mark.promise(8)
def test_promise_8_sessions_with_one_key_share_a_budget() -> None:
    """However many sessions there are; another key, and another function, has its own."""

    def pacer(secret: str, call: Any = LIST_USERS) -> Pacer:
        credential = Credential({"keyId": Secret(KEY_ID), "secret": Secret(secret)}, None)
        client = Client("https://acme.lacework.net", credential, WRITE)
        client.close()
        return client._pacer(call)

    assert pacer(SECRET) is pacer(SECRET)
    assert pacer(SECRET) is not pacer(SECRET + "0")
    assert pacer(SECRET) is not pacer(SECRET, JOIN)


@pytest.mark.promise(8)
def test_promise_8_what_others_have_used_up_is_waited_for(
    make_lacework: Callable[..., Organisation], connect: Callable[..., Client], fake_time: Any
) -> None:
    """The vendor says that nothing is left: the next call of that function waits as long as it says, others do not."""
    lacework = make_lacework(calls=4)
    client = connect(lacework.endpoint, **lacework.credentials)
    client.users()
    token = lacework.token().json["token"]
    for _ in range(2):
        assert lacework.call("GET", "/api/v2/TeamUsers", Authorization=token).status == 200
    client.users()
    client.own_users()
    assert fake_time.slept == []
    fake_time.on_sleep = lambda seconds: lacework.clock.advance(timedelta(seconds=seconds))
    client.users()
    assert fake_time.slept == [3600.0]


@pytest.mark.promise(8)
def test_promise_8_after_a_429_the_vendor_says_how_long_to_wait(
    lacework: Organisation, wire: Any, wired: Client, fake_time: Any
) -> None:
    """`RateLimit-Reset` stands in for `Retry-After`; a wait beyond our patience is an error that says so."""
    wire.say(*TOKEN)
    wire.say("429 Too Many Requests", '{"message": "slow down"}', RateLimit_Reset="17")
    wire.say("200 OK", '{"data": []}')
    assert wired.users() == []
    assert fake_time.slept[0] >= 17.0
    wire.say("429 Too Many Requests", '{"message": "slow down"}', RateLimit_Reset="3000")
    with pytest.raises(RateLimited, match="slow down") as caught:
        wired.users()
    assert caught.value.delay == 3000.0
    wire.say("429 Too Many Requests", "{}", Retry_After="1", RateLimit_Reset="3000")
    wire.say("200 OK", '{"data": []}', RateLimit_Remaining="0", RateLimit_Reset="soon")
    assert wired.users() == []


def test_a_token_that_is_none(wire: Any, wired: Client) -> None:
    """Success without a token is no success."""
    for body in ('{"expiresAt": "2026"}', '{"token": ""}', '{"token": "a b"}', '{"token": 7}'):
        wire.say("201 Created", body)
        with pytest.raises(ContractBroken, match="without a token"):
            wired.users()


USER = {"userGuid": "USER_1", "name": "siem", "type": "ServiceUser", "userEnabled": 1}


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ({}, "data"),
        ({"data": {}}, "data"),
        ({"data": [{**USER, "userGuid": ""}]}, "data.0.userGuid"),
        ({"data": [{**USER, "type": None}]}, "data.0.type"),
        ({"data": [{**USER, "userEnabled": "canary"}]}, "data.0.userEnabled"),
        ({"data": [{**USER, "userEnabled": 2}]}, "data.0.userEnabled"),
        ({"data": [{**USER, "userGroups": [{}]}]}, "data.0.userGroups.0.userGroupGuid"),
    ],
)
def test_answers_are_held_to_the_contract(wire: Any, wired: Client, answer: Any, place: str) -> None:
    """A missing or ill-typed member is named; what stood there is not quoted."""
    wire.say(*TOKEN)
    wire.say("200 OK", json.dumps(answer))
    with pytest.raises(ContractBroken, match=place) as caught:
        wired.users()
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.promise(1)
def test_promise_1_secrets_in_lists_are_dropped_at_parsing(wire: Any, wired: Client) -> None:
    """The console's own API nests keys in users: were they to appear here, nobody would see them."""
    wire.say(*TOKEN)
    wire.say("200 OK", json.dumps({"data": [{**USER, "apiKeys": [{"keyId": "canary", "secret": "canary"}]}]}))
    assert "canary" not in repr(wired.users())


@pytest.mark.promise(1)
def test_promise_1_an_echoed_secret_is_cut_out(wire: Any, wired: Client) -> None:
    """Servers echo what they were sent: the key's secret, and its token."""
    wire.say("400 Bad Request", json.dumps({"message": f"odd: {SECRET}"}))
    with pytest.raises(Rejected, match="odd: <secret>"):
        wired.users()
    wire.say(*TOKEN)
    wire.say("400 Bad Request", json.dumps({"message": "odd: Bearer _token"}))
    with pytest.raises(Rejected, match="odd: Bearer <secret>"):
        wired.users()


def page(number: int, following: str | None, total: int | None = None) -> str:
    paging = {"rows": 1, "totalRows": total, "urls": {"nextPage": following}}
    return json.dumps({"data": [{**USER, "userGuid": f"USER_{number}"}], "paging": paging})


def test_further_pages_are_asked_for_at_our_endpoint(wire: Any, wired: Client) -> None:
    """Only the path is taken from the answer, with its escapes; a page may show a user again."""
    wire.say(*TOKEN)
    wire.say("200 OK", page(1, "https://evil.example.com/api/v2/NextPage/a%2Fb/c=", 2))
    wire.say("200 OK", page(1, "/api/v2/last", 2))
    wire.say("200 OK", page(2, None, 2))
    assert [user.userGuid for user in wired.users()] == ["USER_1", "USER_2"]
    asked = [request.split(b"\r\n")[0] for request in wire.requests[2:]]
    assert asked == [b"GET /api/v2/NextPage/a%2Fb/c%3D HTTP/1.1", b"GET /api/v2/last HTTP/1.1"]


@pytest.mark.parametrize(
    ("pages", "why"),
    [
        ([page(1, "https://x/api/v2/a"), page(2, "https://x/api/v2/a")], "the same page twice"),
        ([page(1, "https://x/api/v2/a?b=c")], "no path below"),
        ([page(1, "https://x/api/v1/a")], "no path below"),
        ([page(1, "https://x/api/v2/")], "no path below"),
        ([page(1, "https://x/api/v2/../v1/access/keys")], "no path below"),
        ([page(1, "https://x/api/v2/a b")], "no path below"),
        ([page(1, "https://x/api/v2/" + "/".join("abcdefghi"))], "no path below"),
        ([page(1, None, 2)], "announced 2 users and listed 1"),
    ],
)
def test_a_server_that_does_not_page_as_documented_is_no_list(
    wire: Any, wired: Client, pages: list[str], why: str
) -> None:
    """No endless loop, no half list, and no request to where the vendor's API is not."""
    wire.say(*TOKEN)
    for one in pages:
        wire.say("200 OK", one)
    with pytest.raises(ContractBroken, match=why):
        wired.users()
    assert len(wire.requests) == 1 + len(pages)


@pytest.mark.parametrize("answer", ['{"data": {}}', '{"data": {"userGuid": ""}}', "{}"])
def test_a_creation_without_a_guid_is_unknown(wire: Any, wired: Client, answer: str) -> None:
    """The user exists, and we cannot tell which it is: somebody has to look."""
    wire.say(*TOKEN)
    wire.say("201 Created", answer)
    with pytest.raises(OutcomeUnknown, match="without userGuid") as caught:
        wired.create_user({"name": "siem"})
    assert caught.value.__context__ is None


@pytest.mark.parametrize("body", ['{"data": [{"accounts": [{"userGuid": "USER_1"}, {}]}, {}]}', '{"data": 7}'])
def test_who_we_are(wire: Any, wired: Client, body: str) -> None:
    """In every account that the vendor names; an answer of another shape tells nothing."""
    wire.say(*TOKEN)
    wire.say("200 OK", body)
    assert wired.own_users() == ({"USER_1"} if "USER_1" in body else frozenset())


def test_who_we_are_is_nothing_that_everybody_may_ask(lacework: Organisation, client: Client) -> None:
    """A refusal of that one question is no refusal of the key."""
    lacework.faults.inject("forbidden", path="/api/v2/UserProfile")
    assert client.own_users() == frozenset()
    assert client.users()


@pytest.mark.parametrize("fields", [{}, {"keyId": KEY_ID}, {"keyId": KEY_ID, "secret": SECRET, "account": "acme"}])
def test_a_credential_has_two_parts(connect: Callable[..., Client], fields: dict[str, str]) -> None:
    """Others are refused by name, before any call."""
    with pytest.raises(InvalidInput, match="must hold keyId and secret"):
        connect("https://acme.lacework.net", **fields)


@pytest.mark.promise(1)
@pytest.mark.parametrize("value", ["canary\n", " canary", "can\u00e4ry", "can ary"])
@pytest.mark.parametrize("name", ["keyId", "secret"])
def test_promise_1_a_credential_that_fits_in_no_header_is_not_quoted(
    connect: Callable[..., Client], name: str, value: str
) -> None:
    """Libraries quote headers that they refuse; so we refuse first."""
    with pytest.raises(InvalidInput) as caught:
        connect("https://acme.lacework.net", **{"keyId": KEY_ID, "secret": SECRET, name: value})
    assert "ary" not in str(caught.value)


GOOD: dict[str, Any] = {"keyId": KEY_ID, "secret": Secret(SECRET)}


@pytest.mark.parametrize("account", ["acme.lacework.net", "ACME", "https://acme.lacework.net/", ""])
def test_a_key_that_a_person_brings(connect: Callable[..., Client], account: str) -> None:
    """Consumers get what the downloaded file has, the account in full; the id may come from a hidden prompt."""
    client = connect("https://acme.lacework.net", keyId=KEY_ID, secret=SECRET)
    for key_id in (KEY_ID, Secret(KEY_ID)):
        issued = client.accept({**GOOD, "keyId": key_id, "account": account})
        assert issued.vendor_id == issued.secret["keyId"] == KEY_ID
        assert issued.secret == {**GOOD, "account": "acme.lacework.net"}


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"keyId": "canary"}, "keyId is no key ID"),
        ({"keyId": "canary " * 10}, "keyId is no key ID"),
        ({"keyId": ""}, "keyId is no key ID"),
        ({"secret": Secret("canary")}, "secret is no secret"),
        ({"secret": "canary " * 10}, "secret is no secret"),
        ({"secret": ""}, "secret is no secret"),
        ({"account": "other.lacework.net"}, "another account than acme.lacework.net"),
        ({"account": "acme.lacework.net.evil.example"}, "another account"),
        ({"subAccount": "dev"}, "another sub-account than this tenant, which is the account acme.lacework.net"),
    ],
)
def test_promise_1_what_cannot_be_a_key_is_refused_and_not_quoted(
    connect: Callable[..., Client], fields: dict[str, Any], what: str
) -> None:
    """Before anything is sent or stored."""
    client = connect("https://acme.lacework.net", keyId=KEY_ID, secret=SECRET)
    with pytest.raises(InvalidInput, match=what) as caught:
        client.accept({**GOOD, **fields})
    assert "canary" not in str(caught.value)
    for missing in GOOD:
        with pytest.raises(InvalidInput, match=missing):
            client.accept({name: value for name, value in GOOD.items() if name != missing})


def test_verify(lacework: Organisation, client: Client) -> None:
    """A key that is exchanged works; a refusal in whatever words says that it does not; trouble proves nothing."""
    file = lacework.console_create_key(lacework.admin, "splunk")
    issued = client.accept(file)
    assert client.verify(issued) is Verification.GOOD
    [token] = lacework.organisation.tokens.values()
    assert token.ends_ms - lacework.clock.now_ms() == module.VERIFYING * 1000
    for other in (
        Issued(issued.vendor_id, {**issued.secret, "secret": Secret(SECRET)}),
        Issued(issued.vendor_id, {**issued.secret, "secret": "plain"}),
        Issued(issued.vendor_id, {**issued.secret, "secret": Secret("no header")}),
        Issued("ACME_2", issued.secret),
    ):
        assert client.verify(other) is Verification.BAD
    for fault, verification in (("forbidden", Verification.BAD), ("error-before", Verification.UNVERIFIABLE)):
        lacework.faults.clear()
        lacework.faults.inject(fault, times=None)
        assert client.verify(issued) is verification
    lacework.faults.clear()
    assert client.users()


def test_verify_needs_a_token(wire: Any, wired: Client) -> None:
    """Success without a token proves nothing."""
    wire.say("201 Created", "{}")
    assert wired.verify(Issued(KEY_ID, GOOD)) is Verification.UNVERIFIABLE
