from __future__ import annotations

from typing import Any

import deepsecurity.models as sdk

from reconciler.providers.trend_workload_security.records import KeyRecord, RoleRecord
from reconciler.providers.trend_workload_security.rights import FLAGS, LISTS, RIGHTS


def _tree(model: Any) -> dict[str, Any]:
    return {
        model.attribute_map[attribute]: True if kind == "bool" else _tree(getattr(sdk, kind))
        for attribute, kind in model.swagger_types.items()
    }


def test_the_rights_tree_is_the_sdks() -> None:
    """Our tree of rights is the vendor's own, leaf for leaf."""
    ours = {
        group: {thing: dict.fromkeys(rights, True) for thing, rights in things.items()}
        for group, things in RIGHTS.items()
    }
    assert _tree(sdk.Rights) == ours


def test_role_properties_are_the_sdks() -> None:
    """Flags and lists of a role are the vendor's own, and our record of a role names every property."""
    kinds = {sdk.Role.attribute_map[name]: kind for name, kind in sdk.Role.swagger_types.items()}
    assert {name for name, kind in kinds.items() if kind == "bool"} == {*FLAGS, "immutable"}
    assert {name for name, kind in kinds.items() if kind == "list[int]"} == {*LISTS}
    assert set(kinds) == set(RoleRecord.model_fields)


def test_key_properties_are_the_sdks() -> None:
    """Our record of a key names every property but the secret."""
    assert set(sdk.ApiKey.attribute_map.values()) == {*KeyRecord.model_fields, "secretKey"}
