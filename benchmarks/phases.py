"""What is measured, each in a fresh process: `python -m benchmarks.phases NAME ESTATE` prints its figures.

Figures are seconds unless their name says otherwise. Importing is timed apart: it does not grow with the estate.
"""

from __future__ import annotations

import io
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

Figures = dict[str, float]


@contextmanager
def timed(figures: Figures, name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    figures[name] = time.perf_counter() - start


def peak_megabytes() -> float:
    """The most memory that this process ever had resident.

    Linux: from /proc, for the figure of `getrusage` also covers the parent that a process was forked from.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        unit = 1_000_000 if sys.platform == "darwin" else 1_000
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1_000_000


def manifests(estate: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(estate.rglob("*.yaml"))]


def csafeloader(estate: Path) -> Figures:
    """The yardstick: PyYAML's fastest loader on the same bytes, and nothing else."""
    import yaml

    figures: Figures = {}
    texts = manifests(estate)
    with timed(figures, "csafeloader"):
        kept = [list(yaml.load_all(text, Loader=yaml.CSafeLoader)) for text in texts]
    figures["documents"] = sum(map(len, kept))
    return figures


def read(estate: Path) -> Figures:
    """The two parts of loading: `read` (YAML to plain values) and `validate` (check, resolve references and selectors)."""
    from reconciler.manifest import load_estate, reader

    figures: Figures = {"read": 0.0}
    values = reader.values

    def timed_values(data: bytes) -> Iterator[Any]:
        documents, start = values(data), time.perf_counter()
        for document in documents:
            figures["read"] += time.perf_counter() - start
            yield document
            start = time.perf_counter()
        figures["read"] += time.perf_counter() - start

    reader.values = timed_values
    with timed(figures, "validate"):
        load_estate(estate)
    figures["validate"] -= figures["read"]
    return figures


def load(estate: Path) -> Figures:
    """Both parts at once, as they are used, with nothing in between."""
    figures: Figures = {}
    with timed(figures, "load_import"):
        from reconciler.manifest import load_estate
    with timed(figures, "load"):
        loaded = load_estate(estate)
    figures["keys"] = sum(len(tenant.keys) for tenant in loaded.tenants)
    figures["load_peak_mb"] = peak_megabytes()
    return figures


def plan(estate: Path) -> Figures:
    """A plan in its phases, one after the other (the command overlaps them). Fails unless there is nothing to do."""
    figures: Figures = {}
    with timed(figures, "plan_import"):
        from rich.console import Console

        from reconciler.cli.estate import access
        from reconciler.plan.observe import observe, open_tenant
        from reconciler.plan.planner import plan_tenant
        from reconciler.plan.run import PARALLEL_TENANTS, Planned, PlannedTenant
        from reconciler.policy.guardrails import check
        from reconciler.report import text

    with timed(figures, "load_and_login"):
        entered = access(estate, "plan", trust_endpoints=False)
        run = entered.__enter__()
    with timed(figures, "observe"), ThreadPoolExecutor(PARALLEL_TENANTS) as pool:
        opened = list(pool.map(lambda tenant: open_tenant(run, tenant), run.estate.tenants))
        views = list(pool.map(lambda tenant: observe(run, tenant), opened))
    with timed(figures, "diff"):
        plans = [
            PlannedTenant(tenant, plan_tenant(tenant.desired, tenant.provider, view, run.estate.id))
            for tenant, view in zip(opened, views, strict=True)
        ]
        planned = Planned(tuple(plans), ())
        findings = check(planned.plans, run.estate.limits)
    with timed(figures, "render"):
        text.plan(Console(file=io.StringIO()), planned, findings)
    figures["calls"] = sum(tenant.session.calls for tenant in opened)
    figures["plan_peak_mb"] = peak_megabytes()
    planned.close()
    entered.__exit__(None, None, None)
    pending = [f"{item.tenant}/{action.object}" for item in planned.plans for action in item.actions]
    if pending:
        raise SystemExit(f"not a no-op: {len(pending)} actions, the first is {pending[0]}")
    return figures


def apply(estate: Path) -> Figures:
    """Applying a plan that only creates: everything after planning, state, leases and verification included."""
    from reconciler.apply.result import Status
    from reconciler.apply.run import ApplyRun
    from reconciler.cli.estate import access, make_plan

    figures: Figures = {}
    with access(estate, "apply", trust_endpoints=False) as run:
        planned, findings = make_plan(run, ())
        if findings or planned.unreadable:
            raise SystemExit(f"cannot apply: {[*findings, *(item.error for item in planned.unreadable)]}")
        with timed(figures, "apply"):
            outcome = ApplyRun(run, fresh=True).apply_all(planned.readable)
        planned.close()
    results = [result for tenant in outcome for result in tenant.results]
    failed = [f"{result.action.object}: {result.detail}" for result in results if result.status is not Status.DONE]
    if failed:
        raise SystemExit(f"{len(failed)} of {len(results)} actions failed, the first is {failed[0]}")
    figures["created"] = len(results)
    return figures


def bare_loop(estate: Path) -> Figures:
    """What an apply cannot do without: a create and a store call per key, as many at a time as an apply makes."""
    import requests

    from reconciler.apply.tenant import WORKERS
    from reconciler.manifest import load_estate
    from reconciler.model.desired import DesiredKey, DesiredTenant

    vault, token = os.environ["VAULT_ADDR"], os.environ["VAULT_TOKEN"]
    local = threading.local()

    def session() -> requests.Session:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.trust_env = False
        return local.session  # type: ignore[no-any-return]

    def vault_call(method: str, path: str, body: object = None) -> Any:
        answer = session().request(
            method, f"{vault}/v1/{path}", json=body, headers={"X-Vault-Token": token}, timeout=30
        )
        answer.raise_for_status()
        return answer.json()["data"]

    def vendor_call(tenant: DesiredTenant, secret: str, path: str, body: object) -> Any:
        headers = {"api-secret-key": secret, "api-version": "v1"}
        answer = session().post(f"{tenant.endpoint}/{path}", json=body, headers=headers, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def create(job: tuple[DesiredTenant, str, int, DesiredKey]) -> None:
        tenant, secret, role, key = job
        body = {"keyName": key.name, "description": key.description, "locale": "en-US", "timeZone": "Etc/UTC",
                "roleID": role, "active": True}  # fmt: skip
        made = vendor_call(tenant, secret, "apikeys", body)
        stored = {"data": {"id": str(made["ID"]), "secret": made["secretKey"], "endpoint": tenant.endpoint}}
        vault_call("POST", f"{key.secret_path.mount}/data/{key.secret_path.path}", {**stored, "options": {"cas": 0}})

    figures: Figures = {}
    jobs = []
    tenants = load_estate(estate).tenants
    for tenant in tenants:
        secret = vault_call("GET", f"secret/data/reconciler-credentials/{tenant.name}")["data"]["secretKey"]
        role = vendor_call(tenant, secret, "roles/search", {})["roles"][0]["ID"]
        jobs += [(tenant, secret, role, key) for key in tenant.keys]
    with timed(figures, "bare_loop"), ThreadPoolExecutor(WORKERS * len(tenants)) as pool:
        list(pool.map(create, jobs))
    figures["created"] = len(jobs)
    return figures


PHASES: Final[dict[str, Callable[[Path], Figures]]] = {
    function.__name__: function for function in (csafeloader, read, load, plan, apply, bare_loop)
}

if __name__ == "__main__":
    json.dump(PHASES[sys.argv[1]](Path(sys.argv[2])), sys.stdout)
