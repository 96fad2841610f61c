"""Drift as Prometheus metrics, for a node exporter's textfile collector."""

from __future__ import annotations

from pathlib import Path

from reconciler.plan.drift_rules import RULES
from reconciler.report.drift import Drift


def write(path: Path, drift: Drift) -> None:
    """Write the metrics of a run, by a rename, so that no reader sees half of them. OSError if the file cannot be written.

    Every rule of every tenant that could be read is there, with 0 as well: a series that ends is no series that is well.
    """
    from prometheus_client import CollectorRegistry, Gauge, write_to_textfile  # noqa: PLC0415  only who asks for it pays

    registry = CollectorRegistry()
    findings = Gauge("reconciler_drift_findings", "Findings of drift.", ["estate", "tenant", "rule"], registry=registry)
    pending = Gauge(
        "reconciler_drift_pending_changes", "Changes in Git that nobody has applied yet.", ["estate", "tenant"],
        registry=registry,
    )  # fmt: skip
    ignored = Gauge(
        "reconciler_drift_ignored_fields", "Fields whose drift a manifest ignores for now.", ["estate", "tenant"],
        registry=registry,
    )  # fmt: skip
    readable = Gauge(
        "reconciler_drift_tenant_readable", "1 if the tenant could be read, 0 if not.", ["estate", "tenant"],
        registry=registry,
    )  # fmt: skip
    last = Gauge(
        "reconciler_drift_last_run_timestamp_seconds", "When drift was looked for last.", ["estate"], registry=registry
    )
    name = drift.estate.name
    for tenant in drift.tenants:
        for rule in RULES:
            found = sum(one.rule == rule for one in tenant.findings)
            findings.labels(name, tenant.tenant, str(rule).partition("/")[2]).set(found)
        pending.labels(name, tenant.tenant).set(len(tenant.pending))
        ignored.labels(name, tenant.tenant).set(len(tenant.ignored))
        readable.labels(name, tenant.tenant).set(1)
    for away in drift.unreadable:
        readable.labels(name, away.tenant.name).set(0)
    last.labels(name).set(drift.at.timestamp())
    write_to_textfile(str(path), registry)
