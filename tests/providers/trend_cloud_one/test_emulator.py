"""The emulator itself: what the vendor's page lists, asked for with a client that is not ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reconciler.emulator.base import RateLimit, Settings
from reconciler.providers.trend_cloud_one.emulator import FULL_ACCESS, READ_ONLY, emulator
from reconciler.providers.trend_cloud_one.emulator.options import CALLS_PER_KEY
from tests.support.trend_others import CloudOne

Make = Callable[..., CloudOne]
NEW = {"alias": "splunk", "roleID": READ_ONLY}


def test_a_secret_is_shown_once(account: CloudOne) -> None:
    """In the answer to the creation, and in no other; the credential is id and secret."""
    created = account.call("POST", "/apikeys", NEW).json
    key = f"{created['id']}:{created['secret']}"
    assert created["secret"] == account.issued[-1]
    described = account.call("GET", f"/apikeys/{created['id']}", key=key).json
    assert described["urn"].endswith(f":apikey/{created['id']}")
    assert described["lastActivity"] == "2026-01-01T00:00:00Z"
    assert "secret" not in described
    listed = account.call("GET", "/apikeys?limit=0&roleID=read-only").json
    assert [one["alias"] for one in listed["apikeys"]] == ["splunk"]
    assert "secret" not in listed["apikeys"][0]


def test_pages(make_cloud_one: Make) -> None:
    """25 by default, more if asked for, clamped or refused beyond the largest; cursors and limits are checked."""
    account = make_cloud_one(largest_page=40)
    for number in range(60):
        account.add_key(f"k{number}")
    assert len(account.call("GET", "/apikeys").json["apikeys"]) == 25
    page = account.call("GET", "/apikeys?limit=1000").json
    assert len(page["apikeys"]) == 40
    rest = account.call("GET", f"/apikeys?limit=40&cursor={page['next']}").json
    assert (len(rest["apikeys"]), rest["next"]) == (21, "")
    for query in ("limit=-1", "limit=x", "cursor=7", "cursor=", "roleID=A_B"):
        assert account.call("GET", f"/apikeys?{query}").status == 400
    strict = make_cloud_one(largest_page=40, beyond_largest="refuse")
    assert strict.call("GET", "/roles?limit=41").status == 400


@pytest.mark.parametrize(
    "body",
    [
        {"alias": "x"},
        {"roleID": READ_ONLY},
        {**NEW, "alias": ""},
        {**NEW, "roleID": "nothing"},
        {**NEW, "locale": "fr"},
        {**NEW, "timezone": "Mars/Olympus"},
        {**NEW, "enabled": 1},
        {**NEW, "allowedIPs": ["203.0.113.0/28"]},
        {**NEW, "allowedIPs": "203.0.113.7"},
        {**NEW, "allowedCIDRs": ["203.0.113.7"]},
        {**NEW, "allowedCIDRs": ["203.0.113.7/28"]},
        {**NEW, "expires": "never"},
        [],
        b"{",
    ],
)
def test_bad_requests(account: CloudOne, body: Any) -> None:
    """Each wrong property is refused, and nothing is made."""
    assert account.call("POST", "/apikeys", body).status == 400
    assert len(account.keys()) == 1


def test_who_gets_in(make_cloud_one: Make) -> None:
    """The right header, an enabled key, an allowed address, a role that may."""
    account = make_cloud_one(excluded_status=403, client_address="192.0.2.1")
    assert account.call("GET", "/apikeys", Api_Version="").status == 400
    assert account.call("GET", "/apikeys", Authorization="").status == 401
    assert account.call("GET", "/apikeys", key="a:b").status == 401
    reader = account.add_key("reader", READ_ONLY)
    assert account.call("GET", "/apikeys", key=reader).status == 200
    assert account.call("GET", "/roles/full-access", key=reader).json["name"] == "Full Access"
    assert account.call("POST", "/apikeys", NEW, key=reader).status == 403
    account.edit_key("reader", enabled=False)
    assert account.call("GET", "/apikeys", key=reader).message == (401, "Authentication failed.")
    account.edit_key("reader", enabled=True, allowedCIDRs=["203.0.113.0/28"])
    assert account.call("GET", "/apikeys", key=reader).status == 403
    account.edit_key("reader", allowedIPs=["192.0.2.1"])
    assert account.call("GET", "/apikeys", key=reader).status == 200
    account.delete_key("reader")
    assert account.call("GET", "/apikeys", key=reader).status == 401
    with pytest.raises(LookupError):
        account.delete_key("reader")


def test_roles(make_cloud_one: Make) -> None:
    """Custom roles come and go; one in use or shipped stays, unless the account is lenient."""
    account = make_cloud_one()
    role = account.call("POST", "/roles", {"name": "r"}).json["id"]
    assert account.call("POST", "/roles", {"serviceRoleURNs": []}).status == 400
    assert account.call("POST", f"/roles/{role}", {"serviceRoleURNs": ["auditor"]}).status == 400
    account.add_key("user", role)
    assert account.call("DELETE", f"/roles/{role}").status == 400
    assert account.call("DELETE", f"/roles/{FULL_ACCESS}").status == 400
    assert account.call("DELETE", "/roles/nothing").message == (404, "The role does not exist.")
    lenient = make_cloud_one(role_in_use="allow")
    role = lenient.add_role("r")
    lenient.add_key("user", role)
    assert lenient.call("DELETE", f"/roles/{role}").status == 200


def test_limits_say_how_long_to_wait(make_cloud_one: Make) -> None:
    """429 comes with Retry-After, counts no refused call, and ends with the window."""
    account = make_cloud_one(rate_limit=RateLimit(per_key=2), retry_after=9)
    assert [account.call("GET", "/roles").status for _ in range(4)] == [200, 200, 429, 429]
    assert account.call("GET", "/roles").headers["Retry-After"] == "9"
    account.clock.advance(timedelta(seconds=60))
    assert account.call("GET", "/roles").status == 200
    assert make_cloud_one(rate_limit=RateLimit()).options.calls_per_key == CALLS_PER_KEY


def test_hidden_and_seeded(account: CloudOne) -> None:
    """A fault hides a new key from one listing; a seed makes everything the same again."""
    account.faults.inject("hidden-in-list")
    account.call("POST", "/apikeys", NEW)
    assert [len(account.call("GET", "/apikeys").json["apikeys"]) for _ in range(2)] == [1, 2]
    assert emulator(Settings(seed=1)).credentials == emulator(Settings(seed=1)).credentials
