from __future__ import annotations

from typing import Any

import pytest

from reconciler.providers.cortex_cloud.refusals import said


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"reply": {"err_code": "500", "err_msg": "Bad.", "err_extra": "roles"}}, "Bad. roles"),
        ({"reply": {"err_code": 500, "err_msg": "Bad.", "err_extra": None}}, "Bad."),
        ({"reply": {"err_msg": "Bad.", "err_extra": ["a", {"message": "b"}, {"msg": 3}, 4]}}, "Bad. a b"),
        ({"data": {"err_msg": "Bad.", "metadata": {"err_code": 400, "err_extra": "name X"}}}, "Bad. name X"),
        ({"err_code": 400, "err_msg": "Bad.", "metadata": None}, "Bad."),
        ({"errorCode": "x", "message": "Bad.", "details": {}}, "Bad."),
        ({"reply": "no"}, None),
        ({}, None),
    ],
)
def test_what_errors_say(body: Any, text: str | None) -> None:
    """All of the vendor's forms are read."""
    assert said(body) == text
