"""Adoption from every product: what people made by hand becomes ours, and neither a plan nor an apply has anything to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.conformance.estate import World, world
from reconciler.conformance.subject import Subject
from reconciler.emulator.openbao import OpenBaoServer
from reconciler.emulator.server import Server
from reconciler.providers.base import Verification
from tests.conformance.test_carbon_black_cloud import ConsoleSubject, HandoffSubject
from tests.conformance.test_cortex_cloud import CortexSubject
from tests.conformance.test_lacework import LaceworkSubject
from tests.conformance.test_trend_cloud_one import URN, CloudOneSubject
from tests.conformance.test_trend_vision_one import VisionOneSubject

Open = Callable[[Subject], World]
SCOPE = {"assets": {"mode": "scope", "asset_group_ids": [12]}}


@pytest.fixture
def open_world(emulator_server: Server, openbao: OpenBaoServer, tmp_path: Path) -> Iterator[Open]:
    """A maker of estates that declare a tenant and nothing in it."""
    with ExitStack() as stack:

        def make(subject: Subject) -> World:
            made = stack.enter_context(world(subject, emulator_server, openbao, tmp_path / "estate"))
            made.samples.levels.clear()
            made.samples.keys.clear()
            return made

        yield make


def adopted(made: World, *args: str, status: int = 0) -> dict[str, Any]:
    """Import everything, and make sure that nothing is left to do and nothing was done."""
    done = made.run("import", "sample", "--out", "adopted", "--format", "json", *args)
    assert done.status == status, done
    found: dict[str, Any] = done.json
    assert made.run("fmt", "--check", "adopted").status == 0
    assert made.run("validate").status == 0
    made.assert_in_sync()
    return found


def manifest(made: World, name: str) -> str:
    """The text of a manifest that was written."""
    return (made.folder / "adopted" / f"{name}.yaml").read_text(encoding="utf-8")


@pytest.mark.promise(5)
def test_promise_5_cloud_one(open_world: Open) -> None:
    """Roles with their service roles; keys with addresses, locale, time zone and state."""
    made = open_world(CloudOneSubject())
    emulator: Any = made.emulator
    role = emulator.add_role("Läser", description="Reads", serviceRoleURNs=[URN.format(service="w", role="r")])
    emulator.add_key("SIEM", role, allowedCIDRs=["203.0.113.0/28"], allowedIPs=["198.51.100.7"], locale="ja")
    emulator.add_key("off", role, enabled=False, timezone="Asia/Calcutta")
    found = adopted(made)
    shipped = {"AccessLevel/read-only"}  # that the vendor ships it is not to be seen from it
    assert {item["object"] for item in found["adopted"]} - shipped == {"AccessLevel/laser", "ApiKey/off", "ApiKey/siem"}
    assert "  allowedIPs:\n    - 198.51.100.7/32\n    - 203.0.113.0/28\n" in manifest(made, "keys/siem")
    assert "state: locked" in manifest(made, "keys/off")


@pytest.mark.promise(5)
def test_promise_5_vision_one(open_world: Open) -> None:
    """Keys with the vendor's end; roles are referred to as they are."""
    made = open_world(VisionOneSubject())
    emulator: Any = made.emulator
    emulator.add_key("Old one", "Auditor", monthsToExpiration=3, description="By hand")
    emulator.add_key("never", "Analyst", monthsToExpiration=0, status="disabled")
    found = adopted(made)
    assert [item["object"] for item in found["adopted"]] == ["ApiKey/never", "ApiKey/old-one"]
    assert "existing: Auditor" in manifest(made, "keys/old-one")
    assert "expires: 2" in manifest(made, "keys/old-one")


@pytest.mark.promise(5)
def test_promise_5_cortex(open_world: Open) -> None:
    """Keys with scope and security level; a scope that was not read would be one that reaches everything."""
    made = open_world(CortexSubject())
    emulator: Any = made.emulator
    emulator.add_role("SIEM role")
    end = emulator.clock.now_ms() + int(timedelta(days=90).total_seconds() * 1000)
    key = emulator.add_key("Splunk: prod", "SIEM role", security_level="standard", expiration=end)
    emulator.edit_key(key, scope=SCOPE)
    emulator.add_key("unlimited", "SIEM role")
    found = adopted(made, status=4)
    assert [item["object"] for item in found["adopted"]] == ["ApiKey/splunk-prod"]
    text = manifest(made, "keys/splunk-prod")
    assert "groupIds:\n        - 12" in text
    assert "securityLevel: standard" in text
    why = {item["vendorName"]: item["reason"] for item in found["leftOut"]}
    assert "no expires" in why["unlimited"]
    assert "{existing: NAME}" in why["SIEM role"]


@pytest.mark.promise(5)
def test_promise_5_carbon_black_console(open_world: Open) -> None:
    """Where the console's list is read: keys by name, their levels as they are, and a comment on what is not told."""
    made = open_world(ConsoleSubject())
    emulator: Any = made.emulator
    emulator.click_create_level("Alert readers", {"org.alerts": ["READ"]})
    emulator.click_create_key("SIEM", "Alert readers", description="By hand")
    emulator.click_create_key("half-made", "Alert readers", grant=False)
    found = adopted(made, status=4)
    assert [item["object"] for item in found["adopted"]] == ["ApiKey/siem"]
    text = manifest(made, "keys/siem")
    assert "# The vendor does not tell allowedIPs: " in text
    assert "existing: Alert readers" in text
    assert {item["vendorName"] for item in found["leftOut"] if not item["expected"]} == {"half-made", "old-siem"}


