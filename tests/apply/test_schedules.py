"""Random estates under random faults of the vendor and of Vault: whatever happened, two clean runs make everything right.

What is drawn depends on the test alone: every run tries the same schedules. `RECONCILER_SCHEDULES=500` tries more.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.errors import Rejected
from tests.support.emulators import Trend
from tests.support.openbao import Naps
from tests.support.troubled import LOST, Instead, Proxy, Trouble
from tests.support.world import World

SCHEDULES: Final = int(os.environ.get("RECONCILER_SCHEDULES", "6"))
NAMES: Final = ("a", "b", "c")
UNLIMITED: Final = """
    limits:
      deletes: {ratio: 1, max: 1000, floor: 1000}
      replacements: {ratio: 1, max: 1000, floor: 1000}
"""
_numbers = itertools.count(1)

CALLS: Final = (
    ("POST", "/apikeys"),
    ("POST", "/roles"),
    ("POST", "/apikeys/{apiKeyID}/secretkey"),
    ("POST", "/apikeys/{apiKeyID}"),
    ("POST", "/roles/{roleID}"),
    ("DELETE", "/apikeys/{apiKeyID}"),
    ("DELETE", "/roles/{roleID}"),
    ("POST", "/apikeys/search"),
    ("POST", "/roles/search"),
    ("GET", "/apikeys/current"),
)
ANYWHERE: Final = (
    "reset-before", "reset-after", "error-before", "error-after", "truncated", "cut-off", "html", "forbidden",
    "unauthorized", "rate-limited", "unavailable",
)  # fmt: skip


@dataclass(frozen=True)
class VendorFault:
    """One fault of the emulator, at the n-th call of that kind."""

    name: str
    call: tuple[str, str]
    nth: int
    requests: int = 3


@dataclass(frozen=True)
class VaultFault:
    """Trouble at the n-th write to Vault of one apply."""

    trouble: Trouble
    nth: int


@dataclass(frozen=True)
class Key:
    """How a key is declared."""

    text: str
    rotation: str
    locked: bool


@dataclass(frozen=True)
class Step:
    """The manifests, what happened behind our back since, and what goes wrong in the apply."""

    keys: dict[str, Key]
    right: str
    meddling: tuple[tuple[str, str], ...]
    faults: tuple[VendorFault | VaultFault, ...]


vendor_faults = st.one_of(
    st.builds(VendorFault, st.sampled_from(ANYWHERE), st.sampled_from(CALLS), st.integers(1, 3)),
    st.builds(VendorFault, st.sampled_from(ANYWHERE), st.sampled_from(CALLS[:4]), st.integers(1, 2)),
    st.builds(
        VendorFault,
        st.sampled_from(["late-create", "hidden-in-list"]),
        st.sampled_from(CALLS[:2]),
        st.integers(1, 2),
        st.integers(1, 6),
    ),
)
vault_faults = st.builds(
    VaultFault,
    st.sampled_from([LOST, Instead(502), Instead(503, '{"errors": ["Vault is sealed"]}'), Instead(403)]),
    st.integers(0, 9),
)
keys = st.builds(
    Key,
    st.sampled_from(["one", "two"]),
    st.sampled_from(["", "{every: 90d, overlap: 24h}", "{every: 90d, strategy: inPlace}"]),
    st.sampled_from([False, False, False, True]),
)
steps = st.builds(
    Step,
    st.dictionaries(st.sampled_from(NAMES), keys, min_size=1),
    st.sampled_from(["canViewOtherComputers", "canDeleteComputers"]),
    st.lists(
        st.tuples(st.sampled_from(["age", "age", "overlap", "gone", "edited", "secret"]), st.sampled_from(NAMES)),
        max_size=2,
    ).map(tuple),
    st.lists(st.one_of(vendor_faults, vault_faults), max_size=3).map(tuple),
)


def declare(world: World, tenant: str, step: Step) -> None:
    """Make the manifests say what the step wants."""
    world.level(tenant=tenant, right=step.right)
    for name in NAMES:
        key = step.keys.get(name)
        path = world.folder / f"keys/{tenant}-{name}.yaml"
        path.unlink(missing_ok=True)
        if key is not None:
            more = {"rotation": key.rotation} if key.rotation else {}
            world.key(name, tenant, description=key.text, state="locked" if key.locked else "active", **more)


def meddle(world: World, tenant: str, trend: Trend, what: str, name: str) -> None:
    """Let time pass for a key, or somebody do something to it."""
    try:
        match what:
            case "age":
                world.age(91, name, tenant, overlap=False)
            case "overlap":
                world.age(2, name, tenant)
            case "gone":
                trend.delete_key(name)
            case "edited":
                trend.edit_key(name, locale="ja-JP", active=False)
            case _:
                world.bao.request("DELETE", f"{world.kv}/data/keys/{tenant}/{name}")
    except (LookupError, Rejected):
        return  # there is no such key yet


def arm(trend: Trend, vault_proxy: Proxy, faults: tuple[VendorFault | VaultFault, ...]) -> None:
    """Have these things go wrong."""
    planned: dict[int, Trouble] = {}
    for fault in faults:
        if isinstance(fault, VaultFault):
            planned[fault.nth] = fault.trouble
        else:
            method, path = fault.call
            trend.faults.inject(fault.name, method=method, path=path, nth=fault.nth, times=1, requests=fault.requests)
    count = itertools.count()
    vault_proxy.trouble = lambda method, path: planned.get(next(count)) if method in {"POST", "PATCH"} else None


def disarm(world: World, tenant: str, trend: Trend, vault_proxy: Proxy) -> None:
    """Nothing goes wrong any more, and a lease that could not be given back is over."""
    trend.faults.clear()
    vault_proxy.trouble = lambda method, path: None
    try:
        held = "lease" in world.state(tenant)
    except Rejected:
        return  # no state yet
    if held:
        world.expire_lease(tenant)


def foreign(trend: Trend) -> list[dict[str, Any]]:
    """Everything at the vendor that is not ours, as it is."""
    kept = [key for key in list(trend.keys()) if key["keyName"] in {"bootstrap", "foreign"}]
    volatile = {"lastSignIn", "unsuccessfulSignInAttempts"}
    return [{name: value for name, value in key.items() if name not in volatile} for key in kept]


@pytest.mark.promise(3)
@pytest.mark.timeout(3600)
def test_promise_3_random_schedules_end_well(
    world: World, naps: Naps, vault_proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One live generation per key (and one retiring), its secret in Vault works, nothing foreign touched, no orphan."""
    monkeypatch.setattr("reconciler.providers.pacing.Pacer.pause", lambda self, seconds: None)
    world.settings(UNLIMITED)

    @settings(
        max_examples=SCHEDULES, derandomize=True, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.lists(steps, min_size=2, max_size=4))
    def check(schedule: list[Step]) -> None:
        one_schedule(world, vault_proxy, schedule)

    check()


