"""Policies over keys: violations with their places, waivers with their ends, and a denial wherever nothing can be told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.action import ActionKind, Change
from reconciler.model.desired import DesiredKey, DesiredTenant, KeyState, LevelRef, Source
from reconciler.model.finding import Finding, Severity
from reconciler.model.names import Kind, ObjectId
from reconciler.model.policy import Effect, Policies, Rule, Waiver
from reconciler.policy.evaluate import MOST, judge, said
from tests.support.builders import (
    NOW,
    TENANT,
    action,
    desired_key,
    desired_level,
    desired_tenant,
    key_id,
    level_id,
    rotation,
    tenant_plan,
)


def rule(assertion: str = "false", effect: Effect = Effect.DENY, message: str = "no", **more: Any) -> Rule:
    return Rule(more.pop("id", "r"), assertion, effect, message, Source("p.yaml", 1), **more)


def waiver(**more: Any) -> Waiver:
    usual = Waiver("w", "r", TENANT, key_id(), "why", "ciso", NOW + timedelta(days=1), Source("w.yaml", 2))
    return replace(usual, **more)


def found(
    *rules: Rule, keys: list[DesiredKey] | None = None, waivers: tuple[Waiver, ...] = (), **more: Any
) -> tuple[Finding, ...]:
    tenant = desired_tenant([desired_key()] if keys is None else keys)
    return judge([tenant], Policies(rules, waivers), NOW, more.pop("plans", {}))


def test_a_violation_that_denies() -> None:
    """It names rule, key and place, says what is wrong and how to mend it, and that only a waiver lets it pass."""
    key = desired_key()
    [one] = found(rule(message="{{ key.name }} of {{ key.owner }}", hint="change it"), keys=[key])
    assert one == Finding(
        "policy/r", Severity.HIGH, "splunk of secops@example.com", tenant=TENANT, object=key_id(),
        source=key.source, hint="change it; only a Waiver of rule r for ApiKey/splunk lets it pass",
        denies=True, figures={"evaluated": True, "builtin": False},
    )  # fmt: skip
    assert not one.allow


def test_a_violation_that_warns() -> None:
    """It stops nothing."""
    [one] = found(rule(effect=Effect.WARN, hint="change it", builtin=True))
    assert (one.severity, one.denies, one.hint, one.figures["builtin"]) == (Severity.MEDIUM, False, "change it", True)


def test_what_is_kept_is_not_told() -> None:
    """True is fine, and so is a key that the rule is not for."""
    assert found(rule("true"), rule("false", match='key.name == "other"', id="q")) == ()
    assert len(found(rule("false", match='key.name == "splunk"'))) == 1


def test_keys_on_their_way_out_are_not_judged() -> None:
    """A key that is to be absent is no longer access; a locked one can be again."""
    keys = [desired_key(state=KeyState.ABSENT), desired_key("b", state=KeyState.LOCKED)]
    assert [str(one.object) for one in found(rule('key.state != "locked"'), keys=keys)] == ["ApiKey/b"]


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize(
    ("assertion", "match", "why"),
    [
        ('key.labels.none == ""', "", 'Key not found in map : "none"'),
        ("true", 'key.labels.none == ""', 'Key not found in map : "none"'),
        ("key.options.x", "", "Key not found"),
        ("key.options.n", "", "it gives 3, not true or false"),
        ("true", "key.options.n", "it gives 3, not true or false"),
        ("nonsense", "", "undeclared reference"),
        ("key.expires < now", "", "No matching overloads"),
    ],
)
def test_what_cannot_be_told_denies(effect: Effect, assertion: str, match: str, why: str) -> None:
    """A mistake in a rule lets nothing pass, whatever its severity is; the finding names rule and key."""
    [one] = found(rule(assertion, effect, match=match), keys=[desired_key(options={"n": 3})])
    assert (one.denies, one.severity, one.where) == (True, Severity.HIGH, "dsm/ApiKey/splunk")
    assert one.message.startswith("the rule cannot be evaluated: ")
    assert why in one.message
    assert one.figures["evaluated"] is False


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("{{ key.expires }}", "2026-08-30"),
        ("{{ key.rotation.every }}", "90d"),
        ("{{ key.allowedIPs }}", "203.0.113.0/28, ::1/128"),
        ("{{ key.protect }}", "false"),
        ("{{ level.keys }}", "1"),
        ("{{ observed.lastUsed }}", "none"),
        ("{{ key.labels.none }}", "(unknown)"),
        ("{{ 'a\\u202eb' }} {{\nkey.name\n}}", "a\ufffdb splunk"),
        ("{{ params.within }} or {{ params.list }}", "3d or a, b"),
        ("no braces }} {{", "no braces }} {{"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_messages(value: str, text: str) -> None:
    """Values are shown as manifests write them, in one line that cannot steer a terminal, and not too long a one."""
    key = desired_key(
        expires=datetime(2026, 8, 31, tzinfo=UTC), rotation=rotation(90), allowed_ips=("203.0.113.0/28", "::1/128")
    )
    params = {"within": timedelta(days=3), "list": ("a", "b")}
    [one] = found(rule(message=value, params=params), keys=[key])
    assert one.message == text


def test_said_of_other_values() -> None:
    """Mappings are shown somehow, and never raise."""
    assert said({"a": 1}) == "{'a': 1}"
    assert said(2.5) == "2.5"


# --- what rules can ask for ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "assertion",
    [
        'key.owner == "secops@example.com" && key.description == "Key splunk"',
        'key.labels.env == "prod" && key.annotations.ticket == "SEC-1"',
        'level.name == "read" && level.kind == "AccessLevel" && !level.existing && level.keys == 2',
        'level.permissions == ["platformRights.computerRights.canViewOtherComputers"] && level.highRisk == []',
        "level.tree.platformRights.computerRights.canViewOtherComputers",
        'level.labels.team == "soc" && level.annotations.a == "b" && level.owner == "secops@example.com"',
        'tenant.name == "dsm" && tenant.provider == "trend-workload-security" && tenant.labels.env == "test"',
        'tenant.endpoint.startsWith("https://") && "expires" in tenant.supports && !("allowedIPs" in tenant.supports)',
        'change.kinds == ["update"] && change.fields == ["description"]',
        'observed.exists && observed.deprecated == "old" && observed.lastUsed < now',
        'key.scope.assets.mode == "all" && key.options.locale == "en-US"',
        'now == timestamp("2026-06-01T12:00:00Z")',
    ],
)
def test_everything_that_can_be_asked_for(assertion: str) -> None:
    """Key, level, tenant, change, what the vendor knows, and the time."""
    key = desired_key(
        labels={"env": "prod"}, annotations={"ticket": "SEC-1"}, scope={"assets": {"mode": "all"}},
        options={"locale": "en-US"},
    )  # fmt: skip
    level = desired_level(labels={"team": "soc"}, annotations={"a": "b"})
    others = [desired_key("b"), desired_key("c", state=KeyState.ABSENT)]
    tenant = desired_tenant([key, *others], [level], labels={"env": "test"})
    changed = action(ActionKind.UPDATE, desired=key, changes=(Change("description", "a", "b"),))
    known = {"splunk": {"lastUsed": NOW - timedelta(days=1), "deprecated": "old"}}
    plan = tenant_plan(changed, action(ActionKind.CREATE, object=level_id(), desired=level), facts=known)
    policies = Policies((rule(assertion, match='key.name == "splunk"'),))
    assert judge([tenant], policies, NOW, {TENANT: plan}) == ()


def test_a_level_that_exists_has_no_permissions_here() -> None:
    """What the vendor ships is known by its name alone."""
    tenant = desired_tenant([desired_key(level=LevelRef("Auditor", existing=True))], [])
    told = (
        'level.existing && level.name == "Auditor" && level.permissions == [] && level.tree == {} && level.owner == ""'
    )
    assert judge([tenant], Policies((rule(told),)), NOW) == ()


def test_without_a_plan_rules_that_need_one_are_left_out() -> None:
    """What `validate` cannot know, it does not judge; of a tenant that was not planned nothing is observed."""
    rules = (
        rule("change.kinds == ['x']"),
        rule("observed.exists", id="q"),
        rule("false", match="observed.exists", id="s"),
    )
    tenant = desired_tenant([desired_key()])
    assert judge([tenant], Policies(rules), NOW) == ()
    assert [one.rule for one in judge([tenant], Policies(rules), NOW, {})] == ["policy/r", "policy/q"]


# --- waivers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "denied"),
    [
        ({}, False),
        ({"object": level_id("read")}, False),
        ({"until": NOW + timedelta(seconds=1)}, False),
        ({"until": NOW}, True),
        ({"until": NOW - timedelta(days=1)}, True),
        ({"rule": "q"}, True),
        ({"object": key_id("other")}, True),
        ({"object": ObjectId(Kind.SERVICE_USER, "read")}, True),
        ({"tenant": "another"}, True),
    ],
)
def test_what_a_waiver_lets_pass(more: dict[str, Any], denied: bool) -> None:
    """One rule, one object of one tenant (or all keys of a level), until its end, which is exclusive."""
    told = found(rule(), waivers=(waiver(**more),))
    assert [one.rule for one in told if one.denies] == (["policy/r"] if denied else [])


def test_a_waiver_covers_what_cannot_be_told() -> None:
    """Somebody approved that this object is not held against this rule."""
    assert found(rule("key.labels.none == ''"), waivers=(waiver(),)) == ()


@pytest.mark.parametrize(
    ("more", "name", "message"),
    [
        ({"until": NOW}, "expired-waiver", "the waiver w of rule r ended: it was until 2026-06-01T12:00:00Z"),
        ({"rule": "zzz"}, "unused-waiver", "the waiver w names nothing: no rule zzz is on"),
        ({"object": key_id("zzz")}, "unused-waiver", "the waiver w names nothing: there is no dsm/ApiKey/zzz"),
        ({"tenant": "zzz"}, "unused-waiver", "the waiver w names nothing: there is no zzz/ApiKey/splunk"),
    ],
)
def test_waivers_that_have_ended_or_name_nothing(more: dict[str, Any], name: str, message: str) -> None:
    """Each is a finding at the waiver's place, which stops nothing by itself."""
    [one] = found(rule("true"), waivers=(waiver(**more),))
    assert (one.rule, one.message, str(one.source), one.denies) == (f"policy/{name}", message, "w.yaml:2:1", False)
    assert one.severity is Severity.LOW
    assert one.hint.startswith("delete it")


