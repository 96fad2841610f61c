"""Rounds of fresh processes, interleaved, so that a slow minute of the machine hits every step alike; then medians."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
CLOCK = "RECONCILER_BENCH_CLOCK"
"""`wall` or `cpu`. A busy machine lengthens the first by chance, and the second hardly."""

Figures = dict[str, list[float]]
"""What every round measured, by name."""
Step = Callable[[], Mapping[str, float]]
"""Measures something once and gives its figures."""


class Broken(Exception):
    """A measured process failed."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How large and how often. A subject that has a size of its own takes less than `keys`, never more."""

    keys: int
    tenants: int
    rounds: int
    scratch: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    """For every measured process."""


def run(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a command in a fresh process and return what it printed; Broken if it failed."""
    done = subprocess.run(
        command, env={**os.environ, **environment}, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Broken(f"{' '.join(command)}: exit {done.returncode}\n{(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


def phase(name: str, estate: Path, environment: Mapping[str, str]) -> dict[str, float]:
    """Run one of `phases` in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.phases", name, str(estate)]
    figures: dict[str, float] = json.loads(run(command, environment))
    return figures


def seconds(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """What a process takes from start to end, by the clock that the environment asks for."""
    start, worked = time.perf_counter(), _worked()
    run(command, environment)
    return _worked() - worked if environment.get(CLOCK) == "cpu" else time.perf_counter() - start


def _worked() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def rounds(count: int, steps: Sequence[Step]) -> Figures:
    """All figures of all rounds, by name. Each round takes every step once."""
    figures: Figures = defaultdict(list)
    for number in range(1, count + 1):
        print(f"round {number} of {count}", file=sys.stderr)
        for step in steps:
            for name, value in step().items():
                figures[name].append(value)
    return dict(figures)


def medians(figures: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: round(median(values), 5) for name, values in figures.items()}
