"""The vendor's own client works against the emulator: tokens, users, membership in groups, paging, errors.

It runs in an environment of its own (`sdk_python`), over https, as `https://ACCOUNT.lacework.net`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulator.base import Settings
from reconciler.emulator.server import Server
from reconciler.providers.lacework.emulator import POWER_USER, READ_ONLY_USER, Lacework, Options

SCRIPT = Path(__file__).parent / "scripts" / "lacework_sdk.py"


class Refusal(Exception):
    """What the SDK raised: its type's name, the status and the message."""


class Sdk:
    """A `LaceworkClient` in a process of its own."""

    def __init__(self, python: Path, server: Server, home: Path, client: dict[str, str]) -> None:
        assert server.ca_cert
        self._process = subprocess.Popen(
            [str(python), str(SCRIPT), str(server.port), json.dumps(client)],
            env={"REQUESTS_CA_BUNDLE": server.ca_cert, "HOME": str(home), "PATH": ""},
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, call: str, *args: Any, **kwargs: Any) -> Any:
        """Call `team_users.get` and the like; a plain response is its status."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([call, args, kwargs]) + "\n")
        self._process.stdin.flush()
        outcome = json.loads(self._process.stdout.readline())
        if "error" in outcome:
            raise Refusal(outcome["error"], outcome["status"], outcome["message"])
        return outcome.get("result", outcome.get("status"))

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=30)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(tls=True) as server:
        yield server


@pytest.fixture
def connect(sdk_python: Callable[..., Path], server: Server, tmp_path: Path) -> Iterator[Callable[..., Sdk]]:
    """Makes SDK clients of an emulator, by default with its bootstrap key."""
    opened: list[Sdk] = []

    def connect(lacework: Lacework, **client: str) -> Sdk:
        server.mount(lacework)
        key = {"api_key": lacework.credentials["keyId"], "api_secret": lacework.credentials["secret"]}
        opened.append(Sdk(sdk_python("lacework"), server, tmp_path, {"account": "acme", **key, **client}))
        return opened[-1]

    yield connect
    for sdk in opened:
        sdk.close()


def emulated(**options: Any) -> Lacework:
    return Lacework(Settings(), Options(**options))  # the client compares the end of tokens with the real time


@pytest.fixture
def lacework() -> Lacework:
    return emulated()


@pytest.fixture
def sdk(lacework: Lacework, connect: Callable[..., Sdk]) -> Sdk:
    return connect(lacework)


def test_a_service_user_through_its_life(lacework: Lacework, sdk: Sdk):
    """The vendor's own example: create, get, disable, join and leave a group, delete."""
    created = sdk("team_users.create", "siem", description="Reads alerts", type="ServiceUser")["data"]
    guid = created["userGuid"]
    assert (created["type"], created["userEnabled"], created["userGroups"]) == ("ServiceUser", 1, [])
    assert sdk("team_users.get", guid)["data"] == created
    assert sdk("team_users.get_by_guid", guid)["data"] == created
    assert {user["userGuid"] for user in sdk("team_users.get")["data"]} == {guid, lacework.admin}
    changed = sdk("team_users.update", guid, name="siem-2", user_enabled=0, description="Reads more")["data"]
    assert (changed["name"], changed["userEnabled"]) == ("siem-2", 0)
    assert [user.description for user in lacework.users() if user.guid == guid] == ["Reads more"]
    joined = sdk("user_groups.add_users", POWER_USER, [guid])["data"]
    assert joined == {"userGroupGuid": POWER_USER, "userGuids": [guid]}
    assert [group["userGroupGuid"] for group in sdk("team_users.get", guid)["data"]["userGroups"]] == [POWER_USER]
    assert sdk("user_groups.remove_users", POWER_USER, [guid])["data"]["userGuids"] == [guid]
    assert sdk("team_users.get", guid)["data"]["userGroups"] == []
    assert sdk("team_users.delete", guid) == 204
    with pytest.raises(Refusal) as error:
        sdk("team_users.get", guid)
    assert error.value.args == ("ApiError", 404, "Not Found")


