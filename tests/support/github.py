"""A stand-in of the calls of GitHub's API that we use, and a webhook that remembers: ask for `hub` or `hook`.

It is written from docs.github.com (REST 2022-11-28; rate limits; pagination), not from our client: what it does not know, it
answers with 404. A workflow's token is refused by `GET /user` and answered by GraphQL, as GitHub does it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from reconciler.emulator.base import Call, Emulator, Endpoint, Settings, json_response

REPOSITORY = "acme/access"
BOT = "github-actions[bot]"
TOKEN = "ghs_c4naryT0kenOfTheWorkflow"
_MOST = 65_536


@dataclass(frozen=True)
class Account:
    """Whose token it is, and what it may do."""

    login: str
    sees: bool = True
    writes: bool = True
    labels: bool = True


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Hub(Emulator):
    """One repository. `issues` and `comments` are as answers show them; `answers` go before anything else, once each."""

    name = "github"

    def __init__(self) -> None:
        super().__init__(Settings(seed=1))
        self.endpoint = ""
        self.accounts = {TOKEN: Account(BOT)}
        self.issues: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.answers: list[tuple[str, Response]] = []
        self.headers: list[Mapping[str, str]] = []
        self.before_create: Callable[[], None] | None = None
        repository = "/repos/{owner}/{repo}"
        table: list[tuple[str, str, Callable[[Call, Account], Response]]] = [
            ("GET", f"{repository}/issues/{{number}}/comments", self._list_comments),
            ("POST", f"{repository}/issues/{{number}}/comments", self._create_comment),
            ("PATCH", f"{repository}/issues/comments/{{id}}", self._update_comment),
            ("GET", f"{repository}/issues", self._list_issues),
            ("POST", f"{repository}/issues", self._create_issue),
            ("PATCH", f"{repository}/issues/{{number}}", self._update_issue),
            ("POST", "/graphql", self._viewer),
            ("GET", "/user", self._user),
        ]
        self.serve_endpoints(Endpoint(method, path, path, self._guarded(act)) for method, path, act in table)

    @property
    def credentials(self) -> Mapping[str, str]:
        """Nothing that a tenant could use."""
        return {}

    @property
    def issued(self) -> tuple[str, ...]:
        """Tokens are not issued here."""
        return ()

    def error(self, status: int, message: str) -> Response:
        """As GitHub writes errors."""
        return json_response({"message": message, "documentation_url": "https://docs.github.com/rest"}, status)

    def hide(self, created: Response) -> None:
        """Nothing is hidden here."""

    # --- other hands ---

    def pull_request(self, number: int) -> None:
        """A pull request, which is an issue as well."""
        self.issues.append({**self._issue(number, "A change", "", "eve", []), "pull_request": {"url": "x"}})

    def comment(self, number: int, body: str, login: str = "eve") -> dict[str, Any]:
        """Somebody's comment."""
        made = {
            "id": 1000 + len(self.comments), "issue": number, "body": body, "user": {"login": login},
            "html_url": f"https://github.example/{REPOSITORY}/pull/{number}#issuecomment-{1000 + len(self.comments)}",
        }  # fmt: skip
        self.comments.append(made)
        return made

    def issue(self, title: str, body: str, login: str = "eve", labels: tuple[str, ...] = ()) -> dict[str, Any]:
        """Somebody's issue."""
        made = self._issue(len(self.issues) + 1, title, body, login, list(labels))
        self.issues.append(made)
        return made

    def answer(self, call: str, status: int, message: str = "no", **headers: str) -> None:
        """Let the next such call (`GET /user`) be answered with that."""
        response = self.error(status, message)
        for name, value in headers.items():
            response.headers[name.replace("_", "-")] = value
        self.answers.append((call, response))

    def bodies(self, login: str = BOT) -> list[str]:
        """What an account's comments say."""
        return [one["body"] for one in self.comments if one["user"]["login"] == login]

    # --- the API ---

    def _issue(self, number: int, title: str, body: str, login: str, labels: list[str]) -> dict[str, Any]:
        return {
            "number": number, "title": title, "body": body, "state": "open", "user": {"login": login},
            "labels": [{"name": name} for name in labels], "html_url": f"https://github.example/{REPOSITORY}/{number}",
        }  # fmt: skip

    def _guarded(self, act: Callable[[Call, Account], Response]) -> Callable[[Call], Response]:
        def guarded(call: Call) -> Response:
            self.headers.append(call.headers)
            for at, (wanted, response) in enumerate(self.answers):
                if wanted == f"{call.method} {call.template}":
                    del self.answers[at]
                    return response
            try:
                return act(call, self._account(call))
            except _RefusedError as refused:
                return self.error(refused.status, refused.message)

        return guarded

    def _account(self, call: Call) -> Account:
        kind, _, token = call.headers.get("authorization", "").partition(" ")
        account = self.accounts.get(token) if kind == "Bearer" else None
        if account is None:
            raise _RefusedError(401, "Bad credentials")
        if call.headers.get("x-github-api-version") != "2022-11-28":
            raise _RefusedError(400, "no version")
        if call.headers.get("accept") != "application/vnd.github+json":
            raise _RefusedError(415, "no media type")
        if "owner" in call.params and (
            f"{call.params['owner']}/{call.params['repo']}" != REPOSITORY or not account.sees
        ):
            raise _RefusedError(404, "Not Found")
        if call.method in {"POST", "PATCH"} and call.template != "/graphql" and not account.writes:
            raise _RefusedError(403, "Resource not accessible by integration")
        return account

    def _page(self, call: Call, found: list[dict[str, Any]]) -> Response:
        size, page = int(call.query.get("per_page", "30")), int(call.query.get("page", "1"))
        if size > 100:
            raise _RefusedError(422, "per_page")
        response = json_response(found[(page - 1) * size : page * size])
        if page * size < len(found):
            response.headers["Link"] = f'<https://elsewhere.example/?page={page + 1}>; rel="next", <x>; rel="last"'
        return response

    def _list_comments(self, call: Call, _: Account) -> Response:
        number = self._one(call)["number"]
        return self._page(call, [one for one in self.comments if one["issue"] == number])

    def _create_comment(self, call: Call, account: Account) -> Response:
        number = self._one(call)["number"]
        if self.before_create is not None:
            first, self.before_create = self.before_create, None
            first()
        return JSONResponse(self.comment(number, self._body(call), account.login), 201)

    def _update_comment(self, call: Call, _: Account) -> Response:
        found = next((one for one in self.comments if str(one["id"]) == call.params["id"]), None)
        if found is None:
            raise _RefusedError(404, "Not Found")
        found["body"] = self._body(call)
        return json_response(found)

    def _list_issues(self, call: Call, _: Account) -> Response:
        label, state = call.query.get("labels"), call.query.get("state", "open")
        found = [
            one
            for one in reversed(self.issues)
            if (not label or label in [each["name"] for each in one["labels"]]) and state in {"all", one["state"]}
        ]
        return self._page(call, found)

    def _create_issue(self, call: Call, account: Account) -> Response:
        fields = call.json()
        labels = tuple(fields.get("labels", ())) if account.labels else ()
        return json_response(self.issue(fields["title"], self._body(call), account.login, labels), 201)

    def _update_issue(self, call: Call, _: Account) -> Response:
        found, fields = self._one(call), call.json()
        if "body" in fields:
            self._body(call)
        found.update({name: fields[name] for name in ("title", "body", "state", "state_reason") if name in fields})
        return json_response(found)

    def _viewer(self, call: Call, account: Account) -> Response:
        if "viewer" not in call.json()["query"]:
            raise _RefusedError(400, "query")
        return json_response({"data": {"viewer": {"login": account.login}}})

    def _user(self, _: Call, account: Account) -> Response:
        if account.login.endswith("[bot]"):
            raise _RefusedError(403, "Resource not accessible by integration")
        return json_response({"login": account.login})

    def _one(self, call: Call) -> dict[str, Any]:
        found = next((one for one in self.issues if str(one["number"]) == call.params["number"]), None)
        if found is None:
            raise _RefusedError(404, "Not Found")
        return found

    def _body(self, call: Call) -> str:
        text: str = call.json()["body"]
        if len(text) > _MOST:
            raise _RefusedError(422, "Validation Failed: body is too long (maximum is 65536 characters)")
        return text


