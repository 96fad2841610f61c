"""Adoption end to end: emulated vendor, real OpenBao, the real command line; a plan and an apply afterwards do nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import RetryLater
from reconciler.vault.lease import TenantLease
from tests.support.world import Run, World

IMPORT = ("import", "dsm", "--out", "adopted")


@pytest.fixture
def grown(world: World) -> World:
    """An estate with a tenant that people have used for years."""
    trend = world.tenant()
    trend.add_role(
        "SIEM Read", frozenset({"canViewOtherComputers"}), description="Reads: everything", allComputers=True
    )
    trend.add_key("Splunk Key!", "SIEM Read", description="no\n- is yes # 'really'", expiryDate=4102444800000)
    trend.add_key("splunk-key", "SIEM Read", timeZone="Asia/Kolkata")
    trend.add_key("locked", active=False)
    return world


@pytest.fixture
def adopted(grown: World) -> World:
    """The same, imported."""
    assert grown.run(*IMPORT).status == 0
    return grown


def in_sync(world: World) -> str:
    """Make sure that nothing is to be done; gives what the plan says all the same."""
    planned = world.plan()
    assert planned.status == 0, planned.all
    assert world.apply().status == 0
    return planned.out


def edit(world: World, name: str, old: str, new: str) -> None:
    """Change a manifest that was written."""
    path = world.folder / "adopted" / f"{name}.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def vendor(world: World, name: str) -> dict[str, Any]:
    """A key as the vendor has it, by its name there."""
    keys = world.trends["dsm"].keys()
    return next(key for key in keys if key["keyName"] == name)


@pytest.mark.promise(5)
def test_promise_5_a_plan_after_an_import_has_nothing_to_do(grown: World) -> None:
    """Keys and roles become manifests that fmt leaves alone and validate accepts; plan and apply do nothing."""
    before = grown.trends["dsm"].keys()[1:], grown.trends["dsm"].roles()
    done = grown.run(*IMPORT, "--format", "json").json
    assert {item["object"]: (item["vendorId"], item["vendorName"]) for item in done["adopted"]} == {
        "AccessLevel/siem-read": ("3", "SIEM Read"),
        "ApiKey/locked": ("4", "locked"),
        "ApiKey/splunk-key": ("3", "splunk-key"),
        "ApiKey/splunk-key-2": ("2", "Splunk Key!"),
    }
    assert [item["vendorName"] for item in done["leftOut"] if item["expected"]] == ["bootstrap"]
    assert grown.run("fmt", "--check").status == 0
    assert grown.run("validate").status == 0
    told = in_sync(grown)
    assert "`reconciler rotate dsm/splunk-key` puts a new one into Vault" in told
    assert "handoff complete" not in told  # this product has none
    assert (grown.trends["dsm"].keys()[1:], grown.trends["dsm"].roles()) == before
    assert grown.run(*IMPORT).out.endswith("dsm: nothing to adopt\n")


def test_the_text_of_a_manifest(adopted: World) -> None:
    """No id is in it, nothing that goes without saying, and what the vendor calls it only where that differs."""
    text = (adopted.folder / "adopted/keys/splunk-key-2.yaml").read_text(encoding="utf-8")
    assert text == (
        "# At the vendor it is called 'Splunk Key!'.\napiVersion: reconciler/v1\nkind: ApiKey\nmetadata:\n"
        "  name: splunk-key-2\n  tenant: dsm\nspec:\n  description: |-\n    no\n    - is yes # 'really'\n"
        "  accessLevel: siem-read\n  expires: 2100-01-01T00:00:00Z\n"
    )


def test_a_rotation_of_an_adopted_key_makes_it_ours(adopted: World) -> None:
    """The next generation is marked and in Vault; the adopted key goes on working for the overlap, then it is retired."""
    assert adopted.run("rotate", "dsm/splunk-key-2", "--auto-approve").status == 0
    assert adopted.authenticates("splunk-key-2")
    assert vendor(adopted, "Splunk Key!")["active"]
    assert "keeps working until" in in_sync(adopted)
    record = adopted.state()["objects"]["ApiKey/splunk-key-2"]
    assert (record["generation"], record.get("adopted", False), record["previous"]["vendorId"]) == (2, False, "2")
    adopted.age(2, "splunk-key-2")
    assert adopted.apply().status == 0
    assert adopted.names() == ["locked", "splunk-key", "splunk-key-2"]
    assert adopted.authenticates("splunk-key-2")
    in_sync(adopted)


def test_access_that_is_taken_away_is_taken_from_the_adopted_generation_too(adopted: World) -> None:
    """In its overlap it is changed as well, and keeps the name that others gave it."""
    assert adopted.run("rotate", "dsm/splunk-key-2", "--auto-approve").status == 0
    edit(adopted, "keys/splunk-key-2", "accessLevel: siem-read", "accessLevel: {existing: Auditor}")
    assert adopted.apply().status == 0
    assert vendor(adopted, "Splunk Key!")["roleID"] == vendor(adopted, "splunk-key-2")["roleID"] == 2
    in_sync(adopted)


def test_a_rotation_in_place_of_an_adopted_key(adopted: World) -> None:
    """The key is the same and carries no mark; its new secret is in Vault, and that is in sync."""
    edit(adopted, "keys/splunk-key-2", "accessLevel:", "rotation: {every: 30d, strategy: inPlace}\n  accessLevel:")
    assert adopted.run("rotate", "dsm/splunk-key-2", "--auto-approve").status == 0
    assert adopted.authenticates("splunk-key-2")
    assert "splunk-key-2" not in in_sync(adopted)
    record = adopted.state()["objects"]["ApiKey/splunk-key-2"]
    assert (record["vendorId"], record["version"], record["adopted"]) == ("2", 1, True)


def test_adopt_rotate_spreads_over_runs(grown: World) -> None:
    """`adopt: rotate` gives adopted keys secrets, no more of them in one run than the limit says."""
    grown.settings("limits: {rotations: {maxPerRun: 1}}\n")
    path = grown.folder / "tenants/dsm.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "  adopt: rotate\n", encoding="utf-8")
    assert grown.run(*IMPORT).status == 0
    planned = grown.plan()
    assert (planned.status, planned.out.count("adopted: its secret is not known")) == (2, 2)  # one now, one put off
    assert "rotation put off to a later run" in planned.out
    for _ in range(2):
        assert grown.apply().status == 0
    assert grown.authenticates("splunk-key")
    assert grown.authenticates("splunk-key-2")
    assert "waits until the key is unlocked" in in_sync(grown)


def test_a_change_of_an_adopted_object_marks_it_and_keeps_its_name(adopted: World) -> None:
    """What a manifest changes is changed in place; the vendor's name stays what people know."""
    edit(adopted, "access-levels/siem-read", "'Reads: everything'", "Reads it all")
    edit(adopted, "keys/splunk-key-2", "accessLevel:", "options: {locale: ja-JP}\n  accessLevel:")
    edit(adopted, "keys/locked", "spec:", "spec:\n  description: Off")
    assert adopted.apply().status == 0
    roles = {role["name"]: role["description"] for role in adopted.trends["dsm"].roles()}
    assert roles["SIEM Read"].startswith("Reads it all [rcl:")
    assert vendor(adopted, "Splunk Key!")["locale"] == "ja-JP"
    assert "[rcl:" in vendor(adopted, "locked")["description"]
    in_sync(adopted)


