"""What nobody thought of, and Ctrl-C: leases are given back, results are kept, and nobody sees a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import reconciler.apply.issue as issuing
import reconciler.apply.tenant as working
from reconciler.apply.run import ApplyRun
from reconciler.errors import Interrupted
from tests.support.openbao import Naps
from tests.support.world import World


@pytest.fixture
def estate(world: World, naps: Naps) -> World:
    """Two tenants with one level and two keys each."""
    for tenant in ("east", "west"):
        world.tenant(tenant)
        world.level(tenant=tenant)
        world.key("one", tenant)
        world.key("two", tenant)
    return world


def finishes(world: World) -> None:
    """One more run does what is left."""
    assert world.apply().status == 0
    assert world.plan().status == 0
    for tenant in ("east", "west"):
        assert world.names(tenant) == ["one", "two"]
        assert world.state(tenant)["intents"] == {}
        for key in ("one", "two"):
            assert world.authenticates(key, tenant)


@pytest.mark.promise(3)
@pytest.mark.parametrize("problem", [MemoryError("s3cret"), RuntimeError("s3cret")], ids=["memory", "bug"])
@pytest.mark.parametrize("step", ["store", "_verified", "annotate", "_close"])
def test_promise_3_a_bug_ends_one_action(
    estate: World, monkeypatch: pytest.MonkeyPatch, step: str, problem: Exception
) -> None:
    """The others are done, the result names type and place and nothing else, and the next run finds the open intent."""
    right = getattr(issuing, step)

    def wrong(tools: Any, *rest: Any, **more: Any) -> Any:
        concerned = str(getattr(rest[0], "object", rest[0]))  # an action, or a path
        if tools.tenant.desired.name == "east" and concerned.endswith("/one"):
            raise problem
        return right(tools, *rest, **more)

    monkeypatch.setattr(issuing, step, wrong)
    applied = estate.apply()
    assert applied.status == 4
    assert f"internal error: {type(problem).__name__} at reconciler.apply.issue:" in applied.out
    assert "s3cret" not in applied.all
    assert "Traceback" not in applied.all
    assert "failed east: ApiKey/one" in applied.out
    assert estate.authenticates("two", "east")
    assert list(estate.state("east")["intents"]) == ["ApiKey/one"]
    assert estate.names("west") == ["one", "two"]
    assert estate.state("east").get("lease") is None
    monkeypatch.setattr(issuing, step, right)
    finishes(estate)


@pytest.mark.promise(3)
def test_promise_3_a_bug_before_the_first_action_ends_one_tenant(
    estate: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease is given back, and the other tenant is done."""
    right = ApplyRun._preflight

    def wrong(self: ApplyRun, plan: Any) -> None:
        if plan.tenant == "east":
            raise KeyError("s3cret")
        right(self, plan)

    monkeypatch.setattr(ApplyRun, "_preflight", wrong)
    applied = estate.apply()
    assert applied.status == 4
    assert "internal error: KeyError at " in applied.out
    assert estate.state("east").get("lease") is None
    assert estate.names("west") == ["one", "two"]
    monkeypatch.setattr(ApplyRun, "_preflight", right)
    finishes(estate)


