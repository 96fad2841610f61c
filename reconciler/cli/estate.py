"""What `plan` and `apply` share: the estate, Vault under one identity, and the exit code of a plan."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from reconciler.cli.options import exit_code
from reconciler.cli.output import Outcome, as_text
from reconciler.errors import Denied, InvalidInput, ReconcilerError, printable
from reconciler.model.action import TenantPlan
from reconciler.model.desired import DesiredTenant
from reconciler.model.estate import Estate, Limits
from reconciler.model.finding import Finding
from reconciler.model.outcome import ExitCode
from reconciler.model.trusted import TrustedEstate
from reconciler.plan.observe import Access
from reconciler.plan.run import Planned, plan_all
from reconciler.plan.target import Target, narrow, refuse_unknown, tenants
from reconciler.policy.guardrails import check, counted, spread_rotations
from reconciler.providers.base import ConnectionSettings
from reconciler.suggest import did_you_mean

if TYPE_CHECKING:
    from reconciler.manifest import Cache

_LOADED: Final[list[Estate]] = []
"""The estate that was loaded last."""
_ALLOCATIONS: Final = 100_000
"""How many more objects there must be before garbage is looked for: hardly any of ours is in cycles."""


@contextmanager
def access(
    folder: Path,
    identity: Literal["plan", "apply"],
    *,
    trust_endpoints: bool,
    trusted_ref: str | None = None,
    may_be_empty: bool = False,
    cache: Cache | None = None,
) -> Iterator[Access]:
    """Load the estate, log in to Vault, and log out at the end. Raises the errors of both, before any vendor call.

    With `trusted_ref` a Git revision decides where credentials go; how it differs is told on standard error. A `cache` is
    for commands that write nothing (ADR 0019).
    """
    from reconciler.manifest import load_estate

    estate = load_estate(folder, may_be_empty=may_be_empty, cache=cache)
    for warning in estate.warnings:  # each says itself that it is one, and where
        click.echo(warning, err=True)
    with (
        _lasting(estate),
        as_trusted(estate, folder, trusted_ref, trust_endpoints=trust_endpoints) as judged,
        connected(judged, identity, trust_endpoints=trust_endpoints) as run,
    ):
        yield run


@contextmanager
def _lasting(estate: Estate) -> Iterator[None]:
    """What has been loaded lasts: garbage collection does not look at it again and again, and looks less often.

    Nor is it freed afterwards, for the process ends then.
    """
    _LOADED[:] = [estate]
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextmanager
def without_manifests(
    folder: Path, identity: Literal["plan", "apply"], *, trust_endpoints: bool, trusted_ref: str | None = None
) -> Iterator[Access]:
    """The same from `reconciler.yaml` alone: the estate has no tenants, and a broken manifest stops nobody."""
    from reconciler.manifest.alone import load_settings

    with (
        as_trusted(load_settings(folder), folder, trusted_ref, trust_endpoints=False, manifests=False) as judged,
        connected(judged, identity, trust_endpoints=trust_endpoints) as run,
    ):
        yield run


@contextmanager
def as_trusted(
    estate: Estate, folder: Path, ref: str | None, *, trust_endpoints: bool, manifests: bool = True
) -> Iterator[Estate]:
    """The estate as the trusted revision lets it be, for as long as the copy of its CA file is there.

    Denied if `--trust-endpoints` would send a credential from the environment where only the working tree says.
    """
    if ref is None:
        yield estate
        return
    from tempfile import TemporaryDirectory

    from reconciler.manifest.trusted import read_trusted
    from reconciler.manifest.verdict import ca_content, judge
    from reconciler.vault.settings import variable

    with TemporaryDirectory(prefix="reconciler-") as scratch:
        from_file = not variable(os.environ, "CACERT")
        trusted = read_trusted(folder, ref, Path(scratch), manifests=manifests, ca_cert=from_file)
        judged = judge(estate, trusted, ca_cert=ca_content(estate) if from_file else None)
        for difference in judged.differences:
            click.echo(difference, err=True)
        if trust_endpoints:
            _refuse_unvouched(judged)
        yield judged


def _refuse_unvouched(estate: TrustedEstate) -> None:
    from reconciler.vault.credentials import endpoint_of

    for tenant in estate.tenants:
        if tenant.name in estate.unvouched and not endpoint_of(tenant.endpoint).loopback:
            raise Denied(
                f"--trust-endpoints does not reach this tenant: {printable(estate.ref)} does not have it with this "
                "endpoint and this credential from the environment",
                where=str(tenant.source),
                hint="keep the credential in Vault, which stores its endpoint beside it; or have the change merged first",
            )


def declared(estate: Estate, name: str) -> DesiredTenant:
    """The tenant of that name. InvalidInput if no manifest declares it."""
    found = next((one for one in estate.tenants if one.name == name), None)
    if found is None:
        hint = did_you_mean(name, [one.name for one in estate.tenants])
        raise InvalidInput(f"no manifest declares the tenant {name!r}", hint=hint)
    return found


def with_trusted(document: dict[str, Any], estate: Estate) -> dict[str, Any]:
    """A command's answer, with the trusted revision and what differs from it where one was asked for."""
    if isinstance(estate, TrustedEstate):
        found = [{"rule": one.rule, "subject": one.subject, "message": str(one)} for one in estate.differences]
        document = {**document, "trusted": {"ref": estate.ref, "commit": estate.commit, "findings": found}}
    return document


