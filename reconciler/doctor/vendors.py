"""What the vendor says: whether it takes the credential, what it tells of it, its clock and its rate limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, Final

from reconciler.doctor import clocks, rights
from reconciler.doctor.catalogue import AUTHENTICATES, EXPIRY, LISTS, RATE, RIGHTS, TENANT_CLOCK
from reconciler.doctor.results import Result, failed, ok, problem, skipped, warning
from reconciler.doctor.tools import Tools
from reconciler.errors import AuthenticationFailed, Denied, NotPermitted, ReconcilerError, foreign
from reconciler.model.credential import Credential
from reconciler.model.desired import DesiredTenant
from reconciler.providers import registry
from reconciler.providers.base import Heard, OwnCredential, Provider, Session
from reconciler.vault.failures import Identity

ASKED: Final = (AUTHENTICATES, EXPIRY, RIGHTS, LISTS, TENANT_CLOCK, RATE)
"""What needs a credential."""
_SOON: Final = timedelta(days=14)
_LITTLE: Final = 0.1
"""What is left of a rate limit is little below this share of it."""


@dataclass(slots=True)
class _Ear:
    """Remembers what a vendor's answers said of its time and its limit."""

    last: Heard | None = None
    skew: timedelta | None = None
    least: Heard | None = None
    """The answer after which least was left."""
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, heard: Heard) -> None:
        with self._lock:
            self.last = heard
            if heard.date is not None:
                self.skew = datetime.now(UTC) - heard.date
            if heard.remaining is not None and (
                self.least is None or self.least.remaining is None or heard.remaining < self.least.remaining
            ):
                self.least = heard


def examine(tools: Tools, tenant: DesiredTenant, credential: Credential) -> Iterator[Result]:
    """Ask the vendor, by reads, everything that can be asked with the credential."""
    ear, provider, name = _Ear(), registry.get(tenant.provider), tenant.name
    settings = replace(
        tools.settings,
        write=False,
        rate=tenant.rate,
        options=tenant.options,
        endpoint_map=tenant.endpoint_map,
        on_answer=ear,
    )
    try:
        session = provider.connect(tenant.endpoint, credential, settings)
    except ReconcilerError as error:
        yield failed(AUTHENTICATES, error, tenant=name)
        yield from (skipped(one, "the credential cannot be used", tenant=name) for one in ASKED[1:])
        return
    try:
        yield from _asked(tools, tenant, provider, session)
    finally:
        session.close()
    yield _clock(ear, provider, name)
    yield _rate(ear, tenant, provider)


def _asked(tools: Tools, tenant: DesiredTenant, provider: Provider, session: Session) -> Iterator[Result]:
    name = tenant.name
    try:
        own = session.own_credential()
    except ReconcilerError as error:
        yield _refused(error, provider, tools.identity, name)
        why = "the vendor refuses the credential" if isinstance(error, Denied) else "the vendor could not be asked"
        yield from (skipped(one, why, tenant=name) for one in (EXPIRY, RIGHTS, LISTS))
        return
    yield _authenticated(own, tenant)
    yield _expiry(own, name)
    yield from rights.of(own, provider.capabilities, tools.identity, name)
    yield _lists(session, name)


def _authenticated(own: OwnCredential, tenant: DesiredTenant) -> Result:
    key = f"as key {foreign(own.key_id)}" if own.key_id else "the vendor does not say as which key"
    remark = f"; {foreign(own.remark)}" if own.remark else ""
    facts = {"keyId": own.key_id, "evidence": str(own.evidence), "source": own.source}
    return ok(AUTHENTICATES, f"{tenant.endpoint} takes it, {key}{remark}", tenant=tenant.name, **facts)


