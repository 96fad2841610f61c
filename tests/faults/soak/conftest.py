"""What was tried, at the end of the run: schedules, and faults that really happened, by kind."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from reconciler.emulator.openbao import OpenBaoServer
from reconciler.emulator.server import Server
from tests.faults.soak.drawn import Step
from tests.faults.soak.run import run_one
from tests.faults.soak.stage import Ground, Overheard
from tests.support.troubled import troubled

_numbers = itertools.count(1)


@pytest.fixture
def soil(
    openbao: OpenBaoServer, emulator_server: Server, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Ground]:
    """What the schedules of a shard stand on."""
    import reconciler.apply.tenant

    monkeypatch.setattr("reconciler.providers.pacing.Pacer.pause", lambda self, seconds: None)
    monkeypatch.setattr(reconciler.apply.tenant, "WORKERS", 1)
    monkeypatch.setattr(reconciler.apply.tenant, "VERIFIERS", 0)
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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Add up what the shards have counted, wherever they ran."""
    total: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "teardown":
                for name, value in report.user_properties:
                    if name == "soak":
                        total.update(value)
    if not total:
        return
    schedules, happened = total.pop("schedules", 0), sum(n for name, n in total.items() if name.startswith("v"))
    terminalreporter.section("random schedules")
    terminalreporter.write_line(f"{schedules} schedules, {happened} faults:")
    for name, number in sorted(total.items()):
        terminalreporter.write_line(f"  {number:6} {name}")
