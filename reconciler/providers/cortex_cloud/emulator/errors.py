"""How an operation says no."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from reconciler.emulator.base import json_response


class Refused(Exception):
    """A request that gets an error. The text is the vendor's where it is known."""

    def __init__(self, status: int, message: str, extra: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.extra = extra


class BadKeyRequest(Refused):
    """A mistake in a request to `/public_api/v1/api_keys/*`: 500, not 400 (8)."""

    def __init__(self, message: str) -> None:
        super().__init__(500, message)


class BadParameters(Refused):
    """A mistake in a request to `/platform/iam/v1/*`: 400, and what is wrong in `err_extra`."""

    def __init__(self, extra: Any) -> None:
        super().__init__(400, "The request contains invalid or missing parameters.", extra)


def response(path: str, status: int, message: str, extra: Any = None) -> Response:
    """An error in the form of the path's family: `reply` or `data`."""
    if path.startswith("/platform/"):
        return json_response(
            {"data": {"err_msg": message, "metadata": {"err_code": status, "err_extra": extra}}}, status
        )
    return json_response({"reply": {"err_code": status, "err_msg": message, "err_extra": extra}}, status)
