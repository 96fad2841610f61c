"""Every workflow, ours and the ones that we show: what it may do, what it uses, and what it runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from tests.docs.tables import command_of
from tests.docs.test_docs import subcommand
from tests.support.runner import ACTION, ROOT, Job

OURS = sorted((ROOT / ".github/workflows").glob("*.yml"))
SHOWN = sorted((ROOT / "examples/ci/github").glob("*.yml"))
REUSABLE = [path for path in OURS if path.stem.startswith("reconcile-")]
GITLAB = ROOT / "examples/ci/gitlab-ci.yml"
FILES = [*OURS, *SHOWN, ACTION / "action.yml"]
NOT_YET_RELEASED = f"acme/access-reconciler/.+@{'0' * 40}  ?# the release's commit"

MAY = {
    ("reconcile-plan", "offline"): {"contents": "read"},
    ("reconcile-plan", "plan"): {
        "contents": "read",
        "id-token": "write",
        "pull-requests": "write",
        "security-events": "write",
    },
    ("reconcile-apply", "plan"): {"contents": "read", "id-token": "write"},
    ("reconcile-apply", "apply"): {"contents": "read", "id-token": "write"},
    ("reconcile-drift", "drift"): {"contents": "read", "id-token": "write", "issues": "write"},
}
"""What a job of a reusable workflow may do, as docs/ci.md says it. A job of our own CI may read the repository."""
TRIGGERS = {"workflow_call", "push", "pull_request", "schedule", "workflow_dispatch"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def document(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    if True in found:  # YAML 1.1 reads `on` so
        found["on"] = found.pop(True)
    return found


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = document(path)["jobs"]
    return found


def steps(path: Path) -> Iterator[dict[str, Any]]:
    """The steps of a workflow's jobs, or of an action."""
    read = document(path)
    for job in [*read.get("jobs", {}).values(), read.get("runs", {})]:
        yield from job.get("steps", [])


@pytest.mark.parametrize("path", FILES, ids=name)
def test_actions_are_used_by_commit(path: Path) -> None:
    """Whatever is used is of this repository (`$/`) or named by commit, with its version behind it for people."""
    pinned = re.compile(rf"\$/[\w./-]+|[\w./-]+@[0-9a-f]{{40}} # v\d+\.\d+\.\d+|{NOT_YET_RELEASED}")
    used = re.findall(r"^\s*(?:- )?uses:\s*(.+)$", path.read_text("utf-8"), re.MULTILINE)
    assert used
    assert [one for one in used if not pinned.fullmatch(one)] == []


@pytest.mark.parametrize("path", [*OURS, *SHOWN], ids=name)
def test_jobs_may_do_as_little_as_they_can(path: Path) -> None:
    """A workflow starts without permissions; each job names its own, as documented, and its time limit."""
    assert document(path)["permissions"] == {}
    for title, job in jobs(path).items():
        asked = job.get("permissions", {})
        if path in REUSABLE:
            assert asked == MAY[path.stem, title], title
        elif path in OURS:
            assert asked in ({}, {"contents": "read"}), title
        assert "uses" in job or job["timeout-minutes"] <= 120, title


@pytest.mark.parametrize("path", SHOWN, ids=name)
def test_callers_grant_what_is_called(path: Path) -> None:
    """Each example gives the workflow that it calls what its jobs ask for together and no more, and inputs that it has."""
    for job in jobs(path).values():
        if "uses" in job:
            called = ROOT / ".github/workflows" / re.findall(r"workflows/(.+)@", job["uses"])[0]
            wanted = {key: value for one in jobs(called).values() for key, value in one["permissions"].items()}
            assert job["permissions"] == wanted
            inputs = document(called)["on"]["workflow_call"]["inputs"]
            assert job["with"].keys() <= inputs.keys()
            assert {key for key, one in inputs.items() if one.get("required")} <= job["with"].keys()


@pytest.mark.parametrize("path", FILES, ids=name)
def test_nothing_is_put_into_scripts(path: Path) -> None:
    """No expression stands in a script: what is not ours comes as an environment variable."""
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("path", [*OURS, *SHOWN], ids=name)
def test_triggers_are_those_that_are_harmless(path: Path) -> None:
    """No workflow runs in the repository's name on what a stranger brings: no pull_request_target and none of its kind."""
    on = document(path)["on"]
    triggers = {on} if isinstance(on, str) else set(on)
    assert triggers <= TRIGGERS


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_stored_secret_is_used(path: Path) -> None:
    """Identities come from ID tokens. The workflow's own token is named for the comment and for zizmor's questions only."""
    text = path.read_text("utf-8")
    assert "secrets." not in text
    assert "secrets: inherit" not in text
    assert text.count("github.token") == {"ci": 1, "action": 1}.get(path.stem, 0)


