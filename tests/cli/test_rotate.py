"""`reconciler rotate`: the real command line on an emulated vendor and a real OpenBao."""

from __future__ import annotations

import pytest

from tests.support.world import World


@pytest.fixture
def estate(world: World) -> World:
    """One key without rotation, applied."""
    world.tenant()
    world.level()
    world.key()
    assert world.apply().status == 0
    return world


def test_rotation_on_request(estate: World) -> None:
    """The next generation is the current version, the former one works for a day, and nothing else is changed."""
    former = estate.secret()
    estate.key("other")
    rotated = estate.run("rotate", "dsm/splunk", "--auto-approve")
    assert (rotated.status, estate.names()) == (0, ["splunk", "splunk"])
    assert estate.secret() != former
    assert estate.authenticates()
    assert "asked for" not in rotated.out  # why is said by the plan; here counts what was done
    assert estate.plan().status == 2  # the other key is still to be created


def test_open_overlap_is_not_cut_unasked(estate: World) -> None:
    """A second rotation is refused while the former generation works, unless that one may go."""
    assert estate.run("rotate", "dsm/splunk", "--auto-approve").status == 0
    refused = estate.run("rotate", "dsm/splunk", "--auto-approve")
    assert refused.status == 1
    assert "keeps working until" in refused.err
    assert "hint: --drop-previous ends the generation before at once" in refused.err
    assert estate.run("rotate", "dsm/splunk", "--auto-approve", "--drop-previous").status == 0
    assert estate.names() == ["splunk", "splunk"]
    assert estate.authenticates()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("dsm", "'dsm' names no key"),
        ("dsm/AccessLevel/read", "names no key"),
        ("nowhere/splunk", "names tenant 'nowhere'"),
        ("dsm/nothing", "which tenant dsm does not have"),
    ],
)
def test_wrong_target(estate: World, target: str, message: str) -> None:
    """What is no key of the estate is named."""
    refused = estate.run("rotate", target, "--auto-approve")
    assert refused.status == 1
    assert message in refused.err


def test_key_that_does_not_exist_yet(world: World) -> None:
    """A key that was never applied is not created by rotating it."""
    world.tenant()
    world.level()
    world.key()
    refused = world.run("rotate", "dsm/splunk", "--auto-approve")
    assert (refused.status, world.names()) == (1, [])
    assert "it does not exist yet, or is not wanted" in refused.err


def test_nobody_to_ask(estate: World) -> None:
    """Without a terminal the answer has to be given beforehand."""
    refused = estate.run("rotate", "dsm/splunk")
    assert (refused.status, "nobody can be asked" in refused.err) == (1, True)


def test_result_as_json(estate: World) -> None:
    """The same data as an apply's."""
    rotated = estate.run("rotate", "dsm/splunk", "--auto-approve", "--format", "json")
    [result] = rotated.json["tenants"][0]["results"]
    assert (result["kind"], result["status"], result["version"]) == ("rotate", "done", 2)


def test_unreadable_tenant(estate: World) -> None:
    """A vendor that cannot be read is an error, with its reason."""
    estate.trends["dsm"].faults.inject("unauthorized")
    refused = estate.run("rotate", "dsm/splunk", "--auto-approve")
    assert (refused.status, "401" in refused.err) == (1, True)
