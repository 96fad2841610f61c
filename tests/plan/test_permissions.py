"""Permissions as sets: what comes and goes, what another one brings along, and which are high-risk, vendor by vendor."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.desired import DesiredLevel
from reconciler.model.impact import Impact
from reconciler.model.names import Kind
from reconciler.plan.permissions import Permissions, difference
from reconciler.plan.widening import of_permissions
from reconciler.providers import registry
from reconciler.providers.base import Provider
from reconciler.providers.permissions import written
from tests.support import builders as b

TREND, CBC = registry.get("trend-workload-security"), registry.get("carbon-black-cloud")
CORTEX, LACEWORK, CLOUD_ONE = registry.get("cortex-cloud"), registry.get("lacework"), registry.get("trend-cloud-one")


def level(tree: dict[str, Any], provider: Provider) -> DesiredLevel:
    kind = Kind.SERVICE_USER if provider is LACEWORK else Kind.ACCESS_LEVEL
    return b.desired_level(permissions=tree, kind=kind)


def of(tree: dict[str, Any], provider: Provider) -> Permissions:
    return Permissions.of(provider.level_fields(level(tree, provider)), provider.capabilities)


COMPUTERS = {"platformRights": {"computerRights": {"canViewOtherComputers": True}}}


@pytest.mark.parametrize(
    ("provider", "old", "new", "gained", "lost"),
    [
        (TREND, {}, COMPUTERS, ["platformRights.computerRights.canViewOtherComputers"], []),
        (TREND, {"computerIDs": [1, 2]}, {"computerIDs": [2, 3]}, ["computerIDs.3"], ["computerIDs.1"]),
        (TREND, {"computerIDs": [1, 2], "policyIDs": [0]}, {"allComputers": True, "allPolicies": True},
         ["allComputers", "allPolicies"], []),
        (TREND, {"canOnlyManipulateUsersWithEqualOrLesserRights": True}, {},
         ["without canOnlyManipulateUsersWithEqualOrLesserRights"], []),
        (CBC, {"org.alerts": ["READ"]}, {"org.alerts": ["READ"], "org.kits": ["EXECUTE"]}, ["org.kits.EXECUTE"], []),
        (CBC, {"org.alerts": ["READ", "DELETE"]}, {"org.alerts": ["DELETE", "READ"]}, [], []),
        (CORTEX, {"components": ["rules_view"]}, {"components": ["rules_action"]}, ["components.rules_action"], []),
        (CORTEX, {"components": ["a"], "datasets": [{"category": "xdr", "permissions": ["x", "y"]}]},
         {"components": ["a"], "datasets": [{"category": "xdr", "accessAll": True}]}, ["datasets.xdr.accessAll"], []),
        (CORTEX, {"components": ["a"], "datasets": [{"category": "other", "permissions": ["x"]}]},
         {"components": ["a"], "datasets": [{"category": "xdr", "accessAll": True}]},
         ["datasets.xdr.accessAll"], ["datasets.other.permissions.x"]),
        (LACEWORK, {"groups": ["A_GROUP"]}, {"groups": ["a_group", "B"]}, ["groups.B"], []),
        (CLOUD_ONE, {"serviceRoleURNs": ["urn:a:role/x"]}, {"serviceRoleURNs": []}, [], ["serviceRoleURNs.urn:a:role/x"]),
    ],
)  # fmt: skip
def test_what_comes_and_goes(
    provider: Provider, old: dict[str, Any], new: dict[str, Any], gained: list[str], lost: list[str]
) -> None:
    """In each vendor's own tree; on the way back it is the other way round."""
    there = difference(of(old, provider), of(new, provider), provider.capabilities)
    back = difference(of(new, provider), of(old, provider), provider.capabilities)
    assert (list(there.gained), list(there.lost)) == (gained, lost)
    assert (list(back.gained), list(back.lost)) == (lost, gained)


@pytest.mark.parametrize(
    ("provider", "tree", "risky"),
    [
        (TREND, {"platformRights": {"apikeyRights": {"canCreateNewApiKeys": True, "canViewApiKeys": True}}},
         {"platformRights.apikeyRights.canCreateNewApiKeys"}),
        (CBC, {"org.liveresponse.process": ["READ", "EXECUTE"], "org.liveresponse": ["EXECUTE"], "org.kits": ["EXECUTE"],
               "org.liveresponse.file": ["READ"]},
         {"org.liveresponse.process.EXECUTE", "org.liveresponse.EXECUTE", "org.kits.EXECUTE"}),
        (CORTEX, {"components": ["rules_action", "reports_view"], "datasets": [{"category": "x", "accessAll": True}]},
         {"components.rules_action", "datasets.x.accessAll"}),
        (LACEWORK, {"groups": ["lacework_user_group_admin", "LACEWORK_USER_GROUP_READ_ONLY_USER"]},
         {"groups.lacework_user_group_admin"}),
        (CLOUD_ONE, {"serviceRoleURNs": ["urn:cloudone:application:us-1:1:role/full-access", "urn:x:role/auditor"]},
         {"serviceRoleURNs.urn:cloudone:application:us-1:1:role/full-access"}),
    ],
)  # fmt: skip
def test_high_risk_permissions(provider: Provider, tree: dict[str, Any], risky: set[str]) -> None:
    """Those that the vendor's page lists, and no others; `*` stands for anything within one part."""
    assert set(map(written, of(tree, provider).risky(provider.capabilities))) == risky


