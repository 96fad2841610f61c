"""Policies end to end: denials stop plan and apply, only waivers let pass, and a pull request does not judge itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.openbao import Naps
from tests.support.repository import Repository
from tests.support.world import ESTATE_ID, Run, World

POLICY = """
apiVersion: reconciler/v1
kind: Policy
metadata: {name: acme}
spec:
  rules:
    - id: named-well
      severity: SEVERITY
      assert: key.name != "splunk"
      message: "{{ key.name }} is no good name"
      hint: choose another
"""
WAIVER = """
apiVersion: reconciler/v1
kind: Waiver
metadata: {name: w, tenant: dsm}
spec: {rule: named-well, object: ApiKey/splunk, reason: it was there first, approver: ciso@example.com, until: UNTIL}
"""


def policy(world: World, severity: str = "deny") -> None:
    world.write("policy.yaml", POLICY.replace("SEVERITY", severity))


def waiver(world: World, until: str = "2999-01-01") -> None:
    world.write("waiver.yaml", WAIVER.replace("UNTIL", until))


@pytest.fixture
def estate(world: World, naps: Naps) -> World:
    """Two keys, of which one violates the policy, and a second tenant in which nothing is wrong."""
    world.settings()
    for name in ("dsm", "other"):
        world.tenant(name)
        world.level(tenant=name)
        world.key("fine", name)
    world.key("splunk")
    return world


def told(run: Run) -> list[str]:
    return [" ".join(line.split()) for line in run.all.splitlines() if "policy/" in line]


DENIED = "stopped policy/named-well: dsm/ApiKey/splunk: splunk is no good name"


@pytest.mark.promise(4)
@pytest.mark.parametrize("target", [(), ("--target", "dsm/fine"), ("--target", "other")], ids=["all", "key", "tenant"])
@pytest.mark.parametrize(
    "command", [("plan",), ("plan", "--detailed-exitcode"), ("apply", "--auto-approve")], ids=" ".join
)
def test_promise_4_a_denial_stops_everything(estate: World, command: tuple[str, ...], target: tuple[str, ...]) -> None:
    """Exit code 3 and nothing issued, whatever is targeted: all keys of the estate are looked at."""
    policy(estate)
    done = estate.run(*command, *target)
    assert done.status == 3
    assert told(done)[0].startswith(DENIED)
    assert all(estate.names(tenant) == [] for tenant in ("dsm", "other"))


@pytest.mark.promise(4)
@pytest.mark.parametrize("name", ["policy/named-well", "named-well:dsm", "policy/named-well:dsm", ""])
def test_promise_4_no_allow_lets_it_pass(estate: World, name: str) -> None:
    """`--allow` knows no policy: it is wrong usage, and nothing is done."""
    policy(estate)
    done = estate.run("apply", "--auto-approve", "--allow", name)
    assert (done.status, estate.names()) == (1, [])
    assert "no guardrail stops this run under that name" in done.err


def test_a_warning_stops_nothing(estate: World) -> None:
    """It is told by plan and apply, and both go on."""
    policy(estate, "warn")
    assert told(estate.plan()) == [
        "warning policy/named-well: dsm/ApiKey/splunk: splunk is no good name (choose another)"
    ]
    done = estate.run("apply", "--auto-approve")
    assert (done.status, sorted(estate.names())) == (0, ["fine", "splunk"])
    assert len(told(done)) == 1


def test_a_waiver_lets_it_pass_until_it_ends(estate: World) -> None:
    """Only while it lasts; one that has ended is a finding beside the denial."""
    policy(estate)
    waiver(estate)
    done = estate.run("plan")
    assert (done.status, told(done)) == (0, [])
    waiver(estate, "2020-01-01")
    done = estate.run("plan")
    assert done.status == 3
    assert [line.split(":")[0] for line in told(done)] == ["stopped policy/named-well", "warning policy/expired-waiver"]


def test_a_saved_plan_is_judged_again(estate: World, tmp_path: Path) -> None:
    """What was allowed when it was planned is denied when it is applied, if a policy says so by then."""
    saved = str(tmp_path / "p.plan")
    assert estate.run("plan", "--out", saved).status == 0
    policy(estate)
    done = estate.run("apply", saved, "--auto-approve")
    assert (done.status, estate.names()) == (3, [])
    assert told(done)[0].startswith(DENIED)
    waiver(estate)
    assert estate.run("apply", saved, "--auto-approve").status == 0
    assert sorted(estate.names()) == ["fine", "splunk"]


def test_json_has_the_findings(estate: World) -> None:
    """With rule, place and hint; each tenant's own code says which one is stopped."""
    policy(estate)
    done = estate.run("plan", "--format", "json")
    [found] = done.json["findings"]
    assert (found["rule"], found["tenant"], found["object"], found["denies"], found["allow"]) == (
        "policy/named-well", "dsm", "ApiKey/splunk", True, None,
    )  # fmt: skip
    assert found["source"].endswith("dsm-splunk.yaml:1:1")
    assert {one["tenant"]: one["exitCode"] for one in done.json["tenants"]} == {"dsm": 3, "other": 0}
    assert done.status == 3


