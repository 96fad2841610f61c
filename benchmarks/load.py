"""Loading: manifests to what is wanted, beside PyYAML's fastest loader on the same bytes. No servers."""

from __future__ import annotations

from benchmarks.generate import generate
from benchmarks.measure import Asked, Figures, Step, phase, rounds

PHASES = ("csafeloader", "events", "values", "load", "load_first", "load_warm")
"""`load_first` leaves behind the cache that `load_warm` finds."""


def figures(asked: Asked) -> Figures:
    estate = asked.scratch / "estate"
    size = generate(estate, asked.keys, asked.tenants)

    def step(name: str) -> Step:
        return lambda: phase(name, estate, asked.environment)

    return {**rounds(asked.rounds, [step(name) for name in PHASES]), "bytes": [size.bytes], "files": [size.files]}
