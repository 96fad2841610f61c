from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.emulator.base import RateLimit, Settings
from reconciler.providers.trend_workload_security.emulator import (
    AUDITOR,
    BOOTSTRAP,
    FULL_ACCESS,
    MINUTE,
    SECOND,
    USER,
    WorkloadSecurity,
    emulator,
)
from reconciler.providers.trend_workload_security.emulator import rights as rights_module
from reconciler.providers.trend_workload_security.emulator import search as search_module
from reconciler.providers.trend_workload_security.emulator.errors import Invalid
from tests.support.emulators import Trend

KEY = {"keyName": "siem", "roleID": 1, "active": True}
VIEW_KEYS = "platformRights.apikeyRights.canViewApiKeys"
MakeTrend = Callable[..., Trend]


def create(trend: Trend, **properties: Any) -> dict[str, Any]:
    answer = trend.call("POST", "/apikeys", {**KEY, **properties})
    assert answer.status == 200, answer.text
    return answer.json


def works(trend: Trend, secret: str) -> bool:
    return trend.call("GET", "/apikeys/current", secret=secret).status == 200


# Secrets


def test_a_secret_is_shown_once(trend: Trend):
    """On creation and on regeneration, and in no other answer."""
    key = create(trend)
    number, secret = key["ID"], key["secretKey"]
    assert secret.partition(":")[0] == str(number)
    for method, path, body in (
        ("GET", "/apikeys", None),
        ("POST", "/apikeys/search", {}),
        ("GET", f"/apikeys/{number}", None),
        ("POST", f"/apikeys/{number}", {"description": "x"}),
    ):
        assert "secretKey" not in trend.call(method, path, body).text
    assert "secretKey" not in trend.call("GET", "/apikeys/current", secret=secret).text


def test_a_regenerated_secret_kills_the_old_one(trend: Trend):
    """At once; the key keeps its number and settings, and a body is ignored."""
    key = create(trend, description="kept")
    answer = trend.call("POST", f"/apikeys/{key['ID']}/secretkey", {"keyName": "ignored"}).json
    assert (answer["ID"], answer["keyName"], answer["description"]) == (key["ID"], "siem", "kept")
    assert not works(trend, key["secretKey"])
    assert works(trend, answer["secretKey"])
    assert trend.secret_of(key["ID"]) == answer["secretKey"]
    assert {key["secretKey"], answer["secretKey"], trend.credentials["secretKey"]} == set(trend.issued)


def test_a_deleted_key_is_dead(trend: Trend):
    """Deletion is permanent, and numbers are not used again."""
    key = create(trend)
    answer = trend.call("DELETE", f"/apikeys/{key['ID']}")
    assert (answer.status, answer.text) == (200, "")
    assert not works(trend, key["secretKey"])
    assert trend.call("DELETE", f"/apikeys/{key['ID']}").message == (404, "The API key does not exist.")
    assert create(trend)["ID"] == key["ID"] + 1


# Authentication


@pytest.mark.parametrize("version", ["", "v2"])
def test_the_version_header_is_needed(trend: Trend, version: str):
    """Missing or unknown: 400."""
    answer = trend.call("GET", "/apikeys", api_version=version)
    assert answer.message == (400, "The api-version header is missing or not supported.")


@pytest.mark.parametrize("secret", ["nonsense", "1:nonsense", "99:nonsense", ":", "x:y"])
def test_a_wrong_secret_is_401(trend: Trend, secret: str):
    """Whatever it looks like."""
    assert trend.call("GET", "/apikeys", secret=secret).status == 401


def test_no_credential_is_401(trend: Trend):
    """Neither key nor session."""
    assert trend.call("GET", "/apikeys", api_secret_key="").status == 401


def test_success_is_remembered(trend: Trend):
    """`lastSignIn` is absent until the key has been used, and then moves."""
    key = create(trend)
    path = f"/apikeys/{key['ID']}"
    assert "lastSignIn" not in trend.call("GET", path).json
    trend.clock.advance(timedelta(seconds=5))
    assert works(trend, key["secretKey"])
    assert trend.call("GET", path).json["lastSignIn"] == key["created"] + 5000


def test_a_key_expires(trend: Trend):
    """It stops authenticating at that instant, and works again when its expiry is moved or removed."""
    key = create(trend, expiryDate=trend.clock.now_ms() + 10_000)
    assert works(trend, key["secretKey"])
    trend.clock.advance(timedelta(seconds=10))
    assert not works(trend, key["secretKey"])
    trend.call("POST", f"/apikeys/{key['ID']}", {"expiryDate": trend.clock.now_ms() + 1})
    assert works(trend, key["secretKey"])
    changed = trend.call("POST", f"/apikeys/{key['ID']}", {"expiryDate": 0}).json
    assert "expiryDate" not in changed
    trend.clock.advance(timedelta(days=9999))
    assert works(trend, key["secretKey"])


