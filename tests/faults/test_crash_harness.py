"""The harness itself: processes die where they are told to, nothing is overlooked, and what is wrong is noticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import pytest

from reconciler.cli.group import COMMANDS
from reconciler.model.action import ActionKind
from reconciler.providers import registry
from tests.support.crash import Matrix, begin, problems
from tests.support.crash_process import AFTER, BEFORE, HALF, HELD, UNREAD, Kill
from tests.support.crash_scenarios import APPLY, SCENARIOS, apply, key_gone, one, secret_lost
from tests.support.crash_sites import SITES
from tests.support.crash_trend_workload_security import TrendWorkloadSecurity
from tests.support.crash_world import CrashWorld, Ground, crash_world, foreign

CREATE: Final = next(scenario for scenario in SCENARIOS if scenario.name == "create")
LOCK: Final = next(scenario for scenario in SCENARIOS if scenario.name == "lock")
READ: Final = frozenset({
    "access-diff", "comment", "demo", "doctor", "drift", "emulate", "explain", "fmt", "init", "plan", "providers", "schema",
    "validate",
})  # fmt: skip
"""Commands that change nothing at a vendor and nothing in Vault (`demo` brings its own)."""
KILLED_ELSEWHERE: Final = frozenset({"import"})
"""`tests/faults/test_crash_import.py`: it makes manifests, which no scenario compares."""
OF_OTHER_PRODUCTS: Final = frozenset({ActionKind.REPLACE})
NOT_PLANNED_YET: Final = frozenset({ActionKind.ADOPT})


@pytest.fixture
def world(ground: Ground) -> Iterator[CrashWorld]:
    """A fresh one."""
    with crash_world(ground, TrendWorkloadSecurity) as made:
        yield made


@pytest.fixture
def matrix(ground: Ground) -> Matrix:
    """The creation of a level and a key, recorded."""
    made = Matrix(CREATE, partial(crash_world, ground, TrendWorkloadSecurity))
    made.record()
    return made


def names(world: CrashWorld) -> list[str]:
    return sorted(key["name"] for key in world.site.keys().values())


@pytest.mark.parametrize(
    ("side", "made"), [(BEFORE, False), (HELD, False), (HALF, False), (UNREAD, True), (AFTER, True)]
)
def test_process_dies_at_the_request(matrix: Matrix, side: str, made: bool) -> None:
    """Before a request nobody has heard of it; after its answer the vendor has acted."""
    with matrix.make_world() as world:
        one(world)
        number = matrix.creations[-1]
        ran = world.run(*APPLY, kill=Kill(number, side))
        assert ran.killed
        assert len(ran.requests) == number - (side == BEFORE)
        assert ("splunk" in names(world)) == made
        assert (ran.held.get("method") == "POST") == (side == HELD)


def test_process_that_is_not_killed_is_the_real_command_line(world: CrashWorld) -> None:
    """It prints what `python -m reconciler` prints, and ends as that ends."""
    assert world.run("--version").output.startswith("reconciler ")
    assert "no such command" in world.run("no-such").output.lower()
    assert world.run("no-such").status == 1


def test_requests_have_one_order(matrix: Matrix, ground: Ground) -> None:
    """With one worker a second run makes the same requests: a boundary is a place, and not a matter of luck."""
    again = Matrix(CREATE, matrix.make_world)
    again.record()
    assert [_plain(line) for line in again.requests] == [_plain(line) for line in matrix.requests]


def test_batches_overlap_where_a_scenario_says_so(ground: Ground) -> None:
    """Of three keys in batches of one, the last is announced after the first has been made."""
    (scenario,) = (scenario for scenario in SCENARIOS if scenario.name == "create-batches")
    made = Matrix(scenario, partial(crash_world, ground, TrendWorkloadSecurity))
    made.record()
    assert made.problems == []
    posts = [(number, line) for number, line in enumerate(made.requests) if line.startswith("POST ")]
    created = [number for number, line in posts if line.endswith("/apikeys")]
    assert len(created) == 3
    assert any("/reconciler/" in line and created[0] < number < created[-1] for number, line in posts)


def _plain(request: str) -> str:
    return "/".join(part for part in request.split("/") if not part.startswith(("crash", "case")))


def test_every_request_is_a_boundary(matrix: Matrix) -> None:
    """Vendor calls and all that goes to Vault are counted, reads included."""
    said = "\n".join(matrix.requests)
    for expected in ("POST /crash", "/apikeys", "/roles", "/metadata/", "/data/", "sys/"):
        assert expected in said
    assert len(matrix.deaths()) == len(matrix.requests) + 1
    assert len(matrix.creations) == 2


def lost_intent(world: CrashWorld) -> None:
    intent = {"run": "dead", "action": "create", "nonce": "a" * 16}
    world.edit_state(lambda state: state["intents"].update({"ApiKey/splunk": intent}))


def held_lease(world: CrashWorld) -> None:
    lease = {"run": "r", "holder": "x", "since": "2026-01-01T00:00:00Z", "expires": "2999-01-01T00:00:00Z"}
    world.edit_state(lambda state: state.update(lease=lease))


def foreign_gone(world: CrashWorld) -> None:
    (vendor_id,) = [vendor_id for vendor_id, found in world.site.keys().items() if found in foreign(world.site)]
    world.site.delete_key(vendor_id)


def second_key(world: CrashWorld) -> None:
    assert isinstance(world.site, TrendWorkloadSecurity)
    world.site.emulator.add_key("splunk", description="Another.")


def second_level(world: CrashWorld) -> None:
    assert isinstance(world.site, TrendWorkloadSecurity)
    world.site.emulator.add_role("read")


def other_secret(world: CrashWorld) -> None:
    world.put("keys/acme/splunk", {**(world.read(world.record()["path"]) or {}), "secretKey": "no:such"})


def said_of_another(world: CrashWorld) -> None:
    path = f"{world.ground.kv}/metadata/{world.record()['path']}"
    world.ground.bao.request("POST", path, {"custom_metadata": {"vendor-id": "another"}})


def forgotten_secret(world: CrashWorld) -> None:
    world.put("keys/acme/gone", {"secretKey": "left behind"})


def forgotten_record(world: CrashWorld) -> None:
    world.edit_state(lambda state: state["objects"].pop("ApiKey/splunk"))


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (lost_intent, "intents are open"),
        (held_lease, "the lease was not given back"),
        (foreign_gone, "the key of somebody else was touched"),
        (second_key, "keys that live at the vendor"),
        (second_level, "levels that live at the vendor"),
        (key_gone, "keys that live at the vendor"),
        (secret_lost, "secrets can be read at"),
        (other_secret, "the secret of splunk in Vault works as None"),
        (other_secret, "Vault's version of splunk is not the recorded one"),
        (said_of_another, "Vault's metadata says that the secret of splunk is of another"),
        (forgotten_secret, "secrets can be read at"),
        (forgotten_record, "recorded are"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_noticed(world: CrashWorld, tamper: Callable[[CrashWorld], None], said: str) -> None:
    """Each invariant is broken once by hand, and the harness says so. Before that it finds nothing."""
    begin(world, CREATE)
    apply(world)
    assert list(problems(world, CREATE)) == []
    tamper(world)
    assert any(said in problem for problem in problems(world, CREATE)), list(problems(world, CREATE))


def test_locked_key_that_works_is_noticed(world: CrashWorld) -> None:
    """A lock that does not lock is no lock."""
    begin(world, LOCK)
    assert any("the locked key splunk still works" in problem for problem in problems(world, LOCK))


def test_every_kind_of_action_is_killed() -> None:
    """For each provider all the kinds that planning knows are in some scenario that fits it."""
    every = {ActionKind(kind) for scenario in SCENARIOS for kind in scenario.kinds.split()}
    assert every == set(ActionKind) - NOT_PLANNED_YET
    for site in SITES.values():
        fitting = {ActionKind(kind) for one in SCENARIOS if one.fits(site.traits()) for kind in one.kinds.split()}
        assert every - fitting <= OF_OTHER_PRODUCTS | {ActionKind.LOCK, ActionKind.UNLOCK}


def test_every_command_that_writes_is_killed() -> None:
    """A new command is in a scenario, or is said to change nothing."""
    assert set(COMMANDS) - READ - KILLED_ELSEWHERE == {scenario.command[0] for scenario in SCENARIOS}


def test_every_provider_has_an_adapter() -> None:
    """A new provider is run through the matrix."""
    assert {site.provider for site in SITES.values()} == set(registry.names())


def test_names_tell_scenarios_apart() -> None:
    """Each name stands for one scenario."""
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