def test_an_unmerged_manifest_removes_nothing(adopted: World) -> None:
    """A run that does not see the manifests yet leaves what was adopted alone; a later import writes them again."""
    for path in sorted((adopted.folder / "adopted").glob("*/*.yaml")):
        path.unlink()
    adopted.key("other", level="{existing: Auditor}")
    assert adopted.apply().status == 0
    assert "no manifest declares it" in in_sync(adopted)
    assert adopted.names() == ["Splunk Key!", "locked", "other", "splunk-key"]
    again = adopted.run(*IMPORT, "--format", "json").json
    assert len(again["adopted"]) == 4
    assert "no manifest declares it" not in in_sync(adopted)


def test_an_adopted_key_is_removed_by_saying_so(adopted: World) -> None:
    """`state: absent` removes it."""
    edit(adopted, "keys/splunk-key", "accessLevel:", "state: absent\n  accessLevel:")
    assert adopted.apply().status == 0
    assert adopted.names() == ["Splunk Key!", "locked"]


def test_an_adopted_key_can_be_revoked(adopted: World) -> None:
    """Although it carries no mark and another name than its manifest."""
    done = adopted.run("revoke", "dsm/splunk-key-2", "--reason", "leaked", "--auto-approve")
    assert done.status == 0, done.all
    assert adopted.names() == ["locked", "splunk-key"]
    assert adopted.plan().status == 4  # revoked, and still wanted


