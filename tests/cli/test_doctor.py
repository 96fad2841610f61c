"""`reconciler doctor` end to end: every check on both sides, against a real OpenBao and emulated vendors."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.emulator.openbao import openbao as run_openbao
from reconciler.providers.trend_workload_security.capabilities import CAPABILITIES
from reconciler.report import shapes
from tests.support.emulators import Trend
from tests.support.lacework import Organisation
from tests.support.openbao import JwtIssuer, Naps
from tests.support.repository import Repository
from tests.support.troubled import Instead, Proxy
from tests.support.world import ESTATE_ID, Run, World

ROOT = Path(__file__).parents[2]
SCHEMA = shapes.schema("doctor", closed=True)
EVIL = "\x1b[2J\x1b]0;owned\x07 and\u202e more"
_KEY = CAPABILITIES.own_key


def documented(identity: str, kv: str) -> str:
    """The policy of docs/vault.md, for this world's paths."""
    page = (ROOT / "docs/vault.md").read_text(encoding="utf-8")
    [text] = re.findall(rf"^```hcl\n(# reconciler-{identity}\.hcl.*?)^```", page, re.MULTILINE | re.DOTALL)
    text = text.replace("secret/", f"{kv}/").replace("security-keys", "keys")
    return str(text).replace("reconciler-credentials", "credentials")


def become(world: World, policy: str, **options: Any) -> None:
    """Go on as an identity with just this policy (and `default`)."""
    name = f"{world.kv}-identity"
    world.bao.request("PUT", f"sys/policies/acl/{name}", {"policy": policy})
    body = {"policies": [name], "no_parent": True, **options}
    world.environ("VAULT_TOKEN", world.bao.request("POST", "auth/token/create", body)["auth"]["client_token"])


def least(trend: Trend, rights: frozenset[str], name: str = "least", **key: Any) -> str:
    """A vendor credential with just these rights."""
    trend.add_role(name, rights)
    return trend.add_key(name, name, **key)


def lend(world: World, secret: str, tenant: str = "dsm") -> None:
    """Store another credential for a tenant."""
    world.put(f"credentials/{tenant}", {"secretKey": secret, "endpoint": world.trends[tenant].endpoint})


@pytest.fixture
def sound(world: World, naps: Naps) -> World:
    """An estate whose set-up is as documented, looked at as the planning identity."""
    trend = world.tenant()
    world.level()
    world.key()
    lend(world, least(trend, _KEY.plan))
    become(world, documented("plan", world.kv))
    return world


def doctor(world: World, *args: str) -> Run:
    """The command with JSON, which must fit its schema."""
    done = world.run("doctor", "--format", "json", *args)
    Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(done.json)
    assert done.json["exitCode"] == done.status
    return done


def of(done: Run, name: str, tenant: str | None = None) -> list[dict[str, Any]]:
    """The results of one check."""
    found = [one for one in done.json["results"] if one["check"] == f"doctor/{name}"]
    return [one for one in found if tenant is None or one["tenant"] == tenant]


def one(done: Run, name: str) -> dict[str, Any]:
    """The only result of a check."""
    [found] = of(done, name)
    return found


def ill(done: Run) -> dict[str, str]:
    """Everything but what is well or was skipped."""
    return {
        one["check"].removeprefix("doctor/"): one["result"]
        for one in done.json["results"]
        if one["result"] in {"warning", "problem"}
    }


# --- all is well --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identity", ["plan", "apply"])
@pytest.mark.promise(2)
def test_promise_2_a_set_up_as_documented_is_well(world: World, naps: Naps, identity: str) -> None:
    """Under the policies of docs/vault.md, with the least role at the vendor, nothing is missing and nothing too much."""
    trend = world.tenant()
    world.level()
    for name in ("splunk", "jira", "scanner"):
        world.key(name)
    lend(world, least(trend, _KEY.plan if identity == "plan" else _KEY.apply))
    become(world, documented(identity, world.kv))
    done = doctor(world, "--identity", identity)
    assert ill(done) == {}
    assert done.status == 0
    assert one(done, "vault-capabilities")["facts"]["paths"] > 4
    assert one(done, "tenant-rights")["found"].endswith(f"what the {identity} identity needs, and nothing else")


def test_nothing_is_written(sound: World, vault_proxy: Proxy) -> None:
    """Vault is asked by reads and what a token may do, vendors by reads: as apply, too."""
    trend = sound.trends["dsm"]
    for identity in ("plan", "apply"):
        doctor(sound, "--identity", identity)
    asked = {method if method in {"GET", "LIST"} else f"{method} {path}" for method, path in vault_proxy.seen}
    assert asked <= {"GET", "LIST", "POST /v1/sys/capabilities-self"}
    reads = {operation.request for operation in CAPABILITIES.operations if operation.read}
    assert set(trend.requests) <= reads


@pytest.mark.promise(6)
@pytest.mark.parametrize("identity", ["plan", "apply"])
def test_promise_6_a_session_that_would_write_is_stopped(
    sound: World, monkeypatch: pytest.MonkeyPatch, identity: str
) -> None:
    """Even a provider that writes where it should ask does not get its request onto the wire, as neither identity."""
    from reconciler.providers.trend_workload_security.session import Session

    trend = sound.trends["dsm"]
    monkeypatch.setattr(Session, "own_credential", lambda session: session.delete_key("1"))
    become(sound, documented(identity, sound.kv))
    found = one(doctor(sound, "--identity", identity), "tenant-authenticates")
    assert "this run only reads" in found["found"]
    assert trend.requests == {}


