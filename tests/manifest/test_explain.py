from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.errors import InvalidInput
from reconciler.manifest.explain import explain, kinds
from reconciler.manifest.jsonschema import Schema, plain
from reconciler.manifest.models import ManifestKind
from reconciler.providers import registry

TREND = "trend-workload-security"


def paths(path: str, provider: Any = None) -> list[str]:
    found = explain(path, provider)
    return [path, *(below for field in found.fields for below in paths(field.path, provider))]


@pytest.mark.parametrize("kind", [kind.value for kind in ManifestKind])
def test_every_field_of_every_kind_is_explained(kind: str) -> None:
    """Each field that a manifest can have, and that a provider defines, has a description and a type."""
    for path in paths(kind, registry.get(TREND)):
        found = explain(path, registry.get(TREND))
        assert found.description, path
        assert found.type, path


def test_kinds_are_listed_without_fields() -> None:
    """The kinds, in the order in which an estate needs them."""
    assert [kind.path for kind in kinds()] == [
        "Estate", "Tenant", "AccessLevel", "ApiKey", "ServiceUser", "Scope", "NetworkList", "EndpointMap", "Approval",
        "Policy", "Waiver",
    ]  # fmt: skip


def test_kinds_may_be_written_in_any_case() -> None:
    """Nobody remembers capitals."""
    assert explain("apikey.spec").path == "ApiKey.spec"


def test_facts_of_a_field() -> None:
    """Type, need, default, allowed values, limits and examples come from the models."""
    strategy = explain("ApiKey.spec.rotation.strategy")
    assert (strategy.name, strategy.type, strategy.required, strategy.default) == ("strategy", "text", False, "overlap")
    assert strategy.allowed == ("overlap", "inPlace")
    assert explain("ApiKey.spec.rotation.every").required
    assert explain("ApiKey.spec.accessLevel").type == "text or mapping"
    assert explain("ApiKey.spec.allowedIPs").type == "list of text or mapping"
    assert explain("ApiKey.spec.allowedIPs.networkList").required
    assert explain("Estate.spec.limits.deletes.ratio").rules == ("at least 0", "at most 1")
    assert explain("Estate.spec.timeouts.lease").default == "2m"
    assert explain("ApiKey.kind").allowed == ("ApiKey",)
    assert explain("NetworkList.spec.networks").rules == ("1 or more of them",)
    assert explain("Tenant.spec.onRemoval").allowed == ("delete", "quarantine", "orphan")
    assert explain("Tenant.spec.onRemoval.grace").examples == ("7d", "90d", "24h", "30m", "1w")
    assert explain("Approval.spec.object.vendorId").required
    assert [explain(path).provided for path in ("Tenant.spec.options", "Scope.spec.scope", "ApiKey.spec.scope")] == [
        True
    ] * 3


def test_the_shape_of_permissions_is_the_providers() -> None:
    """Without a provider the explanation says so; with one it goes on below."""
    assert explain("AccessLevel.spec.permissions").provided
    assert not explain("AccessLevel.spec.permissions", registry.get(TREND)).provided
    right = explain(
        "AccessLevel.spec.permissions.platformRights.computerRights.canDeleteComputers", registry.get(TREND)
    )
    assert (right.type, right.default) == ("true or false", "false")


def test_names_with_dots() -> None:
    """A provider's permissions may have names with dots: the longest name that fits counts."""

    class Dotted:
        name = "dotted"

        def permissions_schema(self) -> Schema:
            verbs = {"type": "object", "properties": {"READ": {"type": "boolean"}}}
            return {"type": "object", "properties": {"org": {"type": "string"}, "org.alerts": verbs}}

    provider: Any = Dotted()
    assert explain("AccessLevel.spec.permissions.org.alerts.READ", provider).type == "true or false"
    assert explain("AccessLevel.spec.permissions.org", provider).type == "text"
    with pytest.raises(InvalidInput, match=r"org has no field 'alert'"):
        explain("AccessLevel.spec.permissions.org.alert", provider)


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("Nothing", "there is no kind 'Nothing'", "kinds: Estate, Tenant, AccessLevel, ApiKey"),
        ("", "there is no kind ''", "kinds: "),
        ("ApiKey.spec.zzz", "ApiKey.spec has no field 'zzz'", "its fields: description, accessLevel"),
        ("ApiKey.kind.x", "ApiKey.kind has no field 'x'", "ApiKey.kind has no fields of its own"),
        ("ApiKey.spec.options.locale", "ApiKey.spec.options has no field 'locale'", "--provider NAME"),
        ("ApiKey..spec", "ApiKey has no field ''", "its fields: "),
    ],
)
def test_unknown_paths_are_refused(path: str, message: str, hint: str) -> None:
    """What is wrong, and what would be right."""
    with pytest.raises(InvalidInput) as problem:
        explain(path)
    assert problem.value.what == message
    assert hint in problem.value.hint


def test_a_field_of_no_known_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider's schema may leave a type open."""

    class Loose:
        name = "loose"

        def options_schema(self) -> Schema:
            return {"type": "object", "properties": {"any": {}, "items": {"type": "array"}, "on": {"type": "boolean"}}}

        def scope_schema(self) -> None:
            return None

    fields = {field.name: field for field in explain("ApiKey.spec.options", Loose()).fields}  # type: ignore[arg-type]
    assert {name: field.type for name, field in fields.items()} == {
        "any": "anything", "items": "list of anything", "on": "true or false",
    }  # fmt: skip
    assert replace(fields["any"], description="").description == ""
    assert "options" in plain(ManifestKind.API_KEY)["$defs"]["ApiKeySpec"]["properties"]
