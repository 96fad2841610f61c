"""Two batches of a tenant's objects are under way at once: what becomes of one of them is not lost with the other."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

import reconciler.apply.run as running
import reconciler.apply.tenant as working
from reconciler.apply.result import Result
from reconciler.apply.tenant import TenantRun
from reconciler.model.state import Revoked
from reconciler.providers.trend_vision_one.client import Client
from reconciler.providers.trend_vision_one.session import Session as VisionOneSession
from reconciler.providers.trend_workload_security.session import Session
from reconciler.vault import SecretStore
from tests.support.builders import NOW
from tests.support.openbao import Naps
from tests.support.trend_others import VisionOne
from tests.support.troubled import Instead, Proxy
from tests.support.world import World

LONG = 15.0  # seconds that a test waits for something that comes at once
TOMBSTONE = {
    "vendorId": "", "nonce": "a" * 16, "generation": 1, "phase": "revoked",
    "revoked": Revoked(at=NOW, by="me", reason="leaked").model_dump(mode="json"),
}  # fmt: skip
"""What another process's `revoke` writes first."""


@pytest.fixture
def estate(world: World, naps: Naps, monkeypatch: pytest.MonkeyPatch) -> World:
    """A tenant with a level, and batches of one object."""
    monkeypatch.setattr(working, "BATCH", 1)
    world.tenant()
    world.level()
    assert world.apply().status == 0
    return world


def revoked_while_stored(world: World, monkeypatch: pytest.MonkeyPatch, *keys: str, tenant: str = "dsm") -> None:
    """Somebody revokes these keys while the run stores their secrets."""
    write = SecretStore.write

    def writing(self: SecretStore, path: Any, *rest: Any, **more: Any) -> int:
        name = str(path).rpartition("/")[2]
        if name in keys:
            world.edit_state(lambda state: state["objects"].update({f"ApiKey/{name}": TOMBSTONE}), tenant)
        return write(self, path, *rest, **more)

    monkeypatch.setattr(SecretStore, "write", writing)


def readable(world: World, key: str) -> list[str]:
    """The versions of a key's secret that can be read."""
    return [number for number, one in world.metadata(key)["versions"].items() if not one["deletion_time"]]


