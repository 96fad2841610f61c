"""The few REST calls of GitHub's that we use: listing, creating and updating comments and issues.

https://docs.github.com/rest, version 2022-11-28. The token goes to the API's own address and nowhere else: no redirect is
followed, and a page's successor is asked for by its number, not by the link that an answer holds. Reads are tried again;
a write is, only if GitHub says that it has counted us out, for then it did not act.

Who we are is asked by GraphQL, for that is the one way that the token of a workflow can be asked: `GET /user` refuses it.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import requests
from pydantic import BaseModel, ConfigDict
from requests.auth import AuthBase
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential

from reconciler.errors import (
    ContractBroken,
    InvalidInput,
    ReconcilerError,
    RetryLater,
    foreign,
)
from reconciler.model.hosts import is_loopback
from reconciler.model.secret import Secret
from reconciler.notify.refusals import refusal
from reconciler.providers.answers import Answer, Call, Effect, parse, parsed
from reconciler.providers.http import failed

_log = logging.getLogger(__name__)

BODY_LIMIT: Final = 65_536
"""Characters of a comment or of an issue's body."""
API: Final = "https://api.github.com"
_VERSION: Final = "2022-11-28"
_PAGE: Final = 100
_MOST_PAGES: Final = 100
_ATTEMPTS: Final = 4
_PATIENCE: Final = 60.0
"""Seconds that we wait for GitHub to count us in again; longer waits are for the next run."""
_BETWEEN: Final = "something between here and GitHub answered: check GITHUB_API_URL"
_LONGEST_ANSWER: Final = 32 * 1024 * 1024
_TIMEOUT: Final = (10.0, 30.0)
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")

_LIST_COMMENTS: Final = Call("GET", "/repos/{repository}/issues/{number}/comments", Effect.READ)
_CREATE_COMMENT: Final = Call("POST", "/repos/{repository}/issues/{number}/comments", Effect.ONCE)
_UPDATE_COMMENT: Final = Call("PATCH", "/repos/{repository}/issues/comments/{number}", Effect.ONCE)
_LIST_ISSUES: Final = Call("GET", "/repos/{repository}/issues", Effect.READ)
_CREATE_ISSUE: Final = Call("POST", "/repos/{repository}/issues", Effect.ONCE)
_UPDATE_ISSUE: Final = Call("PATCH", "/repos/{repository}/issues/{number}", Effect.ONCE)
_VIEWER: Final = Call("POST", "/graphql", Effect.READ)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class User(_Record):
    """An account. `login` of an app ends in `[bot]`."""

    login: str


class Label(_Record):
    """A label of an issue."""

    name: str


class Comment(_Record):
    """A comment of an issue or a pull request."""

    id: int
    body: str | None = None
    user: User | None = None
    html_url: str = ""


class Issue(_Record):
    """An issue; a pull request is one as well."""

    number: int
    state: str
    body: str | None = None
    user: User | None = None
    labels: tuple[Label, ...] = ()
    html_url: str = ""
    pull_request: dict[str, Any] | None = None


class _Viewer(_Record):
    viewer: User


class _WhoAmI(_Record):
    data: _Viewer


_Model = TypeVar("_Model", bound=BaseModel)


class _Bearer(AuthBase):
    """Puts the token into requests; because it is given, requests never looks into `.netrc`."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request


@dataclass(frozen=True, slots=True)
class Place:
    """Where to post: the API's address and the repository, `OWNER/REPO`."""

    api: str
    repository: str

    @classmethod
    def of(cls, environ: Mapping[str, str], repository: str = "") -> Place:
        """From `GITHUB_API_URL` and `GITHUB_REPOSITORY`, where no repository is given. InvalidInput if they are none."""
        name = repository or environ.get("GITHUB_REPOSITORY", "")
        if not _REPOSITORY.fullmatch(name) or {".", ".."} & set(name.split("/")):
            what = f"{foreign(name)!r} is no repository" if name else "it is not said which repository to post to"
            raise InvalidInput(what, hint="give OWNER/REPO, or set GITHUB_REPOSITORY")
        api = (environ.get("GITHUB_API_URL") or API).rstrip("/")
        parts = urlsplit(api)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            raise InvalidInput("GITHUB_API_URL is no https address", hint="a token is sent over TLS only")
        if not parts.hostname or parts.username or parts.query or parts.fragment:
            raise InvalidInput("GITHUB_API_URL is no plain address", hint=f"such as {API}")
        return cls(api, name)


def token_from(environ: Mapping[str, str]) -> Secret:
    """`GITHUB_TOKEN`. InvalidInput if it is not there, or cannot be one."""
    token = environ.get("GITHUB_TOKEN", "").strip()
    if not token:
        hint = "in a workflow: env: {GITHUB_TOKEN: ${{ github.token }}}, with permissions: {issues: write} or pull-requests"
        raise InvalidInput("GITHUB_TOKEN is not set", hint=hint)
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidInput("GITHUB_TOKEN holds characters that no token has")
    return Secret(token)


