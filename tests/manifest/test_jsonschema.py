from __future__ import annotations

import copy
import json
import re
from datetime import date, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator, ValidationError

from reconciler.manifest import starter
from reconciler.manifest.jsonschema import Schema, combined, duration_text, field_order, files, plain, schema_of
from reconciler.manifest.models import MODELS, ManifestKind
from reconciler.manifest.reader import values
from reconciler.providers import registry

TREND = "trend-workload-security"
UUID_ = UUID("5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11")


MORE = """\
apiVersion: reconciler/v1
kind: ServiceUser
metadata: {name: siem, tenant: lw, previousNames: [splunk]}
spec: {description: For the SIEM, groups: [LACEWORK_USER_GROUP_READ_ONLY_USER], state: locked, protect: true}
---
apiVersion: reconciler/v1
kind: Scope
metadata: {name: cloud, tenantSelector: {matchLabels: {env: prod}}}
spec: {description: Cloud only, scope: {assets: {mode: see_all}}}
---
apiVersion: reconciler/v1
kind: NetworkList
metadata: {name: egress}
spec: {networks: [203.0.113.0/28]}
---
apiVersion: reconciler/v1
kind: EndpointMap
metadata: {name: console}
spec: {operations: {createKey: {method: POST}}}
---
apiVersion: reconciler/v1
kind: Approval
metadata: {name: old, tenant: dsm}
spec: {object: ApiKey/Old one, action: prune, until: 2031-06-30, reason: unused}
---
apiVersion: reconciler/v1
kind: Policy
metadata: {name: acme}
spec:
  rules:
    - {id: named, severity: deny, assert: key.owner != "", message: "{{ key.name }}", params: {a: 90d, b: [x], c: 1}}
---
apiVersion: reconciler/v1
kind: Waiver
metadata: {name: old, tenant: dsm}
spec: {rule: named, object: ApiKey/splunk, reason: none yet, approver: ciso@example.com, until: 2031-06-30}
"""


def manifests() -> dict[str, dict[str, Any]]:
    texts = starter.files("acme", UUID_, date(2026, 1, 1))
    documents = [
        document.value for path, text in texts.items() if path.endswith(".yaml") for document in values(text.encode())
    ]
    documents += [document.value for document in values(MORE.encode())]
    return {document["kind"]: document for document in documents}


installed = cache(files)


@cache
def schema_for(name: str) -> Draft202012Validator:
    schema = json.loads(installed()[name])
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


FILES = {
    "Estate": ["estate.schema.json"],
    "Tenant": ["tenant.schema.json", f"tenant.{TREND}.schema.json"],
    "AccessLevel": ["access-level.schema.json", f"access-level.{TREND}.schema.json"],
    "ApiKey": ["api-key.schema.json", f"api-key.{TREND}.schema.json"],
    "ServiceUser": ["service-user.schema.json"],
    "Scope": ["scope.schema.json"],
    "NetworkList": ["network-list.schema.json"],
    "EndpointMap": ["endpoint-map.schema.json"],
    "Approval": ["approval.schema.json"],
    "Policy": ["policy.schema.json"],
    "Waiver": ["waiver.schema.json"],
}
CASES = [(kind, name) for kind, names in FILES.items() for name in [*names, "manifest.schema.json"]]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_manifests_that_are_right_fit(kind: str, name: str) -> None:
    """What is right fits the schemas of its kind, with and without the provider, and the one of all kinds."""
    schema_for(name).validate(manifests()[kind])


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_misspelt_field_does_not(kind: str, name: str) -> None:
    """An editor marks a field that does not exist, at any depth, and a kind or a version that does not."""
    right = manifests()[kind]
    for path in ([], ["metadata"], ["spec"]):
        wrong = copy.deepcopy(right)
        at = wrong
        for part in path:
            at = at[part]
        at["mispelt"] = "x"
        with pytest.raises(ValidationError, match="mispelt"):
            schema_for(name).validate(wrong)
    for wrong in ({**right, "kind": "Nothing"}, {**right, "apiVersion": "v2"}, {"kind": kind}):
        with pytest.raises(ValidationError):
            schema_for(name).validate(wrong)


