"""Endpoint maps: how one customer's console creates keys and access levels, captured by that customer.

The vendor documents no API for that, so nothing in here knows a path. A map is the `spec` of an EndpointMap manifest::

    operations:
      createKey:
        method: POST
        path: /some/path/{orgKey}/keys
        body: {name: "{name}", description: "{description}", level: "{level}", ips: "{allowedIPs}"}
        reply: {id: key.id, secret: key.secret}

A text that is one placeholder becomes that value as it is (a list stays a list); a placeholder within a text becomes text.
`reply` says where in the answer's JSON something is: dotted names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from reconciler.providers.answers import Call, Effect
from reconciler.providers.carbon_black_cloud.capabilities import CAPABILITIES
from reconciler.suggest import did_you_mean

METHODS: Final = ("POST", "PUT", "PATCH", "DELETE")
_ORG: Final = ("orgKey", "orgId")
_KEY: Final = ("name", "description", "allowedIPs", "allowedIPsText")
_LEVEL: Final = ("name", "description", "permissions", "permissionList")
_IPS: Final = ("allowedIPs", "allowedIPsText")
_PERMISSIONS: Final = ("permissions", "permissionList")
_PARTS: Final = ("method", "path", "body", "reply")
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_SEGMENT: Final = re.compile(r"(?:[A-Za-z0-9._~-]|\{[A-Za-z]+\})+")
_DOTTED: Final = re.compile(r"[^.\s]+(\.[^.\s]+)*")


@dataclass(frozen=True, slots=True)
class _Shape:
    """What one operation may and must say."""

    effect: Effect
    placeholders: tuple[str, ...]
    needs: tuple[tuple[str, ...], ...]
    """Each group: one of these has to stand in the path or in the body."""
    reply: tuple[str, ...] = ()
    optional_reply: tuple[str, ...] = ()


OPERATIONS: Final[dict[str, _Shape]] = {
    "createKey": _Shape(
        Effect.ONCE, (*_ORG, *_KEY, "level"), (("name",), ("description",), _IPS), reply=("id", "secret")
    ),
    "updateKey": _Shape(Effect.REPEATABLE, (*_ORG, "id", *_KEY), (("id",), ("name",), ("description",), _IPS)),
    "regenerateKey": _Shape(Effect.ONCE, (*_ORG, "id"), (("id",),), reply=("secret",)),
    "deleteKey": _Shape(Effect.REPEATABLE, (*_ORG, "id"), (("id",),)),
    "createLevel": _Shape(
        Effect.ONCE, (*_ORG, *_LEVEL), (("name",), ("description",), _PERMISSIONS), optional_reply=("id",)
    ),
    "updateLevel": _Shape(
        Effect.REPEATABLE, (*_ORG, "id", *_LEVEL), (("id",), ("name",), ("description",), _PERMISSIONS)
    ),
    "deleteLevel": _Shape(Effect.REPEATABLE, (*_ORG, "id"), (("id",),)),
}
"""Every operation changes something: a map has no reads."""


class MapProblem(NamedTuple):
    """Something wrong in a map: where below its `spec`, what, and what would be right."""

    path: tuple[str | int, ...]
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class MapOperation:
    """One request of a map. `body` None: it has none."""

    call: Call
    body: Any = None
    reply: Mapping[str, str] = field(default_factory=dict)

    @property
    def placeholders(self) -> frozenset[str]:
        """The placeholders of path and body."""
        return frozenset((*_placeholders(self.call.template), *_placeholders(self.body)))

    def fill(self, values: Mapping[str, Any]) -> Any:
        """The body with its placeholders filled. KeyError if a value is missing."""
        return _fill(self.body, values)


def check(spec: Mapping[str, Any]) -> Iterator[MapProblem]:
    """Problems of a map, whatever tenant uses it."""
    for name in spec:
        if name != "operations":
            yield MapProblem((name,), f"unknown field {name!r}", "an endpoint map holds operations")
    operations = spec.get("operations")
    if not isinstance(operations, Mapping) or not operations:
        yield MapProblem(
            ("operations",), "operations is no mapping of operations", f"there are {', '.join(OPERATIONS)}"
        )
        return
    for name, operation in operations.items():
        path = ("operations", name)
        if name not in OPERATIONS:
            hint = did_you_mean(str(name), OPERATIONS) or f"there are {', '.join(OPERATIONS)}"
            yield MapProblem(path, f"unknown operation {name!r}", hint)
        elif not isinstance(operation, Mapping):
            yield MapProblem(path, f"{name} is no mapping", f"it holds {', '.join(_PARTS)}")
        else:
            yield from _check_operation(path, operation, OPERATIONS[name])


def parse(spec: Mapping[str, Any]) -> dict[str, MapOperation]:
    """The operations of a map that has passed the check."""
    return {
        name: MapOperation(
            Call(one["method"], one["path"], OPERATIONS[name].effect, answers=bool(one.get("reply"))),
            one.get("body"),
            dict(one.get("reply", {})),
        )
        for name, one in spec["operations"].items()
    }


def offered(spec: Mapping[str, Any] | None) -> frozenset[str]:
    """The operations that a map names, checked or not."""
    operations = spec.get("operations") if spec is not None else None
    return frozenset(operations) & frozenset(OPERATIONS) if isinstance(operations, Mapping) else frozenset()


def wants_number(spec: Mapping[str, Any]) -> bool:
    """Whether a map uses `{orgId}`, so that its tenants have to tell the organisation's number."""
    return "orgId" in _placeholders(spec)


