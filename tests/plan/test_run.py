"""Planning many tenants: each is readable or not, by name, and sessions are closed."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import Denied
from reconciler.plan import run as planning
from reconciler.plan.run import plan_all
from tests.support import builders as b


class Session:
    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class Open:
    def __init__(self) -> None:
        self.session = Session()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> dict[str, Open]:
    """What was opened, by tenant: `denied` cannot be opened, `odd` breaks while it is planned."""
    found: dict[str, Open] = {}

    def open_tenant(access: Any, desired: Any) -> Any:
        if desired.name == "denied":
            raise Denied("no")
        return found.setdefault(desired.name, Open())

    def replan(access: Any, tenant: Any) -> Any:
        name = next(name for name, item in found.items() if item is tenant)
        if name == "odd":
            raise ZeroDivisionError
        return b.tenant_plan(*[b.action()] * (name == "west"), tenant=name)

    monkeypatch.setattr(planning, "open_tenant", open_tenant)
    monkeypatch.setattr(planning, "replan", replan)
    return found


def test_tenants_are_planned_side_by_side_and_told_apart(opened: dict[str, Open]) -> None:
    """In the order of their names; what cannot be read is named with the reason. Only where there is something to do
    the session is kept open.
    """
    told: list[str] = []
    names = ("west", "odd", "denied", "east")
    planned = plan_all(None, [b.desired_tenant(name=name) for name in names], told.append)  # type: ignore[arg-type]
    assert [plan.tenant for plan in planned.plans] == ["east", "west"]
    reasons = {item.tenant.name: str(item.error) for item in planned.unreadable}
    assert reasons["denied"] == "no"
    assert reasons["odd"].startswith("internal error: ZeroDivisionError at ")
    assert sorted(told) == sorted(names)
    assert {name: item.session.closed for name, item in opened.items()} == {"west": 0, "east": 1, "odd": 1}

    narrowed = planned.with_plans([b.tenant_plan(tenant="east", population=1), b.tenant_plan(tenant="west")])
    assert [plan.population for plan in narrowed.plans] == [1, 10]
    assert narrowed.unreadable == planned.unreadable
    planned.close()
    assert {name: item.session.closed for name, item in opened.items()} == {"west": 1, "east": 2, "odd": 1}
