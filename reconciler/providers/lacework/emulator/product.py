"""The emulated product: its routes, and what a person does in its console."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final, Literal

from starlette.responses import Response

from reconciler.emulator.base import Call, Emulator, Endpoint, Settings, json_response
from reconciler.providers.lacework.emulator.access import EXCHANGE, Caller, Gate, Refused
from reconciler.providers.lacework.emulator.options import CALLS, KEYS_PER_USER, Options
from reconciler.providers.lacework.emulator.state import ADMIN, SERVICE, STANDARD, Key, Organisation, User
from reconciler.providers.lacework.emulator.users import UserOperations

_Operation = Callable[[Caller, Call], tuple[int, Any]]
_LARGEST: Final = 1024 * 1024

BOOTSTRAP: Final = "admin@example.com"
"""The person whose key exists from the start, an admin."""


class Lacework(Emulator):
    """One organisation. Methods named `console_…` are what a person does in the console, others happen behind its back."""

    name: ClassVar[str] = "lacework"

    def __init__(self, settings: Settings | None = None, options: Options | None = None) -> None:
        settings = settings or Settings()
        super().__init__(settings)
        options = options or Options()
        if settings.rate_limit is not None:
            options = replace(options, calls=settings.rate_limit.per_key or CALLS)
        self.options = options
        self.account = ""
        """What downloaded key files name as their account; nothing: they name none."""
        self.organisation = Organisation(settings.random(), options.sub_accounts)
        self.gate = Gate(self.organisation, options)
        self._users = UserOperations(self.organisation, options, lambda: self.clock.now_ms())  # noqa: PLW0108  the clock may change
        self.admin = self.add_user(BOOTSTRAP, email=BOOTSTRAP, groups=[ADMIN])
        """The GUID of the person whose key the credentials are."""
        self._bootstrap = self.console_create_key(BOOTSTRAP, "bootstrap", "The credential that everything starts with.")
        self.serve_endpoints(self._endpoints())

    @property
    def credentials(self) -> Mapping[str, str]:
        """The bootstrap key."""
        return {"keyId": self._bootstrap["keyId"], "secret": self._bootstrap["secret"]}

    @property
    def issued(self) -> tuple[str, ...]:
        """Every secret and every token that was ever issued, dead ones included."""
        with self.lock:
            return tuple(self.organisation.issued)

    def error(self, status: int, message: str) -> Response:
        """`{"message": …}`."""
        return json_response({"message": message}, status)

    def hide(self, created: Response) -> None:
        """Leave the user of this answer out of the next list."""
        content = json.loads(bytes(created.body))
        if isinstance(content.get("data"), dict):
            with self.lock:
                self._users.hidden.add(content["data"]["userGuid"])

    # What a person does in the console. Users are named by GUID, e-mail address or name.

    def console_create_key(self, owner: str, name: str, description: str = "") -> dict[str, str]:
        """Make a key for a user and download its file. ValueError at a user's twenty-first key."""
        with self.lock:
            user = self._user(owner)
            if sum(key.owner == user.guid for key in self.organisation.keys.values()) >= KEYS_PER_USER:
                raise ValueError(f"{user.name} has {KEYS_PER_USER} keys already")
            key = self.organisation.add_key(user, name, description, self.clock.now_ms())
            file = {"keyId": key.key_id, "secret": key.secret}
            file |= {"account": self.account} if self.account else {}
            return file | ({"subAccount": user.account} if user.account else {})

    def console_disable_key(self, key_id: str) -> None:
        """Make a key inactive: tokens that were issued before go on working."""
        with self.lock:
            self.organisation.keys[key_id].active = False

    def console_enable_key(self, key_id: str) -> None:
        """Make a key active again."""
        with self.lock:
            self.organisation.keys[key_id].active = True

    def console_delete_key(self, key_id: str) -> None:
        """Delete a key and its tokens. KeyError if there is none."""
        with self.lock:
            self.organisation.remove_key(key_id)

    def console_add_group(self, guid: str, name: str) -> None:
        """Make a user group."""
        with self.lock:
            self.organisation.groups[guid] = name

    def api_keys(self) -> list[Key]:
        """Copies of all keys, oldest first."""
        with self.lock:
            return [replace(key) for key in self.organisation.keys.values()]

    # Behind the reconciler's back.

    def add_user(
        self,
        name: str,
        kind: Literal["StandardUser", "ServiceUser"] = STANDARD,
        *,
        account: str = "",
        **members: Any,
    ) -> str:
        """Make a user and return its GUID. `members` as in `User`."""
        with self.lock:
            return self.organisation.add_user(account.lower(), kind, name, **members).guid

    def add_service_user(self, name: str, **members: Any) -> str:
        """Make a service user and return its GUID."""
        return self.add_user(name, SERVICE, **members)

    def edit_user(self, user: str, **members: Any) -> None:
        """Change a user."""
        with self.lock:
            found = self._user(user)
            for member, value in members.items():
                setattr(found, member, value)

    def delete_user(self, user: str) -> None:
        """Delete a user and its keys."""
        with self.lock:
            self.organisation.remove_user(self._user(user))

    def users(self, account: str = "") -> list[User]:
        """Copies of an account's users, oldest first."""
        with self.lock:
            found = self.organisation.accounts[account.lower()].values()
            return [replace(user, groups=[*user.groups], calls={}) for user in found]

    def _user(self, wanted: str) -> User:
        everybody = [user for users in self.organisation.accounts.values() for user in users.values()]
        for user in everybody:
            if wanted in {user.guid, user.email, user.name}:
                return user
        raise LookupError(f"no user {wanted!r}")

    # HTTP.

    def _endpoints(self) -> list[Endpoint]:
        users = self._users
        table: list[tuple[str, str, _Operation]] = [
            ("GET", "/api/v2/TeamUsers", users.listing),
            ("POST", "/api/v2/TeamUsers", users.create),
            ("GET", "/api/v2/TeamUsers/{userGuid}", users.get),
            ("PATCH", "/api/v2/TeamUsers/{userGuid}", users.update),
            ("DELETE", "/api/v2/TeamUsers/{userGuid}", users.delete),
            ("GET", "/api/v2/NextPage/TeamUsers/{page}", users.next_page),
            ("POST", "/api/v2/UserGroups/{userGroupGuid}/addUsers", users.add_to_group),
            ("POST", "/api/v2/UserGroups/{userGroupGuid}/removeUsers", users.remove_from_group),
            ("GET", "/api/v2/UserProfile", users.profile),
            ("POST", "/api/v2/AuditLogs/search", users.audit),
        ]
        return [
            Endpoint("POST", EXCHANGE, EXCHANGE, self._exchange),
            *(
                Endpoint(method, template, template, self._answer(operation), creates=operation == users.create)
                for method, template, operation in table
            ),
        ]

    def _exchange(self, call: Call) -> Response:
        """A token for a key, counted for the key's owner."""

        def act(now_ms: int) -> tuple[int, Any, Mapping[str, str]]:
            key, owner, seconds = self.gate.identify(call)
            headers = self.gate.count(owner, _function(call), now_ms) if self.options.count_tokens else {}
            return 201, self.gate.issue(key, owner, seconds, now_ms), headers

        return self._respond(call, act)

    def _answer(self, operation: _Operation) -> Callable[[Call], Response]:
        def answer(call: Call) -> Response:
            def act(now_ms: int) -> tuple[int, Any, Mapping[str, str]]:
                caller = self.gate.admit(call, now_ms)
                headers = self.gate.count(caller.user, _function(call), now_ms)
                try:
                    return (*operation(caller, call), headers)
                except Refused as refused:
                    refused.headers = headers
                    raise

            return self._respond(call, act)

        return answer

    def _respond(self, call: Call, act: Callable[[int], tuple[int, Any, Mapping[str, str]]]) -> Response:
        if len(call.body) > _LARGEST:
            return self.error(400, "The request body is larger than 1 MB.")
        try:
            status, content, headers = act(self.clock.now_ms())
        except Refused as refused:
            response, headers = self.error(refused.status, refused.message), refused.headers
        except ValueError:
            return self.error(400, "The request body is not JSON.")
        else:
            response = Response(status_code=status) if content is None else json_response(content, status)
        response.headers.update(headers)
        return response


def _function(call: Call) -> str:
    """What a call is counted as: method and endpoint, whatever the ids in it."""
    return f"{call.method} {'/'.join(part for part in call.template.split('/') if not part.startswith('{'))}"
