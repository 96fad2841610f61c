"""`--format json`: shapes that scripts rely on."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from reconciler.apply.result import Result, Status, TenantResult
from reconciler.errors import LeaseHeld, RetryLater
from reconciler.manifest.problems import InvalidManifests, Problem
from reconciler.model.action import ActionKind, Note, Operation
from reconciler.model.desired import Source, VaultPath
from reconciler.model.estate import Limits
from reconciler.model.outcome import ExitCode
from reconciler.plan.run import Planned, PlannedTenant, Unreadable
from reconciler.policy.guardrails import check
from reconciler.report import data
from tests.support import builders as b
from tests.support.builders import action, desired_key, desired_tenant, tenant_plan

ESTATE = b.estate()


def plan_data(*plans: Any, unreadable: tuple[Unreadable, ...] = ()) -> dict[str, Any]:
    """Through JSON and back: everything must be plain."""
    planned = Planned(tuple(PlannedTenant(None, plan) for plan in plans), unreadable)  # type: ignore[arg-type]
    codes = {plan.tenant: ExitCode.PENDING for plan in plans}
    found: dict[str, Any] = json.loads(json.dumps(data.plan(ESTATE, planned, check(plans, Limits()), codes)))
    return found


def test_plan() -> None:
    """Actions with changes and sources, what is blocked, notes and what is unmanaged."""
    foreign = b.found_key(desired_key(), "7", marked=None)
    key = desired_key("jira", expires=b.NOW)
    keys = [desired_key(), replace(key, expires=b.NOW.replace(year=2030))]
    plan = b.plan(desired_tenant(keys), b.view(keys=[foreign]))
    found = plan_data(replace(plan, notes=(Note(None, "a lease"), Note(b.key_id(), "n"))))
    assert (found["format"], found["estate"], found["manifests"]) == (1, str(b.ESTATE_ID), "d" * 64)
    (tenant,) = found["tenants"]
    assert list(tenant) == [
        "tenant", "provider", "endpoint", "actions", "blocked", "waiting", "notes", "unmanaged", "exitCode",
    ]  # fmt: skip
    assert tenant["exitCode"] == 2
    create = tenant["actions"][1]
    assert (create["object"], create["kind"], create["source"]) == ("ApiKey/jira", "create", "keys.yaml:7:3")
    assert {"field": "expires", "old": None, "new": "2030-06-01T12:00:00+00:00"} in create["changes"]
    assert tenant["blocked"][0]["object"] == "ApiKey/splunk"
    assert tenant["blocked"][0]["source"] == "keys.yaml:7:3"
    assert tenant["notes"] == [{"object": None, "text": "a lease"}, {"object": "ApiKey/splunk", "text": "n"}]
    assert tenant["unmanaged"] == [{"kind": "ApiKey", "name": "splunk", "vendorId": "7"}]


def test_sequences_and_missing_sources() -> None:
    """Tuples are lists; an action that no manifest asks for has no source."""
    from reconciler.model.action import Blocked, Change

    change = Change("policyIDs", (1, 2), ())
    plan = tenant_plan(
        action(ActionKind.UPDATE, Operation.UPDATE, changes=(change,)), blocked=(Blocked(b.key_id(), "x"),)
    )
    (tenant,) = plan_data(plan)["tenants"]
    assert tenant["actions"][0]["changes"] == [{"field": "policyIDs", "old": [1, 2], "new": []}]
    assert tenant["actions"][0]["source"] is None
    assert tenant["blocked"] == [{"object": "ApiKey/splunk", "reason": "x", "hint": "", "source": None}]


def test_unreadable_tenants_stand_among_the_others() -> None:
    """By name, with an error instead of a plan."""
    error = RetryLater("does not answer", where="x")
    found = plan_data(tenant_plan(tenant="b"), unreadable=(Unreadable(replace(desired_tenant(), name="a"), error),))
    assert [tenant["tenant"] for tenant in found["tenants"]] == ["a", "b"]
    assert found["tenants"][0]["error"] == "x: does not answer"
    assert found["tenants"][0]["exitCode"] == 1


def test_findings() -> None:
    """A guardrail's rule, place and numbers; the whole run has no tenant."""
    deletes = [
        tenant_plan(*(action(ActionKind.DELETE, Operation.DELETE, f"k{at}") for at in range(9)), tenant=name)
        for name in ("a", "b")
    ]
    found = plan_data(*deletes)["findings"]
    assert [(f["rule"], f["tenant"], f["figures"]["count"], f["figures"]["population"]) for f in found] == [
        ("guardrail/deletes", "a", 9, 10),
        ("guardrail/deletes", "b", 9, 10),
        ("guardrail/deletes", None, 18, 20),
    ]
    assert [f["allow"] for f in found] == ["deletes:a", "deletes:b", "deletes:run"]


