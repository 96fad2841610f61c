"""Changing a state without its lease, replacing one that is lost, and knowing which there are."""

from __future__ import annotations

import pytest

from reconciler.errors import Conflict, ContractBroken, NotFound
from reconciler.model.state import Record, StateDocument
from reconciler.vault import TenantLease
from tests.support.openbao import Sandbox, empty_state
from tests.support.troubled import LOST, Proxy


def put(name: str) -> Record:
    return Record(vendor_id=name, nonce="n" * 16)


def test_an_amendment_keeps_lease_and_records(sandbox: Sandbox) -> None:
    """The holder of the lease goes on, and keeps what was amended."""
    mine, other = sandbox.states(), sandbox.states()
    lease = TenantLease.acquire(mine, empty_state(), run="r", holder="h", ttl=60, call_timeout=10, heartbeat=False)
    lease.commit(lambda document: document.record("ApiKey/a", put("a")))
    amended = other.amend("dsm", lambda document: document.record("ApiKey/b", put("b")))
    assert amended.lease is not None
    assert amended.lease.run == "r"
    after = lease.commit(lambda document: document.record("ApiKey/c", put("c")))
    assert sorted(after.objects) == ["ApiKey/a", "ApiKey/b", "ApiKey/c"]
    lease.release()


def test_an_amendment_is_made_again_on_what_somebody_else_wrote(sandbox: Sandbox) -> None:
    """Whoever is faster is not written over."""
    store, rival = sandbox.states(), sandbox.states()
    store.commit(empty_state(), 0)
    calls = []

    def change(document: StateDocument) -> StateDocument:
        if not calls:
            rival.amend("dsm", lambda document: document.record("ApiKey/rival", put("rival")))
        calls.append(1)
        return document.record("ApiKey/a", put("a"))

    assert sorted(store.amend("dsm", change).objects) == ["ApiKey/a", "ApiKey/rival"]
    assert len(calls) == 2


def test_an_amendment_whose_reply_is_lost(proxied: tuple[Sandbox, Proxy]) -> None:
    """It looks, finds its own work, and writes nothing more."""
    box, proxy = proxied
    store = box.states()
    store.commit(empty_state(), 0)
    proxy.once(LOST, "POST", "/data/reconciler/")
    store.amend("dsm", lambda document: document.record("ApiKey/a", put("a")))
    assert store.load("dsm")[1] == 2


def test_an_amendment_that_never_gets_its_turn(sandbox: Sandbox) -> None:
    """It gives up some day."""
    store, rival = sandbox.states(), sandbox.states()
    store.commit(empty_state(), 0)

    def change(document: StateDocument) -> StateDocument:
        rival.commit(document, rival.load("dsm")[1])
        return document.record("ApiKey/a", put("a"))

    with pytest.raises(Conflict, match="keeps changing"):
        store.amend("dsm", change)


def test_nothing_to_amend(sandbox: Sandbox) -> None:
    """No document: an error that names the nearest. No change: no write."""
    store = sandbox.states()
    store.commit(empty_state(), 0)
    with pytest.raises(NotFound) as missing:
        store.amend("dms", lambda document: document)
    assert missing.value.hint == "did you mean 'dsm'?"
    store.amend("dsm", lambda document: document)
    assert store.load("dsm")[1] == 1


def test_tenants_are_listed(sandbox: Sandbox) -> None:
    """Those of this estate; none at first. A hint does without where listing is denied."""
    store = sandbox.states()
    assert store.tenants() == ()
    assert store.nearest("dsm") == "there are: none"
    store.commit(empty_state("b"), 0)
    store.commit(empty_state("a"), 0)
    assert store.tenants() == ("a", "b")
    policy = f'path "{sandbox.mount}/data/*" {{ capabilities = ["read"] }}'
    denied = sandbox.states(token=sandbox.token(policy))
    assert denied.nearest("zz") == ""


@pytest.mark.parametrize("how", ["damaged", "removed"])
def test_a_lost_document_is_replaced(sandbox: Sandbox, how: str) -> None:
    """The version that there is counts for the check-and-set, so that nobody's later write is lost."""
    store = sandbox.states()
    store.commit(empty_state(), 0)
    path = store.path("dsm")
    if how == "damaged":
        sandbox.put(path.path, {"document": "{"})
    else:
        sandbox.server.request("DELETE", f"{path.mount}/data/{path.path}")
    with pytest.raises(ContractBroken):
        store.load("dsm")
    version = store.forget("dsm")
    assert store.commit(empty_state(objects={"ApiKey/a": put("a")}), version) == version + 1
    assert list(store.load("dsm")[0].objects) == ["ApiKey/a"]  # type: ignore[union-attr]
    other = sandbox.states()
    stale = other.forget("dsm") - 1
    with pytest.raises(Conflict):
        other.commit(empty_state(), stale)