def test_a_locked_key_stays_locked_until_it_is_unlocked(trend: Trend):
    """`active: false` stops authentication, for however long."""
    key = create(trend, active=False)
    assert not works(trend, key["secretKey"])
    trend.clock.advance(timedelta(days=365))
    assert not works(trend, key["secretKey"])
    trend.call("POST", f"/apikeys/{key['ID']}", {"active": True})
    assert works(trend, key["secretKey"])


def test_wrong_secrets_lock_a_key_for_a_while(make_trend: MakeTrend):
    """The right secret no longer helps; when the time is up, or a person unlocks the key, it does."""
    trend = make_trend(wrong_secrets=3, lock_ms=60_000)
    key = create(trend)
    path = f"/apikeys/{key['ID']}"

    def lock() -> None:
        for _ in range(4):
            trend.call("GET", "/apikeys", secret=f"{key['ID']}:wrong")

    lock()
    shown = trend.call("GET", path).json
    assert (shown["active"], shown["unsuccessfulSignInAttempts"]) == (False, 4)
    assert shown["unlockTime"] == trend.clock.now_ms() + 60_000
    assert not works(trend, key["secretKey"])
    trend.clock.advance(timedelta(seconds=59))
    assert not works(trend, key["secretKey"])
    trend.clock.advance(timedelta(seconds=1))
    assert works(trend, key["secretKey"])
    shown = trend.call("GET", path).json
    assert (shown["active"], shown["unsuccessfulSignInAttempts"], "unlockTime" in shown) == (True, 0, False)
    lock()
    assert "unlockTime" not in trend.call("POST", path, {"active": True}).json
    assert works(trend, key["secretKey"])
    lock()
    assert "unlockTime" not in trend.call("POST", path, {"active": False}).json
    trend.clock.advance(timedelta(days=1))
    assert not works(trend, key["secretKey"])


def test_the_right_secret_forgives_wrong_ones(make_trend: MakeTrend):
    """Only wrong secrets in a row count."""
    trend = make_trend(wrong_secrets=2)
    key = create(trend)
    for _ in range(3):
        trend.call("GET", "/apikeys", secret=f"{key['ID']}:wrong")
        assert works(trend, key["secretKey"])


def test_a_lock_can_last_until_somebody_ends_it(make_trend: MakeTrend):
    """Without a time there is no `unlockTime`."""
    trend = make_trend(wrong_secrets=1, lock_ms=None)
    key = create(trend)
    trend.call("GET", "/apikeys", secret=f"{key['ID']}:wrong")
    trend.clock.advance(timedelta(days=30))
    assert not works(trend, key["secretKey"])
    assert "unlockTime" not in trend.call("GET", f"/apikeys/{key['ID']}").json


def test_an_unlock_time_can_be_set(trend: Trend):
    """A client may say when a lock-out ends, in the same or a later call."""
    key = create(trend, active=False, unlockTime=trend.clock.now_ms() + 1000)
    assert not works(trend, key["secretKey"])
    trend.clock.advance(timedelta(seconds=1))
    assert works(trend, key["secretKey"])


def test_a_session_can_do_everything_but_be_a_key(trend: Trend):
    """Signing in gives a cookie; `/current` is refused to it; signing out ends it."""
    login = "/rest/authentication/login/primary"
    wrong = trend.call("POST", login, {"dsCredentials": {"userName": USER, "password": "guess"}})
    assert (wrong.status, wrong.json["error"]["message"]) == (401, "User name or password is wrong.")
    assert trend.call("POST", login, ["nonsense"]).status == 401
    session = trend.call("POST", login, {"dsCredentials": {"userName": USER, "password": trend.password}}).text

    def call(method: str, path: str, json: Any = None) -> Any:
        return trend.call(method, path, json, api_secret_key="", cookie=f"sID={session}")

    assert call("GET", "/roles").status == 200
    assert call("POST", "/apikeys", KEY).json["keyName"] == "siem"
    for method, path in (("GET", ""), ("POST", ""), ("POST", "/secretkey")):
        assert call(method, f"/apikeys/current{path}", {}).status == 403
    trend.call("DELETE", f"/rest/authentication/logout?sID={session}")
    assert call("GET", "/roles").status == 401