@pytest.mark.parametrize("name", ["manifest.schema.json", *FILES["AccessLevel"]])
def test_a_misspelt_right_does_not_fit(name: str) -> None:
    """The provider's permissions are part of the schema."""
    wrong = manifests()["AccessLevel"]
    wrong["spec"]["permissions"]["platformRights"]["computerRights"] = {"canVeiwOtherComputers": True}
    assert not schema_for(name).is_valid(wrong)


def test_values_are_checked() -> None:
    """Enums, durations and dates."""
    for field, value in (
        ("state", "asleep"),
        ("rotation", {"every": "soon"}),
        ("expires", "tomorrow"),
        ("options", {"x": 1}),
    ):
        wrong = manifests()["ApiKey"]
        wrong["spec"][field] = value
        assert not schema_for("api-key.schema.json").is_valid(wrong), field
    for field, value in (
        ("accessLevel", None),
        ("serviceUser", "siem"),
        ("allowedIPs", []),
        ("reissueAfter", "2031-01-01"),
    ):
        wrong = manifests()["ApiKey"]
        wrong["spec"] = {name: one for name, one in {**wrong["spec"], field: value}.items() if one is not None}
        assert not schema_for("api-key.schema.json").is_valid(wrong), field
    both = manifests()["ApiKey"]
    both["metadata"]["tenantSelector"] = {"matchLabels": {"a": "b"}}
    assert not schema_for("manifest.schema.json").is_valid(both)


def test_a_problem_is_told_about_its_own_kind_only() -> None:
    """`kind` decides which part of the combined schema counts, so one mistake gives one message."""
    wrong = manifests()["ApiKey"]
    wrong["spec"]["mispelt"] = 1
    problems = list(schema_for("manifest.schema.json").iter_errors(wrong))
    assert [tuple(problem.absolute_path) for problem in problems] == [("spec",)]


def test_files_are_the_same_every_time_and_name_no_host() -> None:
    """Generating them twice gives the same bytes; ids are relative, for the web addresses are not ours."""
    assert files() == files()
    for name, text in files().items():
        schema = json.loads(text)
        assert schema["$id"] == name
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert {ref for ref in re.findall(r'"\$ref": "([^"]*)"', text) if not ref.startswith("#/$defs/")} == set()
        for ref in re.findall(r'"\$ref": "#/\$defs/([^"]*)"', text):
            assert ref in schema["$defs"]


@pytest.mark.parametrize("kind", ManifestKind)
def test_every_field_has_a_description(kind: ManifestKind) -> None:
    """Editors show them."""
    schema = plain(kind)
    for name, section in [(kind.value, schema), *schema["$defs"].items()]:
        for field, below in section.get("properties", {}).items():
            target = schema["$defs"].get(below.get("$ref", "").rpartition("/")[2], {})
            assert below.get("description") or target.get("description"), f"{name}.{field}"


class Plugin:
    """A provider that defines things for itself and refers to them."""

    name = "plugin"

    def permissions_schema(self) -> Schema:
        return {
            "$schema": "x", "$id": "y", "type": "object", "additionalProperties": False,
            "properties": {"tree": {"$ref": "#/$defs/Tree"}, "again": {"$ref": "#"}, "list": {"items": {"enum": [1, 2]}}},
            "$defs": {"Tree": {"properties": {"below": {"$ref": "#/$defs/Tree"}}, "additionalProperties": False}},
        }  # fmt: skip

    def options_schema(self) -> Schema:
        return {"type": "object", "properties": {"color": {"type": "string"}}, "additionalProperties": False}

    def scope_schema(self) -> Schema:
        return {"type": "object", "properties": {"assets": {"$ref": "#/$defs/Assets"}}, "additionalProperties": False,
                "$defs": {"Assets": {"type": "array", "items": {"type": "string"}}}}  # fmt: skip

    def tenant_options_schema(self) -> Schema:
        return {"type": "object", "properties": {"driver": {"enum": ["a", "b"]}}, "additionalProperties": False}


