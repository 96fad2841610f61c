from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from reconciler.model.credential import Credential
from reconciler.model.secret import Secret
from reconciler.providers.base import ConnectionSettings
from reconciler.providers.pacing import Pacer
from reconciler.providers.trend_vision_one.session import Session
from tests.support.trend_others import VisionOne


@pytest.fixture
def tenant(make_vision_one: Callable[..., VisionOne]) -> VisionOne:
    return make_vision_one()


@pytest.fixture
def open_session(fake_time: Any) -> Iterator[Callable[..., Session]]:
    """Sessions that wait in no real time, and whose wall clock is the emulator's."""
    opened: list[Session] = []

    def open_session(
        tenant: VisionOne, *, write: bool = True, token: str = "", options: Mapping[str, Any] | None = None
    ) -> Session:
        fields = {"token": token} if token else tenant.credentials
        session = Session(
            tenant.endpoint + "/",
            Credential({name: Secret(value) for name, value in fields.items()}, tenant.endpoint),
            ConnectionSettings(write=write, timeout=5.0, options={"listRoles": True} if options is None else options),
            page=50,
            pacer=Pacer(100_000, 60.0, clock=fake_time.clock, sleep=fake_time.sleep),
            clock=fake_time.clock,
            sleep=fake_time.sleep,
            now=tenant.clock.now,
        )
        opened.append(session)
        return session

    yield open_session
    for session in opened:
        session.close()
