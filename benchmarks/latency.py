"""`python -m benchmarks.latency`: with vendors that take their time, planning and applying wait for many answers at once.

Three figures, each of them in one run on the same servers:

- a plan of 50 tenants, to the slowest tenant planned alone: less than 3;
- 1,000 creates with their secrets stored, to a bare loop of the same create and store calls: at most 1.5;
- Ctrl-C in the middle of such an apply: from the signal to the end, less than a vendor call may take.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import measure
from benchmarks.generate import generate, tenant_names
from benchmarks.servers import Servers, servers
from reconciler.errors import Rejected

if TYPE_CHECKING:
    from reconciler.model.desired import DesiredTenant

CALL_TIMEOUT: Final = 30.0
LIMITS: Final = {"plan_ratio": 3.0, "apply_ratio": 1.5, "interrupted": CALL_TIMEOUT}
SAMPLE: Final = 5
"""How many tenants are planned alone, to find the slowest chain of calls."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__.split("\n")[0])
    parser.add_argument("--tenants", type=int, default=50, help="tenants of the plan (default: 50)")
    parser.add_argument("--keys", type=int, default=1000, help="keys in all (default: 1000)")
    parser.add_argument(
        "--latency-ms", type=int, default=120, help="what every vendor answer takes longer (default: 120)"
    )
    parser.add_argument("--out", type=Path, help="file for the JSON (default: standard output)")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def planning(tenants: int, keys: int, latency: int) -> dict[str, float]:
    """A plan of all tenants, and the slowest of a few alone, in one process."""
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch, _slow(tenants, latency) as running:
        generate(Path(scratch), keys, tenants, running.endpoints)
        measure.phase("apply", Path(scratch), running.environment)
        told = measure.run(["-m", "benchmarks.latency", "--inside", scratch], running.environment)
    found: dict[str, float] = json.loads(told)
    return {**found, "plan_ratio": found["plan"] / found["slowest_alone"]}


def applying(keys: int, latency: int) -> dict[str, float]:
    """Creating keys in five tenants, beside a bare loop, each on servers of its own."""
    found: dict[str, float] = {}
    for name in ("bare_loop", "apply"):
        with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch, _slow(5, latency) as running:
            generate(Path(scratch), keys, 5, running.endpoints)
            found[name] = measure.phase(name, Path(scratch), running.environment)[name]
    return {**found, "apply_ratio": found["apply"] / found["bare_loop"]}


def interrupting(keys: int, latency: int) -> dict[str, float]:
    """Seconds from Ctrl-C to the end. The run must say how to go on, and the next one has what is left to do and no more."""
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch, _slow(5, latency) as running:
        generate(Path(scratch), keys, 5, running.endpoints)
        command = [sys.executable, "-m", "reconciler", "apply", "--auto-approve", "--estate", scratch]
        environment = {**os.environ, **running.environment}
        signal.signal(
            signal.SIGINT, signal.default_int_handler
        )  # what a background job ignores its children would ignore
        child = subprocess.Popen(
            command, cwd=measure.ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        while child.poll() is None and _stored(running) < keys // 20:
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        begun = time.perf_counter()
        told, _ = child.communicate()
        seconds = time.perf_counter() - begun
        if child.returncode != 4 or "run again to go on" not in told:
            raise measure.Broken(f"interrupted: exit {child.returncode}\n{told[-2000:]}")
        rest = measure.phase("apply", Path(scratch), running.environment)["created"]
    return {"interrupted": seconds, "left_to_do": rest}


def _stored(running: Servers) -> int:
    """How many secrets of the first tenant are in Vault."""
    try:
        found = running.bao.request("LIST", f"secret/metadata/security-keys/{tenant_names(1)[0]}")
    except Rejected:  # there is no such folder yet
        return 0
    return len(found["data"]["keys"])


def _slow(tenants: int, latency: int) -> AbstractContextManager[Servers]:
    return servers(tenants, "--latency-ms", str(latency))


def inside(estate: Path) -> dict[str, float]:
    """What the measured process does."""
    from reconciler.cli.estate import access
    from reconciler.plan.run import plan_all

    def timed(tenants: Sequence[DesiredTenant]) -> float:
        start = time.perf_counter()
        planned = plan_all(run, tenants)
        seconds = time.perf_counter() - start
        planned.close()
        if planned.unreadable or any(plan.actions for plan in planned.plans):
            raise SystemExit("not a no-op")
        return seconds

    with access(estate, "plan", trust_endpoints=False) as run:
        timed(run.estate.tenants[:1])  # imports and connections of the first time
        alone = [timed([tenant]) for tenant in run.estate.tenants[:SAMPLE]]
        return {"slowest_alone": max(alone), "plan": timed(run.estate.tenants)}


def verdicts(found: Mapping[str, float]) -> list[dict[str, object]]:
    return [
        {"figure": name, "value": round(found[name], 3), "limit": limit, "kept": found[name] <= limit}
        for name, limit in LIMITS.items()
    ]


def main() -> int:
    given = arguments()
    if given.inside is not None:
        print(json.dumps(inside(given.inside)))
        return 0
    found = {
        **planning(given.tenants, given.keys, given.latency_ms),
        **applying(given.keys, given.latency_ms),
        **interrupting(given.keys, given.latency_ms),
    }
    budgets = verdicts(found)
    text = json.dumps({"latency_ms": given.latency_ms, "figures": found, "budgets": budgets}, indent=2)
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
