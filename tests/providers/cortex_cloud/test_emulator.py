from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests

from reconciler.emulator.base import RateLimit, Settings
from reconciler.emulator.clock import ManualClock
from reconciler.providers.cortex_cloud.emulator import ADMIN, DAY, VIEWER, CortexTenant, emulator
from tests.support.cortex import Cortex

LIST, GENERATE, DELETE = (f"/public_api/v1/api_keys/{name}" for name in ("get_api_keys", "generate", "delete"))
ROLE = "/platform/iam/v1/role"
NEW = {"roles": [VIEWER], "security_level": "standard", "comment": "siem"}


def key_path(number: int) -> str:
    return f"/platform/iam/v1/api-key/{number}"


def scope_path(number: int) -> str:
    return f"/platform/iam/v1/scope/api-key/{number}"


def made(cortex: Cortex, **more: Any) -> tuple[int, str]:
    reply = cortex.call("POST", GENERATE, {**NEW, **more}).json["reply"]
    return reply["id"], reply["key"]


def shown(cortex: Cortex, number: int) -> dict[str, Any]:
    return next(key for key in cortex.keys() if key["id"] == number)  # noqa: SIM118


def error(answer: Any) -> tuple[int, str]:
    """Status, and all that the error says."""
    content = answer.json
    inner = content.get("reply") or content["data"]
    extra = inner.get("err_extra") or inner.get("metadata", {}).get("err_extra")
    return answer.status, f"{inner['err_msg']} {extra or ''}"


def test_a_new_key_is_shown_once(cortex: Cortex) -> None:
    """The creation alone holds the secret; lists and the single key hold the rest."""
    number, secret = made(cortex, expiration=1_770_000_000_000)
    assert secret in cortex.issued
    listed = cortex.call("POST", LIST, {"filters": [{"field": "id", "operator": "in", "value": [number]}]})
    assert secret not in listed.text
    assert listed.json["reply"]["DATA"] == [shown(cortex, number)]
    assert listed.json["reply"]["FILTER_COUNT"] == 1
    assert listed.json["reply"]["TOTAL_COUNT"] == 3
    one = cortex.call("GET", key_path(number))
    assert one.json == {"data": shown(cortex, number)}
    assert shown(cortex, number)["expiration"] == 1_770_000_000_000


def test_an_expiration_that_is_left_out_is_a_week(cortex: Cortex) -> None:
    """And one beyond half a year is shortened."""
    now = cortex.clock.now_ms()
    assert shown(cortex, made(cortex)[0])["expiration"] == now + 7 * DAY
    assert shown(cortex, made(cortex, expiration=now + 999 * DAY)[0])["expiration"] == now + 180 * DAY


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"roles": ["VIEWER"]}, "Unknown custom roles: VIEWER"),
        ({"roles": []}, "roles is required"),
        ({"expiration": 0}, "must be integer in epoch milliseconds"),
        ({"expiration": 1.5}, "must be integer in epoch milliseconds"),
        ({"security_level": "Standard"}, "security_level"),
        ({"comment": 3}, "comment must be"),
    ],
)
def test_mistakes_in_a_creation_are_500(cortex: Cortex, more: dict[str, Any], text: str) -> None:
    """As observed on real tenants; nothing is made."""
    before = len(cortex.issued) + 1
    status, said = error(cortex.call("POST", GENERATE, {**NEW, **more}))
    assert status == 500
    assert text in said
    assert len(cortex.issued) == before


def test_filters_sorting_and_pages(make_cortex: Callable[..., Cortex]) -> None:
    """All documented filters, AND-ed; offsets; at most a page at once if the tenant says so."""
    cortex = make_cortex(page_limit=2)
    numbers = [cortex.add_key(f"k{n}", VIEWER, expiration=1000 - n) for n in range(4)]

    def ask(**data: Any) -> list[int]:
        return [key["id"] for key in cortex.call("POST", LIST, data).json["reply"]["DATA"]]

    roles = {"field": "roles", "operator": "contains", "value": [VIEWER, "X"]}
    until = {"field": "expiration", "operator": "lte", "value": 999}
    since = {"field": "expiration", "operator": "gte", "value": 998}
    assert ask(filters=[roles, since]) == numbers[:3][:2]
    assert ask(filters=[roles, until, since]) == numbers[1:3]
    assert ask(filters=[roles], sort={"field": "expiration", "keyword": "asc"}) == numbers[:1:-1]
    assert ask(filters=[roles], sort={"field": "roles", "keyword": "asc"}, search_from=2) == numbers[2:]
    assert ask(filters=[roles], search_from=1, search_to=2) == numbers[1:2]
    for wrong in (
        {"filters": [{"field": "comment", "operator": "contains", "value": ["k"]}]},
        {"filters": ["id"]},
        {"filters": {"a": 1}},
        {"sort": {"field": "id"}},
        {"search_from": -1},
    ):
        assert cortex.call("POST", LIST, wrong).status == 500
    assert cortex.call("POST", "/public_api/v1/api_keys/list", {}).status == 500


