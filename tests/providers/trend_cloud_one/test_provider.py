from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.errors import InvalidInput
from reconciler.model.credential import Credential
from reconciler.model.desired import CredentialRef, DesiredTenant, Rotation, Source, Strategy, Unmanaged, VaultPath
from reconciler.model.names import Kind
from reconciler.model.secret import Secret
from reconciler.providers.base import ConnectionSettings, Evidence, Expiry, How, Step, Write
from reconciler.providers.trend_cloud_one import PROVIDER
from tests.support.builders import desired_key, desired_level, mark

IN_VAULT = CredentialRef(vault=VaultPath("reconciler-credentials", "c1"))
CLOUD = "https://accounts.cloudone.trendmicro.com/api"
URN = "urn:cloudone:application:us-1:012345678901:role/auditor"


def tenant(
    endpoint: str = CLOUD, plan: CredentialRef = IN_VAULT, apply: CredentialRef | None = None, **options: Any
) -> DesiredTenant:
    return DesiredTenant(
        name="c1", provider=PROVIDER.name, endpoint=endpoint, credentials_plan=plan, credentials_apply=apply or plan,
        secrets=VaultPath("secret", "{tenant}/{key}"), unmanaged=Unmanaged.REPORT, levels=(), keys=(),
        source=Source("keys.yaml", 1), options=options,
    )  # fmt: skip


