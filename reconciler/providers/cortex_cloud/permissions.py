"""`AccessLevel.spec.permissions` for this vendor: checking a manifest's tree, its canonical form, and its JSON Schema.

The shape is that of the vendor's call to create a role (3). Which tokens a tenant knows is in its own catalogue
(`/platform/iam/v1/role/permission-config`), so that a token is checked for its form only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.providers.base import Problem
from reconciler.suggest import did_you_mean

TOKEN: Final = re.compile(r"[A-Za-z0-9_.:-]+")
_DATASET: Final = ("category", "accessAll", "permissions")
_EXAMPLE: Final = "for example {components: [investigation_query_view]}"


def check(permissions: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of `AccessLevel.spec.permissions`, each with its path below `spec`."""
    path = ("permissions",)
    known = ("components", "datasets")
    for name in permissions:
        if name not in known:
            hint = did_you_mean(str(name), known) or "a role has components and datasets"
            yield Problem((*path, name), f"unknown permission {name!r}", hint)
    components = permissions.get("components")
    if not components:
        yield Problem(path, "the role has no components", f"the vendor makes no role without any; {_EXAMPLE}")
    else:
        yield from _tokens(components, (*path, "components"), TOKEN)
    if "datasets" in permissions:
        yield from _datasets(permissions["datasets"], (*path, "datasets"))


def canonical(permissions: Mapping[str, Any]) -> dict[str, Any]:
    """The permissions with every default, sets in order; datasets by category."""
    datasets = {
        one["category"]: {
            "accessAll": one.get("accessAll", False),
            "permissions": tuple(sorted(one.get("permissions", ()))),
        }
        for one in permissions.get("datasets", ())
    }
    return {"components": tuple(sorted(permissions["components"])), "datasets": dict(sorted(datasets.items()))}


def _datasets(value: object, path: tuple[str | int, ...]) -> Iterator[Problem]:
    if not isinstance(value, list | tuple):
        yield Problem(path, "datasets is no list", "for example [{category: xdr, accessAll: true}]")
        return
    seen: set[str] = set()
    for index, one in enumerate(value):
        below: tuple[str | int, ...] = (*path, index)
        if not isinstance(one, Mapping):
            yield Problem(below, f"{one!r} is no mapping", "for example {category: xdr, accessAll: true}")
            continue
        yield from _dataset(one, below)
        category = str(one.get("category"))
        if category in seen:
            yield Problem(below, f"category {category!r} stands there twice", "join the two")
        seen.add(category)


def _dataset(one: Mapping[str, Any], path: tuple[str | int, ...]) -> Iterator[Problem]:
    for name in one:
        if name not in _DATASET:
            hint = did_you_mean(str(name), _DATASET) or f"one of {', '.join(_DATASET)}"
            yield Problem((*path, name), f"a dataset category has no field {name!r}", hint)
    category = one.get("category")
    if not isinstance(category, str) or not category.strip():
        yield Problem(path, "the entry names no category", "for example {category: xdr, accessAll: true}")
    everything = one.get("accessAll", False)
    if not isinstance(everything, bool):
        yield Problem((*path, "accessAll"), f"accessAll is {everything!r}; it is either true or false")
    permissions = one.get("permissions", ())
    if everything is True and permissions:
        yield Problem(
            (*path, "permissions"), "permissions have no effect while accessAll is true", "remove one of the two"
        )
    elif everything is False and not permissions:
        yield Problem(path, "the category grants nothing", "write accessAll: true, or name its datasets in permissions")
    elif permissions:
        yield from _tokens(permissions, (*path, "permissions"), re.compile(r"\S.*"))


def _tokens(value: object, path: tuple[str | int, ...], form: re.Pattern[str]) -> Iterator[Problem]:
    if not isinstance(value, list | tuple):
        yield Problem(path, f"{path[-1]} is no list", _EXAMPLE)
        return
    for index, token in enumerate(value):
        if not isinstance(token, str) or not form.fullmatch(token):
            yield Problem((*path, index), f"{token!r} is no permission", "a name such as investigation_query_view")
        elif token in value[:index]:
            yield Problem((*path, index), f"{token!r} stands there twice", "remove one of the two")


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of `AccessLevel.spec.permissions`."""
    names = {"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": True}
    dataset = {
        "type": "object",
        "additionalProperties": False,
        "required": ["category"],
        "description": "One category of datasets.",
        "properties": {
            "category": {"type": "string", "minLength": 1, "description": "Its name in the tenant's catalogue."},
            "accessAll": {
                "type": "boolean",
                "default": False,
                "description": "All its datasets, as far as the reconciler's own key can reach them.",
            },
            "permissions": {**names, "description": "Single datasets."},
        },
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["components"],
        "description": "What the role may do; whatever is left out is not granted.",
        "properties": {
            "components": {
                **names,
                "minItems": 1,
                "description": "Tokens of the tenant's permission catalogue. An action brings its view with it; what a "
                "permission depends on has to be named too.",
                "examples": [["investigation_query_view", "rules_action"]],
            },
            "datasets": {"type": "array", "items": dataset, "default": [], "description": "Access to datasets."},
        },
    }
