"""Rotation from end to end. Time is moved by editing what the state document remembers."""

from __future__ import annotations

import pytest
import requests

from tests.support.openbao import Naps
from tests.support.troubled import HELD, Proxy
from tests.support.world import World

OVERLAP = "{every: 90d, overlap: 24h}"


@pytest.fixture
def estate(world: World, naps: Naps) -> World:
    """One key that is rotated every 90 days, its former generation working for a day."""
    world.tenant()
    world.level()
    world.key(rotation=OVERLAP)
    assert world.apply().status == 0
    return world


def works(world: World, secret: dict[str, str]) -> bool:
    """Whether a secret that a consumer has taken authenticates as its key."""
    answer = requests.get(
        f"{secret['endpoint']}/apikeys/current",
        headers={"api-secret-key": secret["secretKey"], "api-version": "v1"},
        timeout=5,
    )
    return answer.status_code == 200 and str(answer.json()["ID"]) == secret["keyId"]


def in_sync(world: World) -> None:
    """Nothing is left to do, nothing is open, and the secret in Vault works."""
    assert world.plan().status == 0, world.printed[-1]
    state = world.state()
    assert state["intents"] == {}
    assert world.authenticates()
    assert state["objects"]["ApiKey/splunk"]["vendorId"] == world.secret()["keyId"]


def test_overlap(estate: World) -> None:
    """A second key takes over, the first works until the overlap is over, and a later run removes it."""
    first = estate.secret()
    estate.age(91)
    assert "↻ ApiKey/splunk rotate: issued" in estate.plan().out
    assert estate.apply().status == 0
    second = estate.secret()
    assert first["keyId"] != second["keyId"]
    assert works(estate, first)
    assert works(estate, second)
    assert "keeps working until" in estate.plan().out
    in_sync(estate)
    assert estate.names() == ["splunk", "splunk"]

    estate.age(2)
    assert "retire: generation 1" in estate.plan().out
    assert estate.apply().status == 0
    assert not works(estate, first)
    assert estate.names() == ["splunk"]
    assert estate.secret() == second
    in_sync(estate)
    assert "previous" not in estate.state()["objects"]["ApiKey/splunk"]


@pytest.mark.parametrize("rotation", ["{every: 90d, strategy: inPlace}", "{every: 90d, overlap: 0s}"])
def test_in_place(estate: World, rotation: str) -> None:
    """The same key gets a new secret, and the former one is dead at once."""
    estate.key(rotation=rotation)
    first = estate.secret()
    estate.age(91)
    assert estate.apply().status == 0
    second = estate.secret()
    assert first["keyId"] == second["keyId"]
    assert not works(estate, first)
    assert estate.names() == ["splunk"]
    assert estate.state()["objects"]["ApiKey/splunk"]["generation"] == 2
    in_sync(estate)


def test_a_month_without_runs_is_one_rotation(estate: World) -> None:
    """Never three generations: what is due while one retires waits, and then both are done at once, and once only."""
    estate.age(91)
    assert estate.apply().status == 0
    estate.age(200, overlap=False)
    shown = estate.plan()
    assert shown.status == 0
    assert estate.apply().status == 0
    assert len(estate.names()) == 2
    estate.age(2)
    shown = estate.plan()
    assert "retire: generation 1" in shown.out
    assert "rotate: issued" in shown.out
    assert estate.apply().status == 0
    assert len(estate.names()) == 2
    assert estate.state()["objects"]["ApiKey/splunk"]["generation"] == 3
    in_sync(estate)


def test_retirement_that_fails_holds_the_rotation_up(estate: World) -> None:
    """While the former generation cannot be removed no third one is made."""
    estate.age(91)
    assert estate.apply().status == 0
    estate.age(200)
    estate.trends["dsm"].faults.inject("forbidden", method="DELETE", times=1)
    applied = estate.apply()
    assert applied.status == 1
    assert "not begun: retire of ApiKey/splunk failed" in applied.out
    assert len(estate.names()) == 2
    assert estate.apply().status == 0
    assert len(estate.names()) == 2
    in_sync(estate)


