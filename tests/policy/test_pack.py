"""The built-in rules, one by one: what each lets pass and what it does not, for the products that it concerns."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.manifest.policies import pack
from reconciler.model.desired import DesiredKey, DesiredTenant, KeyState, LevelRef
from reconciler.model.finding import Finding, Severity
from reconciler.model.names import Kind
from reconciler.model.policy import Policies
from reconciler.policy.evaluate import judge
from reconciler.providers import registry
from reconciler.providers.permissions import leaves, written
from tests.support.builders import NOW, desired_key, desired_level, desired_tenant, rotation, tenant_plan

CBC, CORTEX, LACEWORK = "carbon-black-cloud", "cortex-cloud", "lacework"
C1, V1, DSM = "trend-cloud-one", "trend-vision-one", "trend-workload-security"
ALL = (CBC, CORTEX, LACEWORK, C1, V1, DSM)
USER = LevelRef("siem", kind=Kind.SERVICE_USER)


def key(**more: Any) -> DesiredKey:
    """A key that keeps every rule."""
    usual: dict[str, Any] = {
        "expires": NOW + timedelta(days=300), "rotation": rotation(90), "allowed_ips": ("203.0.113.0/28",),
    }  # fmt: skip
    return desired_key(**{**usual, **more})


def told(rule: str, tenant: DesiredTenant, *, facts: dict[str, Any] | None = None, **params: Any) -> list[Finding]:
    """What one rule says of a tenant, with what the vendor knows of the key `splunk`."""
    [one] = [each for each in pack() if each.id == rule]
    policies = Policies((replace(one, params={**one.params, **params}),))
    plan = tenant_plan(facts={"splunk": facts} if facts is not None else {})
    return list(judge([tenant], policies, NOW, {plan.tenant: plan}))


def of(provider: str, *keys: DesiredKey, **more: Any) -> DesiredTenant:
    return desired_tenant(keys, provider=provider, **more)


def existing(name: str, kind: Kind = Kind.ACCESS_LEVEL) -> DesiredKey:
    return key(level=LevelRef(name, existing=True, kind=kind))


def granting(permissions: dict[str, Any], provider: str, **more: Any) -> DesiredTenant:
    """A tenant whose key has a declared level with these permissions."""
    kind = Kind.SERVICE_USER if provider == LACEWORK else Kind.ACCESS_LEVEL
    level = desired_level("siem", permissions=permissions, kind=kind, **more)
    return of(provider, key(level=LevelRef("siem", kind=kind)), levels=[level])


RISKY = {
    CBC: {"org.liveresponse.process": ["EXECUTE", "READ"]},
    CORTEX: {"components": ["rules_action", "rules_view"]},
    LACEWORK: {"groups": ["LACEWORK_USER_GROUP_ADMIN"]},
    DSM: {"platformRights": {"apikeyRights": {"canDeleteApiKeys": True, "canViewApiKeys": True}}},
}
HARMLESS = {
    CBC: {"org.alerts": ["READ"]},
    CORTEX: {"components": ["rules_view"]},
    LACEWORK: {"groups": ["LACEWORK_USER_GROUP_READ_ONLY_USER"]},
    DSM: {"platformRights": {"apikeyRights": {"canDeleteApiKeys": False, "canViewApiKeys": True}}},
}
IN = timedelta(days=1)

KEPT: list[tuple[str, DesiredTenant, dict[str, Any] | None]] = [
    *(("owner", of(one, key()), None) for one in ALL),
    *(("one-integration", of(one, key()), None) for one in ALL),
    ("one-integration", of(DSM, key(labels={"integration": "splunk-es_9.1"})), None),
    *(("full-access", of(one, key()), None) for one in ALL),
    ("full-access", of(DSM, existing("Auditor")), None),
    ("full-access", of(CORTEX, existing("Viewer")), None),
    ("full-access", of(DSM, key(level=LevelRef("full-access")), levels=[desired_level("full-access")]), None),
    ("full-access", granting(HARMLESS[LACEWORK], LACEWORK), None),
    ("user-role", of(CBC, key()), None),
    ("user-role", of(CBC, existing("CWP Appliance")), None),
    ("user-role", of(DSM, existing("Auditor")), None),
    *(("high-risk", granting(permissions, one), None) for one, permissions in HARMLESS.items()),
    *(("high-risk", granting(permissions, one, annotations={"high-risk": "for SEC-1"}), None)
      for one, permissions in RISKY.items()),
    ("high-risk", of(CBC, key(level=LevelRef("siem"), annotations={"high-risk": "for SEC-1"}),
                     levels=[desired_level("siem", permissions=RISKY[CBC])]), None),
    ("ip-restriction", of(CBC, key()), None),
    ("ip-restriction", of(C1, key()), None),
    *(("ip-restriction", of(one, key(allowed_ips=())), None) for one in (CORTEX, LACEWORK, V1, DSM)),
    ("wildcard-network", of(CBC, key(allowed_ips=("10.0.0.0/8", "2001:db8::/32"))), None),
    ("wildcard-network", of(C1, key(allowed_ips=())), None),
    *(("expiry-set", of(one, key()), None) for one in ALL),
    *(("expiry-within", of(one, key(expires=NOW + timedelta(days=366))), None) for one in ALL),
    ("expiry-within", of(DSM, key(expires=None)), None),
    *(("rotation-within", of(one, key()), None) for one in ALL),
    ("rotation-within", of(CORTEX, key(rotation=None, expires=NOW + timedelta(days=90))), None),
    ("deprecated-type", of(CBC, key()), {}),
    ("deprecated-type", of(CBC, key()), None),
    ("security-level", of(CORTEX, key()), None),
    ("security-level", of(CORTEX, key(options={"securityLevel": "advanced"})), None),
    ("security-level", of(DSM, key(options={"securityLevel": "standard"})), None),
    ("keys-per-user", of(LACEWORK, *(key(name=f"k{n}", level=USER) for n in range(19)),
                         key(name="gone", level=USER, state=KeyState.ABSENT)), None),
    ("keys-per-user", of(DSM, *(key(name=f"k{n}") for n in range(40))), None),
    *(("unused", of(one, key()), {"lastUsed": NOW - timedelta(days=90)}) for one in (CBC, C1, V1, DSM)),
    ("unused", of(CORTEX, key()), {"lastUsed": None}),
    ("unused", of(CORTEX, key()), None),
]  # fmt: skip

BROKEN: list[tuple[str, DesiredTenant, dict[str, Any] | None, str]] = [
    *(("owner", of(one, key(owner="")), None, "nobody answers for the key") for one in ALL),
    *(("one-integration", of(one, key(labels={"integration": "splunk, qradar"})), None, "more than one") for one in ALL),
    ("one-integration", of(DSM, key(labels={"integration": ""})), None, "or none"),
    ("full-access", of(CBC, existing("Super Admin")), None, "Super Admin may do everything"),
    ("full-access", of(CBC, existing("SUPER ADMIN")), None, "SUPER ADMIN may do everything"),
    ("full-access", of(DSM, existing("Full Access")), None, "Full Access may do everything"),
    ("full-access", of(C1, existing("full-access")), None, "full-access may do everything"),
    ("full-access", of(V1, existing("Master Administrator")), None, "Master Administrator may do everything"),
    ("full-access", of(CORTEX, existing("Account Admin")), None, "Account Admin may do everything"),
    ("full-access", of(CORTEX, existing("Instance Administrator")), None, "Instance Administrator may do everything"),
    ("full-access", granting(RISKY[LACEWORK], LACEWORK), None, "siem may do everything"),
    ("user-role", of(CBC, existing("Level 3 Analyst")), None, "Level 3 Analyst is not declared here"),
    ("high-risk", granting(RISKY[CBC], CBC), None, "high-risk permissions: org.liveresponse.process.EXECUTE"),
    ("high-risk", granting(RISKY[CORTEX], CORTEX), None, "high-risk permissions: components.rules_action"),
    ("high-risk", granting(RISKY[LACEWORK], LACEWORK), None, "high-risk permissions: groups.LACEWORK_USER_GROUP_ADMIN"),
    ("high-risk", granting(RISKY[DSM], DSM), None, "high-risk permissions: platformRights.apikeyRights.canDeleteApiKeys"),
    ("high-risk", granting(RISKY[DSM], DSM, annotations={"high-risk": ""}), None, "canDeleteApiKeys"),
    ("ip-restriction", of(CBC, key(allowed_ips=())), None, "can be used from any address"),
    ("ip-restriction", of(C1, key(allowed_ips=())), None, "can be used from any address"),
    ("wildcard-network", of(CBC, key(allowed_ips=("0.0.0.0/0", "203.0.113.0/28"))), None, "allowed from 0.0.0.0/0"),
    ("wildcard-network", of(C1, key(allowed_ips=("128.0.0.0/1", "::/0"))), None, "allowed from 128.0.0.0/1, ::/0"),
    *(("expiry-set", of(one, key(expires=None)), None, "never expires") for one in ALL),
    *(("expiry-within", of(one, key(expires=NOW + timedelta(days=367))), None, "more than 366d away") for one in ALL),
    *(("rotation-within", of(one, key(rotation=rotation(91))), None, "rotated too rarely") for one in ALL),
    *(("rotation-within", of(one, key(rotation=None)), None, "keeps its secret for ever") for one in ALL),
    ("deprecated-type", of(CBC, key()), {"deprecated": "keys of type SIEM are deprecated"}, "keys of type SIEM"),
    ("security-level", of(CORTEX, key(options={"securityLevel": "standard"})), None, "the security level is standard"),
    ("keys-per-user", of(LACEWORK, *(key(name=f"k{n}", level=USER) for n in range(20))), None, "siem has 20 keys"),
    *(("unused", of(one, key()), {"lastUsed": NOW - timedelta(days=91)}, "last used 2026-03-02")
      for one in (CBC, C1, V1, DSM)),
]  # fmt: skip


def case(given: tuple[Any, ...]) -> str:
    return f"{given[0]}-{given[1].provider}"


@pytest.mark.parametrize("given", KEPT, ids=case)
def test_what_a_rule_lets_pass(given: tuple[str, DesiredTenant, dict[str, Any] | None]) -> None:
    """Nothing is found."""
    rule, tenant, facts = given
    assert told(rule, tenant, facts=facts) == []


@pytest.mark.parametrize("given", BROKEN, ids=case)
def test_what_a_rule_finds(given: tuple[str, DesiredTenant, dict[str, Any] | None, str]) -> None:
    """A finding for each key, which says what is wrong, that it was told and not guessed, and how to mend it."""
    rule, tenant, facts, message = given
    found = told(rule, tenant, facts=facts)
    assert len(found) == len(tenant.keys)
    assert message in found[0].message
    assert found[0].hint
    assert (found[0].severity, found[0].denies, found[0].figures["evaluated"]) == (Severity.MEDIUM, False, True)


@pytest.mark.parametrize("rule", pack(), ids=lambda rule: rule.id)
def test_every_rule_is_tested_on_both_sides(rule: Any) -> None:
    """Each has its facts, its source, and tests; all of them only warn until somebody says more."""
    assert rule.id in {one[0] for one in KEPT}
    assert rule.id in {one[0] for one in BROKEN}
    assert rule.description
    assert rule.hint
    assert rule.reference


@pytest.mark.parametrize("provider", registry.names())
def test_no_rule_fails_on_the_barest_key(provider: str) -> None:
    """Where nothing is given that need not be, every rule has an answer: none denies for want of one."""
    bare = desired_key(owner="", description="", level=LevelRef("x", existing=True), rotation=None)
    found = judge([of(provider, bare, levels=[])], Policies(pack()), NOW, {})
    assert found
    assert all(one.figures["evaluated"] for one in found)


@pytest.mark.parametrize(
    ("rule", "tenant", "params", "count"),
    [
        ("one-integration", of(DSM, key()), {"required": True}, 1),
        ("one-integration", of(DSM, key(labels={"app": "a b"})), {"label": "app"}, 1),
        ("expiry-within", of(DSM, key()), {"within": timedelta(days=30)}, 1),
        ("rotation-within", of(DSM, key()), {"within": timedelta(days=30)}, 1),
        ("keys-per-user", of(LACEWORK, key(level=USER)), {"most": 0}, 1),
        ("user-role", of(CBC, existing("Console level")), {"levels": ("Console level",)}, 0),
        ("wildcard-network", of(CBC, key(allowed_ips=("10.0.0.0/8",))), {"wide": "/([0-9]|1[0-5])$"}, 1),
        ("full-access", of(CBC, existing("Almighty (all)")), {"roles": ("Almighty (all)",)}, 1),
        ("high-risk", granting(RISKY[CBC], CBC, annotations={"why": "x"}), {"annotation": "why"}, 0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_parameters_count(rule: str, tenant: DesiredTenant, params: dict[str, Any], count: int) -> None:
    """What reconciler.yaml sets is what a rule goes by."""
    assert len(told(rule, tenant, **params)) == count


@pytest.mark.parametrize(
    ("tree", "paths"),
    [
        ({"org.alerts": ["READ", "UPDATE"]}, ["org.alerts.READ", "org.alerts.UPDATE"]),
        ({"a": {"b": True, "c": False, "d": None}}, ["a.b"]),
        ({"a": "full", "n": 3, "e": ""}, ["a.full", "n.3"]),
        ({"datasets": [{"category": "x", "all": True}]}, ["datasets.category.x", "datasets.all"]),
        ({}, []),
    ],
)
def test_permissions_as_paths(tree: dict[str, Any], paths: list[str]) -> None:
    """Whatever tree a vendor has: what is granted, and nothing that is not."""
    assert [written(one) for one in leaves(tree)] == paths


def test_a_day_more_or_less() -> None:
    """The edge belongs to what is kept."""
    at: datetime = NOW + timedelta(days=366)
    assert told("expiry-within", of(DSM, key(expires=at))) == []
    assert told("expiry-within", of(DSM, key(expires=at + timedelta(seconds=1)))) != []
