from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reconciler.model.credential import Credential
from reconciler.model.secret import Secret
from reconciler.providers.base import ConnectionSettings
from reconciler.providers.pacing import Pacer
from reconciler.providers.trend_cloud_one.session import Session
from tests.support.trend_others import CloudOne


@pytest.fixture
def account(make_cloud_one: Callable[..., CloudOne]) -> CloudOne:
    return make_cloud_one()


@pytest.fixture
def open_session(fake_time: Any) -> Iterator[Callable[..., Session]]:
    """Sessions that wait in no real time."""
    opened: list[Session] = []

    def open_session(account: CloudOne, *, write: bool = True, key: str = "", page: int = 100) -> Session:
        session = Session(
            account.endpoint + "/",
            Credential({"apiKey": Secret(key or account.credentials["apiKey"])}, account.endpoint),
            ConnectionSettings(write=write, timeout=5.0),
            page=page,
            pacer=Pacer(100_000, 60.0, clock=fake_time.clock, sleep=fake_time.sleep),
            clock=fake_time.clock,
            sleep=fake_time.sleep,
        )
        opened.append(session)
        return session

    yield open_session
    for session in opened:
        session.close()
