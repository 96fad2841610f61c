"""When storing a secret, or recording that it is stored, goes wrong half-way: nothing is lost, and nothing is left over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.errors import LeaseLost, RetryLater
from reconciler.providers.base import Issued, Verification
from reconciler.providers.trend_workload_security.session import Session
from tests.support.openbao import Naps
from tests.support.troubled import LOST, Instead, Proxy, Trouble
from tests.support.world import World

DENIED = Instead(403, '{"errors": ["permission denied"]}')
SEALED = Instead(503, '{"errors": ["Vault is sealed"]}')
SECRET = "/data/keys/dsm/splunk"
STATE = "/data/reconciler/"


@pytest.fixture
def estate(world: World, naps: Naps, vault_proxy: Proxy) -> World:
    """One tenant with one level and one key, nothing of it applied yet."""
    world.tenant()
    world.level()
    world.key()
    return world


def no_trouble(method: str, path: str) -> None:
    return None


def writes(
    part: str, *troubles: Trouble | None, for_ever: Trouble | None = None
) -> Callable[[str, str], Trouble | None]:
    """Trouble at each of the first writes to a path with that text in it, then the same for ever."""
    left = list(troubles)

    def decide(method: str, path: str) -> Trouble | None:
        if method != "POST" or part not in path:
            return None
        return left.pop(0) if left else for_ever

    return decide


def in_sync(world: World, key: str = "splunk") -> None:
    assert world.plan().status == 0, world.printed[-1]
    assert world.state()["intents"] == {}
    assert world.state().get("lease") is None
    assert world.names().count(key) == 1
    assert world.authenticates(key)


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("troubles", "version"),
    [((LOST,), 2), ((Instead(502),), 1), ((LOST, LOST), 2), ((LOST, Instead(502), SEALED), 2), ((SEALED, SEALED), 1)],
)
def test_promise_3_lost_reply_of_the_secrets_write(
    estate: World, vault_proxy: Proxy, troubles: tuple[Trouble, ...], version: int
) -> None:
    """The same secret is written again, on top of our own if it had arrived."""
    vault_proxy.trouble = writes(SECRET, *troubles)
    assert estate.apply().status == 0
    assert estate.metadata()["current_version"] == version
    assert len(estate.issued()) == 2  # the bootstrap credential, and one secret
    in_sync(estate)


@pytest.mark.promise(3)
@pytest.mark.parametrize("unsure", [LOST, Instead(502)])
def test_promise_3_nothing_is_undone_while_it_may_be_stored(estate: World, vault_proxy: Proxy, unsure: Trouble) -> None:
    """Denied after a lost reply: the secret may be in Vault, so the key stays, and the next run finds out."""
    vault_proxy.trouble = writes(SECRET, unsure, for_ever=DENIED)
    applied = estate.apply()
    assert applied.status == 4
    assert "its secret could not be stored" in applied.out
    assert estate.names() == ["splunk"]
    vault_proxy.trouble = no_trouble
    shown = estate.plan()
    assert ("only the record is missing" if unsure == LOST else "never stored: reissue") in shown.out
    assert estate.apply().status == 0
    in_sync(estate)


@pytest.mark.promise(3)
def test_promise_3_denied_half_way_leaves_no_key(estate: World, vault_proxy: Proxy) -> None:
    """A secret that may not be stored is of no use: its key goes at once, and so does the intent."""
    vault_proxy.trouble = writes(SECRET, for_ever=DENIED)
    applied = estate.apply()
    assert applied.status == 4
    assert "lacks the capability" in applied.out
    assert estate.names() == []
    assert estate.state()["intents"] == {}
    vault_proxy.trouble = no_trouble
    assert estate.apply().status == 0
    in_sync(estate)


@pytest.mark.promise(3)
def test_promise_3_denied_and_the_key_cannot_be_deleted(estate: World, vault_proxy: Proxy) -> None:
    """Then the intent stays open, and the next run gives the key a secret that can be stored."""
    vault_proxy.trouble = writes(SECRET, for_ever=DENIED)
    estate.trends["dsm"].faults.inject("forbidden", method="DELETE", times=1)
    assert estate.apply().status == 4
    assert estate.names() == ["splunk"]
    vault_proxy.trouble = no_trouble
    assert "never stored: reissue" in estate.plan().out
    assert estate.apply().status == 0
    in_sync(estate)


@pytest.mark.promise(4)
def test_promise_4_secret_that_appears_meanwhile_is_not_overwritten(estate: World, vault_proxy: Proxy) -> None:
    """Somebody stores something at the path while the vendor makes our key: theirs stays, ours goes."""
    seen: list[str] = []

    def first(method: str, path: str) -> None:
        if method == "POST" and SECRET in path and not seen:
            seen.append(path)
            estate.put("keys/dsm/splunk", {"password": "somebody's"})

    vault_proxy.trouble = first
    applied = estate.apply()
    assert applied.status == 4
    assert "somebody else wrote here first" in applied.out
    assert estate.secret() == {"password": "somebody's"}
    assert estate.names() == []
    assert "already holds a secret that the reconciler did not write" in estate.plan().out


@pytest.mark.promise(3)
def test_promise_3_reissued_secret_that_may_not_be_stored(estate: World, vault_proxy: Proxy) -> None:
    """The old secret is dead: the key stays, the intent stays open, and the next run issues once more."""
    assert estate.apply().status == 0
    estate.bao.request("DELETE", f"{estate.kv}/data/keys/dsm/splunk")
    vault_proxy.trouble = writes(SECRET, for_ever=DENIED)
    assert estate.apply().status == 1
    assert estate.names() == ["splunk"]
    assert list(estate.state()["intents"]) == ["ApiKey/splunk"]
    vault_proxy.trouble = no_trouble
    assert "may have a new secret that was never stored" in estate.plan().out
    assert estate.apply().status == 0
    in_sync(estate)


@pytest.mark.promise(3)
def test_promise_3_reissue_that_the_vendor_refuses_changes_nothing(estate: World) -> None:
    """What did not happen leaves no intent behind: the secret that there is still counts."""
    estate.key(rotation="{every: 90d, strategy: inPlace}")
    assert estate.apply().status == 0
    estate.age(91)
    estate.trends["dsm"].faults.inject("forbidden", method="POST", path="/apikeys/{apiKeyID}/secretkey", times=1)
    assert estate.apply().status == 1
    assert estate.state()["intents"] == {}
    estate.key()  # the rotation is taken out of Git again
    in_sync(estate)


@pytest.mark.promise(3)
def test_promise_3_refused_repair_is_not_forgotten(estate: World) -> None:
    """A reissue that finishes a dead run's keeps its intent when it is refused: the secret is still lost."""
    faults = estate.trends["dsm"].faults
    faults.inject("error-after", method="POST", path="/apikeys/{apiKeyID}/secretkey", times=2)
    assert estate.apply().status == 0
    estate.bao.request("DELETE", f"{estate.kv}/data/keys/dsm/splunk")
    assert estate.apply().status == 1  # two replies in a row are lost
    faults.inject("forbidden", method="POST", path="/apikeys/{apiKeyID}/secretkey", times=1)
    assert estate.apply().status == 1
    assert list(estate.state()["intents"]) == ["ApiKey/splunk"]
    assert estate.apply().status == 0
    in_sync(estate)


