"""`reconciler drift`: its classes at emulated vendors and a real OpenBao, exit codes, `--since`, and whom it tells."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families

from reconciler.report import shapes
from tests.support.carbonblack import CarbonBlack
from tests.support.github import BOT, TOKEN, Hook, Hub
from tests.support.openbao import Naps
from tests.support.world import Run, World

SCHEMA = Draft202012Validator(shapes.schema("drift", closed=True))
UNMANAGED = ["drift/unmanaged"]


@pytest.fixture
def estate(world: World, naps: Naps) -> World:
    """One tenant with one level and one key, applied."""
    world.tenant()
    world.level()
    world.key()
    assert world.apply().status == 0
    return world


def found(world: World, *args: str) -> list[str]:
    """The rules that a run finds, and that its JSON is as its schema says."""
    done = world.run("drift", "--format", "json", *args)
    SCHEMA.validate(done.json)
    rules = [one["rule"] for tenant in done.json["tenants"] for one in tenant.get("findings", ())]
    away = [tenant for tenant in done.json["tenants"] if "error" in tenant]
    assert done.status == (4 if away and len(away) < len(done.json["tenants"]) else 1 if away else 2 if rules else 0)
    return rules


# --- classes ------------------------------------------------------------------------------------------------------------


def test_in_sync(estate: World) -> None:
    """Right after an apply there is nothing: exit code 0, and no write of any kind."""
    before = dict(estate.trends["dsm"].requests)
    done = estate.run("drift")
    assert (done.status, done.out) == (0, "Drift: in sync (1 tenant)\n")
    sent = {call for call, count in estate.trends["dsm"].requests.items() if count != before.get(call, 0)}
    assert all(call.startswith("GET ") or call.endswith("/search") for call in sent), sent


def test_changed_at_the_vendor(estate: World) -> None:
    """Old and new, field by field; an apply puts it back, and then there is no drift."""
    estate.trends["dsm"].edit_key("splunk", timeZone="Asia/Tokyo")
    assert found(estate) == ["drift/changed"]
    shown = estate.run("drift")
    assert "low ApiKey/splunk drift/changed: options.timeZone was changed at the vendor" in shown.out
    assert "options.timeZone  Etc/UTC → Asia/Tokyo" in shown.out
    assert shown.out.endswith("Drift: 1 finding: 1 changed (1 tenant)\n")
    assert estate.apply().status == 0
    assert found(estate) == []


def test_a_level_changed_at_the_vendor(estate: World) -> None:
    """What keys may do has been widened behind our back."""
    estate.trends["dsm"].edit_role("read", granted=frozenset({"computerRights.canEditComputerProperties"}))
    assert set(found(estate)) == {"drift/changed"}
    shown = estate.run("drift").out
    assert "high AccessLevel/read drift/changed: permissions." in shown


def test_what_git_wants_is_no_drift(estate: World) -> None:
    """A changed description, a new key, a removed one: pending, and exit code 0."""
    estate.key(description="Another text")
    estate.key("new")
    done = estate.run("drift")
    assert done.status == 0
    assert "ApiKey/splunk: description changed in Git: no drift" in done.out
    assert "ApiKey/new: create is pending: no drift" in done.out
    assert done.out.endswith("Drift: in sync; 2 changes in Git pending (1 tenant)\n")
    estate.remove("keys/dsm-splunk.yaml")
    assert found(estate) == []


def test_both_at_once(estate: World) -> None:
    """One field changed in Git, another at the vendor: each is told for what it is."""
    estate.key(description="Another text")
    estate.trends["dsm"].edit_key("splunk", timeZone="Asia/Tokyo")
    done = estate.run("drift", "--format", "json")
    (tenant,) = done.json["tenants"]
    assert [one["changes"][0]["field"] for one in tenant["findings"]] == ["options.timeZone"]
    assert [one["what"] for one in tenant["pending"]] == ["description changed in Git"]


def test_missing_and_unmanaged(estate: World) -> None:
    """A key that is gone, and one that nobody declared."""
    estate.trends["dsm"].delete_key("splunk")
    assert found(estate) == ["drift/missing"]
    estate.apply()
    estate.trends["dsm"].add_key("shadow")
    assert found(estate) == ["drift/unmanaged"]


def test_secrets(estate: World) -> None:
    """Gone from Vault, and written over by somebody else."""
    estate.put("keys/dsm/splunk", {"secretKey": "theirs"})
    assert found(estate) == ["drift/secret-changed"]
    estate.bao.request("DELETE", f"{estate.kv}/data/keys/dsm/splunk")
    assert found(estate) == ["drift/secret-missing"]


def test_time(estate: World) -> None:
    """Rotation overdue, a key that nobody uses, an end that is near, one that has passed."""
    day = timedelta(days=1)
    estate.key(rotation="{every: 90d}")
    estate.apply()
    estate.age(100)
    assert found(estate) == ["drift/rotation-overdue"]
    used = int((datetime.now(UTC) - 95 * day).timestamp() * 1000)
    estate.trends["dsm"].edit_key("splunk", lastSignIn=used)
    assert found(estate) == ["drift/rotation-overdue", "drift/unused"]
    assert found(estate, "--unused", "0") == found(estate, "--unused", "96") == ["drift/rotation-overdue"]
    estate.key(expires=f"{datetime.now(UTC) + 10 * day:%Y-%m-%d}")
    estate.apply()
    assert found(estate, "--unused", "0") == ["drift/expiring"]
    assert found(estate, "--unused", "0", "--expiring", "5") == []
    estate.key(expires=f"{datetime.now(UTC) - 2 * day:%Y-%m-%d}")
    assert "drift/expired-alive" in found(estate, "--unused", "0")


def test_a_revoked_key_that_lives(estate: World) -> None:
    """Somebody has made the key of a tombstone again; and what a dead run left."""

    def revoke(state: dict[str, Any]) -> None:
        state["objects"]["ApiKey/splunk"]["revoked"] = {"at": "2026-01-01T00:00:00Z", "by": "me", "reason": "leaked"}

    estate.edit_state(revoke)
    assert found(estate) == ["drift/revoked-alive"]


def test_a_state_that_was_lost(estate: World) -> None:
    """Nothing can be told but that."""
    estate.bao.request("DELETE", f"{estate.kv}/metadata/reconciler/5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11/dsm")
    assert found(estate) == ["drift/state-missing"]


LEVEL = """
apiVersion: reconciler/v1
kind: Tenant
metadata: {{name: cbc}}
spec:
  provider: carbon-black-cloud
  endpoint: {endpoint}
  credentials: {{vault: {{mount: {kv}, path: credentials/cbc}}}}
  secrets: {{mount: {kv}, path: "keys/{{tenant}}/{{key}}"}}
  options: {options}
  onRemoval: delete
