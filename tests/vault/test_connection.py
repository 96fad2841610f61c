"""The connection: whose token, whose clock, what is tried again, and what never shows."""

from __future__ import annotations

import logging
import os
import stat
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from reconciler.emulator.openbao import OpenBaoServer
from reconciler.emulator.openbao import openbao as run_openbao
from reconciler.errors import (
    AuthenticationFailed,
    ContractBroken,
    InvalidInput,
    NotPermitted,
    OutcomeUnknown,
    RateLimited,
    ReconcilerError,
    Rejected,
    RetryLater,
)
from reconciler.model.desired import VaultPath
from reconciler.model.estate import AppRoleAuth, JwtAuth, VaultConfig
from reconciler.model.secret import Secret
from reconciler.vault import SecretStore, Vault
from reconciler.vault import connection as connection_module
from reconciler.vault.settings import Target
from tests.support.openbao import JwtIssuer, Naps, Sandbox, never_sleep
from tests.support.troubled import LOST, Instead, Proxy

NOTHING = 'path "none/*" { capabilities = ["read"] }'


# -- who we are ----------------------------------------------------------------------------------------------------


def test_a_token_comes_from_the_environment_only(
    proxied: tuple[Sandbox, Proxy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `~/.vault-token` with all the power in the world is not picked up, and a netrc is not either."""
    sandbox, proxy = proxied
    (tmp_path / ".vault-token").write_text(sandbox.server.root_token, encoding="utf-8")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(InvalidInput, match="no Vault token in the environment"):
        sandbox.connect(environ={"HOME": str(tmp_path)})
    with pytest.raises(AuthenticationFailed, match="does not know our token"):
        sandbox.connect(token="s.wrong").mounts.require_v2(sandbox.mount)
    assert proxy.headers
    assert not [headers for headers in proxy.headers if "Authorization" in headers]


def test_the_bao_token_counts_too(sandbox: Sandbox) -> None:
    """`BAO_TOKEN` serves where `VAULT_TOKEN` is unset; a newline at its end is no part of it."""
    vault = sandbox.connect(environ={"BAO_TOKEN": sandbox.server.root_token + "\n"})
    vault.mounts.require_v2(sandbox.mount)


def test_a_token_with_impossible_characters_is_an_input_error(sandbox: Sandbox) -> None:
    """A token that cannot be sent is reported without being shown."""
    with pytest.raises(InvalidInput, match="characters that no token has") as caught:
        sandbox.connect(token="s.one\ns.two").call("GET", "auth/token/lookup-self", need="read")
    assert "s.one" not in str(caught.value)


def test_a_denied_call_is_told_from_a_dead_token(sandbox: Sandbox) -> None:
    """With a living token the error names identity, path and capability; a revoked one is an authentication failure."""
    token = sandbox.token(NOTHING)
    vault = sandbox.connect("plan", token=token)
    with pytest.raises(NotPermitted, match=f"{sandbox.mount}/data/x: the plan identity lacks the capability `read`"):
        vault.call("GET", f"{sandbox.mount}/data/x", need="read")
    sandbox.server.request("POST", "auth/token/revoke", {"token": token})
    with pytest.raises(AuthenticationFailed, match="does not know our token"):
        vault.call("GET", f"{sandbox.mount}/data/x", need="read")


def test_approle_logs_in_and_logs_out(sandbox: Sandbox) -> None:
    """The role id from file or environment and the secret id from the environment give a token, revoked at the end."""
    bao, mount = sandbox.server, f"approle-{sandbox.mount}"
    bao.request("POST", f"sys/auth/{mount}", {"type": "approle"})
    bao.request("POST", f"auth/{mount}/role/r", {"token_policies": ["default"], "token_ttl": "15m"})
    role_id = bao.request("GET", f"auth/{mount}/role/r/role-id")["data"]["role_id"]
    secret_id = bao.request("POST", f"auth/{mount}/role/r/secret-id", {})["data"]["secret_id"]
    for auth, environ in (
        (AppRoleAuth(mount, role_id), {"VAULT_SECRET_ID": secret_id}),
        (AppRoleAuth(mount), {"VAULT_SECRET_ID": secret_id, "VAULT_ROLE_ID": role_id}),
    ):
        vault = sandbox.connect(config=sandbox.config(auth), environ=environ)
        token = str(vault._adapter.token)
        vault.close()
        with pytest.raises(Rejected, match="403"):
            bao.request("GET", "auth/token/lookup-self", token=token)
    with pytest.raises(InvalidInput, match="VAULT_SECRET_ID"):
        sandbox.connect(config=sandbox.config(AppRoleAuth(mount, role_id)), environ={})
    with pytest.raises(AuthenticationFailed, match="invalid role or secret ID") as caught:
        sandbox.connect(config=sandbox.config(AppRoleAuth(mount, role_id)), environ={"VAULT_SECRET_ID": "guess-1234"})
    assert "guess-1234" not in str(caught.value)


def test_jwt_logs_in_and_says_why_not(sandbox: Sandbox, jwt: tuple[JwtIssuer, str]) -> None:
    """A CI token logs in; a wrong claim, an expired token, a foreign key or mount is refused with Vault's reason."""
    issuer, mount = jwt
    role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["v"], "bound_claims": {"ref": "main"}}
    sandbox.server.request("POST", f"auth/{mount}/role/r", {**role, "token_policies": ["default"], "token_ttl": "15m"})

    def connect(token: str, auth: JwtAuth) -> Vault:
        return sandbox.connect(config=sandbox.config(auth), environ={"JOB": token})

    auth = JwtAuth("r", mount, "JOB")
    assert connect(issuer.sign(aud="v", ref="main"), auth)._login.ttl == 900  # type: ignore[union-attr]
    bad = {
        "claim": issuer.sign(aud="v", ref="topic"),
        "expired": issuer.sign(aud="v", ref="main", age=4000),
        "signature": JwtIssuer().sign(aud="v", ref="main"),
        "nonsense": "x.y.z",
    }
    for token in bad.values():
        with pytest.raises(AuthenticationFailed, match="refused the login of the apply identity: ") as caught:
            connect(token, auth)
        assert token not in str(caught.value)
    with pytest.raises(AuthenticationFailed, match="check the login's mount"):
        connect(bad["claim"], JwtAuth("r", "nope", "JOB"))
    with pytest.raises(InvalidInput, match="VAULT_JWT"):
        sandbox.connect(config=sandbox.config(JwtAuth("r", mount)), environ={"JOB": "x"})


def test_a_login_that_gives_no_token_broke_the_contract(proxied: tuple[Sandbox, Proxy]) -> None:
    """A success without a token is no login."""
    sandbox, proxy = proxied
    for body in ("{}", '{"auth":{"client_token":""}}'):
        proxy.always(Instead(200, body))
        with pytest.raises(ContractBroken, match="holds no token"):
            sandbox.connect(config=sandbox.config(JwtAuth("r")), environ={"VAULT_JWT": "x"})


def test_a_token_we_logged_in_for_is_renewed(
    sandbox: Sandbox, jwt: tuple[JwtIssuer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After two thirds of its life the token is renewed on the way; if that fails, it is tried again a little later."""
    issuer, mount = jwt
    role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["v"], "token_ttl": "15m"}
    sandbox.server.request("POST", f"auth/{mount}/role/r", {**role, "token_policies": ["default"]})
    vault = sandbox.connect(config=sandbox.config(JwtAuth("r", mount)), environ={"VAULT_JWT": issuer.sign(aud="v")})
    login = vault._login
    assert login is not None
    start = connection_module.uptime()
    monkeypatch.setattr(connection_module, "uptime", lambda: start + 700)
    vault.call("GET", "auth/token/lookup-self", need="read")
    assert vault._login is not None
    assert (vault._login.since, vault._login.ttl) == (start + 700, 900)
    assert not vault._login.due(start + 800)
    assert login.renewed({}, start + 700).due(start + 706)
    assert not login.renewed({}, start + 700).due(start + 704)


# -- what Vault says -----------------------------------------------------------------------------------------------


def test_the_clock_is_the_servers(sandbox: Sandbox) -> None:
    """`now` is the server's time, in UTC, and asks once if nothing was called yet."""
    vault = sandbox.connect()
    assert abs(vault.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert vault.now().tzinfo is UTC


def test_the_clock_goes_on_between_calls(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between answers the time since the last one is added."""
    vault = sandbox.connect()
    before, uptime = vault.now(), connection_module.uptime()
    monkeypatch.setattr(connection_module, "uptime", lambda: uptime + 100)
    assert timedelta(seconds=99) < vault.now() - before < timedelta(seconds=101)


def test_the_client_clock_does_not_matter(proxied: tuple[Sandbox, Proxy]) -> None:
    """A server that lives in another year takes us along."""
    sandbox, proxy = proxied
    proxy.always(Instead(200, "{}", {"Date": "Tue, 01 Jan 2030 00:00:00 GMT"}))
    assert sandbox.connect().now() - datetime(2030, 1, 1, tzinfo=UTC) < timedelta(seconds=30)


def test_an_answer_without_a_date_is_no_clock(proxied: tuple[Sandbox, Proxy]) -> None:
    """Rather than trust our own clock we say that the server's is missing."""
    sandbox, proxy = proxied
    proxy.always(Instead(200, "{}"))
    with pytest.raises(ContractBroken, match="carry no date"):
        sandbox.connect().now()


def test_a_read_is_tried_again_and_a_write_only_if_it_did_not_act(proxied: tuple[Sandbox, Proxy]) -> None:
    """A lost reply repeats a read or a repeatable write, and leaves another write's outcome open."""
    sandbox, proxy = proxied
    naps = Naps()
    vault = sandbox.connect(sleep=naps)
    path = f"{sandbox.mount}/data/x"
    proxy.once(LOST, "GET", "mounts")
    vault.mounts.require_v2(sandbox.mount)
    assert len(naps) == 1
    proxy.once(LOST, "POST", path)
    with pytest.raises(OutcomeUnknown, match="may have acted"):
        vault.call("POST", path, need="create", body={"data": {"a": "b"}})
    assert sandbox.get("x") == {"a": "b"}
    proxy.once(LOST, "POST", path)
    vault.call("POST", path, need="create", body={"data": {"a": "b"}}, repeatable=True)
    proxy.once(Instead(503, '{"errors":["Vault is sealed"]}'), "POST", path)
    vault.call("POST", path, need="create", body={"data": {"a": "c"}})
    assert sandbox.metadata("x")["current_version"] == 4


def test_patience_ends(proxied: tuple[Sandbox, Proxy]) -> None:
    """After four attempts the last error is ours, and the waits between grew."""
    sandbox, proxy = proxied
    naps = Naps()
    proxy.always(Instead(500, "oops"))
    with pytest.raises(RetryLater, match="HTTP 500"):
        sandbox.connect(sleep=naps).call("GET", "x/y", need="read")
    assert len(naps) == 3
    assert naps == sorted(naps)


def test_the_servers_wish_to_wait_is_honoured(proxied: tuple[Sandbox, Proxy]) -> None:
    """`Retry-After` is the wait; a wish for more patience than we have ends it at once."""
    sandbox, proxy = proxied
    naps = Naps()
    vault = sandbox.connect(sleep=naps)
    proxy.once(Instead(429, "{}", {"Retry-After": "7"}), "GET", "x")
    with pytest.raises(Rejected):
        vault.call("GET", "x/y", need="read")
    assert naps == [7.0]
    proxy.always(Instead(429, "{}", {"Retry-After": "3600"}))
    with pytest.raises(RateLimited):
        vault.call("GET", "x/y", need="read")
    assert naps == [7.0]


def test_a_proxys_page_is_not_an_answer(proxied: tuple[Sandbox, Proxy]) -> None:
    """HTML with status 200 breaks the contract of a read; after a write, the outcome is open."""
    sandbox, proxy = proxied
    vault = sandbox.connect()
    proxy.always(Instead(200, "<html>please log in</html>"))
    with pytest.raises(ContractBroken, match="does not answer like Vault or OpenBao"):
        vault.call("GET", "x/y", need="read")
    with pytest.raises(OutcomeUnknown):
        vault.call("POST", "x/y", need="update", body={})
    proxy.always(Instead(200, "[]"))
    with pytest.raises(ContractBroken):
        vault.call("GET", "x/y", need="read")


@pytest.mark.parametrize("body", ["<html>", '{"message":"hello"}', "[]"])
@pytest.mark.parametrize("status", [200, 403, 404])
@pytest.mark.parametrize("given_by", ["VAULT_ADDR", "BAO_ADDR", "spec.vault.address in reconciler.yaml"])
def test_a_server_that_is_not_vault_is_named_with_the_source_of_its_address(
    proxied: tuple[Sandbox, Proxy], body: str, status: int, given_by: str
) -> None:
    """At the first call, once, and not as a matter of permissions, of mounts or of what is not there."""
    sandbox, proxy = proxied
    proxy.always(Instead(status, body))
    environ = {given_by: proxy.address, "VAULT_TOKEN": "x"} if "_ADDR" in given_by else {"VAULT_TOKEN": "x"}
    with pytest.raises(ContractBroken, match=f"is from {given_by}") as caught:
        sandbox.connect(environ=environ).mounts.require_v2("kv")
    assert str(caught.value).startswith("Vault mount kv/: this does not answer like Vault or OpenBao")
    assert len(proxy.seen) == 1


def test_https_to_a_server_without_tls(sandbox: Sandbox) -> None:
    """Said at once, for waiting does not help."""
    config = VaultConfig(address=sandbox.server.address.replace("http:", "https:"))
    with pytest.raises(InvalidInput, match="does not speak TLS") as caught:
        sandbox.connect(config=config).mounts.require_v2("kv")
    assert "spec.vault.address in reconciler.yaml" in caught.value.hint


def test_redirects_are_followed_to_the_active_node_only(proxied: tuple[Sandbox, Proxy]) -> None:
    """A standby's redirect is followed; one without a place to go, or in a circle, is an error."""
    sandbox, proxy = proxied
    vault = sandbox.connect()
    active = sandbox.server.address + "/v1/auth/token/lookup-self"
    proxy.once(Instead(307, "", {"Location": active}), "GET", "lookup")
    assert vault.call("GET", "auth/token/lookup-self", need="read").status == 200
    proxy.always(Instead(307))
    with pytest.raises(ContractBroken, match="redirect"):
        vault.call("GET", "x", need="read")
    proxy.always(Instead(307, "", {"Location": proxy.address + "/v1/x"}))
    with pytest.raises(RetryLater):
        sandbox.connect(sleep=Naps()).call("GET", "x", need="read")


@pytest.mark.parametrize(
    ("place", "followed"),
    [("http://v.example/v1/x", False), ("HTTP://v", False), ("https://w.example", True), ("/v1/y", True)],
)
def test_a_redirect_never_leaves_tls(place: str, followed: bool) -> None:
    """The token goes along with a redirect, so one from TLS to plain text is not followed."""
    response = requests.Response()
    response.status_code, response.url = 307, "https://v.example/v1/x"
    response.headers["Location"] = place
    session = connection_module._session(Target("https://v.example"))
    assert (session.get_redirect_target(response) == place) is followed


def test_nobody_there(sandbox: Sandbox) -> None:
    """A refused connection says so, for reads and writes alike: nothing was sent."""
    config = VaultConfig(address="http://127.0.0.1:9")
    vault = sandbox.connect(config=config, sleep=Naps())
    for method in ("GET", "POST"):
        with pytest.raises(RetryLater, match="cannot be reached"):
            vault.call(method, "x", need="read", body={})
    with pytest.raises(RetryLater, match="cannot be reached"):
        vault.now()


def test_what_cannot_be_sent_is_a_mistake_of_ours(sandbox: Sandbox) -> None:
    """A body may hold texts, numbers and secrets."""
    with pytest.raises(TypeError, match="object cannot be sent"):
        sandbox.connect().call("POST", "x", need="update", body={"a": object()})


def test_each_keeps_the_order_and_ends_at_the_first_error(sandbox: Sandbox) -> None:
    """Side by side, results in order; one failure is the whole call's failure."""
    vault = sandbox.connect()
    assert vault.each(lambda n: n * 2, range(50)) == list(range(0, 100, 2))
    assert vault.each(str, []) == []

    def fail(number: int) -> int:
        if number == 3:
            raise RetryLater("three")
        return number

    with pytest.raises(RetryLater, match="three"):
        vault.each(fail, range(50))


# -- where it runs -------------------------------------------------------------------------------------------------


def test_namespaces_keep_apart(sandbox: Sandbox) -> None:
    """With a namespace all paths are inside it; one that is not there is named."""
    bao = sandbox.server
    space = f"team-{sandbox.mount}"
    bao.request("POST", f"sys/namespaces/{space}", {})
    mount = {"type": "kv", "options": {"version": "2"}}
    bao.request("POST", "sys/mounts/inner", mount, namespace=space)
    inside = SecretStore(sandbox.connect(config=sandbox.config(namespace=space)))
    inside.write(VaultPath("inner", "a"), {"k": Secret("v")}, cas=0)
    assert inside.metadata(VaultPath("inner", "a")).live
    assert bao.request("GET", "inner/data/a", namespace=space)["data"]["data"] == {"k": "v"}
    assert inside._vault.now() - datetime.now(UTC) < timedelta(seconds=5)
    elsewhere = SecretStore(sandbox.connect(config=sandbox.config(namespace="nowhere")))
    with pytest.raises(ReconcilerError, match="namespace not found"):
        elsewhere.metadata(VaultPath("inner", "a"))


@pytest.fixture(scope="module")
def own() -> Iterator[OpenBaoServer]:
    """A server with TLS that a test may seal."""
    with run_openbao(tls=True) as server:
        yield server


def test_a_custom_ca_is_needed_and_enough(own: OpenBaoServer) -> None:
    """With the CA's file TLS works; without it the error names the setting, and nothing was sent."""
    config = VaultConfig(address=own.address, ca_cert=own.ca_cert)
    with Vault.connect(config, identity="plan", environ={"VAULT_TOKEN": own.root_token}) as vault:
        vault.mounts.require_v2("secret")
    environ = {"VAULT_TOKEN": own.root_token, "VAULT_ADDR": own.address}
    with (
        Vault.connect(VaultConfig(address=""), identity="plan", environ=environ, sleep=never_sleep) as vault,
        pytest.raises(InvalidInput, match="set VAULT_CACERT"),
    ):
        vault.mounts.require_v2("secret")


def test_a_sealed_vault_says_so_and_its_clock_goes_on(own: OpenBaoServer) -> None:
    """Sealed: nothing acted, try later, for reads and writes. The time can still be told."""
    with Vault.connect(VaultConfig(address=""), identity="apply", environ=own.environment, sleep=Naps()) as vault:
        store = SecretStore(vault)
        store.write(VaultPath("secret", "x"), {"k": Secret("v")}, cas=0)
        own.request("PUT", "sys/seal")
        with pytest.raises(RetryLater, match="Vault is sealed"):
            store.write(VaultPath("secret", "x"), {"k": Secret("w")}, cas=1)
        with pytest.raises(RetryLater, match="Vault is sealed"):
            store.metadata(VaultPath("secret", "x"))
        with Vault.connect(VaultConfig(address=""), identity="apply", environ=own.environment, sleep=Naps()) as other:
            assert abs(other.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_the_test_server_keeps_its_token_to_itself(own: OpenBaoServer) -> None:
    """Its root token is in no argument, no representation, no token helper, and its log is ours alone."""
    arguments = Path(f"/proc/{own.pid}/cmdline")
    if arguments.exists():
        assert own.root_token not in arguments.read_text(encoding="utf-8")
    assert own.root_token not in repr(own)
    assert stat.S_IMODE(own.log.stat().st_mode) == 0o600
    assert stat.S_IMODE(own.folder.stat().st_mode) == 0o700
    assert not list(own.folder.glob(".vault-token"))


# -- what never shows ----------------------------------------------------------------------------------------------


@pytest.mark.promise(1)
def test_promise_1_debug_logs_and_representations_hold_no_secret_and_no_token(
    proxied: tuple[Sandbox, Proxy], caplog: pytest.LogCaptureFixture
) -> None:
    """With every logger at DEBUG, writes that succeed, conflict or are lost leave neither value nor token anywhere."""
    sandbox, proxy = proxied
    canary = "canary-8c1f0e7c"
    shown: list[str] = []
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="urllib3"):
        vault = sandbox.connect()
        store = SecretStore(vault)
        path = sandbox.path("k")
        store.write(path, {"secret": Secret(canary)}, cas=0)
        proxy.always(Instead(400, f'{{"errors":["cannot parse {canary}"]}}'), "POST")
        with pytest.raises(ReconcilerError) as echoed:
            store.write(path, {"secret": Secret(canary)}, cas=1)
        proxy.always(Instead(400, f'{{"errors":["token {sandbox.server.root_token}?"]}}'), "POST")
        with pytest.raises(ReconcilerError) as token_echoed:
            vault.call("POST", "x", need="update", body={})
        proxy.always(LOST, "POST")
        with pytest.raises(OutcomeUnknown) as lost:
            store.write(path, {"secret": Secret(canary)}, cas=1)
        for caught in (echoed, token_echoed, lost):
            shown += [str(caught.value), repr(caught.value), repr(caught.value.__context__)]
            formatted = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            # This test's own frames know the canary; ours are what is looked at.
            shown += [repr(f.locals) for f in formatted.stack if f"{os.sep}tests{os.sep}" not in f.filename]
        shown += [repr(vault), repr(vault._login), repr(store)]
    everything = "\n".join([*shown, caplog.text])
    assert "urllib3" in caplog.text
    assert canary not in everything
    assert sandbox.server.root_token not in everything