class Hook(Emulator):
    """A webhook. Its address ends in a secret."""

    name = "webhook"
    secret = "c4naryOfTheWebhook"

    def __init__(self) -> None:
        super().__init__(Settings(seed=1))
        self.endpoint = ""
        self.status = 200
        self.got: list[Any] = []
        self.headers: list[Mapping[str, str]] = []
        self.serve_endpoints([Endpoint("POST", f"/services/{self.secret}", "/services/SECRET", self._take)])

    @property
    def credentials(self) -> Mapping[str, str]:
        """Nothing that a tenant could use."""
        return {}

    @property
    def issued(self) -> tuple[str, ...]:
        """No secret of a vendor."""
        return ()

    @property
    def url(self) -> str:
        """Where to post."""
        return f"{self.endpoint}/services/{self.secret}"

    def error(self, status: int, message: str) -> Response:
        """A word."""
        return Response(message, status)

    def hide(self, created: Response) -> None:
        """Nothing is hidden here."""

    def _take(self, call: Call) -> Response:
        self.headers.append(call.headers)
        if self.status >= 300:
            return Response(f"no {call.path}", self.status, {"Location": "https://elsewhere.example/"})
        self.got.append(call.json())
        return Response("ok")


@pytest.fixture
def hub(mount: Callable[[Emulator], str], monkeypatch: pytest.MonkeyPatch) -> Hub:
    """GitHub, as a workflow of its repository sees it."""
    hub = Hub()
    hub.endpoint = mount(hub)
    for name, value in {"API_URL": hub.endpoint, "REPOSITORY": REPOSITORY, "TOKEN": TOKEN}.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    for name in ("SERVER_URL", "RUN_ID"):
        monkeypatch.delenv(f"GITHUB_{name}", raising=False)
    return hub


@pytest.fixture
def hook(mount: Callable[[Emulator], str], monkeypatch: pytest.MonkeyPatch) -> Hook:
    """A webhook, whose address is in `SLACK_WEBHOOK`."""
    hook = Hook()
    hook.endpoint = mount(hook)
    monkeypatch.setenv("SLACK_WEBHOOK", hook.url)
    return hook