---
apiVersion: reconciler/v1
kind: EndpointMap
metadata: {{name: emulator}}
spec: {map}
---
apiVersion: reconciler/v1
kind: AccessLevel
metadata: {{name: alerts-read, tenant: cbc}}
spec: {{description: Alerts, permissions: {{org.alerts: [READ]}}}}
---
apiVersion: reconciler/v1
kind: ApiKey
metadata: {{name: splunk, tenant: cbc, owner: secops@example.com}}
spec: {{description: Ingestion, accessLevel: alerts-read}}
"""


@pytest.fixture
def cloud(world: World, naps: Naps, make_carbonblack: Callable[..., CarbonBlack]) -> CarbonBlack:
    """A Carbon Black organisation with one key, applied. Its own old SIEM key is in no manifest."""
    vendor = make_carbonblack()
    vendor.clock.advance(datetime.now(UTC) - vendor.clock.now())
    world.put("credentials/cbc", {**vendor.credentials, "endpoint": vendor.endpoint})
    filled = LEVEL.format(
        endpoint=vendor.endpoint,
        kv=world.kv,
        options=json.dumps(vendor.console_options),
        map=json.dumps(vendor.endpoint_map),
    )
    world.write("cbc.yaml", filled)
    assert world.apply().status == 0
    return vendor


def test_who_and_when(world: World, cloud: CarbonBlack) -> None:
    """Carbon Black's audit log tells who edited the key; and the deprecated one is unmanaged and deprecated."""
    assert found(world) == ["drift/deprecated", "drift/unmanaged"]
    key = cloud.key_id(next(one.name for one in cloud.keys().values() if one.name.startswith("splunk")))
    cloud.click_edit_key(key, description="changed by \x1b[2J hand")
    asked = cloud.requests["POST /audit_log/v1/orgs/{org_key}/logs/_search"]
    done = world.run("drift", "--format", "json")
    (tenant,) = done.json["tenants"]
    changed = [one for one in tenant["findings"] if one["rule"] == "drift/changed"]
    assert {one["figures"]["by"] for one in changed} == {"admin@example.com"}
    assert datetime.fromisoformat(changed[0]["figures"]["at"]) <= datetime.now(UTC) + timedelta(minutes=1)
    assert f"Updated API ID {key}" in changed[0]["message"]
    assert cloud.requests["POST /audit_log/v1/orgs/{org_key}/logs/_search"] == asked + 1
    assert "\x1b" not in world.run("drift").all


