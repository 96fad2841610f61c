"""The one comment of a pull request."""

from __future__ import annotations

import pytest

from reconciler.model.secret import Secret
from reconciler.notify.github import BODY_LIMIT, GitHub, Place
from reconciler.notify.marker import marker
from reconciler.notify.sticky import fitting, joined, upsert
from tests.support.github import BOT, REPOSITORY, TOKEN, Hub

PATCHES = "PATCH /repos/{owner}/{repo}/issues/comments/{id}"


@pytest.fixture
def client(hub: Hub) -> GitHub:
    hub.pull_request(7)
    return GitHub(Place(hub.endpoint, REPOSITORY), Secret(TOKEN))


def test_one_comment_that_changes(hub: Hub, client: GitHub) -> None:
    """The second run updates the first one's; nothing is sent while nothing changes."""
    upsert(client, 7, "", "one")
    upsert(client, 7, "", "two")
    assert hub.requests[PATCHES] == 1
    upsert(client, 7, "", "two\r\n")
    assert hub.requests[PATCHES] == 1
    (body,) = hub.bodies()
    assert body == f"{marker('comment', '')}\ntwo"


def test_names_tell_comments_apart(hub: Hub, client: GitHub) -> None:
    """Several estates of one repository each have their own, whatever their names are."""
    for name in ("a", "b", "--> <b>", "a"):
        upsert(client, 7, name, f"of {name}")
    assert [body.partition("\n")[2] for body in hub.bodies()] == ["of a", "of b", "of --> <b>"]
    assert all(body.partition("\n")[0].count("-->") == 1 for body in hub.bodies())


def test_a_marker_that_somebody_copied(hub: Hub, client: GitHub) -> None:
    """A comment with our marker by somebody else is left alone, and ours is written beside it."""
    first = marker("comment", "")
    hub.comment(7, f"{first}\nnothing to see here")
    upsert(client, 7, "", "the truth")
    upsert(client, 7, "", "the truth again")
    assert hub.bodies("eve") == [f"{first}\nnothing to see here"]
    assert hub.bodies() == [f"{first}\nthe truth again"]


def test_a_marker_that_is_quoted(hub: Hub, client: GitHub) -> None:
    """Only one that stands first counts, even in a comment of ours."""
    hub.comment(7, f"> {marker('comment', '')}\nquoted", BOT)
    upsert(client, 7, "", "new")
    assert len(hub.bodies()) == 2


def test_two_runs_at_once(hub: Hub, client: GitHub) -> None:
    """Both found none and both wrote: the older comment gets the text, the other one points to it."""
    hub.before_create = lambda: hub.comment(7, f"{marker('comment', '')}\nof the other run", BOT) and None
    kept = upsert(client, 7, "", "of this run")
    older, newer = hub.bodies()
    assert older.endswith("of this run")
    assert newer.startswith("*Two runs wrote at once: [this comment](")
    assert kept.html_url in newer
    upsert(client, 7, "", "of the next run")
    assert [body.partition("\n")[2] for body in hub.bodies()] == ["of the next run", ""]


def test_beyond_the_first_page(hub: Hub, client: GitHub) -> None:
    """Our comment is found behind a hundred others."""
    for number in range(130):
        hub.comment(7, f"comment {number}")
    upsert(client, 7, "", "one")
    upsert(client, 7, "", "two")
    assert len(hub.bodies()) == 1


def test_too_long(hub: Hub, client: GitHub) -> None:
    """It is cut at a line's end with a note, and folds that are open are closed: GitHub takes it."""
    text = "<details><summary>x</summary>\n\n" + "a line of text\n" * 10_000 + "</details>\n"
    upsert(client, 7, "", text)
    (body,) = hub.bodies()
    assert BODY_LIMIT - 500 < len(body) <= BODY_LIMIT
    assert "Cut here: a comment holds 65,536 characters" in body
    assert body.count("<details>") == body.count("</details>") == 1
    assert len(fitting("x" * 100_000)) <= BODY_LIMIT
    assert len(fitting("<details>" * 20_000)) <= BODY_LIMIT


def test_joined() -> None:
    """Files in their order, with a blank line between."""
    assert joined(["a\n", "\nb\n\n"]) == "a\n\nb\n"
