from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler.providers.trend_workload_security import permissions
from reconciler.providers.trend_workload_security.rights import FLAGS, LISTS, RIGHTS


def problems(tree: dict[str, Any]) -> list[tuple[tuple[str | int, ...], str, str]]:
    return [tuple(problem) for problem in permissions.check(tree)]  # type: ignore[misc]


def test_a_sound_tree_has_no_problems() -> None:
    """Everything that the contract has may be said."""
    everything: dict[str, Any] = {
        group: {thing: dict.fromkeys(rights, True) for thing, rights in things.items()}
        for group, things in RIGHTS.items()
    }
    everything |= dict.fromkeys(FLAGS, True) | {"computerIDs": [], "policyIDs": ()}
    assert problems(everything) == []
    assert problems({"computerIDs": [0, 7], "allComputers": False}) == []
    assert problems({}) == []


@pytest.mark.parametrize(
    ("tree", "path", "what", "hint"),
    [
        ({"platformRight": {}}, ("platformRight",), "unknown permission", "did you mean 'platformRights'?"),
        ({"allComputer": True}, ("allComputer",), "unknown permission", "did you mean 'allComputers'?"),
        ({"canTag": True}, ("canTag",), "unknown permission", "it belongs under platformRights.taggingRights"),
        ({"xyzzy": True}, ("xyzzy",), "unknown permission", ""),
        ({"allComputers": "yes"}, ("allComputers",), "'yes'; it is either true or false", ""),
        ({"allComputers": None}, ("allComputers",), "empty; it is either true or false", ""),
        ({"computerIDs": 3}, ("computerIDs",), "3; it is a list of ids", "for example [1, 2]"),
        ({"computerIDs": {}}, ("computerIDs",), "a mapping; it is a list", "for example [1, 2]"),
        ({"policyIDs": [1, -1]}, ("policyIDs", 1), "-1 is no id", "whole numbers from 0 on"),
        ({"policyIDs": [True]}, ("policyIDs", 0), "True is no id", "whole numbers"),
        ({"policyIDs": [[1]]}, ("policyIDs", 0), "a list is no id", "whole numbers"),
        ({"allPolicies": True, "policyIDs": [1]}, ("policyIDs",), "no effect while allPolicies is true", "remove one"),
        ({"platformRights": True}, ("platformRights",), "True; it holds objects such as", ""),
        ({"platformRights": {"tagging": {}}}, ("platformRights", "tagging"), "no object", "'taggingRights'"),
        (
            {"firewallRights": {"taggingRights": {}}},
            ("firewallRights", "taggingRights"),
            "no object",
            "it belongs under platformRights",
        ),
        (
            {"platformRights": {"taggingRights": [1]}},
            ("platformRights", "taggingRights"),
            "a list; it holds rights such as canDeleteAutoTagRules: true",
            "",
        ),
        (
            {"platformRights": {"computerRights": {"canViewOtherComputer": True}}},
            ("platformRights", "computerRights", "canViewOtherComputer"),
            "computerRights has no right",
            "did you mean 'canViewOtherComputers'?",
        ),
        (
            {"platformRights": {"settingRights": {"canTag": True}}},
            ("platformRights", "settingRights", "canTag"),
            "no right",
            "it belongs under platformRights.taggingRights",
        ),
        (
            {"platformRights": {"settingRights": {"xyzzy": True}}},
            ("platformRights", "settingRights", "xyzzy"),
            "no right",
            "its rights: canEditSettings, canViewSettings",
        ),
        (
            {"platformRights": {"settingRights": {"canEditSettings": 1}}},
            ("platformRights", "settingRights", "canEditSettings"),
            "1; it is either true or false",
            "",
        ),
    ],
)
def test_problems(tree: dict[str, Any], path: tuple[str | int, ...], what: str, hint: str) -> None:
    """Every mistake is reported at its place below `spec`, with what would be right."""
    [(found, text, advice)] = problems(tree)
    assert found == ("permissions", *path)
    assert what in text
    assert hint in advice
    assert bool(hint) == bool(advice)


def test_all_problems_are_reported() -> None:
    """One mistake does not hide the next."""
    tree = {"nonsense": 1, "platformRights": {"x": {}, "settingRights": {"a": True, "b": True}}, "allComputers": 1}
    assert len(problems(tree)) == 5


_SCHEMA = Draft202012Validator(permissions.schema())
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*RIGHTS, *FLAGS, *LISTS, "x"]), inner),
)


@given(st.dictionaries(st.sampled_from([*RIGHTS, *FLAGS, *LISTS, "x"]), _json))
def test_check_and_schema_agree(tree: dict[str, Any]) -> None:
    """What the JSON Schema refuses has a problem; only lists without effect are beyond the schema."""
    valid = _SCHEMA.is_valid(tree)
    found = [problem for problem in permissions.check(tree) if "no effect" not in problem.what]
    assert valid == (not found)


def test_the_schema_describes_every_leaf() -> None:
    """Editors show a sentence for each right."""
    schema = permissions.schema()
    Draft202012Validator.check_schema(schema)
    platform = schema["properties"]["platformRights"]["properties"]
    assert platform["apikeyRights"]["properties"]["canViewApiKeys"] == {
        "type": "boolean",
        "default": False,
        "description": "Holders of the role can view API keys.",
    }
    assert platform["computerRights"]["properties"]["canManageVCenters"]["description"].endswith("can manage vCenters.")

    def described(node: dict[str, Any]) -> bool:
        return bool(node.get("description")) and all(map(described, node.get("properties", {}).values()))

    assert described(schema)
