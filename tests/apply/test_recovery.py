"""The recovery table of PROTOCOL, row by row, for a vendor that regenerates in place and lets names repeat.

Where a run has to die, it is a child process that is killed while the vendor keeps it waiting.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.support.world import World

SHORT = "timeouts: {call: 1s, lease: 4s}"


@pytest.fixture
def estate(world: World) -> World:
    """One tenant, one access level, one key; the lease of a killed run expires after seconds."""
    world.settings(SHORT)
    world.tenant()
    world.level()
    world.key()
    return world


def kill_apply(world: World, method: str, template: str) -> None:
    """Run `apply` and kill it while the vendor keeps it waiting for the answer to one request."""
    faults = world.trends["dsm"].faults
    fault = faults.inject("hang-after", method=method, path=template, seconds=60)
    child = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "apply", "--auto-approve"],
        cwd=world.folder, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert fault.wait_until_hit(20)
    child.send_signal(signal.SIGKILL)
    output, _ = child.communicate()
    world.printed.append(output)
    faults.clear()


def recover(world: World) -> str:
    """One more run after the dead one's lease has expired; returns what the plan before it said."""
    shown = world.plan()
    assert world.apply().status == 5
    applied = world.apply("--lease-timeout", "20")
    assert applied.status == 0, applied.all
    assert world.names() == ["splunk"]
    assert world.authenticates()
    assert world.state()["intents"] == {}
    assert world.plan().status == 0
    return shown.out


@pytest.mark.promise(3)
def test_promise_3_killed_after_the_vendor_created_the_key(estate: World) -> None:
    """The key exists, its secret was never stored: the next run gives it a new one."""
    kill_apply(estate, "POST", "/apikeys")
    assert "exists, its secret was never stored: reissue" in recover(estate)


@pytest.mark.promise(3)
def test_promise_3_killed_after_the_secret_was_stored(estate: World) -> None:
    """The secret is in Vault: the next run only closes the intent, and the secret stays."""
    estate.apply("--target", "dsm/AccessLevel/read")
    faults = estate.trends["dsm"].faults
    faults.clear()
    kill_apply(estate, "POST", "/apikeys")
    recover(estate)
    estate.bao.request("DELETE", f"{estate.kv}/data/keys/dsm/splunk")
    kill_apply(estate, "POST", "/apikeys/{apiKeyID}/secretkey")
    assert "reissue" in recover(estate)


@pytest.mark.promise(3)
def test_promise_3_killed_while_creating_the_access_level(estate: World) -> None:
    """The role exists and nobody recorded it: the next run adopts it by its mark."""
    kill_apply(estate, "POST", "/roles")
    assert "was created by a run that died before it could record it" in recover(estate)
    assert len([role for role in estate.trends["dsm"].roles() if role["name"] == "read"]) == 1


@pytest.mark.promise(3)
@pytest.mark.parametrize("fault", ["reset-after", "error-after", "truncated", "cut-off", "html"])
def test_promise_3_lost_reply_is_looked_up_not_repeated(estate: World, fault: str) -> None:
    """When the answer to a creation is lost the key is looked for by its mark and given a new secret, in the same run."""
    estate.trends["dsm"].faults.inject(fault, method="POST", path="/apikeys", times=1)
    applied = estate.apply()
    if fault == "html":  # it did not act: nothing is found, nothing is repeated, the next run finishes
        assert applied.status == 4
        assert estate.names() == []
        assert estate.apply().status == 0
    assert estate.names() == ["splunk"]
    assert estate.authenticates()
    assert estate.plan().status == 0


@pytest.mark.promise(3)
def test_promise_3_late_creation_is_found_as_an_orphan(estate: World) -> None:
    """A creation that the vendor carries out long after we gave up on it is removed by a later run."""
    estate.trends["dsm"].faults.inject("late-create", method="POST", path="/apikeys", times=1, requests=6)
    assert estate.apply().status == 4
    assert estate.apply().status == 0
    for _ in range(4):
        estate.plan()
    shown = estate.plan()
    assert "is an orphan of ours" in shown.out
    assert estate.apply().status == 0
    assert estate.names() == ["splunk"]
    assert estate.authenticates()
    assert estate.plan().status == 0


@pytest.mark.promise(3)
def test_promise_3_lost_state_deletes_nothing(estate: World) -> None:
    """Marks of ours without a state document mean a lost state or a copied estate: blocked, never deleted."""
    estate.apply()
    path = f"{estate.kv}/metadata/reconciler"
    for folder in estate.bao.request("LIST", path)["data"]["keys"]:
        for tenant in estate.bao.request("LIST", f"{path}/{folder}")["data"]["keys"]:
            estate.bao.request("DELETE", f"{path}/{folder}{tenant}")
    shown = estate.plan()
    assert "there is no state document for this tenant" in shown.out
    estate.apply()
    assert estate.names() == ["splunk"]
    assert estate.authenticates()
