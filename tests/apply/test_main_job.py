"""From YAML to the vendor to Vault, through the real command line, an emulated vendor and a real OpenBao."""

from __future__ import annotations

import pytest

from tests.support.world import World


@pytest.fixture
def estate(world: World) -> World:
    """One tenant, one access level, two keys."""
    world.tenant()
    world.level()
    world.key("splunk")
    world.key("tickets", expires="2099-06-30", options="{timeZone: Asia/Kolkata, locale: ja-JP}")
    return world


@pytest.mark.promise(5)
def test_promise_5_second_run_does_nothing(estate: World) -> None:
    """Plan shows what is to be created, apply creates it, and then there is nothing left to do."""
    before = estate.plan()
    assert before.status == 2
    assert "+ AccessLevel/read create" in before.out
    assert "+ ApiKey/splunk create" in before.out
    assert "Plan: 3 to create (1 tenant)" in before.out

    applied = estate.apply()
    assert applied.status == 0, applied.all
    assert f"{estate.kv}/keys/dsm/splunk" in applied.out

    after = estate.plan()
    assert (after.status, after.out) == (0, "Plan: in sync, nothing to do (1 tenant)\n")
    again = estate.apply()
    assert again.status == 0
    assert "nothing to do" in again.out


@pytest.mark.promise(1)
def test_promise_1_secrets_go_to_vault_and_nowhere_else(estate: World) -> None:
    """Each key's secret is in Vault with what a consumer needs, works at the vendor, and is in nothing that we print."""
    estate.run("plan", "--out", "saved.plan.json")
    applied = estate.run("-v", "apply", "saved.plan.json", "--auto-approve")
    assert applied.status == 0, applied.all
    for key in ("splunk", "tickets"):
        secret = estate.secret(key)
        assert secret["endpoint"] == estate.trends["dsm"].endpoint
        assert estate.authenticates(key)
    assert estate.run("-v", "plan", "--format", "json").status == 0
    everything = "".join(estate.printed)
    everything += "".join(path.read_text() for path in estate.folder.rglob("*") if path.is_file())
    everything += str(estate.state())
    assert len(estate.issued()) == 3  # the bootstrap credential and two keys
    for secret_value in estate.issued():
        assert secret_value not in everything
        assert secret_value.partition(":")[2] not in everything


def test_state_and_marks_are_in_their_final_form(estate: World) -> None:
    """The state document has a record with a nonce for each object, and the vendor's descriptions carry the same nonce."""
    estate.apply()
    state = estate.state()
    assert state["format"] == 1
    assert state["intents"] == {}
    assert state.get("lease") is None
    assert set(state["objects"]) == {"AccessLevel/read", "ApiKey/splunk", "ApiKey/tickets"}
    record = state["objects"]["ApiKey/splunk"]
    assert record["version"] == 1
    assert record["owner"] == "secops@example.com"
    key = next(key for key in list(estate.trends["dsm"].keys()) if key["keyName"] == "splunk")
    assert str(key["ID"]) == record["vendorId"]
    assert key["description"] == f"Key splunk [rcl:5b0c1f0ee76f96ad:1:{record['nonce']}]"
    assert estate.metadata()["custom_metadata"]["managed-by"] == "access-reconciler"
    assert estate.metadata()["custom_metadata"]["owner"] == "secops@example.com"


def test_drift_is_shown_field_by_field_and_repaired(estate: World) -> None:
    """What somebody changes at the vendor is shown old to new, and put back."""
    estate.apply()
    estate.trends["dsm"].edit_key("splunk", active=False, description="mine now", roleID=1)
    drift = estate.plan()
    assert drift.status == 2
    assert "ApiKey/splunk unlock" in drift.out
    assert "locked → active" in drift.out
    assert "mine now → Key splunk" in drift.out
    assert "Full Access (existing) → read" in drift.out
    assert "missing → restored" in drift.out
    assert estate.apply().status == 0
    assert estate.plan().status == 0
    assert estate.authenticates()


