from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.errors import InvalidInput
from reconciler.model.credential import Credential
from reconciler.model.desired import (
    CredentialRef,
    DesiredKey,
    DesiredLevel,
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
from reconciler.providers import registry
from reconciler.providers.base import ConnectionSettings, Evidence, Expiry, How, Write
from reconciler.providers.lacework import PROVIDER
from reconciler.providers.lacework.accounts import full_name
from reconciler.providers.lacework.emulator import ADMIN, POWER_USER
from tests.support.builders import desired_key, desired_level

IN_VAULT = CredentialRef(vault=VaultPath("reconciler-credentials", "lw"))
ACME = "https://acme.lacework.net"


def tenant(
    endpoint: str = ACME,
    plan: CredentialRef = IN_VAULT,
    apply: CredentialRef | None = None,
    options: Mapping[str, Any] | None = None,
) -> DesiredTenant:
    return DesiredTenant(
        name="lw",
        provider=PROVIDER.name,
        endpoint=endpoint,
        credentials_plan=plan,
        credentials_apply=apply or plan,
        secrets=VaultPath("secret", "{tenant}/{key}"),
        unmanaged=Unmanaged.REPORT,
        levels=(),
        keys=(),
        source=Source("keys.yaml", 1),
        options=options or {},
    )


def user(*groups: Any, **more: Any) -> DesiredLevel:
    return replace(desired_level("siem"), kind=Kind.SERVICE_USER, permissions={"groups": [*groups]}, **more)


def key(**more: Any) -> DesiredKey:
    level = LevelRef("siem", kind=Kind.SERVICE_USER)
    plain = replace(desired_key("splunk"), level=level, options={}, allowed_ips=(), scope=None, rotation=None)
    return replace(plain, **more)


def test_the_registry_finds_it() -> None:
    """The entry point names this provider."""
    assert registry.get("lacework") is PROVIDER
    assert PROVIDER.title == "Lacework FortiCNAPP"


def test_importing_it_imports_no_http() -> None:
    """Validation and help stay fast: requests and hvac come with `connect`."""
    code = (
        "import sys, reconciler.providers.lacework as p; p.PROVIDER.permissions_schema();"
        "print(*sorted({'requests', 'urllib3', 'hvac', 'tenacity'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_fact_has_its_evidence() -> None:
    """Fields and operations say how sure we are; refusals have a reason; keys are made by hand."""
    can = PROVIDER.capabilities
    assert all(one.source and isinstance(one.evidence, Evidence) for one in can.operations)
    assert all(field.reason for field in can.fields)
    assert {field.field for field in can.fields if field.how is How.UNSUPPORTED} == {
        "AccessLevel",
        "ApiKey.spec.allowedIPs",
        "ApiKey.spec.scope",
        "ApiKey.spec.rotation.strategy",
    }
    assert (can.rate.calls, can.rate.seconds) == (480, 3600.0)
    assert can.handoff_fields == ("keyId", "secret")


def test_traits() -> None:
    """No key is listed, made, changed or deleted by API, at most twenty live side by side, and none expires."""
    traits = PROVIDER.traits(tenant())
    assert traits.kinds == {Kind.SERVICE_USER, Kind.API_KEY}
    assert traits.by_hand == {Write.CREATE_KEY, Write.UPDATE_KEY, Write.DELETE_KEY, Write.REGENERATE_KEY}
    assert traits.unreadable == {"name", "description", "state"}
    assert (traits.lists_keys, traits.regenerates_in_place, traits.fixed_level) == (False, False, True)
    assert (traits.reversible_lock, traits.most_keys_per_level, traits.expiry) == (True, 20, Expiry.NONE)


@pytest.mark.parametrize(
    "endpoint",
    [
        ACME,
        f"{ACME}/",
        "https://ACME.lacework.net",
        "https://acme.fra.lacework.net",
        "https://my-org_1.lacework.net:443",
        "http://127.0.0.1:8080/t1",
        "https://localhost",
    ],
)
def test_sound_tenants(endpoint: str) -> None:
    """An account's address, with or without its cluster; emulators on loopback, below any path."""
    assert list(PROVIDER.check_tenant(tenant(endpoint, options={"subAccount": "ACME-dev"}))) == []


@pytest.mark.parametrize(
    ("endpoint", "what"),
    [
        ("acme", "no https URL"),
        ("http://acme.lacework.net", "plain http"),
        ("https://lacework.net", "https://ACCOUNT.lacework.net"),
        ("https://.lacework.net", "https://ACCOUNT.lacework.net"),
        ("https://a.b.c.lacework.net", "https://ACCOUNT.lacework.net"),
        ("https://acme.lacework.net.evil.example", "https://ACCOUNT.lacework.net"),
        ("https://acme.lacework.net/api/v2", "address alone"),
        ("https://acme.lacework.net:8443", "address alone"),
    ],
)
def test_endpoints_that_are_no_accounts(endpoint: str, what: str) -> None:
    """Each is refused in `validate`, and by `connect` before a call."""
    [problem] = PROVIDER.check_tenant(tenant(endpoint))
    assert problem.path == ("endpoint",)
    assert what in problem.what
    assert "https://acme" in problem.hint.lower()
    with pytest.raises(InvalidInput, match=what):
        PROVIDER.connect(endpoint, Credential({}, None), ConnectionSettings(write=False))


@pytest.mark.parametrize(
    ("options", "what", "hint"),
    [
        ({"subaccount": "dev"}, "unknown option 'subaccount'", "subAccount"),
        ({"colour": "red"}, "unknown option 'colour'", "have the option subAccount"),
        ({"subAccount": ""}, "no name of an account", "acme-dev"),
        ({"subAccount": 7}, "no name of an account", "acme-dev"),
        ({"subAccount": "a b"}, "no name of an account", "acme-dev"),
    ],
)
def test_options_of_tenants(options: Any, what: str, hint: str) -> None:
    """One is known, and it is a name; the schema for editors says the same."""
    [problem] = PROVIDER.check_tenant(tenant(options=options))
    assert (problem.path[0], what in problem.what, hint in problem.hint) == ("options", True, True)
    schema = Draft202012Validator(dict(PROVIDER.tenant_options_schema()))
    assert not schema.is_valid(options)
    assert schema.is_valid({"subAccount": "acme-dev"})


def test_credentials() -> None:
    """Both parts of a key, and nothing else; each identity is looked at where there are two."""
    good = CredentialRef(env={"keyId": "LW_KEY", "secret": "LW_SECRET"})
    half = CredentialRef(env={"keyId": "LW_KEY"})
    odd = CredentialRef(env={"keyID": "LW_KEY", "colour": "C", "secret": "LW_SECRET"})
    assert list(PROVIDER.check_tenant(tenant(plan=good))) == []
    [problem] = PROVIDER.check_tenant(tenant(plan=good, apply=half))
    assert (problem.path, "both of them" in problem.what) == (("credentials", "apply", "env"), True)
    problems = list(PROVIDER.check_tenant(tenant(plan=odd)))
    assert [problem.path[-1] for problem in problems] == ["colour", "keyID"]
    assert "keyId" in problems[1].hint


def test_access_levels_are_refused() -> None:
    """With the reason, and what would be right; the schema for editors takes none either."""
    [problem] = PROVIDER.check_level(desired_level("read"))
    assert (problem.path, problem.what) == ((), "this product has no access levels for keys")
    assert "declare a ServiceUser" in problem.hint
    assert not Draft202012Validator(dict(PROVIDER.permissions_schema())).is_valid({})


def test_groups_are_guids() -> None:
    """A set of them, which may be empty."""
    assert list(PROVIDER.check_level(user())) == []
    assert list(PROVIDER.check_level(user(ADMIN, POWER_USER.lower()))) == []
    problems = list(PROVIDER.check_level(user(ADMIN, "Power Users", "", "a/b", 7)))
    assert [problem.path for problem in problems] == [("groups", number) for number in (1, 2, 3, 4)]


def test_keys_that_cannot_be_honoured() -> None:
    """Each field that the product does not have is refused with the reason."""
    assert list(PROVIDER.check_key(key(rotation=Rotation(timedelta(days=90))))) == []
    refused = {
        "accessLevel": key(level=LevelRef("read")),
        "allowedIPs": key(allowed_ips=("203.0.113.0/28",)),
        "scope": key(scope={}),
        "rotation": key(rotation=Rotation(timedelta(days=90), strategy=Strategy.IN_PLACE)),
        "options": key(options={"locale": "en-US"}),
    }
    for path, wanted in refused.items():
        [problem] = PROVIDER.check_key(wanted)
        assert problem.path[0] == path
        assert problem.hint


def test_canonical_fields() -> None:
    """Groups are a set, spelled in any case; nothing that the product does not keep is among a key's fields."""
    one, other = user(ADMIN, POWER_USER, ADMIN.lower(), locked=True), user(POWER_USER.lower(), ADMIN, locked=True)
    assert PROVIDER.level_fields(one) == PROVIDER.level_fields(other)
    assert set(PROVIDER.level_fields(one)) == {"name", "description", "groups", "state"}
    assert PROVIDER.level_fields(one)["state"] == "locked"
    assert PROVIDER.level_fields(user())["groups"] == ()
    assert PROVIDER.level_fields(user(ADMIN)) != PROVIDER.level_fields(user(POWER_USER))
    assert set(PROVIDER.key_fields(key())) == {"name", "description", "state"}


def test_schemas() -> None:
    """Keys have no options and no scopes."""
    assert Draft202012Validator(dict(PROVIDER.options_schema())).is_valid({})
    assert not Draft202012Validator(dict(PROVIDER.options_schema())).is_valid({"locale": "en-US"})
    PROVIDER.scope_schema()


def test_a_credential_of_another_account_is_not_sent() -> None:
    """It is stored beside the endpoint that it may be sent to."""
    fields = {"keyId": Secret("ACME_1"), "secret": Secret("_1")}
    with pytest.raises(InvalidInput, match="stored for another endpoint"):
        PROVIDER.connect(ACME, Credential(fields, "https://other.lacework.net"), ConnectionSettings(write=False))
    PROVIDER.connect(ACME, Credential(fields, "https://ACME.lacework.net/"), ConnectionSettings(write=False)).close()


def test_accounts_are_named_as_in_downloaded_files() -> None:
    """Host and cluster, without a port; an emulator by its whole place."""
    assert full_name("https://ACME.fra.lacework.net:443/") == "acme.fra.lacework.net"
    assert full_name("http://127.0.0.1:8080/t1/") == "127.0.0.1:8080/t1"