def test_an_audit_log_that_may_not_be_read(world: World, cloud: CarbonBlack) -> None:
    """Then nobody is named, and drift is drift."""
    key = next(one for one in cloud.keys().values() if one.name.startswith("splunk"))
    cloud.take_away(key.id)
    cloud.faults.inject("forbidden", path="/audit_log/v1/orgs/{org_key}/logs/_search", times=None)
    done = world.run("drift")
    assert done.status == 2
    assert "drift/changed: state was changed at the vendor" in done.out
    assert "audit" not in done.out


# --- exit codes ---------------------------------------------------------------------------------------------------------


def test_a_tenant_that_cannot_be_read_is_neither(estate: World) -> None:
    """Alone it is an error; beside others that could be read it is 4, whether those have drift or not."""
    estate.trends["dsm"].faults.inject("unauthorized", times=None)
    done = estate.run("drift", "--format", "json")
    assert done.status == 1
    (tenant,) = done.json["tenants"]
    assert tenant["exitCode"] == 1
    assert "findings" not in tenant
    estate.tenant("west")
    estate.level(tenant="west")
    assert found(estate) == []
    estate.trends["west"].add_key("shadow")
    assert found(estate) == UNMANAGED
    done = estate.run("drift")
    assert done.out.endswith(
        "Drift: 1 finding: 1 unmanaged; 1 change in Git pending (2 tenants, 1 of them could not be read)\n"
    )
    codes = {one["tenant"]: one["exitCode"] for one in estate.run("drift", "--format", "json").json["tenants"]}
    assert codes == {"dsm": 1, "west": 2}


@pytest.mark.parametrize("args", [["--target", "nowhere"], ["--since", "none.json"], ["--expiring", "x"]])
def test_wrong_usage(estate: World, args: list[str]) -> None:
    """It is an error, and never drift."""
    assert estate.run("drift", *args).status == 1


def test_help_lists_exit_codes(world: World) -> None:
    """0, 1, 2 and 4."""
    shown = world.run("drift", "--help").out
    assert [line.split()[0] for line in shown.partition("Exit codes:")[2].splitlines() if line] == ["0", "1", "2", "4"]


def test_formats(estate: World) -> None:
    """Every format from one run: findings on their manifest's line, a failed case each."""
    estate.trends["dsm"].edit_key("splunk", timeZone="Asia/Tokyo")
    done = estate.run("drift", "--format", "markdown", "--report", "sarif=d.sarif", "--report", "junit=d.xml")
    assert "`Etc/UTC` → `Asia/Tokyo`" in done.out
    (result,) = json.loads((estate.folder / "d.sarif").read_text())["runs"][0]["results"]
    assert result["ruleId"] == "drift/changed"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "keys/dsm-splunk.yaml"
    assert 'failures="1"' in (estate.folder / "d.xml").read_text()


def test_targets(estate: World) -> None:
    """Only that object; what is unmanaged is none."""
    estate.key("jira")
    assert estate.apply().status == 0
    estate.trends["dsm"].edit_key("splunk", timeZone="Asia/Tokyo")
    estate.trends["dsm"].edit_key("jira", timeZone="Asia/Tokyo")
    estate.trends["dsm"].add_key("shadow")
    assert found(estate, "--target", "dsm/jira") == ["drift/changed"]
    assert len(found(estate, "--target", "dsm")) == 3
    unknown = estate.run("drift", "--target", "dsm/none")
    assert (unknown.status, "which tenant dsm does not have" in unknown.err) == (1, True)


# --- ignoreDrift --------------------------------------------------------------------------------------------------------


