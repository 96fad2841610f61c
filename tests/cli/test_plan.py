"""`reconciler plan`: output formats, saved plans and exit codes."""

from __future__ import annotations

import json

import pytest

from tests.support.openbao import Naps
from tests.support.world import World


@pytest.fixture
def estate(world: World, naps: Naps) -> World:
    """One tenant with one level and one key."""
    world.tenant()
    world.level()
    world.key()
    return world


def test_json(estate: World) -> None:
    """Tenants with their actions, each with its object, kind, fields and source."""
    shown = estate.plan("--format", "json")
    assert shown.status == 2
    (tenant,) = shown.json["tenants"]
    assert tenant["exitCode"] == 2
    assert [(action["object"], action["kind"]) for action in tenant["actions"]] == [
        ("AccessLevel/read", "create"),
        ("ApiKey/splunk", "create"),
    ]
    assert tenant["actions"][1]["source"].startswith("keys/dsm-splunk.yaml:")


def test_exit_codes(estate: World) -> None:
    """Pending changes are told apart only when asked for; a blocked object always is."""
    assert estate.run("plan").status == 0
    assert estate.plan().status == 2
    estate.trends["dsm"].add_key("splunk")
    assert estate.run("plan").status == 4
    estate.trends["dsm"].delete_key("splunk")
    assert estate.apply().status == 0
    assert estate.plan().status == 0


def test_guardrail_of_one_tenant(estate: World) -> None:
    """The stopped tenant has exit code 3, the other its own."""
    estate.tenant("west")
    estate.level(tenant="west")
    for number in range(5):
        estate.key(f"k{number}")
    assert estate.apply().status == 0
    for number in range(5):
        estate.remove(f"keys/dsm-k{number}.yaml")
    shown = estate.plan("--format", "json")
    assert shown.status == 3
    codes = {tenant["tenant"]: tenant["exitCode"] for tenant in shown.json["tenants"]}
    assert codes["dsm"] == 3


def test_unreadable_tenant_in_json(estate: World) -> None:
    """It has an error instead of actions."""
    estate.trends["dsm"].faults.inject("unauthorized", times=None)
    shown = estate.plan("--format", "json")
    assert shown.status == 1
    (tenant,) = shown.json["tenants"]
    assert "401" in tenant["error"]


def test_saved_plan_holds_digests_only(estate: World) -> None:
    """What is written names objects, fields and digests, and no value."""
    assert estate.run("plan", "--out", "p.json").status == 0
    text = (estate.folder / "p.json").read_text()
    assert {action["object"] for action in json.loads(text)["tenants"][0]["actions"]} == {
        "AccessLevel/read",
        "ApiKey/splunk",
    }
    assert "Key splunk" not in text


def test_warnings_come_first(estate: World) -> None:
    """What the manifests warn of is on standard error, each with its place and the word once."""
    estate.key(expires="2020-01-31")
    shown = estate.plan()
    assert shown.err.startswith("keys/dsm-splunk.yaml:7:12: warning: ")
    assert shown.err.count("warning: ") == 1


def test_a_plan_that_cannot_be_saved_is_one_json_document(estate: World) -> None:
    """The error, and not the plan before it."""
    failed = estate.run("plan", "--format", "json", "--out", "nowhere/p.json")
    assert failed.status == 1
    assert "cannot be written" in failed.json["error"]
