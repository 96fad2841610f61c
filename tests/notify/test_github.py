"""The client of GitHub's API: what it sends, what it gives up on, and where its token goes."""

from __future__ import annotations

import logging
import time
import traceback

import pytest
import requests
from starlette.responses import HTMLResponse

from reconciler.emulator.faults import FaultName
from reconciler.errors import (
    AuthenticationFailed,
    ContractBroken,
    InvalidInput,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
    RateLimited,
    ReconcilerError,
    Rejected,
    RetryLater,
)
from reconciler.model.secret import Secret
from reconciler.notify.github import GitHub, Place, token_from
from tests.support.github import BOT, REPOSITORY, TOKEN, Account, Hub
from tests.support.openbao import Naps

THREAD = "/repos/{owner}/{repo}/issues/{number}/comments"
COMMENTS = "GET /repos/{owner}/{repo}/issues/{number}/comments"
CREATE = "POST /repos/{owner}/{repo}/issues/{number}/comments"


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def client(hub: Hub, naps: Naps) -> GitHub:
    hub.pull_request(7)
    return GitHub(Place(hub.endpoint, REPOSITORY), Secret(TOKEN), sleep=naps)


def test_comments_over_many_pages(hub: Hub, client: GitHub) -> None:
    """A hundred at a time, by number: the link that an answer holds is not followed."""
    for number in range(250):
        hub.comment(7, f"comment {number}")
    assert [one.body for one in client.comments(7)] == [f"comment {number}" for number in range(250)]
    assert hub.requests[COMMENTS] == 3


def test_issues_without_pull_requests(hub: Hub, client: GitHub) -> None:
    """Of a label, open or closed, over all pages."""
    for number in range(120):
        hub.issue(f"issue {number}", "x", labels=("drift",))["state"] = "closed" if number % 2 else "open"
    hub.issues[0]["labels"] = [{"name": "drift"}]
    assert len(client.issues("drift")) == 120
    assert client.issues("other") == []


def test_creating_and_updating(hub: Hub, client: GitHub) -> None:
    """Comments and issues, as the account whose token it is."""
    comment = client.create_comment(7, "one")
    assert client.update_comment(comment.id, "two").body == "two"
    issue = client.create_issue("title", "body", ["drift"])
    assert client.is_ours(issue)
    client.update_issue(issue.number, state="closed", state_reason="completed")
    assert hub.bodies() == ["two"]
    assert hub.issues[-1]["state"] == "closed"


def test_who_we_are_is_asked_once(hub: Hub, client: GitHub) -> None:
    """By GraphQL, for a workflow's token is refused by `GET /user`."""
    assert client.login() == client.login() == BOT
    assert (hub.requests["POST /graphql"], hub.requests["GET /user"]) == (1, 0)
    hub.accounts[TOKEN] = Account("octocat")
    assert not client.is_ours(client.create_comment(7, "x"))


@pytest.mark.parametrize(
    ("account", "status", "error"),
    [
        (None, 401, AuthenticationFailed),
        (Account(BOT, writes=False), 403, NotPermitted),
        (Account(BOT, sees=False), 404, NotFound),
    ],
)
def test_refusals(hub: Hub, client: GitHub, account: Account | None, status: int, error: type[ReconcilerError]) -> None:
    """A wrong token, one that may not write, a repository that is hidden from it: told apart, and not tried again."""
    hub.accounts = {} if account is None else {TOKEN: account}
    with pytest.raises(error, match=f"HTTP {status}") as told:
        client.create_comment(7, "x")
    assert told.value.hint
    assert hub.requests[CREATE] == 1


@pytest.mark.parametrize(
    ("status", "headers", "message", "waits"),
    [
        (403, {"Retry_After": "7"}, "You have exceeded a secondary rate limit", 7),
        (403, {}, "You have exceeded a secondary rate limit.", 60),
        (403, {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "{soon}"}, "API rate limit exceeded", 30),
        (429, {"Retry_After": "3"}, "slow down", 3),
    ],
)
def test_rate_limits(
    hub: Hub, client: GitHub, naps: Naps, status: int, headers: dict[str, str], message: str, waits: float
) -> None:
    """Primary or secondary: the call did not act, so that even a creation is made again, after the time asked for."""
    soon = str(int(time.time()) + 29)
    hub.answer(CREATE, status, message, **{name: value.replace("{soon}", soon) for name, value in headers.items()})
    client.create_comment(7, "x")
    assert hub.bodies() == ["x"]
    (nap,) = naps
    assert waits - 2 < nap < waits + 2


def test_a_rate_limit_for_long_is_for_the_next_run(hub: Hub, client: GitHub, naps: Naps) -> None:
    """Nobody waits for an hour."""
    hub.answer(COMMENTS, 429, "later", Retry_After="3600")
    with pytest.raises(RateLimited):
        client.comments(7)
    assert naps == []


def test_reads_are_tried_again_and_writes_are_not(hub: Hub, client: GitHub) -> None:
    """A server's error after a write may have acted: it is for the next run, which looks first."""
    hub.faults.inject("error-before", method="GET", path=THREAD, times=2)
    assert client.comments(7) == []
    hub.faults.inject("error-before", method="POST", path=THREAD)
    with pytest.raises(OutcomeUnknown):
        client.create_comment(7, "x")
    assert hub.requests[CREATE] == 1
    hub.faults.inject("error-before", method="GET", path=THREAD, times=None)
    with pytest.raises(RetryLater):
        client.comments(7)


