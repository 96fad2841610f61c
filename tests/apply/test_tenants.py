"""Whose is whose when tenants share a vendor account, change their name, or move to another endpoint."""

from __future__ import annotations

import pytest

from tests.support.world import World


def shared(world: World, name: str, other: str) -> None:
    """Add a tenant of another name that points to the same vendor account."""
    text = (world.folder / f"tenants/{other}.yaml").read_text()
    world.write(f"tenants/{name}.yaml", text.replace(f"name: {other},", f"name: {name},"))
    world.trends[name] = world.trends[other]


@pytest.mark.promise(4)
def test_promise_4_two_tenants_of_one_account_leave_each_other_alone(world: World) -> None:
    """Each takes the other's objects for what they are: somebody else's, reported and never removed."""
    world.tenant("east")
    shared(world, "west", "east")
    for tenant in ("east", "west"):
        world.level(f"{tenant}-read", tenant)
        world.key(f"{tenant}-one", tenant, level=f"{tenant}-read")
    assert world.apply().status == 0
    for tenant in ("east", "west"):
        world.key(f"{tenant}-two", tenant, level=f"{tenant}-read")
        assert world.apply().status == 0
    shown = world.plan()
    assert shown.status == 0
    assert "orphan" not in shown.out
    assert world.names("east") == ["east-one", "east-two", "west-one", "west-two"]
    for key in world.names("east"):
        assert world.authenticates(key, key[:4])


@pytest.mark.promise(4)
def test_promise_4_two_tenants_that_want_the_same_key(world: World) -> None:
    """The second is told that the name is taken, and by whom it may be."""
    world.tenant("east")
    shared(world, "west", "east")
    world.key("splunk", "east", level="{existing: Auditor}")
    assert world.apply().status == 0
    world.key("splunk", "west", level="{existing: Auditor}")
    shown = world.plan()
    assert shown.status == 4
    assert "a tenant that was renamed" in shown.out
    world.apply()
    assert world.names("east") == ["splunk"]
    assert world.authenticates("splunk", "east")


@pytest.mark.promise(4)
def test_promise_4_a_renamed_tenant_keeps_its_keys(world: World) -> None:
    """The new name has no records of the old one's keys: they are blocked or reported, even once it has some of its own."""
    world.tenant("old")
    for key in ("splunk", "tickets"):
        world.key(key, "old", level="{existing: Auditor}")
    assert world.apply().status == 0
    shared(world, "new", "old")
    for path in ("tenants/old.yaml", "keys/old-splunk.yaml", "keys/old-tickets.yaml"):
        world.remove(path)
    world.key("splunk", "new", level="{existing: Auditor}")
    world.key("fresh", "new", level="{existing: Auditor}")
    for _ in range(2):
        assert world.apply().status == 4
    assert world.names("new") == ["fresh", "splunk", "tickets"]
    assert world.authenticates("splunk", "old")
    assert world.authenticates("tickets", "old")


@pytest.mark.promise(4)
def test_promise_4_another_endpoint_is_not_the_same_tenant(world: World) -> None:
    """Where nothing that our records name is found at a changed endpoint, nothing is planned: ids there mean nothing."""
    world.tenant()
    world.level()
    world.key("splunk")
    assert world.apply().status == 0
    before = world.trends["dsm"]
    other = world.tenant()
    other.add_key("splunk")  # under the id that our record names
    for run in (world.plan(), world.apply()):
        assert run.status == 1
        assert f"the state was written for {before.endpoint}" in run.out
    assert [key["description"] for key in list(other.keys())] == ["The credential that everything starts with.", ""]
    world.trends["dsm"] = before
    assert world.authenticates()


def test_the_same_tenant_under_another_address_goes_on(world: World) -> None:
    """An alias is recognised by the marks, and the state then remembers the new address and the new credential."""
    trend = world.tenant()
    world.level()
    world.key("splunk")
    assert world.apply().status == 0
    alias = trend.endpoint.replace("127.0.0.1", "localhost")
    path = world.folder / "tenants/dsm.yaml"
    path.write_text(path.read_text().replace(trend.endpoint, alias).replace("credentials/dsm}", "credentials/alias}"))
    world.put("credentials/alias", {**trend.credentials, "endpoint": alias})
    assert world.plan().status == 0
    world.key("splunk", description="changed")
    assert world.apply().status == 0
    assert world.state()["endpoint"] == alias
    assert world.state()["credentials"] == {"vault": {"mount": world.kv, "path": "credentials/alias"}}
    assert world.authenticates()
