"""When something is wrong: with a credential, a vendor, Vault, an endpoint, or with another run."""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path

import pytest

from reconciler.emulator.openbao import openbao
from tests.support.openbao import Naps
from tests.support.world import Run, World

POLICIES = Path(__file__).parents[2] / "docs" / "vault.md"


@pytest.fixture
def estate(world: World) -> World:
    """Two tenants with one level and one key each."""
    for tenant in ("east", "west"):
        world.tenant(tenant)
        world.level(tenant=tenant)
        world.key(tenant=tenant)
    return world


def goes_on_without_east(estate: World, *words: str) -> tuple[Run, Run]:
    """Both commands name the tenant and the reason, do the other tenant, and exit 4."""
    shown, applied = estate.run("plan"), estate.apply()
    assert (shown.status, applied.status) == (4, 4), shown.all + applied.all
    for text in (shown.out, applied.out):
        assert "error east: " in text
        for word in words:
            assert word in text
    assert estate.names("west") == ["splunk"]
    assert estate.authenticates(tenant="west")
    return shown, applied


def test_wrong_credential(estate: World, naps: Naps) -> None:
    """A refused credential is named and never tried again; the other tenant goes on."""
    estate.put("credentials/east", {"secretKey": "1:wrong", "endpoint": estate.trends["east"].endpoint})
    goes_on_without_east(estate, "401", "wrong, expired or locked")
    assert sum(estate.trends["east"].requests.values()) == 2  # one for each command
    assert naps == []


