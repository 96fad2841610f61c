from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.errors import InvalidInput
from reconciler.model.credential import Credential
from reconciler.model.desired import (
    CredentialRef,
    DesiredTenant,
    Source,
    Unmanaged,
    VaultPath,
)
from reconciler.model.secret import Secret
from reconciler.providers import registry
from reconciler.providers.base import ConnectionSettings, Evidence, How
from reconciler.providers.trend_workload_security import PROVIDER
from tests.support.builders import desired_key, desired_level

IN_VAULT = CredentialRef(vault=VaultPath("reconciler-credentials", "dsm"))
CLOUD = "https://workload.us-1.cloudone.trendmicro.com/api"


def tenant(endpoint: str = CLOUD, plan: CredentialRef = IN_VAULT, apply: CredentialRef | None = None) -> DesiredTenant:
    return DesiredTenant(
        name="dsm",
        provider=PROVIDER.name,
        endpoint=endpoint,
        credentials_plan=plan,
        credentials_apply=apply or plan,
        secrets=VaultPath("secret", "{tenant}/{key}"),
        unmanaged=Unmanaged.REPORT,
        levels=(),
        keys=(),
        source=Source("keys.yaml", 1),
    )


def test_the_registry_finds_it() -> None:
    """The entry point names this provider."""
    assert registry.get("trend-workload-security") is PROVIDER
    assert PROVIDER.name in registry.names()
    assert "Workload Security" in PROVIDER.title


