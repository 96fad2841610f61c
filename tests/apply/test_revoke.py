"""Revoking beside everything else: runs at work, generations in overlap, vendors and Vaults that fail half-way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.emulator.base import Settings
from reconciler.emulator.clock import ManualClock
from reconciler.model.credential import Credential
from reconciler.model.mark import Mark, owner_tag
from reconciler.model.secret import Secret
from reconciler.providers import registry
from reconciler.providers.base import ConnectionSettings
from reconciler.providers.lacework import PROVIDER as LACEWORK
from reconciler.providers.lacework.emulator import READ_ONLY_USER
from reconciler.providers.lacework.mapping import groups
from tests.support.lacework import Organisation
from tests.support.openbao import Naps
from tests.support.troubled import HELD, Instead, Proxy
from tests.support.world import ESTATE_ID, Run, World


@pytest.fixture
def estate(world: World, naps: Naps) -> World:
    """One tenant with one key, applied."""
    world.tenant()
    world.level()
    world.key()
    assert world.apply().status == 0
    return world


def revoke(world: World, *keys: str) -> Run:
    """Revoke without being asked."""
    return world.run("revoke", *(keys or ("dsm/splunk",)), "--reason", "leaked", "--auto-approve")


def live_versions(world: World, key: str = "splunk") -> list[str]:
    """The versions of a secret that can be read."""
    return [number for number, one in world.metadata(key)["versions"].items() if not one["deletion_time"]]


def child(world: World, *args: str) -> subprocess.Popen[str]:
    """A command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "reconciler", *args],
        cwd=world.folder, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_both_generations_die(estate: World) -> None:
    """In an overlap the former generation is ended as well, and every version of the secret goes."""
    estate.key(rotation="{every: 30d, overlap: 24h}")
    assert estate.apply().status == 0
    estate.age(31, overlap=False)
    assert estate.apply().status == 0
    assert len(estate.names()) == 2
    done = revoke(estate)
    assert done.status == 0
    assert "2 live keys ended" in done.out
    assert estate.names() == []
    assert live_versions(estate) == []
    assert "previous" not in estate.state()["objects"]["ApiKey/splunk"]


def test_a_place_that_it_has_left_is_emptied_too(estate: World) -> None:
    """The former generation's secret lies at another path when the template has changed since."""
    estate.key(rotation="{every: 30d, overlap: 24h}")
    file = estate.folder / "tenants/dsm.yaml"
    file.write_text(file.read_text().replace("keys/{tenant}/{key}", "moved/{tenant}/{key}"))
    assert estate.apply().status == 0
    estate.age(31, overlap=False)
    assert estate.apply().status == 0
    done = revoke(estate)
    assert done.status == 0
    assert f"{estate.kv}/keys/dsm/splunk: every version deleted" in done.out
    assert f"{estate.kv}/moved/dsm/splunk: every version deleted" in done.out
    assert live_versions(estate) == []


def test_a_vendor_that_cannot_be_read_leaves_the_tombstone(estate: World) -> None:
    """Exit 4: the tombstone stands, the secret is gone, what is left is said; the same command then does the rest."""
    fault = estate.trends["dsm"].faults.inject("forbidden", path="/apikeys/search", times=None)
    done = revoke(estate)
    assert fault.hits
    assert done.status == 4
    assert "left nothing could be done at the vendor" in done.out
    assert "1 item left: run the same command again" in done.out
    assert estate.state()["objects"]["ApiKey/splunk"]["revoked"]["reason"] == "leaked"
    assert live_versions(estate) == []
    assert estate.names() == ["splunk"]
    estate.trends["dsm"].faults.clear()
    assert "it was revoked" in estate.plan().out
    assert revoke(estate).status == 0
    assert estate.names() == []


def test_a_key_that_cannot_be_deleted_is_left_and_named(estate: World) -> None:
    """The vendor says no to one of two: the other is done."""
    estate.key("soar")
    assert estate.apply().status == 0
    own = estate.state()["objects"]["ApiKey/soar"]["vendorId"]
    estate.trends["dsm"].faults.inject("error-before", method="DELETE", path=f"*/{own}", times=None)
    done = revoke(estate, "dsm/splunk", "dsm/soar")
    assert done.status == 4
    assert f"id {own} may still work" in done.out
    assert estate.names() == ["soar"]
    assert live_versions(estate, "soar") == []


