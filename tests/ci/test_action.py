"""The composite action: its steps run with bash as its file has them, against a real OpenBao and an emulated vendor."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from tests.docs.tables import all_exit_codes
from tests.support.ci import Documented
from tests.support.emulators import Trend
from tests.support.oidc import AUDIENCE, REQUEST_TOKEN, github
from tests.support.repository import Repository
from tests.support.runner import ACTION, Job, Used, obeyed

PROPOSED = {
    "number": 7,
    "head": {"repo": {"full_name": "acme/access"}},
}

STUB = """#!/usr/bin/env bash
printf '%s\\n' "$@" >"$RUNNER_TEMP/arguments"
env >"$RUNNER_TEMP/environment"
if [ "$1" = --no-color ]; then shift; fi
for word in "$@"; do
  case "$word" in
    markdown=*) echo "# $1" >"${word#markdown=}" ;;
    json=*) echo '{}' >"${word#json=}" ;;
  esac
done
exit "${STUB_EXIT:-0}"
"""


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job of a push, in an empty workspace. A program in the reconciler's place says what it was given."""
    (tmp_path / "workspace").mkdir()
    made = Job(tmp_path / "workspace", tmp_path / "temp")
    stub = tmp_path / "stub"
    stub.write_text(STUB)
    stub.chmod(0o755)
    made.installed(stub)
    return made


def arguments(job: Job) -> list[str]:
    return (job.temp / "arguments").read_text().splitlines()


def environment(job: Job) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (job.temp / "environment").read_text().splitlines() if "=" in line)


# What the command is given


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"command": "validate"}, ["validate"]),
        ({"command": "access-diff", "arguments": "HEAD^1"}, ["access-diff", "HEAD^1"]),
        ({"command": "plan"}, ["plan", "--detailed-exitcode"]),
        ({"command": "plan", "plan_file": "a.plan.json"}, ["plan", "--detailed-exitcode", "--out", "WS/a.plan.json"]),
        ({"command": "apply"}, ["apply", "--auto-approve"]),
        ({"command": "apply", "plan_file": "/else/a.json"}, ["apply", "--auto-approve", "/else/a.json"]),
        ({"command": "drift"}, ["drift"]),
        (
            {"command": "plan", "arguments": "--target\ndsm prod; $(touch x)\n\n"},
            ["plan", "--detailed-exitcode", "--target", "dsm prod; $(touch x)"],
        ),
    ],
    ids=lambda value: "-".join(value.values())[:20] if isinstance(value, dict) else "",
)
def test_the_command_gets_its_arguments(job: Job, inputs: dict[str, str], words: list[str]) -> None:
    """Each line of `arguments` is one argument, whatever a shell would make of it, and three reports are asked for."""
    assert not job.use(**inputs).failed
    reports = job.home / "reports"
    command = inputs["command"]
    asked = [
        f"{form}={reports}/{command}.{ending}"
        for form, ending in (("markdown", "md"), ("sarif", "sarif"), ("json", "json"))
    ]
    expected = [word.replace("WS", str(job.workspace)) for word in words]
    assert arguments(job) == ["--no-color", *expected, *[word for one in asked for word in ("--report", one)]]
    assert not (job.workspace / "x").exists()


def test_an_unknown_command_is_refused(job: Job) -> None:
    """Nothing runs for a command that the action does not know, and the step fails."""
    used = job.use(command="revoke")
    assert used.failed
    assert "::error title=reconciler::the command is one of validate, access-diff, plan, apply and drift" in used.output
    assert not (job.temp / "arguments").exists()


def test_a_folder_that_is_not_there_is_said(job: Job) -> None:
    """An estate's folder that is wrong is named."""
    used = job.use(command="validate", estate="access")
    assert used.failed
    assert "there is no such folder: access" in used.output


def test_drift_is_told_what_the_last_run_found(job: Job) -> None:
    """The report that the workflow brought back is moved aside and given as --since; without one there is no such option."""
    job.use(command="drift")
    assert "--since" not in arguments(job)
    report = job.home / "reports/drift.json"
    report.write_text('{"last": true}')
    job.use(command="drift")
    last = arguments(job)[arguments(job).index("--since") + 1]
    assert json.loads(Path(last).read_text()) == {"last": True}
    assert json.loads(report.read_text()) == {}


