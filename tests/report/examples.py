"""The outcomes of which every format has a golden file. `python -m tests.report.examples` writes them: read the diff."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from reconciler.apply.result import Result, Status, TenantResult
from reconciler.cli.estate import outcome_of_plan
from reconciler.cli.output import Outcome, rendered
from reconciler.errors import RetryLater
from reconciler.manifest.load import Report
from reconciler.manifest.problems import Problem, Severity
from reconciler.manifest.snapshot import Snapshot
from reconciler.model.action import ActionKind, Blocked, Note, Operation
from reconciler.model.desired import IgnoredDrift, KeyState, LevelRef, Source, VaultPath
from reconciler.model.estate import Limits
from reconciler.model.outcome import ExitCode
from reconciler.plan import digest
from reconciler.plan.comparison import compare_sides
from reconciler.plan.run import Planned, PlannedTenant, Unreadable
from reconciler.policy.guardrails import check
from reconciler.providers import registry
from reconciler.providers.trend_workload_security import PROVIDER
from reconciler.report import data, findings, junit, review, text
from tests.support import builders as b
from tests.support.builders import action, desired_key, desired_tenant, tenant_plan

GOLDEN: Final = Path(__file__).parent / "golden"
ENDINGS: Final = {"text": "txt", "json": "json", "markdown": "md", "sarif": "sarif", "junit": "xml"}
_AWAY: Final = Unreadable(
    replace(desired_tenant(), name="away"),
    RetryLater("does not answer", where="https://away.example.com", hint="try later"),
)


def plan() -> Outcome:
    """A key to create, one to lock, one that is blocked, a note, what is not managed, deletions that are too many."""
    key = desired_key(state=KeyState.LOCKED)
    seen = b.settled(key, fields={"state": "active", "locale": "ja-JP"})
    first = b.plan(desired_tenant([key, desired_key("jira", owner="se|cops@example.com")]), seen)
    first = replace(
        first,
        blocked=(
            Blocked(b.key_id("old"), "the vendor has no such role", "name one that it has", Source("keys.yaml", 9, 3)),
        ),
        notes=(Note(None, "a note with <b>markup</b> & @mention"),),
        unmanaged=(replace(b.found_key(desired_key("shadow"), "77", marked=None), name="by | hand `x`"),),
    )
    deletes = tenant_plan(
        *(action(ActionKind.DELETE, Operation.DELETE, f"k{at}") for at in range(5)), tenant="emptied", population=6
    )
    planned = Planned(tuple(PlannedTenant(None, one) for one in (first, deletes)), (_AWAY,))  # type: ignore[arg-type]
    codes = {"dsm": ExitCode.PARTIAL, "emptied": ExitCode.STOPPED}
    return outcome_of_plan(b.estate(), planned, check(planned.plans, Limits()), codes)


def apply() -> Outcome:
    """A key that was made, one that failed, one that was not begun, a tenant that could not be read."""
    made = action(ActionKind.CREATE, Operation.ISSUE, "splunk")
    failed = action(ActionKind.UPDATE, Operation.UPDATE, "jira")
    skipped = action(ActionKind.ROTATE, Operation.ISSUE, "later")
    outcome = [
        TenantResult(
            tenant_plan(made, failed, skipped),
            (
                Result(made, Status.DONE, "", VaultPath("secret", "keys/dsm/splunk"), 1),
                Result(failed, Status.FAILED, "https://dsm.example.com: 500 <html>"),
                Result(skipped, Status.SKIPPED, "not begun: ApiKey/jira failed"),
            ),
        ),
        TenantResult(tenant_plan(tenant="still")),
    ]
    left_out = (_AWAY,)
    return Outcome(
        "apply",
        text=lambda console: text.results(console, outcome, left_out),
        data=lambda: data.results(b.estate(), outcome, left_out),
        markdown=lambda: review.results(outcome, left_out),
        findings=lambda: findings.of_results(outcome, left_out),
        rules=lambda: findings.RULES,
        cases=lambda: list(junit.of_results(outcome, left_out)),
    )


def validate() -> Outcome:
    """An error and a warning."""
    from reconciler.cli.validate import outcome

    problems = (
        Problem(
            Source("keys.yaml", 3, 5), "unknown field 'ower'", "did you mean 'owner'?", "dsm/ApiKey/splunk",
            code="unknown-field",
        ),
        Problem(Source("keys.yaml", 8, 1), "it has expired", severity=Severity.WARNING, code="expired"),
    )  # fmt: skip
    return outcome(Report(problems, 2, 7))


def access_diff() -> Outcome:
    """A level that widens, a network list, a key that goes, one that comes, a new tenant's endpoint, looser limits."""
    from reconciler.cli.access_diff import outcome as outcome_of_diff

    read = b.desired_level()
    write = b.desired_level(
        permissions={
            **b.PERMISSIONS,
            "allComputers": True,
            "platformRights": {
                **b.PERMISSIONS["platformRights"],
                "apikeyRights": {"canCreateNewApiKeys": True},
                "policyRights": {"canViewOtherPolicies": True, "canViewNewPolicies": True},
            },
        }
    )
    role = b.desired_level(permissions={"serviceRoleURNs": ["urn:x:role/auditor"]})
    old = b.desired_key("old", protect=True)
    new = b.desired_key("se-new", level=LevelRef("Full | Access", existing=True), owner="<b>@team</b>")
    networks = [b.desired_key(name, allowed_ips=("203.0.113.0/28",)) for name in ("deploy", "scan")]
    wider = [replace(key, allowed_ips=("203.0.0.0/16",)) for key in networks]
    cloud = replace(desired_tenant(networks, [role]), name="cloud", provider="trend-cloud-one")
    before = b.estate(tenants=(desired_tenant([desired_key(), desired_key("jira"), old], [read]), cloud))
    after = b.estate(
        limits=Limits(rotations=500),
        tenants=(
            desired_tenant([desired_key(), desired_key("jira", owner="itsm@example.com"), new], [write]),
            replace(cloud, keys=tuple(wider), endpoint="https://evil.example.net/api"),
        ),
    )
    sides = Snapshot("main", "a" * 40, before), Snapshot("", "", after)
    return outcome_of_diff(compare_sides(*sides, registry.get, b.NOW), Path("/estate"))