def test_ignore_drift(estate: World) -> None:
    """Counted, not found; an apply repairs what is beside it and leaves it; when its time is over it is drift again."""
    ignoring = "[{fields: [options.timeZone, description], reason: support, until: 2099-12-31}]"
    estate.key(ignoreDrift=ignoring)
    estate.trends["dsm"].edit_key("splunk", timeZone="Asia/Tokyo", locale="ja-JP")
    assert found(estate) == ["drift/changed"]
    done = estate.run("drift")
    assert "; 1 ignored until 2099-12-31 (1 tenant)" in done.out
    assert "1 ignored until 2099-12-31: ApiKey/splunk options.timeZone" in done.out
    assert estate.apply().status == 0
    (key,) = [one for one in list(estate.trends["dsm"].keys()) if one["keyName"] == "splunk"]
    assert (key["timeZone"], key["locale"]) == ("Asia/Tokyo", "en-US")
    assert estate.plan().status == 0
    assert "options.timeZone: left as found until 2099-12-31: support" in estate.plan().out
    estate.key(ignoreDrift=ignoring.replace("2099", "2020"))
    assert found(estate) == ["drift/changed"]
    assert estate.apply().status == 0
    assert found(estate) == []


def test_a_level_that_ignores_drift_is_sent_with_what_was_found(estate: World) -> None:
    """Its update sends the whole role: the field that is left alone stays as somebody made it."""
    ignoring = "ignoreDrift: [{fields: [description], reason: support, until: 2099-12-31}]"
    path = estate.folder / "levels/dsm-read.yaml"
    text = path.read_text()
    path.write_text(text.rstrip() + f"\n  {ignoring}\n")
    estate.trends["dsm"].edit_role("read", description="theirs, no mark")
    assert estate.run("drift").status == 2  # the mark went with the description, and it is no field of the manifest
    path.write_text(path.read_text().replace("canViewOtherComputers", "canEditComputerProperties"))
    assert estate.apply().status == 0
    (role,) = [one for one in estate.trends["dsm"].roles() if one["name"] == "read"]
    assert role["description"].startswith("theirs, no mark")
    assert estate.plan().status == 0


# --- since --------------------------------------------------------------------------------------------------------------


def last(world: World, *args: str) -> Run:
    """A run that writes `last.json` after having read it."""
    given = ["--since", "last.json"] if (world.folder / "last.json").exists() else []
    return world.run("drift", *given, "--report", "json=last.json", *args)


def test_since(estate: World) -> None:
    """Only what is new, what is resolved, and what has changed again; the exit code is of all there is."""
    trend = estate.trends["dsm"]
    trend.edit_key("splunk", timeZone="Asia/Tokyo")
    assert last(estate).status == 2
    quiet = last(estate)
    assert (quiet.status, quiet.out.splitlines()[-1]) == (2, "Drift: 0 new, 0 resolved; 1 finding in all (1 tenant)")
    assert "timeZone" not in quiet.out
    trend.add_key("shadow")
    trend.edit_key("splunk", timeZone="Asia/Kolkata")
    news = last(estate)
    assert "new medium ApiKey/shadow drift/unmanaged" in news.out
    assert "changed again low ApiKey/splunk drift/changed" in news.out
    trend.delete_key("shadow")
    assert estate.apply().status == 0
    over = last(estate)
    assert over.status == 0
    assert "resolved drift/changed: dsm/ApiKey/splunk: options.timeZone was changed" in over.out
    assert "resolved drift/unmanaged: dsm/ApiKey/shadow" in over.out
    document = json.loads((estate.folder / "last.json").read_text())
    SCHEMA.validate(document)
    assert len(document["since"]["resolved"]) == 2


def test_since_over_a_tenant_that_cannot_be_read(estate: World) -> None:
    """Its findings are not resolved meanwhile, and not new when it comes back."""
    trend = estate.trends["dsm"]
    trend.add_key("shadow")
    last(estate)
    trend.faults.inject("unauthorized", times=None)
    away = last(estate)
    assert away.status == 1
    assert "0 new, 0 resolved" in away.out
    SCHEMA.validate(json.loads((estate.folder / "last.json").read_text()))
    trend.faults.clear()
    assert "0 new, 0 resolved; 1 finding in all" in last(estate).out


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda it: it.update(estate="11111111-2222-4333-8444-555555555555"), "is of another estate (11111111-"),
        (lambda it: it.update(format=2), "is of format 2, and this version reads 1"),
        (lambda it: it.update(targets=["dsm"]), "is of other targets: it was asked for dsm"),
        (lambda it: it.pop("report"), "is no report of drift"),
        (lambda it: it["tenants"].append({"tenant": 7}), "is no report of drift"),
    ],
)
def test_since_refuses_what_cannot_be_compared(
    estate: World, change: Callable[[dict[str, Any]], None], told: str
) -> None:
    """Another estate's, another format's, of other targets, or a plan: a clear message, and exit code 1."""
    estate.run("drift", "--report", "json=last.json")
    path = estate.folder / "last.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    done = estate.run("drift", "--since", "last.json")
    assert done.status == 1
    assert told in done.err
    path.write_text("no JSON")
    assert "is no JSON" in estate.run("drift", "--since", "last.json").err
    estate.run("plan", "--report", "json=plan.json")
    assert "is no report of drift" in estate.run("drift", "--since", "plan.json").err


