"""With vendors that take their time (each answer 120 ms), planning and applying wait for many answers at once.

- a plan of all tenants, to the slowest tenant planned alone;
- creates with their secrets stored, to a bare loop of the same create and store calls;
- Ctrl-C in the middle of such an apply: from the signal to the end, less than a vendor call may take.

What is waited for is timed, so that the clock is always the wall's.
"""

from __future__ import annotations

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
from benchmarks.measure import Asked
from benchmarks.servers import Servers, servers
from reconciler.errors import Rejected

if TYPE_CHECKING:
    from reconciler.model.desired import DesiredTenant

LATENCY: Final = 120
"""Milliseconds that every answer of a vendor takes longer."""
MOST_KEYS: Final = 1000
TENANTS: Final = 5
"""Of an apply: 200 keys each, or the vendor's rate limit would count."""
SAMPLE: Final = 5
"""How many tenants are planned alone, to find the slowest chain of calls."""


def figures(asked: Asked) -> measure.Figures:
    keys = min(asked.keys, MOST_KEYS)
    environment = {**asked.environment, measure.CLOCK: "wall"}
    return measure.rounds(
        1,
        [
            lambda: planning(asked.tenants, keys, environment),
            lambda: applying(keys, environment),
            lambda: interrupting(keys, environment),
        ],
    )


def planning(tenants: int, keys: int, environment: Mapping[str, str]) -> dict[str, float]:
    """A plan of all tenants, and the slowest of a few alone, in one process."""
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch, slow(tenants) as running:
        environment = {**environment, **running.environment}
        generate(Path(scratch), keys, tenants, running.endpoints)
        measure.phase("apply", Path(scratch), environment)
        found: dict[str, float] = json.loads(
            measure.run([sys.executable, "-m", "benchmarks.latency", scratch], environment)
        )
    return found


def applying(keys: int, environment: Mapping[str, str]) -> dict[str, float]:
    """Creating keys in a few tenants, beside a bare loop, each on servers of its own."""
    found: dict[str, float] = {}
    for name in ("bare_loop", "apply"):
        with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch, slow(TENANTS) as running:
            generate(Path(scratch), keys, TENANTS, running.endpoints)
            measured = measure.phase(name, Path(scratch), {**environment, **running.environment})
            found[f"{name}_latency"] = measured[name]
    return found


def interrupting(keys: int, environment: Mapping[str, str]) -> dict[str, float]:
    """Seconds from Ctrl-C to the end. The run must say how to go on, and the next one has what is left to do and no more."""
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch, slow(TENANTS) as running:
        environment = {**os.environ, **environment, **running.environment}
        generate(Path(scratch), keys, TENANTS, running.endpoints)
        command = [sys.executable, "-m", "reconciler", "apply", "--auto-approve", "--estate", scratch]
        signal.signal(
            signal.SIGINT, signal.default_int_handler
        )  # what a background job ignores its children ignore, too
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
        rest = measure.phase("apply", Path(scratch), environment)["created"]
    return {"interrupted": seconds, "left_to_do": rest}


def _stored(running: Servers) -> int:
    """How many secrets of the first tenant are in Vault."""
    try:
        found = running.bao.request("LIST", f"secret/metadata/security-keys/{tenant_names(1)[0]}")
    except Rejected:  # there is no such folder yet
        return 0
    return len(found["data"]["keys"])


def slow(tenants: int) -> AbstractContextManager[Servers]:
    """Servers of which every vendor answer takes that long."""
    return servers(tenants, "--latency-ms", str(LATENCY))


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
        return {"slowest_alone": max(alone), "plan_latency": timed(run.estate.tenants)}


if __name__ == "__main__":
    json.dump(inside(Path(sys.argv[1])), sys.stdout)