def test_drift_writes_an_issue_where_it_is_told_to(job: Job) -> None:
    """With `issue` the command is to keep one, and has the workflow's token for it; no other command gets that token."""
    job.use(command="drift", issue="true")
    assert arguments(job)[:3] == ["--no-color", "drift", "--github-issue"]
    assert environment(job)["GITHUB_TOKEN"] == job.token
    for inputs in ({"command": "drift"}, {"command": "plan", "issue": "true"}):
        job.use(**inputs)
        assert "--github-issue" not in arguments(job)
        assert not {"GITHUB_TOKEN", "ISSUE_TOKEN"} & environment(job).keys()


# What becomes of the exit code


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 6, 130])
def test_the_exit_code_decides_the_step(job: Job, code: int) -> None:
    """0, 2 and 6 leave the step green, every other one makes it fail; each is an output, and said in words."""
    job.environ["STUB_EXIT"] = str(code)
    used = job.use(command="plan")
    assert used.failed == (code not in {0, 2, 6})
    assert used.outputs["exit-code"] == str(code)
    said = f"reconciler plan: exit code {code}: "
    assert said in job.summary.read_text()
    level = "notice" if code in {0, 2, 6} else "error"
    assert any(line.startswith(f"::{level} title=reconciler::{said}") for line in obeyed(used.output))


def test_the_meanings_are_the_tables() -> None:
    """What the action says of an exit code is what the documentation says of it."""
    said = dict(re.findall(r'^  (\d)\) meaning="(.*)" ;;$', (ACTION / "result.sh").read_text(), re.MULTILINE))
    documented = dict(re.findall(r"^\| (\d) \| (.*) \|$", all_exit_codes(), re.MULTILINE))
    assert said == documented


def test_accept_names_the_codes_that_succeed(job: Job) -> None:
    """A workflow may take more codes for success, or fewer; 0 always is."""
    job.environ["STUB_EXIT"] = "4"
    assert not job.use(command="plan", accept="2 4 6").failed
    assert job.use(command="plan", accept="2").failed
    job.environ["STUB_EXIT"] = "0"
    assert not job.use(command="plan", accept="2").failed


# Where reports go


def test_reports_reach_summary_and_code_scanning(job: Job) -> None:
    """The Markdown report is in the job's summary; a SARIF report is uploaded where asked for, also after a failure."""
    job.environ["STUB_EXIT"] = "1"
    used = job.use(command="plan", upload_sarif="true")
    assert job.summary.read_text().startswith("# plan\n")
    assert "github/codeql-action/upload-sarif" not in used.given
    sarif = job.home / "reports/plan.sarif"
    sarif.write_text("{}")
    given = job.use(command="plan", upload_sarif="true").given["github/codeql-action/upload-sarif"]
    assert given == {"sarif_file": str(sarif), "category": "reconciler-plan"}
    assert "github/codeql-action/upload-sarif" not in job.use(command="plan").given


def test_the_comment_holds_every_report_of_the_job(job: Job) -> None:
    """On a pull request the reports so far make one comment, posted with the workflow's token, though the plan failed."""
    job.event_name, job.event = "pull_request", {"pull_request": PROPOSED}
    job.use(command="access-diff", arguments="HEAD^1")
    job.environ["STUB_EXIT"] = "3"
    used = job.use(command="plan", comment="true")
    reports = job.home / "reports"
    assert used.failed
    assert arguments(job) == ["comment", "--pull-request", "7", f"{reports}/access-diff.md", f"{reports}/plan.md"]
    assert environment(job)["GITHUB_TOKEN"] == job.token
    (job.workspace / "west").mkdir()
    job.use(command="plan", comment="true", estate="west")
    assert arguments(job)[:5] == ["comment", "--pull-request", "7", "--name", "west"]


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("push", {}),
        ("pull_request", {"pull_request": {**PROPOSED, "head": {"repo": {"full_name": "mallory/access"}}}}),
        ("pull_request", {"pull_request": {**PROPOSED, "head": {"repo": None}}}),
    ],
    ids=["push", "fork", "fork-that-is-gone"],
)
def test_no_comment_without_a_pull_request_of_ours(job: Job, name: str, event: dict[str, object]) -> None:
    """Other events and forks, whose token could not write, get none."""
    job.event_name, job.event = name, event
    assert "Comment" not in job.use(command="plan", comment="true").printed


