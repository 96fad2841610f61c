from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.emulator.base import RateLimit
from reconciler.errors import (
    AuthenticationFailed,
    Conflict,
    ContractBroken,
    InvalidInput,
    OutcomeUnknown,
    ReconcilerError,
    Rejected,
    WriteRefused,
)
from reconciler.model.credential import Credential
from reconciler.model.mark import Mark, new_nonce
from reconciler.model.secret import Secret
from reconciler.providers.base import ConnectionSettings, Issued, Verification
from reconciler.providers.pacing import Pacer
from reconciler.providers.trend_vision_one import PROVIDER
from reconciler.providers.trend_vision_one.session import Session
from tests.support.trend_others import VisionOne

KEY: dict[str, Any] = {
    "name": "splunk",
    "description": "Ingestion",
    "expires": datetime(2026, 3, 15, tzinfo=UTC),
    "state": "active",
}
Open = Callable[..., Session]
Make = Callable[..., VisionOne]
ROLE = "Auditor"


def mark(generation: int = 1) -> Mark:
    return Mark("ab" * 8, generation, new_nonce())


@pytest.mark.promise(6)
def test_promise_6_observing_takes_two_reads_and_planning_cannot_write(tenant: VisionOne, open_session: Open) -> None:
    """Keys and roles; whose key this is stands beside the credential. Every write is refused before it is sent."""
    planning = open_session(tenant, write=False)
    seen = planning.observe()
    assert planning.calls == 2
    assert [key.name for key in seen.keys] == ["bootstrap"]
    assert seen.own_key_id == seen.keys[0].vendor_id
    assert all(level.builtin and level.vendor_id == level.name for level in seen.levels)
    assert {level.name for level in seen.levels} >= {"Auditor", "Master Administrator"}
    writes: list[Callable[[], object]] = [
        lambda: planning.create_key("splunk", KEY, ROLE, mark()),
        lambda: planning.update_key(seen.keys[0].vendor_id, {"state": "locked"}, None, mark()),
        lambda: planning.delete_key("1"),
    ]
    for write in writes:
        with pytest.raises(WriteRefused):
            write()
    assert tenant.requests.total() == 3  # the ETag is a read
    assert not {name for name in tenant.requests if not name.startswith("GET")}


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    "options",
    [{}, {"milliseconds": True, "never": None, "names_ignore_case": True}, {"error_in_body": False}],
)
def test_promise_5_what_was_made_reads_back_as_wanted(
    make_vision_one: Make, open_session: Open, options: dict[str, Any]
) -> None:
    """Created, then changed in every field: what is observed is what was wanted, but for an end that lies later."""
    tenant = make_vision_one(**options)
    session = open_session(tenant)
    ours = mark()
    issued = session.create_key("splunk", KEY, ROLE, ours)
    session.finish_key(issued.vendor_id, KEY, ROLE, ours)
    key = session.find_key("splunk", ours)
    assert key is not None
    rounded = {**KEY, "expires": datetime(2026, 4, 1, tzinfo=UTC)}
    assert (key.fields, key.vendor_id, key.level_id) == (rounded, issued.vendor_id, ROLE)
    assert (key.facts["created"], key.facts["lastUsed"]) == (tenant.clock.now(), None)
    again = ours._replace(generation=2)
    changed = {"name": "splunk", "description": "", "state": "locked"}
    session.update_key(key.vendor_id, changed, "Analyst", again)
    [key] = [key for key in session.observe().keys if key.mark == again]
    assert (key.fields, key.level_id) == ({**rounded, **changed}, "Analyst")
    assert key.facts["vendorName"] == "splunk.g2"
    before = session.calls
    session.update_key(key.vendor_id, {}, None, again)
    session.update_key(key.vendor_id, {"expires": None}, None, again)
    assert session.calls == before
    session.update_key(key.vendor_id, {"state": "active"}, None, again)
    for _ in range(2):
        session.delete_key(key.vendor_id)
    assert [key.name for key in session.observe().keys] == ["bootstrap"]


