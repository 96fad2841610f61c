"""Removal, renaming, pruning and the leave to pass a guardrail, end to end: command line, emulated vendor, real OpenBao."""

from __future__ import annotations

import pytest

from tests.support.world import World, _earlier

QUARANTINE = "onRemoval: {action: quarantine, grace: 7d}\n"


def with_removal(world: World, on_removal: str) -> None:
    """One key and its level, applied, in a tenant that removes as given."""
    world.tenant()
    file = world.folder / "tenants/dsm.yaml"
    file.write_text(file.read_text().replace("onRemoval: delete\n", on_removal))
    world.level()
    world.key()
    assert world.apply().status == 0


def active(world: World, name: str = "splunk") -> list[bool]:
    """Whether each key of that name may sign in."""
    return [key["active"] for key in list(world.trends["dsm"].keys()) if key["keyName"] == name]


def test_quarantine_from_lock_to_deletion(world: World) -> None:
    """Locked at once and said when it is deleted; after the grace period key and secret go."""
    with_removal(world, QUARANTINE)
    world.remove("keys/dsm-splunk.yaml")
    planned = world.plan()
    assert "in quarantine, deleted after" in planned.out
    assert world.apply().status == 0
    assert active(world) == [False]
    assert world.secret()
    assert world.plan().status == 0
    world.edit_state(
        lambda state: state["objects"]["ApiKey/splunk"].update(
            quarantineUntil=_earlier(state["objects"]["ApiKey/splunk"]["quarantineUntil"], 8)
        )
    )
    assert world.apply().status == 0
    assert world.names() == []
    with pytest.raises(Exception, match="404"):
        world.secret()
    assert world.plan().status == 0


def test_quarantined_key_comes_back(world: World) -> None:
    """With its manifest it is unlocked, with the secret that its consumers have."""
    with_removal(world, QUARANTINE)
    world.remove("keys/dsm-splunk.yaml")
    assert world.apply().status == 0
    assert not world.authenticates()
    world.key()
    assert world.apply().status == 0
    assert world.authenticates()
    assert world.plan().status == 0
    assert "quarantineUntil" not in world.state()["objects"]["ApiKey/splunk"]


def test_orphaned_key_lives_on(world: World) -> None:
    """It is left as it is, by this run and the next, and taken up again when Git wants it."""
    with_removal(world, "onRemoval: orphan\n")
    world.remove("keys/dsm-splunk.yaml")
    world.remove("levels/dsm-read.yaml")
    world.level("other")
    assert "it stays until the last key that has it is gone: splunk" in world.run("plan").out
    world.level()
    assert world.apply().status == 0
    assert (world.names(), world.authenticates()) == (["splunk"], True)
    assert world.plan().status == 0
    world.key()
    assert world.apply().status == 0
    assert world.authenticates()
    assert world.plan().status == 0


def test_renamed_key_keeps_its_secret(world: World) -> None:
    """The vendor's name follows, the secret stays at its path until the next rotation and moves with that."""
    with_removal(world, "onRemoval: delete\n")
    before = world.secret()
    world.remove("keys/dsm-splunk.yaml")
    path = world.key("siem", rotation="{every: 90d, overlap: 24h}")
    path.write_text(path.read_text().replace("owner:", "previousNames: [splunk], owner:"))
    assert world.apply().status == 0
    assert (world.names(), world.secret()) == (["siem"], before)
    assert world.plan().status == 0
    world.age(91, "siem")
    assert world.apply().status == 0
    assert world.authenticates("siem")
    world.age(2, "siem")
    assert world.apply().status == 0
    with pytest.raises(Exception, match="404"):
        world.secret()
    assert world.plan().status == 0


@pytest.mark.promise(4)
def test_promise_4_pruning_is_asked_for_twice(world: World) -> None:
    """The tenant says prune and an approval names the object: that one goes, the others stay."""
    with_removal(world, "onRemoval: delete\n  unmanaged: prune\n".replace("\n  ", "\n" + " " * 2))
    trend = world.trends["dsm"]
    for name in ("theirs", "others"):
        trend.call("POST", "/apikeys", {"keyName": name, "roleID": 1, "active": True})
    assert "2 unmanaged" in world.run("plan").out
    assert world.plan().status == 0
    world.write(
        "approvals.yaml",
        """
        apiVersion: reconciler/v1
        kind: Approval
        metadata: {name: old-key, tenant: dsm}
        spec: {object: ApiKey/theirs, action: prune, reason: nobody knows it, until: 2099-12-31}
        """,
    )
    assert world.apply().status == 0
    assert world.names() == ["others", "splunk"]
    assert world.plan().status == 0


@pytest.mark.promise(4)
def test_promise_4_a_guardrail_is_passed_by_its_name_only(world: World) -> None:
    """A stop names the rule and how to allow it; a name that no finding has is refused, and no flag allows all."""
    with_removal(world, "onRemoval: delete\n")
    for number in range(5):
        world.key(f"k{number}")
    assert world.apply().status == 0
    for number in range(5):
        world.remove(f"keys/dsm-k{number}.yaml")
    stopped = world.run("apply", "--auto-approve")
    assert stopped.status == 3
    assert "--allow deletes:dsm" in stopped.err
    assert len(world.names()) == 6
    wrong = world.run("apply", "--auto-approve", "--allow", "deletes:everything")
    assert (wrong.status, "here: deletes:dsm" in wrong.err) == (1, True)
    assert world.run("plan", "--allow", "deletes:dsm").status == 0
    named = ["--allow", "deletes:dsm/ApiKey/k0", "--allow", "deletes:dsm/ApiKey/k1"]  # three are always allowed
    assert world.run("plan", *named[:2]).status == 3
    assert world.run("plan", *named).status == 0
    assert world.run("plan", "--allow", "deletes:dsm/ApiKey/splunk").status == 1
    assert world.run("apply", "--auto-approve", "--allow", "deletes:dsm").status == 0
    assert world.names() == ["splunk"]
    nothing = world.run("plan", "--allow", "deletes:dsm")
    assert (nothing.status, "no guardrail stops this run under that name" in nothing.err) == (1, True)
