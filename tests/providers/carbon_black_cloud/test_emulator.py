"""The emulator against what the vendor page says of the product (section 12), request by request."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reconciler.emulator.base import RateLimit, Settings
from reconciler.providers.carbon_black_cloud.emulator import (
    BOOTSTRAP,
    SUPER_ADMIN,
    VIEW_ALL,
    BlackCloud,
    Options,
    Refused,
    emulator,
)
from tests.support.carbonblack import CarbonBlack

GRANTS = "/access/v2/orgs/{org}/grants"
SEARCH = "/audit_log/v1/orgs/{org}/logs/_search"
QUEUE = "/audit_log/v1/orgs/{org}/logs/_queue"
FIND = "/appservices/v5/orgs/{org}/connectors/find"
OURS = "/emulator-defined/orgs/{org}"


@pytest.fixture
def key(carbonblack: CarbonBlack) -> str:
    """A key without a grant, and an access level `reader`."""
    carbonblack.click_create_level("reader", {"org.alerts": ["READ"]}, description="Reads")
    return carbonblack.click_create_key("splunk", "reader", grant=False)[0]


@pytest.fixture
def grant(carbonblack: CarbonBlack, key: str) -> dict[str, Any]:
    """The body that grants it `reader`."""
    return {
        "principal": carbonblack.org.principal(key),
        "org_ref": f"psc:org:{carbonblack.org.key}",
        "principal_name": "splunk",
        "roles": [f"psc:role:{carbonblack.org.key}:READER"],
    }


def test_a_grant_through_its_life(carbonblack: CarbonBlack, grant: dict[str, Any]) -> None:
    """One per principal, a full replacement, 404 where there is none; a deletion answers with what was there."""
    one = f"{GRANTS}/{grant['principal'].replace(':', '%3A')}"
    assert carbonblack.call("GET", one).status == 404
    assert carbonblack.call("PUT", one, grant).status == 404
    made = carbonblack.call("POST", GRANTS, grant)
    assert (made.status, made.json["roles"], made.json["expires"]) == (200, grant["roles"], 0)
    assert carbonblack.call("POST", GRANTS + "/", grant).status == 409
    carbonblack.clock.advance(timedelta(minutes=1))
    put = carbonblack.call("PUT", one, {**grant, "roles": [VIEW_ALL], "principal_name": ""})
    assert put.json["roles"] == [VIEW_ALL]
    assert put.json["create_time"] < put.json["update_time"]
    assert carbonblack.call("GET", f"{GRANTS}/{grant['principal']}").json == put.json
    assert carbonblack.call("PUT", one, {**grant, "principal": f"psc:user:{carbonblack.org.key}:1"}).status == 400
    assert carbonblack.call("DELETE", one).json["roles"] == [VIEW_ALL]
    assert carbonblack.call("DELETE", one).status == 404


@pytest.mark.parametrize(
    "change",
    [
        {"principal": None},
        {"principal": "psc:cnn:X:Y"},
        {"principal": "nonsense"},
        {"org_ref": "psc:org:OTHER"},
        {"roles": ["psc:role:X:NONE"]},
        {"roles": ["psc:role::BETA_VIEW_ALL"], "profiles": [{"roles": []}]},
    ],
)
def test_grants_that_are_refused(carbonblack: CarbonBlack, grant: dict[str, Any], change: dict[str, Any]) -> None:
    """Unknown principals, roles and organisations, and roles beside profiles."""
    assert carbonblack.call("POST", GRANTS, {**grant, **change}).status == 400
    assert carbonblack.call("POST", GRANTS, [grant]).status == 400


def test_profiles(carbonblack: CarbonBlack, grant: dict[str, Any]) -> None:
    """They count instead of roles; deleting one switches it off; a replacement keeps their numbers."""
    one, profile = f"{GRANTS}/{grant['principal']}", {"orgs": {"allow": []}, "roles": grant["roles"]}
    made = carbonblack.call("POST", GRANTS, {**grant, "roles": [], "profiles": [profile]}).json
    number = made["profiles"][0]["profile_uuid"]
    key = grant["principal"].rpartition(":")[2]
    assert carbonblack.level_of(key) == "reader"
    added = carbonblack.call("POST", f"{one}/profiles", profile).json
    assert added["profile_uuid"] != number
    off = carbonblack.call("DELETE", f"{one}/profiles/{number}").json
    assert off["conditions"] == {"disabled": True}
    body = {**profile, "conditions": {"disabled": True}}
    assert (
        carbonblack.call("PUT", f"{one}/profiles/{added['profile_uuid']}", body).json["profile_uuid"]
        == added["profile_uuid"]
    )
    assert carbonblack.level_of(key) is None
    again = carbonblack.call("GET", one).json
    replaced = carbonblack.call(
        "PUT", one, {**again, "profiles": [again["profiles"][0], {**profile, "profile_uuid": "x"}]}
    )
    numbers = [each["profile_uuid"] for each in replaced.json["profiles"]]
    assert (numbers[0], "x" in numbers) == (number, False)
    assert carbonblack.call("DELETE", f"{one}/profiles/none").status == 404
    carbonblack.call("PUT", one, grant)
    assert carbonblack.call("POST", f"{one}/profiles", profile).status == 400


def test_nobody_gives_what_he_lacks(carbonblack: CarbonBlack, grant: dict[str, Any]) -> None:
    """No escalation; who does not manage users and roles gets nowhere; permitted roles are for the caller's id only."""
    roles = "/access/v3/orgs/{org}/principals/ID/roles/permitted?type=API_KEY"
    own = carbonblack.credentials["apiId"]
    carbonblack.click_create_level("manager", {"org.alerts": ["READ"]}, user_role=True)
    api_id, secret = carbonblack.click_create_key("manager", "manager")
    token = f"{secret}/{api_id}"
    assert carbonblack.call("POST", GRANTS, {**grant, "roles": [SUPER_ADMIN]}, token=token).status == 403
    assert carbonblack.call("POST", GRANTS, grant, token=token).status == 200
    shown = carbonblack.call("GET", roles.replace("ID", api_id), token=token).json["results"][carbonblack.org.key]
    assert {role["name"] for role in shown} == {"reader", "manager"}
    assert not [role for role in shown if "permissions" in role]
    assert carbonblack.call("GET", roles.replace("ID", api_id)).status == 403
    assert carbonblack.call("GET", roles.replace("ID", own)).status == 200
    assert carbonblack.call("GET", roles.replace("ID", own).replace("API_KEY", "ROBOT")).status == 400
    weak, secret = carbonblack.click_create_key("weak", "reader")
    for method, path in (
        ("GET", roles.replace("ID", weak)),
        ("POST", GRANTS),
        ("POST", SEARCH),
        ("GET", QUEUE),
        ("POST", FIND),
    ):
        assert carbonblack.call(method, path, {} if method == "POST" else None, token=f"{secret}/{weak}").status == 403


