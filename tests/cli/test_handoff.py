"""`reconciler handoff`: listing, completing from standard input or the vendor's file, refusing, cancelling."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.lacework import Organisation
from tests.support.world import World

MANIFESTS = """
apiVersion: reconciler/v1
kind: Tenant
metadata: {{name: lw}}
spec:
  provider: lacework
  endpoint: {endpoint}
  credentials: {{vault: {{mount: {kv}, path: credentials/lw}}}}
  secrets: {{mount: {kv}, path: "keys/{{tenant}}/{{key}}"}}
  onRemoval: delete
---
apiVersion: reconciler/v1
kind: ServiceUser
metadata: {{name: siem, tenant: lw}}
spec: {{description: SIEM, groups: [LACEWORK_USER_GROUP_READ_ONLY_USER]}}
"""
KEY = """
apiVersion: reconciler/v1
kind: ApiKey
metadata: {name: splunk, tenant: lw, owner: secops@example.com}
spec: {description: Ingestion, serviceUser: siem}
"""


class Story:
    """An estate with one Lacework tenant, and the person at its console."""

    def __init__(self, world: World, lacework: Organisation, stdin: Callable[[str], None]) -> None:
        self.world, self.lacework, self._stdin = world, lacework, stdin
        lacework.clock.advance(datetime.now(UTC) - lacework.clock.now())
        world.put("credentials/lw", {**lacework.credentials, "endpoint": lacework.endpoint})
        world.write("lw.yaml", MANIFESTS.format(endpoint=lacework.endpoint, kv=world.kv))
        world.write("key.yaml", KEY)

    def ask(self) -> str:
        """Apply, which asks a person; what was printed."""
        asked = self.world.apply()
        assert asked.status == 6, asked
        return asked.out

    def make(self, asked: str) -> dict[str, Any]:
        """Do in the console what was asked for: the file that it gives out."""
        mark = re.search(r"\[rcl:\S+\]", asked)
        assert mark is not None
        user = next(one for one in self.lacework.users() if one.name.startswith("siem"))
        return dict(self.lacework.console_create_key(user.guid, f"splunk {mark[0]}", "Ingestion"))

    def complete(self, *lines: str, options: tuple[str, ...] = ()) -> Any:
        """`handoff complete` with these lines on standard input."""
        self._stdin("".join(f"{line}\n" for line in lines))
        done = self.world.run("handoff", "complete", "lw/splunk", *options)
        for line in lines[1:]:
            assert line not in done.all
        return done


@pytest.fixture
def story(world: World, lacework: Organisation, monkeypatch: pytest.MonkeyPatch) -> Story:
    def stdin(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return Story(world, lacework, stdin)


def test_key_file_from_the_console(story: Story, tmp_path: Path) -> None:
    """Its secret goes to Vault, the file goes if that is said, and there is nothing to do after that."""
    file = tmp_path / "key.json"
    file.write_text(json.dumps(story.make(story.ask())))
    done = story.complete(options=("--key-file", str(file), "--remove-key-file"))
    assert done.status == 0, done
    assert not file.exists()
    assert story.world.secret(tenant="lw")["secret"] not in done.all
    assert story.world.plan().status == 0
    assert story.world.run("handoff").status == 0


def test_key_file_stays_where_nobody_says_otherwise(story: Story, tmp_path: Path) -> None:
    """Without a terminal nobody is asked; the command says that the file still holds the secret."""
    file = tmp_path / "key.json"
    file.write_text(json.dumps(story.make(story.ask())))
    done = story.complete(options=("--key-file", str(file)))
    assert (done.status, file.exists()) == (0, True)
    assert f"{file} still holds the secret: remove it" in done.err


def test_nothing_is_asked_for_twice(story: Story) -> None:
    """A second apply finds the handoff open, and so does a plan."""
    story.ask()
    before = story.world.state("lw")["intents"]
    again = story.world.apply()
    assert again.status == 6
    assert "1 handoff still open" in again.out
    assert story.world.state("lw")["intents"] == before
    assert story.world.plan().status == 6
    listed = story.world.run("handoff", "--format", "json")
    assert listed.status == 6
    [waiting] = listed.json["tenants"][0]["waiting"]
    assert (waiting["object"], waiting["asks"]) == ("ApiKey/splunk", "create a key")
    assert any("[rcl:" in step for step in waiting["steps"])


@pytest.mark.promise(1)
def test_promise_1_wrong_secret_is_refused_and_nothing_is_written(story: Story) -> None:
    """It is tried at the vendor before it is stored."""
    made = story.make(story.ask())
    wrong = story.complete(made["keyId"], "_" + "x" * 40)
    assert wrong.status == 1
    assert "the vendor does not accept this id and secret" in wrong.err
    with pytest.raises(Exception, match="404"):
        story.world.secret(tenant="lw")
    assert story.complete(made["keyId"], made["secret"]).status == 0


@pytest.mark.parametrize("lines", [(), ("only-one",), ("one", "two", "three")])
def test_wrong_number_of_lines(story: Story, lines: tuple[str, ...]) -> None:
    """It says which values are wanted, in which order."""
    story.ask()
    refused = story.complete(*lines)
    assert refused.status == 1
    assert "hint: one value a line: keyId, secret" in refused.err


def test_key_that_is_another_ones(story: Story) -> None:
    """A key that is recorded already is not taken in a second time."""
    made = story.make(story.ask())
    assert story.complete(made["keyId"], made["secret"]).status == 0
    story.world.write("key2.yaml", KEY.replace("name: splunk", "name: jira"))
    assert story.world.apply().status == 6
    story._stdin(f"{made['keyId']}\n{made['secret']}\n")
    refused = story.world.run("handoff", "complete", "lw/jira")
    assert refused.status == 1
    assert "is ApiKey/splunk already" in refused.err


def test_what_is_not_open(story: Story) -> None:
    """A handoff that nobody has opened is told apart from one that is not needed."""
    not_yet = story.complete("an-id", "a-secret")
    assert (not_yet.status, "nobody has been asked for it yet" in not_yet.err) == (1, True)
    story.world.remove("key.yaml")
    assert story.complete("an-id", "a-secret").status == 1


def test_cancelled_and_asked_for_again(story: Story) -> None:
    """The next apply asks for what is still wanted, with the same mark."""
    first = story.ask()
    assert story.world.run("handoff", "cancel", "lw/splunk").status == 0
    assert story.world.state("lw")["intents"] == {}
    mark = re.search(r"\[rcl:\S+\]", first)
    assert mark is not None
    assert mark[0] in story.ask()


def test_removal_by_hand(story: Story) -> None:
    """A person deletes the key; the word for it removes secret and record."""
    made = story.make(story.ask())
    assert story.complete(made["keyId"], made["secret"]).status == 0
    story.world.remove("key.yaml")
    asked = story.world.apply()
    assert asked.status == 6
    assert "delete it" in asked.out
    story.lacework.console_delete_key(made["keyId"])
    assert story.complete().status == 0
    assert "ApiKey/splunk" not in story.world.state("lw")["objects"]
    assert story.world.plan().status == 0


def test_removal_that_was_told_already(story: Story) -> None:
    """Told once more it is done already: Vault's metadata says that there was such a key. Of another nothing is claimed."""
    made = story.make(story.ask())
    assert story.complete(made["keyId"], made["secret"]).status == 0
    assert "no handoff is open for it" in story.complete().err
    story.world.remove("key.yaml")
    story.ask()
    story.lacework.console_delete_key(made["keyId"])
    assert story.complete().status == 0
    again = story.complete()
    assert again.status == 0
    assert f"done already: key {made['keyId']} is not recorded any more, and its secret at" in again.out
    assert story.world.run("handoff", "cancel", "lw/splunk").status == 1
    for never in ("lw/jira", "lw/ServiceUser/jira"):
        done = story.world.run("handoff", "complete", never)
        assert (done.status, "no handoff is open for it" in done.err) == (1, True)
    story.world.write("key.yaml", KEY)
    assert "nobody has been asked for it yet" in story.complete().err


