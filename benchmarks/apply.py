"""Applying: creates with their secrets stored, beside a bare loop of the same calls. Fresh servers each time."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.generate import generate
from benchmarks.measure import Asked, Figures, Step, phase, rounds
from benchmarks.servers import servers

MOST_KEYS = 1000
KEYS_PER_TENANT = 200
"""More would wait for the vendor's rate limit."""


def figures(asked: Asked) -> Figures:
    keys = min(asked.keys, MOST_KEYS)
    tenants = -(-keys // KEYS_PER_TENANT)

    def step(name: str) -> Step:
        def once() -> dict[str, float]:
            with tempfile.TemporaryDirectory(dir=asked.scratch) as scratch, servers(tenants) as running:
                generate(Path(scratch), keys, tenants, running.endpoints)
                return phase(name, Path(scratch), {**asked.environment, **running.environment})

        return once

    return rounds(min(asked.rounds, 3), [step("apply"), step("bare_loop")])