@pytest.mark.promise(3)
def test_promise_3_no_more_keys_are_made_while_vault_is_away(estate: World, vault_proxy: Proxy) -> None:
    """The first secret that cannot be stored ends the tenant; what was announced and not begun is not looked after."""
    for number in range(30):
        estate.key(f"k{number:02}")
    vault_proxy.trouble = writes("/data/keys/", for_ever=SEALED)
    applied = estate.apply()
    assert applied.status == 4
    assert "Vault is sealed" in applied.out
    made = estate.names()
    assert 1 <= len(made) <= 16
    assert set(estate.state()["intents"]) == {f"ApiKey/{name}" for name in made}
    vault_proxy.trouble = no_trouble
    assert estate.apply().status == 0
    for name in ("splunk", "k00", "k29"):
        in_sync(estate, name)


@pytest.mark.promise(3)
@pytest.mark.parametrize("after", range(6))
@pytest.mark.parametrize("trouble", [LOST, Instead(502)], ids=["acted", "not-acted"])
def test_promise_3_lost_reply_of_each_commit(estate: World, vault_proxy: Proxy, trouble: Trouble, after: int) -> None:
    """A commit whose reply is lost is looked up and made again: each is harmless when made twice."""
    vault_proxy.once(trouble, "POST", STATE, after=after)
    assert estate.apply().status == 0
    in_sync(estate)
    assert len(estate.issued()) == 2