def test_a_job_without_reports_leaves_the_comment_alone(job: Job) -> None:
    """Where no command wrote a report, nothing is posted, and that is said."""
    job.event_name, job.event = "pull_request", {"pull_request": PROPOSED}
    used = job.use(command="revoke", comment="true")
    assert "no command has written a report" in used.printed["Comment"]
    assert not (job.temp / "arguments").exists()


# Credentials


def asks_for_tokens(job: Job, url: str) -> None:
    job.environ |= {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/token?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN,
        "ACTIONS_RUNTIME_TOKEN": "the-runtime-token",
    }


def test_only_the_reconciler_gets_the_token(documented_ci: Documented, job: Job) -> None:
    """The ID token is asked for with the audience, and masked. What could ask for more is kept from the reconciler."""
    issuer = documented_ci.issuers["jwt"]
    issuer.job = github()
    asks_for_tokens(job, issuer.url)
    job.environ["GITHUB_TOKEN"] = job.token
    used = job.use(command="plan", vault_audience=AUDIENCE)
    assert parse_qs(urlsplit(issuer.asked[-1]).query) == {"api-version": ["2.0"], "audience": [AUDIENCE]}
    token = environment(job)["VAULT_JWT"]
    assert token.count(".") == 2
    assert f"::add-mask::{token}" in obeyed(used.printed["Run"])
    assert used.output.count(token) == 1
    assert not [name for name in environment(job) if name.startswith("ACTIONS_") or name == "GITHUB_TOKEN"]
    assert REQUEST_TOKEN not in used.output


def test_without_an_audience_no_token_is_asked_for(documented_ci: Documented, job: Job) -> None:
    """A job that names no audience holds no token, even where it could get one."""
    issuer = documented_ci.issuers["jwt"]
    asks_for_tokens(job, issuer.url)
    before = list(issuer.asked)
    job.use(command="validate")
    assert issuer.asked == before
    assert "VAULT_JWT" not in environment(job)


def test_a_fork_is_told_that_it_gets_no_token(job: Job) -> None:
    """Where GitHub gives out no tokens the command does not run, and the message says what is missing."""
    used = job.use(command="plan", vault_audience=AUDIENCE)
    assert used.failed
    assert "it needs 'permissions: id-token: write', and a pull request from a fork never gets one" in used.output
    assert not (job.temp / "arguments").exists()
    assert used.outputs["exit-code"] == ""


def test_a_refused_request_for_a_token_ends_the_step(documented_ci: Documented, job: Job) -> None:
    """When the endpoint says no, the command does not run."""
    asks_for_tokens(job, documented_ci.issuers["jwt"].url)
    job.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "another"
    used = job.use(command="plan", vault_audience=AUDIENCE)
    assert used.failed
    assert "no ID token, so no login to Vault" in used.output
    assert not (job.temp / "arguments").exists()


# The whole way, with the reconciler itself


class Estate:
    """An estate in a repository, its tenant an emulator, its Vault set up by the documentation."""

    def __init__(self, folder: Path, documented: Documented, trend: Trend) -> None:
        self.repository = Repository.make(folder)
        self.documented = documented
        self.trend = trend
        for name in ("plan", "apply"):
            credential = {"data": {**trend.credentials, "endpoint": trend.endpoint}}
            documented.server.request("POST", f"secret/data/reconciler-credentials/dsm-prod/{name}", credential)
        self.base = self.repository.commit(
            **{
                "reconciler.yaml": f"""\
apiVersion: reconciler/v1
kind: Estate
metadata: {{name: acme}}
spec:
  id: {uuid4()}
  vault:
    address: https://vault.example.com:8200
    auth:
      plan: {{jwt: {{role: reconciler-plan}}}}
      apply: {{jwt: {{role: reconciler-apply}}}}
""",
                "tenant.yaml": f"""\
apiVersion: reconciler/v1
kind: Tenant
metadata: {{name: dsm-prod}}
spec:
  provider: trend-workload-security
  endpoint: {trend.endpoint}
  credentials:
    plan: {{vault: {{path: reconciler-credentials/dsm-prod/plan}}}}
    apply: {{vault: {{path: reconciler-credentials/dsm-prod/apply}}}}
---
apiVersion: reconciler/v1
kind: AccessLevel
metadata: {{name: read, tenant: dsm-prod}}
spec:
  description: Read computers
  permissions: {{platformRights: {{computerRights: {{canViewOtherComputers: true}}}}}}
""",
            }
        )
        self.repository.git("update-ref", "refs/remotes/origin/main", self.base)

    def propose(self, name: str, **files: str) -> None:
        """Commit a key, and other files, on top of the default branch, and check the merge of it out."""
        text = f"""\
apiVersion: reconciler/v1
kind: ApiKey
metadata: {{name: {name}, tenant: dsm-prod, owner: secops@example.com}}
spec: {{description: 'Key ::error::{name}', accessLevel: read}}
"""
        self.repository.commit(**{f"{name}.yaml": text, **files})

    def job(self, temp: Path, claims: dict[str, object] | None = None) -> Job:
        """A job on this workspace, with an ID token for these claims to be had."""
        job = Job(self.repository.folder, temp)
        job.installed()
        job.environ["VAULT_ADDR"] = self.documented.server.address
        if claims is not None:
            issuer = self.documented.issuers["jwt"]
            issuer.job = claims
            asks_for_tokens(job, issuer.url)
        return job

    def secret(self, name: str) -> str:
        """The issued secret, as its consumer reads it."""
        found = self.documented.server.request("GET", f"secret/data/security-keys/dsm-prod/{name}")
        return str(found["data"]["data"]["secretKey"])

    def names(self) -> set[str]:
        """The names of the keys at the vendor."""
        return {key["keyName"] for key in list(self.trend.keys())}


