"""How an operation says no."""

from __future__ import annotations


class Refused(Exception):
    """A request that gets an error. The text is the vendor's where it is known."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Invalid(Refused):
    """A request whose content is wrong: 400, and a sentence that says what."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)
