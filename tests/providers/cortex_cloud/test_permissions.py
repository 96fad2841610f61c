from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.providers.cortex_cloud import permissions

SOUND = {
    "components": ["rules_view"],
    "datasets": [{"category": "xdr", "accessAll": True}, {"category": "Endpoints", "permissions": ["b", "a"]}],
}


def test_sound_permissions() -> None:
    """Nothing to say; canonical with every default, in order."""
    assert list(permissions.check(SOUND)) == []
    assert list(permissions.canonical(SOUND)["datasets"]) == ["Endpoints", "xdr"]
    assert permissions.canonical(SOUND)["datasets"]["Endpoints"] == {"accessAll": False, "permissions": ("a", "b")}
    Draft202012Validator.check_schema(permissions.schema())
    assert Draft202012Validator(permissions.schema()).is_valid(SOUND)
    assert not Draft202012Validator(permissions.schema()).is_valid({})


@pytest.mark.parametrize(
    ("given", "path", "what", "hint"),
    [
        ({}, (), "no components", "for example"),
        ({"components": []}, (), "no components", "for example"),
        ({"components": "rules_view"}, ("components",), "no list", "for example"),
        ({"components": ["a b"]}, ("components", 0), "'a b' is no permission", "a name such as"),
        ({"components": [3]}, ("components", 0), "3 is no permission", ""),
        ({"components": ["a", "a"]}, ("components", 1), "twice", "remove"),
        ({"components": ["a"], "component": ["b"]}, ("component",), "unknown permission", "'components'"),
        ({"components": ["a"], "colour": 1}, ("colour",), "unknown permission", "components and datasets"),
        ({"components": ["a"], "datasets": {}}, ("datasets",), "no list", "for example"),
        ({"components": ["a"], "datasets": ["xdr"]}, ("datasets", 0), "no mapping", "for example"),
        ({"components": ["a"], "datasets": [{"accessAll": True}]}, ("datasets", 0), "no category", ""),
        ({"components": ["a"], "datasets": [{"category": "x"}]}, ("datasets", 0), "grants nothing", "accessAll: true"),
        (
            {"components": ["a"], "datasets": [{"category": "x", "accessAll": "yes"}]},
            ("datasets", 0, "accessAll"),
            "either true or false",
            "",
        ),
        (
            {"components": ["a"], "datasets": [{"category": "x", "accessAll": True, "permissions": ["p"]}]},
            ("datasets", 0, "permissions"),
            "no effect",
            "remove",
        ),
        (
            {"components": ["a"], "datasets": [{"category": "x", "permissions": ["p", "p"]}]},
            ("datasets", 0, "permissions", 1),
            "twice",
            "",
        ),
        (
            {"components": ["a"], "datasets": [{"category": "x", "permissions": "p"}]},
            ("datasets", 0, "permissions"),
            "no list",
            "",
        ),
        (
            {"components": ["a"], "datasets": [{"category": "x", "accessAll": True, "acces": 1}]},
            ("datasets", 0, "acces"),
            "no field",
            "'accessAll'",
        ),
        (
            {"components": ["a"], "datasets": [{"category": "x", "accessAll": True}] * 2},
            ("datasets", 1),
            "twice",
            "join",
        ),
    ],
)
def test_problems_of_permissions(given: Any, path: tuple[Any, ...], what: str, hint: str) -> None:
    """Each mistake is named where it stands."""
    [problem] = permissions.check(given)
    assert problem.path == ("permissions", *path)
    assert what in problem.what
    assert hint in problem.hint
