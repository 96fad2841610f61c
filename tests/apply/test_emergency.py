"""Ending keys where deleting is done by hand, or is refused: against the emulated products themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from reconciler.apply.emergency import Ended, Scene, Trail, carriers, end, tenant_of
from reconciler.emulator.base import Emulator, Settings
from reconciler.emulator.clock import ManualClock
from reconciler.errors import AuthenticationFailed, Conflict, InvalidInput
from reconciler.model.credential import Credential
from reconciler.model.desired import CredentialRef, VaultPath
from reconciler.model.mark import Mark
from reconciler.model.names import Kind, ObjectId
from reconciler.model.observed import Observed, ObservedTenant
from reconciler.model.secret import Secret
from reconciler.model.state import Intent, IntentAction, Record, StateDocument
from reconciler.plan.observe import Gate, OpenTenant
from reconciler.providers.base import ConnectionSettings, Provider, Traits, Write
from reconciler.providers.carbon_black_cloud import PROVIDER as CARBON_BLACK
from reconciler.providers.lacework import PROVIDER as LACEWORK
from reconciler.providers.lacework.emulator import READ_ONLY_USER
from reconciler.providers.trend_workload_security import PROVIDER as TREND
from tests.support.builders import ESTATE_ID, TAG, desired_key, found_key, key_id, mark
from tests.support.carbonblack import CarbonBlack
from tests.support.lacework import Organisation

OWN = "ACME_OWN"


def document(provider: str, endpoint: str, **more: Any) -> StateDocument:
    """The state of a tenant with one recorded key."""
    return StateDocument(
        estate=ESTATE_ID, tenant="dsm", provider=provider, endpoint=endpoint,
        credentials={"vault": {"mount": "secret", "path": "credentials/dsm"}}, **more,
    )  # fmt: skip


@pytest.fixture
def opened() -> Iterator[Callable[..., OpenTenant]]:
    """Connects to an emulator as an emergency does."""
    sessions = []

    def connect(provider: Provider, state: StateDocument, credentials: dict[str, str]) -> OpenTenant:
        fields = {name: Secret(value) for name, value in credentials.items()}
        settings = ConnectionSettings(write=True, timeout=5.0, sleep=lambda _: None, options=state.options)
        session = provider.connect(state.endpoint, Credential(fields, state.endpoint), settings)
        sessions.append(session)
        return OpenTenant(tenant_of(state), provider, session, Gate())

    yield connect
    for session in sessions:
        session.close()


def ended(tenant: OpenTenant, state: StateDocument) -> list[Ended]:
    """End every key of the object `splunk`."""
    trail = Trail.of(state, key_id())
    scene = Scene(tenant.session.observe(tuple(trail.known(TAG))), state, TAG)
    return [end(tenant, scene, trail, item) for item in carriers(scene, trail).keys]


# --- Lacework: the key's user --------------------------------------------------------------------------------------------


@pytest.fixture
def lacework(mount: Callable[[Emulator], str]) -> Organisation:
    """An emulated organisation."""
    made = Organisation(Settings(seed=7, clock=ManualClock()))
    made.endpoint = mount(made)
    made.account = made.endpoint.partition("://")[2]
    return made


USER = {"name": "siem", "description": "", "groups": ({"existing": READ_ONLY_USER},), "state": "active"}


def test_a_key_that_only_a_person_can_delete_loses_its_user(lacework: Organisation, opened: Any) -> None:
    """Lacework: the service user is locked, with all its keys, and the key is to be deleted by hand."""
    before = document(LACEWORK.name, lacework.endpoint)
    tenant = opened(LACEWORK, before, lacework.credentials)
    from reconciler.providers.lacework.mapping import groups

    guid = tenant.session.create_level("siem", {**USER, "groups": groups([READ_ONLY_USER])}, mark("u1"))
    record = Record(vendor_id="ACME_" + "A" * 34, nonce=mark("k1").nonce, level_id=guid)
    user = Record(vendor_id=guid, nonce=mark("u1").nonce)
    state = document(LACEWORK.name, lacework.endpoint, objects={"ApiKey/splunk": record, "ServiceUser/siem": user})
    (result,) = ended(tenant, state)
    assert result == Ended(record.vendor_id, how="its user 'siem' locked, with all its keys", to_delete=True)
    (seen,) = [level for level in tenant.session.observe().levels if level.vendor_id == guid]
    assert (seen.fields["state"], seen.mark, seen.fields["groups"]) == ("locked", mark("u1"), groups([READ_ONLY_USER]))
    assert ended(tenant, state) == [result]
    (left,) = ended(tenant, state.record("ServiceUser/siem", None))
    assert (left.left, left.to_delete) == (
        f"id {record.vendor_id} may still work: its user 'siem' is not ours to lock",
        True,
    )
    (gone,) = ended(tenant, state.record("ApiKey/splunk", record.model_copy(update={"level_id": "nobody"})))
    assert gone.left == f"id {record.vendor_id} may still work: its user is not ours to lock"


# --- Carbon Black: the key's grant ---------------------------------------------------------------------------------------


def test_a_key_that_only_a_person_can_delete_loses_its_grant(mount: Any, opened: Any) -> None:
    """Carbon Black Cloud: without its grant the key may do nothing, and is to be deleted by hand."""
    cloud = CarbonBlack(Settings(seed=7, clock=ManualClock()))
    cloud.endpoint = mount(cloud)
    cloud.click_create_level("reader", {"org.alerts": ["READ"]}, description=mark("l1").attach("Reads"))
    api_id, _ = cloud.click_create_key("splunk", "reader")
    record = Record(vendor_id=api_id, nonce=mark("k1").nonce)
    state = document(CARBON_BLACK.name, cloud.endpoint, objects={"ApiKey/splunk": record}, options=cloud.tenant_options)
    tenant = opened(CARBON_BLACK, state, cloud.credentials)
    assert ended(tenant, state) == [Ended(api_id, how="access taken away", to_delete=True)]
    trail = Trail.of(state, key_id())
    (seen,) = tenant.session.observe(tuple(trail.known(TAG))).keys
    assert seen.fields["state"] == "locked"


# --- whatever the product ------------------------------------------------------------------------------------------------


@dataclass
class Refusing:
    """A session of which only deleting and updating are asked, and which does as it is told."""

    problem: Exception | None = None
    updated: list[tuple[str, Any, Mark]] = field(default_factory=list)

    def delete_key(self, vendor_id: str) -> None:
        if self.problem is not None:
            raise self.problem

    def update_key(self, vendor_id: str, changed: Any, level_id: str | None, mark: Mark) -> None:
        self.updated.append((vendor_id, changed, mark))


@dataclass(frozen=True)
class Trait:
    """A provider that behaves as it is told."""

    told: Traits

    def traits(self, tenant: Any) -> Traits:
        return self.told


def one(session: Refusing, told: Traits | None = None, *, own: str | None = None, **found: Any) -> Ended:
    """End the key that is recorded as id 100."""
    state = document(TREND.name, "https://x", objects={"ApiKey/splunk": Record(vendor_id="100", nonce=mark().nonce)})
    item = found_key(desired_key(), "100", **found)
    tenant = OpenTenant(tenant_of(state), Trait(told or Traits()), session, Gate())  # type: ignore[arg-type]
    trail = Trail.of(state, key_id())
    return end(tenant, Scene(ObservedTenant((), (item,), own), state, TAG), trail, item)


def test_what_cannot_be_deleted_is_locked() -> None:
    """The vendor says that it is in use: it is locked under the mark it has, and the deletion is left."""
    session = Refusing(Conflict("in use"))
    result = one(session, marked=None)
    assert (result.how, result.left) == ("locked", "id 100 is locked, and could not be deleted: in use")
    assert session.updated == [("100", {"state": "locked"}, mark())]
    final = one(Refusing(Conflict("in use")), Traits(reversible_lock=False))
    assert (final.how, final.left) == ("", "id 100 may still work: in use")


def test_a_refused_credential_is_not_hidden() -> None:
    """Whoever ends many keys must stop then."""
    with pytest.raises(AuthenticationFailed):
        one(Refusing(AuthenticationFailed("401")))


def test_our_own_key_is_never_touched() -> None:
    """Whatever the state says."""
    result = one(Refusing(AssertionError()), own="100")
    assert result.own
    assert "the key that the reconciler itself is using" in result.left


@pytest.mark.parametrize("by_hand", [{Write.DELETE_KEY, Write.UPDATE_KEY}, {Write.DELETE_KEY}])
def test_where_nothing_can_be_done_it_is_said(by_hand: set[Write]) -> None:
    """A key that can be neither deleted nor locked from here, and whose level is no user of ours."""
    told = Traits(by_hand=frozenset(by_hand), by_hand_fields=frozenset({"state"}))
    result = one(Refusing(), told)
    assert result.to_delete
    assert "id 100 may still work" in result.left


def test_the_state_says_where_the_credential_is() -> None:
    """In Vault or in the environment; nothing else is taken for a place."""
    state = document("p", "https://x")
    assert tenant_of(state).credentials_apply == CredentialRef(vault=VaultPath("secret", "credentials/dsm"))
    env = state.model_copy(update={"credentials": {"env": {"secretKey": "NAME"}}})
    assert tenant_of(env).credentials_apply == CredentialRef(env={"secretKey": "NAME"})
    for broken in ({}, {"env": {}}, {"vault": {"mount": "secret"}}, {"vault": "x"}):
        with pytest.raises(InvalidInput, match="does not say where the vendor credential is"):
            tenant_of(state.model_copy(update={"credentials": broken}))


def test_the_trail_of_an_interrupted_regeneration() -> None:
    """An intent names the key whose secret is being regenerated, whatever the record says."""
    intent = Intent(run="r", action=IntentAction.REGENERATE, nonce=mark("k2").nonce, vendor_id="200", generation=2)
    state = document("p", "https://x", intents={"ApiKey/splunk": intent})
    trail = Trail.of(state, ObjectId(Kind.API_KEY, "splunk"))
    assert list(trail.recorded()) == [("200", 2, mark("k2").nonce)]
    copies = [
        Observed(Kind.API_KEY, "200", "splunk", mark("k2", 2), {}),
        Observed(Kind.API_KEY, "201", "splunk", mark("k2", 2), {}),
        Observed(Kind.API_KEY, "202", "a copy", mark("k2", 2), {}),
        Observed(Kind.API_KEY, "203", "splunk", mark("k2", 2, tag="f" * 16), {}),
    ]
    found = carriers(Scene(ObservedTenant((), tuple(copies)), state, TAG), trail)
    assert [item.vendor_id for item in found.keys] == ["200", "201"]
