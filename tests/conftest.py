"""Fixtures for every test. pytest takes plugins from this conftest only, so that folders below name none of their own."""

from __future__ import annotations

from hypothesis import settings

# An example that takes long on a busy machine is no failure; what hangs is ended by pytest's time-out.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

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
    "tests.support.tried",
)
