from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.errors import InvalidInput
from reconciler.model.credential import Credential
from reconciler.model.desired import CredentialRef, DesiredTenant, KeyState, Source, Unmanaged, VaultPath
from reconciler.model.secret import Secret
from reconciler.providers import registry
from reconciler.providers.base import ConnectionSettings, Evidence, Expiry, How, Write
from reconciler.providers.carbon_black_cloud import PROVIDER
from reconciler.providers.carbon_black_cloud.capabilities import WRITES
from reconciler.providers.carbon_black_cloud.emulator import ENDPOINT_MAP
from reconciler.providers.carbon_black_cloud.endpoint_map import OPERATIONS
from tests.support.builders import desired_key, desired_level

IN_VAULT = CredentialRef(vault=VaultPath("reconciler-credentials", "cbc"))
EU = "https://defense-eu.conferdeploy.net"
HANDOFF = {"orgKey": "ABCD1234"}
CONSOLE = {**HANDOFF, "driver": "console", "endpointMap": "ours"}


def tenant(
    endpoint: str = EU,
    options: dict[str, Any] | None = None,
    endpoint_map: dict[str, Any] | None = None,
    plan: CredentialRef = IN_VAULT,
    apply: CredentialRef | None = None,
) -> DesiredTenant:
    return DesiredTenant(
        name="cbc-prod",
        provider=PROVIDER.name,
        endpoint=endpoint,
        credentials_plan=plan,
        credentials_apply=apply or plan,
        secrets=VaultPath("secret", "{tenant}/{key}"),
        unmanaged=Unmanaged.REPORT,
        levels=(),
        keys=(),
        source=Source("keys.yaml", 1),
        options=HANDOFF if options is None else options,
        endpoint_map=endpoint_map,
    )


def test_the_registry_finds_it() -> None:
    """The provider has the name that tenants write, and says what it cannot read from a file."""
    assert PROVIDER.name == "carbon-black-cloud"
    assert registry.get(PROVIDER.name) is PROVIDER
    assert PROVIDER.title == "Carbon Black Cloud"
    with pytest.raises(InvalidInput, match="no key file"):
        PROVIDER.key_file(b"x")


