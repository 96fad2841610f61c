"""Fixtures for every test. pytest takes plugins from this conftest only, so that folders below name none of their own."""

from __future__ import annotations

pytest_plugins = (
    "tests.support.emulators",
    "tests.support.openbao",
    "tests.support.ci",
    "tests.support.world",
    "tests.support.carbonblack",
    "tests.support.cortex",
    "tests.support.lacework",
    "tests.support.trend_others",
    "tests.support.sdk",
    "tests.support.github",
    "tests.support.soak_summary",
)
