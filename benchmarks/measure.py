"""Rounds of fresh processes, interleaved, so that a slow minute of the machine hits every phase alike; then medians."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]

Figures = dict[str, list[float]]
"""What every round measured, by name."""


class Broken(Exception):
    """A measured process failed."""


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run Python with these arguments in a fresh process and return what it printed; Broken if it failed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Broken(f"{' '.join(arguments)}: exit {done.returncode}\n{(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


def phase(name: str, estate: Path, environment: Mapping[str, str]) -> dict[str, float]:
    figures: dict[str, float] = json.loads(run(["-m", "benchmarks.phases", name, str(estate)], environment))
    return figures


def wall(arguments: Sequence[str], environment: Mapping[str, str]) -> float:
    """Seconds that a process takes from start to end."""
    start = time.perf_counter()
    run(arguments, environment)
    return time.perf_counter() - start


def rounds(
    count: int,
    phases: Sequence[str],
    commands: Mapping[str, Sequence[str]],
    estate: Path,
    environment: Mapping[str, str],
) -> Figures:
    """All figures of all rounds, by name. `commands` are timed as a whole, from start to exit."""
    figures: Figures = defaultdict(list)
    for number in range(1, count + 1):
        print(f"round {number} of {count}", file=sys.stderr)
        for name in phases:
            for key, value in phase(name, estate, environment).items():
                figures[key].append(value)
        for name, arguments in commands.items():
            figures[name].append(wall(arguments, environment))
    return dict(figures)


def medians(figures: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: round(median(values), 5) for name, values in figures.items()}
