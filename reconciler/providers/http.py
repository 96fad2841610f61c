"""How vendors are called: one HTTP transport for all of them.

A transport sends the calls of one session and nothing else: paced under the vendor's rate, without following redirects
(the credential would travel along), without cookies, without `.netrc`, and in a planning run without anything that is
not on the provider's list of reads. What an answer means is decided in `answers`. Only method, path template, status and
duration are ever logged.
"""

from __future__ import annotations

import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import quote

import requests
from requests.auth import AuthBase
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NewConnectionError

from reconciler.errors import (
    AuthenticationFailed,
    ContractBroken,
    InvalidInput,
    RateLimited,
    ReconcilerError,
    RetryLater,
    WriteRefused,
    foreign,
)
from reconciler.pool import AnswerTooLarge
from reconciler.providers.answers import Answer, Call, Effect, broken, heard, parse, read, unclear
from reconciler.providers.base import ConnectionSettings
from reconciler.providers.pacing import NAP, Pacer
from reconciler.wire import Wire

_log = logging.getLogger(__name__)

_CONNECT_TIMEOUT: Final = 10.0
_UNSENDABLE: Final = (
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
)


@dataclass(frozen=True, slots=True)
class Retry:
    """How long to go on when a call did not act, or may be made twice. Seconds count from the first failure."""

    attempts: int = 5
    seconds: float = 90.0
    """Longer than a rate window. A server that counts us out is asked until then, however many attempts that takes."""
    first: float = 0.25
    slowest: float = 20.0


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """An answer of success: its status, its JSON object and its headers. It may hold a secret: no representation."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]


class Authenticator(AuthBase):
    """Puts a credential into requests. Because one is always given, requests never looks into `.netrc`."""

    def conceal(self, text: str) -> str:
        """A server's text with the credential taken out: servers echo what they were sent."""
        raise NotImplementedError


_FAILURES: Final = (requests.RequestException, HTTPError, HTTPException, OSError, ValueError)