def test_people_read_the_same(sound: World) -> None:
    """The text names each check, groups them by what they are about, and ends with a summary."""
    done = sound.run("doctor")
    assert done.status == 0
    lines = done.out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "This machine",
        "Estate acme",
        "Vault",
        "dsm (trend-workload-security)",
        lines[-1],
    ]
    assert re.fullmatch(r"Doctor: all is well \(plan identity; \d+ ok, \d+ skipped\)", lines[-1])
    assert done.err == ""


@pytest.mark.promise(1)
def test_promise_1_secrets_are_in_no_output(sound: World, caplog: pytest.LogCaptureFixture) -> None:
    """Neither what is stored, nor a token, nor a credential is printed or logged, whatever is wrong."""
    caplog.set_level("DEBUG")
    trend = sound.trends["dsm"]
    real = trend.credentials["secretKey"]
    canaries = {*trend.issued, os.environ["VAULT_TOKEN"], "canary-of-another-field"}
    for credential in (
        {"secretKey": real, "endpoint": trend.endpoint},
        {"secretKey": real, "endpoint": "canary-of-another-field"},
        {"secretKey": "17:canary-of-another-field", "endpoint": trend.endpoint},
        {"secretKey": real, "other": "canary-of-another-field", "endpoint": trend.endpoint},
    ):
        sound.put("credentials/dsm", credential)
        output = "".join(sound.run("doctor", "--format", form).all for form in ("text", "json")) + caplog.text
        assert "tenant-credential" in output
        assert [canary for canary in canaries if (canary.partition(":")[2] or canary) in output] == []
    assert "GET /apikeys/current" in caplog.text


def test_verbose_logs_no_secret(sound: World) -> None:
    """The same at `--verbose`, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", "doctor", "-v"],
        cwd=sound.folder, env=dict(os.environ), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert "DEBUG" in done.stderr
    sound.printed.append(done.stdout + done.stderr)  # searched at the end
    assert os.environ["VAULT_TOKEN"] not in done.stdout + done.stderr


# --- the machine and the estate -----------------------------------------------------------------------------------------


def test_variables_that_are_set_in_vain(sound: World) -> None:
    """Each is a warning that names it and what to do, never its value."""
    for name in ("BAO_ADDR", "VAULT_SKIP_VERIFY", "VAULT_JWT"):
        sound.environ(name, "some-value")
    done = doctor(sound)
    found = of(done, "environment")
    assert {one["facts"]["variable"] for one in found} == {"BAO_ADDR", "VAULT_SKIP_VERIFY", "VAULT_JWT"}
    assert {one["result"] for one in found} == {"warning"}
    assert "some-value" not in done.all
    assert done.status == 0


def test_broken_manifests_stop_only_what_needs_them(sound: World) -> None:
    """Each problem with its place, Vault is looked at all the same, and tenants are not."""
    sound.key("broken", surprise="1")
    done = doctor(sound)
    found = one(done, "manifests")
    assert (done.status, found["result"], found["facts"]) == (1, "problem", {"problems": 1})
    assert "keys/dsm-broken.yaml:" in found["text"][0]
    assert "unknown field" in found["text"][0]
    assert one(done, "vault-mounts")["result"] == "ok"
    assert one(done, "tenant-credential")["found"] == "no tenant was looked at: the manifests do not load"
    assert sound.trends["dsm"].requests == {}


def test_without_settings_there_is_nothing_to_call(world: World) -> None:
    """A folder without reconciler.yaml: the problem, and Vault is skipped."""
    (world.folder / "reconciler.yaml").unlink()
    done = doctor(world)
    assert (done.status, done.json["estate"]) == (1, None)
    assert "reconciler.yaml" in one(done, "manifests")["found"]
    assert one(done, "vault-reachable")["result"] == "skipped"


def test_warnings_of_manifests_are_told(sound: World) -> None:
    """What `validate` warns of is a warning here."""
    sound.key("late", expires="2020-01-01")
    found = of(doctor(sound), "manifests")
    assert [one["result"] for one in found] == ["ok", "warning"]
    assert "expires" in found[1]["text"][0]


def test_more_warnings_than_anybody_reads(sound: World) -> None:
    """The first few, and how many more there are."""
    for number in range(12):
        sound.key(f"late{number}", expires="2020-01-01")
    assert of(doctor(sound), "manifests")[1]["text"][-1].startswith("… and ")


def test_an_estate_without_tenants(sound: World) -> None:
    """It is valid, and probably the wrong folder."""
    for file in ("tenants/dsm.yaml", "levels/dsm-read.yaml", "keys/dsm-splunk.yaml"):
        sound.remove(file)
    found = one(doctor(sound), "manifests")
    assert (found["result"], "there is no tenant" in found["found"]) == ("warning", True)


def test_offline_calls_nobody(sound: World) -> None:
    """Machine and manifests are looked at, everything else says why not."""
    sound.environ("VAULT_ADDR", "http://127.0.0.1:1")
    done = doctor(sound, "--offline")
    assert done.status == 0
    assert sound.trends["dsm"].requests == {}
    skipped = {one["check"] for one in done.json["results"] if one["found"] == "--offline"}
    assert {"doctor/vault-reachable", "doctor/tenant-lists"} <= skipped
    assert one(done, "manifests")["result"] == "ok"


def test_only_the_targets(sound: World) -> None:
    """One tenant of two; one that there is not is an error that names the nearest."""
    sound.tenant("other")
    assert {one["tenant"] for one in doctor(sound, "--target", "dsm").json["results"]} == {None, "dsm"}
    wrong = sound.run("doctor", "--target", "dms", "--format", "json")
    assert wrong.status == 1
    assert "dsm" in wrong.json["hint"]


def test_the_trusted_revision(sound: World) -> None:
    """The same, a difference, and a revision that there is not: then nothing is called."""
    repository = Repository.make(sound.folder)
    repository.commit()
    done = doctor(sound, "--trusted-ref", "main")
    assert (one(done, "trusted-revision")["result"], ill(done)) == ("ok", {})
    sound.settings("limits: {deletes: {max: 99}}\n")
    done = doctor(sound, "--trusted-ref", "main")
    assert one(done, "trusted-revision")["result"] == "warning"
    assert "limits" in one(done, "trusted-revision")["facts"]["subject"]
    calls = dict(sound.trends["dsm"].requests)
    done = doctor(sound, "--trusted-ref", "nowhere")
    assert (done.status, one(done, "trusted-revision")["result"]) == (1, "problem")
    assert one(done, "vault-reachable")["result"] == "skipped"
    assert dict(sound.trends["dsm"].requests) == calls


# --- Vault --------------------------------------------------------------------------------------------------------------


def test_vault_that_is_not_there(sound: World) -> None:
    """One problem that names address and where it is from; all that depends on it is skipped with the reason."""
    sound.environ("VAULT_ADDR", "http://127.0.0.1:1")
    done = doctor(sound)
    found = one(done, "vault-reachable")
    assert (done.status, ill(done)) == (1, {"vault-reachable": "problem"})
    assert "http://127.0.0.1:1 cannot be reached" in found["found"]
    assert "VAULT_ADDR" in found["mend"]
    for name in ("vault-login", "vault-mounts", "vault-capabilities", "tenant-credential", "tenant-state"):
        assert one(done, name)["found"] == "Vault is not reachable"


def test_something_else_answers(sound: World, vault_proxy: Proxy) -> None:
    """JSON that is no Vault's is told as such, with its address."""
    vault_proxy.always(Instead(200, '{"status": "fine"}'), "GET", "sys/health")
    found = one(doctor(sound), "vault-reachable")
    assert (found["result"], "does not answer like Vault" in found["found"]) == ("problem", True)


