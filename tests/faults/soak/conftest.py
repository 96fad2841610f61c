"""What the schedules of a shard stand on. What they have met is told by `tests.support.tried`."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator

import pytest

from reconciler.emulator.openbao import OpenBaoServer
from reconciler.emulator.server import Server
from tests.faults.soak.drawn import Step
from tests.faults.soak.run import run_one
from tests.faults.soak.sites import PAGE
from tests.faults.soak.stage import Ground, Overheard
from tests.support.troubled import troubled

_numbers = itertools.count(1)


@pytest.fixture
def soil(
    openbao: OpenBaoServer, emulator_server: Server, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Ground]:
    """What the schedules of a shard stand on."""
    import reconciler.apply.tenant
    import reconciler.providers.cortex_cloud.client as cortex_cloud
    import reconciler.providers.trend_workload_security.session as trend_workload_security

    monkeypatch.setattr("reconciler.providers.pacing.Pacer.pause", lambda self, seconds: None)
    monkeypatch.setattr(reconciler.apply.tenant, "WORKERS", 1)
    monkeypatch.setattr(reconciler.apply.tenant, "BATCH", reconciler.apply.tenant.BATCH)
    monkeypatch.setattr(reconciler.apply.tenant, "VERIFIERS", 0)
    for pages in (trend_workload_security.Session, cortex_cloud.Client):
        monkeypatch.setitem(pages.__init__.__kwdefaults__, "page", PAGE)  # else a few keys make no pages
    # Without it each answer of the proxy waits 40 ms for an acknowledgement.
    monkeypatch.setattr("socketserver.StreamRequestHandler.disable_nagle_algorithm", True)
    kv = f"soak{next(_numbers)}"
    openbao.mount_kv(kv)
    heard = Overheard()
    loggers = [logging.getLogger(name) for name in ("reconciler", "urllib3")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(heard)
        logger.setLevel(logging.DEBUG)
    with troubled(openbao.address) as proxy:
        ground = Ground(openbao, emulator_server, proxy, kv, heard)
        yield ground
        ground.close()
    for logger, level in zip(loggers, levels, strict=True):
        logger.removeHandler(heard)
        logger.setLevel(level)
    openbao.request("DELETE", f"sys/mounts/{kv}")
    request.node.user_properties.append(("soak", dict(ground.counts)))


@pytest.fixture
def run_schedule(soil: Ground) -> Callable[[str, list[Step]], None]:
    """Runs one schedule for a provider."""
    return lambda provider, schedule: run_one(soil, provider, schedule)