def test_an_account_level_key_may_not_touch_keys(trend: Trend):
    """`/roles` takes it, `/apikeys` is for legacy keys only, but for looking at oneself."""
    account = f"ApiKey {trend.add_account_key()}"

    def call(method: str, path: str, json: Any = None) -> Any:
        return trend.call(method, path, json, api_secret_key="", authorization=account)

    assert call("POST", "/roles", {"name": "siem"}).status == 200
    for method, path in (
        ("GET", "/apikeys"),
        ("POST", "/apikeys"),
        ("POST", "/apikeys/search"),
        ("GET", "/apikeys/1"),
        ("POST", "/apikeys/1"),
        ("DELETE", "/apikeys/1"),
        ("POST", "/apikeys/1/secretkey"),
        ("POST", "/tenants/0/apikeys"),
    ):
        assert call(method, path).message == (403, "This operation takes legacy API keys only.")
    current = call("GET", "/apikeys/current").json
    assert (current["tenantID"], current["active"], "ID" in current) == (0, True, False)
    assert call("POST", "/apikeys/current/secretkey").status == 403
    assert trend.call("GET", "/roles", api_secret_key="", authorization=f"{account}x").status == 401
    assert trend.call("GET", "/roles", api_secret_key="", authorization="ApiKey nobody:x").status == 401


def test_an_account_level_key_whose_role_is_gone(trend: Trend):
    """It can do nothing, not even look at itself."""
    account = f"ApiKey {trend.add_account_key(trend.add_role('temp'))}"
    trend.delete_role("temp")
    for path in ("/roles", "/apikeys/current"):
        assert trend.call("GET", path, api_secret_key="", authorization=account).status == 403


# Rights


@pytest.mark.parametrize(
    ("method", "path", "right", "message"),
    [
        ("GET", "/apikeys", VIEW_KEYS, "Not authorized to view API keys."),
        ("POST", "/apikeys/search", VIEW_KEYS, "Not authorized to view API keys."),
        ("GET", "/apikeys/1", VIEW_KEYS, "Not authorized to view API keys."),
        ("POST", "/apikeys", "canCreateNewApiKeys", "Not authorized to create API keys."),
        ("POST", "/apikeys/1", "canEditApiKeyProperties", "Not authorized to modify API keys."),
        ("POST", "/apikeys/current", "canEditApiKeyProperties", "Not authorized to modify API keys."),
        ("POST", "/apikeys/1/secretkey", "canEditApiKeyProperties", "Not authorized to generate API secret keys."),
        ("DELETE", "/apikeys/1", "canDeleteApiKeys", "Not authorized to delete API keys."),
        ("POST", "/tenants/0/apikeys", "canManageTenantAPIKeys", "Not authorized to manage tenant API keys."),
        ("GET", "/roles", "canViewAdministratorRoles", "Not authorized to view administrator roles."),
        ("POST", "/roles/search", "canViewAdministratorRoles", "Not authorized to view administrator roles."),
        ("GET", "/roles/1", "canViewAdministratorRoles", "Not authorized to view administrator roles."),
        ("POST", "/roles", "canCreateNewAdministratorRoles", "Not authorized to create administrator roles."),
        ("POST", "/roles/1", "canEditAdministratorRoleProperties", "Not authorized to modify administrator roles."),
        ("DELETE", "/roles/1", "canDeleteAdministratorRoles", "Not authorized to delete administrator roles."),
    ],
)
def test_every_operation_needs_its_right(trend: Trend, method: str, path: str, right: str, message: str):
    """A role with every right but one is refused just that, with the vendor's message; with the right it goes on."""
    (needed,) = {one for one in rights_module.ALL if one.endswith(right)}
    trend.add_role("all but one", rights_module.ALL - {needed})
    trend.add_role("just one", frozenset({needed}))
    without, just = trend.add_key("without", "all but one"), trend.add_key("just", "just one")
    assert trend.call(method, path, {}, secret=without).message == (403, message)
    assert trend.call(method, path, {}, secret=just).status != 403


def test_a_new_secret_for_oneself_needs_no_right(trend: Trend):
    """A key without any right can look at itself and replace its secret."""
    trend.add_role("nothing")
    secret = trend.add_key("humble", "nothing")
    assert works(trend, secret)
    renewed = trend.call("POST", "/apikeys/current/secretkey", secret=secret).json["secretKey"]
    assert works(trend, renewed)
    assert not works(trend, secret)


def test_auditor_reads_and_writes_nothing(trend: Trend):
    """The built-in role sees keys and roles."""
    secret = trend.add_key("auditor", AUDITOR)
    assert [trend.call("GET", path, secret=secret).status for path in ("/apikeys", "/roles")] == [200, 200]
    assert trend.call("POST", "/apikeys", KEY, secret=secret).status == 403