@pytest.mark.promise(3)
def test_promise_3_no_thread_can_be_started(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not begun is said to be so."""

    class Exhausted(ThreadPoolExecutor):
        def submit(self, *args: Any, **more: Any) -> Any:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(working, "ThreadPoolExecutor", Exhausted)
    applied = estate.apply()
    assert applied.status == 1
    assert "not begun: internal error: RuntimeError at reconciler.apply.tenant:" in applied.out
    assert estate.names("east") == []
    assert estate.state("east").get("lease") is None
    monkeypatch.undo()
    monkeypatch.setenv("VAULT_ADDR", estate.bao.address)
    monkeypatch.setenv("VAULT_TOKEN", estate.bao.root_token)
    finishes(estate)


def test_a_bug_while_planning_ends_one_tenant(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named as one that could not be read, and the others are planned and done."""
    import reconciler.plan.run as planning

    right = planning.plan_tenant

    def wrong(desired: Any, *rest: Any) -> Any:
        if desired.name == "east":
            raise ZeroDivisionError
        return right(desired, *rest)

    monkeypatch.setattr(planning, "plan_tenant", wrong)
    applied = estate.apply()
    assert applied.status == 4
    assert "error east: internal error: ZeroDivisionError at reconciler.plan.run:" in applied.out
    assert estate.names("west") == ["one", "two"]


def test_whoever_watches_may_go(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress that cannot be shown stops nothing."""

    def gone(tenant: str, result: Any) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("reconciler.cli.apply._progress", gone)
    assert estate.apply().status == 0
    finishes(estate)


def interrupted_apply(
    world: World, reached: Any, *args: str, number: signal.Signals = signal.SIGINT
) -> tuple[int, str, float]:
    """Run `apply` in a process of its own and signal it (Ctrl-C); returns status, output and how long it took from then."""
    child = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "apply", "--auto-approve", *args],
        cwd=world.folder, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    there = reached()
    child.send_signal(number)
    begun = time.monotonic()
    output, _ = child.communicate(timeout=30)
    world.printed.append(output)
    assert there, output
    return child.returncode, output, time.monotonic() - begun


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_what_is_under_way_and_begins_nothing_new(estate: World, number: signal.Signals) -> None:
    """The call that is on its way comes to its end and is recorded; leases are given back; exit 4. So too for SIGTERM."""
    hang = estate.trends["east"].faults.inject("hang-after", method="POST", path="/roles", seconds=2)
    status, output, _ = interrupted_apply(
        estate, lambda: hang.wait_until_hit(20) and not time.sleep(0.5), "--target", "east", number=number
    )
    assert status == 4, output
    assert "not begun: the run was interrupted; run again to go on" in output
    assert "Traceback" not in output
    assert list(estate.state("east")["objects"]) == ["AccessLevel/read"]
    assert estate.state("east")["intents"] == {}
    assert estate.state("east").get("lease") is None
    finishes(estate)


def test_ctrl_c_ends_the_wait_for_the_vendors_rate(world: World) -> None:
    """Twenty keys at ten calls an hour: what waits for its turn is not sent, what has been made is recorded."""
    slow = "rate: {calls: 10, per: 1h, share: 1.0}"
    trend = world.tenant("east", f"\n{slow}\n")
    world.level(tenant="east")
    for number in range(20):
        world.key(f"key-{number:02}", "east")

    def waiting() -> bool:
        ends = time.monotonic() + 20
        while trend.requests.total() < 10 + 6 and time.monotonic() < ends:  # six keys, each tried at another rate
            time.sleep(0.02)
        return trend.requests["POST /apikeys"] == 6

    status, output, seconds = interrupted_apply(world, waiting)
    assert status == 4, output
    assert seconds < 5
    assert "interrupted while it waited for the vendor's rate; run again to go on" in output
    assert "not begun: the run was interrupted; run again to go on" in output
    assert "Traceback" not in output
    made = set(world.names("east"))
    recorded = {name.partition("/")[2] for name in world.state("east")["objects"] if name.startswith("ApiKey/")}
    assert made == recorded
    assert len(made) == 6
    assert world.state("east").get("lease") is None
    assert len(world.state("east")["intents"]) <= 8, "of those that were waiting, and of no other"
    world.write("tenants/east.yaml", (world.folder / "tenants/east.yaml").read_text().replace(slow, ""))
    assert world.apply().status == 0
    assert world.plan().status == 0
    assert len(world.names("east")) == 20
    assert all(world.authenticates(f"key-{number:02}", "east") for number in range(20))


def test_ctrl_c_ends_the_wait_for_a_lease(estate: World) -> None:
    """Nobody has to sit out a lease time-out of ten minutes."""
    assert estate.apply().status == 0
    lease = {"run": "r", "holder": "somebody", "since": "2026-01-01T00:00:00Z", "expires": "2099-01-01T00:00:00Z"}
    estate.edit_state(lambda state: state.update(lease=lease), "east")
    estate.trends["east"].edit_key("one", locale="ja-JP")
    reads = estate.trends["east"].requests

    def waiting() -> bool:
        asked = reads["GET /apikeys/current"]
        while reads["GET /apikeys/current"] == asked:
            time.sleep(0.05)
        time.sleep(1.5)
        return True

    status, output, seconds = interrupted_apply(estate, waiting, "--target", "east", "--lease-timeout", "600")
    assert status == 5, output
    assert "somebody holds the lease" in output
    assert seconds < 10


def test_a_tenant_whose_turn_has_not_come_is_not_begun(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an interruption no lease is taken any more."""
    right = ApplyRun.apply_all

    def interrupted(self: ApplyRun, planned: Any) -> Any:
        self.stop.set()
        return right(self, planned)

    monkeypatch.setattr(ApplyRun, "apply_all", interrupted)
    applied = estate.apply("--format", "json")
    assert applied.status == 1
    assert "interrupted before this tenant's turn" in applied.out
    assert estate.bao.request("LIST", f"{estate.kv}/metadata/")["data"]["keys"] == ["credentials/"]


def test_an_interruption_before_the_first_action_gives_the_lease_back(
    estate: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenant that is read again under its lease may have to wait for its vendor: that wait ends too."""

    def interrupted(*_: Any) -> Any:
        raise Interrupted

    monkeypatch.setattr(ApplyRun, "_standing", interrupted)
    applied = estate.apply("--target", "east")
    assert applied.status == 1
    assert "not begun: the run was interrupted" in applied.out
    assert estate.state("east").get("lease") is None
    assert estate.names("east") == []
    monkeypatch.undo()
    monkeypatch.setenv("VAULT_ADDR", estate.bao.address)
    monkeypatch.setenv("VAULT_TOKEN", estate.bao.root_token)
    finishes(estate)
