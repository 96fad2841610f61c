from __future__ import annotations

from typing import Any

import pytest

from reconciler.providers.cortex_cloud import scope_rules


@pytest.mark.parametrize(
    ("scope", "path", "what", "hint"),
    [
        ({}, (), "scope is empty", "for example"),
        ("all", (), "scope is no mapping", "for example"),
        ({"asets": {}}, ("asets",), "no field 'asets'", "'assets'"),
        ({"colour": 1}, ("colour",), "no field", "one of assets, endpoints"),
        ({"assets": {}}, ("assets",), "assets is empty", "for example"),
        ({"assets": {"groupIds": [1]}}, ("assets",), "no mode", "no_scope, see_all, scope"),
        ({"assets": {"mode": "see_al"}}, ("assets", "mode"), "unknown mode", "no_scope, see_all, scope"),
        ({"assets": {"mode": 3}}, ("assets", "mode"), "unknown mode 3", "one of"),
        ({"assets": {"mode": "any"}}, ("assets", "mode"), "unknown mode", "one of"),
        ({"assets": {"mode": "scope"}}, ("assets",), "names nothing in groupIds", "no_scope"),
        ({"assets": {"mode": "see_all", "groupIds": [1]}}, ("assets", "groupIds"), "no effect", "mode: scope"),
        ({"assets": {"mode": "scope", "groupIds": 1}}, ("assets", "groupIds"), "no list", "[12]"),
        ({"assets": {"mode": "scope", "groupIds": [1, 0]}}, ("assets", "groupIds", 1), "0 is none", ""),
        ({"assets": {"mode": "scope", "groupIds": [True]}}, ("assets", "groupIds", 0), "True is none", ""),
        ({"assets": {"mode": "scope", "groupIds": [1, 1]}}, ("assets", "groupIds", 1), "twice", "remove"),
        ({"endpoints": []}, ("endpoints",), "is empty", "for example"),
        ({"endpoints": {"tags": {"mode": "see_all"}}}, ("endpoints", "tags", "mode"), "unknown mode", "any"),
        (
            {"endpoints": {"groups": {"mode": "scope", "names": [" a"]}}},
            ("endpoints", "groups", "names", 0),
            "' a' is none",
            "",
        ),
        (
            {"casesIssues": {"mode": "see_all", "includeWithoutEntities": True}},
            ("casesIssues", "includeWithoutEntities"),
            "no effect",
            "",
        ),
        (
            {"casesIssues": {"mode": "scope", "names": ["a"], "includeWithoutEntities": "yes"}},
            ("casesIssues", "includeWithoutEntities"),
            "either true or false",
            "",
        ),
        ({"datasets": {"defaultMode": "scope"}}, ("datasets", "defaultMode"), "unknown mode", "one of"),
        ({"datasets": {"filters": {}}}, ("datasets", "filters"), "no list", "for example"),
        ({"datasets": {"filters": ["a"]}}, ("datasets", "filters", 0), "no mapping", "for example"),
        ({"datasets": {"filters": [{"dataset": "a"}]}}, ("datasets", "filters", 0), "no filter", ""),
        (
            {"datasets": {"filters": [{"dataset": "a", "filter": ""}]}},
            ("datasets", "filters", 0, "filter"),
            "not empty",
            "",
        ),
        (
            {"datasets": {"filters": [{"dataset": "a", "filter": "x"}, {"dataset": "a", "filter": "y"}]}},
            ("datasets", "filters", 1),
            "two filters",
            "join",
        ),
    ],
)
def test_problems(scope: Any, path: tuple[Any, ...], what: str, hint: str) -> None:
    """Each mistake is named where it stands."""
    [problem] = scope_rules.check(scope)
    assert problem.path == ("scope", *path)
    assert what in problem.what
    assert hint in problem.hint
