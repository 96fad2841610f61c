"""What was tried, at the end of every run: random schedules, and faults that really happened, by kind.

A plugin of its own: with many workers nothing is collected where the summary is written, so no folder's conftest is read.
"""

from __future__ import annotations

from collections import Counter

import pytest


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