@pytest.mark.promise(5)
def test_promise_5_carbon_black_by_documented_calls(open_world: Open) -> None:
    """Keys are not listed: those that somebody names are adopted, and their secrets can be taken in."""
    made = open_world(HandoffSubject())
    emulator: Any = made.emulator
    emulator.click_create_level("Alert readers", {"org.alerts": ["READ"]})
    key, secret = emulator.click_create_key("SIEM", "Alert readers")
    nothing = made.run("import", "sample", "--out", "adopted", "--format", "json")
    assert "does not list keys" in nothing.json["unseen"]
    found = adopted(made, "--key-id", f"siem={key}")
    assert [item["object"] for item in found["adopted"]] == ["ApiKey/siem"]
    assert "handoff complete sample/siem" in made.run("plan").out
    wrong = made.run("handoff", "complete", "sample/siem", stdin=f"{key}\nX{secret[1:]}\n")
    assert (wrong.status, made.secret("siem")) == (1, None)
    other, others = emulator.click_create_key("Other", "Alert readers")
    wrong = made.run("handoff", "complete", "sample/siem", stdin=f"{other}\n{others}\n")
    assert (wrong.status, made.secret("siem")) == (1, None)
    assert f"the adopted one is key {key}" in wrong.err
    done = made.run("handoff", "complete", "sample/siem", stdin=f"{key}\n{secret}\n")
    assert done.status == 0, done
    assert (made.secret("siem") or {})["apiSecret"] == secret
    made.assert_in_sync()
    assert "handoff complete" not in made.run("plan").out
    again = made.run("handoff", "complete", "sample/siem", stdin=f"{key}\n{secret}\n")
    assert again.status == 1, again


@pytest.mark.promise(5)
def test_promise_5_lacework(open_world: Open) -> None:
    """Service users with groups and state; of keys nobody can tell whose they are."""
    made = open_world(LaceworkSubject())
    emulator: Any = made.emulator
    emulator.add_service_user("SIEM user")
    key = emulator.console_create_key("SIEM user", "splunk")
    found = adopted(made, "--key-id", key["keyId"], status=4)
    assert [item["object"] for item in found["adopted"]] == ["ServiceUser/siem-user"]
    assert "does not list keys" in found["unseen"]
    assert [item["reason"] for item in found["leftOut"] if item["kind"] == "ApiKey"] == [
        "it has nothing that gives it permissions, or the product does not tell what"
    ]
    assert json.dumps(made.state()["objects"]["ServiceUser/siem-user"]["vendorName"]) == '"SIEM user"'


@pytest.mark.parametrize("vendor", ["cloud one", "vision one", "cortex", "carbon black"])
def test_an_adopted_key_lives_on_as_ours(open_world: Open, vendor: str) -> None:
    """It is changed, rotated, and retired after the overlap: each time the plan afterwards has nothing to do."""
    subjects: dict[str, Any] = {
        "cloud one": CloudOneSubject, "vision one": VisionOneSubject, "cortex": CortexSubject,
        "carbon black": ConsoleSubject,
    }  # fmt: skip
    made = open_world(subjects[vendor]())
    emulator: Any = made.emulator
    match vendor:
        case "cloud one":
            emulator.add_key("Old: one")
        case "vision one":
            emulator.add_key("Old: one", "Auditor")
        case "cortex":
            end = emulator.clock.now_ms() + int(timedelta(days=90).total_seconds() * 1000)
            emulator.add_key("Old: one", "Instance Administrator", expiration=end)
        case _:
            emulator.click_create_level("Alert readers", {"org.alerts": ["READ"]})
            emulator.click_create_key("Old: one", "Alert readers")
    adopted(made, "--only", "ApiKey/Old: one")
    path = made.folder / "adopted/keys/old-one.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("spec:\n", "spec:\n  description: 'Now: described'\n"), encoding="utf-8")
    made.settle()
    assert made.run("rotate", "sample/old-one", "--auto-approve").status == 0
    made.assert_in_sync()
    assert made.verify(made.issued("old-one")) is Verification.GOOD
    assert made.run("rotate", "sample/old-one", "--auto-approve", "--drop-previous").status == 0
    made.assert_in_sync()
    assert made.verify(made.issued("old-one")) is Verification.GOOD


def test_the_secret_of_an_adopted_key_goes_over_nobody_elses(open_world: Open) -> None:
    """What lies at the path is not ours: nothing is written until somebody has taken it away."""
    made = open_world(HandoffSubject())
    emulator: Any = made.emulator
    emulator.click_create_level("Alert readers", {"org.alerts": ["READ"]})
    key, secret = emulator.click_create_key("SIEM", "Alert readers")
    adopted(made, "--key-id", f"siem={key}")
    brought = f"{key}\n{secret}\n"
    place = f"{made.mount}/data/keys/sample/siem"
    made.vault.request("POST", place, {"data": {"somebody": "else"}})
    blocked = made.run("handoff", "complete", "sample/siem", stdin=brought)
    assert (blocked.status, "did not write" in blocked.err) == (1, True), blocked
    made.vault.request("DELETE", f"{made.mount}/metadata/keys/sample/siem")
    again = made.run("handoff", "complete", "sample/siem", stdin=brought)  # used just now: a second use tells nothing
    assert (again.status, "--unverified" in again.err) == (1, True), again
    assert made.run("handoff", "complete", "sample/siem", "--unverified", stdin=brought).status == 0
    assert (made.secret("siem") or {})["apiSecret"] == secret
