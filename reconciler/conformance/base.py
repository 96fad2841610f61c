"""What the three parts of the suite share: the subject, what tests are repeated for, and fresh emulated accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from reconciler.conformance.bench import Bench
from reconciler.conformance.subject import Subject
from reconciler.emulator.base import Settings
from reconciler.emulator.clock import ManualClock
from reconciler.emulator.server import Server


class Conformance:
    """The base of all parts. A test module says `class TestIt(SessionConformance): subject = MySubject()`."""

    subject: ClassVar[Subject]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Repeat tests for each variant of the emulator, and for each field that can be changed."""
        subject: Subject | None = getattr(metafunc.cls, "subject", None)
        if subject is None:
            return
        emulator, now = subject.emulator(Settings(seed=0, clock=ManualClock())), datetime.now(UTC)
        values: dict[str, Callable[[], Any]] = {
            "variant": lambda: subject.variants,
            "key_field": lambda: sorted(subject.key_changes(emulator, now)),
            "level_field": lambda: sorted(subject.level_changes(emulator)) or [None],
        }
        for name, found in values.items():
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, found())

    @pytest.fixture(scope="class")
    @classmethod
    def emulators(cls) -> Iterator[Server]:
        """One server on loopback for all accounts of this class."""
        with Server() as server:
            yield server

    @pytest.fixture
    def open_bench(self, emulators: Server, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
        """A maker of emulated accounts, each with a session."""
        benches: list[Bench] = []

        def make(**how: Any) -> Bench:
            benches.append(Bench(self.subject, emulators, tmp_path / f"estate{len(benches)}", **how))
            return benches[-1]

        yield make
        for bench in benches:
            bench.close()
            emulators.unmount(bench.prefix)

    @pytest.fixture
    def bench(self, open_bench: Callable[..., Bench]) -> Bench:
        """One emulated account, with a session."""
        return open_bench()