@pytest.mark.parametrize("status", [401, 403])
def test_signing_in(make_carbonblack: Callable[..., CarbonBlack], status: int) -> None:
    """Wrong: 401. Former: 403, or 401 where that is chosen. Another organisation: 403. Failures are flagged."""
    cloud = make_carbonblack(dead_secret_status=status)
    api_id, former = cloud.click_create_key("admin", "Super Admin")
    secret = cloud.click_regenerate_key(api_id)
    assert cloud.call("POST", SEARCH, {}, token=f"{secret}/{api_id}").status == 200
    assert cloud.call("POST", SEARCH, {}, token=f"{former}/{api_id}").status == status
    assert cloud.call("POST", SEARCH, {}, token=f"WRONG/{api_id}").status == 401
    assert cloud.call("POST", SEARCH, {}, token="x").status == 401
    assert cloud.call("POST", SEARCH.replace("{org}", "OTHER"), {}).status == 403
    assert cloud.call("GET", "/nowhere").status == 404
    flagged = cloud.call("POST", SEARCH, {"criteria": {"flagged": True}}).json["results"]
    assert len(flagged) == 2
    cloud.click_edit_key(api_id, ips=["198.51.100.0/24"])
    refused = cloud.call("POST", SEARCH, {}, token=f"{secret}/{api_id}")
    assert (refused.status, "not authorized" in refused.json["message"]) == (403, True)


def test_sessions_are_renewed_every_quarter_of_an_hour(carbonblack: CarbonBlack) -> None:
    """Each renewal is in the log, and its time in the list of keys."""
    for minutes in (0, 14, 1, 15):
        carbonblack.clock.advance(timedelta(minutes=minutes))
        carbonblack.call("POST", SEARCH, {})
    own = carbonblack.credentials["apiId"]
    assert carbonblack.log().count(f"Connector {own} logged in successfully") == 3
    [entry] = [one for one in carbonblack.call("POST", FIND, {}).json["entries"] if one["connectorId"] == own]
    assert entry["stats"]["sessionStartTime"] == carbonblack.clock.now_ms()


def test_the_list_of_keys(make_carbonblack: Callable[..., CarbonBlack]) -> None:
    """Service connectors and old types are in it; rows from 0 or 1; the most rows; secrets where that is chosen."""
    cloud = make_carbonblack(leaks_secrets=False, first_row=1, most_rows=2)
    body = {"fromRow": 1, "maxRows": 50, "sortDefinition": {"fieldName": "TIME", "sortOrder": "ASC"}}
    names = [entry["name"] for entry in cloud.call("POST", FIND, body).json["entries"]]
    assert names == [BOOTSTRAP, "Platform service"]
    entries = cloud.call("POST", FIND, {**body, "fromRow": 2}).json["entries"]
    assert [entry["name"] for entry in entries] == ["Platform service", "old-siem"]
    assert [entry["serviceConnector"] for entry in entries] == [True, False]
    assert entries[1]["connectorType"] == "SIM"
    assert "apiKey" not in entries[0]
    assert cloud.call("POST", FIND.replace("{org}", str(cloud.org.number)), body).status == 200