def test_vault_that_is_sealed(sound: World) -> None:
    """It answers, and is sealed: that is the one problem, with the command that mends it."""
    with run_openbao() as server:
        server.request("PUT", "sys/seal")
        sound.environ("VAULT_ADDR", server.address)
        done = doctor(sound)
    assert ill(done) == {"vault-ready": "problem"}
    assert one(done, "vault-reachable")["result"] == "ok"
    assert one(done, "vault-ready")["text"] == ["vault operator unseal"]
    assert one(done, "tenant-lease")["found"] == "Vault is sealed"


def test_a_standby_is_well(sound: World, vault_proxy: Proxy) -> None:
    """A standby node's 429 is no rate limit."""
    body = '{"initialized": true, "sealed": false, "standby": true, "version": "2.7.2"}'
    vault_proxy.always(Instead(429, body), "GET", "sys/health")
    assert "standby" in one(doctor(sound), "vault-ready")["found"]


def test_a_wrong_token(sound: World) -> None:
    """The login is the problem; what needs it is skipped."""
    sound.environ("VAULT_TOKEN", "s.wrong")
    done = doctor(sound)
    assert (done.status, ill(done)) == (1, {"vault-login": "problem"})
    assert "does not know our token" in one(done, "vault-login")["found"]
    assert one(done, "vault-mounts")["found"] == "the plan identity is not logged in to Vault"


def test_no_token_at_all(sound: World) -> None:
    """The message says which variable is missing."""
    sound.environ("VAULT_TOKEN", "")
    assert "VAULT_TOKEN" in one(doctor(sound), "vault-login")["mend"]


def test_a_token_without_the_default_policy(sound: World) -> None:
    """It cannot even ask after itself, and the message says why."""
    become(sound, documented("plan", sound.kv), no_default_policy=True)
    found = one(doctor(sound), "vault-login")
    assert (found["result"], "`default` policy" in found["found"]) == ("problem", True)


def test_a_root_token(sound: World) -> None:
    """A warning; and what it may do proves nothing about the policies."""
    sound.environ("VAULT_TOKEN", sound.bao.root_token)
    done = doctor(sound)
    assert (done.status, ill(done)) == (0, {"vault-token": "warning"})
    assert one(done, "vault-capabilities")["result"] == "skipped"


@pytest.mark.parametrize(
    ("options", "result", "words"),
    [
        ({"ttl": "2h"}, "ok", "it lives for 120 min"),
        ({"ttl": "90s"}, "warning", "is not renewed"),
        ({"num_uses": 50}, "problem", "times more"),
    ],
)
def test_a_token_that_may_not_last(sound: World, options: dict[str, Any], result: str, words: str) -> None:
    """One that lives long is well; one that ends within a run, or may be used a few times only, is not."""
    become(sound, documented("plan", sound.kv), **options)
    found = of(doctor(sound), "vault-token")
    assert result in {one["result"] for one in found}
    assert any(words in one["found"] for one in found)


