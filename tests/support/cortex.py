"""The Cortex emulator for tests: ask for `cortex` or `make_cortex`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from json import dumps
from typing import Any

import pytest
import requests

from reconciler.emulator.base import Emulator, Settings
from reconciler.emulator.clock import Clock, ManualClock
from reconciler.model.credential import Credential
from reconciler.model.secret import Secret
from reconciler.providers.cortex_cloud.emulator import CortexTenant, Options
from tests.support.emulators import Answer

_numbers = count(1)


class Cortex(CortexTenant):
    """An emulated tenant that knows where it is served, and whose clock (`clock`) the test moves."""

    clock: ManualClock
    endpoint: str

    @property
    def standard(self) -> tuple[str, str]:
        """Id and secret of a second administrator's key, of level standard, for calls by hand."""
        if not hasattr(self, "_standard"):
            self._standard = self.add_key("by hand", security_level="standard")
        return str(self._standard), self.secret_of(self._standard)

    def credential(self, **fields: str) -> Credential:
        """The bootstrap key as a credential, or one of these fields."""
        return Credential({name: Secret(value) for name, value in (fields or self.credentials).items()}, self.endpoint)

    def call(self, method: str, path: str, data: Any = None, *, key: tuple[str, str] | None = None) -> Answer:
        """One request with a standard key, by default an administrator's; `data` is put into the envelope."""
        number, secret = key or self.standard
        body = None if data is None else dumps({"request_data": data})
        headers = {"x-xdr-auth-id": number, "Authorization": secret, "Content-Type": "application/json"}
        response = requests.request(method, self.endpoint + path, data=body, headers=headers, timeout=20)
        return Answer(response.status_code, response.text, response.headers)


@pytest.fixture
def make_cortex(mount: Callable[[Emulator], str]) -> Callable[..., Cortex]:
    """A maker of emulated tenants: `make_cortex(page_limit=100)` takes whatever `Options` takes, and a clock."""

    def make(*, clock: Clock | None = None, **options: Any) -> Cortex:
        cortex = Cortex(Settings(seed=next(_numbers), clock=clock or ManualClock()), Options(**options))
        cortex.endpoint = mount(cortex)
        return cortex

    return make


@pytest.fixture
def cortex(make_cortex: Callable[..., Cortex]) -> Cortex:
    """One emulated tenant with the default options."""
    return make_cortex()
