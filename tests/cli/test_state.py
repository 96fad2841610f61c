"""`reconciler state show` and `reconciler state rebuild`."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.cli.test_apply import Terminal
from tests.support.openbao import Naps
from tests.support.world import ESTATE_ID, World


@pytest.fixture
def estate(world: World, naps: Naps) -> World:
    """One tenant with two keys, applied."""
    world.tenant()
    world.level()
    world.key("splunk", rotation="{every: 30d, overlap: 24h}")
    world.key("soar", protect="true")
    assert world.apply().status == 0
    return world


def lose(world: World) -> None:
    """The state document and all its versions are gone."""
    world.bao.request("DELETE", f"{world.kv}/metadata/reconciler/{ESTATE_ID}/dsm")


def rebuild(world: World, *args: str) -> Any:
    """Rebuild without being asked."""
    return world.run("state", "rebuild", "dsm", "--auto-approve", *args)


# --- show ---------------------------------------------------------------------------------------------------------------


def test_show_tells_what_is_recorded(estate: World) -> None:
    """Records, what is open about them, and who may write. No manifests are needed."""
    estate.age(31, "splunk", overlap=False)
    assert estate.apply().status == 0
    lease = {"run": "r1", "holder": "ci@runner", "since": "2026-01-01T00:00:00Z", "expires": "2099-01-01T00:00:00Z"}

    def busy(state: dict[str, Any]) -> None:
        state["lease"] = lease
        state["intents"]["ApiKey/new"] = {"run": "r1", "action": "create", "nonce": "n" * 16}
        state["intents"]["ApiKey/hand"] = {
            "run": "r1", "action": "create", "nonce": "m" * 16,
            "handoff": {"action": "create", "opened": "2026-01-01T00:00:00Z", "by": "me"},
        }  # fmt: skip
        state["objects"]["ApiKey/soar"]["handoff"] = {"action": "delete", "opened": "2026-01-01T00:00:00Z", "by": "me"}
        state["objects"]["ApiKey/soar"]["revoked"] = {"at": "2026-01-01T00:00:00Z", "by": "me", "reason": "leaked"}

    estate.edit_state(busy)
    for file in (estate.folder / "tenants").iterdir():
        file.unlink()
    shown = estate.run("state", "show", "dsm")
    assert shown.status == 0
    assert "lease: ci@runner, run r1, since 2026-01-01 00:00:00Z, until 2099-01-01" in shown.out
    assert f"{estate.kv}/keys/dsm/splunk" in shown.out
    assert "ApiKey/splunk: generation 1 (id " in shown.out
    assert "ApiKey/soar: protected" in shown.out
    assert "ApiKey/soar: revoked 2026-01-01 00:00:00Z by me: leaked" in shown.out
    assert "ApiKey/soar: waits for a person to delete it, asked 2026-01-01 00:00:00Z by me" in shown.out
    assert "ApiKey/new: run r1 was about to create generation 1" in shown.out
    assert "ApiKey/hand: waits for a person to create generation 1" in shown.out
    plain = estate.run("state", "show", "dsm", "--format", "json").json
    assert plain["version"] > 0
    assert set(plain["state"]["objects"]) == set(estate.state()["objects"])
    assert plain["state"]["lease"]["run"] == "r1"


def test_show_of_an_empty_state(estate: World) -> None:
    """Nothing recorded is said; an expired lease is called so."""
    lease = {"run": "r1", "holder": "ci@runner", "since": "2026-01-01T00:00:00Z", "expires": "2026-01-02T00:00:00Z"}
    estate.edit_state(lambda state: state.update(objects={}, intents={}, lease=lease))
    shown = estate.run("state", "show", "dsm")
    assert "has ended 2026-01-02 00:00:00Z" in shown.out
    assert "nothing is recorded" in shown.out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("show", "dms"), "did you mean 'dsm'?"),
        (("show", "a/b"), "is no tenant's name"),
        (("rebuild", "dsm"), "nobody can be asked here"),
        (("rebuild", "dms", "--auto-approve"), "no manifest declares the tenant 'dms'"),
    ],
)
def test_wrong_usage(estate: World, args: tuple[str, ...], says: str) -> None:
    """Exit 1, and what would be right."""
    done = estate.run("state", *args)
    assert done.status == 1
    assert says in done.err


# --- rebuild ------------------------------------------------------------------------------------------------------------


def test_nothing_to_rebuild(estate: World) -> None:
    """A state that is right stays as it is, to the letter."""
    before = estate.state()
    done = rebuild(estate)
    assert (done.status, done.err) == (0, "")
    assert "no record changes, 3 records as before" in done.out
    assert "nothing to rebuild" in done.out
    assert estate.state() == before


@pytest.mark.promise(3)
@pytest.mark.parametrize("how", ["never", "removed", "damaged"])
def test_promise_3_a_lost_state_comes_back(estate: World, how: str) -> None:
    """From the marks and Vault's metadata: the next plan has nothing to do, and no secret is issued anew."""
    before, secret = estate.state(), estate.secret("splunk")
    match how:
        case "never":
            lose(estate)
        case "removed":
            estate.bao.request("DELETE", f"{estate.kv}/data/reconciler/{ESTATE_ID}/dsm")
        case "damaged":
            estate.put(f"reconciler/{ESTATE_ID}/dsm", {"document": "{"})
    assert estate.plan().status != 0
    done = rebuild(estate)
    assert done.status == 0, done.all
    assert "+ ApiKey/splunk" in done.out
    assert "State: 3 added" in done.out
    after = estate.state()
    for name, record in before["objects"].items():
        same = ("vendorId", "generation", "nonce", "path", "mount", "version", "owner", "protect")
        assert {key: after["objects"][name].get(key) for key in same} == {key: record.get(key) for key in same}
    assert estate.plan().status == 0
    assert estate.secret("splunk") == secret


