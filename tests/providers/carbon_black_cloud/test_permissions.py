from __future__ import annotations

import fnmatch
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler.providers.base import Doubt
from reconciler.providers.carbon_black_cloud import permissions
from reconciler.providers.carbon_black_cloud.catalogue import HIGH_RISK, OPERATIONS, PERMISSIONS, SLIPS

SCHEMA = Draft202012Validator(permissions.schema())
SOUND = st.dictionaries(
    st.sampled_from([*PERMISSIONS, "made.up", "x"]), st.lists(st.sampled_from(OPERATIONS), min_size=1, unique=True)
)


@pytest.mark.parametrize(
    ("tree", "path", "what", "hint"),
    [
        ({"org.alerts": ["READS"]}, ("org.alerts", 0), "unknown operation 'READS'", "did you mean 'READ'?"),
        ({"org.alerts": ["read"]}, ("org.alerts", 0), "unknown operation 'read'", "did you mean 'READ'?"),
        ({"org.alerts": ["READ", 3]}, ("org.alerts", 1), "unknown operation 3", "one of CREATE"),
        ({"org.alerts": ["READ", "READ"]}, ("org.alerts", 1), "listed twice", "once"),
        ({"org.alerts": []}, ("org.alerts",), "lists no operations", "[READ]"),
        ({"org.alerts": "READ"}, ("org.alerts",), "lists no operations", "[READ]"),
        ({"org.alerts": None}, ("org.alerts",), "lists no operations", "[READ]"),
        ({"org.policy": ["READ"]}, ("org.policy",), "unknown permission", "'org.policies'?"),
        ({"org,audits": ["READ"]}, ("org,audits",), "is no permission's name", "'org.audits'?"),
        ({"Zz Top": ["READ"]}, ("Zz Top",), "is no permission's name", "dotted"),
        ({"org..alerts.": ["READ"]}, ("org..alerts.",), "is no permission's name", "'org.alerts'?"),
    ],
)
def test_problems(tree: dict[str, Any], path: tuple[Any, ...], what: str, hint: str) -> None:
    """Each mistake at its place; only the operations are a closed list, and known slips get the right spelling."""
    [problem] = permissions.check(tree)
    assert problem.path == ("permissions", *path)
    assert what in problem.what
    assert hint in problem.hint
    assert not SCHEMA.is_valid(tree)


@given(SOUND)
def test_what_the_check_accepts_the_schema_accepts(tree: dict[str, list[str]]) -> None:
    """Known and unknown names, in any order; the canonical form does not depend on it."""
    assert all(isinstance(problem, Doubt) for problem in permissions.check(tree))
    assert SCHEMA.is_valid(tree)
    turned = {name: operations[::-1] for name, operations in reversed(tree.items())}
    assert permissions.canonical(tree) == permissions.canonical(turned)
    assert list(permissions.canonical(tree)) == list(permissions.canonical(turned))
    assert all(isinstance(problem, Doubt) for problem in permissions.check(permissions.canonical(tree)))


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"org.alerts": ["READ"]}, []),
        ({"org.alert": ["READ"]}, [("org.alert", "no public document names the permission 'org.alert'")]),
        ({"org.alerts": ["READ", "DELETE"]}, [("org.alerts", "no public document names DELETE of 'org.alerts'")]),
        ({"org.liveresponse": ["DELETE"]}, []),  # which operations it has is printed nowhere
    ],
)
def test_what_no_document_names_is_a_warning(tree: dict[str, list[str]], said: list[tuple[str, str]]) -> None:
    """The catalogue is not complete, so that nothing is refused for not being in it."""
    found = list(permissions.check(tree))
    assert [(problem.path[-1], problem.what) for problem in found] == said
    assert all(isinstance(problem, Doubt) for problem in found)


def test_the_catalogue_is_sound() -> None:
    """Operations are of the list and in its order; what is risky, and what slips mean, is in the catalogue."""
    for known in PERMISSIONS.values():
        assert list(known.operations) == [one for one in OPERATIONS if one in known.operations]
    assert set(SLIPS.values()) <= set(PERMISSIONS)
    for risky in HIGH_RISK:
        name, _, operation = risky.rpartition(".")
        assert fnmatch.filter(PERMISSIONS, name), risky
        assert operation in (*OPERATIONS, "*")
