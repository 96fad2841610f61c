"""What planning reads, in which order, and what it refuses to take for the same tenant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.errors import Interrupted, InvalidInput, LeaseLost, WriteRefused
from reconciler.model.desired import VaultPath
from reconciler.model.observed import ObservedTenant, SecretMetadata
from reconciler.model.state import Phase, Revoked, StateDocument
from reconciler.plan.draft import TenantView
from reconciler.plan.observe import Access, Gate, OpenTenant, observe
from reconciler.providers.base import ConnectionSettings
from reconciler.providers.trend_workload_security import PROVIDER
from tests.support import builders as b


class Outside:
    """A vendor, a state store, a secret store and a clock, which note the order in which they are asked."""

    def __init__(self, document: StateDocument | None = None) -> None:
        self.document = document
        self.seen = b.settled(b.desired_key()).observed
        self.again = self.seen
        self.asked: list[str] = []
        self.paths: set[VaultPath] = set()

    def observe(self) -> object:
        self.asked.append("vendor")
        return self.again if "vendor" in self.asked[:-1] else self.seen

    def read(self, tenant: str) -> tuple[StateDocument | None, int]:
        self.asked.append("state")
        return self.document, 7

    def metadata_of(self, paths: set[VaultPath]) -> dict[VaultPath, SecretMetadata]:
        self.asked.append("metadata")
        self.paths = paths
        return {path: b.secret() for path in paths}

    def now(self) -> object:
        return b.NOW


def look(outside: Outside, **more: object) -> object:
    access = Access(
        b.estate(), outside, outside, outside, ConnectionSettings(write=False), {}  # type: ignore[arg-type]
    )  # fmt: skip
    desired = replace(b.desired_tenant([b.desired_key()]), **more)
    return observe(access, OpenTenant(desired, PROVIDER, outside, Gate()))  # type: ignore[arg-type]


def known() -> StateDocument:
    """The state of a tenant whose level and key are recorded."""
    return b.document({b.level_id(): b.level_record(), b.key_id(): b.record()})


def test_the_vendor_is_listed_before_the_state_is_read() -> None:
    """Else a key that is just being issued would look like an orphan."""
    outside = Outside(known())
    look(outside)
    assert outside.asked == ["vendor", "state", "metadata"]


@pytest.mark.promise(3)
def test_promise_3_what_one_reading_has_missed_is_not_gone() -> None:
    """Pages shift while they are read: what is recorded and was not listed is looked for once more, and nothing else is."""
    outside = Outside(known())
    outside.seen = ObservedTenant((), ())
    late = b.found_key(b.desired_key("late"), "7", marked="k7")
    outside.again = ObservedTenant(outside.again.levels, (*outside.again.keys, late))
    view = look(outside)
    assert isinstance(view, TenantView)
    assert outside.asked == ["vendor", "state", "vendor", "metadata"]
    assert ([key.vendor_id for key in view.observed.keys], len(view.observed.levels)) == (["100"], 1)


def test_what_is_gone_in_both_readings_is_gone() -> None:
    """It is not asked for a third time."""
    outside = Outside(known())
    outside.seen = outside.again = ObservedTenant((), ())
    view = look(outside)
    assert isinstance(view, TenantView)
    assert outside.asked == ["vendor", "state", "vendor", "metadata"]
    assert view.observed.keys == ()


@pytest.mark.parametrize(
    "more", [{"phase": Phase.ORPHANED}, {"revoked": Revoked(at=b.NOW, by="me", reason="leaked")}, {"vendor_id": ""}]
)
def test_what_may_be_gone_for_good_is_not_looked_for(more: dict[str, object]) -> None:
    """A key that was left to others, or revoked: else every plan of the tenant would read everything twice."""
    gone = b.record(vendor_id="200").model_copy(update=more)
    outside = Outside(b.document({b.level_id(): b.level_record(), b.key_id(): gone}))
    look(outside)
    assert outside.asked == ["vendor", "state", "metadata"]


def test_every_path_that_counts_is_looked_at() -> None:
    """Where a secret should be, where it is, and where a dead run may have put one."""
    moved, dead = b.path_of(folder="old"), b.path_of(folder="dead")
    document = b.document(
        {b.level_id(): b.level_record(), b.key_id(): b.record(path=moved.path)}, {b.key_id(): b.intent(path=dead)}
    )
    outside = Outside(document)
    look(outside)
    assert outside.paths == {b.path_of(), moved, dead}


def test_nothing_is_asked_of_vault_for_nothing() -> None:
    """A tenant without keys and without state has no secrets."""
    outside = Outside()
    look(outside, keys=())
    assert outside.asked == ["vendor", "state"]


@pytest.mark.promise(4)
@pytest.mark.parametrize("more", [{"endpoint": "https://other.example.com/api"}, {"provider": "another"}])
def test_promise_4_a_state_of_another_account_is_refused(more: dict[str, str]) -> None:
    """Nothing that it names is there: ids of one account mean nothing at another."""
    outside = Outside(b.document({b.key_id(): b.record(seed="elsewhere")}))
    with pytest.raises(InvalidInput, match=r"the state was written for https://dsm\.example\.com"):
        look(outside, **more)


@pytest.mark.parametrize(
    "document",
    [known(), b.document({}, {b.key_id(): b.intent("k1")}), b.document()],
    ids=["a record's nonce is there", "an intent's nonce is there", "it names nothing"],
)
def test_the_same_account_under_another_address(document: StateDocument) -> None:
    """Marks prove it."""
    look(Outside(document), endpoint="https://alias.example.com/api")


def test_spelling_of_an_endpoint_does_not_count() -> None:
    """Case and a slash at the end name the same place."""
    outside = Outside(b.document({b.key_id(): b.record(seed="elsewhere")}))
    look(outside, endpoint="https://DSM.example.com:4119/api/")


def test_gate_is_shut_without_a_lease() -> None:
    """No write passes before an apply holds the lease, nor after it is lost."""
    gate = Gate()
    with pytest.raises(WriteRefused):
        gate()
    gate.check = lambda: None
    gate()

    def lost() -> None:
        raise LeaseLost("gone")

    gate.check = lost
    with pytest.raises(LeaseLost):
        gate()


def test_a_run_that_is_to_end_waits_only_for_what_must_be_done() -> None:
    """A gate ends every wait from then on, but for what is done in patience: ending what somebody has revoked."""
    gate = Gate()
    gate.waiting()
    gate.interrupted = lambda: True
    with pytest.raises(Interrupted):
        gate.waiting()
    with gate.patient():
        gate.waiting()
    with pytest.raises(Interrupted):
        gate.waiting()