def test_an_old_snapshot(estate: World) -> None:
    """The key was rotated since: the new generation is the current one, the former one is in its overlap."""
    snapshot = estate.state()
    estate.age(31, "splunk", overlap=False)
    assert estate.apply().status == 0
    now = estate.state()["objects"]["ApiKey/splunk"]
    estate.edit_state(lambda state: (state.clear(), state.update(snapshot)))
    done = rebuild(estate, "--format", "json")
    assert done.status == 0
    (difference,) = done.json["differences"]
    assert (difference["object"], difference["outcome"]) == ("ApiKey/splunk", "changed")
    after = estate.state()["objects"]["ApiKey/splunk"]
    assert (after["vendorId"], after["generation"]) == (now["vendorId"], 2)
    assert after["previous"]["vendorId"] == now["previous"]["vendorId"]
    assert estate.plan().status == 0
    assert estate.authenticates("splunk")


def test_records_without_a_key_go(estate: World) -> None:
    """What is not at the vendor any more is not recorded any more."""
    estate.trends["dsm"].delete_key("splunk")
    done = rebuild(estate)
    assert "- ApiKey/splunk" in done.out
    assert "not at the vendor any more" in done.out
    assert "ApiKey/splunk" not in estate.state()["objects"]


def test_a_secret_that_is_not_known_to_be_ours_counts_as_missing(estate: World) -> None:
    """Vault's metadata names another key, so the next apply issues a new secret."""
    estate.bao.request(
        "POST", f"{estate.kv}/metadata/keys/dsm/splunk",
        {"custom_metadata": {**estate.metadata("splunk")["custom_metadata"], "vendor-id": "999"}},
    )  # fmt: skip
    lose(estate)
    done = rebuild(estate)
    assert "is of id 999: the next plan issues a new one" in done.out
    before = estate.secret("splunk")
    applied = estate.apply()
    assert applied.status == 0, applied.all
    assert estate.secret("splunk") != before
    assert estate.authenticates("splunk")
    assert estate.plan().status == 0


def test_a_secret_of_a_stranger_is_not_written_over(estate: World) -> None:
    """The entry does not say whose it is: the key is recorded, and the plan says what stands in its way."""
    estate.bao.request("POST", f"{estate.kv}/metadata/keys/dsm/splunk", {"custom_metadata": {"a": "b"}})
    lose(estate)
    assert "does not say whose it is" in rebuild(estate).out
    assert "already holds a secret that the reconciler did not write" in estate.plan().out


@pytest.mark.promise(3)
def test_promise_3_tombstones_survive_the_loss_of_the_state(estate: World) -> None:
    """They stand beside the secrets as well: a revoked key does not come back."""
    assert estate.run("revoke", "dsm/splunk", "--reason", "leaked", "--auto-approve").status == 0
    tombstone = estate.state()["objects"]["ApiKey/splunk"]["revoked"]
    lose(estate)
    assert rebuild(estate).status == 0
    assert estate.state()["objects"]["ApiKey/splunk"]["revoked"] == tombstone
    estate.apply()
    assert estate.names() == ["soar"]


def test_it_asks_first(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No writes nothing; yes does."""
    lose(estate)
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    no = estate.run("state", "rebuild", "dsm")
    assert no.status == 1
    assert "there is no state" in no.out
    assert no.err.endswith("nothing was written\n")
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert estate.run("state", "rebuild", "dsm").status == 0
    assert estate.plan().status == 0


def test_a_run_at_work_is_not_disturbed(estate: World) -> None:
    """Exit 5 while another run holds the lease."""
    lease = {"run": "r1", "holder": "ci@runner", "since": "2026-01-01T00:00:00Z", "expires": "2099-01-01T00:00:00Z"}
    estate.edit_state(lambda state: (state["objects"].pop("ApiKey/splunk"), state.update(lease=lease)))
    before = estate.state()
    assert rebuild(estate).status == 5
    assert estate.state() == before


def test_what_changed_since_it_was_shown(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor is read again under the lease: what is not as shown is not written."""
    estate.edit_state(lambda state: state["objects"].pop("ApiKey/splunk"))

    def confirm(*args: object, **more: object) -> bool:
        estate.trends["dsm"].delete_key("splunk")
        return True

    monkeypatch.setattr(sys, "stdin", Terminal(""))
    monkeypatch.setattr("click.confirm", confirm)
    done = estate.run("state", "rebuild", "dsm")
    assert done.status == 1
    assert "have changed since they were shown; nothing was written" in done.err
    assert "ApiKey/splunk" not in estate.state()["objects"]


def test_it_writes_to_no_vendor(estate: World) -> None:
    """Only reads are sent."""
    lose(estate)
    trend = estate.trends["dsm"]
    before = dict(trend.requests)
    assert rebuild(estate).status == 0
    sent = {name for name, count in trend.requests.items() if count != before.get(name, 0)}
    assert all(name.startswith("GET ") or name.endswith("/search") for name in sent), sent
