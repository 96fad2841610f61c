"""Posting to a webhook, whose address is a secret."""

from __future__ import annotations

import logging
import traceback

import pytest

from reconciler.errors import InvalidInput, OutcomeUnknown, ReconcilerError, Rejected
from reconciler.model.secret import Secret
from reconciler.notify.webhook import address, post
from tests.support.github import Hook


def test_a_message(hook: Hook) -> None:
    """JSON, once, without a credential from anywhere."""
    post(address("HOOK", {"HOOK": f" {hook.url}\n"}), {"text": "hello"})
    assert hook.got == [{"text": "hello"}]
    assert hook.headers[0]["content-type"] == "application/json"
    assert "authorization" not in hook.headers[0]


@pytest.mark.parametrize(("status", "error"), [(302, Rejected), (404, Rejected), (500, OutcomeUnknown)])
def test_refusals(hook: Hook, status: int, error: type[ReconcilerError]) -> None:
    """No redirect is followed, and nothing is sent twice."""
    hook.status = status
    with pytest.raises(error, match=f"HTTP {status}"):
        post(Secret(hook.url), {"text": "hello"})
    assert len(hook.headers) == 1


@pytest.mark.promise(1)
def test_promise_1_its_address_is_told_nowhere(hook: Hook, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in an error, nor in its traceback, nor in a log at DEBUG."""
    caplog.set_level(logging.DEBUG)
    told = []
    hook.status = 403
    for url in (hook.url, hook.url.replace(hook.endpoint, "http://127.0.0.1:9"), "https://\x00c4naryOfTheWebhook/"):
        with pytest.raises(ReconcilerError) as problem:
            post(Secret(url), {"text": "hello"})
        told += traceback.format_exception(problem.value)
    hook.status = 200
    post(Secret(hook.url), {"text": "hello"})
    assert hook.secret not in "".join(told) + caplog.text
    assert "the webhook: 200" in caplog.text
    assert not logging.getLogger("urllib3.connectionpool").disabled


@pytest.mark.parametrize(
    "text", ["", "c4nary", "http://c4nary.example/x", "https://", "https://[c4nary", "ftp://c4nary/"]
)
def test_addresses_that_are_none(text: str) -> None:
    """Refused before anything is read, and not quoted."""
    with pytest.raises(InvalidInput, match="HOOK") as told:
        address("HOOK", {"HOOK": text})
    assert "c4nary" not in str(told.value)
