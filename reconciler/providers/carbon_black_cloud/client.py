"""The HTTP contract: paths, headers, authentication and paging (S1, S2, S3, S10; `connectors/find`: S20, S21).

Secrets enter and leave the process here: a new one is taken out of the parsed answer at once, what a list tells of old
ones is lost at parsing, and the credential in use is opened only to put it into a header.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from pydantic import BaseModel
from requests import PreparedRequest

from reconciler.errors import (
    AuthenticationFailed,
    InvalidInput,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
    ReconcilerError,
    RetryLater,
)
from reconciler.model.credential import Credential
from reconciler.model.secret import PLACEHOLDER, Secret
from reconciler.providers.answers import Call, Effect, parsed, reads
from reconciler.providers.base import ConnectionSettings, Issued, Verification
from reconciler.providers.carbon_black_cloud import endpoint_map, mapping
from reconciler.providers.carbon_black_cloud.capabilities import CAPABILITIES
from reconciler.providers.carbon_black_cloud.endpoint_map import MapOperation
from reconciler.providers.carbon_black_cloud.records import (
    AuditPage,
    AuditRecord,
    Connector,
    ConnectorPage,
    Grant,
    Grants,
    PermittedRoles,
    Role,
)
from reconciler.providers.http import Authenticator, Retry, Transport
from reconciler.providers.pacing import Pacer, Pacers

_GRANTS: Final = "/access/v2/orgs/{orgKey}/grants"
_ROLES: Final = "/access/v3/orgs/{orgKey}/principals/{apiId}/roles/permitted?type=API_KEY"
PERMITTED_ROLES: Final = Call("GET", _ROLES, Effect.READ)
FETCH_GRANTS: Final = Call("POST", "/access/v2/grants/_fetch", Effect.READ)
GET_GRANT: Final = Call("GET", f"{_GRANTS}/{{principal}}", Effect.READ)
CREATE_GRANT: Final = Call("POST", _GRANTS, Effect.REPEATABLE, answers=False)
"""A principal has one grant at most, so a second creation changes nothing."""
REPLACE_GRANT: Final = Call("PUT", f"{_GRANTS}/{{principal}}", Effect.REPEATABLE, answers=False)
DELETE_GRANT: Final = Call("DELETE", f"{_GRANTS}/{{principal}}", Effect.REPEATABLE, answers=False)
SEARCH_AUDIT: Final = Call("POST", "/audit_log/v1/orgs/{orgKey}/logs/_search", Effect.READ)
FIND_CONNECTORS: Final = Call("POST", "/appservices/v5/orgs/{org}/connectors/find", Effect.READ)
CALLS: Final = (
    PERMITTED_ROLES, FETCH_GRANTS, GET_GRANT, CREATE_GRANT, REPLACE_GRANT, DELETE_GRANT, SEARCH_AUDIT, FIND_CONNECTORS,
)  # fmt: skip

PAGE: Final = 1000
"""How many keys are asked for at once; 50 and 10,000 were seen (S20, S21)."""
_READINGS: Final = 3
_RETRY: Final = Retry(seconds=CAPABILITIES.rate.seconds + 30.0)
"""Who is counted out may have to wait for the whole window (S24)."""
AUDIT_PAGE: Final = 1000
GRANTS_AT_ONCE: Final = 500
"""Bulk reads of grants have no pages (S2); no limit is known."""

_READS: Final = reads(CALLS, CAPABILITIES.operations)
_PACERS: Final = Pacers()
_UNSPOKEN: Final = frozenset({"apikey", "apisecret", "secret", "token", "password"})

_Model = TypeVar("_Model", bound=BaseModel)


class _Token(Authenticator):
    """`X-Auth-Token`: the secret first, then the key's id (S1)."""

    def __init__(self, api_id: str, secret: Secret) -> None:
        if not (_plain(api_id) and _plain(secret.reveal())):
            what = "the credential holds spaces or characters that no API ID or API Secret Key has"
            raise InvalidInput(what, hint="store both again, exactly as the console showed them")
        self._api_id = api_id
        self._secret = secret

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["X-Auth-Token"] = f"{self._secret.reveal()}/{self._api_id}"
        return request

    def conceal(self, text: str) -> str:
        """The text without the secret."""
        return text.replace(self._secret.reveal(), PLACEHOLDER)