def test_a_trait_that_takes_away_is_high_risk_to_lose() -> None:
    """Without it, a key may change users that can do more than itself."""
    tree = {"canOnlyManipulateUsersWithEqualOrLesserRights": True}
    found = difference(of(tree, TREND), of({}, TREND), TREND.capabilities)
    assert found.risky == {*found.gained}


NAMES = st.sampled_from(["org.alerts", "device", "org.kits", "org.policies"])
TREES = st.dictionaries(
    NAMES, st.sets(st.sampled_from(["READ", "CREATE", "EXECUTE"]), min_size=1).map(sorted), max_size=4
)
WIDE = st.fixed_dictionaries(
    {},
    optional={
        "allComputers": st.booleans(),
        "allPolicies": st.booleans(),
        "canOnlyManipulateUsersWithEqualOrLesserRights": st.booleans(),
        "computerIDs": st.lists(st.integers(0, 3), unique=True),
        "policyIDs": st.lists(st.integers(0, 3), unique=True),
        "platformRights": st.fixed_dictionaries(
            {
                "computerRights": st.dictionaries(
                    st.sampled_from(["canViewOtherComputers", "canTagComputers"]), st.booleans()
                )
            }
        ),
    },
)


@given(TREES, TREES)
@settings(deadline=None)
def test_there_and_back_swaps_what_comes_and_goes(one: dict[str, Any], other: dict[str, Any]) -> None:
    """And with it widening and narrowing, where it is only one of the two; equal trees differ in nothing."""
    can = CBC.capabilities
    there, back = difference(of(one, CBC), of(other, CBC), can), difference(of(other, CBC), of(one, CBC), can)
    assert (there.gained, there.lost, there.risky) == (back.lost, back.gained, back.risky)
    assert set(there.gained) == {f"{n}.{o}" for n in other for o in other[n] if o not in one.get(n, ())}
    if not (there.gained and there.lost):
        swapped = {Impact.WIDENS: Impact.NARROWS, Impact.NARROWS: Impact.WIDENS, Impact.NEUTRAL: Impact.NEUTRAL}
        assert of_permissions(back) == swapped[of_permissions(there)]
    else:
        assert of_permissions(there) is of_permissions(back) is Impact.WIDENS
    same = difference(of(one, CBC), of(dict(reversed(one.items())), CBC), can)
    assert (same.gained, same.lost) == ((), ())


@given(WIDE, WIDE)
@settings(deadline=None)
def test_a_tree_with_flags_goes_there_and_back(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Flags that make lists pointless and flags that restrict, too."""
    can = TREND.capabilities
    there, back = difference(of(one, TREND), of(other, TREND), can), difference(of(other, TREND), of(one, TREND), can)
    assert (there.gained, there.lost) == (back.lost, back.gained)
    same = difference(of(one, TREND), of(one, TREND), can)
    assert (same.gained, same.lost) == ((), ())


def test_foreign_names_cannot_steer_a_terminal() -> None:
    """A permission's name is a manifest's text."""
    tree = {"components": ["a"], "datasets": [{"category": "\x1b[2J", "permissions": ["x\u202e"]}]}
    found = difference(of({"components": ["a"]}, CORTEX), of(tree, CORTEX), CORTEX.capabilities)
    assert all(name.isprintable() for name in found.gained)


@pytest.mark.parametrize("name", registry.names())
def test_what_providers_say_of_risk_is_well_formed(name: str) -> None:
    """Patterns of dotted parts; regular expressions whose replacements can be made; options as OPTION.VALUE."""
    can = registry.get(name).capabilities
    assert all(part for one in can.high_risk for part in one.split("."))
    assert all("." in one for one in can.weak_options)
    for part, whole in can.implied:
        assert all(int(number) <= re.compile(part).groups for number in re.findall(r"\\(\d+)", whole))


def test_values_that_are_neither_flags_nor_lists() -> None:
    """A plugin's tree may hold texts, numbers and mappings in lists: each value is another permission."""
    fields = {"name": "x", "permissions": {"mode": "admin", "level": 3, "none": None, "rows": [{"a": True}, 7]}}
    found = Permissions.of(fields, CBC.capabilities)
    assert {written(one) for one in found.granted} == {"mode.admin", "level.3", "rows.a", "rows.7"}
