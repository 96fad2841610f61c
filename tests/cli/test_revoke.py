"""`reconciler revoke` on the command line: what it takes, what it asks, what it says."""

from __future__ import annotations

import sys

import pytest

from tests.cli.test_apply import Terminal
from tests.support.openbao import Naps
from tests.support.world import ESTATE_ID, World

WHY = ("--reason", "leaked in a log")


@pytest.fixture
def estate(world: World, naps: Naps) -> World:
    """One tenant with two keys, applied."""
    world.tenant()
    world.level()
    world.key("splunk")
    world.key("soar", protect="true")
    assert world.apply().status == 0
    return world


def live_versions(world: World, key: str, tenant: str = "dsm") -> list[str]:
    """The versions of a secret that can be read."""
    return [number for number, one in world.metadata(key, tenant)["versions"].items() if not one["deletion_time"]]


def test_one_key_is_gone_everywhere(estate: World) -> None:
    """At the vendor and in Vault; the other key stays; the tombstone says when, by whom and why."""
    done = estate.run("revoke", "dsm/splunk", *WHY, "--auto-approve")
    assert (done.status, done.err) == (0, "")
    assert "revoked dsm/splunk" in done.out
    assert "1 tombstone written, 1 live key ended" in done.out
    assert estate.names() == ["soar"]
    assert live_versions(estate, "splunk") == []
    assert estate.authenticates("soar")
    record = estate.state()["objects"]["ApiKey/splunk"]
    assert record["phase"] == "revoked"
    assert record["revoked"]["reason"] == "leaked in a log"
    assert "(process " in record["revoked"]["by"]
    custom = estate.metadata("splunk")["custom_metadata"]
    assert custom["revoked-reason"] == "leaked in a log"
    assert custom["revoked-at"]


def test_the_next_plan_does_not_bring_it_back(estate: World) -> None:
    """It is blocked with the reason, and an apply does nothing."""
    estate.run("revoke", "dsm/splunk", *WHY, "--auto-approve")
    shown = estate.plan()
    assert "it was revoked" in shown.out
    assert "leaked in a log" in shown.out
    estate.apply()
    assert estate.names() == ["soar"]
    assert live_versions(estate, "splunk") == []


def test_repeating_is_harmless(estate: World) -> None:
    """The last word counts, and nothing is left to do."""
    estate.run("revoke", "dsm/splunk", *WHY, "--auto-approve")
    first = estate.state()["objects"]["ApiKey/splunk"]
    again = estate.run("revoke", "dsm/ApiKey/splunk", "--reason", "once more", "--auto-approve")
    assert again.status == 0
    assert "no key with its mark is at the vendor" in again.out
    second = estate.state()["objects"]["ApiKey/splunk"]
    assert second["revoked"]["reason"] == "once more"
    assert second["revoked"]["at"] > first["revoked"]["at"]
    assert {**second, "revoked": None} == {**first, "revoked": None}


def test_it_needs_no_manifests(estate: World) -> None:
    """reconciler.yaml is enough; manifests that are broken or gone stop nobody."""
    for folder in ("tenants", "levels", "keys"):
        for file in (estate.folder / folder).iterdir():
            file.unlink()
    estate.write("keys/broken.yaml", "kind: [")
    done = estate.run("revoke", "dsm/splunk", *WHY, "--auto-approve")
    assert (done.status, done.err) == (0, "")
    assert estate.names() == ["soar"]


def test_json_says_it_all(estate: World) -> None:
    """Each tenant with its exit code, each key with what was ended and emptied."""
    done = estate.run("revoke", "dsm/splunk", *WHY, "--auto-approve", "--format", "json")
    (tenant,) = done.json["tenants"]
    (key,) = tenant["keys"]
    assert (tenant["tenant"], tenant["exitCode"], tenant["error"]) == ("dsm", 0, None)
    assert key["object"] == "ApiKey/splunk"
    assert key["revoked"]["reason"] == "leaked in a log"
    assert [one["how"] for one in key["ended"]] == ["deleted"]
    assert key["emptied"] == [f"{estate.kv}/keys/dsm/splunk"]
    assert (key["left"], key["byHand"]) == ([], [])