@pytest.mark.parametrize(
    ("expires", "end"),
    [
        (None, None),
        (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
        (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
        (datetime(2026, 2, 1, 0, 0, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)),
        (datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)),
        (datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2027, 1, 1, 0, 0, 1, tzinfo=UTC), None),
    ],
)
def test_the_end_is_rounded_up(
    tenant: VisionOne, open_session: Open, expires: datetime | None, end: datetime | None
) -> None:
    """1, 3, 6 or 12 months, never less than what was asked for; beyond that, and without a wish, no end at all."""
    session = open_session(tenant)
    ours = mark()
    session.create_key("splunk", {**KEY, "expires": expires}, ROLE, ours)
    found = session.find_key("splunk", ours)
    assert found is not None
    assert found.fields["expires"] == end


def test_generations_live_side_by_side(tenant: VisionOne, open_session: Open) -> None:
    """Names are unique at the vendor, so each generation has its own, and both are called as the manifest calls them."""
    session = open_session(tenant)
    first, second = mark(), mark(2)
    session.create_key("splunk", KEY, ROLE, first)
    session.create_key("splunk", KEY, ROLE, second)
    at_vendor = tenant.keys()
    assert [key["name"] for key in at_vendor] == ["bootstrap", "splunk", "splunk.g2"]
    assert [key.name for key in session.observe().keys] == ["bootstrap", "splunk", "splunk"]
    for one in (first, second):
        found = session.find_key("splunk", one)
        assert found is not None
        assert found.mark == one
    assert session.find_key("splunk", mark()) is None
    assert session.find_key("splunk", mark(3)) is None


@pytest.mark.parametrize("status", [400, 409])
@pytest.mark.parametrize("in_body", [True, False])
def test_a_foreign_key_of_the_same_name(make_vision_one: Make, open_session: Open, status: int, in_body: bool) -> None:
    """The item's status decides, whatever the whole answer's is; the vendor's words are told, and nothing is touched."""
    tenant = make_vision_one(taken_status=status, error_in_body=in_body)
    tenant.add_key("splunk", ROLE, description="somebody's")
    session = open_session(tenant)
    with pytest.raises(Rejected, match=f"HTTP {status}: An API key of this name exists"):
        session.create_key("splunk", KEY, ROLE, mark())
    assert session.find_key("splunk", mark()) is None
    assert len(tenant.keys()) == 2


def test_somebody_elses_edits_are_seen(tenant: VisionOne, open_session: Open) -> None:
    """Drift in any field shows in what is observed; a lost mark too."""
    session = open_session(tenant)
    session.create_key("splunk", KEY, ROLE, mark())
    tenant.edit_key("splunk", status="disabled", description="x", name="renamed", expires=None, role="Analyst")
    [key] = [key for key in session.observe().keys if key.name == "renamed"]
    assert {name for name in KEY if key.fields[name] != KEY[name]} == set(KEY)
    assert (key.mark, key.level_id) == (None, "Analyst")


class _Meddler:
    """Somebody who changes a key right before our change arrives, some times."""

    def __init__(self, tenant: VisionOne, times: int) -> None:
        self.tenant = tenant
        self.times = times

    def __call__(self) -> None:
        if self.times:
            self.times -= 1
            self.tenant.edit_key("splunk", description=f"meddled {self.times}")


@pytest.mark.parametrize("status", [412, 409])
@pytest.mark.parametrize(("times", "ends"), [(1, True), (2, False)])
def test_a_change_meets_another_one(make_vision_one: Make, status: int, times: int, ends: bool, fake_time: Any) -> None:
    """A stale ETag is read once more; who goes on changing the key is not fought."""
    tenant = make_vision_one(stale_status=status)
    tenant.add_key("splunk", ROLE)
    key = tenant.keys()[1]["id"]
    meddler = _Meddler(tenant, times)
    session = PROVIDER.connect(
        tenant.endpoint,
        Credential({"token": Secret(tenant.credentials["token"])}, None),
        ConnectionSettings(write=True, timeout=5.0, before_write=meddler, sleep=fake_time.sleep),
    )
    if ends:
        session.update_key(key, {"state": "locked"}, None, mark())
    else:
        with pytest.raises(Conflict) as caught:
            session.update_key(key, {"state": "locked"}, None, mark())
        assert caught.value.__context__ is None
    assert tenant.keys()[1]["status"] == ("disabled" if ends else "enabled")
    assert tenant.requests["PATCH /v3.0/iam/apiKeys/{id}"] == 2
    session.close()


