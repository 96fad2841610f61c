"""Emulators of Trend's other two products for tests: ask for `make_cloud_one` or `make_vision_one`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from json import dumps
from typing import Any

import pytest
import requests

from reconciler.emulator.base import Emulator, RateLimit, Settings
from reconciler.emulator.clock import Clock, ManualClock
from reconciler.providers.trend_cloud_one import emulator as cloud_one
from reconciler.providers.trend_vision_one import emulator as vision_one
from tests.support.emulators import Answer

_numbers = count(1)


class CloudOne(cloud_one.CloudOne):
    """An emulated account that knows where it is served, and whose clock (`clock`) the test moves."""

    clock: ManualClock
    endpoint: str

    def call(self, method: str, path: str, json: Any = None, *, key: str = "", **headers: str) -> Answer:
        """One request, by default with the bootstrap key. Header names are written with `_` for `-`."""
        given = {"Api-Version": "v1", "Authorization": f"ApiKey {key or self.credentials['apiKey']}"}
        return _call(method, self.endpoint + path, json, given, headers)


class VisionOne(vision_one.VisionOne):
    """An emulated tenant that knows where it is served, and whose clock (`clock`) the test moves."""

    clock: ManualClock
    endpoint: str

    def call(self, method: str, path: str, json: Any = None, *, token: str = "", **headers: str) -> Answer:
        """One request, by default with the bootstrap key. Header names are written with `_` for `-`."""
        given = {"Authorization": f"Bearer {token or self.credentials['token']}"}
        return _call(method, self.endpoint + path, json, given, headers)


def _call(method: str, url: str, json: Any, given: dict[str, str], more: dict[str, str]) -> Answer:
    headers = {**given, **{name.replace("_", "-"): value for name, value in more.items()}}
    body = json if isinstance(json, bytes) else dumps(json) if json is not None else None
    shown = {name: value for name, value in headers.items() if value}
    response = requests.request(method, url, data=body, headers=shown, timeout=20)
    return Answer(response.status_code, response.text, response.headers)


def _settings(clock: Clock | None, rate_limit: RateLimit | None) -> Settings:
    return Settings(seed=next(_numbers), clock=clock or ManualClock(), rate_limit=rate_limit)


@pytest.fixture
def make_cloud_one(mount: Callable[[Emulator], str]) -> Callable[..., CloudOne]:
    """A maker of emulated accounts: it takes whatever `Options` takes, a clock, and a rate limit."""

    def make(*, clock: Clock | None = None, rate_limit: RateLimit | None = None, **options: Any) -> CloudOne:
        account = CloudOne(_settings(clock, rate_limit), cloud_one.Options(**options))
        account.endpoint = mount(account)
        return account

    return make


@pytest.fixture
def make_vision_one(mount: Callable[[Emulator], str]) -> Callable[..., VisionOne]:
    """A maker of emulated tenants: it takes whatever `Options` takes, a clock, and a rate limit."""

    def make(*, clock: Clock | None = None, rate_limit: RateLimit | None = None, **options: Any) -> VisionOne:
        tenant = VisionOne(_settings(clock, rate_limit), vision_one.Options(**options))
        tenant.endpoint = mount(tenant)
        return tenant

    return make