def at(answer: Mapping[str, Any], dotted: str) -> Any:
    """What stands at dotted names in an answer; None if nothing does."""
    found: Any = answer
    for name in dotted.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def take(answer: dict[str, Any], dotted: str) -> Any:
    """The same, and it is gone from the answer afterwards."""
    *outer, last = dotted.split(".")
    holder = at(answer, ".".join(outer)) if outer else answer
    return holder.pop(last, None) if isinstance(holder, dict) else None


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of an EndpointMap's `spec`."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["operations"],
        "description": "Requests that your own console makes and the vendor does not document.",
        "properties": {
            "operations": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": False,
                "description": "What is left out stays a step by hand.",
                "properties": {name: _schema(name, shape) for name, shape in OPERATIONS.items()},
            }
        },
    }


def _schema(name: str, shape: _Shape) -> dict[str, Any]:
    found = (*shape.reply, *shape.optional_reply)
    names = " ".join(f"{{{one}}}" for one in shape.placeholders)
    properties: dict[str, Any] = {
        "method": {"enum": list(METHODS), "description": "A map has no reads, so GET is none of them."},
        "path": {
            "type": "string",
            "pattern": "^/",
            "description": "Below the tenant's endpoint: {orgKey} {orgId} {id}.",
        },
        "body": {"description": f"JSON in which placeholders are filled: {names}."},
    }
    if found:
        properties["reply"] = {
            "type": "object",
            "additionalProperties": False,
            "required": list(shape.reply),
            "description": "Where in the answer it is: dotted names.",
            "properties": {one: {"type": "string"} for one in found},
        }
    required = ["method", "path", *(["reply"] if shape.reply else [])]
    description = f"The request that makes the console's {name}."
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "description": description,
        "properties": properties,
    }


def _check_operation(path: tuple[str, ...], operation: Mapping[str, Any], shape: _Shape) -> Iterator[MapProblem]:
    for part in operation:
        if part not in _PARTS:
            hint = did_you_mean(str(part), _PARTS) or f"it holds {', '.join(_PARTS)}"
            yield MapProblem((*path, str(part)), f"unknown field {part!r}", hint)
    method, template, body = operation.get("method"), operation.get("path"), operation.get("body")
    if method not in METHODS:
        what = f"{method!r} is no method of a write" if method else "it has no method"
        yield MapProblem((*path, "method"), what, f"one of {', '.join(METHODS)}; a map has no reads")
    yield from _check_path((*path, "path"), template, str(method))
    allowed = {"path": (*_ORG, "id") if "id" in shape.placeholders else _ORG, "body": shape.placeholders}
    given = {"path": _placeholders(template), "body": _placeholders(body)}
    for part, names in given.items():
        for name in sorted(set(names)):
            if name not in allowed[part]:
                hint = did_you_mean(name, allowed[part]) or f"there are {', '.join(allowed[part])}"
                yield MapProblem((*path, part), f"unknown placeholder {{{name}}}", hint)
    for group in shape.needs:
        if not {*given["path"], *given["body"]} & set(group):
            missing = " or ".join(f"{{{name}}}" for name in group)
            yield MapProblem(
                (*path, "body"), f"{missing} is missing", "what a manifest says would be dropped in silence"
            )
    yield from _check_reply((*path, "reply"), operation.get("reply", {}), shape)


