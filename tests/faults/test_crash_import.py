"""`import` dies at its boundaries, requests and files, and is repeated: the same is adopted, and nothing was touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest

from reconciler.model.outcome import ExitCode
from tests.faults.test_crash import chosen
from tests.support.crash_process import AFTER, BEFORE, Kill
from tests.support.crash_scenarios import apply, both, key, level
from tests.support.crash_site import FOREIGN
from tests.support.crash_sites import SITES
from tests.support.crash_world import TENANT, CrashWorld, Ground, crash_world

IMPORT: Final = ("import", TENANT, "--out", "adopted")
PRODUCTS: Final = [name for name, site in SITES.items() if not site.traits().by_hand]


def begin(world: CrashWorld) -> Mapping[str, Any]:
    """Keys of ours, one of somebody else's, and what is at the vendor."""
    both(level(), key(), apply)(world)
    return world.site.keys()


def written(world: CrashWorld) -> set[str]:
    """The manifests that were written. What a dead run has left under a hidden name is none."""
    folder = world.folder / "adopted"
    files = (file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
    return {str(file) for file in files if not file.name.startswith(".")}


def recorded(world: CrashWorld) -> set[str]:
    """What the state knows."""
    state = world.state()
    assert state["intents"] == {}
    return set(state["objects"])


@pytest.mark.promise(3)
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("product", PRODUCTS)
def test_promise_3_import_killed_at_every_boundary(ground: Ground, product: str) -> None:
    """Repeated, it adopts what it would have adopted; the plan after it is empty, and the vendor's keys are as they were."""
    with crash_world(ground, SITES[product]) as world:
        begin(world)
        lived = world.run(*IMPORT)
        expected = written(world), recorded(world)
        adopts = f"ApiKey/{FOREIGN}" in expected[1]
        # In part where something stays as it is: of a key without an end, or without a role, no manifest can say what it is.
        assert lived.status in {ExitCode.DONE, ExitCode.PARTIAL}, lived.output
        assert (f"keys/{FOREIGN}.yaml" in expected[0]) == adopts
    assert any(line.startswith("FILE ") for line in lived.requests) == adopts
    deaths = [Kill(1, BEFORE), *(Kill(number, AFTER) for number in range(1, len(lived.requests) + 1))]
    files = [death for death in deaths if lived.requests[death.request - 1].startswith("FILE ")]
    for death in dict.fromkeys([*chosen(deaths, product), *files]):
        with crash_world(ground, SITES[product]) as world:
            before = begin(world)
            died = world.run(*IMPORT, kill=death)
            where = f"{death} ({died.requests[-1:]})"
            assert died.killed, where
            world.expire_lease()
            assert world.site.keys() == before, where
            again = world.run(*IMPORT)
            planned = world.run("plan", "--detailed-exitcode")
            assert (again.status, planned.status) == (lived.status, 0), f"{where}\n{again.output}\n{planned.output}"
            assert (written(world), recorded(world)) == expected, where
            assert world.site.keys() == before, where