def test_a_role_can_be_held_to_lesser_rights(trend: Trend):
    """Whoever may only handle equal or lesser rights cannot make or touch a key or role that can do more."""
    keys = frozenset(one for one in rights_module.ALL if ".apikeyRights." in one or ".administratorRoleRights." in one)
    limit = {"canOnlyManipulateUsersWithEqualOrLesserRights": True}
    clerk_role = trend.add_role("clerk", keys, **limit)
    nothing = trend.add_role("nothing")
    mighty = trend.add_role("mighty", rights_module.ALL)
    clerk = trend.add_key("clerk", "clerk")
    for method, path, body in (
        ("POST", "/apikeys", KEY),
        ("POST", "/apikeys/1", {"description": "x"}),
        ("POST", "/apikeys/1/secretkey", None),
        ("DELETE", "/apikeys/1", None),
        ("POST", "/apikeys/current", {"roleID": 1}),
        ("POST", f"/roles/{mighty}", {"description": "x"}),
        ("DELETE", f"/roles/{mighty}", None),
        (
            "POST",
            "/roles",
            {"name": "x", "rights": {"platformRights": {"alertRights": {"canDismissGlobalAlerts": True}}}},
        ),
    ):
        assert trend.call(method, path, body, secret=clerk).status == 403
    assert trend.call("POST", "/apikeys", {**KEY, "roleID": clerk_role}, secret=clerk).status == 200
    assert trend.call("DELETE", f"/roles/{nothing}", secret=clerk).status == 200


# Keys


def test_booleans_that_are_left_out_are_false(trend: Trend):
    """A key that was created without `active`, or with null, cannot sign in."""
    for name, body in (("a", {}), ("b", {"active": None})):
        key = trend.call("POST", "/apikeys", {"keyName": name, "roleID": 1, **body}).json
        assert key["active"] is False
        assert not works(trend, key["secretKey"])


def test_a_new_key_has_defaults(trend: Trend):
    """What is left out is filled in; what does not exist yet is absent."""
    key = create(trend)
    del key["secretKey"]
    assert key == {
        "ID": 2,
        "keyName": "siem",
        "description": "",
        "locale": "en-US",
        "timeZone": "Etc/UTC",
        "roleID": 1,
        "active": True,
        "created": trend.clock.now_ms(),
        "unsuccessfulSignInAttempts": 0,
        "serviceAccount": False,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keyName": None}, "The property keyName is required."),
        ({"keyName": " "}, "The property keyName is required."),
        ({"roleID": None}, "The property roleID is required."),
        ({"roleID": 9}, "Invalid role: 9"),
        ({"roleID": True}, "Invalid value for property: roleID"),
        ({"locale": "de-DE"}, "Invalid locale: de-DE"),
        ({"timeZone": "Mars/Olympus"}, "Invalid time zone: Mars/Olympus"),
        ({"expiryDate": "2027-01-01"}, "Invalid value for property: expiryDate"),
        ({"expiryDate": -1}, "Invalid value for property: expiryDate"),
        ({"active": "yes"}, "Invalid value for property: active"),
        ({"keyname": "typo"}, "Unknown property: keyname"),
    ],
)
def test_a_bad_property_is_400(trend: Trend, change: dict[str, Any], message: str):
    """Each with a message that says which, and nothing is created."""
    assert trend.call("POST", "/apikeys", {**KEY, **change}).message == (400, message)
    assert len(trend.keys()) == 1


@pytest.mark.parametrize("body", ["[]", '"text"', "{", ""])
def test_a_bad_body_is_400(trend: Trend, body: str, monkeypatch: pytest.MonkeyPatch):
    """No JSON, or JSON that is no object."""
    monkeypatch.setattr("tests.support.emulators.dumps", str)
    status, message = trend.call("POST", "/apikeys", body).message
    assert status == 400
    assert message.startswith("The request body ")


def test_a_modification_changes_what_it_names(trend: Trend):
    """Everything else stays; null is nothing; what only the server sets is ignored."""
    key = create(trend, description="d", expiryDate=9_000_000_000_000)
    del key["secretKey"]
    change = {"timeZone": "Asia/Tokyo", "description": None, "created": 1, "ID": 99, "secretKey": "mine"}
    changed = trend.call("POST", f"/apikeys/{key['ID']}", change).json
    assert changed == {**key, "timeZone": "Asia/Tokyo"}
    assert trend.call("POST", "/apikeys/99", change).message == (404, "The API key does not exist.")
    assert trend.call("POST", f"/apikeys/{key['ID']}", {"keyName": ""}).status == 400


@pytest.mark.parametrize("zone", ["Etc/UTC", "UTC", "Asia/Calcutta", "Asia/Kolkata", "US/Pacific", "SystemV/PST8PDT"])
def test_time_zones_of_all_ages_are_taken(trend: Trend, zone: str):
    """Names of today, former names, and names that only old Java releases had; stored as sent."""
    assert create(trend, timeZone=zone)["timeZone"] == zone