@pytest.mark.parametrize("fault", ["html", "truncated"])
def test_answers_that_are_none(hub: Hub, client: GitHub, fault: FaultName) -> None:
    """A login page of a proxy, half a document: said to be what they are."""
    hub.comment(7, "x" * 100)
    hub.faults.inject(fault, method="GET", path=THREAD)
    with pytest.raises(ContractBroken):
        client.comments(7)


def test_an_answer_of_another_shape(hub: Hub, client: GitHub) -> None:
    """An object for a list, a comment without an id."""
    hub.answer(COMMENTS, 200)
    with pytest.raises(ContractBroken, match="no list"):
        client.comments(7)
    hub.answer(CREATE, 201)
    with pytest.raises(ContractBroken, match="id"):
        client.create_comment(7, "x")
    hub.answers.append(("POST /graphql", HTMLResponse("<p>", 200)))
    with pytest.raises(ContractBroken, match="HTML"):
        client.login()


@pytest.mark.parametrize(("status", "hint"), [(301, "renamed"), (307, "renamed"), (410, "no issues"), (422, "")])
def test_other_refusals(hub: Hub, client: GitHub, status: int, hint: str) -> None:
    """A repository that has moved: the token does not follow it. Issues that are switched off, a body that is refused."""
    hub.answer(CREATE, status, "because", Location="https://elsewhere.example/")
    with pytest.raises(Rejected, match=f"HTTP {status}") as told:
        client.create_comment(7, "x")
    assert hint in told.value.hint
    assert hub.requests[CREATE] == 1


def test_a_conflict(hub: Hub, client: GitHub) -> None:
    """Somebody else was first."""
    hub.answer(CREATE, 409)
    with pytest.raises(Rejected, match="409"):
        client.create_comment(7, "x")


def test_nobody_there(naps: Naps) -> None:
    """The error names the API, and no token."""
    client = GitHub(Place("http://127.0.0.1:9", REPOSITORY), Secret(TOKEN), sleep=naps)
    with pytest.raises(RetryLater, match="cannot be reached"):
        client.comments(7)
    client.close()


@pytest.mark.promise(1)
def test_promise_1_the_token_is_in_no_error_and_no_log(
    hub: Hub, client: GitHub, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor in a traceback, whatever goes wrong; a server that echoes it is cut short."""
    caplog.set_level(logging.DEBUG)
    told = []
    for fault in ("error-before", "html", "reset-before", "unauthorized", "forbidden", "rate-limited"):
        hub.faults.clear()
        hub.faults.inject(fault, method="POST", path=THREAD, times=None)
        with pytest.raises(ReconcilerError) as problem:
            client.create_comment(7, "x")
        told += traceback.format_exception(problem.value)
    assert TOKEN not in "".join(told) + caplog.text
    assert CREATE.partition(" ")[0] in caplog.text


@pytest.mark.parametrize(
    ("environ", "repository", "told"),
    [
        ({}, "", "not said which repository"),
        ({}, "acme", "'acme' is no repository"),
        ({}, "../..", "is no repository"),
        ({}, "acme/access/x", "is no repository"),
        ({"GITHUB_REPOSITORY": "a b/c"}, "", "is no repository"),
        ({"GITHUB_API_URL": "http://github.example"}, "a/b", "no https"),
        ({"GITHUB_API_URL": "https://user@github.example"}, "a/b", "no plain address"),
        ({"GITHUB_API_URL": "https://"}, "a/b", "no plain address"),
    ],
)
def test_places_that_are_none(environ: dict[str, str], repository: str, told: str) -> None:
    """No path is climbed, and no token is sent in the clear."""
    with pytest.raises(InvalidInput, match=told):
        Place.of(environ, repository)


def test_places() -> None:
    """What is given wins over the environment; a server of one's own has its own address."""
    environ = {"GITHUB_REPOSITORY": "acme/access", "GITHUB_API_URL": "https://ghe.example/api/v3/"}
    assert Place.of(environ) == Place("https://ghe.example/api/v3", "acme/access")
    assert Place.of(environ, "acme/other").repository == "acme/other"
    assert Place.of({}, "a/b").api == "https://api.github.com"


@pytest.mark.parametrize(
    ("api", "asked"),
    [
        ("https://api.github.com", "https://api.github.com/graphql"),
        ("https://ghe.example/api/v3", "https://ghe.example/api/graphql"),
    ],
)
def test_who_we_are_is_asked_of_the_same_host(api: str, asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of one's own has GraphQL beside its REST API, and no token goes to another."""
    sent: list[str] = []

    def request(_: requests.Session, method: str, url: str, **more: object) -> requests.Response:
        sent.append(url)
        raise requests.ConnectionError

    monkeypatch.setattr(requests.Session, "request", request)
    with pytest.raises(RetryLater):
        GitHub(Place(api, REPOSITORY), Secret(TOKEN), sleep=Naps()).login()
    assert set(sent) == {asked}


@pytest.mark.parametrize("token", ["", "  ", "two words", "n\x00ul", "tökén"])
def test_tokens_that_are_none(token: str) -> None:
    """Refused before anything is sent, and not quoted."""
    with pytest.raises(InvalidInput) as told:
        token_from({"GITHUB_TOKEN": token})
    assert not token.strip() or token not in str(told.value)
    assert token_from({"GITHUB_TOKEN": "x\n"}).reveal() == "x"
