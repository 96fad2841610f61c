"""Verifying one secret does not hold up the next key; whatever else concerns one key keeps its order."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import reconciler.apply.issue as issuing
import reconciler.apply.tenant as working
from reconciler.providers.trend_workload_security.session import Session
from tests.support.openbao import Naps
from tests.support.world import World


@pytest.fixture
def estate(world: World, naps: Naps, monkeypatch: pytest.MonkeyPatch) -> World:
    """A tenant with a level and three keys that do not exist yet. One is created at a time."""
    monkeypatch.setattr(working, "WORKERS", 1)
    world.tenant()
    world.level()
    for name in ("one", "three", "two"):
        world.key(name)
    return world


@pytest.mark.parametrize("batch", [64, 1])
def test_the_next_key_is_created_while_a_secret_is_verified(
    estate: World, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """The first verification ends only once the next creation has begun, of the same batch or of the next one."""
    monkeypatch.setattr(working, "BATCH", batch)
    second, created = threading.Event(), []
    create, verify = Session.create_key, issuing._verify

    def creating(self: Session, name: str, *rest: Any) -> Any:
        created.append(name)
        if len(created) == 2:
            second.set()
        return create(self, name, *rest)

    def verifying(*arguments: Any) -> Any:
        assert second.wait(20)
        return verify(*arguments)

    monkeypatch.setattr(Session, "create_key", creating)
    monkeypatch.setattr(issuing, "_verify", verifying)
    assert estate.apply().status == 0
    assert sorted(created) == ["one", "three", "two"]
    assert all(estate.authenticates(name) for name in created)


def test_no_more_keys_are_created_at_once_than_before(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that verifies lets another one create, and no more than one."""
    at_once, most, lock = 0, 0, threading.Lock()
    create, store = Session.create_key, issuing.store

    def creating(*arguments: Any) -> Any:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        return create(*arguments)

    def storing(*arguments: Any, **more: Any) -> Any:
        nonlocal at_once
        version = store(*arguments, **more)
        with lock:
            at_once -= 1
        return version

    monkeypatch.setattr(Session, "create_key", creating)
    monkeypatch.setattr(issuing, "store", storing)
    assert estate.apply().status == 0
    assert (at_once, most) == (0, 1)


def test_a_key_is_closed_after_its_verification(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stored, verified, told to people, closed: in this order for each key."""
    seen: dict[str, list[str]] = {"one": [], "two": [], "three": []}
    for step in ("store", "_verified", "annotate", "_close"):
        right = getattr(issuing, step)

        def noted(tools: Any, subject: Any, *rest: Any, step: str = step, right: Any = right, **more: Any) -> Any:
            name = str(getattr(subject, "object", subject)).rpartition("/")[2]
            seen[name].append(step)
            return right(tools, subject, *rest, **more)

        monkeypatch.setattr(issuing, step, noted)
    assert estate.apply().status == 0
    assert set(map(tuple, seen.values())) == {("store", "_verified", "annotate", "_close")}