@pytest.mark.parametrize(
    ("sent", "stored"), [("Asia/Calcutta", "Asia/Kolkata"), ("Etc/UTC", "Etc/UTC"), ("SystemV/EST5", "SystemV/EST5")]
)
def test_time_zones_can_be_stored_under_the_canonical_name(make_trend: MakeTrend, sent: str, stored: str):
    """As a server does that normalises."""
    assert create(make_trend(canonical_time_zones=True), timeZone=sent)["timeZone"] == stored


@pytest.mark.parametrize(
    ("unit", "stored"), [(1, 1_893_456_061_234), (SECOND, 1_893_456_061_000), (MINUTE, 1_893_456_060_000)]
)
def test_times_can_be_cut_short(make_trend: MakeTrend, unit: int, stored: int):
    """Every time that the server stores."""
    trend = make_trend(truncate_ms=unit)
    trend.clock.advance(timedelta(seconds=61, milliseconds=1))
    key = create(trend, expiryDate=1_893_456_061_234)
    works(trend, key["secretKey"])
    shown = trend.call("GET", f"/apikeys/{key['ID']}").json
    assert shown["expiryDate"] == stored
    assert shown["created"] == shown["lastSignIn"] == trend.clock.now_ms() // unit * unit


def test_names_may_repeat_unless_told_otherwise(trend: Trend, make_trend: MakeTrend):
    """Two creations are two keys; with the option the second is refused, and so is a rename."""
    assert create(trend)["ID"] != create(trend)["ID"]
    strict = make_trend(unique_names=True)
    create(strict)
    other = create(strict, keyName="other")["ID"]
    for path, body in (("/apikeys", KEY), (f"/apikeys/{other}", {"keyName": "siem"})):
        assert strict.call("POST", path, body).message == (400, "An API key of this name exists.")
    assert strict.call("POST", f"/apikeys/{other}", {"keyName": "other"}).status == 200
    assert strict.call("POST", "/roles", {"name": AUDITOR}).message[1] == "An administrator role of this name exists."


def test_an_expiry_in_the_past_can_be_refused(trend: Trend, make_trend: MakeTrend):
    """Whether the vendor does is not known."""
    assert not works(trend, create(trend, expiryDate=1)["secretKey"])
    strict = make_trend(refuse_past_expiry=True)
    assert strict.call("POST", "/apikeys", {**KEY, "expiryDate": 1}).message == (400, "The expiry date has passed.")


def test_statuses_can_be_those_of_rest_textbooks(make_trend: MakeTrend):
    """201 for creations, 204 for deletions."""
    trend = make_trend(created_statuses=True)
    tenant = trend.add_tenant()
    created = [trend.call("POST", path, body) for path, body in (
        ("/apikeys", KEY), ("/roles", {"name": "siem"}), (f"/tenants/{tenant.id}/apikeys", KEY),
    )]  # fmt: skip
    assert [answer.status for answer in created] == [201, 201, 201]
    for path, answer in zip(("/apikeys", "/roles"), created, strict=False):
        assert trend.call("POST", f"{path}/{answer.json['ID']}", {}).status == 200
        gone = trend.call("DELETE", f"{path}/{answer.json['ID']}")
        assert (gone.status, gone.text) == (204, "")


def test_only_the_primary_tenant_makes_keys_for_others(trend: Trend):
    """A key of another tenant is refused whatever its role; the tenants' keys and roles stay apart."""
    tenant = trend.add_tenant()
    secret = trend.add_key("theirs", tenant=tenant.id)
    assert trend.call("POST", "/tenants/0/apikeys", KEY, secret=secret).status == 403
    trend.add_role("theirs", tenant=tenant.id)
    assert len(trend.roles(tenant.id)) == len(trend.roles()) + 1
    assert trend.call("GET", "/apikeys/1", secret=secret).status == 404


# Roles


def rights(**leaves: bool) -> dict[str, Any]:
    return {"platformRights": {"apikeyRights": leaves}}


def granted(role: dict[str, Any]) -> set[str]:
    return {name for name, value in role["rights"]["platformRights"]["apikeyRights"].items() if value}


def test_a_new_role_grants_what_is_named(trend: Trend, make_trend: MakeTrend):
    """Everything else is false, and the answer shows the whole tree; the console's defaults are an option."""
    role = trend.call("POST", "/roles", {"name": "siem", "rights": rights(canViewApiKeys=True)}).json
    assert granted(role) == {"canViewApiKeys"}
    assert len(role["rights"]) == 11
    assert (role["allComputers"], role["allPolicies"], role["allowUserInterface"]) == (False, False, False)
    generous = make_trend(role_defaults=True).call("POST", "/roles", {"name": "siem", "allPolicies": False}).json
    assert (generous["allComputers"], generous["allPolicies"], generous["allowUserInterface"]) == (True, False, True)