@pytest.fixture
def estate(tmp_path: Path, documented_ci: Documented, make_trend: Callable[..., Trend]) -> Estate:
    trend = make_trend()
    trend.clock.advance(datetime.now(UTC) - trend.clock.now())
    return Estate(tmp_path / "estate", documented_ci, trend)


TRUSTED = "--trusted-ref=refs/remotes/origin/main"


def planned(estate: Estate, job: Job, **inputs: str) -> Used:
    return job.use(command="plan", vault_audience=AUDIENCE, arguments=TRUSTED, **inputs)


def test_a_pull_request_is_planned_and_what_was_merged_applied(estate: Estate, tmp_path: Path) -> None:
    """A job of the pull request plans with its own token; the merged commit's plan is applied by the environment's job."""
    estate.propose("splunk")
    review = estate.job(tmp_path / "review", github())
    assert not review.use(command="validate").failed
    used = planned(estate, review)
    assert not used.failed, used.output
    assert used.outputs["exit-code"] == "2"
    assert "splunk" in review.summary.read_text()
    assert json.loads((review.home / "reports/plan.sarif").read_text())["version"] == "2.1.0"
    assert "splunk" not in estate.names()

    merged = estate.job(tmp_path / "merged", github("push", "apply"))
    plan = tmp_path / "merged.plan.json"
    assert merged.use(command="plan", vault_audience=AUDIENCE, plan_file=str(plan)).outputs["exit-code"] == "2"
    production = estate.job(tmp_path / "production", github("push", "apply", "production"))
    used = production.use(command="apply", vault_audience=AUDIENCE, plan_file=str(plan))
    assert not used.failed, used.output
    assert used.outputs["exit-code"] == "0"
    assert "splunk" in estate.names()
    assert estate.secret("splunk") in estate.trend.issued

    again = estate.job(tmp_path / "again", github("push", "apply"))
    assert again.use(command="plan", vault_audience=AUDIENCE).outputs["exit-code"] == "0"
    written = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    text = "".join(path.read_text("utf-8", errors="replace") for path in written) + used.output
    assert not [secret for secret in (*estate.trend.issued, estate.trend.credentials["secretKey"]) if secret in text]


def test_a_fork_is_told_what_it_means_for_access(estate: Estate, tmp_path: Path) -> None:
    """The access diff of what would be merged needs no token, and is in the job's summary."""
    estate.propose("splunk")
    review = estate.job(tmp_path / "review")
    used = review.use(command="access-diff", arguments="HEAD^1")
    assert used.outputs["exit-code"] == "0", used.output
    assert "splunk" in review.summary.read_text()


