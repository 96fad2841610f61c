"""Emulated Lacework organisations for tests: ask for `make_lacework` or `lacework`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from json import dumps
from typing import Any

import pytest
import requests

from reconciler.emulator.base import Emulator, Settings
from reconciler.emulator.clock import Clock, ManualClock
from reconciler.providers.lacework.emulator import Lacework, Options
from tests.support.emulators import Answer

_numbers = count(1)


class Organisation(Lacework):
    """An emulated organisation that knows where it is served, and whose clock (`clock`) the test moves."""

    clock: ManualClock
    endpoint: str

    def token(self, seconds: int = 3600, **credential: str) -> Answer:
        """Exchange a key, by default the bootstrap one, for a token."""
        key = {**self.credentials, **credential}
        return self.call(
            "POST", "/api/v2/access/tokens", {"keyId": key["keyId"], "expiryTime": seconds}, X_LW_UAKS=key["secret"]
        )

    def call(self, method: str, path: str, json: Any = None, **headers: str) -> Answer:
        """One request. Header names are written with `_` for `-`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        body = None if json is None else dumps(json)
        response = requests.request(method, self.endpoint + path, data=body, headers=given, timeout=20)
        return Answer(response.status_code, response.text, response.headers)


@pytest.fixture
def make_lacework(mount: Callable[[Emulator], str]) -> Callable[..., Organisation]:
    """A maker of emulated organisations: `make_lacework(rows=10)` takes whatever `Options` takes, and a clock."""

    def make(*, clock: Clock | None = None, **options: Any) -> Organisation:
        lacework = Organisation(Settings(seed=next(_numbers), clock=clock or ManualClock()), Options(**options))
        lacework.endpoint = mount(lacework)
        lacework.account = lacework.endpoint.partition("://")[2]
        return lacework

    return make


@pytest.fixture
def lacework(make_lacework: Callable[..., Organisation]) -> Organisation:
    """One emulated organisation with the default options."""
    return make_lacework()