@pytest.mark.promise(3)
@pytest.mark.parametrize(("passed", "keys"), [(0, 0), (1, 0), (2, 0), (3, 0), (4, 1)])
def test_promise_3_what_cannot_be_recorded_is_no_success(
    estate: World, vault_proxy: Proxy, passed: int, keys: int
) -> None:
    """Vault takes no more commits: what is not announced is not begun, and what is not recorded is no success."""
    vault_proxy.trouble = writes(STATE, *[None] * passed, for_ever=SEALED)
    applied = estate.apply()
    assert applied.status == (1 if passed < 2 else 4)
    assert "Vault is sealed" in applied.all
    assert ("not everything could be recorded" in applied.out) == (passed in {2, 3, 4})
    assert len(estate.names()) == keys
    issued = len(estate.issued())
    vault_proxy.trouble = no_trouble
    if passed:
        estate.expire_lease()
    assert estate.apply().status == 0
    assert len(estate.issued()) == max(issued, 2)  # what was stored is not issued again
    in_sync(estate)


@pytest.mark.promise(7)
def test_promise_7_lease_taken_over_while_the_secret_is_stored(estate: World, vault_proxy: Proxy) -> None:
    """The old holder records nothing and undoes nothing; the new one finds the key and its secret."""
    seen: list[str] = []

    def take_over(method: str, path: str) -> None:
        if method == "POST" and SECRET in path and not seen:
            seen.append(path)
            estate.edit_state(lambda state: state["lease"].update(run="other", holder="somebody else"))

    vault_proxy.trouble = take_over
    applied = estate.apply()
    assert applied.status == 4
    assert "does not hold the lease any more" in applied.out
    assert estate.apply().status == 5
    estate.expire_lease()
    assert estate.apply().status == 0
    in_sync(estate)
    assert len(estate.issued()) == 2


