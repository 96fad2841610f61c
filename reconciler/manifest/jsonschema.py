"""JSON Schemas (draft 2020-12) of the manifests, for editors and other tools, generated from the models.

A key's provider is known through its tenant only, so the schema of a kind takes the permissions and options of any
installed provider, and each provider has files of its own beside it, which take only its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from reconciler.manifest.models import API_VERSION, MODELS, ManifestKind
from reconciler.model.dates import duration_text
from reconciler.providers import registry
from reconciler.providers.base import Provider

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]

_FILES: Final = {
    ManifestKind.ESTATE: "estate",
    ManifestKind.TENANT: "tenant",
    ManifestKind.ACCESS_LEVEL: "access-level",
    ManifestKind.API_KEY: "api-key",
    ManifestKind.SERVICE_USER: "service-user",
    ManifestKind.SCOPE: "scope",
    ManifestKind.NETWORK_LIST: "network-list",
    ManifestKind.ENDPOINT_MAP: "endpoint-map",
    ManifestKind.APPROVAL: "approval",
    ManifestKind.POLICY: "policy",
    ManifestKind.WAIVER: "waiver",
}
_PROVIDED: Final = (ManifestKind.TENANT, ManifestKind.ACCESS_LEVEL, ManifestKind.API_KEY, ManifestKind.SCOPE)
"""The kinds of which each provider defines a part."""
_METADATA_ORDER: Final = ("name", "previousNames", "tenant", "tenantSelector", "owner", "labels", "annotations")


class _Generator(GenerateJsonSchema):
    """Writes defaults as a manifest would."""

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, timedelta):
            return duration_text(dft)
        if isinstance(dft, BaseModel):
            given = {info.alias or name: getattr(dft, name) for name, info in type(dft).model_fields.items()}
            return {name: self.encode_default(value) for name, value in given.items() if value is not None}
        return super().encode_default(dft)


@cache
def plain(kind: ManifestKind) -> Schema:
    """The schema of a kind, without anything of a provider's. Not to be changed by callers."""
    schema: Schema = MODELS[kind].model_json_schema(by_alias=True, schema_generator=_Generator)
    definitions = {name: _tidy(below) for name, below in schema.pop("$defs", {}).items()}
    return {**_tidy(schema), "title": kind.value, "$defs": definitions}


def _tidy(schema: Any) -> Any:
    """Without generated titles and defaults that say nothing; metadata's fields in the order in which people write them."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {
        name: {field: _tidy(below) for field, below in value.items()} if name == "properties" else _tidy(value)
        for name, value in schema.items()
        if name != "title" and not (name == "default" and (value is None or value in ("", [], {})))
    }
    if "name" in tidy.get("properties", {}) and "labels" in tidy["properties"]:
        tidy["properties"] = {name: tidy["properties"][name] for name in _METADATA_ORDER if name in tidy["properties"]}
    return tidy


def schema_of(kind: ManifestKind, providers: Sequence[Provider]) -> Schema:
    """The schema of a kind in which the providers' parts are those of any of these providers."""
    schema: Schema = json.loads(json.dumps(plain(kind)))
    definitions = schema["$defs"]
    if kind is ManifestKind.TENANT:
        names = {"enum": [provider.name for provider in providers]}
        _any_of(definitions["TenantSpec"], "provider", [names, {"type": "string"}] if providers else [])
        parts = [_embed(definitions, f"{p.name}.tenant", p.tenant_options_schema()) for p in providers]
        _any_of(definitions["TenantSpec"], "options", parts)
    if kind is ManifestKind.ACCESS_LEVEL:
        parts = [_embed(definitions, f"{p.name}.permissions", p.permissions_schema()) for p in providers]
        _any_of(definitions["AccessLevelSpec"], "permissions", parts)
    if kind is ManifestKind.API_KEY:
        parts = [_embed(definitions, f"{p.name}.options", p.options_schema()) for p in providers]
        _any_of(definitions["ApiKeySpec"], "options", parts)
        scopes = _scopes(definitions, providers)
        shapes = definitions["ApiKeySpec"]["properties"]["scope"]["anyOf"]
        if scopes:
            shapes[:] = [*(shape for shape in shapes if shape.get("type") != "object"), *scopes]
    if kind is ManifestKind.SCOPE:
        _any_of(definitions["ScopeSpec"], "scope", _scopes(definitions, providers))
    return schema


