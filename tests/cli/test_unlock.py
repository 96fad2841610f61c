"""`reconciler unlock`: the lease of a dead run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.openbao import Naps
from tests.support.world import World


@pytest.fixture
def estate(world: World, naps: Naps) -> World:
    """One tenant with one key, applied."""
    world.tenant()
    world.level()
    world.key()
    assert world.apply().status == 0
    return world


def hold(world: World, run: str = "r1") -> None:
    """A run that died an instant ago holds the lease."""
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    lease = {"run": run, "holder": "ci@runner", "since": "2026-01-01T00:00:00Z", "expires": until}
    world.edit_state(lambda state: state.update(lease=lease))


def test_nobody_holds_it(estate: World) -> None:
    """Nothing to do is no error; nor is an expired lease anybody's."""
    assert estate.run("unlock", "dsm").out == "nobody holds the lease on dsm\n"
    hold(estate)
    estate.expire_lease()
    assert estate.run("unlock", "dsm", "--holder", "r1").status == 0


@pytest.mark.parametrize("args", [(), ("--holder", "r2")])
def test_the_holder_must_be_named(estate: World, args: tuple[str, ...]) -> None:
    """Exit 1 says who holds it, since when, until when, and the command that would take it."""
    hold(estate)
    done = estate.run("unlock", "dsm", *args)
    assert done.status == 1
    assert "ci@runner holds the lease since 2026-01-01 00:00:00 UTC, at least until" in done.err
    assert "reconciler unlock dsm --holder r1" in done.err
    assert estate.state()["lease"]["run"] == "r1"


def test_what_apply_says_leads_here(estate: World) -> None:
    """Exit 5 names the command with the run's id; then the lease is free."""
    hold(estate)
    estate.key(description="new")
    held = estate.apply()
    assert held.status == 5
    assert "reconciler unlock dsm --holder r1" in held.all
    done = estate.run("unlock", "dsm", "--holder", "r1")
    assert done.status == 0
    assert "the lease on dsm is free: it was held by ci@runner since 2026-01-01 00:00:00 UTC" in done.out


@pytest.mark.promise(7)
def test_promise_7_the_next_run_waits_for_what_is_on_its_way(estate: World, naps: Naps) -> None:
    """A call of the run that was unlocked may still arrive: the next one waits as if the lease had run out by itself."""
    hold(estate)
    assert estate.run("unlock", "dsm", "--holder", "r1").status == 0
    estate.key(description="new")
    naps.clear()
    assert estate.apply().status == 0
    assert sum(naps) >= 30
    assert estate.state().get("lease") is None


@pytest.mark.promise(7)
def test_promise_7_a_run_that_lives_after_all_stops(estate: World) -> None:
    """Its lease is another's now: it cannot commit any more."""
    from reconciler.errors import LeaseLost
    from reconciler.model.desired import VaultPath
    from reconciler.model.estate import TokenAuth, VaultConfig
    from reconciler.model.state import StateDocument
    from reconciler.vault import StateStore, TenantLease, Vault
    from tests.support.world import ESTATE_ID

    config = VaultConfig(address=estate.bao.address, auth_plan=TokenAuth(), auth_apply=TokenAuth())
    with Vault.connect(config, identity="apply", environ={"VAULT_TOKEN": estate.bao.root_token}) as vault:
        store = StateStore(vault, VaultPath(estate.kv, "reconciler"), ESTATE_ID)
        template = StateDocument(estate=ESTATE_ID, tenant="dsm", provider="p", endpoint="https://x")
        lease = TenantLease.acquire(
            store, template, run="alive", holder="me", ttl=120, call_timeout=30, heartbeat=False
        )
        assert estate.run("unlock", "dsm", "--holder", "alive").status == 0
        with pytest.raises(LeaseLost):
            lease.renew()
        lease.release()
    assert estate.state()["lease"]["run"] == "unlocked-alive"


@pytest.mark.parametrize(("tenant", "says"), [("dms", "did you mean 'dsm'?"), ("../x", "is no tenant's name")])
def test_wrong_names(estate: World, tenant: str, says: str) -> None:
    """A tenant without a state, and what is no name."""
    done = estate.run("unlock", tenant, "--holder", "r1")
    assert done.status == 1
    assert says in done.err