@pytest.mark.parametrize(("how", "left"), [("merge", {"canViewApiKeys"}), ("replace", set())])
def test_rights_that_a_modification_leaves_out(make_trend: MakeTrend, how: str, left: set[str]):
    """They stay, or (an option) become false."""
    trend = make_trend(rights_modify=how)
    number = trend.call("POST", "/roles", {"name": "siem", "rights": rights(canViewApiKeys=True)}).json["ID"]
    change = rights(canDeleteApiKeys=True, canEditApiKeyProperties=False)
    assert granted(trend.call("POST", f"/roles/{number}", {"rights": change}).json) == left | {"canDeleteApiKeys"}
    assert granted(trend.call("POST", f"/roles/{number}", {"name": "x"}).json) == left | {"canDeleteApiKeys"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": None}, "The property name is required."),
        ({"rights": {"platformRigths": {}}}, "unknown right: platformRigths"),
        ({"rights": {"platformRights": {"keyRights": {}}}}, "unknown right: platformRights.keyRights"),
        ({"rights": rights(canFly=True)}, "unknown right: platformRights.apikeyRights.canFly"),
        ({"rights": {"platformRights": {"apikeyRights": True}}}, "platformRights.apikeyRights must be an object"),
        ({"rights": rights(canViewApiKeys="yes")}, f"{VIEW_KEYS} must be a boolean"),
        ({"computerIDs": ["1"]}, "Invalid value for property: computerIDs"),
        ({"policyIDs": 1}, "Invalid value for property: policyIDs"),
    ],
)
def test_a_bad_role_is_400(trend: Trend, body: dict[str, Any], message: str):
    """With a message that names what is wrong."""
    assert trend.call("POST", "/roles", {"name": "siem", **body}).message == (400, message)


def test_built_in_roles_do_not_change(trend: Trend):
    """Full Access and Auditor can be neither modified nor deleted."""
    assert [(role["name"], role["immutable"]) for role in trend.roles()] == [(FULL_ACCESS, True), (AUDITOR, True)]
    for method in ("POST", "DELETE"):
        answer = trend.call(method, "/roles/2", {"name": "x"})
        assert answer.message == (400, "The administrator role cannot be changed or deleted.")


def test_a_role_in_use_stays(trend: Trend, make_trend: MakeTrend):
    """Deleting it is refused until no key has it; if allowed, such a key can do nothing any more."""
    number = trend.add_role("siem", rights_module.ALL)
    trend.add_key("splunk", "siem")
    assert trend.call("DELETE", f"/roles/{number}").message == (400, "The administrator role is in use.")
    trend.delete_key("splunk")
    assert trend.call("DELETE", f"/roles/{number}").status == 200
    lax = make_trend(role_in_use="allow")
    number = lax.add_role("siem", rights_module.ALL)
    secret = lax.add_key("splunk", "siem")
    assert lax.call("DELETE", f"/roles/{number}").status == 200
    assert lax.call("GET", "/apikeys", secret=secret).status == 403
    assert lax.call("DELETE", "/apikeys/2").status == 200


# Search


@pytest.mark.parametrize(
    ("criterion", "found"),
    [
        ({"idTest": "less-than", "idValue": 3}, {1, 2}),
        ({"idTest": "less-than-or-equal", "idValue": 3}, {1, 2, 3}),
        ({"idTest": "equal", "idValue": 3}, {3}),
        ({"idValue": 3}, {3}),
        ({"idTest": "greater-than-or-equal", "idValue": 3}, {3, 4}),
        ({"idTest": "greater-than", "idValue": 3}, {4}),
        ({"idTest": "not-equal", "idValue": 3}, {1, 2, 4}),
        ({"fieldName": "keyName", "stringValue": "a_c"}, {2, 3}),
        ({"fieldName": "keyName", "stringTest": "equal", "stringValue": "a_c", "stringWildcards": False}, {3}),
        (
            {"fieldName": "keyName", "stringTest": "not-equal", "stringValue": "a_c", "stringWildcards": False},
            {1, 2, 4},
        ),
        ({"fieldName": "keyName", "stringValue": "%o%"}, {1}),
        ({"fieldName": "keyName", "stringTest": "not-equal", "stringValue": "%o%"}, {2, 3, 4}),
        ({"fieldName": "roleID", "numericTest": "greater-than", "numericValue": 1.5}, {3}),
        ({"fieldName": "active"}, {1, 2, 3}),
        ({"fieldName": "active", "booleanTest": False}, {4}),
        ({"fieldName": "locale", "choiceTest": "not-equal", "choiceValue": "en-US"}, {4}),
        ({"fieldName": "expiryDate", "firstDateValue": 100, "lastDateValue": 200}, {2, 3}),
        ({"fieldName": "expiryDate", "firstDateValue": 100, "firstDateInclusive": False}, {3}),
        ({"fieldName": "expiryDate", "lastDateValue": 200, "lastDateInclusive": False}, {2}),
        ({"fieldName": "expiryDate", "nullTest": True}, {1, 4}),
        ({"fieldName": "expiryDate", "nullTest": False}, {2, 3}),
    ],
)
def test_every_search_test(trend: Trend, criterion: dict[str, Any], found: set[int]):
    """Each test with its defaults."""
    trend.add_key("abc", expiryDate=100)
    trend.add_key("a_c", AUDITOR, expiryDate=200)
    trend.add_key("xyz", active=False, locale="ja-JP")
    answer = trend.call("POST", "/apikeys/search", {"searchCriteria": [criterion]}).json
    assert {key["ID"] for key in answer["apiKeys"]} == found


