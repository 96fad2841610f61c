from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.errors import InvalidInput
from reconciler.model.credential import Credential
from reconciler.model.desired import CredentialRef, Rotation, Strategy, VaultPath
from reconciler.model.secret import Secret
from reconciler.providers.base import ConnectionSettings, Evidence, Expiry, How, Step, Write
from reconciler.providers.cortex_cloud import PROVIDER
from reconciler.providers.cortex_cloud.provider import CortexCloud
from tests.support.builders import desired_key, desired_level, desired_tenant, mark

CLOUD = "https://api-acme.xdr.us.paloaltonetworks.com"
IN_VAULT = CredentialRef(vault=VaultPath("reconciler-credentials", "cortex"))
EXPIRES = datetime(2026, 9, 1, tzinfo=UTC)
KEY = replace(desired_key(), expires=EXPIRES)


def tenant(endpoint: str = CLOUD, **more: Any) -> Any:
    plan = more.pop("plan", IN_VAULT)
    return desired_tenant(
        levels=(), endpoint=endpoint, credentials_plan=plan, credentials_apply=more.pop("apply", plan), **more
    )


def test_importing_it_imports_no_http() -> None:
    """Validation and help stay fast: requests comes with `connect`."""
    code = (
        "import sys, reconciler.providers.cortex_cloud as p; p.PROVIDER.permissions_schema(); p.PROVIDER.scope_schema();"
        "print(*sorted({'requests', 'urllib3', 'hvac', 'tenacity'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_fact_has_its_evidence() -> None:
    """Fields and operations say how sure we are and why; what is only known from others' code is not called documented."""
    can = PROVIDER.capabilities
    assert (PROVIDER.name, PROVIDER.title) == ("cortex-cloud", "Palo Alto Networks Cortex Cloud")
    assert all(one.source and isinstance(one.evidence, Evidence) for one in can.operations)
    assert all(field.reason for field in can.fields)
    observed = {one.name for one in can.operations if one.evidence is Evidence.OBSERVED}
    assert observed == {"read scope", "update scope"}
    assert {field.field for field in can.fields if field.how is How.UNSUPPORTED} == {
        "ApiKey.spec.allowedIPs",
        "ApiKey.spec.rotation.strategy",
    }
    assert (can.rate.calls, can.rate.seconds) == (10, 1.0)


def test_traits() -> None:
    """Keys are replaced rather than regenerated, roles are replaced; without editing, a key's role is for life."""
    usual, fixed = PROVIDER.traits(tenant()), PROVIDER.traits(tenant(options={"editableKeys": False}))
    for traits in (usual, fixed):
        assert (traits.regenerates_in_place, traits.reversible_lock, traits.replaces_levels) == (False, False, True)
        assert (traits.expiry, traits.unreadable) == (Expiry.FIXED, {"permissions"})
    assert (usual.fixed_level, usual.fixed) == (False, {"securityLevel"})
    assert (fixed.fixed_level, fixed.fixed) == (True, {"securityLevel", "name", "description"})
    assert PROVIDER.traits(tenant(options={"editableKeys": True})) is PROVIDER.capabilities.traits


@pytest.mark.parametrize(
    "endpoint", [CLOUD, f"{CLOUD}/", "https://api-x.example:8443", "http://127.0.0.1:1/t1", "http://localhost"]
)
def test_sound_tenants(endpoint: str) -> None:
    """The API's own host by https; anything on loopback, where emulators are."""
    assert list(PROVIDER.check_tenant(tenant(endpoint, options={"leastRole": "X", "editableKeys": False}))) == []


@pytest.mark.parametrize(
    ("endpoint", "what", "hint"),
    [
        ("https://acme.xdr.us.paloaltonetworks.com", "begin with api-", CLOUD),
        (f"{CLOUD}/public_api", "has a path", CLOUD),
        ("http://api-acme.example", "unprotected", "https://api-"),
        ("acme", "no https URL", "https://api-"),
    ],
)
def test_endpoints_that_no_credential_is_sent_to(endpoint: str, what: str, hint: str) -> None:
    """Each mistake is named; the same check stands before a connection."""
    [problem] = PROVIDER.check_tenant(tenant(endpoint))
    assert problem.path == ("endpoint",)
    assert what in problem.what
    assert hint in problem.hint
    with pytest.raises(InvalidInput, match=what):
        PROVIDER.connect(endpoint, Credential({}, None), ConnectionSettings(write=False))


@pytest.mark.parametrize(
    ("options", "path", "what", "hint"),
    [
        ({"leastrole": "X"}, "leastrole", "unknown option", "'leastRole'"),
        ({"colour": 1}, "colour", "unknown option", "leastRole, editableKeys"),
        ({"editableKeys": "no"}, "editableKeys", "either true or false", ""),
        ({"leastRole": ""}, "leastRole", "name of a role", "Viewer"),
        ({"leastRole": 3}, "leastRole", "name of a role", "Viewer"),
    ],
)
def test_problems_of_tenant_options(options: dict[str, Any], path: str, what: str, hint: str) -> None:
    """A slip gets a suggestion."""
    [problem] = PROVIDER.check_tenant(tenant(options=options))
    assert problem.path == ("options", path)
    assert what in problem.what
    assert hint in problem.hint


def test_credentials_have_known_fields() -> None:
    """Key and id, by name, where they stand in the manifest."""
    good = CredentialRef(env={"keyId": "A", "key": "B"})
    standard = CredentialRef(env={"keyId": "A", "key": "B", "securityLevel": "C"})
    assert list(PROVIDER.check_tenant(tenant(plan=good, apply=standard))) == []
    [problem] = PROVIDER.check_tenant(tenant(plan=CredentialRef(env={"keyID": "A", "key": "B"})))
    assert problem == (("credentials", "env", "keyID"), "unknown credential field 'keyID'", "did you mean 'keyId'?")
    [problem] = PROVIDER.check_tenant(tenant(plan=good, apply=CredentialRef(env={"q": "A"})))
    assert (problem.path, problem.hint) == (("credentials", "apply", "env", "q"), "one of keyId, key, securityLevel")
    [problem] = PROVIDER.check_tenant(tenant(plan=CredentialRef(env={"key": "A"}), apply=good))
    assert problem.path == ("credentials", "plan", "env")


def test_a_credential_goes_only_where_it_belongs() -> None:
    """One that is stored for another endpoint is not sent; spelling of the same place does not matter."""
    settings = ConnectionSettings(write=False)
    stored = Credential({"keyId": Secret("1"), "key": Secret("x")}, "https://API-acme.xdr.us.paloaltonetworks.com:443/")
    PROVIDER.connect(CLOUD, stored, settings).close()
    with pytest.raises(InvalidInput, match="not sent"):
        PROVIDER.connect("https://api-acme.example", stored, settings)


@pytest.mark.parametrize(
    ("fields", "path", "what", "hint"),
    [
        ({"expires": None}, (), "about a week", "write expires: DATE"),
        ({"allowed_ips": ("203.0.113.0/28",)}, ("allowedIPs",), "cannot be honoured", "cannot restrict API keys"),
        (
            {"rotation": Rotation(timedelta(days=30), strategy=Strategy.IN_PLACE)},
            ("rotation", "strategy"),
            "cannot be honoured",
            "only overlap works",
        ),
        ({"scope": {"assets": {"mode": "all"}}}, ("scope", "assets", "mode"), "unknown mode", ""),
        (
            {"options": {"securityLevel": "Advanced"}},
            ("options", "securityLevel"),
            "unknown security level",
            "'advanced'",
        ),
        ({"options": {"securityLevel": 1}}, ("options", "securityLevel"), "unknown security level", "one of advanced"),
        ({"options": {"securitylevel": "standard"}}, ("options", "securitylevel"), "unknown option", "'securityLevel'"),
        ({"options": {"colour": "red"}}, ("options", "colour"), "unknown option", "options: securityLevel"),
    ],
)
def test_problems_of_keys(fields: dict[str, Any], path: tuple[str, ...], what: str, hint: str) -> None:
    """What the product cannot do is refused with the reason; a slip gets a suggestion."""
    [problem] = PROVIDER.check_key(replace(KEY, **fields))
    assert problem.path == path
    assert what in problem.what
    assert hint in problem.hint


def test_sound_keys_and_levels() -> None:
    """Nothing to say, and the canonical form is there."""
    sound = replace(
        KEY,
        options={"securityLevel": "standard"},
        scope={"assets": {"mode": "scope", "groupIds": [2, 1]}},
        rotation=Rotation(timedelta(days=30), overlap=timedelta(days=1)),
    )
    assert list(PROVIDER.check_key(sound)) == []
    fields = PROVIDER.key_fields(sound)
    assert set(fields) == {"name", "description", "securityLevel", "expires", "scope"}
    assert (fields["securityLevel"], fields["scope"]["assets"]["groupIds"]) == ("standard", (1, 2))
    assert PROVIDER.key_fields(KEY)["securityLevel"] == "advanced"
    level = desired_level(description=" text ", permissions={"components": ["rules_view"]})
    assert list(PROVIDER.check_level(level)) == []
    assert PROVIDER.level_fields(level)["description"] == "text"


def test_schemas_are_schemas() -> None:
    """Options, scopes and permissions are described for editors."""
    provider = CortexCloud()
    schemas = provider.options_schema(), provider.scope_schema(), provider.tenant_options_schema()
    for schema in (*schemas, provider.permissions_schema()):
        Draft202012Validator.check_schema(schema)
    assert Draft202012Validator(schemas[0]).is_valid({"securityLevel": "standard"})
    assert not Draft202012Validator(schemas[0]).is_valid({"securityLevel": "none"})
    assert not Draft202012Validator(schemas[2]).is_valid({"editableKeys": "no"})


def test_nothing_is_made_by_hand() -> None:
    """No console steps, no key file."""
    assert PROVIDER.console_steps(tenant(), Write.CREATE_KEY, Step("splunk", {}, mark())) == ()
    with pytest.raises(InvalidInput, match="no key file"):
        PROVIDER.key_file(b"{}")
