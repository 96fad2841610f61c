"""The emulator itself: what the vendor's page lists, asked for with a client that is not ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from reconciler.emulator.base import RateLimit, Settings
from reconciler.providers.trend_vision_one.emulator import MASTER, emulator
from reconciler.providers.trend_vision_one.emulator.options import CALLS_PER_KEY, LARGEST_BODY
from tests.support.trend_others import VisionOne

Make = Callable[..., VisionOne]
KEYS = "/v3.0/iam/apiKeys"
NEW = {"name": "splunk", "role": "Auditor"}


def make_key(tenant: VisionOne, **more: Any) -> dict[str, Any]:
    [item] = tenant.call("POST", KEYS, [{**NEW, **more}]).json
    assert item["status"] == 201
    found: dict[str, Any] = item["body"]
    return found


def test_each_item_has_its_own_status(tenant: VisionOne) -> None:
    """207 for the whole; some items succeed and others do not."""
    items = [NEW, NEW, {"name": "x"}, {**NEW, "role": MASTER}, 7, {**NEW, "name": "other", "monthsToExpiration": 3}]
    answer = tenant.call("POST", KEYS, items)
    assert answer.status == 207
    assert [item["status"] for item in answer.json] == [201, 409, 400, 400, 400, 201]
    assert answer.json[1]["body"]["error"]["code"] == "Conflict"
    assert answer.json[5]["body"]["expiredDateTime"] == "2026-04-01T00:00:00Z"
    ids = [{"id": answer.json[0]["body"]["id"]}, {"id": "nothing"}, {}]
    assert [item["status"] for item in tenant.call("POST", f"{KEYS}/delete", ids).json] == [204, 404, 400]
    assert tenant.call("POST", KEYS, []).status == 400
    assert tenant.call("POST", KEYS, NEW).status == 400


@pytest.mark.parametrize(
    "wrong",
    [
        {"monthsToExpiration": 2},
        {"monthsToExpiration": True},
        {"status": "locked"},
        {"role": "Nobody"},
        {"name": ""},
        {"description": 7},
        {"description": "too long"},
        {"colour": "red"},
    ],
)
def test_bad_requests(make_vision_one: Make, wrong: dict[str, Any]) -> None:
    """Each wrong property is refused, and nothing is made."""
    tenant = make_vision_one(longest_description=4)
    [item] = tenant.call("POST", KEYS, [{**NEW, **wrong}]).json
    assert item["status"] == 400
    assert len(tenant.keys()) == 1


def test_a_token_is_shown_once(tenant: VisionOne) -> None:
    """In the answer to the creation, and in no other."""
    made = make_key(tenant)
    assert made["value"] == tenant.issued[-1]
    assert "value" not in tenant.call("GET", f"{KEYS}/{made['id']}").text
    assert made["value"] not in tenant.call("GET", KEYS).text
    assert tenant.call("GET", "/v3.0/healthcheck/connectivity", token=made["value"]).json == {"status": "available"}
    assert tenant.call("GET", KEYS, token=made["value"]).status == 403


def test_etags(make_vision_one: Make) -> None:
    """Needed for a change, quoted or not; every change makes another; a stale one is refused."""
    tenant = make_vision_one(names_ignore_case=True)
    key = f"{KEYS}/{make_key(tenant)['id']}"
    etag = tenant.call("GET", key).headers["ETag"]
    assert tenant.call("PATCH", key, {"description": "a"}).status == 400
    assert tenant.call("PATCH", key, {"description": "a"}, If_Match=etag).status == 204
    stale = tenant.call("PATCH", key, {"description": "b"}, If_Match=etag)
    assert (stale.status, stale.json["error"]["code"]) == (412, "PreconditionFailed")
    etag = tenant.call("GET", key).headers["ETag"].strip('"')
    assert tenant.call("PATCH", key, {"monthsToExpiration": 1}, If_Match=etag).status == 400
    assert tenant.call("PATCH", key, {"name": "Bootstrap"}, If_Match=etag).status == 409
    assert tenant.call("PATCH", key, {"name": "Splunk"}, If_Match=etag).status == 204
    assert tenant.call("GET", f"{KEYS}/nothing").json["error"]["code"] == "NotFound"


def test_who_gets_in(tenant: VisionOne) -> None:
    """The right token of a key that is enabled and not at its end."""
    made = make_key(tenant, monthsToExpiration=1)
    ask = "/v3.0/healthcheck/connectivity"
    assert tenant.call("GET", ask, Authorization="").json["error"]["code"] == "InvalidCredentials"
    assert tenant.call("GET", ask, token="wrong").status == 401
    tenant.edit_key("splunk", status="disabled")
    assert tenant.call("GET", ask, token=made["value"]).status == 401
    tenant.edit_key("splunk", status="enabled")
    tenant.clock.advance(timedelta(days=31) - timedelta(seconds=1))
    assert tenant.call("GET", ask, token=made["value"]).status == 200
    tenant.clock.advance(timedelta(seconds=1))
    assert tenant.call("GET", ask, token=made["value"]).status == 401
    tenant.delete_key("splunk")
    with pytest.raises(LookupError):
        tenant.delete_key("splunk")


def test_lists(tenant: VisionOne) -> None:
    """Pages of three sizes, in eight orders; links repeat what was asked for."""
    for number in range(60):
        tenant.clock.advance(timedelta(seconds=1))
        tenant.add_key(f"k{number:02}", monthsToExpiration=1)
    first = tenant.call("GET", KEYS).json
    assert (first["count"], first["totalCount"], first["items"][0]["name"]) == (50, 61, "k59")
    link = urlsplit(first["nextLink"])
    rest = tenant.call("GET", f"{link.path}?{link.query}").json
    assert (rest["count"], "nextLink" in rest) == (11, False)
    for field in ("createdDateTime", "expiredDateTime", "lastModifiedDateTime"):
        ordered = tenant.call("GET", f"{KEYS}?top=100&orderBy={field} asc").json["items"]
        assert ordered[0]["name"] == "bootstrap"
    used = tenant.call("GET", f"{KEYS}?top=200&orderBy=lastUsedDateTime desc").json["items"]
    assert used[0]["name"] == "bootstrap"
    for query in ("top=20", "orderBy=name", "orderBy=createdDateTime up", "skipToken=x"):
        assert tenant.call("GET", f"{KEYS}?{query}").status == 400


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("name eq 'a'", ["a"]),
        ("name eq 'it''s'", ["it's"]),
        ("name eq 'a' or name eq 'b' and status eq 'disabled'", ["a", "b"]),
        ("(name eq 'a' or name eq 'b') and not status eq 'disabled'", ["a"]),
        ("not (role eq 'Auditor')", ["bootstrap"]),
        ("id eq 'nothing'", []),
    ],
)
def test_filters(tenant: VisionOne, text: str, names: list[str]) -> None:
    """`eq`, `and`, `or`, `not` and parentheses, over four fields."""
    for name in ("a", "b", "it's"):
        tenant.add_key(name, "Auditor", status="disabled" if name == "b" else "enabled")
    found = tenant.call("GET", f"{KEYS}?orderBy=createdDateTime asc", TMV1_Filter=text).json["items"]
    assert [key["name"] for key in found] == names


@pytest.mark.parametrize(
    "text",
    ["name", "name eq", "name eq a", "name ne 'a'", "description eq 'a'", "(name eq 'a'", "name eq 'a' name", "%", "not",
     f"name eq '{'a' * 1024}'"],
)  # fmt: skip
def test_bad_filters(tenant: VisionOne, text: str) -> None:
    """What cannot be read is refused, and so is what is too long."""
    assert tenant.call("GET", KEYS, TMV1_Filter=text).status == 400


def test_limits(make_vision_one: Make) -> None:
    """429 ends with the window and counts no refused call; 413 beyond a megabyte; 400 for what is no JSON."""
    tenant = make_vision_one(rate_limit=RateLimit(per_key=2), retry_after=5)
    assert [tenant.call("GET", KEYS).status for _ in range(4)] == [200, 200, 429, 429]
    assert tenant.call("GET", KEYS).headers["Retry-After"] == "5"
    tenant.clock.advance(timedelta(seconds=60))
    assert tenant.call("POST", KEYS, b" " * LARGEST_BODY + b"[]").status == 413
    assert tenant.call("POST", KEYS, b"{").status == 400
    assert make_vision_one(rate_limit=RateLimit()).options.calls_per_key == CALLS_PER_KEY


def test_hidden_and_seeded(tenant: VisionOne) -> None:
    """A fault hides a new key from one listing; a seed makes everything the same again."""
    tenant.faults.inject("hidden-in-list")
    tenant.call("POST", KEYS, [NEW])
    assert [tenant.call("GET", KEYS).json["totalCount"] for _ in range(2)] == [1, 2]
    assert emulator(Settings(seed=1)).credentials == emulator(Settings(seed=1)).credentials