def test_a_refused_credential_is_not_tried_again_and_again(estate: World) -> None:
    """Repeated failures lock keys: after the first 401 nothing more is sent."""
    for number in range(30):
        estate.key(f"k{number}")
    assert estate.apply().status == 0
    trend = estate.trends["dsm"]
    fault = trend.faults.inject("unauthorized", method="DELETE", times=None)
    done = revoke(estate, *(f"dsm/k{number}" for number in range(30)))
    assert done.status == 4
    assert 1 <= fault.hits <= 8  # what was on its way at that moment
    assert done.out.count("may still work") == 30


def test_vault_that_denies_the_deletion(estate: World, vault_proxy: Proxy) -> None:
    """The key is dead, its secret may still be readable: exit 4 says where."""
    vault_proxy.always(Instead(403, '{"errors": ["permission denied"]}'), "POST", "/delete/keys/")
    done = revoke(estate)
    assert done.status == 4
    assert f"its secret at {estate.kv}/keys/dsm/splunk may still be readable" in done.out
    assert estate.names() == []
    vault_proxy.trouble = lambda method, path: None
    assert revoke(estate).status == 0
    assert live_versions(estate) == []


def test_without_a_tombstone_nothing_is_done(estate: World, vault_proxy: Proxy) -> None:
    """It comes first: if it cannot be written the vendor is not called. The other tenants are done."""
    estate.tenant("other")
    estate.level(tenant="other")
    estate.key("siem", "other")
    assert estate.apply().status == 0
    vault_proxy.always(Instead(403, '{"errors": ["permission denied"]}'), "POST", "/dsm")
    done = revoke(estate, "dsm/splunk", "other/siem")
    assert done.status == 4
    assert f"error Vault {estate.kv}/data/reconciler/" in done.out
    assert estate.names() == ["splunk"]
    assert estate.names("other") == []


def test_a_damaged_state_stops_no_other_tenant(estate: World) -> None:
    """One state cannot be read: that tenant's own error, in its own time."""
    estate.tenant("other")
    estate.level(tenant="other")
    estate.key("siem", "other")
    assert estate.apply().status == 0
    estate.put(f"reconciler/{estate.state()['estate']}/dsm", {"document": "{"})
    done = revoke(estate, "dsm/splunk", "other/siem")
    assert done.status == 4
    assert "error" in done.out
    assert "damaged" in done.out
    assert estate.names("other") == []


def test_a_state_without_a_credential(estate: World) -> None:
    """Then nothing can be done at the vendor, and that is said."""
    estate.edit_state(lambda state: state.update(credentials={}))
    done = revoke(estate)
    assert done.status == 4
    assert "its state does not say where the vendor credential is" in done.out


def test_a_credential_in_the_environment(estate: World) -> None:
    """The state names the variable."""
    estate.environ("DSM_KEY", estate.trends["dsm"].credentials["secretKey"])
    estate.edit_state(lambda state: state.update(credentials={"env": {"secretKey": "DSM_KEY"}}))
    assert revoke(estate).status == 0
    assert estate.names() == []


def test_the_reconcilers_own_key_is_never_touched(estate: World) -> None:
    """Even when the state says that it is one of ours: exit 4, and its secret stays."""
    trend = estate.trends["dsm"]
    own = str(next(key["ID"] for key in list(trend.keys()) if key["keyName"] == "bootstrap"))
    trend.edit_key("bootstrap", keyName="splunk")
    estate.edit_state(lambda state: state["objects"]["ApiKey/splunk"].update(vendorId=own))
    done = revoke(estate)
    assert done.status == 4
    assert f"id {own} is the key that the reconciler itself is using" in done.out
    assert own in {str(key["ID"]) for key in list(trend.keys())}
    assert live_versions(estate) == ["1"]


def test_what_is_not_ours_any_more_is_left_alone(estate: World) -> None:
    """The recorded id is another's now: named, and not touched."""
    trend = estate.trends["dsm"]
    trend.edit_key("splunk", keyName="theirs", description="mine")
    done = revoke(estate)
    assert done.status == 4
    assert "is now 'theirs' without our mark, and is left alone" in done.out
    assert estate.names() == ["theirs"]


def test_a_mark_that_somebody_removed(estate: World) -> None:
    """Id and name are as recorded: it is the key."""
    estate.trends["dsm"].edit_key("splunk", description="mine")
    assert revoke(estate).status == 0
    assert estate.names() == []