@pytest.mark.parametrize("text", [False, True])
def test_deleting(make_cortex: Callable[..., Cortex], text: bool) -> None:
    """Many at once; unknown ids do not count; the count may be text."""
    cortex = make_cortex(update_count_as_text=text)
    numbers = [cortex.add_key("x") for _ in range(2)]
    body = {"filters": [{"field": "id", "operator": "in", "value": [*numbers, 99_999]}]}
    assert cortex.call("POST", DELETE, body).json == {"reply": {"update_count": "2" if text else 2}}
    assert cortex.call("POST", DELETE, {"filters": []}).status == 500
    assert cortex.call("POST", DELETE, {"filters": ["x"]}).status == 500


def test_editing_replaces_and_keeps_the_expiration(make_cortex: Callable[..., Cortex]) -> None:
    """Roles and level are required; an omitted comment is cleared or kept; the expiration is no member."""
    cortex = make_cortex(omitted_comment="kept")
    number, secret = made(cortex)
    before = shown(cortex, number)
    body = {"roles": ["Responder"], "security_level": "advanced"}
    assert cortex.call("PUT", key_path(number), body).status == 200
    assert shown(cortex, number) == {**before, "roles": ["Responder"], "security_level": "advanced"}
    assert cortex.secret_of(number) == secret
    assert error(cortex.call("PUT", key_path(number), {**body, "expiration": 1}))[0] == 400
    assert "Unknown custom roles" in error(cortex.call("PUT", key_path(number), {**body, "roles": ["x"]}))[1]
    assert error(cortex.call("PUT", key_path(99_999), body)) == (404, "The API key does not exist. ")
    cleared = make_cortex()
    number, _ = made(cleared)
    cleared.call("PUT", key_path(number), body)
    assert shown(cleared, number)["comment"] == ""


def test_roles(make_cortex: Callable[..., Cortex]) -> None:
    """Listed without permissions, created with the id in a message, never changed, deleted unless in use."""
    cortex = make_cortex()
    body = {"pretty_name": "soc", "component_permissions": ["rules_action"], "description": "d"}
    answer = cortex.call("POST", ROLE, body)
    assert answer.status == 201
    role_id = answer.json["data"]["message"].split()[1]
    listed = cortex.call("GET", ROLE).json
    [role] = [role for role in listed["data"] if role["role_id"] == role_id]
    assert (role["pretty_name"], role["is_custom"], listed["metadata"]["total_count"]) == ("soc", True, 9)
    assert not {"granted", "component_permissions", "permissions"} & set(role)
    assert error(cortex.call("POST", ROLE, body)) == (
        400,
        "The request contains invalid or missing parameters. The role name soc is already utilized by another role.",
    )
    for wrong in (
        {"pretty_name": ""},
        {"component_permissions": []},
        {"component_permissions": ["file_search"]},
        {"component_permissions": ["xdr_data"]},
        {"component_permissions": ["alerts:read"]},
        {"dataset_permissions": "x"},
        {"dataset_permissions": [{"dataset_group_name": "x"}]},
    ):
        assert cortex.call("POST", ROLE, {**body, "pretty_name": "other", **wrong}).status == 400
    assert cortex.call("PUT", f"{ROLE}/{role_id}", body).status == 404
    number = cortex.add_key("x", "soc")
    assert "in use" in error(cortex.call("DELETE", f"{ROLE}/{role_id}"))[1]
    cortex.delete_key(number)
    assert cortex.call("DELETE", f"{ROLE}/{role_id}").status == 200
    assert cortex.call("DELETE", f"{ROLE}/{role_id}").status == 404
    assert cortex.call("DELETE", f"{ROLE}/VIEWER").status == 400
    catalogue = cortex.call("GET", f"{ROLE}/permission-config").json["data"]
    assert set(catalogue) == {"rbac_permissions", "datasetGroups"}