def test_emulator_defined_paths(carbonblack: CarbonBlack, key: str) -> None:
    """Unique names, fixed type and level, 409 with a notification, 404 for what is gone, grants that go along."""
    level = f"psc:role:{carbonblack.org.key}:READER"
    new = {"name": "a", "description": "d", "type": "CUSTOM", "level": level, "authorizedIps": ["203.0.113.7"]}
    for wrong in ({"type": "SIM"}, {"level": "x"}, {"name": "splunk"}, {"name": ""}, {"authorizedIps": ["x"]}):
        assert carbonblack.call("POST", f"{OURS}/keys", {**new, **wrong}).status == 400
    made = carbonblack.call("POST", f"{OURS}/keys", new).json["key"]
    assert carbonblack.level_of(made["id"]) is None
    one = f"{OURS}/keys/{made['id']}"
    for wrong in ({"type": "CUSTOM"}, {"level": level}, {"name": "splunk"}):
        assert carbonblack.call("PUT", one, {"name": "a", **wrong}).status == 400
    assert carbonblack.call("PUT", one, {"name": "a2"}).status == 200
    assert (carbonblack.keys()[made["id"]].name, carbonblack.keys()[made["id"]].ips) == ("a2", ())
    again = carbonblack.call("POST", f"{one}/secret").json["key"]
    assert again["id"] == made["id"]
    assert again["secret"] != made["secret"] == carbonblack.issued[-2]
    carbonblack.give(made["id"], "reader")
    carbonblack.subscribe(made["id"], "Digest")
    assert carbonblack.call("DELETE", one).status == 409
    with pytest.raises(Refused):
        carbonblack.click_delete_key(made["id"])
    carbonblack.unsubscribe(made["id"])
    assert carbonblack.call("DELETE", one).status == 200
    for method, path in (("DELETE", one), ("PUT", one), ("POST", f"{one}/secret")):
        assert carbonblack.call(method, path, {}).status == 404
    assert carbonblack.org.principal(made["id"]) not in carbonblack.org.grants


def test_emulator_defined_levels(carbonblack: CarbonBlack, key: str) -> None:
    """Unique names; what ships with the product stays; a level in use stays."""
    new = {"name": "b", "description": "", "permissions": {"device": ["READ"]}}
    for wrong in ({"name": "reader"}, {"name": None}, {"permissions": []}):
        assert carbonblack.call("POST", f"{OURS}/levels", {**new, **wrong}).status == 400
    urn = carbonblack.call("POST", f"{OURS}/levels", new).json["urn"]
    assert carbonblack.call("PUT", f"{OURS}/levels/{urn}", {**new, "name": "reader"}).status == 400
    assert carbonblack.call("PUT", f"{OURS}/levels/{urn}", {**new, "name": "c"}).status == 200
    carbonblack.give(key, "c")
    assert carbonblack.call("DELETE", f"{OURS}/levels/{urn}").status == 409
    carbonblack.take_away(key)
    assert carbonblack.call("DELETE", f"{OURS}/levels/{urn}").status == 200
    assert carbonblack.call("DELETE", f"{OURS}/levels/{urn}").status == 404
    assert carbonblack.call("DELETE", f"{OURS}/levels/{SUPER_ADMIN}").status == 404


def test_searching_the_log(carbonblack: CarbonBlack, key: str) -> None:
    """Criteria, exclusions, the search bar's words, phrases and minus, times, order and pages."""
    carbonblack.clock.advance(timedelta(days=2))
    carbonblack.click_edit_key(key, name="splunk2", description="x")
    own = carbonblack.credentials["apiId"]

    def found(**body: Any) -> list[str]:
        return [one["description"] for one in carbonblack.call("POST", SEARCH, body).json["results"]]

    added, updated = (
        next(line for line in carbonblack.log() if line.startswith(word)) for word in ("Added API", "Updated API")
    )
    assert found(query=f'"API ID" {key}') == [updated, added]
    assert found(query=f'{key} -updated -"logged in"') == [added]
    assert found(query=key, sort=[{"field": "create_time", "order": "ASC"}]) == [added, updated]
    assert found(query=key, rows=1, start=1) == [added]
    assert found(criteria={"description": [added]}) == [added]
    assert found(criteria={"create_time": {"range": "-1d"}, "verbose": False}, exclusions={"actor": [own]}) == [updated]
    assert found(
        criteria={"create_time": {"start": "2025-01-01T00:00:00Z", "end": "2026-01-01T00:00:00.000Z"}}, query=key
    ) == [added]
    for wrong in (
        {"criteria": {"colour": 1}},
        {"criteria": {"create_time": {"range": "3"}}},
        {"criteria": {"create_time": {"start": "x", "end": "y"}}},
        {"criteria": {"create_time": {}}},
        {"sort": [{"field": "colour"}]},
        {"rows": "many"},
    ):
        assert carbonblack.call("POST", SEARCH, wrong).status == 400
    assert carbonblack.call("POST", SEARCH, [1]).status == 400


