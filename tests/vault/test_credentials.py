"""Vendor credentials, and where they may be sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import Denied, InvalidInput, NotFound, NotPermitted
from reconciler.model.desired import CredentialRef
from reconciler.model.secret import Secret
from reconciler.vault import read_credential
from reconciler.vault.credentials import endpoint_of
from tests.support.openbao import Sandbox

ENDPOINT = "https://api.example.com/api"


def stored(sandbox: Sandbox, **fields: object) -> CredentialRef:
    sandbox.put("credentials/dsm", fields)
    return CredentialRef(vault=sandbox.path("credentials/dsm"))


@pytest.mark.parametrize("same", [ENDPOINT, "HTTPS://API.example.COM:443/api/", "https://api.example.com:443/api"])
def test_a_credential_goes_to_the_endpoint_beside_it(sandbox: Sandbox, same: str) -> None:
    """Case of the host, the default port and a last slash make no difference; every other text is a secret."""
    ref = stored(sandbox, endpoint=same, secretKey="s3cret\n", note="n", rotated=3, empty="", blank="\n")
    found = read_credential(sandbox.connect("plan"), ref, endpoint=ENDPOINT, environ={})
    assert found.endpoint == ENDPOINT
    assert found.fields == {"secretKey": Secret("s3cret"), "note": Secret("n")}


@pytest.mark.parametrize(
    "other",
    [
        "http://api.example.com/api", "https://api.example.com.evil.io/api", "https://api.example.com:8443/api",
        "https://api.example.com/API", "https://api.example.com/api/v2", "https://api.example.com",
    ],
)  # fmt: skip
def test_a_credential_goes_nowhere_else(sandbox: Sandbox, other: str) -> None:
    """Another scheme, host, port or path is refused, trusted endpoints or not, with what to do and without the secret."""
    ref = stored(sandbox, endpoint=ENDPOINT, secretKey="s3cret-canary")
    with pytest.raises(Denied, match=r"may be sent to https://api\.example\.com/api only.*in Vault too") as caught:
        read_credential(sandbox.connect(), ref, endpoint=other, environ={}, trust_endpoints=True)
    assert "canary" not in str(caught.value)


def test_a_credential_without_an_endpoint_goes_nowhere(sandbox: Sandbox) -> None:
    """The error says how to bind it."""
    ref = stored(sandbox, secretKey="s3cret")
    with pytest.raises(Denied, match=f"vault kv patch {sandbox.mount}/credentials/dsm endpoint={ENDPOINT}"):
        read_credential(sandbox.connect(), ref, endpoint=ENDPOINT, environ={})


def test_incomplete_credentials_are_named(sandbox: Sandbox) -> None:
    """Nothing stored, nothing beside the endpoint, a secret in the endpoint's place, no Vault at all, no permission."""
    vault = sandbox.connect()
    with pytest.raises(NotFound, match=r"no credential is stored there.*docs/vault\.md"):
        read_credential(vault, CredentialRef(vault=sandbox.path("nope")), endpoint=ENDPOINT, environ={})
    with pytest.raises(InvalidInput, match="no credential beside the endpoint"):
        read_credential(vault, stored(sandbox, endpoint=ENDPOINT), endpoint=ENDPOINT, environ={})
    with pytest.raises(InvalidInput, match="is not an endpoint") as caught:
        read_credential(vault, stored(sandbox, endpoint="s3cret", secretKey="x"), endpoint=ENDPOINT, environ={})
    assert "s3cret" not in str(caught.value)
    assert caught.value.__context__ is None
    ref = CredentialRef(vault=sandbox.path("credentials/dsm"))
    with pytest.raises(InvalidInput, match="no Vault is configured"):
        read_credential(None, ref, endpoint=ENDPOINT, environ={})
    denied = sandbox.token(f'path "{sandbox.mount}/metadata/*" {{ capabilities = ["read"] }}')
    with pytest.raises(NotPermitted, match="plan identity"):
        read_credential(sandbox.connect("plan", token=denied), ref, endpoint=ENDPOINT, environ={})


ENV = CredentialRef(env={"secretKey": "DSM_KEY"})


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:8080/api",
        "https://localhost/api",
        "http://[::1]:1/api",
        "http://127.9.9.9",
        "http://LOCALHOST:3",
    ],
)
def test_environment_credentials_go_to_this_machine(endpoint: str) -> None:
    """Loopback in every spelling that cannot be anything else."""
    found = read_credential(None, ENV, endpoint=endpoint, environ={"DSM_KEY": "s3cret\n"})
    assert (found.fields, found.endpoint) == ({"secretKey": Secret("s3cret")}, None)


@pytest.mark.parametrize(
    "endpoint",
    [
        ENDPOINT,
        "http://127.0.0.1.evil.io",
        "http://localhost.evil.io",
        "http://2130706433",
        "http://0.0.0.0",
        "http://[::2]",
    ],
)
def test_environment_credentials_go_nowhere_else(endpoint: str) -> None:
    """Unless the operator trusts every endpoint."""
    with pytest.raises(Denied, match="--trust-endpoints"):
        read_credential(None, ENV, endpoint=endpoint, environ={"DSM_KEY": "x"})
    assert (
        read_credential(None, ENV, endpoint=endpoint, environ={"DSM_KEY": "x"}, trust_endpoints=True).endpoint is None
    )


@pytest.mark.parametrize(
    "endpoint",
    ["http://127.0.0.1@evil.io", "http://evil.io\\@127.0.0.1/", "http://127.0.0.1#@evil.io", "http://127.0.0.1 .evil.io",
     "http://evil.io?@127.0.0.1", "http://127.0.0.1\n.evil.io", "ftp://127.0.0.1", "//127.0.0.1", "", "http://",
     "http://127.0.0.1:x", "http://[::1", "http://loc\u0430lhost"],
)  # fmt: skip
def test_what_two_parsers_read_differently_is_no_endpoint(endpoint: str) -> None:
    """No user names, backslashes, spaces or look-alikes, trusted or not."""
    with pytest.raises(InvalidInput, match="not an endpoint"):
        read_credential(None, ENV, endpoint=endpoint, environ={"DSM_KEY": "x"}, trust_endpoints=True)


def test_missing_variables_are_named() -> None:
    """By their names, all at once."""
    ref = CredentialRef(env={"id": "DSM_ID", "secret": "DSM_SECRET"})
    with pytest.raises(InvalidInput, match="not set in the environment: DSM_ID, DSM_SECRET"):
        read_credential(None, ref, endpoint="http://localhost", environ={"DSM_ID": " "})


def test_an_odd_port_and_ipv6_show_in_the_refusal() -> None:
    """The refusal names the endpoint as it was understood."""
    with pytest.raises(Denied, match=r"not to http://\[2001:db8::1\]:8080/x"):
        read_credential(None, ENV, endpoint="http://[2001:DB8:0::1]:8080/x/", environ={})


@given(st.text(max_size=40), st.sampled_from(["", "http://", "https://127.0.0.1", "http://localhost"]))
def test_any_text_is_an_endpoint_or_refused(text: str, start: str) -> None:
    """Nothing else than InvalidInput comes out, and what is taken for loopback is so for the HTTP library too."""
    from urllib3.util import parse_url

    try:
        found = endpoint_of(start + text)
    except InvalidInput:
        return
    if found.loopback:
        host = str(parse_url(start + text).host).strip("[]").lower()
        assert host == "localhost" or host.startswith("127.") or ":" in host