@pytest.mark.promise(3)
def test_promise_3_batches_that_are_under_way_are_recorded_when_the_next_cannot_be_announced(
    estate: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of ours ends the tenant: what two batches have done is recorded, and a key revoked meanwhile is gone."""
    for name in ("one", "three", "two"):  # in this order
        estate.key(name)
    right = working.intent_for

    def intent_for(tools: Any, action: Any) -> Any:
        if action.object.name == "two":
            raise KeyError("a mistake of ours")
        return right(tools, action)

    monkeypatch.setattr(working, "intent_for", intent_for)
    revoked_while_stored(estate, monkeypatch, "three")
    done = estate.apply()
    assert done.status != 0
    assert "it was revoked meanwhile: what was made of it is removed" in done.all
    assert estate.names() == ["one"]
    assert readable(estate, "three") == []
    state = estate.state()
    assert state["intents"] == {}
    assert estate.authenticates("one")


def test_commit_that_fails_while_another_batch_goes_on(
    estate: World, monkeypatch: pytest.MonkeyPatch, vault_proxy: Proxy
) -> None:
    """Vault refuses the first batch's commit just as an action of the second ends: what is done is recorded all the same."""
    for name in ("one", "three", "two"):
        estate.key(name)
    failing, asked, ended = threading.Event(), threading.Event(), threading.Event()
    flush, carry_out, create = TenantRun._flush, TenantRun.carry_out, Session.create_key
    owner: list[int] = []

    class Results(dict[int, Result]):
        """As if threads were switched between the making of an iterator and the asking for its first element."""

        def values(self) -> Any:
            found = iter(super().values())
            if threading.get_ident() in owner and not asked.is_set():
                asked.set()
                ended.wait(1)
            return found

        def __setitem__(self, key: int, value: Result) -> None:
            super().__setitem__(key, value)
            if asked.is_set():
                ended.set()

    def carrying(self: TenantRun, actions: Any) -> Any:
        self._results = Results()
        owner.append(threading.get_ident())
        return carry_out(self, actions)

    def flushing(self: TenantRun) -> None:
        if not failing.is_set():
            failing.set()
            vault_proxy.once(Instead(403, '{"errors": ["permission denied"]}'), "POST", "/data/reconciler/")
        flush(self)

    def creating(self: Session, name: str, *rest: Any) -> Any:
        if name == "three":
            assert failing.wait(LONG)
        return create(self, name, *rest)

    monkeypatch.setattr(TenantRun, "carry_out", carrying)
    monkeypatch.setattr(TenantRun, "_flush", flushing)
    monkeypatch.setattr(Session, "create_key", creating)
    done = estate.apply()
    assert "RuntimeError" not in done.all
    recorded = {name.partition("/")[2] for name in estate.state()["objects"] if name.startswith("ApiKey/")}
    assert recorded == set(estate.names())


def test_what_is_left_of_every_batch_is_said(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two keys are revoked meanwhile, and the vendor deletes neither: both are named, and neither is called removed."""
    for name in ("one", "two"):
        estate.key(name)
    revoked_while_stored(estate, monkeypatch, "one", "two")
    estate.trends["dsm"].faults.inject("error-before", method="DELETE", times=None)
    done = estate.apply()
    assert estate.names() == ["one", "two"]
    assert "ApiKey/one: id" in done.all
    assert "ApiKey/two: id" in done.all
    assert "is removed" not in done.all


def test_ctrl_c_while_tenants_are_handed_out(world: World, naps: Naps, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first tenant, which has a thread already, begins nothing more, and every tenant has its results."""
    for name in ("east", "west"):
        world.tenant(name)
        world.level(tenant=name)
        world.key("one", name)
    fired: list[bool] = []

    class Pool(ThreadPoolExecutor):
        def submit(self, *arguments: Any, **more: Any) -> Any:
            if self._threads and not fired:
                fired.append(True)
                signal.raise_signal(signal.SIGINT)
            return super().submit(*arguments, **more)

    monkeypatch.setattr(running, "ThreadPoolExecutor", Pool)
    done = world.apply()
    assert fired
    assert world.names("west") == []
    assert "the run was interrupted" in done.all
    assert "west" in done.out


@pytest.fixture
def vision_one(estate: World, make_vision_one: Callable[..., VisionOne], monkeypatch: pytest.MonkeyPatch) -> VisionOne:
    """A tenant that lists its keys in pages of 50: one of ours, whose rotation is due, and 49 of others."""
    account = make_vision_one()
    account.clock.advance(datetime.now(UTC) - account.clock.now())
    estate.account("v1", "trend-vision-one", account.endpoint, account.credentials, "\noptions: {roles: [Auditor]}")
    vision_key(estate, "two", "rotation: {every: 30d, overlap: 0s}")
    assert estate.apply().status == 0
    estate.age(31, "two", "v1")
    for number in range(50 - len(account.keys())):
        account.add_key(f"theirs-{number:02}")
    monkeypatch.setitem(VisionOneSession.__init__.__kwdefaults__, "page", 50)
    return account


def vision_key(world: World, name: str, more: str = "") -> None:
    """Declare a key of that tenant."""
    world.write(
        f"keys/{name}.yaml",
        f"""
        apiVersion: reconciler/v1
        kind: ApiKey
        metadata: {{name: {name}, tenant: v1, owner: a@example.com}}
        spec:
          description: Key
          accessLevel: {{existing: Auditor}}
          {more}
        """,
    )


@pytest.mark.promise(3)
def test_promise_3_a_list_that_another_batch_shifts_hides_no_revoked_key(
    estate: World, vision_one: VisionOne, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`one` is created, as the first key of the second page, and revoked. The next batch deletes a key of the first page.

    If that happened between the two pages, `one` would be on neither, and would live on unseen.
    """
    vision_key(estate, "one")
    giving_way, first_page, deleted = threading.Event(), threading.Event(), threading.Event()
    delete, give, whole = VisionOneSession.delete_key, working.give_way, Client._pages

    def give_way(*arguments: Any) -> Any:
        giving_way.set()
        return give(*arguments)

    def deleting(self: VisionOneSession, vendor_id: str) -> None:
        first_page.wait(1)
        delete(self, vendor_id)
        deleted.set()

    def pages(self: Client, *arguments: Any) -> Iterator[Any]:
        for page in whole(self, *arguments):
            yield page
            if giving_way.is_set() and not first_page.is_set():  # the next page has not been asked for
                first_page.set()
                deleted.wait(1)

    revoked_while_stored(estate, monkeypatch, "one", tenant="v1")
    monkeypatch.setattr(working, "give_way", give_way)
    monkeypatch.setattr(VisionOneSession, "delete_key", deleting)
    monkeypatch.setattr(Client, "_pages", pages)
    done = estate.apply()
    assert "it was revoked meanwhile: what was made of it is removed" in done.all
    assert not [one["name"] for one in list(vision_one.keys()) if one["name"].startswith("one")]