def test_the_queue_forgets_what_it_has_told(carbonblack: CarbonBlack, key: str) -> None:
    """Per caller, from three days back; searching takes nothing out of it."""
    carbonblack.clock.advance(timedelta(days=4))
    carbonblack.click_edit_key(key, description="new")
    first = carbonblack.call("GET", QUEUE).json["results"]
    assert [one["description"].split()[0] for one in first] == ["Updated", "Connector"]
    assert carbonblack.call("GET", QUEUE).json["results"] == []
    carbonblack.click_edit_key(key, description="newer")
    assert carbonblack.call("POST", SEARCH, {}).json["num_found"] > 2
    assert len(carbonblack.call("GET", QUEUE).json["results"]) == 1
    carbonblack.click_create_level("auditor", {"org.audits": ["READ"]})
    api_id, secret = carbonblack.click_create_key("auditor", "auditor")
    assert len(carbonblack.call("GET", QUEUE, token=f"{secret}/{api_id}").json["results"]) > 2


@pytest.mark.parametrize("told", [True, False])
def test_the_rate_limit_grows_with_every_call(make_carbonblack: Callable[..., CarbonBlack], told: bool) -> None:
    """Who goes on calling stays out; who waits as long as told comes in again."""
    cloud = make_carbonblack(calls=2, retry_after=told)
    assert [cloud.call("POST", SEARCH, {}).status for _ in range(3)] == [200, 200, 429]
    cloud.clock.advance(timedelta(seconds=200))
    assert cloud.call("POST", SEARCH, {}).status == 429
    refused = cloud.call("POST", SEARCH, {})
    assert refused.status == 429
    assert refused.headers.get("Retry-After") == ("300" if told else None)
    cloud.clock.advance(timedelta(seconds=100))
    refused = cloud.call("POST", SEARCH, {})
    assert refused.status == 429
    cloud.clock.advance(timedelta(seconds=300))
    assert cloud.call("POST", SEARCH, {}).status == 200


def test_a_person_edits_levels(carbonblack: CarbonBlack, key: str) -> None:
    """The console's hands: what is None stays, and every click is in the log."""
    urn = f"psc:role:{carbonblack.org.key}:READER"
    carbonblack.click_edit_level(urn, description="new")
    assert (carbonblack.levels()[urn].name, carbonblack.levels()[urn].permissions) == ("reader", {"org.alerts:READ"})
    carbonblack.click_edit_level(urn, name="other", permissions={"device": ["READ"]})
    assert (carbonblack.levels()[urn].name, carbonblack.levels()[urn].permissions) == ("other", {"device:READ"})
    carbonblack.click_delete_level(urn)
    carbonblack.click_delete_key(key)
    assert [line.split()[0] for line in carbonblack.log()[-4:]] == ["Updated", "Updated", "Deleted", "Deleted"]
    with pytest.raises(LookupError):
        carbonblack.key_id("splunk")


def test_it_is_made_by_name() -> None:
    """`reconciler emulate` makes one with a rate limit; the same seed gives the same secrets."""
    one, other = (emulator(Settings(seed=3, rate_limit=RateLimit())) for _ in range(2))
    assert one.credentials == other.credentials
    assert one.options.calls == 1000
    assert BlackCloud(Settings(rate_limit=RateLimit(per_tenant=7)), Options()).options.calls == 7
    assert json.loads(bytes(one.error(503, "no").body)) == {"error_code": "HTTP_503", "message": "no"}
    assert one.secret_of(one.key_id(BOOTSTRAP)) == one.credentials["apiSecret"]


def test_hidden_objects_come_back(carbonblack: CarbonBlack, key: str) -> None:
    """A creation that the next list does not show is in the one after."""
    carbonblack.faults.inject("hidden-in-list", path=f"{OURS.replace('{org}', '{org_key}')}/keys")
    new = {"name": "h", "type": "CUSTOM", "level": VIEW_ALL}
    made = carbonblack.call("POST", f"{OURS}/keys", new).json["key"]["id"]
    seen = [{one["connectorId"] for one in carbonblack.call("POST", FIND, {}).json["entries"]} for _ in range(2)]
    assert [made in one for one in seen] == [False, True]