def test_a_login_by_jwt(sound: World, jwt: tuple[JwtIssuer, str]) -> None:
    """A token that we logged in for is renewed and given back; a refused login is the problem, in Vault's words."""
    issuer, mount = jwt
    name = f"{sound.kv}-identity"
    role = {"role_type": "jwt", "user_claim": "sub", "bound_claims": {"repository": "acme/access"}}
    body = {**role, "bound_audiences": ["vault"], "token_policies": [name], "token_ttl": "15m"}
    sound.bao.request("POST", f"auth/{mount}/role/plan", body)
    text = (sound.folder / "reconciler.yaml").read_text(encoding="utf-8")
    auth = f"    auth: {{plan: {{jwt: {{role: plan, mount: {mount}}}}}, apply: {{token: {{}}}}}}\n"
    sound.write("reconciler.yaml", text + auth)
    sound.environ("VAULT_TOKEN", "")
    sound.environ("VAULT_JWT", issuer.sign(repository="acme/access", aud="vault"))
    done = doctor(sound)
    assert ill(done) == {}
    assert one(done, "vault-token")["found"] == "it lives for 15 min, is renewed during a run, and revoked at its end"
    assert "role plan" in one(done, "vault-login")["found"]
    sound.environ("VAULT_JWT", issuer.sign(repository="evil/access", aud="vault"))
    refused = one(doctor(sound), "vault-login")
    assert refused["result"] == "problem"
    assert "refused the login of the plan identity" in refused["found"]


def test_a_clock_that_is_off_from_vaults(sound: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute is a warning that says what breaks."""
    from reconciler.vault.connection import Vault

    real = Vault.now
    monkeypatch.setattr(Vault, "now", lambda vault: real(vault) - timedelta(seconds=90))
    found = one(doctor(sound), "vault-clock")
    assert found["result"] == "warning"
    assert re.match(r"this machine's clock is 9[0-3] s ahead of Vault's: dates in plans", found["found"])
    assert 89 <= found["facts"]["skewSeconds"] <= 93


def test_a_kv_version_1_mount(sound: World) -> None:
    """The mount is the problem, with the command that mends it; credentials in it are not asked for."""
    sound.bao.mount_kv(f"{sound.kv}old", version=1)
    text = (sound.folder / "tenants/dsm.yaml").read_text(encoding="utf-8")
    sound.write(
        "tenants/dsm.yaml",
        text.replace(f"credentials: {{vault: {{mount: {sound.kv}", f"credentials: {{vault: {{mount: {sound.kv}old"),
    )
    become(sound, documented("plan", sound.kv) + f'path "{sound.kv}old/*" {{ capabilities = ["read"] }}\n')
    done = doctor(sound)
    bad, good = of(done, "vault-mounts")
    assert (bad["result"], bad["text"]) == ("problem", [f"vault kv enable-versioning {sound.kv}old/"])
    assert "KV version 1" in bad["found"]
    assert "used for credentials" in bad["found"]
    assert good["facts"] == {"mounts": [sound.kv]}
    assert one(done, "tenant-credential")["found"] == f"{sound.kv}old/ cannot be used: see vault-mounts"
    assert one(done, "tenant-state")["result"] == "ok"
    sound.bao.request("DELETE", f"sys/mounts/{sound.kv}old")


def test_a_mount_for_the_state_that_is_not_there(sound: World) -> None:
    """State, lease and left-over states are skipped with the reason; the vendor is asked all the same."""
    text = (sound.folder / "reconciler.yaml").read_text(encoding="utf-8")
    sound.write("reconciler.yaml", text.replace(f"state: {{mount: {sound.kv}", "state: {mount: nowhere"))
    done = doctor(sound)
    assert "no such mount" in of(done, "vault-mounts")[0]["found"]
    assert one(done, "tenant-lease")["found"] == "nowhere/ cannot be used: see vault-mounts"
    assert one(done, "state-undeclared")["result"] == "skipped"
    assert one(done, "tenant-lists")["result"] == "ok"


@pytest.mark.parametrize("identity", ["plan", "apply"])
def test_what_a_policy_lacks_is_told_line_by_line(world: World, naps: Naps, identity: str) -> None:
    """With nothing but a beginning of a policy, the rules that are printed make it whole."""
    trend = world.tenant()
    world.level()
    world.key()
    lend(world, least(trend, _KEY.plan if identity == "plan" else _KEY.apply))
    begun = f'path "{world.kv}/data/elsewhere" {{ capabilities = ["read"] }}\n'
    become(world, begun)
    done = doctor(world, "--identity", identity)
    missing = of(done, "vault-capabilities")
    assert done.status == 1
    assert "problem" in {one["result"] for one in missing}
    assert f"the {identity} identity lacks" in missing[0]["found"]
    assert "vault-capabilities" in one(done, "tenant-credential")["found"]
    become(world, begun + "\n".join(line for one in missing for line in one["text"]))
    assert ill(doctor(world, "--identity", identity)) == {}


def test_a_missing_folder_listing_is_a_warning(sound: World) -> None:
    """OpenBao's bulk listing makes things faster, and is no must."""
    policy = re.sub(r'path "\w+/detailed-metadata[^}]*}', "", documented("plan", sound.kv))
    become(sound, policy)
    done = doctor(sound)
    assert (done.status, ill(done)) == (0, {"vault-capabilities": "warning"})
    assert "takes longer" in one(done, "vault-capabilities")["found"]


@pytest.mark.promise(2)
@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ('path "{kv}/data/keys/*" {{ capabilities = ["read"] }}', "it can read issued secrets"),
        ('path "{kv}/metadata/keys/*" {{ capabilities = ["read", "delete"] }}', "could change or delete secrets"),
        ('path "{kv}/data/reconciler/*" {{ capabilities = ["read", "update"] }}', "could change the state"),
        ('path "{kv}/destroy/keys/*" {{ capabilities = ["update"] }}', "destroy secrets for good"),
    ],
)
def test_promise_2_too_much_is_a_warning(sound: World, rule: str, words: str) -> None:
    """Whatever planning may do without need is told, with the policies to look at."""
    become(sound, documented("plan", sound.kv) + rule.format(kv=sound.kv))
    done = doctor(sound)
    assert done.status == 0
    found = of(done, "vault-excess")
    assert {one["result"] for one in found} == {"warning"}
    assert any(words in one["found"] for one in found)
    assert found[0]["text"] == [f"vault policy read {sound.kv}-identity"]


