"""What the tests of this provider share: connections to an emulated organisation, with either driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reconciler.model.credential import Credential
from reconciler.model.mark import Mark, new_nonce
from reconciler.model.secret import Secret
from reconciler.providers.base import ConnectionSettings
from reconciler.providers.carbon_black_cloud.session import Session
from reconciler.providers.pacing import Pacer
from tests.support.carbonblack import CarbonBlack

Connect = Callable[..., Session]


def new_mark(generation: int = 1) -> Mark:
    return Mark("ab" * 8, generation, new_nonce())


@pytest.fixture
def connect(fake_time: Any) -> Iterator[Connect]:
    """Opens sessions: `connect(organisation, console=True)`, by default with the bootstrap key, never waiting."""
    opened: list[Session] = []

    def connect(
        at: CarbonBlack,
        *,
        console: bool = False,
        write: bool = True,
        page: int = 1000,
        api_id: str = "",
        secret: str = "",
        pacer: Pacer | None = None,
        endpoint_map: dict[str, Any] | None = None,
        **options: Any,
    ) -> Session:
        given = {
            "apiId": Secret(api_id or at.credentials["apiId"]),
            "apiSecret": Secret(secret or at.credentials["apiSecret"]),
        }
        settings = ConnectionSettings(
            write=write,
            timeout=5.0,
            options={**(at.console_options if console else at.tenant_options), **options},
            endpoint_map=(endpoint_map or at.endpoint_map) if console else None,
        )
        session = Session(
            at.endpoint + "/",
            Credential(given, at.endpoint),
            settings,
            page=page,
            pacer=pacer or Pacer(100_000, 300.0, clock=fake_time.clock, sleep=fake_time.sleep),
            clock=fake_time.clock,
            sleep=fake_time.sleep,
        )
        opened.append(session)
        return session

    yield connect
    for session in opened:
        session.close()


@pytest.fixture
def mark() -> Callable[..., Mark]:
    """Makes marks of one estate with fresh nonces."""
    return new_mark