def test_a_change_whose_answer_is_lost_is_made_again(tenant: VisionOne, open_session: Open) -> None:
    """The first one made the ETag stale; the second look gives the same result."""
    session = open_session(tenant)
    issued = session.create_key("splunk", KEY, ROLE, mark())
    tenant.faults.inject("reset-after", method="PATCH")
    session.update_key(issued.vendor_id, {"state": "locked"}, None, mark())
    assert tenant.keys()[1]["status"] == "disabled"
    tenant.faults.inject("reset-after", path="/v3.0/iam/apiKeys/delete")
    session.delete_key(issued.vendor_id)
    assert len(tenant.keys()) == 1


def test_more_than_a_thousand_keys(tenant: VisionOne, open_session: Open) -> None:
    """Links are followed to the end; each key once, and the token goes to no other place than the endpoint."""
    for number in range(1040):
        tenant.add_key(f"key{number}", ROLE)
    session = open_session(tenant)
    seen = session.observe()
    assert len({key.vendor_id for key in seen.keys}) == len(seen.keys) == 1041
    assert session.calls == 21 + 1
    found = session._client.list_keys("key77")
    assert [key.name for key in found] == ["key77"]


@pytest.mark.parametrize(
    ("listed", "options", "calls", "there"),
    [
        ("yes", {"listRoles": True}, 4, True),
        ("forbidden", {"listRoles": True}, 2, False),
        ("unknown", {"listRoles": True}, 2, False),
        ("yes", {}, 1, False),
        ("yes", {"listRoles": False, "roles": ["SIEM reader", "Auditor"]}, 1, True),
    ],
)
def test_which_roles_there_are(
    make_vision_one: Make, open_session: Open, listed: str, options: dict[str, Any], calls: int, there: bool
) -> None:
    """What the tenant names and what keys have; the vendor's list, an assumed call, only where the tenant opts in."""
    tenant = make_vision_one(roles_listed=listed, roles_per_page=3)
    tenant.add_role("SIEM reader")
    session = open_session(tenant, options=options)
    names = [level.name for level in session.observe().levels]
    assert session.calls == calls
    assert "API Key Manager" in names
    assert ("SIEM reader" in names) == there
    assert names == sorted(set(names))


@pytest.mark.promise(3)
@pytest.mark.parametrize("fault", ["reset-after", "error-after", "truncated", "cut-off", "html"])
def test_promise_3_a_creation_without_an_answer_is_unknown(tenant: VisionOne, open_session: Open, fault: str) -> None:
    """It is never repeated; whether it happened is seen by its mark."""
    session = open_session(tenant)
    ours = mark()
    tenant.faults.inject(fault, method="POST")
    with pytest.raises(OutcomeUnknown):
        session.create_key("splunk", KEY, ROLE, ours)
    assert tenant.requests["POST /v3.0/iam/apiKeys"] == 1
    assert (session.find_key("splunk", ours) is not None) == (fault != "html")


@pytest.mark.promise(8)
def test_promise_8_wrong_credentials_are_tried_once(tenant: VisionOne, open_session: Open) -> None:
    """Refused is refused: the second call of the session is not even sent. Without an id, our own key is unknown."""
    session = open_session(tenant, token="wrong")
    for _ in range(2):
        with pytest.raises(AuthenticationFailed, match="expired or disabled"):
            session.observe()
    assert tenant.requests.total() == 1
    right = open_session(tenant, token=tenant.credentials["token"])
    assert right.observe().own_key_id is None


@pytest.mark.promise(8)
def test_promise_8_the_rate_is_kept(make_vision_one: Make, fake_time: Any) -> None:
    """At the whole of a limit of 20 calls a minute, 50 calls see no 429 and take the time that they must."""
    tenant = make_vision_one(rate_limit=RateLimit(per_key=20))
    fake_time.on_sleep = lambda seconds: tenant.clock.advance(timedelta(seconds=seconds))
    pacer = Pacer(20, 60.0, clock=fake_time.clock, sleep=fake_time.sleep)
    credential = Credential({"token": Secret(tenant.credentials["token"])}, None)
    settings = ConnectionSettings(write=True, timeout=5.0, options={"listRoles": True})
    session = Session(tenant.endpoint, credential, settings, pacer=pacer, clock=fake_time.clock, sleep=fake_time.sleep)
    for _ in range(25):
        session.observe()
    assert tenant.requests.total() == session.calls == 50
    assert sum(fake_time.slept) == pytest.approx(122.4, abs=0.1)
    session.close()


