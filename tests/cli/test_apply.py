"""`reconciler apply` at a terminal, for machines, and without one."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cli import main
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
    assert [finding["rule"] for finding in stopped.json["findings"]] == ["guardrail/deletes"]
    assert "results" not in stopped.json["tenants"][0]
    assert "stopped guardrail/deletes" in stopped.err


def test_progress_is_for_terminals(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for each action as it ends, on standard error."""
    monkeypatch.setattr("tests.support.world.io.StringIO", Terminal)
    done = estate.apply("--no-color")
    assert "dsm: ApiKey/splunk: create: done" in done.err
    assert "skipped" not in done.err
    assert "ApiKey/splunk: create: done" not in done.out


def test_no_standard_input_at_all(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed standard input is no terminal."""
    monkeypatch.setattr(sys, "stdin", None)
    refused = estate.run("apply")
    assert refused.status == 1
    assert "nobody can be asked here" in refused.err


def test_whether_anybody_can_be_asked_is_checked_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the estate is even looked for: where there is none, nobody is told so."""
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["apply", "--estate", str(tmp_path)]) == 1
    assert "nobody can be asked here" in capsys.readouterr().err


def test_errors_are_json_too(estate: World) -> None:
    """Who asked for JSON gets it whatever happens: here a manifest that is wrong, with its place."""
    estate.key(colour="blue")
    for command in ("plan", "apply"):
        failed = estate.run(command, "--format", "json", *(["--auto-approve"] if command == "apply" else []))
        assert failed.status == 1
        assert failed.json["exitCode"] == 1
        assert failed.json["error"] == "1 problem in 1 file"
        (problem,) = failed.json["problems"]
        assert (problem["file"], problem["line"]) == ("keys/dsm-splunk.yaml", 7)
        assert "colour" in problem["message"]
        assert "keys/dsm-splunk.yaml:7:" in failed.err
    nobody = estate.run("apply", "--format", "json")
    assert nobody.json["error"] == "nobody can be asked here"


def test_deletion_names_the_secret_that_goes_with_it(estate: World) -> None:
    """In the plan and in the result, for people and for machines."""
    estate.key("other")
    assert estate.apply().status == 0
    estate.key(state="absent")
    path = f"{estate.kv}/keys/dsm/splunk"
    assert f"secret  {path} (deleted, with all its versions)" in estate.plan().out
    (action,) = estate.plan("--format", "json").json["tenants"][0]["actions"]
    assert action["deletesSecrets"] == [path]
    done = estate.apply()
    assert any("delete" in line and line.endswith(f"{path} (deleted)") for line in done.out.splitlines())


def test_a_tenant_that_is_stopped_is_told_once(estate: World) -> None:
    """While another run holds the lease: one line with the reason, and how many actions were not begun."""
    for number in range(4):
        estate.key(f"k{number}")
    assert estate.apply().status == 0
    estate.edit_state(lambda state: state.update(lease=LEASE))
    for number in range(4):
        estate.key(f"k{number}", description="new")
    held = estate.apply()
    assert held.status == 5
    assert held.all.count("another machine") == 1
    assert "error dsm: 4 actions not begun: " in held.out
    assert "ApiKey/" not in held.out


LEASE = {"run": "x", "holder": "another machine", "since": "2038-01-01T00:00:00Z", "expires": "2038-01-01T00:10:00Z"}


def test_second_ctrl_c_leaves_at_once(estate: World) -> None:
    """The first says what is going on and what another one does; that one is like a kill, and the next run heals it."""
    hang = estate.trends["dsm"].faults.inject("hang-after", method="POST", path="/roles", seconds=30)
    child = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "apply", "--auto-approve"],
        cwd=estate.folder, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stderr is not None
    assert hang.wait_until_hit(20)
    child.send_signal(signal.SIGINT)
    assert "beginning nothing new; press again to leave at once" in child.stderr.readline()
    child.send_signal(signal.SIGTERM)  # asks for no more than the first did
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=10)
    assert (child.returncode, out) == (130, "")
    assert err == "interrupted again: left at once; run again once this run's lease has run out\n"
    assert estate.apply().status == 5
    estate.expire_lease()
    assert estate.apply().status == 0
    assert estate.authenticates()
    assert estate.names() == ["splunk"]


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
