"""Who changed what, by the vendor's audit log: asked once for each key, and only about what a log can tell."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from reconciler.errors import NotPermitted, RetryLater
from reconciler.model.action import Change
from reconciler.model.finding import Finding
from reconciler.plan.drift_rules import Findings, Rule
from reconciler.plan.trail import MOST, traced
from reconciler.providers.base import Trace
from tests.support import builders as b

MAKE = Findings("dsm")


class Log:
    """A session with an audit log."""

    def __init__(self, *told: Trace | Exception | None) -> None:
        self.told, self.asked = list(told), []  # type: ignore[var-annotated]

    def last_change(self, vendor_id: str, since: datetime) -> Trace | None:
        self.asked.append((vendor_id, (b.NOW - since).days))
        answer = self.told.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def changed(field: str = "state", vendor_id: str = "100", name: str = "splunk") -> Finding:
    change = Change(field, 1, 2)
    return MAKE.of(Rule.CHANGED, b.key_id(name), "changed", "", about=field, change=change, vendorId=vendor_id)


def look(session: Any, *found: Finding) -> tuple[Finding, ...]:
    return traced(session, found, b.NOW)


def test_one_question_for_a_key() -> None:
    """However many of its fields have changed; what the log says is quoted, cleaned."""
    log = Log(Trace("eve\x1b@example.com", b.NOW, "Updated \u202e API ID 100"))
    first, second = look(log, changed("state"), changed("description"))
    assert log.asked == [("100", 30)]
    assert first.figures["by"] == second.figures["by"] == "eve\N{REPLACEMENT CHARACTER}@example.com"
    assert first.figures["at"] == b.NOW.isoformat()
    assert "by eve\N{REPLACEMENT CHARACTER}@example.com on 2026-06-01 12:00Z: Updated" in first.message
    assert "\u202e" not in first.message
    assert first.figures["identity"] == changed("state").figures["identity"]


def test_nobody_is_named() -> None:
    """Where the log does not say who, where it has nothing, and where there is no log."""
    assert "by somebody on" in look(Log(Trace("", b.NOW, "x")), changed())[0].message
    assert look(Log(None), changed()) == (changed(),)
    assert look(object(), changed()) == (changed(),)


@pytest.mark.parametrize("problem", [NotPermitted("no"), RetryLater("later")])
def test_a_log_that_cannot_be_read(problem: Exception) -> None:
    """It leaves findings as they are."""
    assert look(Log(problem), changed()) == (changed(),)


def test_what_is_not_asked_about() -> None:
    """Levels, and what no person has done: time, Vault."""
    level = MAKE.of(Rule.CHANGED, b.level_id(), "changed", "", vendorId="10")
    overdue = MAKE.of(Rule.ROTATION_OVERDUE, b.key_id(), "overdue", "")
    lost = MAKE.of_tenant(Rule.STATE_MISSING, "lost", "")
    log = Log()
    assert look(log, level, overdue, lost) == (level, overdue, lost)
    assert log.asked == []


def test_a_tenant_that_was_changed_all_over() -> None:
    """Only so many keys are asked about."""
    log = Log(*[None] * MOST)
    look(log, *(changed(vendor_id=str(number), name=f"k{number}") for number in range(MOST + 5)))
    assert len(log.asked) == MOST
