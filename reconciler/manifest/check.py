"""One document at a time: which kind it is, what its model says, and that in our own sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final, NamedTuple, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from reconciler.manifest.models import (
    API_VERSION,
    MODELS,
    AccessLevel,
    ApiKey,
    Manifest,
    ObjectMetadata,
    Scope,
    ServiceUser,
)
from reconciler.manifest.problems import Severity
from reconciler.manifest.reader import Document
from reconciler.manifest.scalars import kind_of, shown
from reconciler.model.names import NAME_PATTERN
from reconciler.suggest import did_you_mean

Path = tuple[str | int, ...]

_PATTERNS: Final = {
    NAME_PATTERN: "is {value}, which is no name|"
    "at most 63 lower-case letters, digits, '-' and '.'; a letter or digit at both ends",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "is {value}, which is no environment variable's name|such as DSM_SECRET_KEY",
    r"^[^\x00-\x1f\x7f]*$": "is not one line of text|take out line breaks and control characters",
}
_URL: Final = "is no address of the right shape|such as https://host.example.com/api, without user, query and fragment"
_EXPECTED: Final = {
    "string_type": "a text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "model_type": "a mapping",
    "dict_type": "a mapping",
    "list_type": "a list",
    "uuid_type": "a UUID",
    "uuid_parsing": "a UUID",
}
_BOUNDS: Final = {
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong in a document, before its place is known: the path of a value, or with `key` of its key."""

    path: Path
    what: str
    hint: str = ""
    code: str = "invalid"
    key: bool = False
    severity: Severity = Severity.ERROR


class Wrong(NamedTuple):
    """A document that is not valid: everything that is wrong with it, and what it says apart from that."""

    findings: list[Finding]
    rest: Manifest | None = None
    """The manifest without its wrong fields, good only for finding what else is wrong."""


def check(document: Document) -> Manifest | Wrong:
    """The manifest that a document holds, or everything that is wrong with it."""
    value = document.value
    kind = value.get("kind") if isinstance(value, dict) else None
    model = _MODELS.get(kind) if isinstance(kind, str) else None
    if model is None:
        return Wrong([_kind_problem(value)])
    try:
        manifest: Manifest = model.__pydantic_validator__.validate_python(value)
    except ValidationError as error:
        findings = list(_translate(value, error, model))
        return _wrong(model, value, findings)
    if isinstance(metadata := manifest.metadata, ObjectMetadata) and (
        (metadata.tenant is None) is (metadata.tenant_selector is None)
    ):
        return _wrong(model, value, [])
    if manifest.__class__ is ApiKey and (manifest.spec.access_level is None) is (manifest.spec.service_user is None):
        return _wrong(model, value, [])
    return manifest


def _wrong(model: type[Manifest], value: dict[str, Any], findings: list[Finding]) -> Wrong:
    """Add what the models leave to us: which of two fields must be given."""
    if model is ApiKey and (level := _one_level(value)) is not None:
        findings = [*findings, level]
    tenancy = _in_tenants(value) if model in _IN_TENANTS else None
    return Wrong([*findings, tenancy]) if tenancy is not None else Wrong(findings, _rest(model, value, findings))


def _rest(model: type[Manifest], value: dict[str, Any], findings: list[Finding]) -> Manifest | None:
    """What is left without the wrong fields; None if that is too little."""
    rest = {**deepcopy(value), "apiVersion": API_VERSION}
    for finding in findings:
        _remove(rest, finding)
    if model is ApiKey and isinstance(spec := rest.get("spec"), dict) and not _levels(spec):
        spec["serviceUser" if _levels(value["spec"]) == ["serviceUser"] else "accessLevel"] = {"existing": "?"}
    if model in _IN_TENANTS and _in_tenants(rest) is not None:
        return None
    try:
        manifest: Manifest = model.__pydantic_validator__.validate_python(rest)
    except ValidationError:
        return None
    return manifest


_MODELS: Final[Mapping[str, type[Manifest]]] = {kind.value: model for kind, model in MODELS.items()}
_IN_TENANTS: Final = frozenset({AccessLevel, ApiKey, ServiceUser, Scope})


def _remove(value: Any, finding: Finding) -> None:
    """Take out the field of `spec` or `metadata` that a finding is in, or an unknown one beside these."""
    section, *below = finding.path or ("",)
    if below and isinstance(value.get(section), dict):
        value[section].pop(below[0], None)
    elif finding.code == "unknown-field":
        value.pop(section, None)


