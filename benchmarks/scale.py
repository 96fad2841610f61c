"""How a no-op plan grows with the estate, in processor time and in memory: `make bench-large` takes it to 100,000 keys.

Two sizes, the asked one and a tenth of it, are applied once and then planned, each by a process of its own, against
emulators and a real OpenBao. What is compared is the processor time of that process and of those that read manifests for it:
it does not depend on what else a machine does. 100,000 keys take some minutes to be created.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks import measure
from benchmarks.generate import generate
from benchmarks.measure import Asked
from benchmarks.phases import peak_megabytes
from benchmarks.servers import servers

KEYS_PER_TENANT: Final = 200


def figures(asked: Asked) -> measure.Figures:
    small, large = (size(keys, asked.environment) for keys in (asked.keys // 10, asked.keys))
    return {
        **{f"small_{name}": [value] for name, value in small.items()},
        **{f"large_{name}": [value] for name, value in large.items()},
        "scale_peak_mb": [large["peak_mb"] + large["largest_child_mb"]],
    }


def size(keys: int, environment: Mapping[str, str]) -> dict[str, float]:
    """One estate's no-op plan."""
    tenants = -(-keys // KEYS_PER_TENANT)
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch, servers(tenants) as running:
        environment = {**environment, **running.environment}
        generate(Path(scratch), keys, tenants, running.endpoints)
        print(f"applying {keys} keys in {tenants} tenants, once", file=sys.stderr)
        measure.phase("apply", Path(scratch), environment)
        print("planning them", file=sys.stderr)
        found: dict[str, float] = json.loads(
            measure.run([sys.executable, "-m", "benchmarks.scale", scratch], environment)
        )
    return {**found, "cpu_per_key": (found["load_cpu"] + found["plan_cpu"]) / keys}


def inside(estate: Path) -> dict[str, float]:
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


if __name__ == "__main__":
    json.dump(inside(Path(sys.argv[1])), sys.stdout)