def one_schedule(world: World, vault_proxy: Proxy, schedule: list[Step]) -> None:
    """Run it, then two clean applies, then look."""
    for path in world.folder.rglob("*.yaml"):
        if path.name != "reconciler.yaml":
            path.unlink()
    tenant = f"t{next(_numbers)}"
    trend = world.tenant(tenant)
    trend.add_key("foreign", description="Somebody's.")
    before = foreign(trend)
    for step in schedule:
        declare(world, tenant, step)
        for what, name in step.meddling:
            meddle(world, tenant, trend, what, name)
        arm(trend, vault_proxy, step.faults)
        applied = world.apply()
        assert applied.status in {0, 1, 4}, applied.all
        assert "internal error" not in applied.all
        disarm(world, tenant, trend, vault_proxy)
    for _ in range(3):
        world.plan()  # a creation that comes late has come by now
    for _ in range(2):
        applied = world.apply()
        assert applied.status == 0, applied.all
    last = schedule[-1]
    state = world.state(tenant)
    assert state["intents"] == {}
    assert set(state["objects"]) == {"AccessLevel/read", *(f"ApiKey/{name}" for name in last.keys)}
    live = [key["keyName"] for key in list(trend.keys()) if key["keyName"] not in {"bootstrap", "foreign"}]
    retiring = [name for name in last.keys if "previous" in state["objects"][f"ApiKey/{name}"]]
    assert sorted(live) == sorted([*last.keys, *retiring])
    assert len([role for role in trend.roles() if role["name"] == "read"]) == 1
    assert foreign(trend) == before
    for name, key in last.keys.items():
        assert world.secret(name, tenant)["keyId"] == state["objects"][f"ApiKey/{name}"]["vendorId"]
        assert world.authenticates(name, tenant) != key.locked
    shown = world.plan()
    assert shown.status == 0, shown.out
    text = "".join(world.printed)
    assert not any(secret in text for secret in trend.issued)