def _check_path(path: tuple[str, ...], template: object, method: str) -> Iterator[MapProblem]:
    hint = "a path below the tenant's endpoint, such as /console/{orgKey}/keys/{id}"
    if not isinstance(template, str) or not template:
        yield MapProblem(path, "it has no path", hint)
        return
    if not template.startswith("/") or template.startswith("//") or "://" in template:
        yield MapProblem(path, "the path names a host, or does not begin with one slash", hint)
        return
    segments = template[1:].removesuffix("/").split("/")
    if any(segment in {".", ".."} for segment in segments):
        yield MapProblem(path, "the path climbs: a part of it is . or ..", hint)
    elif not all(_SEGMENT.fullmatch(segment) for segment in segments):
        what = "the path has an empty part, a query, or characters other than letters, digits and ._~-"
        yield MapProblem(path, what, hint)
    else:
        for read in _declared_reads():
            if method == read[0] and _same(segments, read[1]):
                what = f"{method} {template} is what the provider reads with"
                yield MapProblem(path, what, "a write under a read's name would be let through in a plan")


def _check_reply(path: tuple[str, ...], reply: object, shape: _Shape) -> Iterator[MapProblem]:
    allowed = (*shape.reply, *shape.optional_reply)
    if not isinstance(reply, Mapping):
        yield MapProblem(path, "reply is no mapping", f"it says where these are: {', '.join(allowed)}")
        return
    for name, dotted in reply.items():
        if name not in allowed:
            hint = (
                f"it says where these are: {', '.join(allowed)}" if allowed else "this operation's answer is not read"
            )
            yield MapProblem((*path, str(name)), f"unknown field {name!r}", hint)
        elif not isinstance(dotted, str) or not _DOTTED.fullmatch(dotted):
            yield MapProblem((*path, str(name)), f"{dotted!r} is no place in an answer", "dotted names, such as key.id")
    for name in shape.reply:
        if name not in reply:
            yield MapProblem(path, f"it does not say where the answer has the {name}", f"{name}: its.dotted.name")


def _declared_reads() -> list[tuple[str, list[str]]]:
    found = []
    for operation in CAPABILITIES.operations:
        if operation.read:
            method, _, template = operation.request.partition(" ")
            found.append((method, template.partition("?")[0][1:].split("/")))
    return found


def _same(mine: list[str], read: list[str]) -> bool:
    """Whether a path is that of a read, whatever stands for the read's placeholders."""
    return len(mine) == len(read) and all(
        theirs.startswith("{") or own.lower() == theirs.lower() for own, theirs in zip(mine, read, strict=True)
    )


def _placeholders(template: object) -> list[str]:
    if isinstance(template, str):
        return _PLACEHOLDER.findall(template)
    if isinstance(template, Mapping):
        return [name for value in template.values() for name in _placeholders(value)]
    if isinstance(template, list | tuple):
        return [name for value in template for name in _placeholders(value)]
    return []


def _fill(template: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(template, str):
        whole = _PLACEHOLDER.fullmatch(template)
        if whole:
            return values[whole[1]]
        return _PLACEHOLDER.sub(lambda found: str(values[found[1]]), template)
    if isinstance(template, Mapping):
        return {name: _fill(value, values) for name, value in template.items()}
    if isinstance(template, list | tuple):
        return [_fill(value, values) for value in template]
    return template