def test_the_other_identitys_credential_is_none_of_ours(sound: World) -> None:
    """Where the two differ, neither may read the other's."""
    text = (sound.folder / "tenants/dsm.yaml").read_text(encoding="utf-8")
    refs = ", ".join(
        f"{one}: {{vault: {{mount: {sound.kv}, path: credentials/dsm/{one}}}}}" for one in ("plan", "apply")
    )
    sound.write("tenants/dsm.yaml", re.sub(r"credentials: .*", f"credentials: {{{refs}}}", text))
    trend = sound.trends["dsm"]
    for identity in ("plan", "apply"):
        sound.put(
            f"credentials/dsm/{identity}", {"secretKey": least(trend, _KEY.plan, identity), "endpoint": trend.endpoint}
        )
    assert ill(doctor(sound)) == {}
    become(
        sound,
        documented("plan", sound.kv) + f'path "{sound.kv}/data/credentials/+/apply" {{ capabilities = ["read"] }}',
    )
    assert "credential of the apply identity" in one(doctor(sound), "vault-excess")["found"]


def test_a_token_that_may_not_ask_what_it_may_do(sound: World) -> None:
    """The problem names the `default` policy; what it cannot read shows where it is read."""
    denied = 'path "sys/capabilities-self" { capabilities = ["deny"] }\n'
    policy = documented("plan", sound.kv)
    become(sound, policy + denied)
    done = doctor(sound)
    assert "`default` policy" in one(done, "vault-capabilities")["mend"]
    assert one(done, "vault-excess")["result"] == "skipped"
    assert one(done, "tenant-credential")["result"] == "ok"
    become(sound, policy.replace("credentials/", "elsewhere/") + denied)
    done = doctor(sound)
    assert "lacks the capability `read`" in one(done, "tenant-credential")["found"]
    assert one(done, "tenant-endpoint")["found"] == "it cannot be read"


def test_a_server_that_stops_answering_half_way(sound: World, vault_proxy: Proxy) -> None:
    """What had been asked is told, and the rest is a problem each, without a traceback."""
    seen: list[str] = []

    def trouble(method: str, path: str) -> Instead | None:
        seen.append(path)
        mounts = [one for one in seen if "sys/internal/ui/mounts" in one]
        return Instead(500, '{"errors": ["it broke"]}') if len(mounts) > 1 else None

    vault_proxy.trouble = trouble
    done = doctor(sound)
    assert one(done, "vault-mounts")["result"] == "ok"
    assert "it broke" in one(done, "vault-version")["found"]
    assert "it broke" in one(done, "vault-capabilities")["found"]
    assert "it broke" in one(done, "state-undeclared")["found"]
    assert done.status == 1


def test_a_state_that_no_manifest_declares(sound: World) -> None:
    """Who may list the states is told of left-over ones; who may not is told that."""
    assert one(doctor(sound), "state-undeclared")["found"] == "the plan identity may not list the state documents"
    become(sound, documented("apply", sound.kv))
    assert one(doctor(sound, "--identity", "apply"), "state-undeclared")["result"] == "ok"
    sound.put(f"reconciler/{ESTATE_ID}/gone", {"document": "{}"})
    found = one(doctor(sound, "--identity", "apply"), "state-undeclared")
    assert (found["result"], found["facts"]) == ("warning", {"tenants": ["gone"]})
    assert found["text"] == ["reconciler state show gone"]


# --- tenants ------------------------------------------------------------------------------------------------------------


def test_no_credential(sound: World) -> None:
    """The command that stores one, with the fields that this product takes, and no value on the command line."""
    sound.bao.request("DELETE", f"{sound.kv}/metadata/credentials/dsm")
    done = doctor(sound)
    found = one(done, "tenant-credential")
    endpoint = sound.trends["dsm"].endpoint
    assert (done.status, found["result"]) == (1, "problem")
    assert found["text"] == [f"vault kv put -mount={sound.kv} credentials/dsm endpoint={endpoint} apiKey=-"]
    assert one(done, "tenant-authenticates")["result"] == "skipped"
    assert one(done, "tenant-state")["result"] == "ok"


