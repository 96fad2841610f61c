"""The state of a tenant is restored from an old snapshot, at every product: nothing that lives dies of it."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from reconciler.model.outcome import ExitCode
from tests.support.crash import problems
from tests.support.crash_scenarios import APPLY, Scenario, due, over, settled, two_fit, without_key
from tests.support.crash_sites import SITES
from tests.support.crash_world import ESTATE_ID, TENANT, CrashWorld, Ground, crash_world

REBUILD: Final = ("state", "rebuild", TENANT, "--auto-approve")
ROTATED: Final = Scenario("old state", due, settled, retiring=None)


def restore(world: CrashWorld, state: dict[str, Any]) -> None:
    """The state is what it was, as a snapshot of its mount brings it back."""
    world.put(f"reconciler/{ESTATE_ID}/{TENANT}", {"document": json.dumps(state)})


def refused(world: CrashWorld) -> None:
    """An apply says what is wrong, and does nothing about it."""
    before = world.site.keys()
    ran = world.run(*APPLY)
    assert ran.status == ExitCode.PARTIAL, ran.output
    assert "ApiKey/splunk: the state is older than what it describes" in ran.output
    planned = world.run("plan")
    assert f"reconciler state rebuild {TENANT}" in planned.output
    assert world.site.keys() == before


def rebuilt(world: CrashWorld) -> None:
    """A rebuilding makes the state right: the next apply has little to do, and one plan after it nothing."""
    assert world.run(*REBUILD).status == 0, world.printed[-1]
    world.must(*APPLY)
    if not world.site.traits().lists_keys and world.record().get("previous"):
        # Nobody can tell whether the generation before is there: a person is asked for it when its overlap is over.
        over(world)
        world.must(*APPLY)
    assert list(problems(world, ROTATED)) == []
    planned = world.run("plan", "--detailed-exitcode")
    assert planned.status == 0, planned.output


@pytest.mark.promise(4)
@pytest.mark.parametrize("retired", [False, True], ids=["in its overlap", "over"])
@pytest.mark.parametrize("product", [name for name, site in SITES.items() if two_fit(site.traits())])
def test_promise_4_state_from_before_a_rotation(ground: Ground, product: str, retired: bool) -> None:
    """The generation that the state has forgotten is no orphan: its secret is the one in Vault."""
    with crash_world(ground, SITES[product]) as world:
        settled(world)
        old = world.state()
        due(world)
        world.must(*APPLY)
        if retired:
            over(world)
            world.must(*APPLY)
        world.remember()
        _, secret = world.consumers["splunk"]
        restore(world, old)
        refused(world)
        assert world.site.authenticates(secret)
        rebuilt(world)
        assert world.site.authenticates(secret)


@pytest.mark.promise(4)
@pytest.mark.parametrize("product", SITES)
def test_promise_4_state_from_before_a_key(ground: Ground, product: str) -> None:
    """A key that was made since the snapshot, and what gives it its access, live on."""
    with crash_world(ground, SITES[product]) as world:
        world.key("other")
        world.level()
        world.must(*APPLY)
        old = world.state()
        world.level("write", 1)
        world.key(level="write")
        world.must(*APPLY)
        world.remember()
        levels = world.site.levels()
        restore(world, old)
        world.run(*APPLY)
        assert world.site.levels() == levels
        assert world.site.authenticates(world.consumers["splunk"][1])
        rebuilt(world)
        assert world.site.authenticates(world.consumers["splunk"][1])


@pytest.mark.promise(4)
@pytest.mark.parametrize("product", SITES)
def test_promise_4_state_from_before_a_revocation(ground: Ground, product: str) -> None:
    """A revoked key whose tombstone the state has lost is not issued again: the tombstone lies beside its secret as well."""
    with crash_world(ground, SITES[product]) as world:
        settled(world)
        old = world.state()
        world.remember()
        world.run("revoke", f"{TENANT}/splunk", "--reason", "leaked", "--auto-approve")
        restore(world, old)
        refused(world)
        assert not world.site.authenticates(world.consumers["splunk"][1])
        assert world.run(*REBUILD).status == 0, world.printed[-1]
        assert world.record()["revoked"]["reason"] == "leaked"


@pytest.mark.promise(4)
@pytest.mark.parametrize("product", [name for name, site in SITES.items() if site.traits().lists_keys])
def test_promise_4_state_from_before_a_key_that_no_manifest_declares(ground: Ground, product: str) -> None:
    """Who has neither record nor manifest is found at the place where the tenant keeps its secrets."""
    with crash_world(ground, SITES[product]) as world:
        world.key("other")
        settled(world)
        state = world.state()
        state["objects"].pop("ApiKey/splunk")
        world.remember()
        restore(world, state)
        without_key()(world)
        refused(world)
        assert world.site.authenticates(world.consumers["splunk"][1])


@pytest.mark.promise(3)
@pytest.mark.parametrize("product", [name for name, site in SITES.items() if not site.traits().by_hand])
def test_promise_3_secret_of_another_key_is_not_forgotten(ground: Ground, product: str) -> None:
    """A rebuilt state knows that the secret in Vault is another key's, and a run that is refused does not change that."""
    with crash_world(ground, SITES[product]) as world:
        settled(world)
        path = f"{ground.kv}/metadata/{world.record()['path']}"
        said = {
            "managed-by": "access-reconciler",
            "tenant": TENANT,
            "key": "splunk",
            "vendor-id": "99",
            "generation": "1",
        }
        ground.bao.request("POST", path, {"custom_metadata": said})
        world.lose_state()
        assert world.run(*REBUILD).status == 0, world.printed[-1]
        fault = world.site.emulator.faults.inject("forbidden", method="POST", path="*[kK]ey*", times=None)
        refused = world.run(*APPLY)
        assert (refused.status, bool(fault.hits)) == (1, True), refused.output
        world.site.emulator.faults.clear()
        assert "is not the one at" in world.run("plan").output
        world.must(*APPLY)
        assert list(problems(world, ROTATED)) == []