def test_too_many_requests_are_waited_out(tenant: VisionOne, open_session: Open, fake_time: Any) -> None:
    """A creation that was counted out did not act, and is made again."""
    session = open_session(tenant)
    tenant.faults.inject("rate-limited", method="POST")
    session.create_key("splunk", KEY, ROLE, mark())
    assert fake_time.slept
    assert tenant.requests["POST /v3.0/iam/apiKeys"] == 2


def test_verify(tenant: VisionOne, open_session: Open) -> None:
    """A token is good or bad; that of a disabled key cannot be told; trouble on the way proves nothing."""
    session = open_session(tenant)
    good = session.create_key("splunk", KEY, ROLE, mark())
    assert session.verify(good) is Verification.GOOD
    assert session.verify(Issued(good.vendor_id, {"token": Secret("wrong")})) is Verification.BAD
    assert session.verify(Issued(good.vendor_id, {"token": Secret("no header")})) is Verification.BAD
    assert session.verify(Issued(good.vendor_id, {"token": "plain"})) is Verification.BAD
    locked = session.create_key("locked", {**KEY, "state": "locked"}, ROLE, mark())
    assert session.verify(locked) is Verification.UNVERIFIABLE
    for fault in ("forbidden", "html", "error-before"):
        tenant.faults.clear()
        tenant.faults.inject(fault, times=None)
        assert session.verify(good) is Verification.UNVERIFIABLE
    tenant.faults.clear()
    tenant.clock.advance(timedelta(days=91))
    tenant.edit_key("bootstrap", expires=None)
    assert session.verify(good) is Verification.BAD
    session.delete_key(good.vendor_id)
    assert session.verify(good) is Verification.BAD
    tenant.faults.inject("forbidden", nth=2, times=None)
    assert session.verify(good) is Verification.UNVERIFIABLE


def test_what_there_is_not(tenant: VisionOne, open_session: Open) -> None:
    """No roles of ours, no new token for a key, no handoff, nobody who clicks."""
    session = open_session(tenant)
    for call in (
        lambda: session.create_level("r", {}, mark()),
        lambda: session.update_level("r", {}, mark()),
        lambda: session.delete_level("r"),
        lambda: session.regenerate_key("1"),
        lambda: session.accept_key({}),
    ):
        with pytest.raises(InvalidInput):
            call()  # type: ignore[no-untyped-call]
    session.find_level("r", mark())
    session.clicked("splunk", datetime(2026, 1, 1, tzinfo=UTC))
    assert session.calls == 0


@pytest.mark.promise(1)
@pytest.mark.parametrize("fault", ["", "truncated", "cut-off", "error-after", "reset-after", "html", "unauthorized"])
def test_promise_1_no_secret_in_any_representation(
    make_vision_one: Make, open_session: Open, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    """Whatever happens while tokens are issued and listed, nothing that can be printed holds one."""
    caplog.set_level(logging.DEBUG)
    tenant = make_vision_one(values_in_lists=True)
    session = open_session(tenant)
    seen = [repr(session), repr(vars(session._client)), repr(vars(session._client._transport))]
    seen.append(repr(session.observe()))
    errors: list[ReconcilerError] = []
    if fault:
        tenant.faults.inject(fault, path="/v3.0/iam/apiKeys")
    try:
        issued = session.create_key("splunk", KEY, ROLE, mark())
        seen += [repr(issued), repr(session.verify(issued))]
        assert set(issued.secret) == {"token", "keyId", "endpoint"}
        assert issued.secret["token"] == Secret(tenant.issued[-1])
        assert issued.secret["endpoint"] == tenant.endpoint
    except (OutcomeUnknown, AuthenticationFailed) as error:
        errors.append(error)
        seen += [repr(error), "".join(traceback.format_exception(error)), repr(error.__dict__)]
    assert bool(errors) == bool(fault)
    assert all(error.__context__ is None for error in errors)
    text = caplog.text + "".join(seen)
    assert tenant.issued
    for secret in tenant.issued:
        assert secret not in text
    assert "POST /v3.0/iam/apiKeys" in caplog.text


def test_a_list_of_roles_of_another_shape(wire: Any, open_session: Open, tenant: VisionOne) -> None:
    """Its shape is an assumption of ours: the error says how to do without it."""
    wire.say("200 OK", '{"items": [], "totalCount": 0, "count": 0}')
    wire.say("200 OK", '{"roles": []}')
    tenant.endpoint = wire.url
    with pytest.raises(ContractBroken, match=r"options\.roles"):
        open_session(tenant).observe()
