"""The page on drift names every rule, and every metric that is written."""

from __future__ import annotations

import re
from pathlib import Path

from reconciler.plan.drift_rules import RULES
from reconciler.report.drift import Drift
from reconciler.report.metrics import write
from tests.docs.tables import ROOT
from tests.support import builders as b

PAGE = (ROOT / "docs" / "drift.md").read_text(encoding="utf-8")


def test_every_rule_has_a_row() -> None:
    """With what to do about it."""
    assert re.findall(r"^\| `(drift/[a-z-]+)` \|", PAGE, re.MULTILINE) == [str(rule) for rule in RULES]


def test_every_metric_has_a_row(tmp_path: Path) -> None:
    """As the file has them, in the table's order."""
    write(tmp_path / "m.prom", Drift(b.estate(), b.NOW, []))
    written = re.findall(r"^# TYPE (\w+) gauge$", (tmp_path / "m.prom").read_text(), re.MULTILINE)
    assert re.findall(r"^\| `(reconciler_drift_\w+)` \|", PAGE, re.MULTILINE) == written
