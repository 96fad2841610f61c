"""`python -m benchmarks`: generate an estate, measure, judge."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import measure, show
from benchmarks.generate import Size, generate
from benchmarks.servers import servers

COMMANDS = {"python": ["-c", "pass"], "help": ["-m", "reconciler", "--help"]}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--keys", type=int, default=10_000, help="keys in the estate (default: 10000)")
    parser.add_argument("--tenants", type=int, default=50, help="tenants that share them (default: 50)")
    parser.add_argument("--rounds", type=int, default=5, help="fresh processes per figure (default: 5)")
    parser.add_argument("--out", type=Path, help="file for the JSON (default: standard output)")
    parser.add_argument("--offline", action="store_true", help="measure loading only: no emulators, no OpenBao")
    return parser.parse_args()


def offline(given: argparse.Namespace, estate: Path) -> tuple[Size, measure.Figures]:
    size = generate(estate, given.keys, given.tenants)
    return size, measure.rounds(given.rounds, ("csafeloader", "read", "load"), COMMANDS, estate, {})


def connected(given: argparse.Namespace, estate: Path) -> tuple[Size, measure.Figures]:
    """With servers: the estate is applied once, so that the plans that are measured have nothing to do.

    Up to 200 keys to a tenant: more would have to wait for the vendor's rate limit.
    """
    with servers(given.tenants) as running:
        size = generate(estate, given.keys, given.tenants, running.endpoints)
        print(f"applying {size.keys} keys in {size.tenants} tenants, once", file=sys.stderr)
        seeding = measure.phase("apply", estate, running.environment)
        plan = {"plan": ["-m", "reconciler", "plan", "--estate", str(estate), "--detailed-exitcode"]}
        figures = measure.rounds(
            given.rounds, ("csafeloader", "read", "load", "plan"), {**COMMANDS, **plan}, estate, running.environment
        )
    return size, {**figures, "apply_all": [seeding["apply"]]}


def main() -> int:
    given = arguments()
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch:
        size, figures = (offline if given.offline else connected)(given, Path(scratch) / "estate")
    return show.write(given.out, figures, size)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except measure.Broken as broken:
        sys.exit(f"a measured process failed: {broken}")