def as_json(document: dict[str, Any], estate: Estate) -> str:
    """The same as text."""
    return as_text(with_trusted(document, estate))


def outcome_of_plan(
    estate: Estate, planned: Planned, findings: Sequence[Finding], codes: dict[str, ExitCode], command: str = "plan"
) -> Outcome:
    """A plan in every form. `command`: what was asked for, if not a plan."""
    from reconciler.report import data, review, text
    from reconciler.report.findings import of_plan, rules_of

    return Outcome(
        command,
        text=lambda console: text.plan(console, planned, findings),
        data=lambda: with_trusted(data.plan(estate, planned, findings, codes), estate),
        markdown=lambda: review.plan(planned, findings),
        findings=lambda: of_plan(planned, findings),
        rules=lambda: rules_of(estate.policies),
        checked=[plan.tenant for plan in planned.plans],
    )


@contextmanager
def connected(estate: Estate, identity: Literal["plan", "apply"], *, trust_endpoints: bool) -> Iterator[Access]:
    """Log in to the estate's Vault, and log out at the end."""
    from reconciler.vault.connection import Vault
    from reconciler.vault.secrets import SecretStore
    from reconciler.vault.state import StateStore

    vault = Vault.connect(
        estate.vault, identity=identity, environ=os.environ, timeout=vault_timeout(estate), sleep=sleep
    )
    settings = vendor_settings(estate, write=identity == "apply")
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


def vendor_settings(estate: Estate, *, write: bool) -> ConnectionSettings:
    """How vendors are called."""
    return ConnectionSettings(
        write=write,
        timeout=estate.timeouts.call,
        sleep=sleep,
        ca_cert=os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or True,
    )


@contextmanager
def told_in(output_format: str) -> Iterator[None]:
    """Who asked for JSON gets an error that ends the command as JSON too, on standard output. It goes on its way then."""
    try:
        yield
    except ReconcilerError as error:
        if output_format == "json":
            from reconciler.report import data

            click.echo(json.dumps(data.failure(error, exit_code(error)), indent=2))
        raise


def vault_timeout(estate: Estate) -> float:
    """A call to Vault, like one to a vendor, must not outlive the lease; five seconds it may always take."""
    return min(max(estate.timeouts.call, 5.0), 30.0)


def make_plan(run: Access, targets: Sequence[str], allowed: Sequence[str] = ()) -> tuple[Planned, tuple[Finding, ...]]:
    """Plan the chosen tenants, check the guardrails over everything in them, then narrow to the targets.

    Policies are held against every key of the estate: what is not a target is no way around them.

    `allowed` names findings (`RULE:TENANT`) that do not stop this run, and single objects that do not count for one
    (`RULE:TENANT/KIND/NAME`); InvalidInput for a name of which nothing was found.
    """
    parsed = [Target.parse(text) for text in targets]
    chosen = tenants(run.estate.tenants, parsed)
    planned = plan_all(run, chosen)
    findings = (*stopping(planned.plans, run.estate.limits, allowed), *_violations(run, planned))
    for item in planned.readable:
        refuse_unknown(item.tenant.desired, item.plan, parsed)
    spread = spread_rotations(planned.plans, run.estate.limits.rotations)
    return planned.with_plans([narrow(plan, parsed) for plan in spread]), findings


def _violations(run: Access, planned: Planned) -> tuple[Finding, ...]:
    """What the policies say of every key of the estate, whether its tenant was planned or not."""
    if not run.estate.policies:
        return ()
    from reconciler.policy.evaluate import judge

    plans = {plan.tenant: plan for plan in planned.plans}
    return judge(run.estate.tenants, run.estate.policies, run.vault.now(), plans)


def stopping(plans: Sequence[TenantPlan], limits: Limits, allowed: Sequence[str]) -> tuple[Finding, ...]:
    """The guardrails that stop these plans, but for what is allowed.

    InvalidInput for a name that is no finding's and no object's that one has counted: it would be a blank cheque.
    """
    every = check(plans, limits)
    names, objects = {finding.allow for finding in every}, counted(plans, every)
    for name in allowed:
        if name not in names | objects:
            hint = f"--allow takes what a finding names, here: {', '.join(sorted(names))}" if names else ""
            raise InvalidInput(f"--allow {printable(name)}: no guardrail stops this run under that name", hint=hint)
    spared = objects.intersection(allowed)
    return tuple(finding for finding in check(plans, limits, spared) if finding.allow not in allowed)


def plan_codes(planned: Planned, findings: Sequence[Finding], *, detailed: bool) -> dict[str, ExitCode]:
    """Each readable tenant's own exit code for a plan."""
    stopped = {finding.tenant for finding in findings if finding.denies}
    return {plan.tenant: _plan_code(plan, stopped, detailed=detailed) for plan in planned.plans}


def _plan_code(plan: TenantPlan, stopped: set[str], *, detailed: bool) -> ExitCode:
    if plan.tenant in stopped or "" in stopped:
        return ExitCode.STOPPED
    if plan.blocked:
        return ExitCode.PARTIAL
    if not detailed:
        return ExitCode.DONE
    return ExitCode.PENDING if plan.actions else ExitCode.HANDOFF if plan.waiting else ExitCode.DONE
