"""What was tried, at the end of every run: processes that were killed, random schedules, faults that really happened.

A plugin of its own: with many workers nothing is collected where the summary is written, so no folder's conftest is read.
"""

from __future__ import annotations

from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Add up what the tests have counted, wherever they ran."""
    total: dict[str, Counter[str]] = {"crash": Counter(), "soak": Counter()}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "teardown":
                for name, value in report.user_properties:
                    if name in total:
                        total[name].update(value)
    crash, soak = total["crash"], total["soak"]
    if crash:
        terminalreporter.section("deaths")
        terminalreporter.write_line(
            f"{crash['scenarios']} scenarios at a product, {crash['killed']} processes killed; "
            f"{crash['lived']} had ended before they came to their boundary"
        )
    if soak:
        schedules, happened = soak.pop("schedules", 0), sum(n for name, n in soak.items() if name.startswith("v"))
        terminalreporter.section("random schedules")
        terminalreporter.write_line(f"{schedules} schedules, {happened} faults:")
        for name, number in sorted(soak.items()):
            terminalreporter.write_line(f"  {number:6} {name}")
