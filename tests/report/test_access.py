"""What a reviewer of `access-diff` sees beyond the golden files: long lists, both directions, and one line that counts."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from reconciler.manifest.snapshot import Snapshot
from reconciler.model.desired import DesiredKey, DesiredLevel, KeyState
from reconciler.plan.comparison import Comparison, compare_sides
from reconciler.providers import registry
from reconciler.report import access
from tests.support import builders as b


def compared(before: Any, after: Any) -> Comparison:
    sides = [Snapshot(ref, commit, b.estate(tenants=one)) for ref, commit, one in (
        ("main", "a" * 40, before), ("b" * 40, "b" * 40, after),
    )]  # fmt: skip
    return compare_sides(sides[0], sides[1], registry.get, b.NOW)


def tenants(*keys: DesiredKey, levels: list[DesiredLevel] | None = None, **more: Any) -> Any:
    return (b.desired_tenant(keys, levels, **more),)


def shown(one: Comparison) -> str:
    file = io.StringIO()
    access.text(Console(file=file, width=80, color_system=None), one)
    return file.getvalue()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (tenants(), tenants(b.desired_key("a"), b.desired_key("z")), "2 keys are created"),
        (tenants(b.desired_key("a")), tenants(), "1 key is removed"),
        (tenants(b.desired_key("a")), tenants(b.desired_key("a", state=KeyState.LOCKED)), "1 key is locked"),
        (tenants(b.desired_key("a")), tenants(b.desired_key("a", rotation=b.rotation(9))), "1 key loses access"),
        (tenants(b.desired_key("a", reissue_after=None)), tenants(b.desired_key("a", reissue_after=b.NOW)),
         "1 key needs a new secret"),
        (tenants(), tenants(endpoint="https://other.example.com"), "1 finding about trust"),
        (tenants(b.desired_key("a")), tenants(b.desired_key("a"), endpoint="https://other.example.com", adopt_rotate=True),
         "1 finding about trust"),
        (tenants(b.desired_key("a")), tenants(b.desired_key("a", owner="x")), "no key's access changes, 1 other finding"),
        (tenants(b.desired_key("a")), tenants(b.desired_key("a", description="x")), "access does not change"),
    ],
)  # fmt: skip
def test_the_summary_counts_keys(before: Any, after: Any, told: str) -> None:
    """Each once, by what becomes of it."""
    assert access.summary(compared(before, after)) == told
    assert shown(compared(before, after)).endswith(f"Access: {told}\n")


def test_long_lists_are_cut_for_people_and_whole_for_machines() -> None:
    """Permissions and networks."""
    many = b.desired_level(permissions={"computerIDs": list(range(100, 120))})
    one = compared(
        tenants(b.desired_key(), levels=[many]), tenants(b.desired_key(), levels=[replace(many, permissions={})])
    )
    text = shown(one)
    assert text.count("── - computerIDs.") == 12
    assert "── - 8 more" in text
    assert len(access.data(one)["findings"][0]["figures"]["lost"]) == 20
    assert access.markdown(one).count("- `computerIDs.") == 20
    level = b.desired_level(permissions={"serviceRoleURNs": ["urn:x:role/a"]})
    networks = tuple(f"10.0.{at}.0/24" for at in range(0, 40, 2))
    cloud = [
        tenants(b.desired_key(allowed_ips=ips), levels=[level], provider="trend-cloud-one") for ips in ((), networks)
    ]
    assert " and 8 more\n" in shown(compared(cloud[0], cloud[1]))


def test_a_level_without_keys_and_a_side_that_is_a_hash() -> None:
    """Nothing is said of nobody; a hash is not told twice."""
    wide = b.desired_level(permissions={**b.PERMISSIONS, "allComputers": True})
    one = compared(tenants(), tenants(levels=[wide]))
    assert "`dsm/AccessLevel/read` gains:\n" in access.markdown(one)
    assert f"main (aaaaaaaaaaaa) → {'b' * 40}\n" in shown(one)
    assert "owner" not in shown(one).partition("main (")[0]


def test_scopes_show_what_changed() -> None:
    """Field by field."""
    level = b.desired_level(permissions={"components": ["a"]})
    sides = [
        tenants(
            b.desired_key(scope={"assets": {"mode": "scope", "groupIds": ids}}), levels=[level], provider="cortex-cloud"
        )
        for ids in ([1], [1, 2])
    ]
    assert "── scope.assets.groupIds  [1] → [1, 2]\n" in shown(compared(sides[0], sides[1]))


def test_findings_of_no_permission_have_no_list() -> None:
    """A created key's are counted in its sentence."""
    assert "permissions, one by one" not in access.markdown(compared(tenants(), tenants(b.desired_key())))