def test_search_criteria_are_anded(trend: Trend):
    """A key must pass them all."""
    for name in ("one", "two"):
        trend.add_key(name)
    criteria = [{"fieldName": "keyName", "stringValue": "%o%"}, {"idTest": "greater-than", "idValue": 1}]
    found = trend.call("POST", "/apikeys/search", {"searchCriteria": criteria, "sortByObjectID": True}).json["apiKeys"]
    assert [key["keyName"] for key in found] == ["one", "two"]


def test_order_is_by_id_only_if_asked(trend: Trend):
    """Otherwise it is another one, always the same, in lists and in searches."""
    for number in range(20):
        trend.add_key(f"key{number}")

    def ids(method: str, path: str, body: Any = None) -> list[int]:
        return [key["ID"] for key in trend.call(method, path, body).json["apiKeys"]]

    ordered = list(range(1, 22))
    assert ids("POST", "/apikeys/search", {"sortByObjectID": True}) == ordered
    unordered = ids("POST", "/apikeys/search")
    assert unordered != ordered
    assert sorted(unordered) == ordered
    assert ids("GET", "/apikeys") == ids("POST", "/apikeys/search", {}) == unordered
    assert ids("POST", "/apikeys/search", {"maxItems": 3}) == unordered[:3]


def test_a_search_gives_5000_items_unless_told_otherwise(trend: Trend):
    """A list gives all of them."""
    for number in range(5001):
        trend.add_key(str(number))
    assert len(trend.call("POST", "/apikeys/search", {}).json["apiKeys"]) == 5000
    assert len(trend.call("POST", "/apikeys/search", {"maxItems": 9999}).json["apiKeys"]) == 5002
    assert len(trend.call("GET", "/apikeys").json["apiKeys"]) == 5002


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"maxItem": 1},
        {"maxItems": 0},
        {"maxItems": True},
        {"searchCriteria": {}},
        {"searchCriteria": ["x"]},
        {"searchCriteria": [{}]},
        {"searchCriteria": [{"fieldName": "secretKey", "stringValue": "%"}]},
        {"searchCriteria": [{"fieldName": "secretKey", "nullTest": True}]},
        {"searchCriteria": [{"fieldName": "keyName"}]},
        {"searchCriteria": [{"fieldName": "keyName", "numericValue": 1}]},
        {"searchCriteria": [{"fieldName": "keyName", "stringTest": "like", "stringValue": "x"}]},
        {"searchCriteria": [{"fieldName": "keyName", "versionTest": "equal", "versionValue": "1"}]},
        {"searchCriteria": [{"fieldName": "created"}]},
        {"searchCriteria": [{"fieldName": "roleID", "numericValue": "1"}]},
        {"searchCriteria": [{"idTest": "near", "idValue": 1}]},
    ],
)
def test_a_bad_search_is_400(trend: Trend, body: Any):
    """Unknown fields, tests that do not fit, missing values."""
    assert trend.call("POST", "/apikeys/search", body).status == 400


def test_roles_are_searched_the_same_way(trend: Trend):
    """By name without wildcards, and by ID."""
    trend.add_role("a_c")
    trend.add_role("abc")
    criterion = {"fieldName": "name", "stringValue": "a_c", "stringWildcards": False}
    found = trend.call("POST", "/roles/search", {"searchCriteria": [criterion]}).json["roles"]
    assert [role["name"] for role in found] == ["a_c"]
    assert granted(found[0]) == set()


@settings(deadline=None)
@given(st.dictionaries(st.integers(1, 99), st.text("ab%_", max_size=4)), st.text("ab%_", max_size=4))
def test_without_wildcards_only_the_same_name_is_found(names: dict[int, str], wanted: str):
    """Whatever `%` and `_` are in names; and with wildcards a name always finds itself, too."""
    items = {number: {"ID": number, "keyName": name} for number, name in names.items()}
    exact = {"fieldName": "keyName", "stringValue": wanted, "stringWildcards": False}
    kinds = {"keyName": "string"}
    plain = search_module.search(items, kinds, {"searchCriteria": [exact]})
    wild = search_module.search(items, kinds, {"searchCriteria": [{**exact, "stringWildcards": True}]})
    assert {item["ID"] for item in plain} == {number for number, name in names.items() if name == wanted}
    assert all(item in wild for item in plain)