@pytest.mark.parametrize("command", [("plan",), ("validate",)], ids=" ".join)
def test_code_scanning_knows_the_rule(estate: World, command: tuple[str, ...]) -> None:
    """SARIF has the finding at the key's place, under the rule's name, with the rule's own description."""
    policy(estate)
    log = estate.run(*command, "--format", "sarif").json["runs"][0]
    [found] = [one for one in log["results"] if one["ruleId"].startswith("policy/")]
    place = found["locations"][0]["physicalLocation"]
    assert (found["ruleId"], place["artifactLocation"]["uri"]) == ("policy/named-well", "keys/dsm-splunk.yaml")
    [rule] = [one for one in log["tool"]["driver"]["rules"] if one["id"] == "policy/named-well"]
    assert "named-well" in rule["shortDescription"]["text"]


def test_what_the_vendor_knows(estate: World) -> None:
    """A rule sees the planned change, and after the apply when the key was used last."""
    estate.write(
        "policy.yaml",
        """
        apiVersion: reconciler/v1
        kind: Policy
        metadata: {name: acme}
        spec:
          rules:
            - id: no-new
              severity: deny
              assert: '!("create" in change.kinds)'
              message: new keys wait
            - id: seen
              severity: warn
              match: observed.exists
              assert: observed.lastUsed == null
              message: used {{ observed.lastUsed }}
        """,
    )
    assert estate.run("plan").status == 3
    estate.settings("policy: {rules: {no-new: {severity: off}}}")
    estate.apply()
    lines = told(estate.run("plan"))  # each new secret was tried
    assert [line.rpartition(" ")[0] for line in lines] == [
        f"warning policy/seen: {key}: used" for key in ("dsm/ApiKey/fine", "dsm/ApiKey/splunk", "other/ApiKey/fine")
    ]


def test_many_warnings_are_folded(estate: World) -> None:
    """Three of a rule are told in text; all of them are in JSON."""
    for number in range(4):
        estate.key(f"k{number}")
    estate.settings("policy: {builtin: warn}")
    lines = told(estate.plan())
    rotation = [line for line in lines if "rotation-within" in line]
    assert len(rotation) == 4
    assert rotation[-1] == "warning policy/rotation-within: 4 more; --format json has them"
    found = estate.plan("--format", "json").json["findings"]
    assert sum(one["rule"] == "policy/rotation-within" for one in found) == 7


def test_validate_tells_what_it_can(estate: World) -> None:
    """Violations are warnings at the key's place: valid is valid. A file by itself is told of its own keys."""
    policy(estate)
    done = estate.run("validate")
    assert done.status == 0
    [line] = told(done)
    assert (
        "keys/dsm-splunk.yaml:1:1: warning: policy/named-well: dsm/ApiKey/splunk: splunk is no good name (plan denies it)"
        in line
    )
    assert len(told(estate.run("validate", "keys/dsm-splunk.yaml"))) == 1
    assert told(estate.run("validate", "keys/dsm-fine.yaml")) == []
    assert [one["code"] for one in estate.run("validate", "--format", "json").json["problems"]] == ["policy/named-well"]


def test_explain_policy(world: World) -> None:
    """The built-in rules are listed, and each is explained with its expression and parameters."""
    listed = world.run("explain", "policy/")
    assert "policy/ip-restriction    Where the product can restrict" in listed.out
    one = world.run("explain", "policy/unused")
    assert "now - observed.lastUsed <= params.within" in one.out
    assert "within: 90d" in one.out
    assert "told by plan and apply only" in one.out
    wrong = world.run("explain", "policy/unusd")
    assert (wrong.status, "did you mean 'unused'?" in wrong.err) == (1, True)