def test_vendor_down(estate: World, naps: Naps) -> None:
    """A vendor that cannot be reached is named, with where it should be."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}/api"
        path = estate.folder / "tenants/east.yaml"
        path.write_text(path.read_text().replace(estate.trends["east"].endpoint, endpoint))
        estate.put("credentials/east", {**estate.trends["east"].credentials, "endpoint": endpoint})
        goes_on_without_east(estate, endpoint)


@pytest.mark.parametrize("fault", ["html", "html-error"])
def test_vendor_answers_html(estate: World, naps: Naps, fault: str) -> None:
    """A login page instead of JSON is called what it is."""
    estate.trends["east"].faults.inject(fault, times=None)
    goes_on_without_east(estate, "check the endpoint" if fault == "html" else "502")
    assert estate.names("east") == []


def test_no_tenant_can_be_read(estate: World, naps: Naps) -> None:
    """When nothing at all can be done it is an error, exit 1."""
    for trend in estate.trends.values():
        trend.faults.inject("unavailable", times=None)
    assert estate.plan().status == 1
    assert estate.apply().status == 1


def test_credential_goes_only_to_its_own_endpoint(estate: World) -> None:
    """A pull request that points a tenant elsewhere gets no credential sent there, and an explanation."""
    path = estate.folder / "tenants/east.yaml"
    path.write_text(path.read_text().replace(estate.trends["east"].endpoint, estate.trends["west"].endpoint))
    asked = estate.trends["west"].requests.copy()
    shown = estate.run("plan", "--target", "east")
    assert shown.status == 1
    assert "this credential may be sent to" in shown.out
    assert estate.trends["west"].requests == asked


def test_vault_unreachable(estate: World, naps: Naps) -> None:
    """Without Vault nothing is done, and the message names its address."""
    estate.environ("VAULT_ADDR", "http://127.0.0.1:1")
    for result in (estate.plan(), estate.apply()):
        assert result.status == 1
        assert "127.0.0.1:1" in result.all
    assert estate.names("east") == []


def test_vault_sealed(estate: World, naps: Naps) -> None:
    """A sealed Vault is called sealed, and nothing is created at the vendor."""
    with openbao() as server:
        server.request("PUT", "sys/seal")
        estate.environ("VAULT_ADDR", server.address)
        estate.environ("VAULT_TOKEN", server.root_token)
        for result in (estate.plan(), estate.apply()):
            assert result.status == 1
            assert "sealed" in result.all
    assert estate.names("east") == []


def test_vault_denies_before_anything_is_created(estate: World) -> None:
    """An identity that may not store secrets is stopped before the vendor is asked for one."""
    estate.environ("VAULT_TOKEN", identity(estate, "reconciler-plan.hcl"))
    applied = estate.apply()
    assert applied.status == 1
    assert "lacks" in applied.all or "may not" in applied.all or "permission" in applied.all
    assert estate.names("east") == []


def identity(world: World, name: str) -> str:
    """A token under one of the documented policies."""
    blocks = re.findall(r"```hcl\n(.*?)```", POLICIES.read_text(), re.DOTALL)
    policy = next(block for block in blocks if f"# {name}" in block)
    policy = policy.replace('"secret/', f'"{world.kv}/').replace("reconciler-credentials", "credentials")
    policy = policy.replace("security-keys", "keys")
    world.bao.request("PUT", f"sys/policies/acl/{world.kv}-{name}", {"policy": policy})
    made = world.bao.request("POST", "auth/token/create", {"policies": [f"{world.kv}-{name}"], "no_parent": True})
    return str(made["auth"]["client_token"])


@pytest.mark.promise(2)
def test_promise_2_plan_and_apply_under_the_documented_policies(estate: World) -> None:
    """Neither identity can read an issued secret, and both do all of their work."""
    plan, apply = identity(estate, "reconciler-plan.hcl"), identity(estate, "reconciler-apply.hcl")
    estate.environ("VAULT_TOKEN", plan)
    assert estate.plan().status == 2
    estate.environ("VAULT_TOKEN", apply)
    assert estate.apply().status == 0
    estate.environ("VAULT_TOKEN", plan)
    assert estate.plan().status == 0
    estate.trends["east"].delete_key("splunk")
    estate.key(tenant="west", state="absent")
    estate.environ("VAULT_TOKEN", apply)
    assert estate.apply().status == 0
    assert estate.authenticates(tenant="east")
    for token in (plan, apply):
        with pytest.raises(Exception, match="permission denied"):
            estate.bao.request("GET", f"{estate.kv}/data/keys/east/splunk", token=token)


@pytest.mark.promise(6)
def test_promise_6_planning_sends_reads_only(estate: World) -> None:
    """A plan with everything to do asks the vendor for three lists and changes nothing."""
    assert estate.plan().status == 2
    for trend in estate.trends.values():
        assert trend.requests == {"POST /apikeys/search": 1, "POST /roles/search": 1, "GET /apikeys/current": 1}


@pytest.mark.promise(7)
def test_promise_7_two_applies_at_once(estate: World) -> None:
    """While one apply is at work on a tenant, another exits 5 and names the holder."""
    fault = estate.trends["east"].faults.inject("hang-after", method="POST", path="/roles", seconds=3)
    first: list[Run] = []
    estate.key(tenant="west", state="absent")
    other = threading.Thread(target=lambda: first.append(estate.apply_in_child("--target", "east")))
    other.start()
    assert fault.wait_until_hit(20)
    second = estate.apply("--target", "east")
    other.join()
    assert second.status == 5
    assert "process" in second.all
    assert estate.apply().status == 0
    assert estate.names("east") == ["splunk"]


def test_one_objects_failure_stops_only_what_depends_on_it(estate: World) -> None:
    """A role that the vendor refuses stops its key; the other key and the other tenant are done."""
    estate.key("other", tenant="east", level='{existing: "Auditor"}')
    estate.trends["east"].faults.inject("forbidden", method="POST", path="/roles", times=1)
    applied = estate.apply()
    assert applied.status == 4
    assert "not begun: AccessLevel/read failed" in applied.out
    assert estate.names("east") == ["other"]
    assert estate.names("west") == ["splunk"]
    assert estate.apply().status == 0
    assert estate.plan().status == 0


def test_nobody_to_ask(estate: World) -> None:
    """Without a terminal and without --auto-approve, apply refuses."""
    refused = estate.run("apply")
    assert refused.status == 1
    assert "--auto-approve" in refused.err


@pytest.mark.promise(6)
def test_promise_6_saved_plan(estate: World) -> None:
    """A saved plan applies while it stands, goes on after a failure, and does nothing once done."""
    assert estate.run("plan", "--out", "p.plan.json").status == 0
    estate.trends["east"].faults.inject("forbidden", method="POST", path="/apikeys", times=1)
    assert estate.apply("p.plan.json").status == 4
    assert estate.apply("p.plan.json").status == 0
    assert estate.names("east") == ["splunk"]
    assert estate.apply("p.plan.json").status == 0
    assert estate.plan().status == 0


@pytest.mark.promise(6)
def test_promise_6_stale_plans_are_refused(estate: World) -> None:
    """A plan does not apply when the manifests, or what was planned on, have changed."""
    estate.apply()
    estate.key(tenant="east", description="new")
    estate.run("plan", "--out", "p.plan.json")
    estate.trends["east"].edit_key("splunk", locale="ja-JP")
    stale = estate.apply("p.plan.json")
    assert stale.status == 1
    assert "the plan no longer stands: east/ApiKey/splunk" in stale.err
    estate.trends["east"].edit_key("splunk", locale="en-US")
    estate.trends["west"].edit_key("splunk", locale="ja-JP")
    unplanned = estate.apply("p.plan.json")
    assert unplanned.status == 0
    assert "note: west/ApiKey/splunk: update is not in this plan and is left alone" in unplanned.err
    estate.key(tenant="east", description="newer")
    changed = estate.apply("p.plan.json")
    assert changed.status == 1
    assert "the manifests have changed since the plan was made" in changed.err


@pytest.mark.promise(8)
def test_promise_8_rate_limited_vendor_is_waited_for(estate: World, naps: Naps) -> None:
    """A 429 with Retry-After is honoured, then the work goes on."""
    estate.trends["east"].faults.inject("rate-limited", method="POST", path="/apikeys", times=1, retry_after=7)
    assert estate.apply().status == 0
    assert sum(naps) >= 7, "in naps, so that Ctrl-C need not wait for it"
    assert estate.names("east") == ["splunk"]
