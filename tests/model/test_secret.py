"""`Secret` gives nothing away."""

from __future__ import annotations

import copy
import json
import logging
import operator
import pickle
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from reconciler.model.secret import PLACEHOLDER, Secret

VALUE = "canary-4711-do-not-print"
SECRET = Secret(VALUE)


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "show",
    [
        str,
        repr,
        ascii,
        "{}".format,
        "{!r:>40}".format,
        "{:>40}".format,
        lambda secret: operator.mod("%s %r", (secret, secret)),
        lambda secret: str([secret]),
        lambda secret: str({"secret": secret}),
    ],
)
def test_promise_1_secret_is_shown_as_a_placeholder(show: Callable[[Any], str]) -> None:
    """However it is made into text, also inside of other things."""
    shown = show(SECRET)
    assert VALUE not in shown
    assert PLACEHOLDER in shown


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "use",
    [
        *(pickle.dumps, copy.copy, copy.deepcopy, json.dumps, hash, iter, len, list, bytes, vars, "".join),
        *(
            partial(compare, VALUE)
            for compare in (operator.eq, operator.ne, operator.lt, operator.contains, operator.add)
        ),
        *(partial(compare, [VALUE]) for compare in (operator.contains, operator.add)),
        *(lambda secret, other=other: secret == other for other in (VALUE, None, 0)),
        lambda secret: secret + "",
        lambda secret: secret[0],
        lambda secret: secret.__getstate__(),
    ],
)
def test_promise_1_secret_refuses_to_be_looked_into(use: Callable[[Any], Any]) -> None:
    """Comparing to text, hashing, pickling, copying, JSON, iterating: a TypeError that does not tell the value."""
    with pytest.raises(TypeError) as error:
        use(SECRET)
    assert VALUE not in str(error.value)


@pytest.mark.promise(1)
@pytest.mark.parametrize("name", ["value", "_Secret__value", "__class__x"])
def test_promise_1_secret_cannot_be_changed(name: str) -> None:
    """Neither replaced nor extended."""
    with pytest.raises(AttributeError, match="a secret cannot be changed"):
        setattr(SECRET, name, "x")
    assert SECRET.reveal() == VALUE


@pytest.mark.promise(1)
def test_promise_1_log_and_traceback_hold_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """Not as an argument of a log line, not in an exception that carries it, not among a frame's local variables."""
    secret = Secret(VALUE)
    try:
        int(secret)  # type: ignore[call-overload]
    except TypeError as error:
        logging.getLogger("test").warning("it was %s and %r", secret, [secret], exc_info=True)
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert PLACEHOLDER in shown
    assert VALUE not in shown
    assert VALUE not in caplog.text


def test_secrets_are_equal_by_value() -> None:
    """Two secrets can be compared, in constant time, whatever characters they hold."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("\ud800ä") == Secret("\ud800ä")


def test_empty_secret_is_refused() -> None:
    """Storing nothing would look like success."""
    with pytest.raises(ValueError, match="not empty"):
        Secret("")


def test_secret_is_revealed_on_request() -> None:
    """For the store and the authenticator."""
    assert SECRET.reveal() == VALUE
