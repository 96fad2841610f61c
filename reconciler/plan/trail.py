"""Who changed what, and when: asked of the vendor's audit log, where there is one, and only about what has drifted.

Nothing depends on it: a log that may not be read, or cannot be, leaves findings as they are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from reconciler.errors import ReconcilerError, foreign
from reconciler.model.finding import Finding
from reconciler.model.names import Kind
from reconciler.plan.drift_rules import Rule
from reconciler.providers.base import Auditing, Session, Trace

_log = logging.getLogger(__name__)

MOST: Final = 25
"""Keys of a tenant that the log is asked about: a call each."""
_REACH: Final = timedelta(days=30)


def traced(session: Session, findings: Iterable[Finding], now: datetime) -> tuple[Finding, ...]:
    """The findings, those about changed and missing keys with who and when, as far as the vendor tells."""
    known: dict[str, Trace | None] = {}
    return tuple(_told(one, _trace(session, one, now, known)) for one in findings)


def _trace(session: Session, one: Finding, now: datetime, known: dict[str, Trace | None]) -> Trace | None:
    if one.rule not in {Rule.CHANGED, Rule.MISSING} or one.object is None or one.object.kind is not Kind.API_KEY:
        return None
    key = str(one.figures["vendorId"])
    if key not in known:
        known[key] = _ask(session, key, now - _REACH) if len(known) < MOST else None
    return known[key]


def _ask(session: Session, key: str, since: datetime) -> Trace | None:
    if not isinstance(session, Auditing):
        return None
    try:
        return session.last_change(key, since)
    except ReconcilerError as problem:
        _log.debug("the audit log does not tell: %s", type(problem).__name__)
        return None


def _told(one: Finding, trace: Trace | None) -> Finding:
    if trace is None:
        return one
    who, what = foreign(trace.actor) or "somebody", foreign(trace.what)
    message = (
        f"{one.message}; the newest entry of the vendor's audit log is by {who} on {trace.at:%Y-%m-%d %H:%M}Z: {what}"
    )
    return replace(one, message=message, figures={**one.figures, "by": who, "at": trace.at.isoformat(), "audit": what})