def test_role_drift_is_repaired(estate: World) -> None:
    """A right that somebody adds to our role is taken away again."""
    estate.apply()
    estate.trends["dsm"].edit_role("read", granted=frozenset({"platformRights.computerRights.canDeleteComputers"}))
    drift = estate.plan()
    assert "permissions.platformRights.computerRights.canDeleteComputers" in drift.out
    assert estate.apply().status == 0
    assert estate.plan().status == 0


def test_changes_in_git_are_updates_in_place(estate: World) -> None:
    """A changed manifest changes the same key; its secret stays as it is."""
    estate.apply()
    secret = estate.secret()
    estate.key("splunk", description="Splunk, all sites", expires="2098-01-31", state="locked")
    shown = estate.plan()
    assert "× ApiKey/splunk lock" in shown.out
    assert "(none) → 2098-01-31 (end of day, UTC)" in shown.out
    assert estate.apply().status == 0
    assert not estate.authenticates()
    estate.key("splunk", description="Splunk, all sites", expires="2098-01-31")
    assert estate.apply().status == 0
    assert estate.plan().status == 0
    assert estate.secret() == secret
    assert estate.authenticates()


@pytest.mark.parametrize("how", ["absent", "removed"])
def test_removal_takes_key_and_secret(estate: World, how: str) -> None:
    """A key that is absent or out of Git is deleted at the vendor, and every version of its secret in Vault."""
    estate.apply()
    if how == "absent":
        estate.key("splunk", state="absent")
    else:
        estate.remove("keys/dsm-splunk.yaml")
    assert "- ApiKey/splunk delete" in estate.plan().out
    assert estate.apply().status == 0
    assert estate.names() == ["tickets"]
    assert all(version["deletion_time"] for version in estate.metadata()["versions"].values())
    assert estate.plan().status == 0
    assert "ApiKey/splunk" not in estate.state()["objects"]


def test_key_comes_back_after_removal(estate: World) -> None:
    """A path whose versions are all deleted is free again."""
    estate.apply()
    estate.key("splunk", state="absent")
    estate.apply()
    estate.key("splunk")
    assert estate.apply().status == 0
    assert estate.metadata()["current_version"] == 2
    assert estate.authenticates()


def test_expired_key_is_not_created_and_a_living_one_goes(estate: World) -> None:
    """`expires` in the past is no error: plan says so, refuses to create, and removes what lives."""
    estate.key("old", expires="2020-01-31")
    shown = estate.plan()
    assert "expired 2020-01-31: not created" in shown.out
    assert estate.apply().status == 0
    assert estate.names() == ["splunk", "tickets"]
    estate.key("splunk", expires="2020-01-31")
    assert "delete: expired" in estate.plan().out
    assert estate.apply().status == 0
    assert estate.names() == ["tickets"]


def test_foreign_key_of_the_same_name_is_never_touched(estate: World) -> None:
    """Somebody's own key of that name blocks ours; everything else is done, exit 4."""
    estate.trends["dsm"].add_key("splunk")
    shown = estate.plan()
    assert shown.status == 4
    assert "that the reconciler did not create" in shown.out
    assert estate.apply().status == 4
    assert estate.names() == ["splunk", "tickets"]


def test_foreign_secret_at_the_path_is_not_overwritten(estate: World) -> None:
    """A secret that we did not write blocks the key before the vendor is asked for one."""
    estate.put("keys/dsm/splunk", {"password": "somebody's"})
    assert "already holds a secret that the reconciler did not write" in estate.plan().out
    assert estate.apply().status == 4
    assert estate.secret() == {"password": "somebody's"}
    assert estate.names() == ["tickets"]


def test_existing_role_by_name(estate: World) -> None:
    """A role that the vendor ships is found by its exact name; a misspelt one gets a suggestion."""
    estate.key("splunk", level='{existing: "Auditor"}')
    assert estate.apply().status == 0
    key = next(key for key in list(estate.trends["dsm"].keys()) if key["keyName"] == "splunk")
    assert key["roleID"] == 2
    assert estate.plan().status == 0
    estate.key("splunk", level='{existing: "Auditr"}')
    assert "did you mean 'Auditor'?" in estate.plan().out