def drift() -> Outcome:
    """Drift of several classes, what is pending, ignored and blocked, a tenant that could not be read, and the news."""
    from reconciler.cli.drift import outcome
    from reconciler.plan.drift import find_drift
    from reconciler.plan.drift_rules import Horizon
    from reconciler.plan.since import Reported
    from reconciler.report.drift import Before, Drift

    ignored = IgnoredDrift(("options.timeZone",), b.NOW + timedelta(days=30), "support is testing | with it")
    key = desired_key(ignore_drift=(ignored,), rotation=b.rotation())
    known = b.record(key, applied=digest.asked(PROVIDER, key), issued_at=b.NOW - timedelta(days=100))
    shadow = replace(b.found_key(desired_key("shadow"), "77", marked=None), name="by | hand `x` </details> @everyone")
    found = b.found_key(key, fields={"timeZone": "Asia/Tokyo", "description": "theirs <b>", "state": "locked"})
    seen = b.settled(key, known=known, keys=[found, shadow])
    desired = desired_tenant([key, desired_key("new")])
    one = find_drift(desired, PROVIDER, seen, b.plan(desired, seen), estate=b.ESTATE_ID, horizon=Horizon())
    one = replace(one, blocked=(Blocked(b.key_id("old"), "the vendor has no such role", "name one that it has"),))
    gone = {
        "identity": "drift/missing|dsm|ApiKey/old|", "rule": "drift/missing", "severity": "high", "impact": "neutral",
        "tenant": "dsm", "object": "ApiKey/old", "source": None, "message": "key 9 is gone at the vendor", "hint": "",
        "denies": False, "allow": None, "changes": [], "figures": {},
    }  # fmt: skip
    before = Before(b.NOW - timedelta(days=1), Reported({"dsm": {str(gone["identity"]): gone}}))
    return outcome(Drift(b.estate(), b.NOW, [one], (_AWAY,), (), before))


EXAMPLES: Final = {"plan": plan, "apply": apply, "validate": validate, "access-diff": access_diff, "drift": drift}


def files() -> Mapping[str, str]:
    """Every golden file by its name."""
    return {
        f"{name}.{ending}": rendered(form, make()).rstrip("\n") + "\n"
        for name, make in EXAMPLES.items()
        for form, ending in ENDINGS.items()
    }


if __name__ == "__main__":
    for name, content in files().items():
        (GOLDEN / name).write_text(content, encoding="utf-8")