@settings(deadline=None)
@given(st.sets(st.sampled_from(sorted(rights_module.ALL))))
def test_rights_survive_their_tree(granted: set[str]):
    """What an answer shows, sent back, grants the same."""
    assert rights_module.merge(frozenset(), rights_module.expand(frozenset(granted))) == granted


def test_rights_that_are_no_tree():
    """Named by their place."""
    with pytest.raises(Invalid, match="rights must be an object"):
        rights_module.merge(frozenset(), [])


# Rate


def test_the_window_slides_and_refused_calls_do_not_count(make_trend: MakeTrend):
    """Per key; the 429 has the vendor's message and no Retry-After."""
    trend = make_trend(calls_per_key=3)
    for _ in range(2):
        assert trend.call("GET", "/roles").status == 200
    trend.clock.advance(timedelta(seconds=30))
    statuses = [trend.call("GET", "/roles") for _ in range(4)]
    assert [answer.status for answer in statuses] == [200, 429, 429, 429]
    assert statuses[-1].message == (429, "Too many API requests.")
    assert "Retry-After" not in statuses[-1].headers
    assert trend.call("GET", "/roles", secret=trend.add_key("other")).status == 200
    trend.clock.advance(timedelta(seconds=30))
    assert [trend.call("GET", "/roles").status for _ in range(3)] == [200, 200, 429]


def test_the_tenants_window_holds_all_its_keys(make_trend: MakeTrend):
    """Per tenant; a call that one window refuses does not count in the other; `Retry-After` on request."""
    trend = make_trend(calls_per_tenant=2, calls_per_key=5, retry_after=7)
    other = trend.add_key("other")
    assert [trend.call("GET", "/roles", secret=secret).status for secret in ("", other)] == [200, 200]
    assert trend.call("GET", "/roles", secret=other).headers["Retry-After"] == "7"
    assert len(trend.installation.by_secret[other][1].calls) == 1
    foreign = trend.add_key("foreign", tenant=trend.add_tenant().id)
    assert trend.call("GET", "/roles", secret=foreign).status == 200


def test_a_failed_authentication_does_not_use_up_the_window(make_trend: MakeTrend):
    """Nobody can exhaust a key's calls without its secret."""
    trend = make_trend(calls_per_key=1)
    trend.call("GET", "/roles", secret="1:wrong")
    assert trend.call("GET", "/roles").status == 200


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(None, (None, None)), (RateLimit(), (500, 1000)), (RateLimit(7, 9), (7, 9))],
)
def test_the_rate_limit_is_the_vendors_unless_told_otherwise(limit: RateLimit | None, expected: tuple[Any, Any]):
    """Off by default; switched on without figures it is what an installation ships with."""
    options = emulator(Settings(rate_limit=limit)).options
    assert (options.calls_per_key, options.calls_per_tenant) == expected


# Behind the reconciler's back


def test_somebody_edits_keys_and_roles(trend: Trend):
    """Helpers change what answers show."""
    trend.add_role("siem", frozenset({VIEW_KEYS}))
    secret = trend.add_key("splunk", "siem", expiryDate=9_000_000_000_000)
    trend.edit_key("splunk", description="edited", expiryDate=None)
    trend.edit_role("siem", allComputers=True)
    assert trend.call("GET", "/apikeys", secret=secret).status == 200
    trend.edit_role("siem", frozenset())
    assert trend.call("GET", "/apikeys", secret=secret).status == 403
    key, role = trend.keys()[-1], trend.roles()[-1]
    assert (key["description"], "expiryDate" in key) == ("edited", False)
    assert (role["allComputers"], granted(role)) == (True, set())
    with pytest.raises(LookupError, match="no key"):
        trend.edit_key("nobody")
    with pytest.raises(LookupError, match="no role"):
        trend.edit_role("nobody")


def test_it_starts_with_one_key(trend: Trend):
    """The bootstrap key has the role Full Access and works."""
    assert WorkloadSecurity.name == "trend-workload-security"
    assert [(key["keyName"], key["roleID"]) for key in trend.keys()] == [(BOOTSTRAP, 1)]  # noqa: SIM118  no dict
    current = trend.call("GET", "/apikeys/current").json
    assert (current["ID"], current["tenantID"]) == (1, 0)
    assert current["roleURN"] == trend.roles()[0]["urn"]


def test_what_does_not_exist_is_404(trend: Trend):
    """Paths, methods, and ids that are no numbers."""
    for method, path in (("GET", "/policies"), ("PUT", "/apikeys/1"), ("GET", "/apikeys/one")):
        assert trend.call(method, path).message == (404, "No such operation.")