class Client:
    """One organisation's API. Raises what `Transport.send` raises; ContractBroken for answers of the wrong shape.

    `page` is how many keys one request asks for; `pacer`, `clock` and `sleep` are for tests.
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
        given = set(credential.fields)
        if given not in CAPABILITIES.credential_fields:
            found = ", ".join(sorted(given)) or "nothing"
            what = f"the credential for {endpoint} holds {found}; it must hold apiId, apiSecret, and nothing else"
            raise InvalidInput(what)
        self.endpoint = endpoint.rstrip("/")
        self.org_key: str = settings.options["orgKey"]
        self.api_id = credential.fields["apiId"].reveal()
        self._org_id: int | None = settings.options.get("orgId")
        self._page = page
        # The vendor counts by the caller's address: every credential shares one budget.
        self._pacer = pacer or _PACERS.within(CAPABILITIES.rate, settings.rate, self.endpoint.lower())
        self._transport = Transport(
            self.endpoint,
            auth=_Token(self.api_id, credential.fields["apiSecret"]),
            reads=_READS,
            settings=settings,
            pacer=self._pacer,
            message=_said,
            retry=_RETRY,
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

    def permitted_roles(self) -> list[Role]:
        """Every access level and role that we may give to a key of this organisation."""
        path = {"orgKey": self.org_key, "apiId": self.api_id}
        found = self._parsed(PERMITTED_ROLES, PermittedRoles, self._transport.send(PERMITTED_ROLES, path=path)).results
        ours = self.org_key.lower()
        return [role for org, roles in found.items() if org.lower().removeprefix("psc:org:") == ours for role in roles]

    def grants(self, api_ids: Iterable[str]) -> dict[str, Grant]:
        """The grants of keys, by the key's id; a key without one is left out."""
        found: dict[str, Grant] = {}
        wanted = list(api_ids)
        for start in range(0, len(wanted), GRANTS_AT_ONCE):
            some = wanted[start : start + GRANTS_AT_ONCE]
            body = [{"principal": self._urn(one), "org_ref": f"psc:org:{self.org_key}"} for one in some]
            answer = self._parsed(FETCH_GRANTS, Grants, self._transport.send(FETCH_GRANTS, body)).results
            asked = {self._urn(one).lower(): one for one in some}
            for grant in answer.values() if isinstance(answer, dict) else answer:
                if grant.principal.lower() in asked:
                    found[asked[grant.principal.lower()]] = grant
        return found

    def ensure_grant(self, api_id: str, name: str, level: str, *, create: bool) -> None:
        """Make a level the one thing that a key's grant gives. `create`: whether a missing grant is made."""
        path = {"orgKey": self.org_key, "principal": self._urn(api_id)}
        try:
            answer = self._transport.send(GET_GRANT, path=path)
        except NotFound:
            if create:
                body = mapping.grant_body(self.org_key, self._urn(api_id), name, level)
                self._transport.send(CREATE_GRANT, body, path={"orgKey": self.org_key})
            return
        if self._parsed(GET_GRANT, Grant, answer).in_force != (level,):
            self._transport.send(REPLACE_GRANT, mapping.replaced(answer, level), path=path)

    def delete_grant(self, api_id: str) -> None:
        """Take a key's access away; a key without a grant has none."""
        try:
            self._transport.send(DELETE_GRANT, path={"orgKey": self.org_key, "principal": self._urn(api_id)})
        except NotFound:
            return

    def audit(self, query: str, *, since: datetime | None = None, rows: int = AUDIT_PAGE) -> list[AuditRecord]:
        """What a search of the audit log finds, newest first, `rows` at the most."""
        body: dict[str, Any] = {"query": query, "rows": rows, "sort": [{"field": "create_time", "order": "DESC"}]}
        if since is not None:
            end = max(datetime.now(UTC), since) + timedelta(days=1)
            body["criteria"] = {"create_time": {"start": _iso(since), "end": _iso(end)}}
        answer = self._transport.send(SEARCH_AUDIT, body, path={"orgKey": self.org_key})
        return self._parsed(SEARCH_AUDIT, AuditPage, answer).results

    def connectors(self) -> list[Connector]:
        """Every key, as the console lists them.

        Nobody has documented where rows begin, or the most that one answer holds. So each request starts at the last row
        that is known, which has to come again, and only an answer without anything new is the end.
        """
        for _ in range(_READINGS):
            found = self._connectors()
            if found is not None:
                return found
        what = f"{FIND_CONNECTORS} at {self.endpoint}: the list changes while it is read, or has no pages"
        raise RetryLater(what, hint="nothing was changed; try again")

    def _connectors(self) -> list[Connector] | None:
        """One reading; None if a row went missing meanwhile, so that another one may have been passed over."""
        found: dict[str, Connector] = {}
        last = ""
        while True:
            body: dict[str, Any] = {
                "sortDefinition": {"fieldName": "TIME", "sortOrder": "ASC"},
                "searchWindow": "ALL",
                "fromRow": max(0, len(found) - 1),
                "maxRows": self._page,
            }
            if self._org_id is not None:
                body["orgId"] = str(self._org_id)
            answer = self._transport.send(FIND_CONNECTORS, body, path={"org": self.org_key})
            entries = self._parsed(FIND_CONNECTORS, ConnectorPage, answer).entries
            if last and last not in [entry.connectorId for entry in entries[:2]]:
                return None
            new = [entry for entry in entries if entry.connectorId not in found]
            if not new:
                return list(found.values())
            found.update((entry.connectorId, entry) for entry in new)
            last = entries[-1].connectorId

    def perform(self, operation: MapOperation, values: Mapping[str, Any]) -> dict[str, Any]:
        """Make a request of the endpoint map."""
        path = {name: str(values[name]) for name in ("orgKey", "orgId", "id") if name in values}
        return self._transport.send(operation.call, operation.fill(values), path=path)

    def issue(self, operation: MapOperation, values: Mapping[str, Any], api_id: str | None = None) -> Issued:
        """Make a request of the endpoint map whose answer holds a secret. OutcomeUnknown if it does not."""
        answer = self.perform(operation, values)
        secret = endpoint_map.take(answer, operation.reply["secret"])
        found = api_id or endpoint_map.at(answer, operation.reply["id"])
        for name, value in (("secret", secret), ("id", found)):
            if not isinstance(value, str) or not _plain(value):
                what = f"{operation.call} was answered with success but without {name} where the endpoint map says"
                hint = "it may have acted all the same: look before doing anything else, and correct the map"
                raise OutcomeUnknown(what, hint=hint)
        return self.issued(found, Secret(secret))

    def issued(self, api_id: str, secret: Secret) -> Issued:
        """What consumers need: the SDK's profile has url (`endpoint`), token and org_key (`orgKey`)."""
        token = Secret(f"{secret.reveal()}/{api_id}")
        fields: dict[str, Secret | str] = {
            "apiId": api_id,
            "apiSecret": secret,
            "token": token,
            "orgKey": self.org_key,
            "endpoint": self.endpoint,
        }
        return Issued(api_id, fields)

    def accept(self, fields: Mapping[str, Secret | str]) -> Issued:
        """A key that a person made, from its id and its secret. InvalidInput if they cannot be such."""
        values: dict[str, str] = {}
        for name in CAPABILITIES.handoff_fields:
            value = fields.get(name, "")
            values[name] = (value.reveal() if isinstance(value, Secret) else value).strip()
        unknown = sorted(set(fields) - set(values))
        if unknown:
            raise InvalidInput(f"a key of this product has no {', '.join(unknown)}", hint="it has apiId and apiSecret")
        for name, text in values.items():
            if not _plain(text):
                what = f"{name} is missing" if not text else f"{name} holds characters that none has"
                raise InvalidInput(what, hint="copy API ID and API Secret Key exactly as the console shows them")
        if values["apiId"] == self.api_id:
            what = "this is the API ID of the credential in use, not of a new key"
            raise InvalidInput(what, hint="enter the API ID of the key that was made for this handoff")
        return self.issued(values["apiId"], Secret(values["apiSecret"]))

    def sign_in(self, issued: Issued) -> Verification:
        """Use a new secret once. Forbidden says nothing: that is the answer to former secrets and to weak keys alike."""
        secret = issued.secret["apiSecret"]
        if not isinstance(secret, Secret):
            return Verification.BAD
        try:
            path = {"orgKey": self.org_key, "apiId": issued.vendor_id}
            self._transport.send(PERMITTED_ROLES, path=path, auth=_Token(issued.vendor_id, secret))
        except (AuthenticationFailed, InvalidInput):
            return Verification.BAD
        except ReconcilerError:
            return Verification.UNVERIFIABLE
        return Verification.GOOD

    def audit_if_permitted(self, query: str) -> Sequence[AuditRecord] | None:
        """What a search of the audit log finds; None where our credential may not search it."""
        try:
            return self.audit(query, rows=100)
        except NotPermitted:
            return None

    def _urn(self, api_id: str) -> str:
        return mapping.principal(self.org_key, api_id)

    def _parsed(self, call: Call, model: type[_Model], answer: Mapping[str, Any]) -> _Model:
        return parsed(call, self.endpoint, model, answer)


def _said(body: Mapping[str, Any]) -> str:
    """What a refusal says: services differ, so without `message` or `reason` it is the body, short of what may be secret."""
    for name in ("message", "reason"):
        if isinstance(body.get(name), str) and body[name]:
            return str(body[name])
    shown = {name: value for name, value in body.items() if name.lower() not in _UNSPOKEN}
    return json.dumps(shown, ensure_ascii=False) if shown else ""


def _plain(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and not set(" /") & set(text)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
