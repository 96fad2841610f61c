"""The issue that opens, changes and closes by itself."""

from __future__ import annotations

import pytest

from reconciler.errors import NotPermitted
from reconciler.model.secret import Secret
from reconciler.notify.github import GitHub, Place
from reconciler.notify.issue import LABEL, Did, keep
from reconciler.notify.marker import marker
from tests.support.github import BOT, REPOSITORY, TOKEN, Account, Hub

PATCHES = "PATCH /repos/{owner}/{repo}/issues/{number}"


@pytest.fixture
def client(hub: Hub) -> GitHub:
    return GitHub(Place(hub.endpoint, REPOSITORY), Secret(TOKEN))


def run(client: GitHub, text: str, *, drift: bool = True, complete: bool = True, name: str = "estate") -> Did:
    return keep(client, name, "Drift in acme", text, drift=drift, complete=complete)[0]


def test_its_life(hub: Hub, client: GitHub) -> None:
    """Opened, left alone, updated, closed with a note, left alone, opened again."""
    assert run(client, "", drift=False) is Did.NOTHING
    assert hub.issues == []
    assert run(client, "one") is Did.OPENED
    assert run(client, "one") is Did.NOTHING
    assert hub.requests[PATCHES] == 0
    assert run(client, "two") is Did.UPDATED
    assert hub.comments == []
    assert run(client, "in sync", drift=False) is Did.CLOSED
    assert [hub.issues[0]["state"], hub.issues[0]["state_reason"]] == ["closed", "completed"]
    assert run(client, "in sync", drift=False) is Did.NOTHING
    assert run(client, "three") is Did.REOPENED
    (issue,) = hub.issues
    assert issue["state"] == "open"
    assert issue["body"].endswith("\nthree")
    assert [body.partition(":")[0] for body in hub.bodies()] == ["The drift is gone", "There is drift again"]


def test_what_nobody_has_seen_closes_nothing(hub: Hub, client: GitHub) -> None:
    """While a tenant cannot be read the issue stays open, and says so."""
    run(client, "one")
    assert run(client, "dsm could not be read", drift=False, complete=False) is Did.UPDATED
    assert hub.issues[0]["state"] == "open"
    assert "could not be read" in hub.issues[0]["body"]
    assert run(client, "dsm could not be read", drift=False, complete=False) is Did.NOTHING


def test_estates_have_their_own(hub: Hub, client: GitHub) -> None:
    """Two estates in one repository: one closes while the other stays."""
    run(client, "a", name="a")
    run(client, "b", name="b")
    run(client, "", name="a", drift=False)
    assert [one["state"] for one in hub.issues] == ["closed", "open"]


def test_issues_of_others(hub: Hub, client: GitHub) -> None:
    """One with our marker and label by somebody else, and one of ours without the marker, are left alone."""
    hub.issue("x", f"{marker('drift', 'estate')}\n", labels=(LABEL,))
    hub.issue("y", "hello", BOT, (LABEL,))
    assert run(client, "one") is Did.OPENED
    assert [one["body"] for one in hub.issues[:2]] == [f"{marker('drift', 'estate')}\n", "hello"]


def test_the_one_that_is_open_counts(hub: Hub, client: GitHub) -> None:
    """Of several, an open one comes before those that are closed."""
    hub.issue("old", f"{marker('drift', 'estate')}\n", BOT, (LABEL,))["state"] = "closed"
    hub.issue("new", f"{marker('drift', 'estate')}\n", BOT, (LABEL,))
    assert run(client, "one") is Did.UPDATED
    assert [one["state"] for one in hub.issues] == ["closed", "open"]


def test_a_label_that_was_dropped(hub: Hub, client: GitHub) -> None:
    """GitHub says nothing of it, and the next run would open another issue: we say it."""
    hub.accounts[TOKEN] = Account(BOT, labels=False)
    with pytest.raises(NotPermitted, match="did not give it the label"):
        run(client, "one")
