from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.emulator.base import RateLimit
from reconciler.errors import AuthenticationFailed, InvalidInput, OutcomeUnknown, ReconcilerError, WriteRefused
from reconciler.model.credential import Credential
from reconciler.model.mark import Mark, new_nonce
from reconciler.model.secret import Secret
from reconciler.providers.base import ConnectionSettings, Issued, Verification
from reconciler.providers.pacing import Pacer
from reconciler.providers.trend_cloud_one import PROVIDER
from reconciler.providers.trend_cloud_one.session import Session
from tests.support.trend_others import CloudOne

URNS = (
    "urn:cloudone:application:us-1:012345678901:role/auditor",
    "urn:cloudone:workload:us-1:012345678901:role/full-access",
)
LEVEL: dict[str, Any] = {"name": "reader", "description": "Reads", "permissions": {"serviceRoleURNs": URNS}}
NETWORKS = ("198.51.100.7/32", "2001:db8::/32", "2001:db8::7/128", "203.0.113.0/28")
KEY: dict[str, Any] = {
    "name": "splunk",
    "description": "Ingestion",
    "locale": "ja",
    "timeZone": "Asia/Kolkata",
    "allowedIPs": NETWORKS,
    "state": "active",
}
OPEN = {**KEY, "allowedIPs": ()}
Open = Callable[..., Session]
Make = Callable[..., CloudOne]


def mark(generation: int = 1) -> Mark:
    return Mark("ab" * 8, generation, new_nonce())


@pytest.mark.promise(6)
def test_promise_6_observing_takes_two_reads_and_planning_cannot_write(account: CloudOne, open_session: Open) -> None:
    """Keys and roles; whose key this is stands in the credential. Every write is refused before it is sent."""
    planning = open_session(account, write=False)
    seen = planning.observe()
    assert planning.calls == 2
    assert [key.name for key in seen.keys] == ["bootstrap"]
    assert seen.own_key_id == seen.keys[0].vendor_id
    assert {level.name: level.builtin for level in seen.levels} == {"Full Access": True, "Read Only": False}
    writes: list[Callable[[], object]] = [
        lambda: planning.create_level("reader", LEVEL, mark()),
        lambda: planning.update_level("full-access", LEVEL, mark()),
        lambda: planning.delete_level("full-access"),
        lambda: planning.create_key("splunk", KEY, "full-access", mark()),
        lambda: planning.update_key("1", {"state": "locked"}, None, mark()),
        lambda: planning.delete_key("1"),
    ]
    for write in writes:
        with pytest.raises(WriteRefused):
            write()
    assert account.requests.total() == 2


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"created_statuses": True, "one_time_field": "apiKey", "networks": "cidrs"},
        {"networks": "addresses", "exploded_ipv6": True, "largest_page": 2},
        {"beyond_largest": "refuse", "largest_page": 30, "default_page": 1},
    ],
)
def test_promise_5_what_was_made_reads_back_as_wanted(
    make_cloud_one: Make, open_session: Open, options: dict[str, Any]
) -> None:
    """Created, then changed in every field, at accounts of several habits: what is observed is what was wanted."""
    account = make_cloud_one(**options)
    session = open_session(account)
    ours, theirs = mark(), mark()
    level_id = session.create_level("reader", LEVEL, ours)
    issued = session.create_key("splunk", KEY, level_id, theirs)
    session.finish_key(issued.vendor_id, KEY, level_id, theirs)
    level, key = session.find_level("reader", ours), session.find_key("splunk", theirs)
    assert level is not None
    assert key is not None
    assert (level.fields, level.vendor_id) == (LEVEL, level_id)
    assert (key.fields, key.vendor_id, key.level_id) == (KEY, issued.vendor_id, level_id)
    assert key.facts["created"] == datetime(2026, 1, 1, tzinfo=UTC)
    again = theirs._replace(generation=2)
    changed = {
        "name": "splunk2",
        "description": "",
        "locale": "en",
        "timeZone": "UTC",
        "allowedIPs": (),
        "state": "locked",
    }
    session.update_key(key.vendor_id, changed, "full-access", again)
    fewer = {**LEVEL, "name": "readers", "description": "", "permissions": {"serviceRoleURNs": ()}}
    session.update_level(level_id, fewer, ours)
    seen = session.observe()
    [key] = [key for key in seen.keys if key.mark == again]
    [level] = [level for level in seen.levels if level.mark == ours]
    assert (key.fields, key.level_id) == ({**KEY, **changed}, "full-access")
    assert level.fields == fewer
    before = session.calls
    session.update_key(key.vendor_id, {}, None, again)
    assert session.calls == before
    for _ in range(2):
        session.delete_key(key.vendor_id)
        session.delete_level(level_id)
    seen = session.observe()
    assert not [one for one in (*seen.keys, *seen.levels) if one.mark is not None]


