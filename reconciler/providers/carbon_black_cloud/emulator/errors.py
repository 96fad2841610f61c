"""How an operation says no."""

from __future__ import annotations


class Refused(Exception):
    """A request that gets an error. Only the statuses are documented (and not all of them); the texts are made up."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