def test_it_asks_first(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question shows what will die; no is an answer, yes does it."""
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    no = estate.run("revoke", "dsm/soar", *WHY)
    assert no.status == 1
    assert "× ApiKey/soar" in no.err
    assert f"every version of the secret at {estate.kv}/keys/dsm/soar" in no.err
    assert "it is protected: that stops no emergency" in no.err
    assert no.err.endswith("nothing was revoked\n")
    assert estate.names() == ["soar", "splunk"]
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert estate.run("revoke", "dsm/soar", *WHY).status == 0
    assert estate.names() == ["splunk"]
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert "revoked already" in estate.run("revoke", "dsm/soar", *WHY).err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("dsm/splunk", *WHY), "nobody can be asked here"),
        ((*WHY, "--auto-approve"), "nothing to revoke"),
        (("dsm", *WHY, "--auto-approve"), "'dsm' is not TENANT/KEY"),
        (("dsm/../x", *WHY, "--auto-approve"), "is not TENANT/KEY"),
        (("dsm/splunc", *WHY, "--auto-approve"), "did you mean 'splunk'?"),
        (("dsm/nothing-like-it", *WHY, "--auto-approve"), "reconciler state rebuild dsm"),
        (("dms/splunk", *WHY, "--auto-approve"), "did you mean 'dsm'?"),
        (("zzzzzzzz/splunk", *WHY, "--auto-approve"), "there are: dsm"),
        (("dsm/splunk", "--reason", " ", "--auto-approve"), "the reason is empty"),
        (("--selector", "env", *WHY, "--auto-approve"), "'env' is not LABEL=VALUE"),
        (("--selector", "env=none", *WHY, "--auto-approve"), "no key has the labels env=none"),
        (("dsm/splunk", "dsm/splunc", *WHY, "--auto-approve"), "there is no ApiKey/splunc"),
    ],
)
def test_wrong_usage_does_nothing(estate: World, args: tuple[str, ...], says: str) -> None:
    """Exit 1, with what would be right, before anything is done."""
    done = estate.run("revoke", *args)
    assert done.status == 1
    assert says in done.err
    assert estate.names() == ["soar", "splunk"]
    assert "revoked" not in estate.state()["objects"]["ApiKey/splunk"]


def test_a_selector_spares_what_is_protected(estate: World) -> None:
    """Its own labels or its tenant's select a key; a protected one must be named. Exit 4 says that one is left."""
    done = estate.run("revoke", "--selector", "env=test", *WHY, "--auto-approve")
    assert done.status == 4
    assert "left dsm/soar is protected" in done.out
    assert estate.names() == ["soar"]
    both = estate.run("revoke", "dsm/soar", "--selector", "env=test", *WHY, "--auto-approve")
    assert both.status == 0
    assert estate.names() == []


def test_labels_of_keys_select(estate: World) -> None:
    """All labels that are given must match, the key's own before its tenant's."""
    text = (estate.folder / "keys/dsm-splunk.yaml").read_text()
    estate.write("keys/dsm-splunk.yaml", text.replace("owner:", "labels: {team: soc, env: lab}, owner:"))
    estate.key("new")  # declared, and never applied: there is nothing to revoke
    estate.tenant("never")
    assert "no key has the labels" in estate.run("revoke", "--selector", "team=x", *WHY, "--auto-approve").err
    both = ("--selector", "team=soc", "--selector", "env=test")
    assert "no key has the labels" in estate.run("revoke", *both, *WHY, "--auto-approve").err
    done = estate.run("revoke", "--selector", "team=soc", *WHY, "--auto-approve")
    assert done.status == 0
    assert estate.names() == ["soar"]


def test_protection_is_remembered(estate: World) -> None:
    """A selector spares what the state says is protected, whatever the manifest says now."""
    estate.key("soar", protect="false")
    estate.remove("keys/dsm-splunk.yaml")
    done = estate.run("revoke", "--selector", "env=test", *WHY, "--auto-approve", "--format", "json")
    assert done.status == 4
    assert done.json["spared"] == ["dsm/soar"]
    assert estate.names() == ["soar", "splunk"]


def test_errors_are_json_too(estate: World) -> None:
    """Who asked for JSON gets it."""
    done = estate.run("revoke", "dsm/nothing", *WHY, "--auto-approve", "--format", "json")
    assert done.status == 1
    assert "there is no ApiKey/nothing" in done.out


def test_an_estate_without_settings(estate: World) -> None:
    """reconciler.yaml must be there and good: it says which Vault it is."""
    estate.write("reconciler.yaml", "apiVersion: reconciler/v1\nkind: Estate\nmetadata: {name: acme}\nspec: {}\n")
    wrong = estate.run("revoke", "dsm/splunk", *WHY, "--auto-approve")
    assert wrong.status == 1
    assert "reconciler.yaml:" in wrong.err
    estate.write("reconciler.yaml", "")
    assert "holds no manifest of kind Estate" in estate.run("revoke", "dsm/splunk", *WHY, "--auto-approve").err
    estate.remove("reconciler.yaml")
    assert "there is no reconciler.yaml" in estate.run("revoke", "dsm/splunk", *WHY, "--auto-approve").err


def test_other_files_of_manifests(estate: World) -> None:
    """Files that only the careful reader understands have labels as well; whatever is no manifest is passed over."""
    text = (estate.folder / "keys/dsm-splunk.yaml").read_text()
    estate.write("keys/dsm-splunk.yaml", text.replace("owner:", "labels: &all {team: soc}, annotations: *all, owner:"))
    done = estate.run("revoke", "--selector", "team=soc", *WHY, "--auto-approve")
    assert done.status == 0, done.all
    assert estate.names() == ["soar"]


def test_what_is_being_issued_is_shown_as_well(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question names a creation that is under way."""
    intent = {"run": "r", "action": "create", "nonce": "n" * 16, "mount": estate.kv, "path": "keys/dsm/new"}
    estate.edit_state(lambda state: state["intents"].update({"ApiKey/new": intent}))
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert "what a run is issuing now" in estate.run("revoke", "dsm/new", *WHY).err


def test_a_selector_over_a_state_that_cannot_be_read(estate: World) -> None:
    """That tenant's keys are tried all the same, and its error is told: nothing is passed over in silence."""
    estate.put(f"reconciler/{ESTATE_ID}/dsm", {"document": "{"})
    done = estate.run("revoke", "--selector", "env=test", *WHY, "--auto-approve")
    assert done.status == 1
    assert "damaged" in done.out
