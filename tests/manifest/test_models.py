"""The models as a whole: what `explain` and the schemas rely on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from reconciler.manifest.models import API_VERSION, MODELS, AccessLevel, ApiKey, ManifestKind, Section


def sections(model: type[BaseModel]) -> Iterator[tuple[str, dict[str, Any]]]:
    schema = model.model_json_schema()
    yield model.__name__, schema
    yield from schema.get("$defs", {}).items()


@pytest.mark.parametrize("kind", ManifestKind)
def test_everything_is_described(kind: ManifestKind) -> None:
    """Every field of every kind has a description that ends like a sentence."""
    for name, schema in sections(MODELS[kind]):
        for field, details in schema.get("properties", {}).items():
            if "description" not in details:  # the same as its section's
                assert set(details) <= {"$ref", "default"}
                continue
            assert details["description"].endswith("."), f"{name}.{field}"


@pytest.mark.parametrize("kind", ManifestKind)
def test_kinds_know_their_names(kind: ManifestKind) -> None:
    """A model says which kind it is, and nothing else is accepted as one."""
    schema = MODELS[kind].model_json_schema()
    assert schema["properties"]["kind"]["const"] == kind.value
    assert schema["properties"]["apiVersion"]["const"] == API_VERSION
    assert schema["additionalProperties"] is False


def test_defaults_are_not_shared() -> None:
    """Two objects do not share what they were given by default."""
    document = {"apiVersion": API_VERSION, "kind": "AccessLevel", "metadata": {"name": "a", "tenant": "b"}, "spec": {}}
    one, other = AccessLevel.model_validate(document), AccessLevel.model_validate(document)
    assert one.spec.permissions is not other.spec.permissions


def test_nothing_changes() -> None:
    """Manifests are frozen."""
    document = {"apiVersion": API_VERSION, "kind": "AccessLevel", "metadata": {"name": "a", "tenant": "b"}, "spec": {}}
    with pytest.raises(ValidationError):
        AccessLevel.model_validate(document).spec.protect = True


def test_python_names_are_no_manifest_names() -> None:
    """Fields are given by the names that manifests use."""
    spec = {"access_level": "x"}
    with pytest.raises(ValidationError, match=r"spec\.access_level"):
        ApiKey.model_validate(
            {"apiVersion": API_VERSION, "kind": "ApiKey", "metadata": {"name": "a", "tenant": "b"}, "spec": spec}
        )


def test_sections_are_strict() -> None:
    """Every section refuses what it does not know."""
    pending = [Section]
    while pending:
        section = pending.pop()
        pending.extend(section.__subclasses__())
        assert section.model_config["extra"] == "forbid"
        assert section.model_config["strict"]