# --- whom it tells ------------------------------------------------------------------------------------------------------


def test_the_issue_opens_and_closes(estate: World, hub: Hub) -> None:
    """With the drift, and its text is what there is."""
    assert estate.run("drift", "--github-issue").status == 0
    assert hub.issues == []
    estate.trends["dsm"].edit_key("splunk", timeZone="Asia/Tokyo")
    opened = estate.run("drift", "--github-issue")
    assert (opened.status, opened.err) == (2, "issue #1 of acme/access: opened\n")
    (issue,) = hub.issues
    assert issue["title"] == "Drift in acme"
    assert "`Etc/UTC` → `Asia/Tokyo`" in issue["body"]
    assert estate.run("drift", "--github-issue", "acme/access").err == ""
    estate.apply()
    closed = estate.run("drift", "--github-issue")
    assert (closed.status, closed.err) == (0, "issue #1 of acme/access: closed\n")
    assert hub.issues[0]["state"] == "closed"
    targeted = estate.run("drift", "--github-issue", "--target", "dsm")
    assert targeted.status == 0


def test_an_issue_that_cannot_be_written_is_an_error(estate: World, hub: Hub, hook: Hook) -> None:
    """The report is told all the same, and so are the others."""
    estate.trends["dsm"].add_key("shadow")
    hub.accounts.clear()
    done = estate.run(
        "drift", "--format", "json", "--github-issue", "--webhook-env", "SLACK_WEBHOOK", "--metrics", "m.prom"
    )
    assert done.status == 1
    assert done.json["tenants"][0]["exitCode"] == 2
    assert "Bad credentials" in done.err
    assert len(hook.got) == 1
    assert (estate.folder / "m.prom").exists()