def test_a_standard_user(sdk: Sdk):
    """A person has an e-mail address and a company, which nobody else's user can have too."""
    created = sdk("team_users.create", "Alice", "alice@example.com", "ACME")["data"]
    assert (created["type"], created["email"], created["company"]) == ("StandardUser", "alice@example.com", "ACME")
    with pytest.raises(Refusal) as error:
        sdk("team_users.create", "Alice", "ALICE@example.com", "ACME")
    assert error.value.args[:2] == ("ApiError", 409)


def test_one_token_for_all_calls(lacework: Lacework, sdk: Sdk):
    """The client exchanges its key once, and comes with `Bearer`."""
    for _ in range(3):
        sdk("team_users.get")
    assert lacework.requests["POST /api/v2/access/tokens"] == 1


def test_a_key_that_a_person_made(lacework: Lacework, connect: Callable[..., Sdk]):
    """The downloaded file of a service user's key signs the client in as that user, who may only read."""
    guid = lacework.add_service_user("reader", groups=[READ_ONLY_USER])
    file = lacework.console_create_key(guid, "splunk")
    reader = connect(lacework, api_key=file["keyId"], api_secret=file["secret"])
    assert len(reader("team_users.get")["data"]) == 2
    with pytest.raises(Refusal) as error:
        reader("team_users.delete", guid)
    assert error.value.args[1] == 403
    lacework.console_delete_key(file["keyId"])
    with pytest.raises(Refusal) as error:
        reader("team_users.get")
    assert error.value.args[1] == 401


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_secret(connect: Callable[..., Sdk], status: int):
    """No token, and the vendor's words."""
    sdk = connect(emulated(bad_secret_status=status), api_secret="_" + "0" * 32)
    with pytest.raises(Refusal) as error:
        sdk("team_users.get")
    assert error.value.args == ("ApiError", status, "The access key is invalid or inactive.")


def test_all_pages(connect: Callable[..., Sdk]):
    """The client follows the address of the next page until there is none."""
    lacework = emulated(rows=3)
    for number in range(7):
        lacework.add_service_user(f"user-{number}")
    pages = list(connect(lacework)("_session.get_data_items", "/api/v2/TeamUsers"))
    assert len({user["userGuid"] for user in pages}) == len(pages) == 8


def test_a_sub_account(connect: Callable[..., Sdk]):
    """`Account-Name` leads elsewhere: users made there are not in the primary account."""
    lacework = emulated(sub_accounts=("DEV",))
    sdk = connect(lacework, subaccount="dev")
    guid = sdk("team_users.create", "siem", type="ServiceUser")["data"]["userGuid"]
    assert [user["userGuid"] for user in sdk("team_users.get")["data"]] == [guid]
    assert [user.guid for user in lacework.users()] == [lacework.admin]
    with pytest.raises(Refusal) as error:
        connect(lacework, subaccount="nobody")("team_users.get")
    assert error.value.args[1] == 403


def test_refusals_reach_the_sdk(sdk: Sdk):
    """Unknown users, groups and members."""
    cases = [
        (("user_groups.add_users", POWER_USER, ["fake"]), 400, "userGuids names a user that does not exist."),
        (("user_groups.add_users", "fake", ["fake"]), 400, "The user group does not exist."),
        (("team_users.delete", "fake"), 404, "Not Found"),
    ]
    for call, status, message in cases:
        with pytest.raises(Refusal) as error:
            sdk(*call)
        assert error.value.args == ("ApiError", status, message)
    with pytest.raises(Refusal) as error:
        sdk("team_users.create", "siem", type="ServiceUser", colour="red")
    assert error.value.args[2] == "key colour is unrecognized"


def test_a_search_that_finds_nothing(sdk: Sdk):
    """204 without a body is an empty list to the client."""
    assert sdk("audit_logs.search", {"timeFilter": {}}) == {"data": []}


def test_the_profile(lacework: Lacework, sdk: Sdk):
    """Whose key it is."""
    [profile] = sdk("user_profile.get")["data"]
    assert [account["userGuid"] for account in profile["accounts"]] == [lacework.admin]


def test_the_rate_limit(connect: Callable[..., Sdk]):
    """Beyond it the client has an error of its own; other functions have windows of their own."""
    sdk = connect(emulated(calls=2))
    for _ in range(2):
        sdk("team_users.get")
    with pytest.raises(Refusal) as error:
        sdk("team_users.get")
    assert error.value.args[:2] == ("RateLimitError", 429)
    assert sdk("user_profile.get")
