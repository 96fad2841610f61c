"""Many applies of one estate at once, each a process of its own: one works, the others say whose turn it is."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from tests.support.openbao import Naps
from tests.support.troubled import Proxy
from tests.support.world import Run, World


def start(world: World, *args: str) -> subprocess.Popen[str]:
    """A command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "reconciler", *args],
        cwd=world.folder, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def end(world: World, child: subprocess.Popen[str]) -> Run:
    """What it did."""
    output, _ = child.communicate(timeout=50)
    world.printed.append(output)
    return Run(child.returncode, output, "")


def together(world: World, proxy: Proxy, count: int) -> list[Run]:
    """So many applies: the first one is stopped before it announces its first creation, until all others have ended."""
    working, over = threading.Event(), threading.Event()
    commits = itertools.count()

    def hold(method: str, path: str) -> None:
        if method == "POST" and "/data/reconciler/" in path and next(commits) == 1:  # the one before took the lease
            working.set()
            over.wait(50)

    proxy.trouble = hold
    try:
        first = start(world, "apply", "--auto-approve")
        assert working.wait(30)
        children = [start(world, "apply", "--auto-approve") for _ in range(count - 1)]
        ended = [end(world, child) for child in children]
    finally:
        over.set()
    return [*ended, end(world, first)]


@pytest.fixture
def estate(world: World, naps: Naps) -> World:
    """One tenant with a level and two keys, nothing applied."""
    world.tenant()
    world.level()
    world.key("one")
    world.key("two")
    return world


@pytest.mark.promise(7)
@pytest.mark.parametrize("count", [2, 10])
def test_promise_7_of_many_applies_one_works(estate: World, vault_proxy: Proxy, count: int) -> None:
    """The others exit 5 and name the holder; nothing is made twice; the result is that of one run."""
    *others, worked = together(estate, vault_proxy, count)
    assert [run.status for run in others] == [5] * (count - 1)
    assert all("holds the lease since" in run.all for run in others)
    assert worked.status == 0, worked.all
    assert estate.names() == ["one", "two"]
    assert len([role for role in estate.trends["dsm"].roles() if role["name"] == "read"]) == 1
    assert estate.trends["dsm"].requests["POST /apikeys"] == 2
    assert estate.state()["intents"] == {}
    assert all(estate.metadata(key)["current_version"] == 1 for key in ("one", "two"))
    assert all(estate.authenticates(key) for key in ("one", "two"))
    assert estate.plan().status == 0


@pytest.mark.promise(7)
def test_promise_7_applies_that_start_together_do_not_interleave(estate: World) -> None:
    """Whoever comes first: every run ends with 0 or 5, and what is there is what one run makes."""
    children = [start(estate, "apply", "--auto-approve") for _ in range(4)]
    ended = [end(estate, child) for child in children]
    assert {run.status for run in ended} <= {0, 1, 5}, [run.all for run in ended]
    assert any(run.status == 0 for run in ended)
    # A plan that was made before the other run's end no longer stands: nothing is done then, and it says so.
    assert all("no longer stands" in run.all for run in ended if run.status == 1)
    assert estate.trends["dsm"].requests["POST /apikeys"] == 2
    assert estate.names() == ["one", "two"]
    assert all(estate.authenticates(key) for key in ("one", "two"))
    assert estate.plan().status == 0


@pytest.mark.promise(7)
@pytest.mark.parametrize("part", ["/data/keys/", "/data/reconciler/"])
def test_promise_7_a_revoke_during_an_apply_wins(estate: World, vault_proxy: Proxy, part: str) -> None:
    """Wherever the apply is, between the vendor's answer and Vault or before a commit: afterwards no key of it lives."""
    assert estate.apply().status == 0
    (estate.folder / "keys/dsm-one.yaml").unlink()
    estate.key("one", rotation="{every: 30d, overlap: 24h}")
    estate.age(31, "one", overlap=False)
    children: list[Any] = []
    once = threading.Event()

    def revoke(method: str, path: str) -> None:
        if (
            method == "POST"
            and part in path
            and estate.trends["dsm"].requests["POST /apikeys"] > 2
            and not once.is_set()
        ):
            once.set()
            children.append(start(estate, "revoke", "dsm/one", "--reason", "leaked", "--auto-approve"))
            while "revoked" not in estate.state()["objects"]["ApiKey/one"] and children[0].poll() is None:
                pass  # each look is a request: until the tombstone stands

    vault_proxy.trouble = revoke
    applied = estate.apply()
    vault_proxy.trouble = lambda method, path: None
    assert once.is_set(), applied.all
    revoked = end(estate, children[0])
    assert revoked.status in {0, 4}, revoked.all
    if revoked.status == 4 or applied.status:
        assert estate.run("revoke", "dsm/one", "--reason", "leaked", "--auto-approve").status == 0
    assert estate.names() == ["two"]
    versions = estate.metadata("one")["versions"].values()
    assert all(version["deletion_time"] for version in versions)
    shown = estate.plan()
    assert "it was revoked" in shown.out
    assert "ApiKey/one" not in estate.state()["intents"]
