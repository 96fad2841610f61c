"""What a field means, in plain facts, read from the schemas: behind `reconciler explain`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import yaml

from reconciler.errors import InvalidInput
from reconciler.manifest.jsonschema import Schema, alternatives, plain, schema_of
from reconciler.manifest.models import ManifestKind
from reconciler.providers.base import Provider
from reconciler.suggest import did_you_mean, nearest

_TYPES: Final = {
    "string": "text",
    "boolean": "true or false",
    "integer": "whole number",
    "number": "number",
    "object": "mapping",
}
_RULES: Final = {
    "pattern": "must match {}",
    "minLength": "{} or more characters",
    "maxLength": "up to {} characters",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minProperties": "{} or more of them",
    "minItems": "{} or more of them",
}
PROVIDERS_PARTS: Final = (
    "Tenant.spec.options",
    "AccessLevel.spec.permissions",
    "ApiKey.spec.options",
    "ApiKey.spec.scope",
    "Scope.spec.scope",
)
"""Fields whose shape each provider defines."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A kind or a field. Values (`default`, `examples`, `allowed`) are written as YAML."""

    path: str
    type: str
    description: str
    required: bool = False
    default: str = ""
    allowed: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    """Further limits, each a short phrase."""
    examples: tuple[str, ...] = ()
    fields: tuple[Explanation, ...] = ()
    """What is below it; these have no `fields` themselves."""
    provided: bool = False
    """Whether its shape is a provider's, and no provider was given."""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]


def kinds() -> tuple[Explanation, ...]:
    """All kinds, without their fields."""
    return tuple(Explanation(kind.value, "kind", plain(kind)["description"]) for kind in ManifestKind)


def explain(path: str, provider: Provider | None = None) -> Explanation:
    """The field at a dotted path that begins with a kind. InvalidInput for an unknown one, with the nearest right one."""
    first, *names = path.split(".")
    known = {kind.value.lower(): kind for kind in ManifestKind}
    if first.lower() not in known:
        right = [kind.value for kind in ManifestKind]
        hint = did_you_mean(first, right) or f"kinds: {', '.join(right)}"
        raise InvalidInput(f"there is no kind {first!r}", hint=hint)
    kind = known[first.lower()]
    schema = schema_of(kind, [provider] if provider is not None else [])
    definitions = schema["$defs"]
    trail, required = kind.value, True
    while names:
        below = _fields(schema, definitions)
        prefixes = (".".join(names[:size]) for size in range(len(names), 0, -1))
        name = next((prefix for prefix in prefixes if prefix in below), None)  # a provider's names may hold dots
        if name is None:
            raise InvalidInput(f"{trail} has no field {names[0]!r}", hint=_hint(trail, names[0], below, provider))
        schema, required = below[name]
        trail = f"{trail}.{name}"
        names = names[name.count(".") + 1 :]
    fields = _fields(schema, definitions).items()
    return replace(
        _facts(trail, schema, definitions, required=required),
        type="kind" if trail == kind.value else _type(schema, definitions),
        fields=tuple(_facts(f"{trail}.{name}", below, definitions, required=must) for name, (below, must) in fields),
        provided=trail in PROVIDERS_PARTS and provider is None,
    )


def _hint(trail: str, name: str, below: Mapping[str, Any], provider: Provider | None) -> str:
    if provider is None and trail in PROVIDERS_PARTS:
        return "its shape is the provider's: add --provider NAME"
    if not below:
        return f"{trail} has no fields of its own"
    near = nearest(name, below)
    return f"did you mean {f'{trail}.{near}'!r}?" if near else f"its fields: {', '.join(below)}"


def _fields(schema: Schema, definitions: Schema) -> dict[str, tuple[Schema, bool]]:
    """The fields below a schema, each with whether it is required. Of a list, those of its items."""
    fields: dict[str, tuple[Schema, bool]] = {}
    for shape in alternatives(schema, definitions):
        required = shape.get("required", ())
        fields |= {name: (below, name in required) for name, below in shape.get("properties", {}).items()}
        fields |= _fields(shape["items"], definitions) if "items" in shape else {}
    return fields


def _facts(path: str, schema: Schema, definitions: Schema, *, required: bool) -> Explanation:
    shapes = alternatives(schema, definitions)
    described = [part["description"] for part in (schema, *shapes) if "description" in part]
    examples = [example for part in (schema, *shapes) for example in part.get("examples", ())]
    allowed = [value for shape in shapes for value in shape.get("enum", [shape["const"]] if "const" in shape else [])]
    return Explanation(
        path=path,
        type=_type(schema, definitions),
        description=described[0] if described else "",
        required=required,
        default=_yaml(schema["default"]) if "default" in schema else "",
        allowed=tuple(_yaml(value) for value in allowed),
        rules=tuple(dict.fromkeys(rule for shape in shapes for rule in _rules(shape))),
        examples=tuple(dict.fromkeys(_yaml(example) for example in examples)),
    )


def _type(schema: Schema, definitions: Schema) -> str:
    names = dict.fromkeys(_shape_name(shape, definitions) for shape in alternatives(schema, definitions))
    return " or ".join(names)


def _shape_name(shape: Schema, definitions: Schema) -> str:
    if shape.get("type") == "array":
        return f"list of {_type(shape.get('items', {}), definitions) or 'anything'}"
    return _TYPES.get(shape.get("type", ""), "anything")


def _rules(shape: Schema) -> Iterator[str]:
    for key, phrase in _RULES.items():
        if key in shape:
            yield phrase.format(shape[key])


def _yaml(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=sys.maxsize)
    return text.removesuffix("\n").removesuffix("\n...")