def test_without_rules_waivers_are_told_all_the_same() -> None:
    """A waiver that outlives its rule is of no use."""
    [one] = found(waivers=(waiver(),))
    assert one.rule == "policy/unused-waiver"


# --- many ---------------------------------------------------------------------------------------------------------------


def test_many_violations_are_counted() -> None:
    """Of one rule in one tenant the first hundred are told; one more counts the rest, and denies if they do."""
    keys = [desired_key(f"k{number:03}") for number in range(MOST + 2)]
    denied, warned = rule(), rule(id="q", effect=Effect.WARN)
    told = found(denied, warned, keys=keys, waivers=(waiver(rule="q", object=key_id("k000")),))
    assert len(told) == 2 * (MOST + 1)
    assert {one.message for one in told[-2:]} == {
        "2 more keys of the tenant violate this rule as well",
        "1 more key of the tenant violates this rule as well",
    }
    assert [(one.rule, one.denies, one.figures["more"]) for one in told[-2:]] == [
        ("policy/r", True, 2), ("policy/q", False, 1),
    ]  # fmt: skip


def test_tenants_are_judged_apart() -> None:
    """Each finding names its tenant."""
    second = replace(desired_tenant([desired_key(tenant="b")]), name="b")
    told = judge([desired_tenant([desired_key()]), second], Policies((rule(),)), NOW)
    assert [one.tenant for one in told] == [TENANT, "b"]


