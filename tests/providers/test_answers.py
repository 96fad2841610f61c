from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from reconciler.errors import (
    AuthenticationFailed,
    Conflict,
    ContractBroken,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
    RateLimited,
    ReconcilerError,
    Rejected,
    RetryLater,
)
from reconciler.providers.answers import (
    Answer,
    Call,
    Effect,
    broken,
    heard,
    parse,
    read,
    refusal,
    retry_after,
    unclear,
)  # fmt: skip
from reconciler.providers.base import Heard

READ = Call("GET", "/things", Effect.READ)
REPEATABLE = Call("POST", "/things/{id}", Effect.REPEATABLE)
REMOVE = Call("DELETE", "/things/{id}", Effect.REPEATABLE, answers=False)
ONCE = Call("POST", "/things", Effect.ONCE)
JSON = "application/json"


def answer(status: int, body: bytes = b'{"message": "no"}', content_type: str = JSON, **more: str) -> Answer:
    return Answer(status, content_type, body, **more)


@pytest.mark.parametrize("call", [READ, REPEATABLE, REMOVE, ONCE], ids=str)
@pytest.mark.parametrize("html", [False, True])
def test_every_status_has_an_error(call: Call, html: bool) -> None:
    """The mapping is complete: each status that is no success raises one of our errors, with its number in the text."""
    for status in [*range(100, 200), *range(300, 600)]:
        body, kind = (b"<html>", "text/html") if html else (b'{"message": "no"}', JSON)
        with pytest.raises(ReconcilerError) as caught:
            read(call, answer(status, body, kind), "https://x/api", "no")
        assert str(status) in caught.value.what
        assert caught.value.hint or isinstance(caught.value, Rejected)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (100, ContractBroken),
        (302, ContractBroken),
        (400, Rejected),
        (401, AuthenticationFailed),
        (403, NotPermitted),
        (404, NotFound),
        (407, ContractBroken),
        (408, RetryLater),
        (409, Conflict),
        (412, Conflict),
        (422, Rejected),
        (429, RateLimited),
        (500, RetryLater),
        (502, RetryLater),
        (503, RetryLater),
        (599, RetryLater),
    ],
)
def test_statuses_of_reads(status: int, error: type[ReconcilerError]) -> None:
    """A read's statuses are sorted by what the caller can do."""
    assert type(refusal(READ, answer(status), "https://x", "")) is error


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (408, OutcomeUnknown),
        (500, OutcomeUnknown),
        (503, OutcomeUnknown),
        (504, OutcomeUnknown),
        (429, RateLimited),
        (400, Rejected),
    ],
)
def test_a_creation_that_may_have_acted_is_unknown(status: int, error: type[ReconcilerError]) -> None:
    """For a call that must be made once, a server error may hide a success; a refusal cannot."""
    assert type(refusal(ONCE, answer(status), "https://x", "")) is error


@pytest.mark.parametrize("body", [b"", b"gone", b"<html>", b"[", b"\xff"])
def test_a_404_without_json_is_no_answer_of_the_api(body: bytes) -> None:
    """A wrong path gives a 404 too: it must not count as "the object is gone"."""
    assert type(refusal(REMOVE, answer(404, body), "https://x", "")) is ContractBroken


@pytest.mark.parametrize(
    ("call", "error"),
    [(READ, ContractBroken), (REPEATABLE, ContractBroken), (REMOVE, ContractBroken), (ONCE, OutcomeUnknown)],
)
def test_a_page_for_people_is_no_success(call: Call, error: type[ReconcilerError]) -> None:
    """HTML with status 200 is a login page or a proxy, whatever its content type says."""
    for content in (answer(200, b"<!doctype html>"), answer(200, b"Welcome", "text/html; charset=utf-8")):
        with pytest.raises(error, match="HTML page"):
            read(call, content, "https://x", "")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b'{"a": NaN}', b'{"a": 1', b"\xff\xfe", b'{"a":' + b"[" * 100_000]
)
def test_a_success_that_is_no_json_object_is_broken(body: bytes) -> None:
    """Half a document, a bare list, NaN or another encoding are not the vendor's contract."""
    with pytest.raises(ContractBroken):
        read(READ, answer(200, body), "https://x", "")
    with pytest.raises(OutcomeUnknown):
        read(ONCE, answer(200, body), "https://x", "")


