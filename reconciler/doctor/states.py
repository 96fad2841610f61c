"""A tenant's state document, and the lease in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from shlex import quote

from reconciler.doctor.catalogue import LEASE, STATE
from reconciler.doctor.results import Result, failed, ok, skipped, warning
from reconciler.doctor.tools import Tools
from reconciler.errors import ReconcilerError, foreign
from reconciler.model.desired import DesiredTenant
from reconciler.model.state import StateDocument
from reconciler.vault.credentials import endpoint_of


def examine(tools: Tools, tenant: DesiredTenant) -> Iterator[Result]:
    """Read the document, and say whose it is and who may write."""
    name = tenant.name
    why = tools.closed_to(tools.states.path(name)) if tools.states is not None else tools.no_vault
    if tools.states is None or why:
        yield from (skipped(check, why, tenant=name) for check in (STATE, LEASE))
        return
    try:
        document, version = tools.states.load(name)
        now = tools.states.vault.now()
    except ReconcilerError as error:
        yield failed(STATE, error, tenant=name)
        yield skipped(LEASE, "the state cannot be read", tenant=name)
        return
    if document is None:
        yield ok(STATE, "there is none yet: nothing was applied", tenant=name)
        yield ok(LEASE, "it is free", tenant=name)
        return
    yield from _recorded(document, version, tenant)
    yield _lease(document, now, name)


def _recorded(document: StateDocument, version: int, tenant: DesiredTenant) -> Iterator[Result]:
    name = tenant.name
    elsewhere = _elsewhere(document, tenant)
    if elsewhere:
        mend = "put the endpoint back, or give the new account a tenant of its own name, unless it is the same account"
        yield warning(STATE, elsewhere, mend, tenant=name, version=version)
    open_intents = [key for key, intent in document.intents.items() if intent.handoff is None]
    if open_intents:
        what = f"{len(open_intents)} steps are open that a run did not finish, the first of {foreign(open_intents[0])}"
        mend = "an apply is at work, or died: the next one finds what became of them and goes on from there"
        yield warning(STATE, what, mend, tenant=name, open=len(open_intents))
    if not elsewhere and not open_intents:
        found = f"version {version}, with {len(document.objects)} objects"
        yield ok(STATE, found, tenant=name, version=version, objects=len(document.objects))


def _elsewhere(document: StateDocument, tenant: DesiredTenant) -> str:
    """Where the state was written for, if not for this tenant's endpoint and provider."""
    try:
        same = endpoint_of(document.endpoint) == endpoint_of(tenant.endpoint)
    except ReconcilerError:
        same = False
    if same and document.provider == tenant.provider:
        return ""
    return f"the state was written for {foreign(document.endpoint)} ({foreign(document.provider)})"


def _lease(document: StateDocument, now: datetime, name: str) -> Result:
    lease = document.lease
    if lease is None:
        return ok(LEASE, "it is free", tenant=name)
    holder, since = foreign(lease.holder), f"{lease.since:%Y-%m-%d %H:%M:%S} UTC"
    facts = {
        "holder": holder,
        "run": foreign(lease.run),
        "since": lease.since.isoformat(),
        "expires": lease.expires.isoformat(),
    }
    until = f"{lease.expires:%H:%M:%S} UTC"
    if now < lease.expires:
        mend = "an apply now waits for it (--lease-timeout) or ends with exit code 5; if that run is dead:"
        commands = [f"reconciler unlock {name} --holder {quote(foreign(lease.run))}"]
        return warning(LEASE, f"{holder} holds it since {since}, until {until}", mend, commands, tenant=name, **facts)
    what = f"{holder} had it since {since} and did not give it back; it ended {until}: that run has died"
    return warning(LEASE, what, "nothing: the next apply takes it over", tenant=name, **facts)