def test_an_orphan_of_that_name_dies_too(estate: World) -> None:
    """What a run created late, and nobody knows, carries our mark as well."""
    orphan = dict(estate.state()["objects"]["ApiKey/splunk"])
    estate.edit_state(lambda state: state["objects"]["ApiKey/splunk"].update(vendorId="999", nonce="a" * 16))
    assert orphan["vendorId"] != "999"
    done = revoke(estate)
    assert done.status == 0
    assert f"id {orphan['vendorId']}: deleted" in done.out
    assert estate.names() == []


def test_the_lease_of_a_run_at_work_stays_as_it_is(estate: World) -> None:
    """Only the tombstone is written into its document."""
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    lease = {"run": "r1", "holder": "somebody", "since": "2026-01-01T00:00:00Z", "expires": until}
    estate.edit_state(lambda state: state.update(lease=lease))
    before = estate.state()
    assert revoke(estate).status == 0
    after = estate.state()
    assert after["lease"] == {**lease, "expires": lease["expires"].replace("+00:00", "Z")}
    assert after["objects"]["AccessLevel/read"] == before["objects"]["AccessLevel/read"]
    assert estate.names() == []


def test_what_it_costs(estate: World) -> None:
    """One list, one deletion for each key; two commits of the state, however many keys."""
    names = [f"k{number:02}" for number in range(40)]
    for name in names:
        estate.key(name)
    assert estate.apply().status == 0
    requests = estate.trends["dsm"].requests
    before, version = sum(requests.values()), _state_version(estate)
    assert revoke(estate, *(f"dsm/{name}" for name in names)).status == 0
    assert sum(requests.values()) - before == 3 + len(names)
    assert _state_version(estate) == version + 1  # nothing about them changed beyond the tombstones
    assert estate.names() == ["splunk"]


def _state_version(world: World) -> int:
    path = f"{world.kv}/metadata/reconciler/{world.state()['estate']}/dsm"
    version: int = world.bao.request("GET", path)["data"]["current_version"]
    return version


# --- beside a run -------------------------------------------------------------------------------------------------------


def killed_before_its_secret(world: World) -> None:
    """A key exists at the vendor, its run is dead, and the intent is open."""
    world.key("new")
    hang = world.trends["dsm"].faults.inject("hang-after", method="POST", path="/apikeys")
    world.killed_apply(hang.wait_until_hit)
    world.trends["dsm"].faults.clear()


def test_a_key_that_was_never_recorded(estate: World) -> None:
    """Its tombstone is a record of its own, with another nonce than the intent's; the key is found by the intent's."""
    killed_before_its_secret(estate)
    assert estate.names() == ["new", "splunk"]
    while_it_may_live = revoke(estate, "dsm/new")
    assert while_it_may_live.status == 4
    assert "is still at work on it" in while_it_may_live.out
    assert estate.names() == ["splunk"]
    state = estate.state()
    assert state["objects"]["ApiKey/new"]["revoked"]["reason"] == "leaked"
    assert state["objects"]["ApiKey/new"]["nonce"] != state["intents"]["ApiKey/new"]["nonce"]
    estate.expire_lease()
    assert revoke(estate, "dsm/new").status == 0
    estate.apply()
    assert estate.names() == ["splunk"]
    assert "ApiKey/new" not in estate.state()["intents"]
    assert "revoked" in estate.state()["objects"]["ApiKey/new"]


@pytest.mark.promise(3)
def test_promise_3_a_revocation_during_an_apply_wins(world: World, vault_proxy: Proxy) -> None:
    """The apply has issued the key and is storing its secret when the revocation comes: nothing of it stays."""
    world.tenant()
    world.level()
    world.key()
    assert world.apply("--target", "dsm/AccessLevel/read").status == 0
    vault_proxy.once(HELD, "POST", "/data/keys/dsm/splunk")
    apply = child(world, "apply", "--auto-approve")
    assert vault_proxy.holding.wait(30)
    revocation = child(world, "revoke", "dsm/splunk", "--reason", "leaked", "--auto-approve")
    while "ApiKey/splunk" not in world.state()["objects"]:
        assert revocation.poll() is None, revocation.communicate()
    vault_proxy.over.set()  # the reply is lost, and the apply writes its secret once more
    applied, _ = apply.communicate(timeout=60)
    revoked, _ = revocation.communicate(timeout=60)
    world.printed += [applied, revoked]
    assert revocation.returncode == 0, revoked
    assert apply.returncode != 5, applied
    assert world.names() == []
    assert live_versions(world) == []
    assert "revoked" in world.state()["objects"]["ApiKey/splunk"]
    world.apply()
    assert world.names() == []
    assert live_versions(world) == []
    assert world.state()["intents"] == {}


