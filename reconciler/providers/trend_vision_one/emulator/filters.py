"""`TMV1-Filter`: `name eq 'splunk' and not (status eq 'disabled')` (T16), read by recursive descent."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from reconciler.providers.trend_vision_one.emulator.state import Refused

Test = Callable[[Mapping[str, Any]], bool]
FIELDS: Final = ("id", "name", "role", "status")
_LONGEST: Final = 1024
_WORD: Final = re.compile(r"\s*(\(|\)|'(?:[^']|'')*'|\w+)")


def parse(text: str) -> Test:
    """What a filter lets through; Refused with 400 if it cannot be read."""
    if len(text) > _LONGEST:
        raise Refused(400, "The filter is too long.")
    return _Reader(text).whole()


class _Reader:
    def __init__(self, text: str) -> None:
        self._words = _words(text)

    def whole(self) -> Test:
        found = self._either()
        if self._words:
            raise _unreadable()
        return found

    def _either(self) -> Test:
        left = self._both()
        while self._take("or"):
            left = _or(left, self._both())
        return left

    def _both(self) -> Test:
        left = self._one()
        while self._take("and"):
            left = _and(left, self._one())
        return left

    def _one(self) -> Test:
        if self._take("not"):
            return _not(self._one())
        if self._take("("):
            inner = self._either()
            self._expect(")")
            return inner
        name = self._next()
        self._expect("eq")
        value = self._next()
        if name not in FIELDS or not value.startswith("'"):
            raise _unreadable()
        wanted = value[1:-1].replace("''", "'")
        return lambda key: bool(key[name] == wanted)

    def _take(self, word: str) -> bool:
        if self._words[:1] == [word]:
            del self._words[0]
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise _unreadable()

    def _next(self) -> str:
        if not self._words:
            raise _unreadable()
        return self._words.pop(0)


def _words(text: str) -> list[str]:
    found: list[str] = []
    place = 0
    text = text.rstrip()
    while place < len(text):
        word = _WORD.match(text, place)
        if word is None:
            raise _unreadable()
        found.append(word[1])
        place = word.end()
    return found


def _or(one: Test, other: Test) -> Test:
    return lambda key: one(key) or other(key)


def _and(one: Test, other: Test) -> Test:
    return lambda key: one(key) and other(key)


def _not(one: Test) -> Test:
    return lambda key: not one(key)


def _unreadable() -> Refused:
    return Refused(400, "The filter cannot be read.")