def test_locked_key(estate: World) -> None:
    """A locked key is not rotated; its former generation goes, for a lock holds for the key and not for one secret of it."""
    estate.age(91)
    assert estate.apply().status == 0
    first = next(key["ID"] for key in list(estate.trends["dsm"].keys()) if key["keyName"] == "splunk")
    estate.age(91, overlap=False)
    estate.key(rotation=OVERLAP, state="locked")
    shown = estate.plan()
    assert "rotation is due, and waits until the key is unlocked" in shown.out
    assert estate.apply().status == 0
    assert first not in [key["ID"] for key in list(estate.trends["dsm"].keys())]
    assert not estate.authenticates()
    assert estate.plan().status == 0


def test_path_that_moved(estate: World) -> None:
    """The next generation's secret goes to the new path; the old one stays readable until its key retires."""
    first = estate.secret()
    path = estate.folder / "tenants/dsm.yaml"
    path.write_text(path.read_text().replace("keys/{tenant}/{key}", "moved/{tenant}/{key}"))
    shown = estate.plan()
    assert shown.status == 0
    assert "until the next rotation, then moves to" in shown.out
    estate.age(91)
    assert estate.apply().status == 0
    moved = estate.bao.request("GET", f"{estate.kv}/data/moved/dsm/splunk")["data"]["data"]
    assert works(estate, moved)
    assert works(estate, first)
    assert estate.secret() == first
    estate.age(2)
    assert estate.apply().status == 0
    assert not works(estate, first)
    assert all(version["deletion_time"] for version in estate.metadata()["versions"].values())
    assert works(estate, moved)
    assert estate.plan().status == 0


def test_in_place_at_a_path_that_moved(estate: World) -> None:
    """The dead secret at the old path goes; what somebody else has written over it stays."""
    estate.key(rotation="{every: 90d, strategy: inPlace}")
    path = estate.folder / "tenants/dsm.yaml"
    path.write_text(path.read_text().replace("keys/{tenant}/{key}", "moved/{tenant}/{key}"))
    estate.put("keys/dsm/splunk", {"note": "somebody else's"})
    estate.age(91)
    assert estate.apply().status == 0
    assert works(estate, estate.bao.request("GET", f"{estate.kv}/data/moved/dsm/splunk")["data"]["data"])
    assert estate.secret() == {"note": "somebody else's"}
    assert estate.metadata()["versions"]["1"]["deletion_time"]
    assert estate.plan().status == 0


BOUNDARIES = {
    "lease": (0, "reconciler/"),
    "intent": (1, "reconciler/"),
    "stored": (0, "keys/dsm/splunk"),
    "annotated": (0, "metadata/keys/dsm/splunk"),
    "closed": (2, "reconciler/"),
    "released": (3, "reconciler/"),
}


@pytest.mark.promise(3)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_promise_3_rotation_killed_at_each_write_to_vault(
    estate: World, vault_proxy: Proxy, naps: Naps, boundary: str
) -> None:
    """Whichever write was the dead run's last: both generations work, one of them current, and the next runs finish."""
    first = estate.secret()
    estate.age(91)
    after, part = BOUNDARIES[boundary]
    method = "PATCH" if boundary == "annotated" else "POST"
    vault_proxy.once(HELD, method, part, after=after)
    estate.killed_apply(vault_proxy.holding.wait)
    vault_proxy.trouble = lambda method, path: None
    if boundary != "released":
        assert estate.apply().status == (0 if boundary == "closed" else 5)
        estate.expire_lease()
    assert works(estate, first)
    assert estate.apply().status == 0
    assert works(estate, first)
    in_sync(estate)
    assert len(estate.names()) == 2
    estate.age(2)
    assert estate.apply().status == 0
    assert not works(estate, first)
    assert len(estate.names()) == 1
    in_sync(estate)


