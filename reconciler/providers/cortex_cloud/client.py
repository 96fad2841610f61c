"""The HTTP contract: paths, envelopes, signatures and paging (`vendors/cortex-cloud.md`, sections 1 to 4 and 8).

Secrets enter and leave the process here: a new one is taken out of the parsed answer at once, and the credential in use
is opened only to put it, or its hash, into a header.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel
from requests import PreparedRequest

from reconciler.errors import (
    Conflict,
    ContractBroken,
    Denied,
    InvalidInput,
    NotFound,
    NotPermitted,
    ReconcilerError,
    Rejected,
)
from reconciler.model.credential import Credential
from reconciler.model.secret import PLACEHOLDER, Secret
from reconciler.providers.answers import Call, Effect, parsed, reads, unusable
from reconciler.providers.base import ConnectionSettings, Issued, Verification
from reconciler.providers.cortex_cloud.capabilities import CAPABILITIES, SECURITY_LEVELS
from reconciler.providers.cortex_cloud.records import (
    DeletedReply,
    KeyList,
    KeyPage,
    KeyRecord,
    RoleList,
    RoleRecord,
    ScopeRecord,
    ScopeReply,
)
from reconciler.providers.cortex_cloud.refusals import said
from reconciler.providers.http import Authenticator, Transport
from reconciler.providers.pacing import Pacer, Pacers

LIST_KEYS: Final = Call("POST", "/public_api/v1/api_keys/get_api_keys", Effect.READ)
CREATE_KEY: Final = Call("POST", "/public_api/v1/api_keys/generate", Effect.ONCE)
DELETE_KEY: Final = Call("POST", "/public_api/v1/api_keys/delete", Effect.REPEATABLE)
EDIT_KEY: Final = Call("PUT", "/platform/iam/v1/api-key/{api_key_id}", Effect.REPEATABLE, answers=False)
READ_SCOPE: Final = Call("GET", "/platform/iam/v1/scope/api-key/{api_key_id}", Effect.READ)
EDIT_SCOPE: Final = Call("PUT", "/platform/iam/v1/scope/api-key/{api_key_id}", Effect.REPEATABLE, answers=False)
LIST_ROLES: Final = Call("GET", "/platform/iam/v1/role", Effect.READ)
CREATE_ROLE: Final = Call("POST", "/platform/iam/v1/role", Effect.ONCE)
DELETE_ROLE: Final = Call("DELETE", "/platform/iam/v1/role/{role_id}", Effect.REPEATABLE, answers=False)
CALLS: Final = (
    LIST_KEYS, CREATE_KEY, DELETE_KEY, EDIT_KEY, READ_SCOPE, EDIT_SCOPE, LIST_ROLES, CREATE_ROLE, DELETE_ROLE,
)  # fmt: skip

PAGE: Final = 100
"""How many keys a further page asks for; the first answer holds as many as the vendor likes."""

_READS: Final = reads(CALLS, CAPABILITIES.operations)
_PACERS: Final = Pacers()
_ALPHABET: Final = string.ascii_letters + string.digits
_NONCE_LENGTH: Final = 64
_CREATED_ROLE: Final = re.compile(r"role_id\s+(\S+)\s+created")
_LISTINGS: Final = 3

_Model = TypeVar("_Model", bound=BaseModel)


class _Signer(Authenticator):
    """The headers of a key (1): itself, or for an advanced one a hash of it with a nonce and the time in milliseconds."""

    def __init__(self, key_id: str, key: Secret, security_level: str, now: Callable[[], float] = time.time) -> None:
        value = key.reveal()
        if not (value.isascii() and value.isprintable() and " " not in value):
            what = "the credential holds spaces or characters that no key has"
            raise InvalidInput(what, hint="store the key again, exactly as the vendor showed it")
        self.key_id = key_id
        self._key = key
        self._advanced = security_level == "advanced"
        self._now = now

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["x-xdr-auth-id"] = self.key_id
        if not self._advanced:
            request.headers["Authorization"] = self._key.reveal()
            return request
        nonce = "".join(secrets.choice(_ALPHABET) for _ in range(_NONCE_LENGTH))
        timestamp = str(int(self._now() * 1000))
        request.headers["x-xdr-nonce"] = nonce
        request.headers["x-xdr-timestamp"] = timestamp
        request.headers["Authorization"] = hashlib.sha256(
            f"{self._key.reveal()}{nonce}{timestamp}".encode()
        ).hexdigest()
        return request

    def conceal(self, text: str) -> str:
        """The text without the key."""
        return text.replace(self._key.reveal(), PLACEHOLDER)


class Client:
    """One tenant's API. Raises what `Transport.send` raises; ContractBroken for answers of the wrong shape.

    `page` is how many keys a further page asks for; `pacer`, `clock` and `sleep` are for tests.
    """

    def __init__(
        self,
        endpoint: str,
        credential: Credential,
        settings: ConnectionSettings,
        *,
        page: int = PAGE,
        pacer: Pacer | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        signer = _signer(self.endpoint, credential.fields)
        self.key_id = signer.key_id
        self._page = page
        self._transport = Transport(
            self.endpoint,
            auth=signer,
            reads=_READS,
            settings=settings,
            # The vendor counts all of a tenant's calls together (8), so a new key's own are under the same pacer.
            pacer=pacer or _PACERS.within(CAPABILITIES.rate, settings.rate, self.endpoint),
            message=said,
            clock=clock,
            sleep=sleep,
        )

    @property
    def calls(self) -> int:
        """How many requests were sent so far."""
        return self._transport.calls

    def close(self) -> None:
        """Give connections back."""
        self._transport.close()

    def list_keys(self) -> list[KeyRecord]:
        """Every key, by rising id; expired ones are among them (2.1).

        One call where the vendor answers with everything, which is what was observed; what an answer leaves out is asked
        for by offset. The vendor cannot sort by id, so a list that changes while it is read is read again.
        """
        for _ in range(_LISTINGS):
            found = self._all_keys()
            if found is not None:
                return sorted(found.values(), key=lambda key: key.id)
        what = f"{LIST_KEYS} at {self.endpoint} does not give as many keys as it counts: its list cannot be trusted"
        raise ContractBroken(what, hint="nothing was changed; try again when nobody else creates keys")

    def key(self, key: str) -> KeyRecord | None:
        """One key; None if there is none with that id."""
        page = self._list({"filters": [_of_id(key)]})
        return next((one for one in page.data if str(one.id) == key), None)

    def keys_of_role(self, role: str) -> list[KeyRecord]:
        """The keys that have a role, by its display name."""
        page = self._list({"filters": [{"field": "roles", "operator": "contains", "value": [role]}]})
        return [one for one in page.data if role in one.roles]

    def create_key(self, body: Mapping[str, Any]) -> Issued:
        """Create a key. OutcomeUnknown if it may exist without our having its secret; bad input is answered so too."""
        reply = self._transport.send(CREATE_KEY, {"request_data": body}).get("reply")
        answer = reply if isinstance(reply, dict) else {}
        value, number = answer.pop("key", None), answer.get("id")
        if not isinstance(value, str) or not value:
            raise unusable(CREATE_KEY, "key")
        if not isinstance(number, int) or isinstance(number, bool) or number <= 0:
            raise unusable(CREATE_KEY, "id")
        fields: dict[str, Secret | str] = {
            "keyId": str(number),
            "key": Secret(value),
            "securityLevel": str(body["security_level"]),
            "endpoint": self.endpoint,
        }
        return Issued(str(number), fields)

    def edit_key(self, key: str, body: Mapping[str, Any]) -> None:
        """Give a key these roles, security level and comment. Rejected, with a hint, where the tenant has no such call."""
        gone: ReconcilerError
        try:
            self._transport.send(EDIT_KEY, {"request_data": body}, path={"api_key_id": key})
        except (Rejected, ContractBroken) as refused:
            if not _no_such_operation(refused):
                raise
            gone = refused
        else:
            return
        if isinstance(gone, NotFound) and self.key(key) is None:
            raise gone
        what = f"the key cannot be edited: {gone.what}"
        hint = (
            "the vendor documents this call, but not every tenant has it: replace the key, and write editableKeys: false "
            "in the tenant's options, so that changes are planned as replacements"
        )
        raise Rejected(what, hint=hint)

    def delete_key(self, key: str) -> None:
        """Delete a key; one that does not exist is deleted. Rejected if it is still there afterwards."""
        answer = self._transport.send(DELETE_KEY, {"request_data": {"filters": [_of_id(key)]}})
        if self._parsed(DELETE_KEY, DeletedReply, answer).reply.update_count == 0 and self.key(key) is not None:
            what = f"{DELETE_KEY} at {self.endpoint} was answered with success, but key {key} is still there"
            raise Rejected(
                what, hint="look at the key in the console: it may be one that this credential may not delete"
            )

    def scope(self, key: str) -> ScopeRecord | None:
        """What a key reaches; None where the vendor says that there is nothing."""
        try:
            answer = self._transport.send(READ_SCOPE, path={"api_key_id": key})
        except NotFound:
            return None
        return self._parsed(READ_SCOPE, ScopeReply, answer).data

    def edit_scope(self, key: str, body: Mapping[str, Any]) -> None:
        """Replace what a key reaches."""
        self._transport.send(EDIT_SCOPE, {"request_data": body}, path={"api_key_id": key})

    def roles(self) -> list[RoleRecord]:
        """Every role."""
        answer = self._parsed(LIST_ROLES, RoleList, self._transport.send(LIST_ROLES))
        told = answer.metadata.total_count if answer.metadata else None
        if told is not None and told > len(answer.data):
            what = f"{LIST_ROLES} at {self.endpoint} gives {len(answer.data)} of {told} roles: its list is not whole"
            raise ContractBroken(what, hint="the vendor's API may have changed")
        return answer.data

    def create_role(self, body: Mapping[str, Any]) -> str:
        """Create a role and return its id. Conflict if the name is taken."""
        taken: Conflict
        try:
            answer = self._transport.send(CREATE_ROLE, {"request_data": body})
        except Rejected as refused:
            if "already utilized" not in refused.what:
                raise
            taken = Conflict(refused.what, hint="a role of this name and content exists: the next plan will find it")
        else:
            data = answer.get("data")
            message = data.get("message") if isinstance(data, dict) else None
            found = _CREATED_ROLE.search(message) if isinstance(message, str) else None
            if found is None:
                raise unusable(CREATE_ROLE, "the role's id")
            return found[1]
        raise taken

    def delete_role(self, role: str) -> None:
        """Delete a role; one that does not exist is deleted."""
        try:
            self._transport.send(DELETE_ROLE, path={"role_id": role})
        except NotFound:
            return

    def verify(self, issued: Issued) -> Verification:
        """Ask, as the new key, for the list entry of itself.

        Most keys may not list keys. The vendor then says 403, and says it to authenticated callers only (8), so that a
        403 in its own words proves the secret as well.
        """
        key, level = issued.secret.get("key"), str(issued.secret.get("securityLevel"))
        if not isinstance(key, Secret):
            return Verification.BAD
        try:
            auth = _Signer(issued.vendor_id, key, level)
            self._transport.send(LIST_KEYS, {"request_data": {"filters": [_of_id(issued.vendor_id)]}}, auth=auth)
        except NotPermitted as refused:
            # A proxy in between says 403 too, without the vendor's words.
            return Verification.UNVERIFIABLE if refused.what.endswith("HTTP 403") else Verification.GOOD
        except (Denied, InvalidInput):
            return Verification.BAD
        except ReconcilerError:
            return Verification.UNVERIFIABLE
        return Verification.GOOD

    def _all_keys(self) -> dict[int, KeyRecord] | None:
        """One reading of the whole list; None if it does not add up."""
        page = self._list({})
        found = {key.id: key for key in page.data}
        count = page.filter_count if page.filter_count is not None else page.total_count
        read = len(page.data)
        while page.data and (read < count if count is not None else read > 0):
            page = self._list({"search_from": read, "search_to": read + self._page})
            if count is None and page.data and {key.id for key in page.data} <= set(found):
                break  # a vendor that counts nothing and pages nothing has already given everything
            read += len(page.data)
            found |= {key.id: key for key in page.data}
        whole = len(found) == read if count is None else len(found) == read == count
        return found if whole else None

    def _list(self, body: Mapping[str, Any]) -> KeyPage:
        return self._parsed(LIST_KEYS, KeyList, self._transport.send(LIST_KEYS, {"request_data": body})).reply

    def _parsed(self, call: Call, model: type[_Model], answer: Mapping[str, Any]) -> _Model:
        return parsed(call, self.endpoint, model, answer)


def _signer(endpoint: str, fields: Mapping[str, Secret]) -> _Signer:
    if set(fields) not in CAPABILITIES.credential_fields:
        found = ", ".join(sorted(fields)) or "nothing"
        what = f"the credential for {endpoint} holds {found}; it must hold keyId and key, and may hold securityLevel"
        raise InvalidInput(what)
    key_id = fields["keyId"].reveal()
    if not (key_id.isascii() and key_id.isdigit()):
        raise InvalidInput(
            "the credential's keyId is no number", hint="it is the ID in the console's table of API keys"
        )
    level = fields["securityLevel"].reveal().lower() if "securityLevel" in fields else SECURITY_LEVELS[0]
    if level not in SECURITY_LEVELS:
        raise InvalidInput("the credential's securityLevel is neither advanced nor standard")
    return _Signer(key_id, fields["key"], level)


def _of_id(key: str) -> dict[str, Any]:
    return {"field": "id", "operator": "in", "value": [int(key)]}


def _no_such_operation(refused: ReconcilerError) -> bool:
    """Whether an answer may mean that the tenant does not have the call: 404 (with or without JSON) or 405."""
    return isinstance(refused, NotFound) or "HTTP 404" in refused.what or "HTTP 405" in refused.what
