"""`python -m benchmarks.scale`: how a no-op plan grows with the estate, in processor time and in memory.

Each size is applied once and then planned by a process of its own, against emulators and a real OpenBao. What is compared is
the processor time of that process and of those that read manifests for it: it does not depend on what else a machine does.
100,000 keys take some minutes to be created.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks import measure
from benchmarks.generate import generate
from benchmarks.phases import peak_megabytes
from benchmarks.servers import servers

KEYS_PER_TENANT: Final = 200
GROWTH_LIMIT: Final = 1.5
"""Processor time per key of the largest estate, to that of the smallest: linear is 1, quadratic their quotient."""
MEGABYTES_LIMIT: Final = 500.0

Figures = dict[str, float]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.split("\n")[0])
    parser.add_argument("--keys", type=int, nargs="+", default=[10_000, 100_000], help="sizes, smallest first")
    parser.add_argument("--per-tenant", type=int, default=KEYS_PER_TENANT, help="keys of one tenant (default: 200)")
    parser.add_argument("--out", type=Path, help="file for the JSON (default: standard output)")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def size(keys: int, per_tenant: int) -> Figures:
    """One estate's no-op plan."""
    tenants = -(-keys // per_tenant)
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch, servers(tenants) as running:
        generate(Path(scratch), keys, tenants, running.endpoints)
        print(f"applying {keys} keys in {tenants} tenants, once", file=sys.stderr)
        measure.phase("apply", Path(scratch), running.environment)
        print("planning them", file=sys.stderr)
        found: Figures = json.loads(measure.run(["-m", "benchmarks.scale", "--inside", scratch], running.environment))
    return {"keys": keys, "tenants": tenants, **found}


def inside(estate: Path) -> Figures:
    """What the measured process does: all that `plan` does, but for the table of nothing."""
    from reconciler.cli.estate import access, make_plan

    start = time.perf_counter()
    with access(estate, "plan", trust_endpoints=False) as run:
        loaded, load_mb = _cpu(), peak_megabytes()
        planned, findings = make_plan(run, ())
        planned.close()
        pending = sum(len(plan.actions) for plan in planned.plans)
        if pending or findings or planned.unreadable:
            raise SystemExit(f"not a no-op: {pending} actions, {len(planned.unreadable)} tenants unreadable")
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (
        1_000_000 if sys.platform == "darwin" else 1_000
    )
    return {
        "load_cpu": loaded, "plan_cpu": _cpu() - loaded, "wall": time.perf_counter() - start,
        "load_peak_mb": load_mb, "peak_mb": peak_megabytes(), "largest_child_mb": children,
    }  # fmt: skip


def _cpu() -> float:
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def verdicts(sizes: Sequence[Mapping[str, float]]) -> list[dict[str, object]]:
    """Growth from the smallest to the largest, and the memory of the largest with what read ahead for it."""
    first, last = sizes[0], sizes[-1]
    per_key = [(found["load_cpu"] + found["plan_cpu"]) / found["keys"] for found in (first, last)]
    figures = {"growth_ratio": per_key[1] / per_key[0], "peak_mb": last["peak_mb"] + last["largest_child_mb"]}
    limits = {"growth_ratio": GROWTH_LIMIT, "peak_mb": MEGABYTES_LIMIT}
    return [
        {"figure": name, "value": round(value, 3), "limit": limits[name], "kept": value <= limits[name]}
        for name, value in figures.items()
    ]


def main() -> int:
    given = arguments()
    if given.inside is not None:
        print(json.dumps(inside(given.inside)))
        return 0
    sizes = [size(keys, given.per_tenant) for keys in given.keys]
    budgets = verdicts(sizes)
    text = json.dumps({"cores": os.cpu_count(), "sizes": sizes, "budgets": budgets}, indent=2)
    if given.out is not None:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text + "\n", encoding="utf-8")
    print(text)
    return int(not all(budget["kept"] for budget in budgets))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except measure.Broken as broken:
        sys.exit(f"a measured process failed: {broken}")