def test_scopes_are_read_in_another_shape(make_cortex: Callable[..., Cortex]) -> None:
    """Ids against groups, names against tags; a section that is left out becomes no_scope; admins' are refused."""
    cortex = make_cortex(dataset_scoping=True)
    number, _ = made(cortex)
    body = {
        "assets": {"mode": "scope", "asset_group_ids": [7]},
        "endpoints": {
            "endpoint_groups": {"mode": "scope", "tags": [{"tag_name": "a"}]},
            "endpoint_tags": {"mode": "any"},
        },
    }
    assert cortex.call("PUT", scope_path(number), body).status == 200
    assert cortex.call("GET", scope_path(number)).json["data"] == {
        "assets": {"mode": "scope", "asset_groups": [{"asset_group_id": 7, "asset_group_name": "group 7"}]},
        "endpoints": {
            "endpoint_groups": {"mode": "scope", "tags": [{"tag_id": "tag-1", "tag_name": "a"}]},
            "endpoint_tags": {"mode": "any", "tags": []},
        },
        "cases_issues": {"mode": "no_scope", "tags": [], "include_cases_issues_empty_entities": False},
        "datasets_rows": {"default_filter_mode": "no_scope", "filters": []},
    }
    for wrong in (
        {"assets": {"mode": "any"}},
        {"assets": {"mode": "scope", "asset_group_ids": ["7"]}},
        {"scope": {}},
        {"datasets_rows": {"default_filter_mode": "scope"}},
    ):
        assert cortex.call("PUT", scope_path(number), wrong).status == 400
    admin = cortex.add_key("boss", ADMIN)
    assert "Scope cannot be updated for admin entity" in error(cortex.call("PUT", scope_path(admin), body))[1]
    assert cortex.call("GET", scope_path(99_999)).status == 404
    plain = make_cortex(scope_level=True, capitals=True)
    number, _ = made(plain)
    data = plain.call("GET", scope_path(number)).json["data"]["scope"]
    assert data["assets"]["mode"] == "See_all"
    assert "datasets_rows" not in data
    assert "not enabled" in error(plain.call("PUT", scope_path(number), {"datasets_rows": {}}))[1]


@pytest.mark.parametrize("path", [LIST, GENERATE, DELETE, ROLE])
def test_requests_that_are_none(cortex: Cortex, path: str) -> None:
    """No JSON is 400 everywhere; a missing envelope is 500 or 400 by family; a list may do without."""
    number, secret = cortex.standard
    headers = {"x-xdr-auth-id": number, "Authorization": secret}
    url = cortex.endpoint + path
    assert requests.post(url, data="{", headers=headers, timeout=20).status_code == 400
    for body, status in (("{", 400), ("[]", 400), ("{}", 400)):
        url_of_scope = cortex.endpoint + scope_path(cortex.add_key("x", VIEWER))
        assert requests.put(url_of_scope, data=body, headers=headers, timeout=20).status_code == status
    missing = requests.post(url, json={}, headers=headers, timeout=20).status_code
    assert missing == {LIST: 200, ROLE: 400}.get(path, 500)
    assert (
        requests.put(cortex.endpoint + scope_path(int(number)), data="{", headers=headers, timeout=20).status_code
        == 400
    )


def test_rights_and_families_of_errors(cortex: Cortex) -> None:
    """401 without a right key, 403 without a permission, in the form of each family."""
    number, secret = made(cortex)
    for method, path in (("POST", LIST), ("GET", ROLE), ("GET", scope_path(number)), ("POST", GENERATE)):
        family = "reply" if path.startswith("/public") else "data"
        denied = cortex.call(method, path, {}, key=(str(number), secret))
        assert denied.status == 403
        assert "Insufficient permissions for api key" in denied.json[family]["err_msg"]
        for wrong in ((str(number), secret + "x"), ("99999", secret), ("", secret), ("x", secret)):
            assert cortex.call(method, path, {}, key=wrong).status == 401
    cortex.clock.advance(timedelta(days=8))
    assert cortex.call("POST", LIST, {}, key=(str(number), secret)).status == 401
    assert number in [key["id"] for key in cortex.call("POST", LIST, {}).json["reply"]["DATA"]]
    assert cortex.call("GET", "/platform/iam/v1/nothing").status == 404


def test_a_key_may_hand_out_only_its_own_roles_if_the_tenant_says_so(make_cortex: Callable[..., Cortex]) -> None:
    """As one page of the vendor says."""
    cortex = make_cortex(only_own_roles=True)
    cortex.add_role("keymaker", frozenset({"public_api_action"}))
    number = cortex.add_key("maker", "keymaker", security_level="standard")
    maker = (str(number), cortex.secret_of(number))
    assert cortex.call("POST", GENERATE, NEW, key=maker).status == 403
    assert cortex.call("POST", GENERATE, {**NEW, "roles": ["keymaker"]}, key=maker).status == 200