@pytest.mark.parametrize("path", [*OURS, *SHOWN], ids=name)
def test_checkouts_leave_no_credential_behind(path: Path) -> None:
    """What is checked out lies there without the token that fetched it."""
    found = [step for step in steps(path) if step.get("uses", "").startswith("actions/checkout@")]
    assert [step for step in found if step["with"].get("persist-credentials") is not False] == []


def uses_of_action(job: dict[str, Any]) -> list[dict[str, Any]]:
    return [step["with"] for step in job["steps"] if step.get("uses", "").startswith("$/.github/actions/reconcile")]


def test_pull_requests_from_forks_get_no_identity() -> None:
    """One job or the other runs: a fork's reviews offline and asks for no token, one of ours plans. None applies."""
    review = jobs(ROOT / ".github/workflows/reconcile-plan.yml")
    own = "github.event.pull_request.head.repo.full_name == github.repository"
    assert own in review["plan"]["if"]
    assert own.replace("==", "!=") in review["offline"]["if"]
    offline, plan = uses_of_action(review["offline"]), uses_of_action(review["plan"])
    assert [one["command"] for one in offline] == ["validate", "access-diff"]
    assert [one["command"] for one in plan] == ["validate", "access-diff", "plan"]
    assert not any("vault-audience" in one or one.get("comment") for one in offline)
    assert "env" not in review["offline"]
    assert review["offline"]["runs-on"] == "ubuntu-24.04"


def test_pull_requests_are_planned_with_the_trusted_revision() -> None:
    """The plan of a proposal takes what decides where credentials go from the default branch, whatever its target."""
    plan = uses_of_action(jobs(ROOT / ".github/workflows/reconcile-plan.yml")["plan"])[-1]
    assert plan["arguments"].splitlines()[0] == (
        "--trusted-ref=refs/remotes/origin/${{ github.event.repository.default_branch }}"
    )


def test_apply_waits_for_its_environment() -> None:
    """One apply at a time, in an environment, of the plan that was made from the merged commit."""
    apply = jobs(ROOT / ".github/workflows/reconcile-apply.yml")
    assert "environment" not in apply["plan"]
    assert apply["apply"]["environment"] == "${{ inputs.environment }}"
    assert apply["apply"]["concurrency"]["cancel-in-progress"] is False
    assert apply["apply"]["needs"] == "plan"
    [planned], [applied] = uses_of_action(apply["plan"]), uses_of_action(apply["apply"])
    assert (planned["command"], applied["command"]) == ("plan", "apply")
    assert planned["plan-file"] == applied["plan-file"]
    checkouts = [step["with"]["ref"] for job in apply.values() for step in job["steps"] if "checkout@" in step["uses"]]
    assert checkouts == ["${{ github.sha }}"] * 2


@pytest.mark.parametrize("path", REUSABLE, ids=name)
def test_the_actions_inputs_exist(path: Path) -> None:
    """A workflow gives the action inputs that it has, and the address of Vault to every job with an audience."""
    known = document(ACTION / "action.yml")["inputs"].keys()
    for job in jobs(path).values():
        for given in uses_of_action(job):
            assert given.keys() <= known
            assert "vault-audience" not in given or job["env"] == {"VAULT_ADDR": "${{ inputs.vault-address }}"}


def test_one_job_requires_all_others() -> None:
    """Branch protection asks for one check of our CI, and that one needs every other job."""
    found = jobs(ROOT / ".github/workflows/ci.yml")
    assert set(found["required"]["needs"]) == found.keys() - {"required"}


