from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reconciler.emulator.base import RateLimit, Settings
from reconciler.providers.lacework.emulator import (
    ADMIN,
    BOOTSTRAP,
    CALLS,
    KEYS_PER_USER,
    POWER_USER,
    READ_ONLY_USER,
    Lacework,
    Options,
    emulator,
)
from tests.support.lacework import Organisation

USERS = "/api/v2/TeamUsers"
NOBODY = "userGuids names a user that does not exist."
SERVICE = {"type": "ServiceUser", "name": "siem", "description": "Reads", "userEnabled": 1}


def bearer(lacework: Organisation, **credential: str) -> str:
    answer = lacework.token(**credential)
    assert answer.status == 201
    return f"Bearer {answer.json['token']}"


@pytest.fixture
def token(lacework: Organisation) -> str:
    return bearer(lacework)


def test_a_key_is_exchanged_for_a_token(lacework: Organisation) -> None:
    """The answer has no wrapper; a token works with its scheme or bare, until its end."""
    answer = lacework.token(seconds=60)
    assert answer.json == {"token": lacework.issued[-1], "expiresAt": "2026-01-01T00:01:00.000Z"}
    text = answer.json["token"]
    for authorization in (f"Bearer {text}", f"bearer {text}", text):
        assert lacework.call("GET", USERS, Authorization=authorization).status == 200
    lacework.clock.advance(timedelta(seconds=60))
    for authorization in (text, "", "Bearer", "Bearer x", f"Basic {text}"):
        assert lacework.call("GET", USERS, Authorization=authorization).status == 401


@pytest.mark.parametrize("seconds", [0, 86_401, -1, "60", None, True, 1.5])
def test_how_long_a_token_may_live(lacework: Organisation, seconds: Any) -> None:
    """A number of seconds, up to a day."""
    assert lacework.token(seconds=seconds).message == (400, "expiryTime must be between 1 and 86400.")


@pytest.mark.parametrize("status", [401, 403])
def test_who_gets_no_token(make_lacework: Callable[..., Organisation], status: int) -> None:
    """A wrong secret, an unknown or inactive key, a disabled owner: all the same answer."""
    lacework = make_lacework(bad_secret_status=status)
    guid = lacework.add_service_user("siem")
    file = lacework.console_create_key(guid, "splunk")
    pair = {"keyId": file["keyId"], "secret": file["secret"]}
    refused = (status, "The access key is invalid or inactive.")
    assert lacework.token(**pair).status == 201
    assert lacework.token(**{**pair, "secret": "x"}).message == refused
    assert lacework.token(**{**pair, "keyId": "x"}).message == refused
    lacework.console_disable_key(file["keyId"])
    assert lacework.token(**pair).message == refused
    lacework.console_enable_key(file["keyId"])
    lacework.edit_user("siem", enabled=False)
    assert lacework.token(**pair).message == refused


def test_what_ends_a_token(lacework: Organisation) -> None:
    """Deleting its key does, and deleting its owner; making the key inactive does not."""
    guid = lacework.add_service_user("siem")
    first, second = (lacework.console_create_key(guid, name) for name in ("one", "two"))
    tokens = [bearer(lacework, keyId=file["keyId"], secret=file["secret"]) for file in (first, second)]

    def works() -> list[bool]:
        return [lacework.call("GET", USERS, Authorization=token).status == 200 for token in tokens]

    lacework.console_disable_key(first["keyId"])
    assert works() == [True, True]
    lacework.console_delete_key(first["keyId"])
    assert works() == [False, True]
    lacework.delete_user("siem")
    assert works() == [False, False]
    assert [key.owner for key in lacework.api_keys()] == [lacework.admin]