@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize("body", [b"", b"  ", b"{}", b"OK", b"[]"])
def test_a_removal_needs_no_body(status: int, body: bytes) -> None:
    """Any 2xx is success, and a call without an answer takes whatever stands there, save HTML."""
    assert read(REMOVE, answer(status, body, "text/plain"), "https://x", "") == {}


def test_a_json_object_is_handed_on() -> None:
    """Success gives the parsed object."""
    assert read(READ, answer(201, json.dumps({"ID": 1}).encode()), "https://x", "") == {"ID": 1}
    assert read(REMOVE, answer(200, b'{"ID": 1}'), "https://x", "") == {"ID": 1}


def test_parsing_is_strict() -> None:
    """What is not JSON is nothing."""
    assert parse(b'{"a": [1, "x"]}') == {"a": [1, "x"]}
    assert parse(b"Infinity") is None


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        ("", "", None),
        ("7", "", 7.0),
        (" 120 ", "", 120.0),
        ("soon", "", None),
        ("-3", "", None),
        ("Thu, 01 Jan 2026 00:00:30 GMT", "Thu, 01 Jan 2026 00:00:00 GMT", 30.0),
        ("Thu, 01 Jan 2026 00:00:30 -0000", "Thu, 01 Jan 2026 00:00:00 GMT", 30.0),
        ("Thu, 01 Jan 2026 00:00:00 GMT", "Thu, 01 Jan 2026 00:00:30 GMT", 0.0),
        ("Thu, 01 Jan 2015 00:00:00 GMT", "", 0.0),
    ],
)
def test_retry_after(header: str, date: str, seconds: float | None) -> None:
    """Seconds and dates are both understood; a date counts from the server's own clock."""
    assert retry_after(answer(429, retry_after=header, date=date)) == seconds


@pytest.mark.promise(1)
def test_promise_1_an_answer_has_no_representation() -> None:
    """A body may hold a secret, so an answer does not show itself."""
    assert "canary" not in repr(answer(200, b'{"secretKey": "canary"}'))


def test_unclear_and_broken_ask_to_look_first_only_where_needed() -> None:
    """Only a call that must be made once has an unknown outcome."""
    assert type(unclear(READ, "x")) is RetryLater
    assert type(unclear(ONCE, "x")) is OutcomeUnknown
    assert type(broken(REPEATABLE, "x", "y")) is ContractBroken
    assert type(broken(ONCE, "x", "y")) is OutcomeUnknown


@pytest.mark.parametrize(
    ("date", "headers", "expected"),
    [
        ("", {}, Heard()),
        ("Sun, 22 Nov 2026 07:00:00 GMT", {}, Heard(datetime(2026, 11, 22, 7, tzinfo=UTC))),
        ("yesterday", {"RateLimit-Limit": "many", "RateLimit-Remaining": "-1"}, Heard()),
        (
            "",
            {"RateLimit-Limit": "480", "RateLimit-Remaining": " 0 ", "RateLimit-Reset": "3600"},
            Heard(None, 480, 0, 3600),
        ),
        ("", {"RateLimit-Limit": "9" * 40, "RateLimit-Reset": "\u0663"}, Heard()),
    ],
)
def test_what_headers_tell(date: str, headers: dict[str, str], expected: Heard) -> None:
    """The server's time and what is left of its limit; what is no date or no count tells nothing."""
    assert heard(Answer(200, "application/json", b"{}", date=date, headers=headers)) == expected
