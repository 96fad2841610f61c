"""The recovery table in the documentation names tests that exist."""

from __future__ import annotations

import re
from typing import Final

from tests.support.crash_process import ROOT

PAGE: Final = ROOT / "docs/crash-safety.md"


def test_every_row_names_tests_that_exist() -> None:
    """A test that is renamed is renamed on the page as well."""
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text(encoding="utf-8")))
    files = (ROOT / "tests").rglob("test_*.py")
    there = {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))}
    assert named
    assert named - there == set()
