"""What is measured, each in a fresh process: `python -m benchmarks.phases NAME ESTATE` prints its figures.

Figures are seconds unless their name says otherwise. Importing is timed apart: it does not grow with the estate.
"""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.generate import PROVIDER
from benchmarks.measure import CLOCK

if TYPE_CHECKING:
    from reconciler.model.estate import Estate

Figures = dict[str, float]


def clock() -> float:
    """Seconds: of the wall, or of what the CPUs worked for this process and those that it waited for."""
    if os.environ.get(CLOCK) != "cpu":
        return time.perf_counter()
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


@contextmanager
def timed(figures: Figures, name: str) -> Iterator[None]:
    start = clock()
    yield
    figures[name] = clock() - start


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


def events(estate: Path) -> Figures:
    """The floor: libyaml's events as PyYAML gives them, thrown away. Whatever reads YAML by that library takes this."""
    import yaml

    figures: Figures = {}
    texts = manifests(estate)
    with timed(figures, "events"):
        for text in texts:
            get_event = yaml.CLoader(text).get_event
            while get_event() is not None:
                pass
    return figures


def values(estate: Path) -> Figures:
    """YAML to plain values, in one process."""
    from reconciler.manifest import reader

    figures: Figures = {}
    texts = manifests(estate)
    with timed(figures, "values"):
        kept = [list(reader.values(text)) for text in texts]
    figures["documents"] = sum(map(len, kept))
    return figures


def load(estate: Path) -> Figures:
    """Everything that `validate` does, as it does it, without a cache."""
    figures: Figures = {}
    with timed(figures, "load_import"):
        load_estate = _loader()
    with timed(figures, "load"):
        loaded = load_estate(estate)
    figures["keys"] = sum(len(tenant.keys) for tenant in loaded.tenants)
    figures["load_peak_mb"] = peak_megabytes()
    return figures


def _loader() -> Callable[..., Estate]:
    """Import what loading needs: the validators and the provider, too, which a run gets at first need."""
    from reconciler.manifest import load_estate
    from reconciler.manifest.models import MODELS
    from reconciler.providers import registry

    for model in MODELS.values():
        model.model_rebuild()
    registry.get(PROVIDER)
    return load_estate


def load_first(estate: Path) -> Figures:
    """The same with an empty cache, which is written."""
    from reconciler.manifest.supply import WORTH_KEEPING

    cache = Path(os.environ["RECONCILER_CACHE"])
    shutil.rmtree(cache, ignore_errors=True)
    figures = _load_by_cache(estate, "load_first")
    kept = sum(map(len, manifests(estate))) >= WORTH_KEEPING
    if cache.exists() is not kept:
        raise SystemExit("a cache was not written, or for too few manifests")
    return figures


def load_warm(estate: Path) -> Figures:
    """The same with the cache that `load_first` has left."""
    return {**_load_by_cache(estate, "load_warm"), "load_warm_peak_mb": peak_megabytes()}


def _load_by_cache(estate: Path, name: str) -> Figures:
    from reconciler.manifest import open_cache

    figures: Figures = {}
    load_estate = _loader()
    with timed(figures, name):
        load_estate(estate, cache=open_cache(os.environ))
    return figures


def load_to_diff(estate: Path) -> Figures:
    """Of a plan that has nothing to do, the part without servers: loading and, after observing, comparing."""
    return _load_to_diff(estate, "load_to_diff", cached=False)


def load_to_diff_warm(estate: Path) -> Figures:
    """The same with a warm cache. If there is none yet, one is made first, in a process of its own."""
    if not Path(os.environ["RECONCILER_CACHE"]).exists():
        subprocess.run(
            [sys.executable, "-m", "benchmarks.phases", "load_first", str(estate)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return _load_to_diff(estate, "load_to_diff_warm", cached=True)


def _load_to_diff(estate: Path, name: str, *, cached: bool) -> Figures:
    figures: Figures = {}
    with timed(figures, f"{name}_import"):
        from reconciler.manifest import open_cache
        from reconciler.plan.planner import plan_tenant

        load_estate = _loader()
    with timed(figures, "loading"):
        loaded = load_estate(estate, cache=open_cache(os.environ) if cached else None)

    from reconciler.cli.estate import connected
    from reconciler.plan.observe import observe, open_tenant
    from reconciler.plan.run import PARALLEL_TENANTS

    with connected(loaded, "plan", trust_endpoints=False) as run:
        with ThreadPoolExecutor(PARALLEL_TENANTS) as pool:
            opened = list(pool.map(lambda tenant: open_tenant(run, tenant), loaded.tenants))
            views = list(pool.map(lambda tenant: observe(run, tenant), opened))
        for tenant in opened:
            tenant.session.close()
    with timed(figures, "comparing"):
        plans = [
            plan_tenant(tenant.desired, tenant.provider, view, loaded.id)
            for tenant, view in zip(opened, views, strict=True)
        ]
    if sum(len(plan.actions) for plan in plans) or sum(len(tenant.keys) for tenant in loaded.tenants) == 0:
        raise SystemExit("not a no-op")
    return {f"{name}_import": figures[f"{name}_import"], name: figures["loading"] + figures["comparing"]}


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
    function.__name__: function
    for function in (
        csafeloader,
        events,
        values,
        load,
        load_first,
        load_warm,
        load_to_diff,
        load_to_diff_warm,
        plan,
        apply,
        bare_loop,
    )
}

if __name__ == "__main__":
    json.dump(PHASES[sys.argv[1]](Path(sys.argv[2])), sys.stdout)
