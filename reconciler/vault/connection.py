"""The connection to one Vault: requests, retries, the server's clock, and the token's life.

hvac brings what is Vault's own about requests (headers, namespaces, LIST); the session under it is ours: without netrc, with
a pool as large as our thread pools, a time limit on every call, and no redirect from TLS to plain text.
Secrets in a request body stay `Secret` until the innermost function encodes them, so that no frame of a traceback holds one.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar
from urllib.parse import quote

import requests
import tenacity
from pydantic_core import from_json

from reconciler.errors import (
    ContractBroken,
    NotPermitted,
    OutcomeUnknown,
    RateLimited,
    ReconcilerError,
    RetryLater,
)
from reconciler.model.estate import VaultConfig
from reconciler.model.secret import Secret
from reconciler.vault import auth, failures, settings
from reconciler.vault.failures import Call, Identity
from reconciler.wire import Wire

if TYPE_CHECKING:
    from reconciler.vault.mounts import Mounts

T = TypeVar("T")
R = TypeVar("R")

CONNECTIONS: Final = 64
"""At most: as many as threads of ours may call at once. Opened when needed, kept alive, never given up in between."""
_WORKERS: Final = 16
_ATTEMPTS: Final = 4
_LONGEST_WAIT: Final = 20.0
_MERGE_PATCH: Final = "application/merge-patch+json"
_BACKOFF: Final = tenacity.wait_exponential_jitter(multiplier=0.2, max=3.0, jitter=0.2)


@dataclass(frozen=True, slots=True)
class Answer:
    """Vault's answer. The content stays out of `repr`: it may hold what no one should see."""

    status: int
    content: Mapping[str, Any] = field(repr=False)

    @property
    def missing(self) -> bool:
        """Whether the server says that there is nothing at this path. Every other 404 is an error."""
        return self.status == 404 and self.content.get("errors") == [] and not self.content.get("warnings")

    @property
    def data(self) -> Mapping[str, Any]:
        """The `data` object, `{}` if there is none."""
        data = self.content.get("data")
        return data if isinstance(data, Mapping) else {}