def test_a_rebuilt_state_keeps_what_was_adopted(adopted: World) -> None:
    """Rebuilding finds nothing to change in adopted records."""
    done = adopted.run("state", "rebuild", "dsm", "--auto-approve")
    assert (done.status, done.out.splitlines()[-1]) == (0, "nothing to rebuild"), done.all
    in_sync(adopted)


def test_only_some_objects(grown: World) -> None:
    """By the vendor's name or id; a key whose role is not adopted refers to it as an existing one."""
    found = grown.run(*IMPORT, "--only", "ApiKey/Splunk Key!", "--only", "ApiKey/4", "--format", "json").json
    assert [item["object"] for item in found["adopted"]] == ["ApiKey/locked", "ApiKey/splunk-key"]
    text = (grown.folder / "adopted/keys/splunk-key.yaml").read_text(encoding="utf-8")
    assert "existing: SIEM Read" in text
    in_sync(grown)


def test_a_role_that_cannot_be_told_by_its_name(grown: World) -> None:
    """Two of one name: a key can have neither as an existing one; adopted, each has a name of its own."""
    grown.trends["dsm"].add_role("SIEM Read")
    done = grown.run(*IMPORT, "--only", "ApiKey/splunk-key", "--format", "json")
    assert [item["reason"] for item in done.json["leftOut"]] == ["the product has 2 access levels named 'SIEM Read'"]
    found = grown.run(*IMPORT, "--format", "json").json
    assert {"AccessLevel/siem-read", "AccessLevel/siem-read-2"} <= {item["object"] for item in found["adopted"]}
    in_sync(grown)


def test_levels_that_are_ours_already_are_referred_to_by_their_names(grown: World) -> None:
    """The second import knows what the first one has adopted, and gives no name twice."""
    assert grown.run(*IMPORT, "--only", "AccessLevel/SIEM Read", "--only", "ApiKey/splunk-key").status == 0
    found = grown.run(*IMPORT, "--format", "json").json
    assert [item["object"] for item in found["adopted"]] == ["ApiKey/locked", "ApiKey/splunk-key-2"]
    assert "accessLevel: siem-read" in (grown.folder / "adopted/keys/splunk-key-2.yaml").read_text(encoding="utf-8")
    in_sync(grown)


def refused(done: Run, *words: str) -> None:
    assert done.status == 1, done.all
    for word in words:
        assert word in done.err, done.err


def test_what_import_refuses(grown: World, tmp_path: Path) -> None:
    """Nothing is written where no plan would see it, over what is there, or for a name that is not there."""
    refused(grown.run("import", "dsm", "--out", str(tmp_path / "elsewhere")), "outside the estate", "name one below")
    refused(grown.run("import", "dsm", "--out", ".hidden"), "hidden folders are not read")
    refused(grown.run("import", "dsm", "--out", "tenants/dsm.yaml"), "this is a file")
    refused(grown.run("import", "dms", "--out", "adopted"), "no manifest declares the tenant 'dms'", "'dsm'")
    refused(grown.run(*IMPORT, "--only", "ApiKey/Splunk Kye!"), "--only names ApiKey/Splunk Kye!", "ApiKey/Splunk Key!")
    refused(grown.run(*IMPORT, "--key-id", "7"), "listed by the vendor", "--only")
    refused(grown.run(*IMPORT, "--key-id", "=7"), "names no key")
    grown.write("adopted/keys/locked.yaml", "# mine\n")
    refused(grown.run(*IMPORT), "adopted/keys/locked.yaml: there is such a file already")
    assert not list((grown.folder / "adopted").glob("access-levels/*.yaml"))
    assert not grown.state().get("objects")


