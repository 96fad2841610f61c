"""`AccessLevel.spec.permissions` for this vendor: checking a manifest's tree against the contract, and its JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.providers.base import Problem
from reconciler.providers.trend_workload_security.rights import FLAGS, LISTS, RIGHTS
from reconciler.suggest import did_you_mean


def check(permissions: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of `AccessLevel.spec.permissions`, each with its path below `spec`."""
    for name, value in permissions.items():
        path = ("permissions", name)
        if name in FLAGS:
            yield from _check_flag(path, value)
        elif name in LISTS:
            yield from _check_list(path, value, permissions)
        elif name in RIGHTS:
            yield from _check_group(path, value, RIGHTS[name])
        else:
            known = (*RIGHTS, *FLAGS, *LISTS)
            yield Problem(path, f"unknown permission {name!r}", _home_of(name) or did_you_mean(name, known))


def _check_flag(path: tuple[str, ...], value: object) -> Iterator[Problem]:
    if not isinstance(value, bool):
        yield Problem(path, f"{path[-1]} is {_shown(value)}; it is either true or false")


def _check_list(path: tuple[str, ...], value: object, permissions: Mapping[str, Any]) -> Iterator[Problem]:
    flag, _ = LISTS[path[-1]]
    if not isinstance(value, list | tuple):
        yield Problem(path, f"{path[-1]} is {_shown(value)}; it is a list of ids", "for example [1, 2]")
        return
    for index, item in enumerate(value):
        if not isinstance(item, int) or isinstance(item, bool) or item < 0:
            yield Problem((*path, index), f"{_shown(item)} is no id", "ids are whole numbers from 0 on")
    if value and permissions.get(flag) is True:
        yield Problem(
            path, f"{path[-1]} has no effect while {flag} is true", f"remove one of the two: {flag} or {path[-1]}"
        )


def _check_group(path: tuple[str, ...], value: object, objects: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield Problem(path, f"{path[-1]} is {_shown(value)}; it holds objects such as {next(iter(objects))}")
        return
    for name, rights in value.items():
        below = (*path, name)
        if name not in objects:
            hint = _home_of(name) or did_you_mean(name, objects)
            yield Problem(below, f"{path[-1]} has no object {name!r}", hint)
        elif not isinstance(rights, Mapping):
            yield Problem(below, f"{name} is {_shown(rights)}; it holds rights such as {objects[name][0]}: true")
        else:
            yield from _check_rights(below, rights, objects[name])


def _check_rights(path: tuple[str, ...], value: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[Problem]:
    for name, granted in value.items():
        below = (*path, name)
        if name not in known:
            hint = _home_of(name) or did_you_mean(name, known) or f"its rights: {', '.join(known)}"
            yield Problem(below, f"{path[-1]} has no right {name!r}", hint)
        else:
            yield from _check_flag(below, granted)


def _home_of(name: str) -> str:
    """Where an object or a right belongs that stands in the wrong place."""
    for group, objects in RIGHTS.items():
        for thing, rights in objects.items():
            if name == thing:
                return f"it belongs under {group}"
            if name in rights:
                return f"it belongs under {group}.{thing}"
    return ""


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return "empty" if value is None else repr(value)


def _words(name: str) -> str:
    """`canCreateNewApiKeys` as words: "can create new API keys"."""
    words = re.findall(r"IDs|IPs?|[A-Z]+(?=[A-Z][a-z]|$)|[A-Z]?[a-z]+|[A-Z]+", name.replace("VCenters", "Vcenters"))
    plain = [word if word.isupper() and len(word) > 1 else word.lower() for word in words]
    return " ".join(plain).replace("api key", "API key").replace("vcenter", "vCenter")


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of `AccessLevel.spec.permissions`, every right with a description."""
    properties: dict[str, Any] = {name: _flag(text) for name, text in FLAGS.items()}
    for name, (_, text) in LISTS.items():
        items = {"type": "integer", "minimum": 0}
        properties[name] = {"type": "array", "items": items, "default": [], "description": text}
    for group, objects in RIGHTS.items():
        below = {
            thing: _closed({right: _flag(f"Holders of the role {_words(right)}.") for right in rights}, _words(thing))
            for thing, rights in objects.items()
        }
        properties[group] = _closed(below, _words(group))
    return _closed(properties, "what the role may do; whatever is left out is not granted")


def _flag(text: str) -> dict[str, Any]:
    return {"type": "boolean", "default": False, "description": text}


def _closed(properties: Mapping[str, Any], text: str) -> dict[str, Any]:
    description = text[:1].upper() + text[1:] + "."
    return {"type": "object", "additionalProperties": False, "description": description, "properties": properties}
