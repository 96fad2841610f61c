"""The vendor's own SDK, unmodified and in an environment of its own, against the emulator: all that we use, over https."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulator.base import Settings
from reconciler.emulator.clock import ManualClock
from reconciler.emulator.server import Server
from reconciler.providers.carbon_black_cloud.emulator import SUPER_ADMIN, VIEW_ALL, BlackCloud, Options

pytest_plugins = ["tests.support.sdk"]

SCRIPT = Path(__file__).parent / "scripts" / "carbonblack_sdk.py"


def run(python: Path, server: Server, given: dict[str, Any]) -> dict[str, Any]:
    """What the script saw."""
    done = subprocess.run(
        [python, "-I", SCRIPT],
        input=json.dumps({**given, "url": server.url, "ca": server.ca_cert}),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


@pytest.mark.parametrize("org_urns", [False, True])
def test_the_sdk_finds_what_it_expects(sdk_python: Callable[..., Path], org_urns: bool) -> None:
    """Permitted roles, grants through their life, profiles, and the audit log with its queue; refusals by their class."""
    cloud = BlackCloud(Settings(seed=7, clock=ManualClock()), Options(org_urns=org_urns))
    level = cloud.click_create_level("reader", {"org.alerts": ["READ"]})
    other = cloud.click_create_level("writer", {"org.alerts.notes": ["CREATE"]})
    api_id, former = cloud.click_create_key("splunk", "reader", grant=False)
    cloud.click_regenerate_key(api_id)
    with Server(tls=True) as server:
        server.mount(cloud)
        token = "{apiSecret}/{apiId}".format_map(cloud.credentials)
        given = {"token": token, "org_key": cloud.org.key, "api_id": api_id, "level": level, "other": other}
        seen = run(sdk_python("carbonblack"), server, {**given, "former": f"{former}/{api_id}"})
    key, by = cloud.org.principal(api_id), cloud.org.principal(cloud.credentials["apiId"])
    assert seen["permitted"] == sorted([SUPER_ADMIN, VIEW_ALL, level, other])
    assert seen["created"] == {"roles": [level], "by": by, "name": "sdk"}
    assert seen["twice"] == ["ClientError", 409]
    assert (seen["described"], seen["replaced"]) == ([level], [other])
    assert seen["fetched"] == [[key, [other]]]
    assert seen["deleted"] == ["ObjectNotFoundError", None]
    assert seen["profile"] == [True, [level]]
    assert seen["disabled"] == [True, True]
    person = f"psc:user:{cloud.org.key}:4711"
    assert [
        line.startswith(f"Created grant: {one}") for line, one in zip(seen["audit"], (person, key), strict=True)
    ] == [
        True,
        True,
    ]
    assert (seen["ours"], seen["excluded"]) == (5, 4)
    assert seen["queued"] == [True, 0]
    assert seen["former"] == ["ClientError", 403]
    assert seen["wrong"][0] == "UnauthorizedError"
    assert seen["elsewhere"] == ["ClientError", 403]
