"""What a run costs in calls and connections: counted at the vendors' emulators and before OpenBao, not by ourselves."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest

import reconciler.apply.run as applying
import reconciler.plan.run as planning
from reconciler.apply.tenant import VERIFIERS, WORKERS
from reconciler.emulator.server import Server
from reconciler.plan.run import PARALLEL_TENANTS, plan_all
from tests.support import builders as b
from tests.support.openbao import Naps
from tests.support.troubled import Proxy
from tests.support.world import World

TENANTS = ("east", "north", "south", "west")


@pytest.fixture
def estate(world: World, naps: Naps) -> World:
    """Four tenants with a level and five keys each, in sync."""
    for tenant in TENANTS:
        world.tenant(tenant)
        world.level(tenant=tenant)
        for number in range(5):
            world.key(f"key-{number}", tenant)
    assert world.apply().status == 0
    for trend in world.trends.values():
        trend.requests.clear()
    return world


def asked(proxy: Proxy, kv: str) -> Counter[str]:
    """What Vault was asked, the mount's and the tenants' names left out."""
    found: Counter[str] = Counter()
    for method, path in proxy.seen:
        parts = [part for part in path.removeprefix("/v1/").partition("?")[0].split("/") if part not in {kv, *TENANTS}]
        found[" ".join([method, "/".join(parts)])] += 1
    return found


def test_a_plan_costs_three_calls_to_the_vendor_and_three_to_vault(
    estate: World, vault_proxy: Proxy, emulator_server: Server
) -> None:
    """Per tenant, whatever its keys: two lists and whose key it is; credential, state, and one listing of metadata."""
    before = emulator_server.application.connections
    assert estate.plan().status == 0
    for trend in estate.trends.values():
        assert trend.requests == {"POST /apikeys/search": 1, "POST /roles/search": 1, "GET /apikeys/current": 1}
    estate_id = "5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11"
    calls = asked(vault_proxy, estate.kv)
    assert calls.pop("GET sys/internal/ui/mounts") <= len(TENANTS), "all may ask before the first one knows"
    assert calls == {"GET data/credentials": 4, f"GET data/reconciler/{estate_id}": 4, "LIST detailed-metadata/keys": 4}
    assert emulator_server.application.connections - before == len(TENANTS), "one to each vendor account"
    assert vault_proxy.connections <= len(TENANTS), "as many as tenants that are read at once"


def test_an_apply_keeps_its_connections(estate: World, vault_proxy: Proxy, emulator_server: Server) -> None:
    """Forty new keys, four calls each, and no more connections than threads that call at once."""
    for number in range(40):
        estate.key(f"more-{number}", "east")
    before, calls = emulator_server.application.connections, len(vault_proxy.seen)
    assert estate.apply().status == 0
    assert estate.trends["east"].requests["POST /apikeys"] == 40
    assert estate.trends["east"].requests["GET /apikeys/current"] == 40 + 1, "each secret is tried once"
    assert emulator_server.application.connections - before <= WORKERS + VERIFIERS + len(TENANTS) - 1
    assert vault_proxy.connections <= WORKERS + VERIFIERS + len(TENANTS)
    assert len(vault_proxy.seen) - calls > 80


def test_commits_are_grouped(estate: World, vault_proxy: Proxy) -> None:
    """Seventy keys are two batches: one commit opens a batch, one closes it. Lease and its end: two more."""
    for number in range(70):
        estate.key(f"more-{number}", "east")
    assert estate.apply().status == 0
    written = asked(vault_proxy, estate.kv)["POST data/reconciler/5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11"]
    assert written <= 2 + 2 * 2 + 1, "and one more where closing takes longer than two seconds"


def test_fifty_tenants_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for another's vendor: all fifty are under way before the first one is done."""
    together = threading.Barrier(50, timeout=20)

    class Open:
        session = None

    def replan(access: Any, tenant: Any) -> Any:
        together.wait()
        return b.tenant_plan(b.action())

    monkeypatch.setattr(planning, "open_tenant", lambda access, desired: Open())
    monkeypatch.setattr(planning, "replan", replan)
    planned = plan_all(None, [b.desired_tenant(name=f"t-{number}") for number in range(50)])  # type: ignore[arg-type]
    assert (len(planned.readable), planned.unreadable) == (50, ())


def test_vault_has_a_connection_for_every_thread_that_plans() -> None:
    """Else threads would wait for each other, or connections be opened and thrown away."""
    from reconciler.vault.connection import CONNECTIONS

    assert CONNECTIONS >= PARALLEL_TENANTS >= applying.PARALLEL_TENANTS
