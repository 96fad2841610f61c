"""Posting a message to a webhook. Its address is a secret: whoever has it can post."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from reconciler.errors import InvalidInput, ReconcilerError, Rejected
from reconciler.model.hosts import is_loopback
from reconciler.model.secret import Secret
from reconciler.providers.answers import Call, Effect, unclear
from reconciler.providers.http import failed

_log = logging.getLogger(__name__)

_CALL: Final = Call("POST", "the webhook", Effect.ONCE)
_TIMEOUT: Final = (10.0, 30.0)


def address(variable: str, environ: Mapping[str, str]) -> Secret:
    """The webhook's address from an environment variable. InvalidInput, quoting nothing of it, if it is none."""
    text = environ.get(variable, "").strip()
    if not text:
        raise InvalidInput(
            f"{variable} is not set", hint="--webhook-env names a variable that holds the webhook's address"
        )
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host))):
        raise InvalidInput(f"{variable} holds no https address", hint="copy the webhook's address anew")
    return Secret(text)


def post(url: Secret, message: Mapping[str, Any]) -> None:
    """Send a message, once. Raises Rejected, RetryLater or OutcomeUnknown, without the address."""
    problem = _post(url, message)
    if problem is not None:
        raise problem


@contextmanager
def _unlogged() -> Iterator[None]:
    """The library under requests logs the path of each request at DEBUG, and this one's path is the secret."""
    library = logging.getLogger("urllib3.connectionpool")
    before, library.disabled = library.disabled, True
    try:
        yield
    finally:
        library.disabled = before


def _post(url: Secret, message: Mapping[str, Any]) -> ReconcilerError | None:
    """Errors are returned, to be raised outside: a chained one would drag the address along."""
    try:
        with _unlogged(), requests.post(
            url.reveal(), json=message, timeout=_TIMEOUT, allow_redirects=False, auth=lambda request: request,
            headers={"User-Agent": "access-reconciler"}, stream=True,
        ) as response:  # fmt: skip
            status = response.status_code
    except (requests.RequestException, OSError, ValueError) as failure:
        return failed(_CALL, "its address", failure)
    _log.debug("%s: %s", _CALL, status)
    what = f"the webhook answered with HTTP {status}"
    if 200 <= status < 300:
        return None
    if status >= 500:
        return unclear(_CALL, what)
    return Rejected(what, hint="is its address right, and does it take Slack's messages?")