_NAMES = st.sampled_from(
    ["key.name", "key.expires", "key.labels", "key.options", "level.tree", "observed.lastUsed", "now"]
)
_EXPRESSIONS = st.one_of(
    st.text(max_size=30),
    st.builds(lambda a, op, b: f"{a} {op} {b}", _NAMES, st.sampled_from(["==", "<", "-", "in", "&&"]), _NAMES),
    st.builds(lambda a, name: f"{a}.{name} == null", _NAMES, st.text(alphabet="abc", min_size=1, max_size=3)),
)
_TREES = st.dictionaries(
    st.text(max_size=3),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.integers()),
)


@settings(max_examples=100, deadline=None)
@given(
    expression=_EXPRESSIONS, message=st.text(max_size=20) | _EXPRESSIONS.map(lambda text: f"{{{{ {text} }}}}"), tree=_TREES,
    labels=st.dictionaries(st.text(max_size=3), st.text(max_size=3)),
    used=st.none() | st.datetimes(timezones=st.just(UTC)), expires=st.none() | st.datetimes(timezones=st.just(UTC)),
)  # fmt: skip
def test_evaluation_never_raises(
    expression: str, message: str, tree: dict[str, Any], labels: dict[str, str], used: Any, expires: Any
) -> None:
    """Whatever is asked of whatever key: it is kept, or there is a finding with a line of text."""
    key = desired_key(options=tree, scope=tree, labels=labels, expires=expires)
    tenant: DesiredTenant = desired_tenant([key], [desired_level(permissions=tree)])
    plan = tenant_plan(facts={"splunk": {"lastUsed": used}})
    policies = Policies((rule(expression, Effect.WARN, message), rule(id="q", message=message)))
    told = judge([tenant], policies, NOW, {TENANT: plan})
    assert all(one.message == " ".join(one.message.split()) or one.message for one in told)
    assert [one.rule for one in told][-1] == "policy/q"