def test_what_a_person_does_in_the_console(lacework: Organisation) -> None:
    """A downloaded file has what the vendor's has; a user has at most twenty keys."""
    file = lacework.console_create_key(BOOTSTRAP, "splunk", "Ingestion")
    assert file == {"keyId": file["keyId"], "secret": file["secret"], "account": lacework.account}
    assert (len(file["keyId"]) >= 34, len(file["secret"]) >= 30) == (True, True)
    for number in range(KEYS_PER_USER - 2):
        lacework.console_create_key(lacework.admin, f"key-{number}")
    with pytest.raises(ValueError, match="has 20 keys"):
        lacework.console_create_key(lacework.admin, "one more")
    with pytest.raises(LookupError, match="nobody"):
        lacework.console_create_key("nobody", "splunk")
    assert [(key.name, key.description) for key in lacework.api_keys()][1] == ("splunk", "Ingestion")
    assert file["secret"] in lacework.issued


def test_users_as_the_api_shows_them(lacework: Organisation, token: str) -> None:
    """A service user's answer has no description; groups have GUID and name."""
    created = lacework.call("POST", USERS, SERVICE, Authorization=token)
    guid = created.json["data"]["userGuid"]
    assert created.status == 201
    lacework.console_add_group("ACME_AUDIT", "Audit")
    for group in (POWER_USER.lower(), "ACME_AUDIT", POWER_USER):
        path = f"/api/v2/UserGroups/{group}/addUsers"
        assert lacework.call("POST", path, {"userGuids": [guid]}, Authorization=token).status == 200
    assert lacework.call("GET", f"{USERS}/{guid}", Authorization=token).json["data"] == {
        "name": "siem",
        "email": "",
        "company": "",
        "userGuid": guid,
        "userEnabled": 1,
        "type": "ServiceUser",
        "userGroups": [
            {"userGroupGuid": POWER_USER, "userGroupName": "Power User"},
            {"userGroupGuid": "ACME_AUDIT", "userGroupName": "Audit"},
        ],
        "lastLoginTime": 0,
        "orgAccess": "NO_ORG_ACCESS",
    }
    deleted = lacework.call("DELETE", f"{USERS}/{guid}", Authorization=token)
    assert (deleted.status, deleted.text) == (204, "")


@pytest.mark.parametrize(
    ("method", "path", "body", "message"),
    [
        ("POST", USERS, {**SERVICE, "email": "a@b.c"}, (400, "key email is unrecognized")),
        ("POST", USERS, {**SERVICE, "userEnabled": 2}, (400, "userEnabled has the wrong type")),
        ("POST", USERS, {**SERVICE, "name": 7}, (400, "name has the wrong type")),
        ("POST", USERS, {"type": "ServiceUser"}, (400, "name is required, and email for a StandardUser")),
        ("POST", USERS, {"type": "StandardUser", "name": "A"}, (400, "name is required, and email for a StandardUser")),
        ("POST", USERS, {"name": "A"}, (400, "type must be StandardUser or ServiceUser")),
        ("POST", USERS, [SERVICE], (400, "The request body is no JSON object.")),
        ("POST", USERS, {**SERVICE, "description": "x" * 1_100_000}, (400, "The request body is larger than 1 MB.")),
        ("PATCH", f"{USERS}/ADMIN", {"company": "ACME"}, (400, "key company is unrecognized")),
        ("PATCH", f"{USERS}/ADMIN", {"description": "x"}, (400, "key description is unrecognized")),
        ("PATCH", f"{USERS}/nobody", {}, (404, "Not Found")),
        ("DELETE", f"{USERS}/nobody", None, (404, "Not Found")),
        ("GET", "/api/v2/NextPage/TeamUsers/x", None, (404, "Not Found")),
        ("POST", "/api/v2/UserGroups/x/addUsers", {"userGuids": ["ADMIN"]}, (400, "The user group does not exist.")),
        ("POST", f"/api/v2/UserGroups/{ADMIN}/addUsers", {"userGuids": []}, (400, NOBODY)),
        ("POST", f"/api/v2/UserGroups/{ADMIN}/removeUsers", {"guids": []}, (400, "key guids is unrecognized")),
        ("POST", "/api/v2/AuditLogs/search", [], (400, "The request body is no JSON object.")),
        ("POST", "/api/v2/access/tokens", [], (400, "The request body is no JSON object.")),
        ("GET", "/api/v2/ApiKeys", None, (404, "No such operation.")),
    ],
)  # fmt: skip
def test_refusals(lacework: Organisation, token: str, method: str, path: str, body: Any, message: Any) -> None:
    """Status and words of each."""
    path = path.replace("ADMIN", lacework.admin) if "UserGroups" not in path else path
    assert lacework.call(method, path, body, Authorization=token).message == message


