"""Levels, updates, removals, and what only the state says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.apply.result import TenantResult
from reconciler.apply.tools import Tools, holder
from reconciler.errors import LeaseHeld, Rejected, RetryLater, Stopped
from reconciler.model.desired import LevelRef
from reconciler.model.outcome import ExitCode
from tests.support import builders as b
from tests.support.openbao import Naps
from tests.support.troubled import LOST, Proxy
from tests.support.world import World

OVERLAP = "{every: 90d, overlap: 24h}"


@pytest.fixture
def estate(world: World, naps: Naps) -> World:
    """One tenant with one level and one key, nothing of it applied yet."""
    world.tenant()
    world.level()
    world.key(rotation=OVERLAP)
    return world


@pytest.mark.promise(3)
@pytest.mark.parametrize("fault", ["reset-after", "error-after", "truncated", "cut-off"])
def test_promise_3_level_whose_reply_was_lost_is_looked_up(estate: World, fault: str) -> None:
    """It is found by its mark, in the same run, and never made twice."""
    estate.trends["dsm"].faults.inject(fault, method="POST", path="/roles", times=1)
    assert estate.apply().status == 0
    assert [role["name"] for role in estate.trends["dsm"].roles()].count("read") == 1
    assert estate.plan().status == 0


@pytest.mark.promise(3)
@pytest.mark.parametrize("fault", ["html", "error-before", "reset-before"])
def test_promise_3_level_that_was_not_made_is_made_by_the_next_run(estate: World, fault: str) -> None:
    """Not found by its mark: nothing is repeated blindly, and what depends on it is not begun."""
    estate.trends["dsm"].faults.inject(fault, method="POST", path="/roles", times=1)
    applied = estate.apply()
    assert applied.status == 1
    assert "not begun: AccessLevel/read failed" in applied.out
    assert estate.names() == []
    assert list(estate.state()["intents"]) == ["AccessLevel/read"]  # the key's is dropped: nobody began it
    assert estate.apply().status == 0
    assert [role["name"] for role in estate.trends["dsm"].roles()].count("read") == 1
    assert estate.plan().status == 0


@pytest.mark.promise(3)
def test_promise_3_late_level_is_an_orphan(estate: World) -> None:
    """A role that comes late is removed, and the one that keys use stays."""
    estate.trends["dsm"].faults.inject("late-create", method="POST", path="/roles", times=1, requests=8)
    assert estate.apply().status == 1
    assert estate.apply().status == 0
    for _ in range(4):
        estate.plan()
    assert "is an orphan of ours" in estate.plan().out
    assert estate.apply().status == 0
    assert [role["name"] for role in estate.trends["dsm"].roles()].count("read") == 1
    assert estate.plan().status == 0
    assert estate.authenticates()


def test_level_out_of_git_goes_after_its_keys(estate: World) -> None:
    """Both are deleted in one run."""
    estate.key("other", level="{existing: Auditor}")
    assert estate.apply().status == 0
    estate.remove("levels/dsm-read.yaml")
    estate.remove("keys/dsm-splunk.yaml")
    assert estate.apply().status == 0
    assert "read" not in [role["name"] for role in estate.trends["dsm"].roles()]
    assert list(estate.state()["objects"]) == ["ApiKey/other"]


def test_what_only_the_state_knows(estate: World) -> None:
    """A new owner changes the record, and nothing at the vendor."""
    assert estate.apply().status == 0
    path = estate.folder / "keys/dsm-splunk.yaml"
    path.write_text(path.read_text().replace("secops@", "soc@"))
    asked = estate.trends["dsm"].requests.copy()
    assert estate.apply().status == 0
    assert estate.state()["objects"]["ApiKey/splunk"]["owner"] == "soc@example.com"
    sent = estate.trends["dsm"].requests - asked
    assert set(sent) == {"POST /apikeys/search", "POST /roles/search", "GET /apikeys/current"}
    assert estate.plan().status == 0


def test_generation_in_its_overlap_follows_the_manifest(estate: World) -> None:
    """Both keys get the new description, each with its own mark; so a narrower access holds for the old one, too."""
    assert estate.apply().status == 0
    estate.age(91)
    assert estate.apply().status == 0
    estate.level("less", right="canDeleteComputers")
    estate.key(rotation=OVERLAP, description="new", level="less")
    assert estate.apply().status == 0
    keys = [key for key in list(estate.trends["dsm"].keys()) if key["keyName"] == "splunk"]
    record = estate.state()["objects"]["ApiKey/splunk"]
    assert [key["description"][:4] for key in keys] == ["new ", "new "]
    assert len({key["roleID"] for key in keys}) == 1
    assert record["previous"]["nonce"] in keys[0]["description"]
    assert record["nonce"] in keys[1]["description"]
    assert estate.plan().status == 0


@pytest.mark.promise(3)
def test_promise_3_retirement_whose_record_got_no_reply(estate: World, vault_proxy: Proxy) -> None:
    """Recording it twice is harmless."""
    assert estate.apply().status == 0
    estate.age(91)
    assert estate.apply().status == 0
    estate.age(2)
    vault_proxy.once(LOST, "POST", "/data/reconciler/", after=1)
    assert estate.apply().status == 0
    assert "previous" not in estate.state()["objects"]["ApiKey/splunk"]
    assert estate.plan().status == 0


def test_removal_in_the_overlap_takes_both_generations(estate: World) -> None:
    """And the secrets at both paths."""
    assert estate.apply().status == 0
    path = estate.folder / "tenants/dsm.yaml"
    path.write_text(path.read_text().replace("keys/{tenant}/{key}", "moved/{tenant}/{key}"))
    estate.age(91)
    assert estate.apply().status == 0
    estate.remove("keys/dsm-splunk.yaml")
    assert estate.apply().status == 0
    assert estate.names() == []
    moved = estate.bao.request("GET", f"{estate.kv}/metadata/moved/dsm/splunk")["data"]
    for metadata in (estate.metadata(), moved):
        assert all(version["deletion_time"] for version in metadata["versions"].values())
    assert estate.plan().status == 0


def test_credential_from_the_environment_is_remembered_by_name(estate: World) -> None:
    """The state says which variables hold it, and not what they hold."""
    path = estate.folder / "tenants/dsm.yaml"
    text = path.read_text()
    path.write_text(
        text.replace(f"{{vault: {{mount: {estate.kv}, path: credentials/dsm}}}}", "{env: {secretKey: DSM_SECRET_KEY}}")
    )
    assert path.read_text() != text
    estate.environ("DSM_SECRET_KEY", estate.trends["dsm"].credentials["secretKey"])
    assert estate.apply().status == 0
    assert estate.state()["credentials"] == {"env": {"secretKey": "DSM_SECRET_KEY"}}


def test_holder_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's user may have no entry in the system's list."""

    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("reconciler.apply.tools.getpass.getuser", nobody)
    assert holder().startswith("uid ")


def test_key_whose_level_is_not_there() -> None:
    """Between plan and call it may have gone: the key is refused before anything is sent."""
    journal = SimpleNamespace(document=b.document())
    tools: Any = Tools(None, None, None, journal, "", "")  # type: ignore[arg-type]
    for level in ("read", LevelRef("Auditor", existing=True)):
        with pytest.raises(Rejected, match=r"its access level .* does not exist"):
            tools.level_id(b.action(desired=b.desired_key(level=level)))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LeaseHeld("held"), ExitCode.LEASE_HELD),
        (Stopped("no"), ExitCode.STOPPED),
        (RetryLater("later"), ExitCode.ERROR),
        (None, ExitCode.DONE),
    ],
)
def test_code_of_a_tenant(error: Any, code: ExitCode) -> None:
    """What stopped all of it decides."""
    assert TenantResult(b.tenant_plan(), (), error).code == code
