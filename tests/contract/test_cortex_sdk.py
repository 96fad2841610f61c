"""A client that others wrote (`cortex-xdr-client`), unmodified, against the emulator: keys, roles and scopes.

It runs in an environment of its own (`sdk_python`), over https, as `https://api-HOST`, with keys of both security levels.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulator.base import Settings
from reconciler.emulator.clock import ManualClock
from reconciler.emulator.server import Server
from reconciler.providers.cortex_cloud.emulator import ADMIN, DAY, VIEWER, CortexTenant, Options

SCRIPT = Path(__file__).parent / "scripts" / "cortex_client.py"


class Refusal(Exception):
    """What the client raised: status and body."""


class Sdk:
    """A `CortexXDRClient` in a process of its own."""

    def __init__(self, python: Path, server: Server, home: Path, **who: str) -> None:
        assert server.ca_cert
        self._process = subprocess.Popen(
            [str(python), str(SCRIPT), str(server.port)],
            env={"REQUESTS_CA_BUNDLE": server.ca_cert, "HOME": str(home), "PATH": "", "NO_PROXY": "*"},
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._say(who)

    def __call__(self, call: str, **kwargs: Any) -> Any:
        """Call `api_keys_api.generate` and the like."""
        assert self._process.stdout
        self._say([call, kwargs])
        outcome = json.loads(self._process.stdout.readline())
        if "status" in outcome:
            raise Refusal(outcome["status"], outcome["body"])
        return outcome["result"]

    def _say(self, what: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=30)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(tls=True) as server:
        yield server


@pytest.fixture
def emulator(server: Server) -> CortexTenant:
    emulator = CortexTenant(Settings(clock=ManualClock()), Options())
    server.mount(emulator)
    return emulator


@pytest.fixture
def connect(
    sdk_python: Callable[..., Path], server: Server, emulator: CortexTenant, tmp_path: Path
) -> Iterator[Callable[..., Sdk]]:
    """Makes clients that call with a key of the emulator's, by its id."""
    opened: list[Sdk] = []

    def connect(number: int, level: str, key: str = "") -> Sdk:
        key = key or emulator.secret_of(number)
        opened.append(Sdk(sdk_python("cortex"), server, tmp_path, keyId=str(number), key=key, level=level))
        return opened[-1]

    yield connect
    for sdk in opened:
        sdk.close()


@pytest.fixture(params=["standard", "advanced"])
def sdk(request: pytest.FixtureRequest, emulator: CortexTenant, connect: Callable[..., Sdk]) -> Sdk:
    """A client with an administrator's key, of either security level."""
    return connect(emulator.add_key("the client's", ADMIN, security_level=request.param), request.param)


def test_a_key_through_its_life(emulator: CortexTenant, sdk: Sdk) -> None:
    """Generated, listed, read, edited, deleted; filters, sorting and pages as the client sends them."""
    expiration = emulator.clock.now_ms() + 30 * DAY
    made = sdk(
        "api_keys_api.generate", roles=[VIEWER], security_level="standard", expiration=expiration, comment="siem"
    )["reply"]
    assert emulator.secret_of(made["id"]) == made["key"]
    mine = [{"field": "id", "operator": "in", "value": [made["id"]]}]
    listed = sdk("api_keys_api.get_api_keys", filters=mine)["reply"]
    assert (listed["FILTER_COUNT"], listed["TOTAL_COUNT"]) == (1, 3)
    [key] = listed["DATA"]
    assert (key["roles"], key["comment"], key["expiration"]) == ([VIEWER], "siem", expiration)
    assert made["key"] not in json.dumps(listed)
    assert sdk("iam_api.get_api_key_by_id", api_key_id=made["id"])["data"] == key
    edited = {"roles": ["Responder"], "security_level": "standard", "comment": "siem 2"}
    assert "updated" in sdk("iam_api.edit_apikey", api_key_id=made["id"], **edited)["data"]["message"]
    assert sdk("iam_api.get_api_key_by_id", api_key_id=made["id"])["data"] == {**key, **edited}
    sort = {"field": "expiration", "keyword": "asc"}
    page = sdk("api_keys_api.get_api_keys", sort=sort, search_from=0, search_to=1)["reply"]["DATA"]
    assert [one["id"] for one in page] == [made["id"]]
    assert len(sdk("api_keys_api.get_api_keys")["reply"]["DATA"]) == 3
    assert sdk("api_keys_api.delete", filters=mine) == {"reply": {"update_count": 1}}
    assert made["id"] not in [one["id"] for one in emulator.keys()]  # noqa: SIM118


def test_roles_and_scopes(emulator: CortexTenant, sdk: Sdk) -> None:
    """Created, listed, deleted; a scope written in one shape and read in the other."""
    datasets = [{"category": "xdr", "access_all": True, "permissions": []}]
    message = sdk(
        "iam_api.create_role", component_permissions=["rules_action"], pretty_name="soc", dataset_permissions=datasets
    )["data"]["message"]
    role_id = message.split()[1]
    listed = sdk("iam_api.list_roles")
    assert role_id in [role["role_id"] for role in listed["data"]]
    assert listed["metadata"]["total_count"] == len(listed["data"])
    assert sdk("iam_api.list_permission_configs")["data"]["datasetGroups"]
    key = {"entity_type": "api-key", "entity_id": str(emulator.add_key("scoped", "soc"))}
    sdk("iam_api.edit_scope", **key, assets={"mode": "scope", "asset_group_ids": [12]})
    scope = sdk("iam_api.get_scope", **key)["data"]
    assert [group["asset_group_id"] for group in scope["assets"]["asset_groups"]] == [12]
    assert scope["endpoints"]["endpoint_groups"] == {"mode": "no_scope", "tags": []}
    with pytest.raises(Refusal) as refused:
        sdk("iam_api.delete_role", role_id=role_id)
    assert refused.value.args[0] == 400
    emulator.delete_key(int(key["entity_id"]))
    sdk("iam_api.delete_role", role_id=role_id)
    assert role_id not in [role["role_id"] for role in emulator.roles()]


def test_the_client_sees_the_vendors_errors(emulator: CortexTenant, sdk: Sdk, connect: Callable[..., Sdk]) -> None:
    """500 for a creation's bad input, 404, 401 for a wrong secret or level, 403 for a key that may do nothing."""
    with pytest.raises(Refusal) as refused:
        sdk("api_keys_api.generate", roles=["VIEWER"], security_level="standard")
    assert refused.value.args[0] == 500
    assert "Unknown custom roles" in refused.value.args[1]["reply"]["err_msg"]
    with pytest.raises(Refusal) as refused:
        sdk("iam_api.get_api_key_by_id", api_key_id=99_999)
    assert refused.value.args[0] == 404
    viewer = emulator.add_key("weak", VIEWER)
    for wrong in (connect(viewer, "advanced", key="x"), connect(viewer, "standard")):
        with pytest.raises(Refusal) as refused:
            wrong("iam_api.list_roles")
        assert refused.value.args[0] == 401
    with pytest.raises(Refusal) as refused:
        connect(viewer, "advanced")("iam_api.list_roles")
    assert refused.value.args[0] == 403
    assert "Insufficient permissions" in refused.value.args[1]["data"]["err_msg"]