def test_results() -> None:
    """What became of each action, and where secrets are."""
    results = (
        Result(action(), Status.DONE, "", VaultPath("secret", "keys/dsm/splunk"), 3),
        Result(action(ActionKind.UPDATE, Operation.UPDATE, "jira"), Status.FAILED, "no"),
    )
    outcome = [TenantResult(tenant_plan(), results), TenantResult(tenant_plan(), error=LeaseHeld("held"))]
    found = json.loads(json.dumps(data.results(ESTATE, outcome)))
    first, second = found["tenants"]
    assert (first["exitCode"], first["error"]) == (4, None)
    assert first["results"] == [
        {"object": "ApiKey/splunk", "kind": "create", "status": "done", "detail": "",
         "secret": "secret/keys/dsm/splunk", "version": 3, "deletedSecrets": []},
        {"object": "ApiKey/jira", "kind": "update", "status": "failed", "detail": "no", "secret": None, "version": None,
         "deletedSecrets": []},
    ]  # fmt: skip
    assert (second["exitCode"], second["error"], second["results"]) == (5, "held", [])


def test_deletions_name_the_secrets_that_go_with_them() -> None:
    """In the plan what will be deleted, in the result what was."""
    moved = b.record(previous=b.previous(mount="secret", path="old/splunk"))
    delete = action(ActionKind.DELETE, Operation.DELETE, record=moved)
    (tenant,) = plan_data(tenant_plan(delete))["tenants"]
    assert tenant["actions"][0]["deletesSecrets"] == ["secret/keys/dsm/splunk", "secret/old/splunk"]
    results = (Result(delete, Status.DONE), Result(delete, Status.FAILED, "no"))
    (tenant,) = data.results(ESTATE, [TenantResult(tenant_plan(), results)])["tenants"]
    assert [item["deletedSecrets"] for item in tenant["results"]] == [
        ["secret/keys/dsm/splunk", "secret/old/splunk"],
        [],
    ]


def test_failure() -> None:
    """What ended a command: where and why, what to do, and the problems of the manifests in the shape of `validate`."""
    held = LeaseHeld("held by \x1b", where="dsm", hint="wait")
    assert data.failure(held, ExitCode.LEASE_HELD) == {
        "format": 1, "exitCode": 5, "error": "dsm: held by \ufffd", "hint": "wait", "problems": [],
    }  # fmt: skip
    wrong = InvalidManifests([Problem(Source("a.yaml", 3, 5), "is wrong", "do right", "dsm/ApiKey/x", code="type")])
    found = json.loads(json.dumps(data.failure(wrong, ExitCode.ERROR)))
    assert (found["error"], found["hint"], found["exitCode"]) == ("1 problem in 1 file", "", 1)
    assert found["problems"] == [
        {"file": "a.yaml", "line": 3, "column": 5, "severity": "error", "code": "type", "object": "dsm/ApiKey/x",
         "message": "is wrong", "hint": "do right"},
    ]  # fmt: skip
