from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.errors import InvalidInput
from reconciler.model.credential import Credential
from reconciler.model.desired import (
    CredentialRef,
    DesiredTenant,
    LevelRef,
    Rotation,
    Source,
    Strategy,
    Unmanaged,
    VaultPath,
)
from reconciler.model.names import Kind
from reconciler.model.secret import Secret
from reconciler.providers.base import ConnectionSettings, Evidence, Expiry, How, Step, Write
from reconciler.providers.trend_vision_one import PROVIDER
from reconciler.providers.trend_vision_one.provider import REGIONS
from tests.support.builders import desired_key, desired_level, mark

IN_VAULT = CredentialRef(vault=VaultPath("reconciler-credentials", "v1"))
US = REGIONS["us"]


def tenant(
    endpoint: str = US, plan: CredentialRef = IN_VAULT, apply: CredentialRef | None = None, **options: Any
) -> DesiredTenant:
    return DesiredTenant(
        name="v1", provider=PROVIDER.name, endpoint=endpoint, credentials_plan=plan, credentials_apply=apply or plan,
        secrets=VaultPath("secret", "{tenant}/{key}"), unmanaged=Unmanaged.REPORT, levels=(), keys=(),
        source=Source("keys.yaml", 1), options=options,
    )  # fmt: skip


def test_importing_it_imports_no_http() -> None:
    """Validation and help stay fast: requests and hvac come with `connect`."""
    code = (
        "import sys, reconciler.providers.trend_vision_one as p; p.PROVIDER.permissions_schema();"
        "print(*sorted({'requests', 'urllib3', 'hvac', 'tenacity'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_fact_has_its_evidence() -> None:
    """Fields and operations say how sure we are; what cannot be had says why."""
    can = PROVIDER.capabilities
    assert all(one.source.startswith("T") for one in can.operations)
    assert all(field.reason for field in can.fields)
    assert {field.field for field in can.fields if field.how is How.UNSUPPORTED} == {
        "ApiKey.spec.scope", "ApiKey.spec.allowedIPs", "ApiKey.spec.rotation.strategy", "AccessLevel.metadata.name",
        "AccessLevel.spec.description", "AccessLevel.spec.permissions",
    }  # fmt: skip
    assert {one.request for one in can.operations if one.evidence is Evidence.ASSUMED} == {"GET /v3.0/iam/roles"}
    assert can.rate.evidence is Evidence.ASSUMED


def test_how_its_keys_behave() -> None:
    """No new token for a key, a reversible lock, an end in months; only keys can be declared."""
    traits = PROVIDER.traits(tenant())
    assert traits.kinds == {Kind.API_KEY}
    assert not traits.regenerates_in_place
    assert traits.reversible_lock
    assert traits.expiry is Expiry.ROUNDED
    assert PROVIDER.title == "Trend Vision One"
    assert PROVIDER.scope_schema() is None
    assert PROVIDER.options_schema()["additionalProperties"] is False
    assert PROVIDER.permissions_schema()["additionalProperties"] is False
    assert PROVIDER.console_steps(tenant(), Write.CREATE_KEY, Step("splunk", {}, mark())) == ()
    with pytest.raises(InvalidInput, match="no key file"):
        PROVIDER.key_file(b"{}")


@pytest.mark.parametrize(
    "good",
    [
        *map(tenant, REGIONS.values()),
        tenant(f"{US}/"),
        tenant("https://api.mea.xdr.trendmicro.com"),
        tenant("http://127.0.0.1:8080/tenant-1"),
        tenant(plan=CredentialRef(env={"token": "V1_TOKEN"})),
        tenant(plan=CredentialRef(env={"token": "V1_TOKEN", "keyId": "V1_ID"})),
        tenant(roles=["SIEM reader"]),
        tenant(listRoles=True),
    ],
)
def test_good_tenants(good: DesiredTenant) -> None:
    """Every region, an emulator; the credential with or without its id; roles by name."""
    assert list(PROVIDER.check_tenant(good)) == []
    assert Draft202012Validator(PROVIDER.tenant_options_schema()).is_valid(good.options)


@pytest.mark.parametrize(
    ("bad", "path", "hint"),
    [
        (tenant("ftp://x"), ("endpoint",), US),
        (tenant(f"{US}/v3.0"), ("endpoint",), US),
        (tenant("https://portal.xdr.trendmicro.com"), ("endpoint",), "api.xdr.trendmicro.com"),
        (tenant("https://www.trendmicro.com"), ("endpoint",), "api."),
        (tenant(role=["x"]), ("options", "role"), "'roles'"),
        (tenant(colour="red"), ("options", "colour"), "roles"),
        (tenant(roles="Auditor"), ("options", "roles"), "console"),
        (tenant(roles=["Auditor", ""]), ("options", "roles"), "console"),
        (tenant(listRoles="yes"), ("options", "listRoles"), "true or false"),
        (tenant(plan=CredentialRef(env={"tokn": "X"})), ("credentials", "env", "tokn"), "'token'"),
        (tenant(plan=CredentialRef(env={"keyId": "X"})), ("credentials", "env"), ""),
        (tenant(plan=CredentialRef(env={"token": "X", "y": "Y"})), ("credentials", "env", "y"), "keyId"),
        (tenant(apply=CredentialRef(env={"x": "X"})), ("credentials", "apply", "env", "x"), "token"),
    ],
)
def test_bad_tenants(bad: DesiredTenant, path: tuple[str, ...], hint: str) -> None:
    """Each problem is where it is, and says what would be right."""
    first = next(iter(PROVIDER.check_tenant(bad)))
    assert first.path == path
    assert hint in first.hint


def test_access_levels_are_refused() -> None:
    """With the reason, and with what to do instead."""
    [problem] = PROVIDER.check_level(desired_level())
    assert "cannot be managed" in problem.what
    assert "{existing: NAME}" in problem.hint
    assert PROVIDER.level_fields(desired_level())["name"] == "read"


@pytest.mark.parametrize(
    ("more", "path", "hint"),
    [
        ({"scope": {}}, ("scope",), "role"),
        ({"allowed_ips": ("203.0.113.0/28",)}, ("allowedIPs",), "console"),
        ({"rotation": Rotation(timedelta(days=9), strategy=Strategy.IN_PLACE)}, ("rotation", "strategy"), "new key"),
        ({"options": {"locale": "en"}}, ("options", "locale"), "no options"),
        ({"level": LevelRef("Master Administrator", existing=True)}, ("accessLevel", "existing"), "needs"),
    ],
)
def test_bad_keys(more: dict[str, Any], path: tuple[str, ...], hint: str) -> None:
    """What cannot be honoured is refused with the reason."""
    [problem] = PROVIDER.check_key(desired_key(**more))
    assert problem.path == path
    assert hint in problem.hint


def test_good_keys() -> None:
    """An existing role and an overlapping rotation are honoured."""
    key = desired_key(level=LevelRef("Auditor", existing=True), rotation=Rotation(timedelta(days=9)))
    assert list(PROVIDER.check_key(key)) == []
    assert set(PROVIDER.key_fields(key)) == {"name", "description", "expires", "state"}


@pytest.mark.parametrize(
    ("endpoint", "stored", "match"),
    [("http://v1.example", None, "plain http"), (US, "https://api.evil.example", "another endpoint")],
)
def test_credentials_go_nowhere_else(endpoint: str, stored: str | None, match: str) -> None:
    """A credential that is stored for another place, or that would travel in the clear, is not used."""
    with pytest.raises(InvalidInput, match=match):
        PROVIDER.connect(endpoint, Credential({"token": Secret("x")}, stored), ConnectionSettings(write=False))