def test_unmanaged_keys_are_reported(estate: World) -> None:
    """Keys that nobody declared are named and left alone."""
    estate.trends["dsm"].add_key("shadow\x1b[31m")
    shown = estate.plan()
    assert "? 1 unmanaged: ApiKey/shadow�[31m (id 2)" in shown.out
    assert estate.apply().status == 0
    assert len(estate.names()) == 3


def test_lost_key_is_issued_anew(estate: World) -> None:
    """A key that was deleted at the vendor gets a successor of the next generation, and its secret is replaced."""
    estate.apply()
    before = estate.secret()
    estate.trends["dsm"].delete_key("splunk")
    assert "repair: key" in estate.plan().out
    assert estate.apply().status == 0
    assert estate.secret() != before
    assert estate.authenticates()
    assert estate.state()["objects"]["ApiKey/splunk"]["generation"] == 2
    assert estate.plan().status == 0


def test_lost_secret_is_reissued(estate: World) -> None:
    """A secret that is gone from Vault is regenerated in place."""
    estate.apply()
    estate.bao.request("DELETE", f"{estate.kv}/data/keys/dsm/splunk")
    assert "is missing from" in estate.plan().out
    assert estate.apply().status == 0
    assert estate.authenticates()
    assert estate.plan().status == 0


def test_targets(estate: World) -> None:
    """A target brings along the access level that it needs, and nothing else."""
    applied = estate.apply("--target", "dsm/splunk")
    assert applied.status == 0
    assert estate.names() == ["splunk"]
    unknown = estate.plan("--target", "dms/splunk")
    assert unknown.status == 1
    assert "did you mean 'dsm'?" in unknown.err
    for command in (estate.plan, estate.apply):
        misspelt = command("--target", "dsm/splnk")
        assert misspelt.status == 1
        assert "--target names ApiKey/splnk, which tenant dsm does not have" in misspelt.err
        assert "did you mean 'ApiKey/splunk'?" in misspelt.err


def test_protected_key_survives_its_manifest(estate: World) -> None:
    """Protection is remembered: it outlives the manifest, and is lifted in a commit of its own."""
    estate.key("splunk", protect="true")
    estate.apply()
    estate.remove("keys/dsm-splunk.yaml")
    assert "it is protected" in estate.plan().out
    assert estate.apply().status in {1, 4}
    assert estate.authenticates()
    estate.key("splunk", protect="false", state="absent")
    assert "it is protected" in estate.plan().out
    estate.key("splunk", protect="false")
    assert estate.apply().status == 0
    estate.remove("keys/dsm-splunk.yaml")
    assert estate.apply().status == 0
    assert estate.names() == ["tickets"]


def test_guardrail_stops_a_mass_deletion(estate: World) -> None:
    """More deletions than the limits allow: exit 3, and nothing is changed, `--target` or not."""
    for number in range(6):
        estate.key(f"k{number}")
    estate.apply()
    for number in range(6):
        estate.key(f"k{number}", state="absent")
    estate.key("splunk", description="changed")
    shown = estate.plan()
    assert shown.status == 3
    assert "guardrail/deletes: dsm: 6 would be deleted of 9 objects;" in shown.out
    assert estate.apply().status == 3
    assert estate.apply("--target", "dsm/k1").status == 3
    assert len(estate.names()) == 8
    assert "changed" not in str(estate.trends["dsm"].keys())


def test_own_credential_is_never_deleted_or_locked(world: World) -> None:
    """The reconciler refuses to delete the key that it is calling with."""
    world.tenant()
    world.level()
    world.key("self", level='{existing: "Full Access"}')
    world.apply()
    world.put(
        "credentials/dsm", {"secretKey": world.secret("self")["secretKey"], "endpoint": world.trends["dsm"].endpoint}
    )
    world.key("self", level='{existing: "Full Access"}', state="absent")
    shown = world.plan()
    assert "is the key that the reconciler itself is using" in shown.out
    world.apply()
    assert world.authenticates("self")
    world.key("self", level='{existing: "Full Access"}', state="locked")
    assert "is the key that the reconciler itself is using" in world.plan().out