def test_importing_it_imports_no_http() -> None:
    """Validation and help stay fast: requests and hvac come with `connect`."""
    code = (
        "import sys, reconciler.providers.carbon_black_cloud as p; p.PROVIDER.permissions_schema();"
        "print(*sorted({'requests', 'urllib3', 'hvac', 'tenacity', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in {"", "pydantic"}


@pytest.mark.promise(10)
def test_promise_10_every_fact_has_its_evidence() -> None:
    """Fields and operations say how sure we are; what nobody documents is never called documented."""
    can = PROVIDER.capabilities
    assert all(one.source and isinstance(one.evidence, Evidence) for one in can.operations)
    assert all(field.reason for field in can.fields)
    assert {field.field for field in can.fields if field.how is How.UNSUPPORTED} == {"ApiKey.spec.scope"}
    evidence = {one.request: one.evidence for one in can.operations}
    assert evidence["POST /appservices/v5/orgs/{org}/connectors/find"] is Evidence.OBSERVED
    assert {evidence[name] for name in OPERATIONS} == {Evidence.ASSUMED}
    assert set(WRITES) == set(OPERATIONS)
    assert (can.rate.calls, can.rate.seconds) == (1000, 300.0)
    assert can.handoff_fields == ("apiId", "apiSecret")


def test_traits_of_a_handoff() -> None:
    """Every write but the grant is made by a person, and nothing that they enter can be read back."""
    traits = PROVIDER.traits(tenant())
    assert traits == PROVIDER.capabilities.traits
    assert not traits.lists_keys
    assert traits.fixed_level
    assert traits.regenerates_in_place
    assert traits.reversible_lock
    assert traits.expiry is Expiry.NONE
    assert traits.by_hand == set(Write) - {Write.UPDATE_KEY}
    assert traits.by_hand_fields == {"name", "description", "allowedIPs"}
    assert traits.unreadable == {"name", "description", "allowedIPs", "permissions"}


def test_traits_of_a_console() -> None:
    """What the map offers is made by request; what it leaves out stays a handoff."""
    whole = PROVIDER.traits(tenant(options=CONSOLE, endpoint_map=ENDPOINT_MAP))
    assert (whole.lists_keys, whole.by_hand, whole.by_hand_fields) == (True, frozenset(), frozenset())
    assert whole.unreadable == {"allowedIPs", "permissions", "description"}
    some = {name: ENDPOINT_MAP["operations"][name] for name in ("createKey", "regenerateKey")}
    part = PROVIDER.traits(tenant(options=CONSOLE, endpoint_map={"operations": some}))
    assert part.by_hand == {Write.DELETE_KEY, Write.CREATE_LEVEL, Write.UPDATE_LEVEL, Write.DELETE_LEVEL}
    assert part.by_hand_fields == {"name", "description", "allowedIPs"}
    assert PROVIDER.traits(tenant(options=CONSOLE)).by_hand == set(Write) - {Write.UPDATE_KEY}


@pytest.mark.parametrize("endpoint", [EU, f"{EU}/", "https://dashboard.confer.net", "http://127.0.0.1:8080/t1"])
def test_sound_tenants(endpoint: str) -> None:
    """Any console by https; on loopback a path and http too."""
    assert list(PROVIDER.check_tenant(tenant(endpoint))) == []
    assert list(PROVIDER.check_tenant(tenant(endpoint, CONSOLE, ENDPOINT_MAP))) == []


@pytest.mark.parametrize(
    ("endpoint", "what", "hint"),
    [
        ("https://ew2.carbonblackcloud.vmware.com", "VMware Cloud Services", "no API for grants"),
        ("https://EW2.carbonblack.vmware.com/", "VMware Cloud Services", "no API for grants"),
        ("https://gprd1usgw1.carbonblack-us-gov.vmware.com", "VMware Cloud Services", "no API for grants"),
        ("https://api-prod05.conferdeploy.net", "old API", "console's own address"),
        (f"{EU}/settings/connectors", "has a path", EU),
        ("http://defense-eu.conferdeploy.net", "unprotected", "for example https"),
        ("defense-eu.conferdeploy.net", "no https URL", "for example https"),
    ],
)
def test_endpoints_that_no_credential_is_sent_to(endpoint: str, what: str, hint: str) -> None:
    """Each is refused with its reason, by the check and before a connection."""
    [problem] = PROVIDER.check_tenant(tenant(endpoint))
    assert problem.path == ("endpoint",)
    assert what in problem.what
    assert hint in problem.hint
    credential = Credential({"apiId": Secret("A"), "apiSecret": Secret("B")}, None)
    with pytest.raises(InvalidInput, match=what):
        PROVIDER.connect(endpoint, credential, ConnectionSettings(write=False, options=HANDOFF))


@pytest.mark.parametrize(
    ("options", "option", "what", "hint"),
    [
        ({}, "orgKey", "is missing", "Settings > API Access"),
        ({"orgKey": 1234}, "orgKey", "1234 is no", "in quotes"),
        ({"orgKey": "A/B"}, "orgKey", "'A/B' is no", "letters and digits"),
        ({**HANDOFF, "orgID": 7}, "orgID", "unknown option", "did you mean"),
        ({**HANDOFF, "colour": 7}, "colour", "unknown option", "there are orgKey"),
        ({**HANDOFF, "orgId": "7"}, "orgId", "'7' is no", "whole number"),
        ({**HANDOFF, "driver": "consol"}, "driver", "unknown driver", "'console'?"),
        ({**HANDOFF, "driver": 3}, "driver", "unknown driver 3", "handoff or console"),
        ({**HANDOFF, "driver": "console"}, "endpointMap", "needs an endpoint map", "driver: handoff"),
        ({**HANDOFF, "endpointMap": "ours"}, "endpointMap", "uses no endpoint map", "driver: console"),
        ({**CONSOLE, "endpointMap": 3}, "endpointMap", "is the name", "our-console"),
    ],
)
def test_problems_of_options(options: dict[str, Any], option: str, what: str, hint: str) -> None:
    """A missing, unknown or contradicting option is named where it stands."""
    [problem] = PROVIDER.check_tenant(tenant(options=options))
    assert problem.path == ("options", option)
    assert what in problem.what
    assert hint in problem.hint


def test_problems_of_a_map_name_their_place() -> None:
    """The place in the map's own spec; the same stops a connection."""
    bad = {"operations": {"createKey": {**ENDPOINT_MAP["operations"]["createKey"], "method": "GET"}}}
    [problem] = PROVIDER.check_tenant(tenant(options=CONSOLE, endpoint_map=bad))
    assert problem.path == ("endpointMap", "operations", "createKey", "method")
    assert problem.what.startswith("'GET' is no method")
    credential = Credential({"apiId": Secret("A"), "apiSecret": Secret("B")}, None)
    settings = ConnectionSettings(write=True, options=CONSOLE, endpoint_map=bad)
    with pytest.raises(InvalidInput, match="no method of a write"):
        PROVIDER.connect(EU, credential, settings)
    by_number = {"operations": {"deleteKey": {"method": "DELETE", "path": "/x/{orgId}/{id}"}}}
    [problem] = PROVIDER.check_tenant(tenant(options=CONSOLE, endpoint_map=by_number))
    assert problem.path == ("options", "orgId")
    assert "uses {orgId}" in problem.what
    assert list(PROVIDER.check_tenant(tenant(options={**CONSOLE, "orgId": 7}, endpoint_map=by_number))) == []


def test_credentials_have_known_fields() -> None:
    """Both fields, by name, where they stand in the manifest."""
    good = CredentialRef(env={"apiId": "A", "apiSecret": "B"})
    assert list(PROVIDER.check_tenant(tenant(plan=good))) == []
    [problem] = PROVIDER.check_tenant(tenant(plan=CredentialRef(env={"apiId": "A", "apiSecrets": "B"})))
    assert problem == (
        ("credentials", "env", "apiSecrets"),
        "unknown credential field 'apiSecrets'",
        "did you mean 'apiSecret'?",
    )
    [problem] = PROVIDER.check_tenant(tenant(plan=good, apply=CredentialRef(env={"apiId": "A"})))
    assert problem.path == ("credentials", "apply", "env")
    [problem] = PROVIDER.check_tenant(tenant(plan=CredentialRef(env={"apiId": "A", "q": "B"}), apply=good))
    assert (problem.path, problem.hint) == (("credentials", "plan", "env", "q"), "there are apiId, apiSecret")


def test_a_credential_goes_only_where_it_belongs() -> None:
    """One that is stored for another endpoint is not sent; spelling of the same place does not matter."""
    settings = ConnectionSettings(write=False, options=HANDOFF)
    fields = {"apiId": Secret("A"), "apiSecret": Secret("B")}
    PROVIDER.connect(EU, Credential(fields, f"{EU.upper().replace('HTTPS', 'https')}:443/"), settings).close()
    with pytest.raises(InvalidInput, match="not sent"):
        PROVIDER.connect(EU, Credential(fields, "https://dashboard.confer.net"), settings)


@pytest.mark.parametrize(
    ("fields", "path", "what", "hint"),
    [
        ({"scope": {}}, ("scope",), "cannot be honoured", "narrow its access level"),
        ({"options": {"type": "SIEM"}}, ("options", "type"), "'SIEM' cannot be made", "31 January 2025"),
        ({"options": {"type": "sim"}}, ("options", "type"), "'sim' cannot be made", "31 January 2025"),
        ({"options": {"type": "API"}}, ("options", "type"), "'API' cannot be made", "31 October 2024"),
        ({"options": {"type": "Live Response"}}, ("options", "type"), "cannot be made", "31 October 2024"),
        ({"options": {"type": "LIVE_RESPONSE"}}, ("options", "type"), "cannot be made", "31 October 2024"),
        ({"options": {"type": 3}}, ("options", "type"), "3 cannot be made", "of type Custom"),
        ({"options": {"typ": "Custom"}}, ("options", "typ"), "unknown option", "'type'?"),
        ({"options": {"locale": "en-US"}}, ("options", "locale"), "unknown option", "type: Custom"),
    ],
)
def test_problems_of_keys(fields: dict[str, Any], path: tuple[str, ...], what: str, hint: str) -> None:
    """What the product cannot do, or does no longer, is refused with the reason and the vendor's dates."""
    [problem] = PROVIDER.check_key(desired_key(**fields))
    assert problem.path == path
    assert what in problem.what
    assert hint in problem.hint


def test_sound_keys_and_levels() -> None:
    """Nothing to say, and the canonical form is there: operations in order, texts without edges, no expiry."""
    key = desired_key(
        description=" text ", options={"type": "Custom"}, allowed_ips=("203.0.113.0/28",), state=KeyState.LOCKED
    )
    assert list(PROVIDER.check_key(key)) == []
    assert PROVIDER.key_fields(key) == {
        "name": "splunk",
        "description": "text",
        "allowedIPs": ("203.0.113.0/28",),
        "state": "locked",
    }
    level = desired_level(description=" text ", permissions={"org.feeds": ["UPDATE", "CREATE"], "device": ["READ"]})
    assert list(PROVIDER.check_level(level)) == []
    fields = PROVIDER.level_fields(level)
    assert fields["description"] == "text"
    assert fields["permissions"] == {"device": ("READ",), "org.feeds": ("CREATE", "UPDATE")}
    assert list(fields["permissions"]) == ["device", "org.feeds"]


def test_schemas_are_schemas() -> None:
    """Options and permissions are described for editors."""
    for schema in (PROVIDER.options_schema(), PROVIDER.permissions_schema(), PROVIDER.tenant_options_schema()):
        Draft202012Validator.check_schema(schema)
    options = Draft202012Validator(PROVIDER.options_schema())
    assert options.is_valid({"type": "Custom"})
    assert not options.is_valid({"type": "SIEM"})
    tenants = Draft202012Validator(PROVIDER.tenant_options_schema())
    assert tenants.is_valid(CONSOLE)
    assert not tenants.is_valid({"driver": "console"})
    assert not tenants.is_valid({**HANDOFF, "driver": "magic"})