def test_a_schedule_finds_drift(estate: Estate, tmp_path: Path) -> None:
    """Drift is found with the planning identity and leaves the job green; the next run is told what was known."""
    estate.propose("nightly")
    production = estate.job(tmp_path / "production", github("push", "apply", "production"))
    assert production.use(command="apply", vault_audience=AUDIENCE).outputs["exit-code"] == "0"

    nightly = estate.job(tmp_path / "nightly", github("schedule", "drift"))
    used = nightly.use(command="drift", vault_audience=AUDIENCE)
    assert used.outputs["exit-code"] == "0", used.output
    [key] = [key["ID"] for key in list(estate.trend.keys()) if key["keyName"] == "nightly"]
    assert estate.trend.call("DELETE", f"/apikeys/{key}").status == 200
    used = nightly.use(command="drift", vault_audience=AUDIENCE)
    assert used.outputs["exit-code"] == "2"
    assert not used.failed, used.output
    assert (nightly.home / "last.json").exists()
    assert "nightly" in nightly.summary.read_text()


def test_a_pull_request_cannot_apply(estate: Estate, tmp_path: Path) -> None:
    """A proposal's job that calls apply is refused by Vault: exit code 1, a red step, nothing at the vendor."""
    estate.propose("mine")
    job = estate.job(tmp_path / "job", github())
    used = job.use(command="apply", vault_audience=AUDIENCE)
    assert used.failed
    assert used.outputs["exit-code"] == "1"
    assert "Vault refused the login of the apply identity" in used.output
    assert "mine" not in estate.names()


def test_a_fork_can_validate_and_nothing_else(estate: Estate, tmp_path: Path) -> None:
    """Without any token a proposal is still validated; a plan of it does not start."""
    estate.propose("theirs")
    job = estate.job(tmp_path / "job")
    assert not job.use(command="validate").failed
    assert planned(estate, job).failed


@pytest.mark.promise(6)
def test_promise_6_a_hostile_proposal_runs_nothing_and_sends_nothing(estate: Estate, tmp_path: Path) -> None:
    """A proposal's modules, settings and addresses are not used: it is planned with the default branch's Vault."""
    code = f"open({str(tmp_path / 'owned')!r}, 'a').write(__file__)\n"
    names = [
        "yaml",
        "json",
        "pip",
        "venv",
        "ensurepip",
        "requests",
        "hvac",
        "reconciler",
        "sitecustomize",
        "usercustomize",
    ]
    settings = (estate.repository.folder / "reconciler.yaml").read_text()
    elsewhere = settings.replace("vault.example.com:8200", "vault.mallory.example").replace(
        "{role: reconciler-plan}", "{role: mine}"
    )
    assert elsewhere.count("mallory") == elsewhere.count("role: mine") == 1
    files = {f"{name}.py": code for name in names} | {".curlrc": "proxy = http://127.0.0.1:9\n"}
    estate.propose("harmless", **files, **{"reconciler.yaml": elsewhere})
    used = planned(estate, estate.job(tmp_path / "job", github()))
    assert not (tmp_path / "owned").exists()
    assert used.outputs["exit-code"] == "2", used.output
    assert "differs from refs/remotes/origin/main" in used.output


def test_installing_takes_nothing_from_the_workspace(tmp_path: Path) -> None:
    """Python's own modules are not looked for in the proposal's folder while the environment is made."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    for name in ("pip", "venv", "ensurepip", "json", "subprocess", "sitecustomize"):
        (workspace / f"{name}.py").write_text(f"open({str(tmp_path / 'owned')!r}, 'a').write(__file__)\n")
    done = subprocess.run(
        ["bash", str(ACTION / "install.sh")], cwd=workspace, capture_output=True, text=True, check=False,
        env={
            "PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHON": sys.executable, "PIP_NO_INDEX": "1",
            "GITHUB_ACTION_PATH": str(ACTION), "RUNNER_TEMP": str(tmp_path),
        },
    )  # fmt: skip
    assert (tmp_path / "reconciler/venv/bin/python").exists()
    assert "No matching distribution found" in done.stderr  # it was to install, and there was no index
    assert done.returncode != 0
    assert not (tmp_path / "reconciler/installed").exists()
    assert not (tmp_path / "owned").exists()


def test_what_the_reconciler_says_gives_the_runner_no_commands(job: Job) -> None:
    """Lines that begin with `::` in the output of the command are not obeyed; the action's own are."""
    stub = job.home / "venv/bin/reconciler"
    stub.unlink()
    stub.write_text("#!/usr/bin/env bash\necho '::add-mask::a'\necho '::error::from a manifest'\nprintf 'no newline'\n")
    stub.chmod(0o755)
    used = job.use(command="plan")
    assert "::error::from a manifest" in used.output
    assert [line.split("::")[1] for line in obeyed(used.output)] == ["notice title=reconciler"]
