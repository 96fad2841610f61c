"""Emulated Carbon Black Cloud organisations for tests: ask for `carbonblack` or `make_carbonblack`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from json import dumps
from typing import Any

import pytest
import requests

from reconciler.emulator.base import Emulator, Settings
from reconciler.emulator.clock import Clock, ManualClock
from reconciler.providers.carbon_black_cloud.emulator import ENDPOINT_MAP, BlackCloud, Options
from tests.support.emulators import Answer

_numbers = count(1)


class CarbonBlack(BlackCloud):
    """An emulated organisation that knows where it is served, and whose clock (`clock`) the test moves."""

    clock: ManualClock
    endpoint: str

    @property
    def console_options(self) -> dict[str, Any]:
        """A Tenant's options with driver console; `ENDPOINT_MAP` is the map's spec."""
        return {**self.tenant_options, "driver": "console", "endpointMap": "emulator"}

    @property
    def endpoint_map(self) -> dict[str, Any]:
        """The map of the paths that this emulator defines."""
        return ENDPOINT_MAP

    def call(self, method: str, path: str, json: Any = None, *, token: str = "", **headers: str) -> Answer:
        """One request, by default with the bootstrap key; `{org}` in the path is the organisation's key."""
        bootstrap = "{apiSecret}/{apiId}".format_map(self.credentials)
        given = {
            "X-Auth-Token": token or bootstrap,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        url = self.endpoint + path.replace("{org}", self.org.key)
        body = None if json is None else dumps(json)
        response = requests.request(method, url, data=body, headers=given, timeout=20)
        return Answer(response.status_code, response.text, response.headers)


@pytest.fixture
def make_carbonblack(mount: Callable[[Emulator], str]) -> Callable[..., CarbonBlack]:
    """A maker of emulated organisations: `make_carbonblack(dead_secret_status=401)` takes what `Options` takes."""

    def make(*, clock: Clock | None = None, **options: Any) -> CarbonBlack:
        organisation = CarbonBlack(Settings(seed=next(_numbers), clock=clock or ManualClock()), Options(**options))
        organisation.endpoint = mount(organisation)
        return organisation

    return make


@pytest.fixture
def carbonblack(make_carbonblack: Callable[..., CarbonBlack]) -> CarbonBlack:
    """One emulated organisation with the default options."""
    return make_carbonblack()