def test_importing_it_imports_no_http() -> None:
    """Validation and help stay fast: requests and hvac come with `connect`."""
    code = (
        "import sys, reconciler.providers.trend_cloud_one as p; p.PROVIDER.permissions_schema();"
        "print(*sorted({'requests', 'urllib3', 'hvac', 'tenacity'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_fact_has_its_evidence() -> None:
    """Fields and operations say how sure we are; what the page only infers is marked as assumed."""
    can = PROVIDER.capabilities
    assert all(one.source.startswith("T") for one in can.operations)
    assert all(field.reason for field in can.fields)
    assert {field.field for field in can.fields if field.how is How.UNSUPPORTED} == {
        "ApiKey.spec.scope",
        "ApiKey.spec.rotation.strategy",
    }
    assert {one.request for one in can.operations if one.evidence is Evidence.ASSUMED} == {
        "POST /apikeys/{id}", "DELETE /apikeys/{id}", "POST /roles/{id}", "DELETE /roles/{id}",
    }  # fmt: skip
    assert can.rate.evidence is Evidence.ASSUMED


def test_how_its_keys_behave() -> None:
    """No new secret for a key, a reversible lock, no end; roles and keys can be declared."""
    traits = PROVIDER.traits(tenant())
    assert traits.kinds == {Kind.ACCESS_LEVEL, Kind.API_KEY}
    assert not traits.regenerates_in_place
    assert traits.reversible_lock
    assert traits.expiry is Expiry.NONE
    assert PROVIDER.title == "Trend Cloud One (account keys)"
    assert PROVIDER.scope_schema() is None
    step = Step("splunk", {}, mark())
    assert PROVIDER.console_steps(tenant(), Write.CREATE_KEY, step) == ()
    with pytest.raises(InvalidInput, match="no key file"):
        PROVIDER.key_file(b"{}")


@pytest.mark.parametrize(
    "good",
    [
        tenant(),
        tenant("http://127.0.0.1:8080/x/api/"),
        tenant("https://accounts.us-1.cloudone.trendmicro.com/api"),
        tenant(plan=CredentialRef(env={"apiKey": "C1_KEY"})),
    ],
)
def test_good_tenants(good: DesiredTenant) -> None:
    """The documented endpoint, a region's, an emulator; the credential in Vault or the environment."""
    assert list(PROVIDER.check_tenant(good)) == []


@pytest.mark.parametrize(
    ("bad", "path", "hint"),
    [
        (tenant("ftp://x"), ("endpoint",), CLOUD),
        (tenant("https://accounts.cloudone.trendmicro.com"), ("endpoint",), CLOUD),
        (tenant(colour="red"), ("options", "colour"), "no options"),
        (tenant(plan=CredentialRef(env={"apikey": "X"})), ("credentials", "env", "apikey"), "'apiKey'"),
        (tenant(plan=CredentialRef(env={"apiKey": "X", "y": "Y"})), ("credentials", "env", "y"), "apiKey"),
        (tenant(plan=CredentialRef(env={})), ("credentials", "env"), ""),
        (tenant(apply=CredentialRef(env={"x": "X"})), ("credentials", "apply", "env", "x"), "apiKey"),
    ],
)
def test_bad_tenants(bad: DesiredTenant, path: tuple[str, ...], hint: str) -> None:
    """Each problem is where it is, and says what would be right."""
    first = next(iter(PROVIDER.check_tenant(bad)))
    assert first.path == path
    assert hint in first.hint


@pytest.mark.parametrize(
    ("permissions", "path"),
    [
        ({}, ("permissions", "serviceRoleURNs")),
        ({"serviceRoleURNs": URN}, ("permissions", "serviceRoleURNs")),
        ({"serviceRoleURNs": [URN, "auditor"]}, ("permissions", "serviceRoleURNs", 1)),
        ({"serviceRoleURNs": [7]}, ("permissions", "serviceRoleURNs", 0)),
        ({"serviceRoleURNs": [URN], "serviceRoles": []}, ("permissions", "serviceRoles")),
    ],
)
def test_bad_levels(permissions: dict[str, Any], path: tuple[str | int, ...]) -> None:
    """A role is a list of URNs, and nothing else; the schema for editors agrees."""
    [problem] = PROVIDER.check_level(desired_level(permissions=permissions))
    assert problem.path == path
    assert problem.hint
    assert not Draft202012Validator(PROVIDER.permissions_schema()).is_valid(permissions)


def test_good_levels() -> None:
    """Any number of service roles, in any order."""
    schema = Draft202012Validator(PROVIDER.permissions_schema())
    for urns in ([], [URN], [URN + "2", URN, URN]):
        level = desired_level(permissions={"serviceRoleURNs": urns})
        assert list(PROVIDER.check_level(level)) == []
        assert schema.is_valid(level.permissions)
        assert PROVIDER.level_fields(level)["permissions"] == {"serviceRoleURNs": tuple(sorted(set(urns)))}


@pytest.mark.parametrize(
    ("more", "path", "hint"),
    [
        ({"scope": {}}, ("scope",), "role"),
        ({"rotation": Rotation(timedelta(days=9), strategy=Strategy.IN_PLACE)}, ("rotation", "strategy"), "new key"),
        ({"options": {"locale": "fr"}}, ("options", "locale"), "en, ja"),
        ({"options": {"timeZone": "Europe/Berlim"}}, ("options", "timeZone"), "Europe/Berlin"),
        ({"options": {"timeZone": 7}}, ("options", "timeZone"), "tz database"),
        ({"options": {"timezone": "UTC"}}, ("options", "timezone"), "timeZone"),
    ],
)
def test_bad_keys(more: dict[str, Any], path: tuple[str, ...], hint: str) -> None:
    """What cannot be honoured is refused with the reason."""
    [problem] = PROVIDER.check_key(desired_key(**more))
    assert problem.path == path
    assert hint in problem.hint


def test_good_keys() -> None:
    """Address lists, options and an overlapping rotation are honoured; defaults are explicit."""
    schema = Draft202012Validator(PROVIDER.options_schema())
    key = desired_key(
        options={"locale": "ja", "timeZone": "America/Toronto"},
        allowed_ips=("203.0.113.0/28",),
        rotation=Rotation(timedelta(days=9)),
    )
    assert list(PROVIDER.check_key(key)) == []
    assert schema.is_valid(key.options)
    assert PROVIDER.key_fields(key)["allowedIPs"] == ("203.0.113.0/28",)
    fields = PROVIDER.key_fields(desired_key())
    assert (fields["locale"], fields["timeZone"], fields["allowedIPs"]) == ("en", "Etc/UTC", ())
    assert "expires" not in fields
    assert PROVIDER.tenant_options_schema()["additionalProperties"] is False


@pytest.mark.parametrize(
    ("endpoint", "stored", "match"),
    [("http://c1.example/api", None, "plain http"), (CLOUD, "https://evil.example/api", "another endpoint")],
)
def test_credentials_go_nowhere_else(endpoint: str, stored: str | None, match: str) -> None:
    """A credential that is stored for another place, or that would travel in the clear, is not used."""
    with pytest.raises(InvalidInput, match=match):
        PROVIDER.connect(endpoint, Credential({"apiKey": Secret("a:b")}, stored), ConnectionSettings(write=False))
