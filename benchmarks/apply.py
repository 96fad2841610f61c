"""`python -m benchmarks.apply`: creating keys with their secrets stored, beside a bare loop of the same calls."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import measure, show
from benchmarks.generate import Size, generate
from benchmarks.servers import servers


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.apply", description=__doc__)
    parser.add_argument("--keys", type=int, default=1000, help="keys to create (default: 1000)")
    parser.add_argument(
        "--tenants", type=int, default=5, help="tenants that share them (default: 5; 200 keys each at most)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each, on fresh servers (default: 3)")
    parser.add_argument("--out", type=Path, help="file for the JSON (default: standard output)")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    figures: measure.Figures = {"apply": [], "bare_loop": []}
    size = Size(given.keys, given.tenants)
    for number in range(1, given.rounds + 1):
        print(f"round {number} of {given.rounds}", file=sys.stderr)
        for name, values in figures.items():
            with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch, servers(given.tenants) as running:
                estate = Path(scratch)
                size = generate(estate, given.keys, given.tenants, running.endpoints)
                values.append(measure.phase(name, estate, running.environment)[name])
    return show.write(given.out, figures, size)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except measure.Broken as broken:
        sys.exit(f"a measured process failed: {broken}")