@pytest.mark.parametrize("fields", [{"secret": "x"}, {"secretKey": "1:x", "apiKey": "2:y"}])
def test_a_credential_with_other_fields(sound: World, fields: dict[str, str]) -> None:
    """What it holds and what it must hold; the vendor is not asked."""
    trend = sound.trends["dsm"]
    sound.put("credentials/dsm", {**fields, "endpoint": trend.endpoint})
    found = one(doctor(sound), "tenant-credential")
    assert found["result"] == "problem"
    assert found["facts"] == {"holds": sorted(fields)}
    assert "takes secretKey or apiKey" in found["found"]
    assert trend.requests == {}


@pytest.mark.parametrize(
    ("endpoint", "mend"),
    [
        ("https://elsewhere.example.com/api", "was the manifest's endpoint changed?"),
        (None, "if it is the right one, store it beside it: vault kv patch"),
    ],
)
def test_a_credential_that_is_bound_elsewhere(sound: World, endpoint: str | None, mend: str) -> None:
    """It is there, and may not be sent: to nowhere else, or to nobody at all. The vendor is not asked."""
    trend = sound.trends["dsm"]
    sound.put("credentials/dsm", {"secretKey": "1:x"} | ({"endpoint": endpoint} if endpoint else {}))
    done = doctor(sound)
    found = one(done, "tenant-endpoint")
    assert (done.status, found["result"]) == (1, "problem")
    assert one(done, "tenant-credential")["result"] == "ok"
    assert mend in found["mend"]
    assert found["text"] == []  # a command that sends it to a stranger's endpoint is too easily copied
    assert trend.requests == {}


def test_a_credential_from_the_environment_needs_no_vault(sound: World) -> None:
    """The vendor is asked even while Vault is away."""
    text = (sound.folder / "tenants/dsm.yaml").read_text(encoding="utf-8")
    sound.write("tenants/dsm.yaml", re.sub(r"credentials: .*", "credentials: {env: {secretKey: DSM_KEY}}", text))
    sound.environ("DSM_KEY", sound.trends["dsm"].credentials["secretKey"])
    sound.environ("VAULT_ADDR", "http://127.0.0.1:1")
    done = doctor(sound)
    assert one(done, "tenant-credential")["found"] == "in the environment: DSM_KEY"
    assert one(done, "tenant-lists")["result"] == "ok"
    sound.environ("DSM_KEY", "")
    assert "DSM_KEY" in one(doctor(sound), "tenant-credential")["found"]


def test_a_credential_that_the_vendor_refuses_is_tried_once(sound: World) -> None:
    """401: one request and no more, for failures lock keys; it says what to do."""
    trend = sound.trends["dsm"]
    lend(sound, "17:wrong")
    done = doctor(sound)
    found = one(done, "tenant-authenticates")
    assert (done.status, found["result"]) == (1, "problem")
    assert "HTTP 401" in found["found"]
    assert "tried once and not again, for failures lock keys" in found["mend"]
    assert sum(trend.requests.values()) == 1
    assert {one(done, name)["result"] for name in ("tenant-expiry", "tenant-rights", "tenant-lists")} == {"skipped"}
    assert one(done, "tenant-clock")["result"] == "ok"


def test_a_vendor_that_is_not_there(sound: World) -> None:
    """Unreachable is no wrong credential."""
    text = (sound.folder / "tenants/dsm.yaml").read_text(encoding="utf-8")
    sound.write("tenants/dsm.yaml", re.sub(r"endpoint: .*", "endpoint: http://127.0.0.1:1/api", text))
    sound.put("credentials/dsm", {"secretKey": "1:x", "endpoint": "http://127.0.0.1:1/api"})
    done = doctor(sound)
    assert "cannot be reached" in one(done, "tenant-authenticates")["found"]
    assert one(done, "tenant-lists")["found"] == "the vendor could not be asked"
    assert one(done, "tenant-clock")["result"] == "skipped"


def test_a_vendor_that_forbids(sound: World) -> None:
    """403: the credential works, so its rights or this machine's address are what to look at."""
    sound.trends["dsm"].faults.inject("forbidden", times=None)
    done = doctor(sound)
    assert "vendor does not say as which key" in one(done, "tenant-authenticates")["found"]
    assert one(done, "tenant-lists")["result"] == "problem"
    assert "HTTP 403" in one(done, "tenant-lists")["found"]


@pytest.mark.parametrize(("days", "result"), [(None, "ok"), (400, "ok"), (5, "warning")])
def test_when_the_credential_ends(sound: World, days: int | None, result: str) -> None:
    """Never, far off, or within two weeks."""
    ends = (
        {}
        if days is None
        else {"expiryDate": int((datetime.now(UTC) + timedelta(days=days, hours=1)).timestamp() * 1000)}
    )
    lend(sound, least(sound.trends["dsm"], _KEY.plan, "ends", **ends))
    done = doctor(sound)
    found = one(done, "tenant-expiry")
    assert (found["result"], done.status) == (result, 0)
    assert ("expires" in found["facts"]) is (days is not None)
    assert ("in 5 days" in found["found"]) is (days == 5)


def test_a_credential_that_has_ended(sound: World) -> None:
    """The vendor refuses it, and the message says that it may have expired."""
    ended = int((datetime.now(UTC) - timedelta(days=1)).timestamp() * 1000)
    lend(sound, least(sound.trends["dsm"], _KEY.plan, "ended", expiryDate=ended))
    assert "expired" in one(doctor(sound), "tenant-authenticates")["mend"]


