"""TeamUsers, UserGroups and UserProfile, each operation from a caller and a call to a status and JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from reconciler.emulator.base import Call
from reconciler.providers.lacework.emulator.access import Caller, Refused
from reconciler.providers.lacework.emulator.options import Options
from reconciler.providers.lacework.emulator.state import SERVICE, STANDARD, Organisation, User

Result = tuple[int, Any]

_PAGE_LIFE_MS: Final = 24 * 3_600_000
_CREATE: Final = {
    STANDARD: {"type": str, "name": str, "email": str, "company": str, "userEnabled": int},
    SERVICE: {"type": str, "name": str, "description": str, "userEnabled": int},
}
_UPDATE: Final = {
    STANDARD: {"name": str, "userEnabled": int},
    SERVICE: {"name": str, "description": str, "userEnabled": int},
}


@dataclass(frozen=True, slots=True)
class _Rest:
    """The rows that a list has not shown yet, as they were when it was asked for."""

    ends_ms: int
    account: str
    total: int
    rows: list[Any]


class UserOperations:
    """What the public API offers."""

    def __init__(self, organisation: Organisation, options: Options, now_ms: Callable[[], int]) -> None:
        self._organisation = organisation
        self._options = options
        self._now_ms = now_ms
        self._pages: dict[str, _Rest] = {}
        self._stale: list[Any] = []
        self.hidden: set[str] = set()
        """Users that the next list leaves out."""

    def listing(self, caller: Caller, call: Call) -> Result:
        """All users of both types, in no order that means anything; further pages are at an address of their own."""
        users = self._organisation.accounts[caller.account].values()
        hidden, self.hidden = self.hidden, set()
        stale, self._stale = self._stale, []
        rows = [self._shown(user) for user in reversed(users) if user.guid not in hidden] + stale
        if len(rows) <= self._options.rows:
            return 200, {"data": rows}
        return 200, self._page(_Rest(self._now_ms() + _PAGE_LIFE_MS, caller.account, len(rows), rows), call)

    def next_page(self, caller: Caller, call: Call) -> Result:
        """A further page, for a day."""
        rest = self._pages.get(call.params["page"])
        if rest is None or rest.ends_ms <= self._now_ms() or rest.account != caller.account:
            raise Refused(404, "Not Found")
        return 200, self._page(rest, call)

    def get(self, caller: Caller, call: Call) -> Result:
        """One user."""
        return 200, {"data": self._shown(self._find(caller, call))}

    def create(self, caller: Caller, call: Call) -> Result:
        """A new user without groups."""
        caller.require_admin()
        body = _members(call)
        kind = body.get("type")
        if kind not in _CREATE:
            raise Refused(400, "type must be StandardUser or ServiceUser")
        _check(body, _CREATE[kind])
        if not body.get("name") or (kind == STANDARD and not body.get("email")):
            raise Refused(400, "name is required, and email for a StandardUser")
        users = self._organisation.accounts[caller.account]
        if kind == STANDARD and any(user.email.lower() == body["email"].lower() for user in users.values()):
            raise Refused(self._options.taken_email_status, "User with this email already exists.")
        user = self._organisation.add_user(
            caller.account,
            STANDARD if kind == STANDARD else SERVICE,
            body["name"],
            email=body.get("email", ""),
            company=body.get("company", ""),
            description=body.get("description", ""),
            enabled=bool(body.get("userEnabled", 1)),
        )
        return 201, {"data": self._shown(user)}

    def update(self, caller: Caller, call: Call) -> Result:
        """Change what the request names, and nothing else."""
        caller.require_admin()
        user = self._find(caller, call)
        body = _members(call)
        _check(body, _UPDATE[user.type])
        user.name = body.get("name", user.name)
        user.description = body.get("description", user.description)
        user.enabled = bool(body.get("userEnabled", user.enabled))
        return 200, {"data": self._shown(user)}

    def delete(self, caller: Caller, call: Call) -> Result:
        """The user goes, its keys too."""
        caller.require_admin()
        user = self._find(caller, call)
        if self._options.stale_lists:
            self._stale.append(self._shown(user))
        self._organisation.remove_user(user)
        return 204, None

    def add_to_group(self, caller: Caller, call: Call) -> Result:
        """Users join a group; those who are in it stay."""
        group, users, answer = self._membership(caller, call)
        for user in users:
            if group not in user.groups:
                user.groups.append(group)
        return 200, answer

    def remove_from_group(self, caller: Caller, call: Call) -> Result:
        """Users leave a group; those who are not in it stay out."""
        group, users, answer = self._membership(caller, call)
        for user in users:
            user.groups = [one for one in user.groups if one != group]
        return 200, answer

    def profile(self, caller: Caller, _call: Call) -> Result:
        """Whose token it is."""
        if not caller.is_admin and not self._options.profile_for_all:
            raise Refused(500, "Internal Server Error")
        user = caller.user
        account = {
            "admin": caller.is_admin,
            "accountName": (user.account or "EMULATOR").upper(),
            "custGuid": f"EMULATOR_{user.account.upper()}",
            "userGuid": user.guid,
            "userEnabled": int(user.enabled),
        }
        profile = {"username": user.email or user.name, "orgAccount": bool(self._options.sub_accounts), "url": "",
                   "orgAdmin": caller.is_admin, "orgUser": False, "accounts": [account]}  # fmt: skip
        return 200, {"data": [profile]}

    def audit(self, _caller: Caller, call: Call) -> Result:
        """No audit log is kept: a search finds nothing, which is an answer without a body."""
        if not isinstance(call.json(), dict):
            raise Refused(400, "The request body is no JSON object.")
        return 204, None

    def _page(self, rest: _Rest, call: Call) -> dict[str, Any]:
        size = self._options.rows
        shown, left = rest.rows[:size], rest.rows[size:]
        address = None
        if left:
            name = self._organisation.hexadecimal(24)
            self._pages[name] = replace(rest, rows=left)
            address = f"https://{call.headers['host']}/api/v2/NextPage/TeamUsers/{name}"
        paging = {"rows": len(shown), "totalRows": rest.total, "urls": {"nextPage": address}}
        return {"data": shown, "paging": paging}

    def _shown(self, user: User) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "name": user.name,
            "email": user.email,
            "company": user.company,
            "userGuid": user.guid,
            "userEnabled": int(user.enabled),
            "type": user.type,
            "userGroups": [
                {"userGroupGuid": group, "userGroupName": self._organisation.groups[group]} for group in user.groups
            ],
            "lastLoginTime": user.last_login_ms,
            "orgAccess": "NO_ORG_ACCESS",
        }
        if user.type == SERVICE and self._options.tells_descriptions:
            shown["description"] = user.description
        return shown

    def _find(self, caller: Caller, call: Call) -> User:
        user = self._organisation.accounts[caller.account].get(call.params["userGuid"])
        if user is None:
            raise Refused(404, "Not Found")
        return user

    def _membership(self, caller: Caller, call: Call) -> tuple[str, list[User], Any]:
        caller.require_admin()
        body = _members(call)
        _check(body, {"userGuids": list})
        group = self._organisation.group(call.params["userGroupGuid"])
        if group is None:
            raise Refused(400, "The user group does not exist.")
        guids = body.get("userGuids") or []
        found = [self._organisation.accounts[caller.account].get(guid) for guid in guids]
        users = [user for user in found if user is not None]
        if not users or len(users) < len(found):
            raise Refused(400, "userGuids names a user that does not exist.")
        return group, users, {"data": {"userGroupGuid": group, "userGuids": guids}}


def _members(call: Call) -> dict[str, Any]:
    body = call.json()
    if not isinstance(body, dict):
        raise Refused(400, "The request body is no JSON object.")
    return body


def _check(body: dict[str, Any], known: dict[str, type]) -> None:
    for name, value in body.items():
        if name not in known:
            raise Refused(400, f"key {name} is unrecognized")
        if not isinstance(value, known[name]) or (name == "userEnabled" and value not in (0, 1)):
            raise Refused(400, f"{name} has the wrong type")
