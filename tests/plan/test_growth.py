"""Planning grows with the number of keys and no faster, and compares in depth only what differs. Counted, not timed."""

from __future__ import annotations

import cProfile
import pstats
import subprocess
import sys
from collections.abc import Callable

import pytest

from reconciler.model.action import TenantPlan
from reconciler.model.desired import DesiredTenant
from reconciler.plan.draft import TenantView
from tests.support import builders as b

SMALL, LARGE = 300, 1500


def calls(work: Callable[[], object]) -> int:
    """How many functions are called for some work, those of the interpreter included."""
    profile = cProfile.Profile()
    profile.runcall(work)
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]


def estate(keys: int, known: int) -> tuple[DesiredTenant, TenantView]:
    """A tenant that wants so many keys, and has so many of them just as they are wanted."""
    wanted = [b.desired_key(f"key-{number:05}") for number in range(keys)]
    seeds = {key.name: f"k{number}" for number, key in enumerate(wanted)}
    there = [(key, str(100 + number)) for number, key in enumerate(wanted[:known])]
    objects = {b.level_id(): b.level_record()}
    objects |= {key.id: b.record(key, vendor_id, seeds[key.name]) for key, vendor_id in there}
    seen = b.view(
        levels=[b.found_level()],
        keys=[b.found_key(key, vendor_id, marked=seeds[key.name]) for key, vendor_id in there],
        state=b.document(objects),
        secrets={key.secret_path: b.secret() for key, _ in there},
    )
    return b.desired_tenant(wanted), seen


def planned(keys: int, known: int) -> tuple[int, TenantPlan]:
    wanted, seen = estate(keys, known)
    return calls(lambda: b.plan(wanted, seen)), b.plan(wanted, seen)


@pytest.mark.parametrize("known", [1.0, 0.0], ids=["in sync", "all new"])
def test_planning_is_linear(known: float) -> None:
    """Five times the keys take five times the calls, with a tenth for what is paid once or sorted."""
    small, first = planned(SMALL, int(SMALL * known))
    large, second = planned(LARGE, int(LARGE * known))
    expected = (0, 0) if known else (SMALL, LARGE)
    assert (len(first.actions), len(second.actions)) == expected
    assert large <= small * LARGE / SMALL * 1.1


def test_a_plan_with_nothing_to_do_never_compares_in_depth() -> None:
    """What compares in depth is not even imported, as long as everything is as it is wanted to be."""
    code = """
import sys
from tests.support import builders as b
from tests.plan.test_growth import estate
assert b.plan(*estate(20, 20)).actions == ()
assert "deepdiff" not in sys.modules, "in sync"
changed = b.found_key(b.desired_key(), fields={"description": "by hand"})
assert len(b.plan(b.desired_tenant([b.desired_key()]), b.settled(b.desired_key(), keys=[changed])).actions) == 1
assert "deepdiff" in sys.modules, "something differs"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