def test_a_manifest_that_wants_just_that_name(grown: World) -> None:
    """It would be created beside the adopted one: the object is left out, and the exit code says so."""
    grown.key("splunk-key", level="{existing: Auditor}")
    done = grown.run(*IMPORT, "--format", "json")
    assert done.status == 4
    assert [item["reason"] for item in done.json["leftOut"] if not item["expected"]] == [
        "a manifest declares ApiKey/splunk-key already, which would be made beside it: rename that one or take it away"
    ]
    assert "ApiKey/splunk-key-2" in [item["object"] for item in done.json["adopted"]]


def test_what_no_manifest_can_say_is_left_out(grown: World) -> None:
    """A key that has ended, one without a role, and texts that YAML cannot hold, each with the reason."""
    trend = grown.trends["dsm"]
    trend.add_key("ended", expiryDate=1577836800000)
    trend.add_key("bell", description="a\u0007b")
    trend.add_key("klingon", locale="tlh")
    trend.add_key("marked", description="x [rcl:0000000000000000:1:aaaaaaaaaaaaaaaa]")
    trend.add_key("no role", roleID=None)
    trend.add_key("lost role", roleID=99)
    trend.add_key("long", description="x" * 1001)
    done = grown.run(*IMPORT, "--format", "json")
    assert done.status == 4
    why = {item["vendorName"]: item["reason"] for item in done.json["leftOut"]}
    assert why.pop("ended").startswith("a plan would delete it: expired ")
    assert why.pop("bell") == "it holds characters that no manifest can hold"
    assert why.pop("klingon").startswith("unknown locale 'tlh'")
    assert why.pop("marked").startswith("it carries a mark of another estate")
    assert why.pop("no role").startswith("it has nothing that gives it permissions")
    assert why.pop("lost role") == "its access level 99 is none that the product lists"
    assert why.pop("long").startswith("spec.description is longer than 1000")
    assert set(why) == {"bootstrap"}
    in_sync(grown)


def test_a_lease_that_is_held(grown: World) -> None:
    """Exit 5, and nothing is written."""
    assert grown.run(*IMPORT, "--only", "ApiKey/locked").status == 0
    grown.edit_state(
        lambda state: state.update(
            lease={"run": "r", "holder": "ann", "since": "2026-01-01T00:00:00Z", "expires": "2999-01-01T00:00:00Z"}
        )
    )
    done = grown.run(*IMPORT, "--format", "json")
    assert (done.status, done.json["exitCode"]) == (5, 5)
    assert len(list((grown.folder / "adopted").glob("*/*.yaml"))) == 1


def test_a_state_that_was_lost_comes_first(adopted: World) -> None:
    """Where our marks are and no state, an import would make everything else look like orphans."""
    assert adopted.run("rotate", "dsm/splunk-key", "--auto-approve").status == 0
    adopted.bao.request("DELETE", f"{adopted.kv}/metadata/reconciler/5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11/dsm")
    refused(adopted.run(*IMPORT), "there is no state document", "state rebuild")


def test_manifests_without_records_are_taken_for_what_they_are(adopted: World) -> None:
    """A run that died between manifests and state: the next one records what they say, and writes nothing twice."""
    adopted.edit_state(lambda state: state.update(objects={}))
    found = adopted.run(*IMPORT, "--format", "json").json
    assert len(found["adopted"]) == 4
    assert len(list((adopted.folder / "adopted").glob("*/*.yaml"))) == 4
    in_sync(adopted)


@pytest.mark.parametrize(("problem", "files"), [(RetryLater("away"), 4), (KeyError("bug"), 0)])
def test_files_go_again_if_the_state_cannot_be_written(
    grown: World, monkeypatch: pytest.MonkeyPatch, problem: Exception, files: int
) -> None:
    """Unless it cannot be told whether it was."""

    def broken(*_: object) -> None:
        raise problem

    monkeypatch.setattr(TenantLease, "commit", broken)
    assert grown.run(*IMPORT).status == 1
    assert len(list((grown.folder / "adopted").glob("*/*.yaml"))) == files
