"""`--target`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.errors import InvalidInput
from reconciler.model.action import Blocked, Note
from reconciler.model.desired import KeyState, LevelRef
from reconciler.plan.target import Target, narrow, tenants
from tests.support import builders as b
from tests.support.builders import desired_key, desired_level, desired_tenant, key_id, level_id, told


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("dsm", Target("dsm")),
        ("dsm/splunk", Target("dsm", key_id())),
        ("dsm/ApiKey/splunk", Target("dsm", key_id())),
        ("dsm/AccessLevel/read", Target("dsm", level_id())),
    ],
)
def test_target_is_read(text: str, target: Target) -> None:
    """A tenant, a key of it, or any object of it."""
    assert Target.parse(text) == target


@pytest.mark.parametrize(
    "text", ["", "dsm/", "dsm/UPPER", "dsm/apikey/x", "dsm/Role/x", "dsm/ApiKey/x/y", "dsm/ApiKey/"]
)
def test_target_that_is_none(text: str) -> None:
    """What is wrong, and how it is written."""
    with pytest.raises(InvalidInput, match="is no target") as error:
        Target.parse(text)
    assert "dsm-prod/AccessLevel/read" in error.value.hint


TENANTS = [replace(desired_tenant(), name=name) for name in ("dsm-dev", "dsm-prod")]


def test_targets_choose_tenants() -> None:
    """None chooses all."""
    assert tenants(TENANTS, []) == tuple(TENANTS)
    assert tenants(TENANTS, [Target("dsm-prod"), Target("dsm-prod", key_id())]) == (TENANTS[1],)


@pytest.mark.parametrize(("name", "hint"), [("dsm-prd", "did you mean 'dsm-prod'?"), ("zzz", "")])
def test_unknown_tenant_is_refused(name: str, hint: str) -> None:
    """With the nearest one."""
    with pytest.raises(InvalidInput, match="which the estate does not have") as error:
        tenants(TENANTS, [Target(name)])
    assert error.value.hint == hint


def full() -> b.TenantPlan:
    """A plan for two keys on two new levels, and more that is only said."""
    keys = [desired_key(), desired_key("jira", level="write"), desired_key("other", level=LevelRef("A", existing=True))]
    auditor = b.found_level(desired_level("A"), "5", marked=None, builtin=True)
    foreign = b.found_key(desired_key("theirs"), "7", marked=None)
    plan = b.plan(
        desired_tenant(keys, [desired_level(), desired_level("write")]), b.view(levels=[auditor], keys=[foreign])
    )
    return replace(
        plan,
        blocked=(Blocked(key_id(), "x"), Blocked(key_id("jira"), "y")),
        notes=(Note(None, "lease"), Note(key_id("jira"), "n"), Note(key_id(), "s")),
    )


@pytest.mark.parametrize("targets", [[], [Target("dsm")], [Target("dsm"), Target("dsm", key_id())], [Target("other")]])
def test_whole_tenant_stays_whole(targets: list[Target]) -> None:
    """Without a target of this tenant's objects nothing is left out."""
    plan = full()
    assert narrow(plan, targets) is plan


def test_key_brings_the_level_that_it_needs() -> None:
    """A named key alone would fail: its level comes along; nothing else does, but what concerns the whole tenant."""
    plan = narrow(full(), [Target("dsm", key_id())])
    assert told(plan) == [("create", "create", "AccessLevel/read"), ("create", "issue", "ApiKey/splunk")]
    assert [item.reason for item in plan.blocked] == ["x"]
    assert [note.text for note in plan.notes] == ["lease", "s"]
    assert plan.unmanaged == ()


def test_level_and_existing_level() -> None:
    """A level alone is just that; a key on an existing level needs none."""
    assert told(narrow(full(), [Target("dsm", level_id())])) == [("create", "create", "AccessLevel/read")]
    assert told(narrow(full(), [Target("dsm", key_id("other"))])) == [("create", "issue", "ApiKey/other")]


def test_level_whose_keys_are_no_targets_is_not_deleted() -> None:
    """A level's removal counts on its keys leaving first: without them it waits."""
    key = desired_key(state=KeyState.ABSENT)
    plan = b.plan(desired_tenant([key], []), b.settled(key))
    assert [kind for kind, *_ in told(plan)] == ["delete", "delete"]
    alone = narrow(plan, [Target("dsm", level_id())])
    assert told(alone) == []
    assert b.why_blocked(alone) == {"AccessLevel/read": "keys that still use it are no targets: splunk"}
    assert len(told(narrow(plan, [Target("dsm", level_id()), Target("dsm", key_id())]))) == 2
