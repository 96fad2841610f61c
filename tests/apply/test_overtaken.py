"""A run at work gives way to a revocation."""

from __future__ import annotations

import io
from typing import Any

import pytest

from reconciler.apply.overtaken import give_way, is_overtaken
from reconciler.apply.tenant import TenantRun
from reconciler.model.action import Action, ActionKind, Operation
from reconciler.model.names import ObjectId
from reconciler.model.state import Record, Revoked
from reconciler.providers.lacework.session import Session
from reconciler.vault import SecretStore
from tests.apply.test_concurrent import end, start
from tests.cli.test_handoff import MANIFESTS, Story
from tests.support.builders import NOW, document, key_id, level_id, record
from tests.support.lacework import Organisation
from tests.support.openbao import Naps
from tests.support.world import World

TOMBSTONE = Revoked(at=NOW, by="me", reason="leaked")


def action(known: Record | None = None) -> Action:
    return Action(ActionKind.CREATE, Operation.ISSUE, key_id(), record=known)


def test_only_what_was_revoked_since_is_overtaken() -> None:
    """A tombstone that the plan knew of is no news: Git may ask for a new generation."""
    state = document()
    assert not is_overtaken(state, action())
    revoked = record().model_copy(update={"revoked": TOMBSTONE})
    state = state.record(str(key_id()), revoked)
    assert is_overtaken(state, action())
    assert is_overtaken(state, action(record()))
    assert not is_overtaken(state, action(revoked))
    assert not is_overtaken(state, Action(ActionKind.UPDATE, Operation.UPDATE, level_id()))


@pytest.mark.promise(3)
@pytest.mark.parametrize("fails", [False, True])
def test_promise_3_what_a_run_issued_meanwhile_goes(
    world: World, naps: Naps, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """A key is revoked while its secret is being stored: at its next commit the run itself ends it, or says what is left."""
    world.tenant()
    world.level()
    world.key()
    write, flush = SecretStore.write, TenantRun._flush

    def revoked_meanwhile(*args: Any, **more: Any) -> Any:
        # What another process's `revoke` writes first.
        tombstone = {
            "vendorId": "",
            "nonce": "a" * 16,
            "revoked": TOMBSTONE.model_dump(mode="json"),
            "phase": "revoked",
        }
        world.edit_state(lambda state: state["objects"].update({"ApiKey/splunk": tombstone}))
        if fails:
            world.trends["dsm"].faults.inject("forbidden", path="/apikeys/search", times=None)
        return write(*args, **more)

    left: dict[ObjectId, str] = {}

    def flush_and_give_way(self: TenantRun) -> None:
        flush(self)
        done = [result.action for result in self._results.values()]
        left.update({name: found for name, found in give_way(self.tools, done, {}).items() if found})
        flush(self)

    monkeypatch.setattr(SecretStore, "write", revoked_meanwhile)
    monkeypatch.setattr(TenantRun, "_flush", flush_and_give_way)
    world.apply()
    state = world.state()
    assert "revoked" in state["objects"]["ApiKey/splunk"]
    if fails:
        assert "may still work" in left[ObjectId.parse("ApiKey/splunk")]
        assert "ApiKey/splunk" in state["intents"]
        return
    assert not left
    assert world.names() == []
    assert [one["deletion_time"] != "" for one in world.metadata()["versions"].values()] == [True]
    assert state["intents"] == {}


# --- a user whose keys are locked with it (Lacework) ----------------------------------------------------------------------

USER = """
apiVersion: reconciler/v1
kind: ServiceUser
metadata: {name: siem, tenant: lw}
"""


@pytest.fixture
def story(world: World, lacework: Organisation, naps: Naps, monkeypatch: pytest.MonkeyPatch) -> Story:
    """A Lacework tenant with one key whose secret is in Vault."""

    def stdin(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    told = Story(world, lacework, stdin)
    made = told.make(told.ask())
    assert told.complete(made["keyId"], made["secret"]).status == 0
    return told


def user(story: Story) -> Any:
    """The service user, as it is at the vendor."""
    return next(one for one in story.lacework.users() if one.name.startswith("siem"))


def declare(story: Story, group: str = "READ_ONLY_USER", state: str = "active") -> None:
    """Another manifest of the user, beside the tenant's."""
    tenant = MANIFESTS.format(endpoint=story.lacework.endpoint, kv=story.world.kv).rpartition("---\n")[0]
    story.world.write(
        "lw.yaml", f"{tenant}---\n{USER}spec: {{groups: [LACEWORK_USER_GROUP_{group}], state: {state}}}\n"
    )


@pytest.mark.promise(4)
@pytest.mark.parametrize("unlocks", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_promise_4_lock_of_a_revocation_outlasts_an_update(
    story: Story, monkeypatch: pytest.MonkeyPatch, unlocks: bool, fails: bool
) -> None:
    """Another process revokes a key while an apply is about to change its user: the user stays locked in the end."""
    if unlocks:
        declare(story, state="locked")
        assert story.world.apply().status == 0
        assert not user(story).enabled
        declare(story)
    else:
        declare(story, "POWER_USER")
    right = Session.update_level
    calls: list[Any] = []

    def meanwhile(self: Session, *args: Any) -> None:
        calls.append(args)
        if len(calls) == 1:
            revoke = ("revoke", "lw/splunk", "--reason", "leaked", "--auto-approve")
            revoked = end(story.world, start(story.world, *revoke))
            assert revoked.status == 6, revoked
            assert not user(story).enabled
        right(self, *args)
        if fails and len(calls) == 1:
            story.lacework.faults.inject("forbidden", method="PATCH", times=None)

    monkeypatch.setattr(Session, "update_level", meanwhile)
    applied = story.world.apply()
    story.lacework.faults.clear()
    if not unlocks:
        assert (applied.status, len(calls)) == (0, 1), applied
        assert not user(story).enabled
        return
    assert applied.status == 1
    if fails:
        assert "a key of it was revoked meanwhile, and may work again" in applied.all
        monkeypatch.setattr(Session, "update_level", right)
        story.world.apply()
    else:
        assert "a key of it was revoked meanwhile: it is locked" in applied.all
    assert not user(story).enabled
    assert "is kept locked" in story.world.plan().out