def _scopes(definitions: Schema, providers: Sequence[Provider]) -> list[Schema]:
    """The scopes of those providers that have any."""
    known = [(provider.name, provider.scope_schema()) for provider in providers]
    return [_embed(definitions, f"{name}.scope", scope) for name, scope in known if scope is not None]


def _any_of(section: Schema, field: str, parts: list[Schema]) -> None:
    if len(parts) == 1:
        section["properties"][field].pop("additionalProperties", None)
        section["properties"][field] |= {"allOf": parts}
    elif parts:
        section["properties"][field] |= {"anyOf": parts}


def _embed(definitions: Schema, name: str, schema: Mapping[str, Any]) -> Schema:
    """Put a provider's schema under `$defs`, its own definitions beside it, and return a reference to it."""
    below = schema.get("$defs", {})
    places = {"#": f"#/$defs/{name}"} | {f"#/$defs/{inner}": f"#/$defs/{name}.{inner}" for inner in below}
    for inner, definition in below.items():
        definitions[f"{name}.{inner}"] = _moved(definition, places)
    rest = {key: value for key, value in schema.items() if key not in {"$defs", "$schema", "$id"}}
    definitions[name] = _moved(rest, places)
    return {"$ref": f"#/$defs/{name}"}


def _moved(schema: Any, places: Mapping[str, str]) -> Any:
    if isinstance(schema, list | tuple):
        return [_moved(item, places) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: places.get(value, value) if key == "$ref" and isinstance(value, str) else _moved(value, places)
        for key, value in schema.items()
    }


def combined(providers: Sequence[Provider]) -> Schema:
    """One schema for every kind: `kind` decides which one counts, so that problems are told about that one only."""
    definitions: Schema = {}
    choices = []
    for kind in ManifestKind:
        schema = schema_of(kind, providers)
        definitions |= schema.pop("$defs")
        definitions[kind.value] = schema
        is_kind = {"properties": {"kind": {"const": kind.value}}, "required": ["kind"]}
        choices.append({"if": is_kind, "then": {"$ref": f"#/$defs/{kind.value}"}})
    return {
        "title": "Manifest",
        "description": "Any manifest of the access reconciler.",
        "type": "object",
        "properties": {
            "apiVersion": {"const": API_VERSION, "description": "Version of the manifest format."},
            "kind": {"enum": [kind.value for kind in ManifestKind], "description": "Kind of manifest."},
        },
        "required": ["apiVersion", "kind"],
        "allOf": choices,
        "$defs": definitions,
    }


def files(providers: Sequence[Provider] | None = None) -> dict[str, str]:
    """All schema files, name to text: for these providers, or for all that are installed."""
    if providers is None:
        providers = [registry.get(name) for name in registry.names()]
    schemas = {f"{stem}.schema.json": schema_of(kind, providers) for kind, stem in _FILES.items()}
    for kind in _PROVIDED:
        for provider in providers:
            if kind is ManifestKind.SCOPE and provider.scope_schema() is None:
                continue
            schemas[f"{_FILES[kind]}.{provider.name}.schema.json"] = schema_of(kind, [provider])
    schemas["manifest.schema.json"] = combined(providers)
    return {name: _text(name, schema) for name, schema in sorted(schemas.items())}


def _text(name: str, schema: Schema) -> str:
    return json.dumps({"$schema": DIALECT, "$id": name, **schema}, indent=2, ensure_ascii=False) + "\n"


@cache
def field_order(kind: str) -> dict[str, Any]:
    """Names of a kind's fields in canonical order, each with the order of what is below it. Any kind has the frame."""
    if kind in MODELS:
        schema = plain(ManifestKind(kind))
        return _order(schema, schema["$defs"])
    metadata: dict[str, Any] = {name: {} for name in _METADATA_ORDER}
    return {"apiVersion": {}, "kind": {}, "metadata": metadata, "spec": {}}


def _order(schema: Schema, definitions: Schema) -> dict[str, Any]:
    order: dict[str, Any] = {}
    for alternative in alternatives(schema, definitions):
        order |= {name: _order(below, definitions) for name, below in alternative.get("properties", {}).items()}
        order |= _order(alternative["items"], definitions) if "items" in alternative else {}
    return order


def alternatives(schema: Schema, definitions: Schema) -> list[Schema]:
    """The shapes that a schema allows, with references followed and null left out."""
    if "$ref" in schema:
        return alternatives(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    for several in ("anyOf", "allOf"):
        if several in schema:
            return [shape for part in schema[several] for shape in alternatives(part, definitions)]
    return [] if schema.get("type") == "null" else [schema]