def test_removal_of_a_revoked_key_that_was_told_already(story: Story) -> None:
    """Only the tombstone is left, and that is said."""
    made = story.make(story.ask())
    assert story.complete(made["keyId"], made["secret"]).status == 0
    assert story.world.run("revoke", "lw/splunk", "--reason", "leaked", "--auto-approve").status == 6
    story.lacework.console_delete_key(made["keyId"])
    assert story.complete().status == 0
    again = story.complete()
    assert (again.status, "done already: it was revoked" in again.out) == (0, True)


def test_rotation_by_hand(story: Story) -> None:
    """The next generation is made by a person; the former one is asked away when its overlap is over."""
    first = story.make(story.ask())
    assert story.complete(first["keyId"], first["secret"]).status == 0
    rotated = story.world.run("rotate", "lw/splunk", "--auto-approve")
    assert rotated.status == 6
    second = story.make(rotated.out)
    assert story.complete(second["keyId"], second["secret"]).status == 0
    assert story.world.secret(tenant="lw")["keyId"] == second["keyId"]
    assert story.world.plan().status == 0
    story.world.age(2, tenant="lw")
    retired = story.world.apply()
    assert retired.status == 6
    assert "delete the former generation" in retired.out
    story.lacework.console_delete_key(first["keyId"])
    assert story.complete().status == 0
    assert story.world.plan().status == 0