def test_a_run_that_goes_on_too_long_is_named(estate: World, naps: Naps) -> None:
    """Waiting ends: exit 4 names the holder, and what was there at that time is gone."""
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()

    def busy(state: dict[str, Any]) -> None:
        record = state["objects"]["ApiKey/splunk"]
        state["lease"] = {"run": "r1", "holder": "ci@runner", "since": "2026-01-01T00:00:00Z", "expires": until}
        state["intents"]["ApiKey/splunk"] = {
            "run": "r1", "action": "regenerate", "nonce": record["nonce"], "vendorId": record["vendorId"],
        }  # fmt: skip

    estate.edit_state(busy)
    naps.clear()
    done = revoke(estate)
    assert done.status == 4
    assert "ci@runner is still at work on it, and may bring another key about" in done.out
    assert 25 <= sum(naps) <= 35
    assert estate.names() == []
    assert estate.state()["lease"]["run"] == "r1"


# --- where a person deletes keys ----------------------------------------------------------------------------------------


@pytest.fixture
def lacework(world: World, mount: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[World, Organisation, str]:
    """A tenant whose state names a service user and its key; the user's id."""
    organisation = Organisation(Settings(seed=7, clock=ManualClock()))
    organisation.endpoint = mount(organisation)
    organisation.account = organisation.endpoint.partition("://")[2]
    right = registry.get
    monkeypatch.setattr(registry, "get", lambda name: LACEWORK if name == LACEWORK.name else right(name))
    tag = owner_tag(ESTATE_ID, "lw")
    fields = {name: Secret(value) for name, value in organisation.credentials.items()}
    settings = ConnectionSettings(write=True, timeout=5.0)
    session = LACEWORK.connect(organisation.endpoint, Credential(fields, organisation.endpoint), settings)
    wanted = {"name": "siem", "description": "", "groups": groups([READ_ONLY_USER]), "state": "active"}
    guid = session.create_level("siem", wanted, Mark(tag, 1, "u" * 16))
    session.close()
    world.put("credentials/lw", {**organisation.credentials, "endpoint": organisation.endpoint})
    world.put("keys/lw/siem", {"keyId": "x", "secret": "y"})
    state = {
        "format": 1, "estate": str(ESTATE_ID), "tenant": "lw", "provider": LACEWORK.name,
        "endpoint": organisation.endpoint, "credentials": {"vault": {"mount": world.kv, "path": "credentials/lw"}},
        "objects": {
            "ServiceUser/siem": {"vendorId": guid, "nonce": "u" * 16},
            "ApiKey/siem": {
                "vendorId": "ACME_" + "A" * 34, "nonce": "k" * 16, "levelId": guid,
                "mount": world.kv, "path": "keys/lw/siem",
                "previous": {
                    "vendorId": "ACME_" + "B" * 34, "generation": 1, "nonce": "p" * 16, "until": "2099-01-01T00:00:00Z",
                },
            },
        },
    }  # fmt: skip
    world.put(f"reconciler/{ESTATE_ID}/lw", {"document": json.dumps(state)})
    return world, organisation, guid


def test_a_key_that_a_person_must_delete(lacework: tuple[World, Organisation, str]) -> None:
    """Its user is locked now, a handoff asks for the rest, exit 6; the same again asks nobody twice."""
    world, organisation, guid = lacework
    done = revoke(world, "lw/siem")
    assert done.status == 6, done.all
    assert "its user 'siem' locked, with all its keys" in done.out
    assert "by hand" in done.out
    assert "1 key to be deleted by hand" in done.out
    assert [user.enabled for user in organisation.users() if user.guid == guid] == [False]
    record = world.state("lw")["objects"]["ApiKey/siem"]
    assert record["handoff"]["action"] == "delete"
    assert record["previous"]["vendorId"].startswith("ACME_B")  # nobody has deleted it yet
    assert revoke(world, "lw/siem").status == 6
    assert world.state("lw")["objects"]["ApiKey/siem"]["handoff"] == record["handoff"]
    assert world.run("state", "show", "lw").out.count("waits for a person to delete it") == 1
