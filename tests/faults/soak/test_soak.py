"""Random schedules: estates, meddling, faults of vendor and Vault, commands; whatever happened, all ends well.

What is drawn depends on the shard's number alone, so every run tries the same schedules. `RECONCILER_SOAK=20000` tries
more of them, and `RECONCILER_SOAK_SEED` others; `make soak` does both.
"""

from __future__ import annotations

import os
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture.engine import ConjectureRunner

from tests.faults.soak.drawn import schedules
from tests.faults.soak.run import run_one
from tests.faults.soak.sites import SITES
from tests.faults.soak.stage import Ground

SCHEDULES: Final = int(os.environ.get("RECONCILER_SOAK", "1020"))
SEED: Final = int(os.environ.get("RECONCILER_SOAK_SEED", "0"))
SHARDS: Final = 4
SHRINK: Final = bool(os.environ.get("RECONCILER_SOAK_SHRINK"))


@pytest.mark.promise(3)
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("provider", SITES)
def test_promise_3_random_schedules_end_well(
    soil: Ground, provider: str, shard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One live generation per key (and one retiring), its secret works, nothing foreign touched, nothing revived."""
    # Else most schedules are copies of earlier ones with a part repeated.
    monkeypatch.setattr(ConjectureRunner, "generate_mutations_from", lambda self, data: None)
    phases = [Phase.generate, *([Phase.shrink] if SHRINK else [])]

    @seed(SEED * 1000 + shard)
    @settings(
        max_examples=max(1, SCHEDULES // (SHARDS * len(SITES))), deadline=None, database=None, phases=phases,
        suppress_health_check=list(HealthCheck), print_blob=False,
    )  # fmt: skip
    @given(st.data())
    def check(data: st.DataObject) -> None:
        run_one(soil, provider, data.draw(schedules(SITES[provider])))

    check()