def test_the_advanced_signature(make_cortex: Callable[..., Cortex]) -> None:
    """All four headers, a nonce of 64 letters and digits used once, the right hash, and a time that is near enough."""
    cortex = make_cortex(skew_ms=1000)
    number, secret = cortex.credentials["keyId"], cortex.credentials["key"]
    nonces = iter(f"{n:064d}" for n in range(100))

    def ask(nonce: str = "", at: int | None = None, **headers: str) -> int:
        nonce, time = nonce or next(nonces), str(cortex.clock.now_ms() if at is None else at)
        right = hashlib.sha256(f"{secret}{nonce}{time}".encode()).hexdigest()
        all_headers = {"x-xdr-auth-id": number, "x-xdr-nonce": nonce, "x-xdr-timestamp": time, "Authorization": right}
        sent = {name: value for name, value in {**all_headers, **headers}.items() if value}
        return requests.get(cortex.endpoint + ROLE, headers=sent, timeout=20).status_code

    assert ask() == ask(nonce="n" * 64) == 200
    assert ask(nonce="n" * 64) == 401
    assert ask(nonce="n" * 63) == ask(nonce="-" * 64) == 401
    assert ask(at=cortex.clock.now_ms() - 2000) == 401
    for wrong in ({"Authorization": secret}, {"x-xdr-nonce": ""}, {"x-xdr-timestamp": ""}, {"x-xdr-timestamp": "now"}):
        assert ask(**wrong) == 401


def test_the_rate_is_the_tenants(make_cortex: Callable[..., Cortex]) -> None:
    """Ten calls in a second over all endpoints; refused ones do not count; a single key may be limited too."""
    cortex = make_cortex(calls_per_tenant=10, calls_per_key=8, retry_after=2)
    other = cortex.add_key("other", security_level="standard")
    key = (str(other), cortex.secret_of(other))
    assert [cortex.call("GET", ROLE).status for _ in range(9)] == [200] * 8 + [429]
    assert [cortex.call("GET", ROLE, key=key).status for _ in range(3)] == [200, 200, 429]
    refused = cortex.call("GET", ROLE)
    assert (error(refused)[1].strip(), refused.headers["Retry-After"]) == ("Too many requests.", "2")
    cortex.clock.advance(timedelta(seconds=1))
    assert cortex.call("GET", ROLE).status == 200


def test_what_the_command_line_makes() -> None:
    """The vendor's figure unless another one is asked for; the same seed gives the same tenant."""
    one, same = (emulator(Settings(seed=7, clock=ManualClock())) for _ in range(2))
    assert one.credentials == same.credentials
    assert one.options.calls_per_tenant is None
    assert CortexTenant(Settings(rate_limit=RateLimit())).options.calls_per_tenant == 10
    assert CortexTenant(Settings(rate_limit=RateLimit(3, 4))).options.calls_per_key == 3
    assert set(one.credentials) == {"keyId", "key"}


def test_faults_of_listing(cortex: Cortex) -> None:
    """A creation that the next list does not show, for keys and for roles."""
    cortex.faults.inject("hidden-in-list", times=2)
    number, _ = made(cortex)
    cortex.call("POST", ROLE, {"pretty_name": "soc", "component_permissions": ["rules_view"]})
    for seen in (False, True):
        ids = [key["id"] for key in cortex.call("POST", LIST, {}).json["reply"]["DATA"]]
        names = [role["pretty_name"] for role in cortex.call("GET", ROLE).json["data"]]
        assert (number in ids, "soc" in names) == (seen, seen)
    cortex.hide(cortex.error(500, "x"))


def test_behind_the_reconcilers_back(cortex: Cortex) -> None:
    """What a person in the console can do, and what the demo's drift is made of."""
    number = cortex.add_key("x", VIEWER)
    cortex.edit_key(number, {"assets": {"mode": "no_scope", "asset_group_ids": []}}, comment="y")
    assert shown(cortex, number)["comment"] == "y"
    assert cortex.scope_of(number)["assets"]["mode"] == "no_scope"
    role = cortex.add_role("soc")
    cortex.edit_role(role, frozenset({"rules_view"}), description="d")
    cortex.edit_role(role, updated_ts=5)
    [found] = [one for one in cortex.roles() if one["role_id"] == role]
    assert (found["granted"], found["description"], found["updated_ts"]) == (["rules_view"], "d", 5)
    cortex.delete_role(role)
    assert role not in [one["role_id"] for one in cortex.roles()]