class Transport:
    """Sends calls to one endpoint with one credential. Threads may share it; `calls` counts what was sent.

    `reads` lists method and path template of every request that a planning run may make. `message` finds what a server
    says about a refusal in its JSON.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        auth: Authenticator,
        reads: Collection[tuple[str, str]],
        settings: ConnectionSettings,
        pacer: Pacer,
        headers: Mapping[str, str] | None = None,
        message: Callable[[Mapping[str, Any]], object] = lambda body: body.get("message"),
        retry: Retry | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.calls = 0
        self.endpoint = endpoint.rstrip("/")
        self._auth = auth
        self._reads = frozenset(reads)
        self._settings = settings
        self._pacer = pacer
        self._headers = {"Accept": "application/json", "User-Agent": settings.user_agent, **(headers or {})}
        self._message = message
        self._retry = retry or Retry()
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._refused: AuthenticationFailed | None = None
        self._wire = Wire(settings.connections)

    def send(
        self,
        call: Call,
        body: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        path: Mapping[str, str] | None = None,
        auth: Authenticator | None = None,
        pacer: Pacer | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Make a call and return its JSON object (empty where the call has no answer). `path` fills the template.

        `auth` and `pacer` are for a call under another credential than the session's. Raises WriteRefused,
        AuthenticationFailed, NotPermitted, Rejected, NotFound, Conflict, RateLimited, RetryLater, ContractBroken or
        OutcomeUnknown.
        """
        return self.exchange(call, body, path=path, auth=auth, pacer=pacer, headers=headers).body

    def exchange(
        self,
        call: Call,
        body: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        path: Mapping[str, str] | None = None,
        auth: Authenticator | None = None,
        pacer: Pacer | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """As `send`, with the answer's status and headers beside its JSON."""
        if not self._settings.write and (call.method, call.template) not in self._reads:
            raise WriteRefused(
                f"{call} was stopped: this run only reads", hint="please report this: it is a bug of ours"
            )
        filled = call.template.format_map({name: quote(value, safe="") for name, value in (path or {}).items()})
        content = json.dumps(body).encode() if body is not None else None
        pace = pacer or self._pacer
        patience = _Patience(self._retry, self._clock)
        retrying = Retrying(
            retry=retry_if_exception_type(RetryLater),
            wait=patience.wait,
            stop=patience.stop,
            before_sleep=lambda state: self._hold_others(pace, state),
            sleep=self._wait,
            reraise=True,
        )
        return retrying(self._attempt, call, filled, content, auth or self._auth, pace, headers=headers or {})

    def close(self) -> None:
        """Give connections back."""
        self._wire.close()

    def _attempt(
        self,
        call: Call,
        path: str,
        content: bytes | None,
        auth: Authenticator,
        pacer: Pacer,
        *,
        headers: Mapping[str, str],
    ) -> Reply:
        pacer.acquire(self._settings.while_waiting)
        if auth is self._auth and self._refused is not None:
            raise AuthenticationFailed(self._refused.what, hint=self._refused.hint)
        if self._settings.before_write is not None and call.effect is not Effect.READ:
            self._settings.before_write()
        with self._lock:
            self.calls += 1
        started = self._clock()
        answer = self._exchange(call, path, content, auth, headers)
        status = answer.status if isinstance(answer, Answer) else type(answer).__name__
        _log.debug("%s %s: %s in %.0f ms", call.method, call.template, status, (self._clock() - started) * 1000)
        if not isinstance(answer, Answer):
            raise answer
        if self._settings.on_answer is not None:
            self._settings.on_answer(heard(answer))
        try:
            body = read(call, answer, self.endpoint, self._said(answer, auth))
            return Reply(answer.status, body, answer.headers)
        except AuthenticationFailed as refused:
            if auth is self._auth:
                self._refused = refused
            raise

    def _wait(self, seconds: float) -> None:
        """Wait for another try, in short naps where somebody may say meanwhile that there is to be none."""
        asked = self._settings.while_waiting
        while asked is not None and seconds > NAP:
            asked()
            self._sleep(NAP)
            seconds -= NAP
        if asked is not None:
            asked()
        self._sleep(seconds)

    def _exchange(
        self, call: Call, path: str, content: bytes | None, auth: Authenticator, more: Mapping[str, str]
    ) -> Answer | ReconcilerError:
        """One request. Errors are returned, to be raised outside: a chained one would drag headers along."""
        headers = {**self._headers, **({} if content is None else {"Content-Type": "application/json"}), **more}
        timeout = self._settings.timeout
        try:
            response = self._wire.request(
                call.method,
                self.endpoint + path,
                data=content,
                headers=headers,
                auth=auth,
                timeout=(min(timeout, _CONNECT_TIMEOUT), timeout),
                verify=self._settings.ca_cert,
            )
        except _FAILURES as failure:
            return failed(call, self.endpoint, failure)
        return Answer(
            status=response.status_code,
            content_type=response.headers.get("Content-Type", ""),
            body=response.content,
            retry_after=response.headers.get("Retry-After", ""),
            date=response.headers.get("Date", ""),
            headers=response.headers,
        )

    def _said(self, answer: Answer, auth: Authenticator) -> str:
        """What the server says about its refusal, made safe to show. Nothing else of a body is ever quoted."""
        body = parse(answer.body) if answer.status >= 300 else None
        said = self._message(body) if isinstance(body, dict) else None
        return foreign(auth.conceal(said)) if isinstance(said, str) else ""

    def _hold_others(self, pacer: Pacer, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, RateLimited) or (isinstance(error, RetryLater) and error.delay):
            pacer.pause(state.upcoming_sleep)


class _Patience:
    """How long one call's retries wait, and when they end."""

    def __init__(self, retry: Retry, clock: Callable[[], float]) -> None:
        self._retry = retry
        self._clock = clock
        self._first_failure: float | None = None
        self._backoff = wait_random_exponential(multiplier=retry.first, max=retry.slowest)

    def wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.delay if isinstance(error, RetryLater) else None
        return max(asked or 0.0, self._backoff(state))

    def stop(self, state: RetryCallState) -> bool:
        now = self._clock()
        if self._first_failure is None:
            self._first_failure = now
        error = state.outcome.exception() if state.outcome is not None else None
        if not isinstance(error, RateLimited) and state.attempt_number >= self._retry.attempts:
            return True
        return now + state.upcoming_sleep > self._first_failure + self._retry.seconds


def failed(call: Call, place: str, failure: Exception) -> ReconcilerError:  # noqa: PLR0911
    """The error for a request that got no complete answer. Nothing of the failure's own text is kept: it quotes requests."""
    inner = failure.args[0] if failure.args else None
    reason = inner.reason if isinstance(inner, MaxRetryError) else failure
    if isinstance(failure, requests.exceptions.SSLError):
        return _tls_failed(call, place, reason)
    if isinstance(failure, requests.exceptions.ProxyError):
        return RetryLater(
            f"{call} at {place} was not sent: the proxy does not let us through", hint="check HTTPS_PROXY"
        )
    if isinstance(failure, requests.ConnectTimeout) or isinstance(reason, NewConnectionError | ConnectTimeoutError):
        hint = "check the endpoint, and whether this machine may reach it"
        return RetryLater(f"{call} was not sent: {place} cannot be reached", hint=hint)
    if isinstance(failure, requests.Timeout):
        return unclear(call, f"{call} at {place} was not answered in time")
    if isinstance(inner, AnswerTooLarge):
        return broken(call, f"{call} at {place} was answered with more than 64 MB", "check the endpoint")
    if isinstance(failure, _UNSENDABLE):
        return InvalidInput(f"{call} at {place} cannot be sent", hint="check the endpoint's spelling")
    if isinstance(failure, OSError) and not isinstance(failure, requests.RequestException):
        hint = "check the path of the CA file"
        return InvalidInput(f"{call} was not sent to {place}: the CA certificates cannot be read", hint=hint)
    return unclear(call, f"{call} at {place}: the connection broke before the answer was complete")


def _tls_failed(call: Call, place: str, reason: object) -> ReconcilerError:
    cause = reason.args[0] if isinstance(reason, HTTPError) and reason.args else reason
    if isinstance(cause, ssl.SSLCertVerificationError):
        what = f"{call} was not sent: the certificate of {place} is not trusted"
        return ContractBroken(what, hint="if a CA of your own signed it, name that CA's file in REQUESTS_CA_BUNDLE")
    what = f"{call} at {place}: the TLS connection failed"
    return broken(call, what, "check that the endpoint speaks TLS, and that no proxy gets in its way")