def _in_tenants(value: Mapping[str, Any]) -> Finding | None:
    """Of `tenant` and `tenantSelector`, exactly one must be given."""
    metadata = value.get("metadata")
    if not isinstance(metadata, dict):
        return None  # which the model has said
    tenant, selector = metadata.get("tenant"), metadata.get("tenantSelector")
    if (tenant is None) is not (selector is None):
        return None
    if tenant is not None:
        what = "metadata has both tenant and tenantSelector"
        return Finding(("metadata", "tenantSelector"), what, "give exactly one of them", "tenant", key=True)
    hint = "give metadata.tenant, or metadata.tenantSelector for several tenants"
    return Finding(("metadata",), "the object is in no tenant", hint, "tenant", key=True)


def _levels(spec: Mapping[str, Any]) -> list[str]:
    return [field for field in ("accessLevel", "serviceUser") if spec.get(field) is not None]


def _one_level(value: Mapping[str, Any]) -> Finding | None:
    """Of `accessLevel` and `serviceUser`, exactly one must be given."""
    spec = value.get("spec")
    if not isinstance(spec, dict):
        return None  # which the model has said
    given = _levels(spec)
    if len(given) == 1:
        return None
    if given:
        what = "spec has both accessLevel and serviceUser"
        return Finding(("spec", "serviceUser"), what, "give exactly one of them", "access-level", key=True)
    hint = "such as accessLevel: siem-read, or serviceUser where keys belong to users"
    return Finding(("spec",), "spec.accessLevel is missing", hint, "missing-field", key=True)


def _kind_problem(value: Any) -> Finding:
    if not isinstance(value, dict):
        return Finding(
            (), f"a manifest is a mapping, not {kind_of(value)}", "it begins with apiVersion and kind", "type"
        )
    kind = value.get("kind")
    if kind is None:
        return Finding((), "the kind is missing", f"kind is one of {', '.join(_MODELS)}", "missing-field")
    known = f"kind is one of {', '.join(_MODELS)}"
    if not isinstance(kind, str):
        return Finding(("kind",), f"kind must be a text, not {shown(kind)}", known, "type")
    return Finding(("kind",), f"unknown kind {shown(kind)}", did_you_mean(kind, _MODELS) or known, "unknown-kind")


# --- what pydantic says, in our words -----------------------------------------------------------------------------------


def dotted(path: Sequence[str | int]) -> str:
    """A path as messages show it: `spec.allowedIPs[0]`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


class _Error:
    """One of pydantic's errors, with its path in the manifest instead of pydantic's own, which names union members."""

    def __init__(self, details: Mapping[str, Any], document: Any) -> None:
        self.type: str = details["type"]
        self.context: Mapping[str, Any] = details.get("ctx", {})
        self.value: Any = details["input"]
        self.member = ""
        path: list[str | int] = []
        node = document
        for position, step in enumerate(details["loc"]):
            last = position == len(details["loc"]) - 1
            if isinstance(node, dict) and (step in node or (last and self.type == "missing")):
                path.append(step)
                node = node.get(step)
            elif isinstance(node, list) and isinstance(step, int):
                path.append(step)
                node = node[step]
            else:
                self.member = str(step)
                self.union = tuple(path)
        self.path: Path = tuple(path)


def _translate(document: Any, error: ValidationError, model: type[BaseModel]) -> Iterator[Finding]:
    """Our sentences. Of a union's members, only the one that the value is shaped like is heard."""
    unions: set[Path] = set()
    for details in error.errors(include_url=False):
        one = _Error(details, document)
        if one.member:
            value = _at(document, one.union)
            if not isinstance(value, str | dict):
                if one.union not in unions:
                    unions.add(one.union)
                    word = "text" if isinstance(one.union[-1], int) else "name"
                    what = f"{dotted(one.union)} must be a {word} or a mapping, not {shown(value)}"
                    yield Finding(one.union, what, _example(model, one.union), "type")
                continue
            if isinstance(value, str) is not _is_text(one.member):
                continue
        yield _sentence(one, model)


def _is_text(member: str) -> bool:
    """Whether a union's member, as pydantic calls it, takes texts: `function-after[network(), str]`, not `RemovalSpec`."""
    if member.startswith(("str", "dict")):
        return member.startswith("str")  # an enum, too
    return member.rstrip("]").rpartition(" ")[2][0].islower()


