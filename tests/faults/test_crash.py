"""Promise 3, proven by killing: runs die at their boundaries, and one more run makes everything right.

A part of the boundaries is tried here: always the same one, so that whoever changes nothing sees nothing change. The CI
workflow tries another part with each of its runs, and `make crash` all of them. `RECONCILER_CRASH=all` and
`RECONCILER_CRASH=NUMBER` (a part) do the same by hand.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple, TypeVar

import pytest

from tests.support.crash import Death, Matrix
from tests.support.crash_process import Kill
from tests.support.crash_scenarios import SCENARIOS, Scenario, both, in_place_fits, key_gone, moved, settled
from tests.support.crash_sites import SITES
from tests.support.crash_world import Ground, crash_world

ALL: Final = "all"
CASES_IN: Final = 10
"""Of so many scenarios one part has one: in so many parts, one after the other, each scenario is tried once."""
T = TypeVar("T")


class Known(NamedTuple):
    """A defect that is known, and the cases (`site-scenario`, by pattern) that show it."""

    cases: tuple[str, ...]
    reason: str
    always: bool = True
    """Whether it shows in every part of the boundaries, and without any death."""


KNOWN: Final[tuple[Known, ...]] = ()


def part() -> str:
    """Which boundaries are tried: `all`, or the number that chooses. CI on pull requests gives each run another one."""
    return os.environ.get("RECONCILER_CRASH", "") or "0"


def chosen(every: Sequence[T], name: str) -> list[T]:
    """One of these, another one each time that the scenario is in the part again. The name lets scenarios differ."""
    if part() == ALL or not every:
        return list(every)
    return [every[(int(part()) // CASES_IN + sum(name.encode())) % len(every)]]


def marks(case: str) -> list[pytest.MarkDecorator]:
    """What is known of a case."""
    return [
        pytest.mark.xfail(strict=known.always, reason=known.reason)
        for known in KNOWN
        if any(re.fullmatch(pattern, case) for pattern in known.cases)
    ]


def in_part(case: str) -> bool:
    """Whether a scenario at a site is in the part at all."""
    return part() == ALL or (int(part()) + zlib.crc32(case.encode())) % CASES_IN == 0


CASES: Final = [
    pytest.param(label, scenario, id=case, marks=marks(case))
    for label, site in SITES.items()
    for scenario in SCENARIOS
    if scenario.fits(site.traits()) and in_part(case := f"{label}-{scenario.name}")
]


BY_API: Final = [name for name, site in SITES.items() if not site.traits().by_hand]


def recorded(ground: Ground, provider: str, scenario: Scenario) -> Matrix:
    """The recorded matrix of one scenario at one provider."""
    made = Matrix(scenario, partial(crash_world, ground, SITES[provider]))
    made.record()
    assert made.problems == []
    return made


@pytest.mark.promise(3)
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("provider", "scenario"), CASES)
def test_promise_3_killed_at_every_boundary(
    ground: Ground, provider: str, scenario: Scenario, record_property: Callable[[str, object], None]
) -> None:
    """One live generation per key, its secret in Vault works, no orphan, no open intent, and the next plan is empty.

    So too where the run that recovers dies, at another boundary each time, and where a creation that was on its way comes
    after the next run.
    """
    made = recorded(ground, provider, scenario)
    within = made.deaths_within() if scenario.within else []
    twice: list[Callable[[], None]] = [partial(made.die, death) for death in (*made.deaths_of_two(), *within)]
    twice += [partial(made.come_late, creation) for creation in made.creations]
    once: list[Callable[[], None]] = [partial(made.die, death) for death in made.deaths()]
    for one in (*chosen(once, scenario.name), *chosen(twice, scenario.name)):
        one()
    record_property("crash", {"scenarios": 1, "killed": made.killed, "lived": made.lived})
    again = f"the same again: RECONCILER_CRASH={part()}"
    assert not made.problems, "\n".join([*made.problems, again])
    assert made.killed > made.lived, again


@pytest.mark.parametrize(
    ("provider", "name", "late"),
    [
        ("lacework", "told-delete", False),
        ("carbon-black-cloud-handoff", "told-delete", False),
        ("carbon-black-cloud", "create-then-updated", True),
    ],
)
def test_what_the_matrix_has_found(ground: Ground, provider: str, name: str, late: bool) -> None:
    """Deaths that once ended badly, in every part: after the last commit of a removal; a creation that is refused late."""
    (scenario,) = [scenario for scenario in SCENARIOS if scenario.name == name]
    made = recorded(ground, provider, scenario)
    if late:
        made.come_late(made.creations[0])
    else:
        made.die(Death(Kill(len(made.requests))))
    assert made.killed == 1
    assert made.problems == []


@pytest.mark.parametrize("provider", [name for name in BY_API if in_place_fits(SITES[name].traits())])
def test_dead_secret_at_a_path_that_moved_goes(ground: Ground, provider: str) -> None:
    """A key got its new secret in place, at a new path, and the run died: the dead one at the old path goes as well."""
    (scenario,) = [scenario for scenario in SCENARIOS if scenario.name == "move-in-place"]
    made = recorded(ground, provider, scenario)
    made.die(Death(made.after("POST", "/moved/")))
    assert made.killed
    assert made.problems == []


@pytest.mark.parametrize("part", ["POST /data/", "PATCH /metadata/"])
@pytest.mark.parametrize(("provider", "name"), [
    (provider, name) for provider, site in SITES.items() if site.traits().by_hand
    for name in ("told-create", "told-in-place", "told-repair")
])  # fmt: skip
def test_secret_that_was_brought_and_not_recorded_is_recorded(
    ground: Ground, provider: str, name: str, part: str
) -> None:
    """`handoff complete` dies after it has stored what a person brought: that is the key's secret, and is recorded."""
    (scenario,) = [scenario for scenario in SCENARIOS if scenario.name == name]
    if not scenario.fits(SITES[provider].traits()):
        pytest.skip("a person is not asked for that at this product")
    made = recorded(ground, provider, scenario)
    method, where = part.split()
    (number,) = (
        number for number, line in enumerate(made.requests, 1)
        if line.startswith(f"{method} ") and where in line and "/keys/" in line
    )  # fmt: skip
    made.die(Death(Kill(number)))
    assert made.killed == 1
    assert made.problems == []


@pytest.mark.parametrize("provider", BY_API)
def test_dead_secret_of_a_vanished_key_at_a_path_that_moved_goes(ground: Ground, provider: str) -> None:
    """A key that somebody deleted is issued anew at another path: its dead secret at the old path goes. Nobody dies here."""
    recorded(ground, provider, Scenario("move-repair-key", both(moved, key_gone), settled, "repair"))