def test_a_credential_that_may_do_too_much_or_too_little(sound: World) -> None:
    """Too much is a warning with the riskiest first, too little a problem with the rights that are missing."""
    lend(sound, sound.trends["dsm"].credentials["secretKey"])
    done = doctor(sound)
    found = one(done, "tenant-rights")
    assert (done.status, found["result"]) == (0, "warning")
    assert found["facts"]["highRisk"] == found["facts"]["excess"][: len(found["facts"]["highRisk"])] != []
    lend(sound, least(sound.trends["dsm"], _KEY.plan, "blind"))
    sound.trends["dsm"].edit_role("blind", _KEY.plan - {"platformRights.apikeyRights.canViewApiKeys"})
    done = doctor(sound)
    assert one(done, "tenant-rights")["facts"] == {"missing": ["platformRights.apikeyRights.canViewApiKeys"]}
    assert one(done, "tenant-lists")["result"] == "problem"


def test_the_built_in_auditor_will_do_for_planning(sound: World) -> None:
    """A role that looks at more than is needed and changes nothing is well, as the provider's page says."""
    lend(sound, sound.trends["dsm"].add_key("auditor", "Auditor"))
    assert one(doctor(sound), "tenant-rights")["result"] == "ok"


@pytest.mark.parametrize(("hours", "result", "words"), [(-2, "problem", "2 h ahead of"), (0, "ok", "agrees")])
def test_the_vendors_clock(sound: World, hours: int, result: str, words: str) -> None:
    """Told from the answers' dates, without a call of its own."""
    sound.trends["dsm"].clock.advance(datetime.now(UTC) - sound.trends["dsm"].clock.now() + timedelta(hours=hours))
    found = one(doctor(sound), "tenant-clock")
    assert (found["result"], words in found["found"]) == (result, True)


@pytest.fixture
def lacework(sound: World, make_lacework: Callable[..., Organisation]) -> Organisation:
    """One more tenant, whose vendor tells what is left of its limit."""
    made = make_lacework(calls=480)
    made.clock.advance(datetime.now(UTC) - made.clock.now())
    sound.put("credentials/lw", {**made.credentials, "endpoint": made.endpoint})
    sound.write(
        "tenants/lw.yaml",
        f"""
        apiVersion: reconciler/v1
        kind: Tenant
        metadata: {{name: lw}}
        spec:
          provider: lacework
          endpoint: {made.endpoint}
          credentials: {{vault: {{mount: {sound.kv}, path: credentials/lw}}}}
          secrets: {{mount: {sound.kv}, path: "keys/{{tenant}}/{{key}}"}}
        """,
    )
    return made


def test_the_rate_limit(sound: World, lacework: Organisation) -> None:
    """What we use of it; and what is left, where the vendor tells."""
    done = doctor(sound)
    [left], [silent] = of(done, "tenant-rate", "lw"), of(done, "tenant-rate", "dsm")
    assert left["found"].startswith("at most 240 of 480 calls in 3600 s are ours (documented, APIDOC")
    assert (left["facts"]["limit"], left["result"]) == (480, "ok")
    assert silent["found"].endswith("the vendor does not tell what is left")
    for user in lacework.organisation.accounts[""].values():
        user.calls["GET /api/v2/TeamUsers"].extend([lacework.clock.now_ms()] * 440)
    [low] = of(doctor(sound), "tenant-rate", "lw")
    assert (low["result"], low["facts"]["remaining"] < 48) == ("warning", True)


def test_an_administrators_key_is_too_much_to_plan_with(sound: World, lacework: Organisation) -> None:
    """Where a vendor names a role alone, those that may do everything are questioned, for planning."""
    [rights] = of(doctor(sound), "tenant-rights", "lw")
    assert (rights["result"], rights["facts"]["excess"]) == ("warning", ["LACEWORK_USER_GROUP_ADMIN"])
    [expiry] = of(doctor(sound), "tenant-expiry", "lw")
    assert expiry["found"] == "it has no end (documented, APIDOC, KEYDOC)"


def test_a_credential_that_cannot_be_sent(sound: World) -> None:
    """With characters that no key has it is a problem before the first call."""
    lend(sound, "17:has a space")
    done = doctor(sound)
    assert "characters that no key has" in one(done, "tenant-authenticates")["found"]
    assert one(done, "tenant-rate")["found"] == "the credential cannot be used"
    assert sound.trends["dsm"].requests == {}


def test_a_role_that_lacks_even_the_first_right(sound: World, make_vision_one: Callable[..., Any]) -> None:
    """403 for the question who we are: the credential is known, so rights and addresses are what to look at."""
    made = make_vision_one()
    token = made.add_key("weak", "Analyst")
    number = next(key["id"] for key in made.keys() if key["name"] == "weak")  # noqa: SIM118
    sound.account("vone", "trend-vision-one", made.endpoint, {"token": token, "keyId": number})
    [found] = of(doctor(sound), "tenant-authenticates", "vone")
    assert (found["result"], "HTTP 403" in found["found"]) == ("problem", True)
    assert "from other addresses" in found["mend"]
    assert "make a role that may view API keys" in found["mend"]