def test_a_search_that_finds_nothing(lacework: Organisation, token: str) -> None:
    """204 without a body; no audit log is kept, so that is every search."""
    answer = lacework.call("POST", "/api/v2/AuditLogs/search", {"timeFilter": {}}, Authorization=token)
    assert (answer.status, answer.text) == (204, "")


def test_a_body_that_is_no_json(lacework: Organisation, token: str) -> None:
    """It is refused, signed in or not."""
    import requests

    for path in (USERS, "/api/v2/access/tokens"):
        answer = requests.post(lacework.endpoint + path, data="{", headers={"Authorization": token}, timeout=20)
        assert (answer.status_code, answer.json()["message"]) == (400, "The request body is not JSON.")


@pytest.mark.parametrize("status", [400, 409])
def test_an_address_is_taken_once(make_lacework: Callable[..., Organisation], status: int) -> None:
    """In whatever case."""
    lacework = make_lacework(taken_email_status=status)
    person = {"type": "StandardUser", "name": "A", "email": BOOTSTRAP.upper(), "company": "ACME"}
    assert lacework.call("POST", USERS, person, Authorization=bearer(lacework)).status == status


def test_only_admins_change_users(lacework: Organisation) -> None:
    """Others read; they may not even ask who they are, unless the account is one where they can."""
    file = lacework.console_create_key(lacework.add_service_user("reader", groups=[READ_ONLY_USER]), "plan")
    token = bearer(lacework, keyId=file["keyId"], secret=file["secret"])
    assert lacework.call("GET", USERS, Authorization=token).status == 200
    assert lacework.call("GET", "/api/v2/UserProfile", Authorization=token).status == 500
    for method, path in (("POST", USERS), ("PATCH", f"{USERS}/x"), ("DELETE", f"{USERS}/x")):
        assert lacework.call(method, path, {}, Authorization=token).status == 403


def test_pages(make_lacework: Callable[..., Organisation]) -> None:
    """Rows, total and the next page's address, which is good for a day and for that account."""
    lacework = make_lacework(rows=2, sub_accounts=("dev",))
    for number in range(4):
        lacework.add_service_user(f"user-{number}")
    token = lacework.token(seconds=86_400).json["token"]
    first = lacework.call("GET", USERS, Authorization=token).json
    paging = first["paging"]
    assert (len(first["data"]), paging["rows"], paging["totalRows"]) == (2, 2, 5)
    path = "/api/v2/" + paging["urls"]["nextPage"].partition("/api/v2/")[2]
    second = lacework.call("GET", path, Authorization=token).json
    assert (second["paging"]["rows"], second["paging"]["totalRows"]) == (2, 5)
    assert lacework.call("GET", path, Authorization=token, Account_Name="dev").status == 404
    last = lacework.call(
        "GET", "/api/v2/" + second["paging"]["urls"]["nextPage"].partition("/api/v2/")[2], Authorization=token
    ).json
    assert (len(last["data"]), last["paging"]["urls"]["nextPage"]) == (1, None)
    lacework.clock.advance(timedelta(hours=24))
    assert lacework.call("GET", path, Authorization=lacework.token().json["token"]).status == 404


