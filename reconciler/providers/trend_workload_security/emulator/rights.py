"""Granted rights as sets of dotted paths: `platformRights.apikeyRights.canViewApiKeys`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from reconciler.providers.trend_workload_security.emulator.errors import Invalid
from reconciler.providers.trend_workload_security.rights import RIGHTS

ALL: Final = frozenset(
    f"{group}.{area}.{leaf}" for group, areas in RIGHTS.items() for area, leaves in areas.items() for leaf in leaves
)
VIEW: Final = frozenset(right for right in ALL if right.rpartition(".")[2].startswith("canView"))
"""What the built-in Auditor may do."""

API_KEYS: Final = "platformRights.apikeyRights."
ROLES: Final = "platformRights.administratorRoleRights."
TENANT_KEYS: Final = "platformRights.multiTenantRights.canManageTenantAPIKeys"


@lru_cache(maxsize=4096)
def expand(granted: frozenset[str]) -> dict[str, Any]:
    """The whole tree with every leaf, as answers show it. Not to be changed: it is shared."""
    return {
        group: {area: {leaf: f"{group}.{area}.{leaf}" in granted for leaf in leaves} for area, leaves in areas.items()}
        for group, areas in RIGHTS.items()
    }


def merge(granted: frozenset[str], tree: Any) -> frozenset[str]:
    """Put a (partial) tree from a request over what is granted; Invalid names what does not belong there."""
    result = set(granted)
    for group, areas in _items(tree, "rights"):
        if group not in RIGHTS:
            raise Invalid(f"unknown right: {group}")
        for area, leaves in _items(areas, group):
            if area not in RIGHTS[group]:
                raise Invalid(f"unknown right: {group}.{area}")
            for leaf, value in _items(leaves, f"{group}.{area}"):
                path = f"{group}.{area}.{leaf}"
                if path not in ALL:
                    raise Invalid(f"unknown right: {path}")
                if not isinstance(value, bool | None):
                    raise Invalid(f"{path} must be a boolean")
                (result.add if value else result.discard)(path)
    return frozenset(result)


def _items(tree: Any, where: str) -> list[tuple[str, Any]]:
    if not isinstance(tree, dict):
        raise Invalid(f"{where} must be an object")
    return list(tree.items())
