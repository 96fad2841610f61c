"""Emulators for tests: ask for `trend`, `make_trend`, `mount` or `emulator_server` (`tests/conftest.py` names this module).

One server per test session serves them all, each emulator below a path of its own, so that a fresh one costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from json import dumps, loads
from typing import Any

import pytest
import requests

from reconciler.emulator.base import Emulator, Settings
from reconciler.emulator.clock import Clock, ManualClock
from reconciler.emulator.server import Server
from reconciler.providers.trend_workload_security.emulator import Options, WorkloadSecurity

_numbers = count(1)


@dataclass(frozen=True)
class Answer:
    """An answer's status, text and headers."""

    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        """The text as JSON."""
        return loads(self.text)

    @property
    def message(self) -> tuple[int, str]:
        """Status and message of an error."""
        return self.status, self.json["message"]


class Trend(WorkloadSecurity):
    """An emulated installation that knows where it is served, and whose clock (`clock`) the test moves."""

    clock: ManualClock
    endpoint: str

    def call(self, method: str, path: str, json: Any = None, *, secret: str = "", **headers: str) -> Answer:
        """One request, by default with the bootstrap key. Header names are written with `_` for `-`."""
        defaults = {"api-version": "v1", "api-secret-key": secret or self.credentials["secretKey"]}
        given = {**defaults, **{name.replace("_", "-"): value for name, value in headers.items()}}
        url = (self.root if path.startswith("/rest/") else self.endpoint) + path
        body = None if json is None else dumps(json)
        response = requests.request(
            method, url, data=body, headers={name: value for name, value in given.items() if value}, timeout=20
        )
        return Answer(response.status_code, response.text, response.headers)

    @property
    def root(self) -> str:
        """The endpoint without its `/api`."""
        return self.endpoint.removesuffix(self.base_path)


@pytest.fixture(scope="session")
def emulator_server() -> Iterator[Server]:
    """A server on loopback that ends with the session."""
    with Server() as server:
        yield server


@pytest.fixture
def mount(emulator_server: Server) -> Iterator[Callable[[Emulator], str]]:
    """Serve any emulator until the test ends; gives its endpoint."""
    prefixes: list[str] = []

    def mount(emulator: Emulator) -> str:
        prefixes.append(f"t{next(_numbers)}")
        return emulator_server.mount(emulator, prefixes[-1])

    yield mount
    for prefix in prefixes:
        emulator_server.unmount(prefix)


@pytest.fixture
def make_trend(mount: Callable[[Emulator], str]) -> Callable[..., Trend]:
    """A maker of emulated installations: `make_trend(unique_names=True)` takes whatever `Options` takes, and a clock."""

    def make(*, clock: Clock | None = None, **options: Any) -> Trend:
        trend = Trend(Settings(seed=next(_numbers), clock=clock or ManualClock()), Options(**options))
        trend.endpoint = mount(trend)
        return trend

    return make


@pytest.fixture
def trend(make_trend: Callable[..., Trend]) -> Trend:
    """One emulated installation with the default options."""
    return make_trend()
