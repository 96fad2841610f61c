from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.desired import KeyState
from reconciler.model.mark import Mark
from reconciler.providers.carbon_black_cloud import mapping
from reconciler.providers.carbon_black_cloud.records import Connector, Grant, Role

MARK = Mark("ab" * 8, 3, "c" * 16)


@pytest.mark.parametrize(
    ("more", "facts"),
    [
        ({}, {"type": "CUSTOM", "lastUsed": None}),
        ({"connectorType": "API", "stats": []}, {"type": "API", "lastUsed": None}),
        ({"connectorType": "LIVE_RESPONSE", "stats": {"sessionStartTime": None}}, {"type": "LIVE_RESPONSE"}),
        ({"connectorType": "NEWER"}, {"type": "NEWER"}),
    ],
)
def test_keys_of_other_types(more: dict[str, Any], facts: dict[str, Any]) -> None:
    """Those that are switched off say so; a type that nobody knows is no reason to fail."""
    key = mapping.observed_key(Connector(connectorId="A", name="n", **more), None)
    assert facts.items() <= key.facts.items()
    assert ("deprecated" in key.facts) == (key.facts["type"] in mapping.DEPRECATED)
    assert key.fields["state"] == ("active" if "connectorType" in more else "locked")


def test_a_generation_has_its_manifests_name() -> None:
    """The vendor's name carries the generation; what is not ours is called as it is."""
    ours = Connector(connectorId="A", name="splunk.g3", description=MARK.attach("text"))
    key = mapping.observed_key(ours, None)
    assert (key.name, key.fields["name"], key.fields["description"], key.mark) == ("splunk", "splunk", "text", MARK)
    assert mapping.observed_key(Connector(connectorId="A", name="splunk.g3"), None).name == "splunk.g3"


def test_levels() -> None:
    """Built in are those of no organisation; name and description are told, and a description that is none is left out."""
    role = Role(urn="psc:role::X", name="x", desc=MARK.attach("text"), disabled=True)
    level = mapping.observed_level(role)
    assert (level.builtin, level.mark, level.fields, level.facts) == (
        True,
        MARK,
        {"name": "x", "description": "text"},
        {"disabled": True},
    )
    ours = mapping.observed_level(Role(urn="psc:role:ORG:X", name="x"))
    assert (ours.builtin, ours.mark, ours.fields) == (False, None, {"name": "x"})


@given(st.lists(st.sampled_from(["a", "b", "c"])))
def test_roles_are_a_set(roles: list[str]) -> None:
    """Order and repetition say nothing; no role is no access."""
    grant = Grant(principal="p", roles=roles)
    assert mapping.level_of(grant) == mapping.level_of(Grant(principal="p", roles=roles[::-1] + roles))
    assert mapping.state_of(grant) is (KeyState.ACTIVE if roles else KeyState.LOCKED)
    assert (mapping.level_of(grant) is None) == (not roles)
