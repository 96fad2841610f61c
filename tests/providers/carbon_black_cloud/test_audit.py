"""Who changed a key, by the sentences of the audit log."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.providers.base import Trace
from reconciler.providers.carbon_black_cloud import audit
from reconciler.providers.carbon_black_cloud.records import AuditRecord

AT = "2026-06-01T12:00:00.500Z"
KEY = "ABCDE12345"


def record(description: str, actor: str | None = "eve@example.com", at: str = AT) -> AuditRecord:
    return AuditRecord(description=description, create_time=at, actor=actor)


@pytest.mark.parametrize(
    "text",
    [
        f"Updated API ID {KEY} with name splunk in org 1",
        f"Updated connector splunk with api key {KEY}",
        f"Regenerated API key for API ID {KEY} in org 1",
        f"Created grant: psc:cnn:ORG:{KEY} with role Super Admin",
    ],
)
def test_changes(text: str) -> None:
    """Every wording that was seen of a change, with who and when; the newest that counts is the one."""
    skipped = [
        record(f"Connector {KEY} logged in successfully"),
        record(f"User eve retrieved secret for API ID {KEY} in org 1"),
        record(f"Updated API ID {KEY} in org 1", actor="OWN"),
        record(f"Updated API ID {KEY}X in org 1"),
        record(f"Updated API ID {KEY}", at="yesterday"),
    ]
    found = audit.changed([*skipped, record(text), record("Added API ID " + KEY, "old@example.com")], KEY, "OWN")
    assert found == Trace("eve@example.com", datetime(2026, 6, 1, 12, tzinfo=UTC), text)
    assert audit.changed(skipped, KEY, "OWN") is None


def test_nobody() -> None:
    """A record that does not say who."""
    assert audit.changed([record(f"Updated API ID {KEY}", None)], KEY, "OWN") == Trace(
        "", datetime(2026, 6, 1, 12, tzinfo=UTC), f"Updated API ID {KEY}"
    )
    assert audit.about(KEY) == f'"{KEY}"'
