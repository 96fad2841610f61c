"""Scopes as manifests write them: checking one before any call, and the JSON Schema for editors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from reconciler.providers.base import Problem
from reconciler.providers.cortex_cloud.scopes import ANY, EVERYTHING, NOTHING, SOME
from reconciler.suggest import did_you_mean

_MODES: Final = (NOTHING, EVERYTHING, SOME)
_TAG_MODES: Final = (NOTHING, ANY, SOME)
_ROW_MODES: Final = (NOTHING, EVERYTHING)
_Path = tuple[str | int, ...]


def check(scope: object, path: _Path = ("scope",)) -> Iterator[Problem]:
    """Problems of a scope, each with its path below `spec`."""
    yield from _fields(
        scope,
        path,
        {
            "assets": lambda value, below: _section(value, below, _MODES, "groupIds"),
            "endpoints": _endpoints,
            "casesIssues": lambda value, below: _section(value, below, _MODES, "names", "includeWithoutEntities"),
            "datasets": _datasets,
        },
        "a scope says what a key reaches: for example {assets: {mode: scope, groupIds: [12]}}",
    )


def _endpoints(value: object, path: _Path) -> Iterator[Problem]:
    yield from _fields(
        value,
        path,
        {
            "groups": lambda item, below: _section(item, below, _MODES, "names"),
            "tags": lambda item, below: _section(item, below, _TAG_MODES, "names"),
        },
        "for example {groups: {mode: scope, names: [servers]}}",
    )


def _section(value: object, path: _Path, modes: tuple[str, ...], names: str, flag: str = "") -> Iterator[Problem]:
    known: dict[str, Callable[[object, _Path], Iterator[Problem]]] = {
        "mode": lambda item, below: _mode(item, below, modes),
        names: _ids if names == "groupIds" else _names,
    }
    if flag:
        known[flag] = _flag
    yield from _fields(value, path, known, f"for example {{mode: {modes[1]}}}")
    if not isinstance(value, Mapping) or not value:
        return
    if "mode" not in value:
        yield Problem(path, f"{path[-1]} has no mode", f"one of {', '.join(modes)}")
    elif value["mode"] == SOME and not value.get(names):
        yield Problem(path, f"mode scope names nothing in {names}", f"name something, or write mode: {NOTHING}")
    elif value["mode"] in modes and value["mode"] != SOME:
        for extra in (name for name in (names, flag) if value.get(name)):
            yield Problem((*path, extra), f"{extra} has no effect with mode {value['mode']}", "write mode: scope")


def _datasets(value: object, path: _Path) -> Iterator[Problem]:
    yield from _fields(
        value,
        path,
        {"defaultMode": lambda item, below: _mode(item, below, _ROW_MODES), "filters": _filters},
        "for example {defaultMode: see_all, filters: [{dataset: xdr_data, filter: TEXT}]}",
    )


def _filters(value: object, path: _Path) -> Iterator[Problem]:
    if not isinstance(value, list | tuple):
        yield Problem(path, "filters is no list", "for example [{dataset: xdr_data, filter: TEXT}]")
        return
    seen: set[str] = set()
    for index, one in enumerate(value):
        below = (*path, index)
        yield from _fields(
            one, below, {"dataset": _word, "filter": _word}, "for example {dataset: xdr_data, filter: TEXT}"
        )
        if not isinstance(one, Mapping):
            continue
        for missing in ("dataset", "filter"):
            if missing not in one:
                yield Problem(below, f"the filter has no {missing}")
        dataset = str(one.get("dataset"))
        if dataset in seen:
            yield Problem(below, f"dataset {dataset!r} has two filters", "join them into one")
        seen.add(dataset)


def _fields(
    value: object, path: _Path, known: Mapping[str, Callable[[object, _Path], Iterator[Problem]]], example: str
) -> Iterator[Problem]:
    if not isinstance(value, Mapping) or not value:
        yield Problem(path, f"{path[-1]} is {'empty' if not value else 'no mapping'}", example)
        return
    for name, item in value.items():
        if name in known:
            yield from known[name](item, (*path, name))
        else:
            hint = did_you_mean(str(name), known) or f"one of {', '.join(known)}"
            yield Problem((*path, name), f"{path[-1]} has no field {name!r}", hint)


def _mode(value: object, path: _Path, modes: tuple[str, ...]) -> Iterator[Problem]:
    if value not in modes:
        yield Problem(path, f"unknown mode {value!r}", f"one of {', '.join(modes)}")


def _ids(value: object, path: _Path) -> Iterator[Problem]:
    yield from _list(value, path, "ids of asset groups, for example [12]", _is_id)


def _names(value: object, path: _Path) -> Iterator[Problem]:
    yield from _list(value, path, "names, for example [servers]", _is_word)


def _list(value: object, path: _Path, what: str, sound: Callable[[object], bool]) -> Iterator[Problem]:
    if not isinstance(value, list | tuple):
        yield Problem(path, f"{path[-1]} is no list", what)
        return
    for index, item in enumerate(value):
        if not sound(item):
            yield Problem((*path, index), f"{item!r} is none of these: {what}")
        elif item in value[:index]:
            yield Problem((*path, index), f"{item!r} stands there twice", "remove one of the two")


def _word(value: object, path: _Path) -> Iterator[Problem]:
    if not _is_word(value):
        yield Problem(path, f"{path[-1]} is {value!r}; it is a text that is not empty")


def _flag(value: object, path: _Path) -> Iterator[Problem]:
    if not isinstance(value, bool):
        yield Problem(path, f"{path[-1]} is {value!r}; it is either true or false")


def _is_word(value: object) -> bool:
    return isinstance(value, str) and value.strip() == value != ""


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a scope."""
    names = {"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": True}
    ids = {"type": "array", "items": {"type": "integer", "minimum": 1}, "uniqueItems": True}
    only = "Only with mode scope."
    return _object(
        "What a key reaches (scope-based access control). What is not named is not reached; without a scope, all is.",
        {
            "assets": _object(
                "Which assets.",
                {"mode": _enum(_MODES), "groupIds": {**ids, "description": f"Ids of asset groups. {only}"}},
                "mode",
            ),
            "endpoints": _object(
                "Which endpoints: those that the groups and the tags both admit; left out, either admits all.",
                {
                    "groups": _object(
                        "By endpoint group.",
                        {"mode": _enum(_MODES), "names": {**names, "description": f"Names of groups. {only}"}},
                        "mode",
                    ),
                    "tags": _object(
                        "By endpoint tag.",
                        {"mode": _enum(_TAG_MODES), "names": {**names, "description": f"Names of tags. {only}"}},
                        "mode",
                    ),
                },
            ),
            "casesIssues": _object(
                "Which cases and issues, by tag.",
                {
                    "mode": _enum(_MODES),
                    "names": {**names, "description": f"Names of tags. {only}"},
                    "includeWithoutEntities": {
                        "type": "boolean",
                        "default": False,
                        "description": f"Also those that concern nothing in particular. {only}",
                    },
                },
                "mode",
            ),
            "datasets": _object(
                "Which rows of datasets; for tenants with dataset scoping only. Left out, no row is hidden.",
                {
                    "defaultMode": {
                        **_enum(_ROW_MODES),
                        "default": EVERYTHING,
                        "description": "Datasets without a filter.",
                    },
                    "filters": {
                        "type": "array",
                        "description": "Datasets with a filter, each one once.",
                        "items": _object(
                            "One dataset.",
                            {
                                "dataset": {"type": "string", "minLength": 1, "description": "Its name."},
                                "filter": {"type": "string", "minLength": 1, "description": "The vendor's expression."},
                            },
                            "dataset",
                            "filter",
                        ),
                    },
                },
            ),
        },
    )


def _object(text: str, properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    found = {"type": "object", "additionalProperties": False, "minProperties": 1, "description": text}
    return {**found, "properties": properties, **({"required": list(required)} if required else {})}


def _enum(modes: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "string", "enum": list(modes), "description": "How much of it."}