@pytest.mark.promise(3)
def test_promise_3_rotation_killed_while_the_vendor_creates(estate: World) -> None:
    """The second key exists and its secret is lost: it gets a new one, and the first works on until the overlap is over."""
    first = estate.secret()
    estate.age(91)
    fault = estate.trends["dsm"].faults.inject("hang-after", method="POST", path="/apikeys", seconds=60)
    estate.killed_apply(fault.wait_until_hit)
    estate.trends["dsm"].faults.clear()
    estate.expire_lease()
    assert "its secret was never stored: reissue" in estate.plan().out
    assert estate.apply().status == 0
    assert works(estate, first)
    in_sync(estate)
    assert len(estate.names()) == 2


@pytest.mark.promise(3)
@pytest.mark.parametrize("where", ["vendor", "record"])
def test_promise_3_retirement_killed(estate: World, vault_proxy: Proxy, where: str) -> None:
    """A retirement whose end nobody recorded is found done, and only recorded."""
    estate.age(91)
    assert estate.apply().status == 0
    estate.age(2)
    faults = estate.trends["dsm"].faults
    if where == "vendor":
        fault = faults.inject("hang-after", method="DELETE", seconds=60)
        estate.killed_apply(fault.wait_until_hit)
    else:
        vault_proxy.once(HELD, "POST", "reconciler/", after=1)
        estate.killed_apply(vault_proxy.holding.wait)
        vault_proxy.trouble = lambda method, path: None
    faults.clear()
    estate.expire_lease()
    assert estate.apply().status == 0
    assert len(estate.names()) == 1
    in_sync(estate)


@pytest.mark.promise(3)
@pytest.mark.parametrize("where", ["vendor", "stored", "closed"])
def test_promise_3_in_place_rotation_killed(estate: World, vault_proxy: Proxy, where: str) -> None:
    """The former secret is dead already: the next run makes sure that the one in Vault is alive."""
    estate.key(rotation="{every: 90d, strategy: inPlace}")
    estate.age(91)
    faults = estate.trends["dsm"].faults
    if where == "vendor":
        fault = faults.inject("hang-after", method="POST", path="/apikeys/{apiKeyID}/secretkey", seconds=60)
        estate.killed_apply(fault.wait_until_hit)
    else:
        after, part = BOUNDARIES[where]
        vault_proxy.once(HELD, "POST", part, after=after)
        estate.killed_apply(vault_proxy.holding.wait)
        vault_proxy.trouble = lambda method, path: None
    faults.clear()
    estate.expire_lease()
    assert estate.apply().status == 0
    assert estate.names() == ["splunk"]
    in_sync(estate)


@pytest.mark.promise(3)
def test_promise_3_recovery_killed_as_well(world: World, naps: Naps) -> None:
    """A creation is finished under its own intent, at its own path, however often that is interrupted or Git changes."""
    world.settings("timeouts: {call: 1s, lease: 10s}")  # a dead run's heir waits for one call
    trend = world.tenant()
    world.key(level="{existing: Auditor}")
    for path in ("/apikeys", "/apikeys/{apiKeyID}/secretkey", "/apikeys/{apiKeyID}/secretkey"):
        fault = trend.faults.inject("hang-after", method="POST", path=path, seconds=60)
        world.killed_apply(fault.wait_until_hit)
        trend.faults.clear()
        world.expire_lease()
        tenant = world.folder / "tenants/dsm.yaml"
        tenant.write_text(tenant.read_text().replace("keys/{tenant}/{key}", "moved/{tenant}/{key}"))
    (made,) = [key["ID"] for key in list(trend.keys()) if key["keyName"] == "splunk"]
    assert world.apply().status == 0
    assert [key["ID"] for key in list(trend.keys()) if key["keyName"] == "splunk"] == [made]
    in_sync(world)
    assert "until the next rotation, then moves to" in world.printed[-1]