def _refused(error: ReconcilerError, provider: Provider, identity: Identity, name: str) -> Result:
    result = failed(AUTHENTICATES, error, tenant=name)
    if isinstance(error, NotPermitted):
        mend = "its role lacks a right, or the vendor lets it in from other addresses only than this machine's"
        advice = provider.capabilities.own_key.advice
        return replace(result, mend=f"{mend}; {advice}" if advice else mend)
    if isinstance(error, AuthenticationFailed):
        mend = (
            f"it is wrong, expired or locked: make a new key for the {identity} identity in the vendor's console and store "
            "it. It was tried once and not again, for failures lock keys. Where the vendor restricts addresses, look "
            "whether this machine's is among them"
        )
        return replace(result, mend=mend)
    return result


def _expiry(own: OwnCredential, name: str) -> Result:
    told = f"({own.evidence}, {own.source})"
    if not own.tells_expiry:
        return skipped(EXPIRY, f"the vendor does not tell when it ends {told}", tenant=name)
    if own.expires is None:
        return ok(EXPIRY, f"it has no end {told}", tenant=name)
    left = own.expires - datetime.now(UTC)
    when = f"{own.expires:%Y-%m-%d %H:%M} UTC"
    mend = "make a new key for it in the vendor's console and store it in place of this one"
    if left <= timedelta(0):
        return problem(EXPIRY, f"it ended {when} {told}", mend, tenant=name, expires=own.expires.isoformat())
    if left < _SOON:
        what = f"it ends {when}, in {_days(left)} {told}"
        return warning(EXPIRY, what, mend, tenant=name, expires=own.expires.isoformat())
    return ok(EXPIRY, f"it ends {when} {told}", tenant=name, expires=own.expires.isoformat())


def _lists(session: Session, name: str) -> Result:
    before = session.calls
    try:
        found = session.observe()
    except ReconcilerError as error:
        return failed(LISTS, error, tenant=name)
    calls = session.calls - before
    told = f"keys: {len(found.keys)}; access levels or users: {len(found.levels)}; calls: {calls}"
    return ok(LISTS, told, tenant=name, keys=len(found.keys), levels=len(found.levels), calls=calls)


def _clock(ear: _Ear, provider: Provider, name: str) -> Result:
    if ear.skew is None:
        return skipped(TENANT_CLOCK, "the vendor's answers do not say what time it is", tenant=name)
    breaks = "keys end, and rotations are due, at other times than it seems"
    if provider.capabilities.own_key.signs_time:
        breaks = f"calls are signed with this machine's time, and the vendor may refuse them all; {breaks}"
    return clocks.agree(TENANT_CLOCK, "the vendor's", ear.skew, breaks, tenant=name)


def _rate(ear: _Ear, tenant: DesiredTenant, provider: Provider) -> Result:
    documented, wish = provider.capabilities.rate, tenant.rate
    calls, seconds = (documented.calls, documented.seconds) if wish.calls is None else (wish.calls, wish.seconds)
    whose = f"{documented.evidence}, {documented.source}" if wish.calls is None else "spec.rate"
    share = f"at most {max(1, int(calls * wish.share))} of {calls} calls in {seconds:g} s are ours ({whose})"
    facts: dict[str, Any] = {"calls": calls, "seconds": seconds, "share": wish.share}
    least = ear.least
    if least is None or least.remaining is None:
        found = f"{share}; the vendor does not tell what is left"
        return ok(RATE, found, tenant=tenant.name, **facts)
    facts |= {"limit": least.limit, "remaining": least.remaining, "reset": least.reset}
    of = f" of {least.limit}" if least.limit is not None else ""
    found = f"{share}; {least.remaining}{of} are left"
    if least.limit and least.remaining < least.limit * _LITTLE:
        again = f", for {least.reset:g} s" if least.reset is not None else ""
        mend = "other integrations use the same key or account: wait, or give the reconciler a key of its own"
        return warning(RATE, f"{found}{again}", mend, tenant=tenant.name, **facts)
    return ok(RATE, found, tenant=tenant.name, **facts)


def _days(left: timedelta) -> str:
    return f"{left.days} days" if left >= timedelta(days=2) else f"{left.total_seconds() / 3600:.0f} h"