def test_accounts_of_an_organisation(make_lacework: Callable[..., Organisation]) -> None:
    """A person's key reaches sub-accounts by a header in any case; keys made there reach no other."""
    lacework = make_lacework(sub_accounts=("Dev", "prod"))
    token = bearer(lacework)
    guid = lacework.call("POST", USERS, SERVICE, Authorization=token, account_name="DEV").json["data"]["userGuid"]
    assert [user.guid for user in lacework.users("dev")] == [guid]
    assert lacework.call("GET", USERS, Authorization=token, Account_Name="nobody").status == 403
    assert len(lacework.call("GET", USERS, Authorization=token, Org_Access="TRUE", Account_Name="x").json["data"]) == 1
    assert lacework.console_create_key(guid, "splunk")["subAccount"] == "dev"
    person = lacework.add_user("Bob", account="dev", email="bob@example.com", groups=[ADMIN])
    file = lacework.console_create_key(person, "bob")
    token = bearer(lacework, keyId=file["keyId"], secret=file["secret"])
    assert len(lacework.call("GET", USERS, Authorization=token).json["data"]) == 2
    assert lacework.call("GET", USERS, Authorization=token, Account_Name="prod").status == 403


def test_the_rate_limit(make_lacework: Callable[..., Organisation]) -> None:
    """Each function of a user has a sliding hour; headers tell what is left; refused calls do not count."""
    lacework = make_lacework(calls=3)
    first = lacework.token()
    token = first.json["token"]
    assert (first.headers["RateLimit-Limit"], first.headers["RateLimit-Remaining"]) == ("3", "2")
    for left, path in ((2, USERS), (1, f"{USERS}/x"), (0, USERS)):
        answer = lacework.call("GET", path, Authorization=token)
        assert answer.headers["RateLimit-Remaining"] == str(left)
        lacework.clock.advance(timedelta(minutes=10))
    refused = lacework.call("GET", USERS, Authorization=token)
    assert (refused.status, refused.headers["RateLimit-Reset"]) == (429, "1800")
    assert lacework.call("GET", "/api/v2/UserProfile", Authorization=token).status == 200
    lacework.clock.advance(timedelta(seconds=1800))
    token = lacework.token().json["token"]
    assert lacework.call("GET", USERS, Authorization=token).status == 200
    assert lacework.call("GET", USERS, Authorization=token).status == 429


def test_whether_tokens_count_can_be_chosen(make_lacework: Callable[..., Organisation]) -> None:
    """No source says, so both are served."""
    assert [make_lacework(calls=1, count_tokens=False).token().status for _ in range(2)] == [201, 201]
    lacework = make_lacework(calls=1)
    assert [lacework.token().status for _ in range(2)] == [201, 429]


@pytest.mark.parametrize(
    ("limit", "calls"),
    [(None, None), (RateLimit(), CALLS), (RateLimit(per_key=5), 5), (RateLimit(per_tenant=5), CALLS)],
)
def test_the_command_line_can_limit_the_rate(limit: RateLimit | None, calls: int | None) -> None:
    """By the vendor's own figure, or another one."""
    assert emulator(Settings(rate_limit=limit)).options.calls == calls


def test_a_seed_makes_it_repeatable() -> None:
    """The same ids and secrets; another tenant of the same seed has others."""
    one, same, other = (Lacework(Settings(seed=7, tenant=number)) for number in (1, 1, 2))
    assert one.credentials == same.credentials
    assert one.credentials != other.credentials
    assert "account" not in one.console_create_key(BOOTSTRAP, "splunk")


@pytest.mark.parametrize("tells", [False, True])
def test_descriptions_may_be_told(tells: bool) -> None:
    """The documented answers do not have them, the console's own API does."""
    lacework = Lacework(options=Options(tells_descriptions=tells))
    lacework.add_service_user("siem", description="Reads")
    shown = [lacework._users._shown(user) for user in lacework.users()]
    assert [user.get("description") for user in shown] == [None, "Reads" if tells else None]


def test_a_created_user_can_be_missing_from_the_next_list(lacework: Organisation, token: str) -> None:
    """The fault `hidden-in-list` does what it says, once."""
    lacework.faults.inject("hidden-in-list")
    lacework.call("POST", USERS, SERVICE, Authorization=token)
    assert [len(lacework.call("GET", USERS, Authorization=token).json["data"]) for _ in range(2)] == [1, 2]
    lacework.faults.inject("hidden-in-list")
    assert lacework.call("POST", USERS, {}, Authorization=token).status == 400