# --- pull requests ------------------------------------------------------------------------------------------------------


@pytest.fixture
def reviewed(estate: World) -> Repository:
    """The policy is on main."""
    policy(estate)
    repository = Repository.make(estate.folder)
    repository.commit()
    return repository


def findings(run: Run) -> list[str]:
    return [line for line in run.err.splitlines() if line.startswith("finding: ")]


@pytest.mark.promise(4)
@pytest.mark.parametrize("how", ["loosened", "removed", "waived", "switched off"])
@pytest.mark.parametrize("command", ["plan", "apply"])
def test_promise_4_a_pull_request_does_not_judge_itself(
    estate: World, reviewed: Repository, how: str, command: str
) -> None:
    """What it changes of policies and waivers changes nothing, and is told; what was reviewed denies."""
    match how:
        case "loosened":
            policy(estate, "warn")
            expected = 'finding: policy rule "named-well" differs from main: the one of main counts'
        case "removed":
            estate.remove("policy.yaml")
            expected = 'finding: policy rule "named-well" is in main and not here: it counts'
        case "waived":
            waiver(estate)
            expected = 'finding: waiver "dsm/w" is not in main: it does not count'
        case _:
            estate.settings("policy: {rules: {named-well: {severity: off}}}")
            expected = 'finding: policy rule "named-well" is in main and not here: it counts'
    args = (command, *(["--auto-approve"] if command == "apply" else []))
    done = estate.run(*args, "--trusted-ref", "main")
    assert (done.status, estate.names()) == (3, [])
    assert findings(done) == [expected]
    assert told(done)[-1].startswith(DENIED)
    assert estate.run("plan").status == 0  # by its own rules it would have passed


def test_a_merged_waiver_counts(estate: World, reviewed: Repository) -> None:
    """Once it is on main it lets the key pass, and nothing differs."""
    waiver(estate)
    reviewed.commit()
    done = estate.run("plan", "--trusted-ref", "main")
    assert (done.status, findings(done)) == (0, [])


def test_a_new_rule_of_a_pull_request_waits(estate: World, reviewed: Repository) -> None:
    """It is told, and does not count yet."""
    estate.remove("keys/dsm-splunk.yaml")
    text = (
        POLICY.replace("SEVERITY", "deny")
        .replace("named-well", "none-at-all")
        .replace('key.name != "splunk"', "1 == 2")
    )
    estate.write("more.yaml", text.replace("name: acme", "name: more"))
    done = estate.run("plan", "--trusted-ref", "main", "--format", "json")
    assert done.status == 0
    [one] = done.json["trusted"]["findings"]
    assert (one["rule"], one["subject"]) == ("trust/policy", "Policy/none-at-all")
    assert one["message"] == 'finding: policy rule "none-at-all" is not in main: it does not count'


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (POLICY.replace("SEVERITY", "deny").replace("key.name", "key.nme"), "there is no variable or function key.nme"),
        (POLICY.replace("SEVERITY", "block"), "severity must be deny or warn"),
        (WAIVER.replace("UNTIL", "soon"), "must be a date or a time"),
    ],
)
def test_a_trusted_rule_that_cannot_be_read_ends_the_run(
    estate: World, reviewed: Repository, text: str, what: str
) -> None:
    """A rule that is left out would let pass what it is there to deny."""
    estate.write("policy.yaml", text)
    reviewed.commit()
    policy(estate)
    done = estate.run("plan", "--trusted-ref", "main")
    assert done.status == 1
    assert what in " ".join(done.err.split())
    assert "main:policy.yaml:1:1" in done.err
    assert "have it mended there first" in done.err


def test_starting_needs_no_expression_language(tmp_path: Path) -> None:
    """Who has no policies does not pay for them: neither help nor the validation of an estate loads the library."""
    (tmp_path / "reconciler.yaml").write_text(
        f"apiVersion: reconciler/v1\nkind: Estate\nmetadata: {{name: a}}\nspec: {{id: {ESTATE_ID}}}\n", encoding="utf-8"
    )
    code = (
        "import sys; from reconciler.cli.run import run; run(['--help']); run(['validate', sys.argv[1]]); "
        "sys.exit('cel_expr_python' in sys.modules or 'reconciler.policy.evaluate' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, check=False)
    assert done.returncode == 0
