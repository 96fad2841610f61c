from __future__ import annotations

from reconciler.providers.trend_workload_security.capabilities import CAPABILITIES
from reconciler.providers.trend_workload_security.rights import FLAGS, LISTS, RIGHTS


def test_the_tree_has_three_floors_and_173_rights() -> None:
    """Group, object, right; each object has at least one right, and none is named twice."""
    objects = {(group, thing): rights for group, things in RIGHTS.items() for thing, rights in things.items()}
    assert sum(len(rights) for rights in objects.values()) == 173
    assert all(rights and len(set(rights)) == len(rights) for rights in objects.values())


def test_names_are_told_apart() -> None:
    """No group is named like a property of the role, for manifests write them side by side."""
    assert not {*RIGHTS} & {*FLAGS, *LISTS}
    assert {flag for flag, _ in LISTS.values()} <= {*FLAGS}


def test_high_risk_permissions_exist() -> None:
    """Every permission that a least-privilege check should question is in the tree."""
    for path in CAPABILITIES.high_risk:
        group, thing, right = path.split(".")
        assert right in RIGHTS[group][thing]
