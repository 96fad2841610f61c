"""`reconciler apply` at a terminal, for machines, and without one."""

from __future__ import annotations

import io
import sys

import pytest

from reconciler.vault.connection import Vault
from tests.support.openbao import Naps
from tests.support.world import Run, World


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def estate(world: World, naps: Naps) -> World:
    """One tenant with one level and one key."""
    world.tenant()
    world.level()
    world.key()
    return world


def at_terminal(world: World, monkeypatch: pytest.MonkeyPatch, typed: str, *args: str) -> Run:
    """Run a command line whose user has typed this."""
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    return world.run("apply", *args)


def test_yes_applies_what_was_shown(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan, the question, the work, the table."""
    done = at_terminal(estate, monkeypatch, "y\n")
    assert done.status == 0
    assert "Plan: 2 to create (1 tenant)" in done.out
    assert "Apply these changes?" in done.err
    assert "2 done; 1 secret written to Vault" in done.out
    assert estate.authenticates()
    again = at_terminal(estate, monkeypatch, "")
    assert again.status == 0
    assert "Apply these changes?" not in again.err


def test_no_changes_nothing(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No is an answer: it is not called an interruption."""
    done = at_terminal(estate, monkeypatch, "n\n")
    assert done.status == 1
    assert done.err.endswith("nothing was changed\n")
    assert estate.names() == []
    assert estate.bao.request("LIST", f"{estate.kv}/metadata/")["data"]["keys"] == ["credentials/"]


def test_end_of_input_is_an_interruption(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-D or Ctrl-C at the question ends the run before anything is done."""
    done = at_terminal(estate, monkeypatch, "")
    assert done.status == 130
    assert "interrupted" in done.err
    assert estate.names() == []


@pytest.mark.promise(6)
def test_promise_6_what_changed_while_somebody_thought_is_not_applied(
    estate: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vendor is asked again after the answer: what is not as shown stops the tenant."""
    assert estate.apply().status == 0
    estate.key(description="new")

    def confirm(*args: object, **more: object) -> bool:
        estate.trends["dsm"].edit_key("splunk", locale="ja-JP")
        return True

    monkeypatch.setattr("click.confirm", confirm)
    done = at_terminal(estate, monkeypatch, "")
    assert done.status == 1
    assert "what was planned no longer stands: ApiKey/splunk changed since" in done.out
    key = next(key for key in list(estate.trends["dsm"].keys()) if key["keyName"] == "splunk")
    assert key["description"].startswith("Key splunk")


@pytest.mark.promise(6)
def test_promise_6_what_came_up_while_somebody_thought_waits(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects that were not in the shown plan are left for the next one."""
    estate.key("other")
    assert estate.apply().status == 0
    estate.key(description="new")

    def confirm(*args: object, **more: object) -> bool:
        estate.trends["dsm"].edit_key("other", locale="ja-JP")
        return True

    monkeypatch.setattr("click.confirm", confirm)
    assert at_terminal(estate, monkeypatch, "").status == 0
    keys = {key["keyName"]: key for key in list(estate.trends["dsm"].keys())}
    assert keys["splunk"]["description"].startswith("new")
    assert keys["other"]["locale"] == "ja-JP"


def test_json(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but JSON on standard output, the shown plan included when somebody is asked."""
    done = at_terminal(estate, monkeypatch, "y\n", "--format", "json")
    assert done.status == 0
    assert "Plan: 2 to create" in done.err
    (tenant,) = done.json["tenants"]
    assert (tenant["tenant"], tenant["exitCode"], tenant["error"]) == ("dsm", 0, None)
    results = {item["object"]: item for item in tenant["results"]}
    assert results["ApiKey/splunk"]["secret"] == f"{estate.kv}/keys/dsm/splunk"
    assert results["ApiKey/splunk"]["version"] == 1
    assert results["AccessLevel/read"]["secret"] is None


def test_json_when_a_guardrail_stops_it(estate: World) -> None:
    """The findings, and no results: nothing was done."""
    for number in range(5):
        estate.key(f"k{number}")
    assert estate.apply().status == 0
    for number in range(5):
        estate.remove(f"keys/dsm-k{number}.yaml")
    stopped = estate.apply("--format", "json")
    assert stopped.status == 3
    assert [finding["rule"] for finding in stopped.json["findings"]] == ["deletes"]
    assert "results" not in stopped.json["tenants"][0]
    assert "stopped deletes" in stopped.err


def test_progress_is_for_terminals(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for each action as it ends, on standard error."""
    monkeypatch.setattr("tests.support.world.io.StringIO", Terminal)
    done = estate.apply("--no-color")
    assert "dsm: ApiKey/splunk: create: done" in done.err
    assert "ApiKey/splunk: create: done" not in done.out


def test_no_standard_input_at_all(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed standard input is no terminal."""
    monkeypatch.setattr(sys, "stdin", None)
    refused = estate.run("apply")
    assert refused.status == 1
    assert "nobody can be asked here" in refused.err


def test_saved_plan_takes_no_target(estate: World) -> None:
    """A plan is applied as it was reviewed."""
    assert estate.run("plan", "--out", "p.json").status == 0
    refused = estate.apply("p.json", "--target", "dsm/splunk")
    assert refused.status == 1
    assert "a saved plan is applied as it is" in refused.err


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_token_of_a_login_is_given_back(estate: World, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Whatever the run logged in for ends with it."""
    left: list[Vault] = []
    close = Vault.close

    def closed(self: Vault) -> None:
        left.append(self)
        close(self)

    monkeypatch.setattr(Vault, "close", closed)
    assert (estate.plan() if command == "plan" else estate.apply()).status == (2 if command == "plan" else 0)
    assert [vault.identity for vault in left] == [command]
