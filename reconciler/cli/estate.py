"""What `plan` and `apply` share: the estate, Vault under one identity, and the exit code of a plan."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Literal

import click

from reconciler.model.action import TenantPlan
from reconciler.model.estate import Estate
from reconciler.model.outcome import ExitCode
from reconciler.plan.observe import Access
from reconciler.plan.run import Planned, plan_all
from reconciler.plan.target import Target, narrow, refuse_unknown, tenants
from reconciler.policy.guardrails import Finding, check, spread_rotations


@contextmanager
def access(folder: Path, identity: Literal["plan", "apply"], *, trust_endpoints: bool) -> Iterator[Access]:
    """Load the estate, log in to Vault, and log out at the end. Raises the errors of both, before any vendor call."""
    from reconciler.manifest import load_estate
    from reconciler.providers.base import ConnectionSettings
    from reconciler.vault.connection import Vault
    from reconciler.vault.secrets import SecretStore
    from reconciler.vault.state import StateStore

    estate = load_estate(folder)
    for warning in estate.warnings:
        click.echo(f"warning: {warning}", err=True)
    vault = Vault.connect(
        estate.vault, identity=identity, environ=os.environ, timeout=_vault_timeout(estate), sleep=sleep
    )
    settings = ConnectionSettings(
        write=identity == "apply",
        timeout=estate.timeouts.call,
        sleep=sleep,
        ca_cert=os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or True,
    )
    with vault:  # at its end a token that we logged in for is revoked
        yield Access(
            estate=estate,
            vault=vault,
            states=StateStore(vault, estate.vault.state, estate.id),
            secrets=SecretStore(vault),
            settings=settings,
            environ=os.environ,
            trust_endpoints=trust_endpoints,
        )


def _vault_timeout(estate: Estate) -> float:
    """A call to Vault, like one to a vendor, must not outlive the lease; five seconds it may always take."""
    return min(max(estate.timeouts.call, 5.0), 30.0)


def make_plan(run: Access, targets: Sequence[str]) -> tuple[Planned, tuple[Finding, ...]]:
    """Plan the chosen tenants, check the guardrails over everything in them, then narrow to the targets."""
    parsed = [Target.parse(text) for text in targets]
    chosen = tenants(run.estate.tenants, parsed)
    planned = plan_all(run, chosen)
    findings = check(planned.plans, run.estate.limits)
    for item in planned.readable:
        refuse_unknown(item.tenant.desired, item.plan, parsed)
    spread = spread_rotations(planned.plans, run.estate.limits.rotations)
    return planned.with_plans([narrow(plan, parsed) for plan in spread]), findings


def plan_codes(planned: Planned, findings: Sequence[Finding], *, detailed: bool) -> dict[str, ExitCode]:
    """Each readable tenant's own exit code for a plan."""
    stopped = {finding.tenant for finding in findings}
    return {plan.tenant: _plan_code(plan, stopped, detailed=detailed) for plan in planned.plans}


def _plan_code(plan: TenantPlan, stopped: set[str], *, detailed: bool) -> ExitCode:
    if plan.tenant in stopped or "" in stopped:
        return ExitCode.STOPPED
    if plan.blocked:
        return ExitCode.PARTIAL
    return ExitCode.PENDING if detailed and plan.actions else ExitCode.DONE