@pytest.mark.promise(7)
def test_promise_7_a_lost_lease_ends_the_tenant(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent to the vendor any more, nothing is undone, and the next run goes on."""
    from reconciler.apply.tools import Tools

    for number in range(10):
        estate.key(f"k{number}")

    def lost(self: Any) -> None:
        raise LeaseLost("this run does not hold the lease any more")

    estate.apply("--target", "dsm/AccessLevel/read")
    monkeypatch.setattr(Tools, "before_write", lost)
    applied = estate.apply()
    assert applied.status == 1
    assert "this run does not hold the lease any more" in applied.out
    assert estate.names() == []
    monkeypatch.undo()
    monkeypatch.setenv("VAULT_ADDR", estate.bao.address)
    monkeypatch.setenv("VAULT_TOKEN", estate.bao.root_token)
    assert estate.apply().status == 0
    in_sync(estate)


def second_writer(world: World, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Let somebody else regenerate the key just before each of the first verifications."""
    verify = Session.verify
    left = [times]

    def verify_late(self: Session, issued: Issued) -> Verification:
        if left[0]:
            left[0] -= 1
            installation = world.trends["dsm"].installation
            installation.renew(*installation.by_id[int(issued.vendor_id)])
        return verify(self, issued)

    monkeypatch.setattr(Session, "verify", verify_late)


@pytest.mark.promise(3)
def test_promise_3_secret_that_does_not_work_is_replaced(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second writer regenerated the key between creation and verification: it gets one more secret, which is verified."""
    second_writer(estate, monkeypatch, 1)
    assert estate.apply().status == 0
    assert estate.metadata()["current_version"] == 2
    in_sync(estate)


@pytest.mark.promise(3)
def test_promise_3_secret_that_never_works_is_no_success(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice is enough: the action fails, and the next run does not take the stored secret for a good one."""
    second_writer(estate, monkeypatch, 2)
    applied = estate.apply()
    assert applied.status == 4
    assert "the vendor refuses the secret that it has just issued" in applied.out
    assert not estate.authenticates()
    assert "reissue" in estate.plan().out
    assert estate.apply().status == 0
    in_sync(estate)


@pytest.mark.promise(3)
def test_promise_3_bad_secret_and_vault_goes_away(
    estate: World, vault_proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is known to be bad, that is noted, and its successor cannot be stored: the next run issues another."""
    second_writer(estate, monkeypatch, 1)
    vault_proxy.trouble = writes(SECRET, None, for_ever=SEALED)
    assert estate.apply().status == 4
    vault_proxy.trouble = no_trouble
    assert "reissue" in estate.plan().out
    assert estate.apply().status == 0
    in_sync(estate)


def test_verification_that_fails_for_other_reasons_is_told(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor is not available just then: the secret is stored and called unverified."""
    estate.trends["dsm"].faults.inject("unavailable", method="GET", path="/apikeys/current", nth=2, times=None)
    applied = estate.apply()
    assert applied.status == 0
    assert "not verified" in applied.out
    estate.trends["dsm"].faults.clear()
    in_sync(estate)


def test_a_provider_whose_verification_raises(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not being able to ask is not the same as a bad secret."""

    def raises(self: Session, issued: Issued) -> Verification:
        raise RetryLater("the vendor is not available")

    monkeypatch.setattr(Session, "verify", raises)
    applied = estate.apply()
    assert applied.status == 0
    assert "not verified" in applied.out
    in_sync(estate)


def test_annotation_that_is_denied_harms_nobody(estate: World, vault_proxy: Proxy) -> None:
    """What is said beside the secret is for people: the key is done without it."""
    vault_proxy.trouble = lambda method, path: DENIED if method == "PATCH" else None
    assert estate.apply().status == 0
    assert not estate.metadata()["custom_metadata"]
    in_sync(estate)


@pytest.mark.promise(3)
def test_promise_3_deletion_that_vault_denies_goes_on_later(estate: World, vault_proxy: Proxy) -> None:
    """The key is gone and its secret is not: that is a failure, and the next run finishes it."""
    assert estate.apply().status == 0
    estate.key(state="absent")
    vault_proxy.trouble = writes("/delete/keys", for_ever=DENIED)
    assert estate.apply().status == 1
    assert estate.names() == []
    vault_proxy.trouble = no_trouble
    assert "gone at the vendor already, its secret is not" in estate.plan().out
    assert estate.apply().status == 0
    assert all(version["deletion_time"] for version in estate.metadata()["versions"].values())
    assert estate.plan().status == 0


@pytest.mark.promise(4)
def test_promise_4_removal_spares_what_somebody_else_wrote(estate: World) -> None:
    """A later version at the path that is not ours stays, when the key and its secret go."""
    assert estate.apply().status == 0
    estate.put("keys/dsm/splunk", {"note": "somebody's"})
    estate.key(state="absent")
    assert estate.apply().status == 0
    assert estate.names() == []
    assert estate.secret() == {"note": "somebody's"}
    assert estate.metadata()["versions"]["1"]["deletion_time"]


def test_old_path_that_cannot_be_cleared_harms_nobody(estate: World, vault_proxy: Proxy) -> None:
    """The dead secret that a moved key leaves behind may stay."""
    assert estate.apply().status == 0
    path = estate.folder / "tenants/dsm.yaml"
    path.write_text(path.read_text().replace("keys/{tenant}/{key}", "moved/{tenant}/{key}"))
    estate.key(rotation="{every: 90d, strategy: inPlace}")
    estate.age(91)
    vault_proxy.trouble = writes("/delete/keys", for_ever=DENIED)
    assert estate.apply().status == 0
    assert estate.plan().status == 0


@pytest.mark.promise(3)
def test_promise_3_revoked_while_it_is_issued(estate: World, vault_proxy: Proxy) -> None:
    """A tombstone that appears during a rotation is never overwritten; what was issued meanwhile is removed."""
    estate.key(rotation="{every: 90d, overlap: 24h}")
    assert estate.apply().status == 0
    estate.age(91)
    seen: list[str] = []

    def revoke(method: str, path: str) -> None:
        if method == "POST" and SECRET in path and not seen:
            seen.append(path)
            tombstone = {"at": "2026-01-01T00:00:00Z", "by": "on-call", "reason": "leaked"}
            estate.edit_state(lambda state: state["objects"]["ApiKey/splunk"].update(revoked=tombstone))

    vault_proxy.trouble = revoke
    estate.apply()
    assert estate.state()["objects"]["ApiKey/splunk"]["revoked"]["reason"] == "leaked"
    assert estate.names() == []
    estate.apply()
    assert estate.state()["intents"] == {}
    assert estate.state()["objects"]["ApiKey/splunk"]["revoked"]["reason"] == "leaked"