def test_importing_it_imports_no_http() -> None:
    """Validation and help stay fast: requests and hvac come with `connect`."""
    code = (
        "import sys, reconciler.providers.trend_workload_security as p; p.PROVIDER.permissions_schema();"
        "print(*sorted({'requests', 'urllib3', 'hvac', 'tenacity'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_fact_has_its_evidence() -> None:
    """Fields and operations say how sure we are; sources are the vendor page's; refusals have a reason."""
    can = PROVIDER.capabilities
    assert all(one.source.startswith("T") and isinstance(one.evidence, Evidence) for one in can.operations)
    assert all(field.reason for field in can.fields)
    assert {field.field for field in can.fields if field.how is How.UNSUPPORTED} == {
        "ApiKey.spec.allowedIPs",
        "ApiKey.spec.scope",
    }
    assert (can.rate.calls, can.rate.seconds) == (500, 60.0)
    assert can.traits.regenerates_in_place
    assert can.traits.reversible_lock


@pytest.mark.parametrize(
    "endpoint",
    [
        CLOUD,
        f"{CLOUD}/",
        "https://dsm.example:4119/api",
        "https://[2001:db8::1]:4119/api",
        "http://127.0.0.1:8080/x/api",
        "http://[::1]/api",
        "http://localhost/api",
    ],
)
def test_sound_tenants(endpoint: str) -> None:
    """Anywhere by https, on loopback by http too."""
    assert list(PROVIDER.check_tenant(tenant(endpoint))) == []


@pytest.mark.parametrize(
    ("endpoint", "what", "hint"),
    [
        ("https://dsm.example:4119", "end in /api", "https://dsm.example:4119/api"),
        ("http://dsm.example/api", "unprotected", "https://"),
        ("http://10.0.0.1/api", "unprotected", "https://"),
        ("dsm.example/api", "no https URL", "https://"),
        ("https:///api", "no https URL", "https://"),
        ("ftp://dsm.example/api", "no https URL", "https://"),
        ("https://u:p@dsm.example/api", "user name", "https://"),
        ("https://dsm.example/api?x=1", "query", "https://"),
        ("https://dsm.example/api#", "query", "https://"),
        ("https://dsm.example:x/api", "no URL", "https://"),
        ("https://[dsm/api", "no URL", "https://"),
        ("https://dsm.example/a b/api", "spaces", "https://"),
    ],
)
def test_endpoints_that_no_credential_is_sent_to(endpoint: str, what: str, hint: str) -> None:
    """Each mistake is named; the same check stands before a connection."""
    [problem] = PROVIDER.check_tenant(tenant(endpoint))
    assert problem.path == ("endpoint",)
    assert what in problem.what
    assert hint in problem.hint
    if "/api" not in what:
        with pytest.raises(InvalidInput, match=what):
            PROVIDER.connect(endpoint, Credential({"secretKey": Secret("1:x")}, None), ConnectionSettings(write=False))


def test_credentials_have_known_fields() -> None:
    """One of the two kinds, by name, where they stand in the manifest."""
    good, account = CredentialRef(env={"secretKey": "A"}), CredentialRef(env={"apiKey": "B"})
    assert list(PROVIDER.check_tenant(tenant(plan=good))) == []
    assert list(PROVIDER.check_tenant(tenant(plan=account, apply=good))) == []
    [problem] = PROVIDER.check_tenant(tenant(plan=CredentialRef(env={"secretkey": "A"})))
    assert problem == (
        ("credentials", "env", "secretkey"),
        "unknown credential field 'secretkey'",
        "did you mean 'secretKey'?",
    )
    [problem] = PROVIDER.check_tenant(tenant(plan=good, apply=CredentialRef(env={"q": "A"})))
    assert (problem.path, problem.hint) == (("credentials", "apply", "env", "q"), "one of apiKey, secretKey")
    both = CredentialRef(env={"secretKey": "A", "apiKey": "B"})
    [problem] = PROVIDER.check_tenant(tenant(plan=both, apply=good))
    assert problem.path == ("credentials", "plan", "env")


def test_a_credential_goes_only_where_it_belongs() -> None:
    """One that is stored for another endpoint is not sent; spelling of the same place does not matter."""
    settings = ConnectionSettings(write=False)
    stored = Credential({"secretKey": Secret("1:x")}, "https://DSM.example:443/api/")
    PROVIDER.connect("https://dsm.example/api", stored, settings).close()
    for other in ("https://dsm.example.evil/api", "https://dsm.example:4119/api", "https://dsm.example/other/api"):
        with pytest.raises(InvalidInput, match="not sent"):
            PROVIDER.connect(other, stored, settings)


@pytest.mark.parametrize(
    ("fields", "path", "what", "hint"),
    [
        (
            {"allowed_ips": ("203.0.113.0/28",)},
            ("allowedIPs",),
            "cannot be honoured",
            "cannot restrict API keys to addresses",
        ),
        ({"scope": "x"}, ("scope",), "cannot be honoured", "part of its role"),
        ({"options": {"locale": "en_US"}}, ("options", "locale"), "unknown locale 'en_US'", "did you mean 'en-US'?"),
        ({"options": {"locale": 3}}, ("options", "locale"), "unknown locale 3", "one of en-US, ja-JP"),
        ({"options": {"timeZone": "Europe/Berln"}}, ("options", "timeZone"), "unknown time zone", "'Europe/Berlin'?"),
        (
            {"options": {"timeZone": "Mars/Olympus"}},
            ("options", "timeZone"),
            "unknown time zone",
            "a name of the tz database",
        ),
        (
            {"options": {"timeZone": None}},
            ("options", "timeZone"),
            "unknown time zone None",
            "a name of the tz database",
        ),
        ({"options": {"timezone": "UTC"}}, ("options", "timezone"), "unknown option", "did you mean 'timeZone'?"),
        ({"options": {"colour": "red"}}, ("options", "colour"), "unknown option", "options: locale, timeZone"),
    ],
)
def test_problems_of_keys(fields: dict[str, Any], path: tuple[str, ...], what: str, hint: str) -> None:
    """What the product cannot do is refused with the reason; a slip gets a suggestion."""
    [problem] = PROVIDER.check_key(desired_key(**fields))
    assert problem.path == path
    assert what in problem.what
    assert hint in problem.hint


def test_sound_keys_and_levels() -> None:
    """Nothing to say, and the canonical form is there."""
    sound = desired_key(options={"locale": "ja-JP", "timeZone": "Asia/Calcutta"})
    assert list(PROVIDER.check_key(sound)) == []
    assert list(PROVIDER.check_key(desired_key())) == []
    assert PROVIDER.key_fields(sound)["timeZone"] == "Asia/Kolkata"
    level = desired_level(description=" text ", permissions={"allPolicies": True})
    assert list(PROVIDER.check_level(level)) == []
    assert PROVIDER.level_fields(level)["description"] == "text"


def test_schemas_are_schemas() -> None:
    """Options and permissions are described for editors."""
    for schema in (PROVIDER.options_schema(), PROVIDER.permissions_schema()):
        Draft202012Validator.check_schema(schema)
    options = Draft202012Validator(PROVIDER.options_schema())
    assert options.is_valid({"locale": "en-US", "timeZone": "Etc/UTC"})
    assert not options.is_valid({"locale": "de-DE"})
    assert not options.is_valid({"colour": "red"})