class GitHub:
    """One repository. Raises the errors of `reconciler.errors`; none of them holds the token. `sleep` is for tests."""

    def __init__(self, place: Place, token: Secret, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._place = place
        self._auth = _Bearer(token)
        self._sleep = sleep
        self._session = requests.Session()
        self._login = ""

    def close(self) -> None:
        """Give connections back."""
        self._session.close()

    def login(self) -> str:
        """Who we are: the login under which our comments and issues appear."""
        if not self._login:
            answer, _ = self._send(_VIEWER, body={"query": "query { viewer { login } }"}, url=_graphql(self._place.api))
            self._login = self._parsed(_VIEWER, _WhoAmI, answer).data.viewer.login
        return self._login

    def is_ours(self, item: Comment | Issue) -> bool:
        """Whether we have written it, and nobody who copied it from us."""
        return item.user is not None and item.user.login.casefold() == self.login().casefold()

    def comments(self, number: int) -> list[Comment]:
        """Every comment of an issue or pull request, oldest first."""
        return list(self._pages(_LIST_COMMENTS, Comment, number))

    def create_comment(self, number: int, body: str) -> Comment:
        """Write a comment."""
        return self._one(_CREATE_COMMENT, Comment, number, {"body": body})

    def update_comment(self, comment: int, body: str) -> Comment:
        """Replace a comment's text."""
        return self._one(_UPDATE_COMMENT, Comment, comment, {"body": body})

    def issues(self, label: str) -> list[Issue]:
        """Every issue with a label, open or closed, pull requests left out, newest first."""
        found = self._pages(_LIST_ISSUES, Issue, query={"labels": label, "state": "all"})
        return [one for one in found if one.pull_request is None]

    def create_issue(self, title: str, body: str, labels: Sequence[str]) -> Issue:
        """Open an issue. A label that does not exist yet is made, if the token may do that."""
        return self._one(_CREATE_ISSUE, Issue, body={"title": title, "body": body, "labels": list(labels)})

    def update_issue(self, number: int, **fields: str) -> Issue:
        """Change an issue's `title`, `body`, `state` (`open`, `closed`) or `state_reason`."""
        return self._one(_UPDATE_ISSUE, Issue, number, fields)

    def _one(self, call: Call, model: type[_Model], number: int = 0, body: Mapping[str, Any] | None = None) -> _Model:
        answer, _ = self._send(call, number, body)
        return self._parsed(call, model, answer)

    def _pages(
        self, call: Call, model: type[_Model], number: int = 0, query: Mapping[str, str] | None = None
    ) -> Iterator[_Model]:
        for page in range(1, _MOST_PAGES + 1):
            asked = {**(query or {}), "per_page": str(_PAGE), "page": str(page)}
            answer, more = self._send(call, number, query=asked)
            if not isinstance(answer, list):
                raise ContractBroken(f"{call} was answered with something that is no list", hint=_BETWEEN)
            yield from (self._parsed(call, model, one) for one in answer)
            if not more:
                return
        raise ContractBroken(f"{call} has more than {_MOST_PAGES} pages", hint="look for what fills it")

    def _parsed(self, call: Call, model: type[_Model], answer: Any) -> _Model:
        return parsed(call, self._place.api, model, answer)

    def _send(
        self,
        call: Call,
        number: int = 0,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        url: str = "",
    ) -> tuple[Any, bool]:
        """Make a call: its JSON, and whether there is another page of it."""
        path = call.template.format(repository=self._place.repository, number=number)
        retrying = Retrying(
            retry=retry_if_exception_type(RetryLater),
            wait=_wait,
            stop=lambda state: state.attempt_number >= _ATTEMPTS or _asked(state) > _PATIENCE,
            sleep=self._sleep,
            reraise=True,
        )
        answer: Answer = retrying(self._attempt, call, url or self._place.api + path, body, query)
        found = parse(answer.body)
        if found is None:
            page = "an HTML page" if answer.is_html else "something that is no JSON"
            raise ContractBroken(f"{call} was answered with HTTP {answer.status} and {page}", hint=_BETWEEN)
        return found, 'rel="next"' in answer.headers.get("Link", "")

    def _attempt(self, call: Call, url: str, body: Mapping[str, Any] | None, query: Mapping[str, str] | None) -> Answer:
        started = time.monotonic()
        answer = self._exchange(call, url, body, query)
        status = answer.status if isinstance(answer, Answer) else type(answer).__name__
        _log.debug("%s: %s in %.0f ms", call, status, (time.monotonic() - started) * 1000)
        if not isinstance(answer, Answer):
            raise answer
        if not 200 <= answer.status < 300:
            raise refusal(call, answer)
        return answer

    def _exchange(
        self, call: Call, url: str, body: Mapping[str, Any] | None, query: Mapping[str, str] | None
    ) -> Answer | ReconcilerError:
        """One request. Errors are returned, to be raised outside: a chained one would drag the token along."""
        headers = {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": _VERSION,
            "User-Agent": "access-reconciler",
        }
        try:
            with self._session.request(
                call.method, url, json=body, params=query, headers=headers, auth=self._auth, timeout=_TIMEOUT,
                allow_redirects=False, stream=True,
            ) as response:  # fmt: skip
                content = response.raw.read(_LONGEST_ANSWER + 1, decode_content=True)
                if len(content) > _LONGEST_ANSWER:
                    return ContractBroken(f"{call} was answered with more than 32 MB", hint="check GITHUB_API_URL")
                return Answer(
                    status=response.status_code,
                    content_type=response.headers.get("Content-Type", ""),
                    body=content,
                    retry_after=response.headers.get("Retry-After", ""),
                    date=response.headers.get("Date", ""),
                    headers=response.headers,
                )
        except (requests.RequestException, OSError, ValueError) as failure:
            return failed(call, self._place.api, failure)


def _graphql(api: str) -> str:
    """`https://api.github.com/graphql`; on a server of one's own `https://HOST/api/graphql` beside `https://HOST/api/v3`."""
    return api.removesuffix("/v3") + "/graphql"


def _asked(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    return (error.delay or 0.0) if isinstance(error, RetryLater) else 0.0


def _wait(state: RetryCallState) -> float:
    return max(_asked(state), wait_exponential(multiplier=0.5, max=10)(state))