def test_an_end_that_has_passed_on_this_machine_alone(sound: World) -> None:
    """A vendor whose clock is behind lets in what has ended: both are told."""
    trend = sound.trends["dsm"]
    trend.clock.advance(datetime.now(UTC) - trend.clock.now() - timedelta(hours=3))
    ended = int((datetime.now(UTC) - timedelta(hours=1)).timestamp() * 1000)
    lend(sound, least(trend, _KEY.plan, "ended", expiryDate=ended))
    assert ill(doctor(sound)) == {"tenant-expiry": "problem", "tenant-clock": "problem"}


# --- state and lease ----------------------------------------------------------------------------------------------------


@pytest.fixture
def applied(world: World, naps: Naps) -> World:
    """An estate after its first apply, as root."""
    world.tenant()
    world.level()
    world.key()
    assert world.apply().status == 0
    return world


def test_the_state_of_an_applied_tenant(applied: World) -> None:
    """Its version, how many objects it has, and a free lease."""
    done = doctor(applied)
    assert one(done, "tenant-state")["facts"] == {"version": applied_version(applied), "objects": 2}
    assert one(done, "tenant-lease")["found"] == "it is free"


def applied_version(world: World) -> int:
    path = f"{world.kv}/metadata/reconciler/{ESTATE_ID}/dsm"
    return int(world.bao.request("GET", path)["data"]["current_version"])


def test_a_lease_that_is_held_and_one_that_is_left_over(applied: World) -> None:
    """By whom, since when, and the command that takes it; one whose run died is told as such."""
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    lease = {"run": "r1", "holder": f"ci@runner{EVIL}", "since": "2026-01-01T00:00:00Z", "expires": until}
    applied.edit_state(lambda state: state.update(lease=lease))
    done = doctor(applied)
    held = one(done, "tenant-lease")
    assert (done.status, held["result"]) == (0, "warning")
    assert "holds it since 2026-01-01 00:00:00 UTC" in held["found"]
    assert held["text"] == ["reconciler unlock dsm --holder r1"]
    assert "\\u001b" not in done.out
    assert "\x1b" not in applied.run("doctor").all
    applied.expire_lease()
    left = one(doctor(applied), "tenant-lease")
    assert (left["result"], "that run has died" in left["found"]) == ("warning", True)


def test_a_state_that_was_written_for_another_account(applied: World) -> None:
    """Another endpoint, another estate, and a document that is damaged."""
    applied.edit_state(lambda state: state.update(endpoint="https://elsewhere.example.com/api"))
    moved = one(doctor(applied), "tenant-state")
    assert (moved["result"], "https://elsewhere.example.com/api" in moved["found"]) == ("warning", True)
    applied.edit_state(lambda state: state.update(endpoint="nowhere at all"))
    assert "nowhere at all" in one(doctor(applied), "tenant-state")["found"]
    applied.edit_state(lambda state: state.update(estate="0f4c1b7e-6d0a-4a54-9a55-3f6f2f9a1c77"))
    done = doctor(applied)
    assert one(done, "tenant-state")["result"] == "problem"
    assert "estate 0f4c1b7e" in one(done, "tenant-state")["found"]
    assert one(done, "tenant-lease")["found"] == "the state cannot be read"
    applied.put(f"reconciler/{ESTATE_ID}/dsm", {"document": "{"})
    assert "damaged" in one(doctor(applied), "tenant-state")["found"]


def test_steps_that_a_dead_run_left_open(applied: World) -> None:
    """They are told, and that the next apply goes on from there."""
    intent = {"run": "r1", "action": "create", "nonce": "ab" * 8}
    applied.edit_state(lambda state: state.update(intents={"ApiKey/jira": intent}))
    found = one(doctor(applied), "tenant-state")
    assert (found["result"], found["facts"]) == ("warning", {"open": 1})
    assert "ApiKey/jira" in found["found"]


# --- hostile servers ----------------------------------------------------------------------------------------------------


def test_foreign_text_steers_no_terminal(sound: World, vault_proxy: Proxy) -> None:
    """What a vendor calls a role, and what Vault calls itself, is shown without control characters, and cut short."""
    sound.trends["dsm"].add_role(f"Role {EVIL} {'x' * 5000}", _KEY.plan)
    lend(sound, sound.trends["dsm"].add_key("evil", f"Role {EVIL} {'x' * 5000}"))
    body = json.dumps({"initialized": True, "sealed": False, "version": f"2.7.2{EVIL}"})
    vault_proxy.always(Instead(200, body), "GET", "sys/health")
    for form in ("text", "json"):
        done = sound.run("doctor", "--format", form)
        assert done.status == 0
        assert not set("\x1b\x07\u202e") & set(done.all)
        assert "\\u001b" not in done.all
        assert "x" * 300 not in done.all


def test_a_bug_in_one_tenant_stops_no_other(sound: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that breaks is one problem, told by type and place; the others are looked at."""
    from reconciler.providers.trend_workload_security.session import Session

    real = Session.own_credential
    broken = sound.tenant("broken").endpoint

    def own(session: Session) -> Any:
        if session._client.endpoint == broken:
            raise RuntimeError("canary")
        return real(session)

    monkeypatch.setattr(Session, "own_credential", own)
    become(sound, documented("plan", sound.kv))
    done = doctor(sound)
    assert "RuntimeError" in of(done, "tenant-credential", "broken")[0]["found"]
    assert "canary" not in done.all
    assert of(done, "tenant-lists", "dsm")[0]["result"] == "ok"