def test_nothing_is_read_if_nobody_can_be_told(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token, an address or a folder that is missing is found first."""
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.delenv("SLACK_WEBHOOK", raising=False)
    before = sum(estate.trends["dsm"].requests.values())
    for args, told in [
        (["--github-issue", "acme/access"], "GITHUB_TOKEN is not set"),
        (["--webhook-env", "SLACK_WEBHOOK"], "SLACK_WEBHOOK is not set"),
        (["--metrics", "nowhere/m.prom"], "there is no such folder"),
    ]:
        done = estate.run("drift", *args)
        assert done.status == 1
        assert told in done.err
    assert sum(estate.trends["dsm"].requests.values()) == before


def test_the_webhook_is_called_for_news(estate: World, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `--since` whenever there is drift, with it only when something has happened."""
    for name, value in {"SERVER_URL": "https://github.example", "REPOSITORY": "acme/access", "RUN_ID": "7"}.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    tell = ("--webhook-env", "SLACK_WEBHOOK")
    estate.run("drift", *tell)
    assert hook.got == []
    estate.trends["dsm"].add_key("<!channel> *x* & y")
    last(estate, *tell)
    last(estate, *tell)
    (first,) = hook.got  # the second run compares with the first one, and nothing has happened
    estate.trends["dsm"].delete_key("<!channel> *x* & y")
    last(estate, *tell)
    assert hook.got[1]["text"] == "Drift in acme: 0 new, 1 resolved; 0 findings in all (1 tenant)"
    assert first["text"].startswith("Drift in acme: 1 finding: 1 unmanaged")
    kinds = {block["text"]["type"] for block in first["blocks"]}
    assert kinds == {"plain_text"}
    assert "<!channel> *x* & y" in first["blocks"][2]["text"]["text"]
    assert first["blocks"][-1]["text"]["text"] == "https://github.example/acme/access/actions/runs/7"


def test_metrics(estate: World) -> None:
    """Every rule of every tenant that was read, 0 included; one that was not says so; names are escaped."""
    estate.trends["dsm"].add_key("shadow")
    estate.tenant("west")
    estate.trends["west"].faults.inject("unauthorized", times=None)
    assert estate.run("drift", "--metrics", "drift.prom").status == 4
    text = (estate.folder / "drift.prom").read_text()
    families = {family.name: family for family in text_string_to_metric_families(text)}

    def values(name: str, label: str) -> dict[str, float]:
        found = families[f"reconciler_drift_{name}"].samples
        assert {sample.labels["estate"] for sample in found} == {"acme"}
        return {
            sample.labels[label]: sample.value
            for sample in found
            if sample.labels["tenant"] == "dsm" or label == "tenant"
        }

    findings = values("findings", "rule")
    assert {rule for rule, count in findings.items() if count} == {"unmanaged"}
    assert len(findings) == 14
    assert values("tenant_readable", "tenant") == {"dsm": 1, "west": 0}
    assert values("pending_changes", "tenant") == values("ignored_fields", "tenant") == {"dsm": 0}
    (last_run,) = families["reconciler_drift_last_run_timestamp_seconds"].samples
    assert abs(last_run.value - datetime.now(UTC).timestamp()) < 60
    assert text.count("# HELP") == text.count("# TYPE") == 5
    assert [path.name for path in estate.folder.glob("drift.prom*")] == ["drift.prom"]


@pytest.mark.promise(1)
def test_promise_1_no_secret_address_or_token_is_told(estate: World, hub: Hub, hook: Hook) -> None:
    """In no format, file, log, issue or message, with logging at its loudest."""
    estate.trends["dsm"].edit_key("splunk", timeZone="Asia/Tokyo")
    sinks = ("--github-issue", "--webhook-env", "SLACK_WEBHOOK", "--metrics", "m.prom")
    for form in ("text", "json", "markdown", "sarif", "junit"):
        assert estate.run("-v", "drift", "--format", form, "--report", "json=last.json", *sinks).status == 2
    hook.status = 403
    hub.accounts.clear()
    assert estate.run("-v", "drift", *sinks).status == 1
    told = "".join(estate.printed) + str(hub.issues) + str(hub.comments) + str(hook.got)
    told += "".join(path.read_text() for path in estate.folder.rglob("*") if path.is_file())
    for secret in (TOKEN, hook.secret, estate.bao.root_token, *estate.issued()):
        assert secret not in told
    assert BOT  # whose token it was


def test_hostile_names(estate: World, hub: Hub) -> None:
    """A name at the vendor steers no terminal, ends no fold, calls nobody and opens no element."""
    name = "</details><script> @everyone \x1b[2J \u202e | `x` --> "
    estate.trends["dsm"].add_key(name)
    done = estate.run("drift", "--github-issue")
    assert done.status == 2
    assert "\x1b" not in done.all
    assert "\u202e" not in done.all
    body = hub.issues[0]["body"]
    assert "\x1b" not in body
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(body)
    assert "<script>" not in rendered
    assert "<code>&lt;/details&gt;&lt;script&gt; @everyone" in rendered.replace("dsm/ApiKey/", "")


# --- comment ------------------------------------------------------------------------------------------------------------


def test_comment(tmp_path: Path, world: World, hub: Hub) -> None:
    """Files in their order in one comment, which the next run changes; where it is goes to standard output."""
    hub.pull_request(7)
    world.write("a.md", "first\n")
    world.write("b.md", "second\n")
    done = world.run("comment", "--pull-request", "7", "a.md", "b.md")
    assert done.status == 0
    assert done.out.startswith("https://github.example/acme/access/pull/7#issuecomment-")
    assert hub.bodies()[0].endswith("first\n\nsecond\n")
    world.run("comment", "--pull-request", "7", "b.md")
    world.run("comment", "--pull-request", "7", "--name", "other", "--repository", "acme/access", "a.md")
    assert [body.partition("\n")[2] for body in hub.bodies()] == ["second\n", "first\n"]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--pull-request", "7", "none.md"], "none.md: No such file"),
        (["--pull-request", "7", "binary.md"], "is not text in UTF-8"),
        (["--pull-request", "9", "a.md"], "HTTP 404"),
        (["--pull-request", "0", "a.md"], "0 is not in the range"),
        (["--pull-request", "7"], "Missing argument"),
        (["--pull-request", "7", "--repository", "x", "a.md"], "'x' is no repository"),
    ],
)
def test_comment_refuses(world: World, hub: Hub, args: list[str], told: str) -> None:
    """With exit code 1, what is wrong, and nothing written."""
    hub.pull_request(7)
    world.write("a.md", "text\n")
    (world.folder / "binary.md").write_bytes(b"\xff\xfe\x00")
    done = world.run("comment", *args)
    assert done.status == 1
    assert told in done.err
    assert hub.comments == []