class Vault:
    """One Vault as one identity. Made by `connect`; may be used by many threads; closed by `close` or a `with` block."""

    def __init__(
        self,
        target: settings.Target,
        identity: Identity,
        *,
        timeout: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
        given_by: str = "the caller",
    ) -> None:
        import hvac.adapters  # type: ignore[import-untyped]  # noqa: PLC0415  a quarter of a second

        self.address = target.address
        self.namespace = target.namespace
        self.identity: Identity = identity
        self._server = failures.Server(target.address, given_by)
        self._adapter = hvac.adapters.RawAdapter(
            base_uri=target.address,
            namespace=target.namespace or None,
            session=_session(target),
            timeout=(min(timeout, 5.0), timeout),
        )
        self._reads = _retrying(sleep, RetryLater, OutcomeUnknown)
        self._writes = _retrying(sleep, RetryLater)
        self._clock: tuple[datetime, float] | None = None
        self._login: auth.Login | None = None
        self._renewing = threading.Lock()

    def __repr__(self) -> str:
        return f"<Vault {self.address} as {self.identity}>"

    @classmethod
    def connect(
        cls,
        config: VaultConfig,
        *,
        identity: Identity,
        environ: Mapping[str, str],
        timeout: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Self:
        """Connect and, for AppRole and JWT, log in. `timeout` in seconds holds for each call.

        `VAULT_ADDR`, `VAULT_NAMESPACE` and `VAULT_CACERT` (`BAO_…` where those are unset) win over the file: the
        environment is the operator's word, the file may come from a pull request. A token comes from `VAULT_TOKEN` or
        `BAO_TOKEN` only, never from a file in a home folder.

        Raises InvalidInput for what is missing, AuthenticationFailed for a refused login, RetryLater when Vault is away.
        """
        target = settings.resolve(config, environ)
        vault = cls(target, identity, timeout=timeout, sleep=sleep, given_by=_giver(environ))
        method = config.auth_plan if identity == "plan" else config.auth_apply
        try:
            vault._become(auth.login(vault, method, environ))
        except ReconcilerError:
            vault.close()
            raise
        return vault

    @classmethod
    def anonymous(
        cls,
        config: VaultConfig,
        *,
        identity: Identity,
        environ: Mapping[str, str],
        timeout: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Self:
        """The same without a token: enough to ask after the server's health. Makes no call; raises InvalidInput."""
        target = settings.resolve(config, environ)
        return cls(target, identity, timeout=timeout, sleep=sleep, given_by=_giver(environ))

    def _become(self, login: auth.Login) -> None:
        self._login = login
        self._adapter.token = login.token.reveal()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Revoke the token if we logged in for it, and give the connections back."""
        if self._login is not None and self._login.ours:
            self._send(Call("POST", "auth/token/revoke-self", self.identity, "update"))
        self._login = None
        self._adapter.token = None
        self._adapter.close()

    @cached_property
    def mounts(self) -> Mounts:
        """What is mounted where, remembered."""
        from reconciler.vault.mounts import Mounts  # noqa: PLC0415  it needs this module

        return Mounts(self)

    def now(self) -> datetime:
        """The server's time in UTC, good to a second: its last `Date` header and the time since."""
        if self._clock is None:
            self._send(Call("GET", "sys/health", self.identity, "read"))
        if self._clock is None:
            self.call("GET", "sys/health", need="read", expect=(200, 429, 472, 473, 400))
            raise ContractBroken("Vault's answers carry no date", where=self.address, hint="is a proxy in between?")
        moment, then = self._clock
        return moment + timedelta(seconds=uptime() - then)

    def call(
        self,
        method: str,
        path: str,
        *,
        need: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str | int] | None = None,
        expect: tuple[int, ...] = (),
        repeatable: bool = False,
        quotable: bool = True,
        login: bool = False,
    ) -> Answer:
        """Make one request to `/v1/PATH` and return its answer if it is 200, 204 or in `expect`.

        Values in `body` may be `Secret`. What did not act is tried again; a call that may have acted only if it is a read
        or `repeatable`, which means that doing it twice is like doing it once. Raises the errors of `failures`.
        """
        call = Call(method, path, self.identity, need, login=login, quotable=quotable)
        if not login:
            self._renew_if_due()

        def attempt() -> Answer:
            found = self._send(call, body, params, expect)
            if isinstance(found, Answer):
                return found
            if isinstance(found, NotPermitted) and not login:
                found = self._why_denied(call, found)
            raise found

        return (self._reads if call.reads or repeatable else self._writes)(attempt)

    def _why_denied(self, call: Call, denied: NotPermitted) -> ReconcilerError:
        """A denied call and a dead token look the same: ask after the token to tell them apart."""
        own = self._send(Call("GET", "auth/token/lookup-self", self.identity, "read"))
        return failures.token_unknown(call) if isinstance(own, NotPermitted) else denied

    def _send(
        self,
        call: Call,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str | int] | None = None,
        expect: tuple[int, ...] = (),
    ) -> Answer | ReconcilerError:
        """One request. Errors are returned, not raised, so that they are born outside of any foreign exception."""
        try:
            response = self._adapter.request(
                call.method,
                "/v1/" + quote(call.path, safe="/"),
                headers={
                    "Content-Type": _MERGE_PATCH if call.method == "PATCH" else "application/json",
                    "User-Agent": "access-reconciler",
                },
                raise_exception=False,
                data=None if body is None else json.dumps(body, default=_open).encode(),
                params=params,
            )
        except requests.RequestException as problem:
            return failures.unreachable(problem, call, self._server)
        self._hear_the_clock(response)
        content = _content(response)
        errors = [text for text in _errors(content) if not any(value in text for value in self._secrets_in(body))]
        if not failures.like_vault(response.status_code, content, call, response.content.strip()):
            return failures.stranger(response.status_code, call, self._server)
        if response.status_code in (200, 204, *expect):
            return Answer(response.status_code, content or {})
        return failures.refused(response.status_code, errors, call, self._server, _retry_after(response))

    def _secrets_in(self, body: Mapping[str, Any] | None) -> list[str]:
        """What an answer must not be quoted with if it echoes it."""
        values = [value.reveal() for value in (body or {}).values() if isinstance(value, Secret)]
        return [*values, self._adapter.token] if self._adapter.token else values

    def _hear_the_clock(self, response: requests.Response) -> None:
        try:
            moment = parsedate_to_datetime(response.headers.get("Date", ""))
        except ValueError:
            return
        self._clock = (moment.astimezone(UTC), uptime())

    def _renew_if_due(self) -> None:
        """Lengthen the life of a token that we logged in for, once two thirds of it are over. Failing at it is no error."""
        login = self._login
        if login is None or not login.due(uptime()) or not self._renewing.acquire(blocking=False):
            return
        try:
            found = self._send(Call("POST", "auth/token/renew-self", self.identity, "update"), {})
            self._login = login.renewed(found.content if isinstance(found, Answer) else {}, uptime())
        finally:
            self._renewing.release()

    def each(self, function: Callable[[T], R], items: Iterable[T], *, workers: int = _WORKERS) -> list[R]:
        """Apply a function that makes calls to many things side by side, in order. The first error ends it."""
        waiting = list(items)
        if len(waiting) < 2:
            return [function(item) for item in waiting]
        with ThreadPoolExecutor(min(workers, len(waiting)), thread_name_prefix="vault") as pool:
            try:
                return list(pool.map(function, waiting))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _giver(environ: Mapping[str, str]) -> str:
    """Where the address of `settings.resolve` is from, for people who find that it is wrong."""
    named = next((name for name in ("VAULT_ADDR", "BAO_ADDR") if environ.get(name)), "")
    return f"{named} in the environment" if named else "spec.vault.address in reconciler.yaml"