def test_rotation_by_hand_that_drops_the_former_generation(story: Story) -> None:
    """A person ends the former generation before the next one is asked for: each run says that nothing is rotated yet."""
    first = story.make(story.ask())
    assert story.complete(first["keyId"], first["secret"]).status == 0
    second = story.make(story.world.run("rotate", "lw/splunk", "--auto-approve").out)
    assert story.complete(second["keyId"], second["secret"]).status == 0
    drop = ("rotate", "lw/splunk", "--auto-approve", "--drop-previous")
    for _ in range(2):
        asked = story.world.run(*drop)
        assert asked.status == 6, asked
        assert "nothing is rotated yet: a person has to delete the former generation first" in asked.err
    story.lacework.console_delete_key(first["keyId"])
    assert story.complete().status == 0
    rotated = story.world.run(*drop)
    assert (rotated.status, "nothing is rotated yet" in rotated.err) == (6, False)
    third = story.make(rotated.out)
    assert story.complete(third["keyId"], third["secret"]).status == 0
    assert story.world.secret(tenant="lw")["keyId"] == third["keyId"]


@pytest.mark.promise(1)
def test_promise_1_at_a_terminal_nothing_is_echoed(story: Story) -> None:
    """Id and secret are asked for one after the other, and what is typed is not shown."""
    made = story.make(story.ask())
    leader, follower = pty.openpty()

    def own_terminal() -> None:
        os.setsid()
        fcntl.ioctl(follower, termios.TIOCSCTTY, 0)

    child = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "handoff", "complete", "lw/splunk"],
        cwd=story.world.folder, stdin=follower, stdout=follower, stderr=follower, env=dict(os.environ),
        preexec_fn=own_terminal,  # noqa: PLW1509  a terminal can be taken in the child only, before it starts
    )  # fmt: skip
    os.close(follower)
    shown = ""
    with contextlib.suppress(OSError):  # the terminal is gone when the child has ended
        for field in ("keyId", "secret"):
            while f"{field}:" not in shown:
                shown += os.read(leader, 4096).decode()
            os.write(leader, f"{made[field]}\n".encode())
        while piece := os.read(leader, 4096).decode():
            shown += piece
    assert child.wait(30) == 0, shown
    os.close(leader)
    story.world.printed.append(shown)
    assert made["secret"] not in shown
    assert made["keyId"] not in shown.partition("its secret is at")[0].partition("key ")[0]
    assert story.world.secret(tenant="lw")["secret"] == made["secret"]
