"""`python -m benchmarks [SUBJECT…]`: measure, beside the budgets and beside what others need for comparable work.

A subject is a module here with a function `figures(asked: Asked) -> Figures`. What it must keep to is in `budgets`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Final

from benchmarks import budgets, measure, show

SUBJECTS: Final = ("startup", "load", "plan", "apply", "latency", "revoke", "scale")
USUAL: Final = SUBJECTS[:-1]
"""Without what takes too long for every day."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument(
        "subjects", nargs="*", metavar="SUBJECT", help=f"of {', '.join(SUBJECTS)} (default: all but scale)"
    )
    parser.add_argument("--keys", type=int, default=10_000, help="keys in the estate (default: 10000)")
    parser.add_argument("--tenants", type=int, default=50, help="tenants that share them (default: 50)")
    parser.add_argument("--rounds", type=int, default=5, help="fresh processes per figure (default: 5)")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="what is timed; cpu on a busy machine")
    parser.add_argument("--out", type=Path, help="file for the JSON (default: standard output)")
    given = parser.parse_args()
    if unknown := set(given.subjects) - set(SUBJECTS):
        parser.error(f"no such subject: {', '.join(sorted(unknown))}; there are {', '.join(SUBJECTS)}")
    return given


def main() -> int:
    given = arguments()
    found: measure.Figures = {}
    for subject in given.subjects or USUAL:
        print(f"== {subject}", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch:
            folder = Path(scratch)
            environment = {
                "RECONCILER_CACHE": str(folder / "cache"),
                "XDG_STATE_HOME": str(folder / "state"),
                measure.CLOCK: given.clock,
            }
            asked = measure.Asked(given.keys, given.tenants, given.rounds, folder, environment)
            figures: measure.Figures = import_module(f"benchmarks.{subject}").figures(asked)
        for name, values in {**figures, **budgets.ratios(figures)}.items():
            found.setdefault(name, []).extend(values)
    return show.write(given.out, found, given.keys, given.tenants, given.clock)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except measure.Broken as broken:
        sys.exit(f"a measured process failed: {broken}")