def test_definitions_of_several_providers_live_side_by_side() -> None:
    """A provider's own references are moved with its definitions; a value fits when it fits one provider."""
    plugin: Any = Plugin()
    validator = Draft202012Validator(schema_of(ManifestKind.ACCESS_LEVEL, [plugin, registry.get(TREND)]))
    level = manifests()["AccessLevel"]
    assert validator.is_valid(level)
    level["spec"]["permissions"] = {"tree": {"below": {"below": {}}}, "again": {"tree": {}}, "list": [1]}
    assert validator.is_valid(level)
    level["spec"]["permissions"] = {"again": {"tree": {"nowhere": {}}}}
    assert not validator.is_valid(level)
    any_kind = Draft202012Validator(combined([plugin]))
    key = manifests()["ApiKey"]
    assert not any_kind.is_valid(key)
    key["spec"]["options"] = {"color": "red"}
    assert any_kind.is_valid(key)
    assert "access-level.plugin.schema.json" in files([plugin])


def test_scopes_and_tenants_are_the_providers_too() -> None:
    """A scope, inline or in a manifest of its own, and a tenant's options have a provider's shape, if it has any."""
    plugin: Any = Plugin()
    both = [plugin, registry.get(TREND)]
    assert {name for name in files(both) if name.startswith("scope.")} == {
        "scope.plugin.schema.json",
        "scope.schema.json",
    }
    for kind, path, right, wrong in (
        ("Scope", "scope", {"assets": ["a"]}, {"assets": [1]}),
        ("ApiKey", "scope", {"assets": ["a"]}, {"asets": []}),
        ("ApiKey", "scope", "cloud", ""),
        ("Tenant", "options", {"driver": "a"}, {"driver": "c"}),
        ("Tenant", "options", {}, {"drivr": "a"}),
    ):
        for providers in (both, [plugin]):
            validator = Draft202012Validator(schema_of(ManifestKind(kind), providers))
            document = manifests()[kind]
            document["spec"].pop("options", None)
            for value, fits in ((right, True), (wrong, False)):
                document["spec"][path] = value
                assert validator.is_valid(document) is fits, (kind, value)
    free = Draft202012Validator(schema_of(ManifestKind.API_KEY, []))
    key = manifests()["ApiKey"]
    key["spec"]["scope"] = {"anything": 1}
    assert free.is_valid(key)


def test_without_providers_their_parts_are_free() -> None:
    """No provider, no opinion."""
    level = manifests()["AccessLevel"]
    level["spec"]["permissions"] = {"anything": 1}
    assert Draft202012Validator(combined([])).is_valid(level)
    assert sorted(files([])) == [
        "access-level.schema.json",
        "api-key.schema.json",
        "approval.schema.json",
        "endpoint-map.schema.json",
        "estate.schema.json",
        "manifest.schema.json",
        "network-list.schema.json",
        "policy.schema.json",
        "scope.schema.json",
        "service-user.schema.json",
        "tenant.schema.json",
        "waiver.schema.json",
    ]


def test_callers_cannot_spoil_each_others_schemas() -> None:
    """Each schema with providers is a copy."""
    before = json.dumps(plain(ManifestKind.API_KEY))
    schema_of(ManifestKind.API_KEY, [registry.get(TREND)])["$defs"].clear()
    assert json.dumps(plain(ManifestKind.API_KEY)) == before


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(days=90), "90d"), (timedelta(hours=24), "1d"), (timedelta(hours=36), "36h"), (timedelta(minutes=2), "2m"),
        (timedelta(seconds=90), "90s"), (timedelta(0), "0s"),
    ],
)  # fmt: skip
def test_durations_are_written_as_manifests_write_them(duration: timedelta, text: str) -> None:
    """The largest unit that leaves no rest."""
    assert duration_text(duration) == text


def test_the_order_of_fields() -> None:
    """As in the models, names first in metadata; the frame for kinds that nobody knows."""
    order = field_order("ApiKey")
    assert list(order) == ["apiVersion", "kind", "metadata", "spec"]
    assert list(order["metadata"]) == [
        "name", "previousNames", "tenant", "tenantSelector", "owner", "labels", "annotations",
    ]  # fmt: skip
    assert list(order["spec"]["accessLevel"]) == ["existing"]
    assert list(order["spec"]["allowedIPs"]) == ["networkList"]
    assert list(field_order("Else")["metadata"]) == list(order["metadata"])
    assert set(MODELS) == set(ManifestKind)