def test_case_and_order_of_lists_do_not_matter(account: CloudOne, open_session: Open) -> None:
    """Addresses in any order and spelling, role URNs in any order, a locale in capitals: all the same."""
    session = open_session(account)
    ours = mark()
    session.create_key("splunk", KEY, "full-access", ours)
    account.edit_key(
        "splunk",
        allowedIPs=["2001:0DB8:0:0::7", "198.51.100.7"],
        allowedCIDRs=["203.0.113.9/28", "2001:DB8:0::/32", "203.0.113.0/28"],
        locale="JA",
        timezone="Asia/Calcutta",
    )
    key = session.find_key("splunk", ours)
    assert key is not None
    assert key.fields == KEY
    account.edit_key("splunk", enabled=False, locale="en", timezone="Asia/Tokyo", allowedCIDRs=[], description="x")
    [key] = [key for key in session.observe().keys if key.name == "splunk"]
    assert {name for name in KEY if key.fields[name] != KEY[name]} == {
        "state", "locale", "timeZone", "allowedIPs", "description",
    }  # fmt: skip
    assert key.mark is None


@pytest.mark.parametrize("largest", [None, 50])
def test_more_than_a_thousand_keys(make_cloud_one: Make, open_session: Open, largest: int | None) -> None:
    """Cursors are followed to the end, whatever the largest page is; each key once."""
    account = make_cloud_one(largest_page=largest)
    for number in range(1040):
        account.add_key(f"key{number}", "read-only")
    session = open_session(account)
    seen = session.observe()
    assert len({key.vendor_id for key in seen.keys}) == len(seen.keys) == 1041
    assert session.calls == -(-1041 // (largest or 100)) + 1


def test_only_the_mark_tells_ours_from_theirs(account: CloudOne, open_session: Open) -> None:
    """Aliases may repeat: a foreign key and a former generation of the same alias are not taken for ours."""
    session = open_session(account)
    first, second = mark(), mark(2)
    account.add_key("splunk")
    session.create_key("splunk", OPEN, "full-access", first)
    assert session.find_key("splunk", second) is None
    assert session.find_level("Full Access", second) is None
    issued = session.create_key("splunk", OPEN, "full-access", second)
    found = session.find_key("splunk", second)
    assert found is not None
    assert (found.name, found.vendor_id) == ("splunk", issued.vendor_id)
    assert [key.name for key in session.observe().keys].count("splunk") == 3


@pytest.mark.promise(3)
@pytest.mark.parametrize("fault", ["reset-after", "error-after", "truncated", "cut-off", "html"])
def test_promise_3_a_creation_without_an_answer_is_unknown(account: CloudOne, open_session: Open, fault: str) -> None:
    """It is never repeated; whether it happened is seen by its mark."""
    session = open_session(account)
    ours, role = mark(), mark()
    account.faults.inject(fault, method="POST", path="/apikeys")
    account.faults.inject(fault, method="POST", path="/roles")
    with pytest.raises(OutcomeUnknown):
        session.create_key("splunk", OPEN, "full-access", ours)
    with pytest.raises(OutcomeUnknown):
        session.create_level("reader", LEVEL, role)
    assert (account.requests["POST /apikeys"], account.requests["POST /roles"]) == (1, 1)
    assert (session.find_key("splunk", ours) is not None) == (fault != "html")
    assert (session.find_level("reader", role) is not None) == (fault != "html")


@pytest.mark.promise(8)
def test_promise_8_wrong_credentials_are_tried_once(account: CloudOne, open_session: Open) -> None:
    """Refused is refused: the second call of the session is not even sent."""
    session = open_session(account, key=account.credentials["apiKey"][:-1] + "!")
    for _ in range(2):
        with pytest.raises(AuthenticationFailed):
            session.observe()
    assert account.requests.total() == 1


@pytest.mark.promise(8)
def test_promise_8_the_rate_is_kept(make_cloud_one: Make, fake_time: Any) -> None:
    """At the whole of a limit of 20 calls a minute, 50 calls see no 429 and take the time that they must."""
    account = make_cloud_one(rate_limit=RateLimit(per_key=20))
    fake_time.on_sleep = lambda seconds: account.clock.advance(timedelta(seconds=seconds))
    credential = Credential({"apiKey": Secret(account.credentials["apiKey"])}, None)
    pacer = Pacer(20, 60.0, clock=fake_time.clock, sleep=fake_time.sleep)
    settings = ConnectionSettings(write=True, timeout=5.0)
    session = Session(account.endpoint, credential, settings, pacer=pacer, clock=fake_time.clock, sleep=fake_time.sleep)
    for _ in range(25):
        session.observe()
    assert account.requests.total() == session.calls == 50
    assert sum(fake_time.slept) == pytest.approx(122.4, abs=0.1)
    session.close()


def test_too_many_requests_are_waited_out(account: CloudOne, open_session: Open, fake_time: Any) -> None:
    """`Retry-After` is honoured, for creations too: a call that was counted out did not act."""
    session = open_session(account)
    account.faults.inject("rate-limited", retry_after=7, method="POST")
    session.create_key("splunk", OPEN, "full-access", mark())
    assert 7 in fake_time.slept
    assert account.requests["POST /apikeys"] == 2


def test_verify(make_cloud_one: Make, open_session: Open) -> None:
    """A secret is good, or bad; a key that is disabled or not meant for us cannot be told; trouble proves nothing."""
    account = make_cloud_one(client_address="192.0.2.1")
    session = open_session(account)
    good = session.create_key("splunk", OPEN, "read-only", mark())
    assert session.verify(good) is Verification.GOOD
    other = session.create_key("other", OPEN, "read-only", mark())
    assert session.verify(Issued(good.vendor_id, other.secret)) is Verification.BAD
    wrong = Secret(f"{good.vendor_id}:wrong")
    assert session.verify(Issued(good.vendor_id, {"apiKey": wrong})) is Verification.BAD
    assert session.verify(Issued(good.vendor_id, {"apiKey": Secret("no header")})) is Verification.BAD
    assert session.verify(Issued(good.vendor_id, {"apiKey": "plain"})) is Verification.BAD
    for change in ({"state": "locked"}, {"allowedIPs": NETWORKS}):
        elsewhere = session.create_key("elsewhere", {**OPEN, **change}, "read-only", mark())
        assert session.verify(elsewhere) is Verification.UNVERIFIABLE
    for fault in ("forbidden", "html", "error-before"):
        account.faults.clear()
        account.faults.inject(fault, times=None)
        assert session.verify(good) is Verification.UNVERIFIABLE
    account.faults.clear()
    session.delete_key(good.vendor_id)
    assert session.verify(good) is Verification.BAD
    account.faults.inject("forbidden", nth=2, times=None)
    assert session.verify(good) is Verification.UNVERIFIABLE
    account.faults.clear()
    assert session.find_key("other", mark()) is None


def test_a_role_that_lacks_rights_cannot_tell(account: CloudOne, open_session: Open) -> None:
    """A key that may not look at another one proves nothing about it."""
    session = open_session(account)
    weak = account.add_role("weak")
    one = session.create_key("one", OPEN, weak, mark())
    two = session.create_key("two", OPEN, weak, mark())
    assert session.verify(one) is Verification.GOOD
    assert session.verify(Issued(one.vendor_id, two.secret)) is Verification.UNVERIFIABLE


def test_what_there_is_not(account: CloudOne, open_session: Open) -> None:
    """No new secret for a key, no handoff, nobody who clicks."""
    session = open_session(account)
    with pytest.raises(InvalidInput, match="new key"):
        session.regenerate_key("1")
    with pytest.raises(InvalidInput, match="no handoff"):
        session.accept_key({})
    session.clicked("splunk", datetime(2026, 1, 1, tzinfo=UTC))
    assert session.calls == 0


@pytest.mark.promise(1)
@pytest.mark.parametrize("one_time_field", ["secret", "apiKey"])
@pytest.mark.parametrize("fault", ["", "truncated", "cut-off", "error-after", "reset-after", "html", "unauthorized"])
def test_promise_1_no_secret_in_any_representation(
    make_cloud_one: Make, open_session: Open, caplog: pytest.LogCaptureFixture, fault: str, one_time_field: str
) -> None:
    """Whatever happens while secrets are issued and listed, nothing that can be printed holds one."""
    caplog.set_level(logging.DEBUG)
    account = make_cloud_one(one_time_field=one_time_field, secrets_in_lists=True)
    session = open_session(account)
    seen = [repr(session), repr(vars(session._client)), repr(vars(session._client._transport))]
    seen.append(repr(session.observe()))
    errors: list[ReconcilerError] = []
    if fault:
        account.faults.inject(fault, path="/apikeys")
    try:
        issued = session.create_key("splunk", OPEN, "full-access", mark())
        seen += [repr(issued), repr(session.verify(issued))]
        assert set(issued.secret) == {"apiKey", "keyId", "endpoint"}
        assert issued.secret["apiKey"] == Secret(f"{issued.vendor_id}:{account.issued[-1]}")
    except (OutcomeUnknown, AuthenticationFailed) as error:
        errors.append(error)
        seen += [repr(error), "".join(traceback.format_exception(error)), repr(error.__dict__)]
    assert bool(errors) == bool(fault)
    assert all(error.__context__ is None for error in errors)
    text = caplog.text + "".join(seen)
    assert account.issued
    for secret in account.issued:
        assert secret not in text
    assert "POST /apikeys" in caplog.text


def test_connecting_makes_no_call(account: CloudOne) -> None:
    """And gives a session at the tenant's endpoint."""
    credential = Credential({"apiKey": Secret(account.credentials["apiKey"])}, account.endpoint)
    session = PROVIDER.connect(account.endpoint, credential, ConnectionSettings(write=False))
    assert session.calls == 0
    session.close()