def _at(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document


def _sentence(error: _Error, model: type[BaseModel]) -> Finding:  # noqa: PLR0911  one return per kind of error
    path, name = error.path, dotted(error.path)
    if error.type == "refused":
        return Finding(
            path, f"{name} {error.context['what']}", error.context["hint"], "value", key=isinstance(error.value, dict)
        )
    if error.type == "missing":
        return Finding(path[:-1], f"{name} is missing", _example(model, path), "missing-field", key=True)
    if error.type == "extra_forbidden":
        return Finding(path, f"unknown field {name}", _known_fields(model, path), "unknown-field", key=True)
    if error.type in {"literal_error", "enum"}:
        return _choice(error, name, model)
    if error.type == "string_pattern_mismatch":
        what, hint = _PATTERNS.get(error.context["pattern"], _URL).split("|")
        return Finding(path, f"{name} {what.format(value=shown(error.value))}", hint, "value")
    if error.type in _BOUNDS:
        context, words = _BOUNDS[error.type]
        return Finding(
            path, f"{name} must be {words} {error.context[context]:g}, not {shown(error.value)}", code="value"
        )
    if error.type == "string_too_long":
        return Finding(path, f"{name} is longer than {error.context['max_length']} characters", code="value")
    if error.type in {"string_too_short", "too_short"}:
        return Finding(path, f"{name} is empty", _example(model, path), "value")
    expected = _EXPECTED.get(error.type, "something else")
    quotable = expected == "a text" and not isinstance(error.value, dict | list) and error.value is not None
    hint = "quote it" if quotable else _example(model, path)
    return Finding(path, f"{name} must be {expected}, not {shown(error.value)}", hint, "type")


def _choice(error: _Error, name: str, model: type[BaseModel]) -> Finding:
    choices = [API_VERSION] if name == "apiVersion" else _choices(model, error.path)
    hint = did_you_mean(error.value, choices) if isinstance(error.value, str) else ""
    what = (
        f"{name} must be {' or '.join(filter(None, [', '.join(choices[:-1]), choices[-1]]))}, not {shown(error.value)}"
    )
    return Finding(error.path, what, hint, "value")


def _choices(model: type[BaseModel], path: Path) -> list[str]:
    found = _field(model, path)
    return [str(choice) for enum in _enums_in(found.annotation) for choice in enum] if found is not None else []


def _enums_in(annotation: Any) -> list[type[StrEnum]]:
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return [annotation]
    return [enum for argument in get_args(annotation) for enum in _enums_in(argument)]


def _example(model: type[BaseModel], path: Path) -> str:
    """`such as accessLevel: siem-read`, where the field has an example of one line."""
    found = _field(model, path)
    example = found.examples[0] if found is not None and found.examples else None
    return f"such as {path[-1]}: {example}" if isinstance(example, str) else ""


def _known_fields(model: type[BaseModel], path: Path) -> str:
    """The nearest field of the same section, the section where the field belongs, or all that the section has."""
    name = str(path[-1])
    section = _section(model, path[:-1])
    known = list(_aliases(section)) if section is not None else []
    near = did_you_mean(name, known)
    elsewhere = [other for other in _all_paths(model) if other.rpartition(".")[2] == name]
    if elsewhere:
        return f"it belongs at {elsewhere[0]}"
    return near or (f"known here: {', '.join(known)}" if known else "it takes no fields")


@cache
def _aliases(section: type[BaseModel]) -> dict[str, FieldInfo]:
    return {info.alias or name: info for name, info in section.model_fields.items()}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


@cache
def _all_paths(model: type[BaseModel], above: str = "") -> tuple[str, ...]:
    """Every field of a kind, dotted."""
    found: list[str] = []
    for name, info in _aliases(model).items():
        found.append(above + name)
        for section in _models_in(info.annotation):
            found.extend(_all_paths(section, f"{above}{name}."))
    return tuple(found)


def _section(model: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """The model of the mapping at a path."""
    section: type[BaseModel] | None = model
    for step in path:
        if isinstance(step, int):
            continue
        info = _aliases(section).get(step) if section is not None else None
        section = next(iter(_models_in(info.annotation)), None) if info is not None else None
    return section


def _field(model: type[BaseModel], path: Path) -> FieldInfo | None:
    """The field at a path."""
    names = [step for step in path if isinstance(step, str)]
    section = _section(model, tuple(names[:-1])) if names else None
    return _aliases(section).get(names[-1]) if section is not None else None
