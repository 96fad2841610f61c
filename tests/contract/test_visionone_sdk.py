"""The vendor's own SDK, unmodified, against the emulator: every operation on API keys, in an environment of its own."""

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
from reconciler.providers.trend_vision_one.emulator import VisionOne

SCRIPT = Path(__file__).parent / "scripts" / "visionone_sdk.py"


@pytest.fixture
def seen(sdk_python: Callable[..., Path], tmp_path: Path) -> tuple[VisionOne, dict[str, Any]]:
    """What the SDK saw, and the emulator that it talked to: 120 keys, at the root of a host, as the SDK wants it."""
    emulator = VisionOne(Settings(seed=1, clock=ManualClock()))
    for number in range(120):
        emulator.add_key(f"key{number}", "Auditor")
    with Server() as server:
        server.mount(emulator)
        given = {"url": server.url, "token": emulator.credentials["token"]}
        done = subprocess.run(
            [str(sdk_python("visionone")), str(SCRIPT)],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "PATH": "", "NO_PROXY": "*"},
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    return emulator, json.loads(done.stdout)


def test_the_sdk_manages_keys(seen: tuple[VisionOne, dict[str, Any]]) -> None:
    """Two created in one call, described, changed under their ETag, listed, filtered, paged and deleted."""
    emulator, saw = seen
    assert [(key["status"], key["expired_date_time"]) for key in saw["made"]] == [
        (201, "2026-04-01T00:00:00Z"),
        (201, ""),
    ]
    assert [key["value"] for key in saw["made"]] == list(emulator.issued[-2:])
    one = {
        "id": saw["made"][0]["id"], "name": "one", "role": "Auditor", "status": "disabled", "description": "first",
        "expired_date_time": "2026-04-01T00:00:00Z", "last_used_date_time": "",
    }  # fmt: skip
    assert saw["one"] == one
    changed = {"name": "uno", "role": "Analyst", "status": "enabled", "description": "changed"}
    assert saw["changed"] == {**one, **changed}
    assert (saw["listed"][:2], sorted(saw["listed"][2])) == ([2, 2], ["two", "uno"])
    assert saw["consumed"] == [123, 123]
    assert saw["connectivity"] == "available"
    assert saw["deleted"] == [204, 204]


def test_the_sdk_understands_refusals(seen: tuple[VisionOne, dict[str, Any]]) -> None:
    """Errors of whole answers, and of items in a multi-status one."""
    _, saw = seen
    assert saw["stale"] == [[412, "PreconditionFailed"]]
    assert saw["taken"] == [[409, "Conflict"]]
    assert saw["gone"] == [[404, "NotFound"]]
    assert saw["gone twice"] == [[404, "NotFound"]]
