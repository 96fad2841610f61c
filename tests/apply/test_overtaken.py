"""A run at work gives way to a revocation."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.apply.overtaken import give_way, is_overtaken
from reconciler.apply.tenant import TenantRun
from reconciler.model.action import Action, ActionKind, Operation
from reconciler.model.state import Record, Revoked
from reconciler.vault import SecretStore
from tests.support.builders import NOW, document, key_id, level_id, record
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

    left: list[str] = []

    def flush_and_give_way(self: TenantRun) -> None:
        flush(self)
        done = [result.action for result in self._results.values()]
        left.extend(give_way(self.tools, done, {}))
        flush(self)

    monkeypatch.setattr(SecretStore, "write", revoked_meanwhile)
    monkeypatch.setattr(TenantRun, "_flush", flush_and_give_way)
    world.apply()
    state = world.state()
    assert "revoked" in state["objects"]["ApiKey/splunk"]
    if fails:
        assert "may still work" in left[0]
        assert "ApiKey/splunk" in state["intents"]
        return
    assert not left
    assert world.names() == []
    assert [one["deletion_time"] != "" for one in world.metadata()["versions"].values()] == [True]
    assert state["intents"] == {}