def test_the_page_shows_the_examples() -> None:
    """The workflows that docs/ci.md shows are the files that are checked here."""
    page = (ROOT / "docs/ci.md").read_text("utf-8")
    shown = re.findall(r"^<!-- from: (\S+) -->\n```yml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert {file for file, _ in shown} == {name(path) for path in SHOWN}
    for file, code in shown:
        assert code == (ROOT / file).read_text("utf-8")


# GitLab


def gitlab() -> dict[str, dict[str, Any]]:
    """The jobs of the example, with what they extend."""
    found = yaml.safe_load(GITLAB.read_text("utf-8"))
    made = {}
    for title, job in found.items():
        if isinstance(job, dict) and "script" in job:
            parents = job.get("extends", [])
            merged: dict[str, Any] = {}
            for parent in [parents] if isinstance(parents, str) else parents:
                merged |= found[parent]
            made[title] = {**merged, **job}
    return made


def test_gitlab_gives_identities_to_those_jobs_only() -> None:
    """Jobs that a fork's merge request gets hold no token; all others ask for one with our audience."""
    found = gitlab()
    assert set(found) == {"validate", "access-diff", "plan", "plan-merged", "apply", "drift"}
    assert {title for title, job in found.items() if "id_tokens" not in job} == {"validate", "access-diff"}
    assert all(job.get("id_tokens", {"VAULT_JWT": {}}).keys() == {"VAULT_JWT"} for job in found.values())
    [rule] = found["plan"]["rules"]
    assert rule["if"].endswith("$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID")


def test_gitlab_applies_by_hand_in_the_environment() -> None:
    """The apply runs on the default branch only, when a person says so, one at a time, of the merged commit's plan."""
    apply = gitlab()["apply"]
    [rule] = apply["rules"]
    assert rule == {"if": '$CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH', "when": "manual"}
    assert apply["environment"]["name"] == "production"
    assert apply["resource_group"]
    assert apply["interruptible"] is False
    assert apply["needs"] == [{"job": "plan-merged", "artifacts": True}]
    others = [job for title, job in gitlab().items() if title != "apply"]
    assert not any("environment" in job or "reconciler apply" in " ".join(job["script"]) for job in others)


def test_gitlab_never_puts_texts_of_others_into_scripts() -> None:
    """Branch names, titles and messages are the proposal's: no script holds a variable with one."""
    used = set(re.findall(r"\$\{?(\w+)", " ".join(line for job in gitlab().values() for line in job["script"])))
    assert used <= {"CI_DEFAULT_BRANCH", "CI_MERGE_REQUEST_DIFF_BASE_SHA", "status"}


# Command lines


def parsed(words: list[str], folder: Path) -> None:
    """Give a command line to click, as the program would; it runs nothing. UsageError for what is not there."""
    title, *rest = words
    command = command_of(title)
    if isinstance(command, click.Group):
        command, rest = subcommand(title, rest) or command, rest[1:]
    for word in rest:
        if word.endswith(".json") and not word.startswith("-"):
            (folder / word).parent.mkdir(parents=True, exist_ok=True)
            (folder / word).write_text("{}")
    command.make_context(title, rest)


@pytest.fixture
def asked(tmp_path: Path) -> Job:
    """A job in which the reconciler writes down how it was called."""
    (tmp_path / "workspace").mkdir()
    job = Job(tmp_path / "workspace", tmp_path / "temp")
    stub = tmp_path / "stub"
    stub.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$@" >"$RUNNER_TEMP/arguments"\necho x >"$RUNNER_TEMP/reconciler/reports/plan.md"\n'
    )
    stub.chmod(0o755)
    job.installed(stub)
    return job


def called(command: str, asked: Job) -> list[str]:
    """How the action calls a command, with every option that it ever gives it."""
    if command == "comment":
        asked.event_name = "pull_request"
        asked.event = {"pull_request": {"number": 7, "head": {"repo": {"full_name": "acme/access"}}}}
        (asked.workspace / "west").mkdir()
        asked.use(command="plan", comment="true", estate="west")
    elif command == "drift":
        (asked.home / "reports").mkdir()
        (asked.home / "reports/drift.json").write_text("{}")
        asked.use(command="drift", issue="true")
    else:
        more = {"plan": "--trusted-ref=refs/remotes/origin/main", "access-diff": "HEAD^1"}.get(command, "")
        asked.use(command=command, plan_file=str(asked.temp / "a.plan.json"), arguments=more)
    words = (asked.temp / "arguments").read_text().splitlines()
    return words[1:] if words[0] == "--no-color" else words


@pytest.mark.parametrize("command", ["validate", "access-diff", "plan", "apply", "drift", "comment"])
def test_what_the_action_calls_is_there(command: str, asked: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command and option that the action gives exists."""
    monkeypatch.chdir(asked.workspace)
    words = called(command, asked)
    assert words[0] == command
    parsed(words, asked.workspace)


def gitlab_lines(*titles: str) -> list[list[str]]:
    """The reconciler's command lines in the GitLab example, but for redirections and what the shell adds."""
    scripts = [" ".join(line.split()) for title in titles for line in gitlab()[title]["script"]]
    lines = [shlex.split(line.partition(" || ")[0].replace('"$@"', "--since last-drift.json")) for line in scripts]
    return [line[1:] for line in lines if line[0] == "reconciler"]


@pytest.mark.parametrize("title", ["validate", "access-diff", "plan", "plan-merged", "apply", "drift"])
def test_what_gitlab_calls_is_there(title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command and option in the GitLab example exists."""
    monkeypatch.chdir(tmp_path)
    lines = gitlab_lines(title)
    assert len(lines) == 1
    parsed(lines[0], tmp_path)