def uptime() -> float:
    """Seconds since some moment, those included in which the machine slept, where the system can tell."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class _Session(Wire):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Standby nodes redirect to the active one. Never from TLS to plain text, for the token goes along."""
        found = super().get_redirect_target(resp)
        downgrade = str(resp.url).startswith("https:") and found is not None and found.lower().startswith("http:")
        return None if downgrade else found


def _session(target: settings.Target) -> requests.Session:
    session = _Session(CONNECTIONS)
    session.trust_env = False  # else a netrc file would add credentials, and the CA could change behind our back
    session.verify = target.verify
    session.proxies = dict(target.proxies)
    session.max_redirects = 2
    return session


def _open(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} cannot be sent to Vault")


def _content(response: requests.Response) -> Mapping[str, Any] | None:
    try:
        content = from_json(response.content, cache_strings="keys")  # no value, for credentials are read too
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _errors(content: Mapping[str, Any] | None) -> list[str]:
    errors = (content or {}).get("errors")
    return [str(error) for error in errors] if isinstance(errors, list) else []


def _retry_after(response: requests.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else None


def _retrying(sleep: Callable[[float], None], *again: type[ReconcilerError]) -> tenacity.Retrying:
    """Made once for many calls, which it keeps apart by thread."""
    retry = tenacity.retry_if_exception_type(again)
    return tenacity.Retrying(stop=_enough, wait=_wait, retry=retry, sleep=sleep, reraise=True)


def _wait(state: tenacity.RetryCallState) -> float:
    problem = state.outcome.exception() if state.outcome else None
    asked = problem.delay if isinstance(problem, RateLimited) else None
    return asked if asked is not None else _BACKOFF(state)


def _enough(state: tenacity.RetryCallState) -> bool:
    """Whether to give up: after a few attempts, or when the server asks for more patience than we have."""
    return state.attempt_number >= _ATTEMPTS or _wait(state) > _LONGEST_WAIT
