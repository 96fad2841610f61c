"""Things that go wrong on the way to a vendor, by name.

A fault hits requests that match it: by method, by path (the vendor's template or a concrete path, `*` allowed), from the
n-th such request on, as many times as asked, with a chance that a seed makes repeatable.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final

from reconciler.suggest import did_you_mean


class FaultName(StrEnum):
    """What can go wrong. "Acting" is doing what the request asks for."""

    UNAVAILABLE = "unavailable"
    """503; did not act."""
    HTML = "html"
    """200 and a login page in HTML; did not act."""
    HTML_ERROR = "html-error"
    """502 and an error page in HTML; did not act."""
    UNAUTHORIZED = "unauthorized"
    """401; did not act."""
    FORBIDDEN = "forbidden"
    """403; did not act."""
    RATE_LIMITED = "rate-limited"
    """429, with `Retry-After` if `retry_after` is given; did not act."""
    ERROR_BEFORE = "error-before"
    """500; did not act."""
    ERROR_AFTER = "error-after"
    """500 after acting."""
    RESET_BEFORE = "reset-before"
    """The connection is reset before acting."""
    RESET_AFTER = "reset-after"
    """The connection is reset after acting, without an answer."""
    HANG_AFTER = "hang-after"
    """Acts, and does not answer until the client gives up (or `seconds` have passed: then the connection is reset)."""
    TRUNCATED = "truncated"
    """Acts, and answers with the first half of the body, as if that were all."""
    CUT_OFF = "cut-off"
    """Acts, announces the whole body, sends half of it and closes the connection."""
    LATE_CREATE = "late-create"
    """504 to a creation, which happens only after `requests` further requests."""
    HIDDEN_IN_LIST = "hidden-in-list"
    """A creation goes well, but the next listing does not show the object."""


CREATIONS_ONLY: Final = frozenset({FaultName.LATE_CREATE, FaultName.HIDDEN_IN_LIST})


@dataclass(slots=True)
class Fault:
    """One fault, which requests it hits, and how often it did. `times` None means for ever."""

    name: FaultName
    method: str = ""
    path: str = ""
    nth: int = 1
    times: int | None = 1
    rate: float = 1.0
    retry_after: int | None = None
    requests: int = 3
    seconds: float = 600.0
    seen: int = 0
    hits: int = 0
    _hit: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)

    def count(self) -> None:
        """It happened once more."""
        self.hits += 1
        self._hit.set()

    def wait_until_hit(self, seconds: float) -> bool:
        """Wait until it has happened at least once; False if it has not in so many seconds."""
        return self._hit.wait(seconds)

    def concerns(self, method: str, template: str, path: str, *, creates: bool) -> bool:
        """Whether such a request counts for this fault."""
        if self.name in CREATIONS_ONLY and not creates:
            return False
        return self.method in ("", method) and (
            self.path in ("", template, path) or fnmatchcase(path, self.path) or fnmatchcase(template, self.path)
        )


@dataclass(slots=True)
class Faults:
    """The faults of one emulator, in the order in which they were injected: the first that fires is the one."""

    seed: int | None = None
    _rules: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  repeatable on purpose

    def inject(self, name: str, **how: Any) -> Fault:
        """Add a fault (see `Fault` for what can be said about it); its `hits` tell later whether it happened."""
        return self.add(Fault(FaultName(name), **how))

    def add(self, fault: Fault) -> Fault:
        """Add a fault that was made elsewhere."""
        with self._lock:
            self._rules.append(fault)
        return fault

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._rules.clear()

    def choose(self, method: str, template: str, path: str, *, creates: bool) -> Fault | None:
        """The fault that hits this request, if one does."""
        with self._lock:
            for fault in self._rules:
                if not fault.concerns(method, template, path, creates=creates):
                    continue
                fault.seen += 1
                spent = fault.times is not None and fault.hits >= fault.times
                if spent or fault.seen < fault.nth or self._random.random() >= fault.rate:
                    continue
                fault.count()
                return fault
        return None


_NUMBERS: Final = {"nth": int, "times": int, "rate": float, "retry_after": int, "requests": int, "seconds": float}
_WORDS: Final = ("method", "path")


def parse(text: str) -> Fault:
    """Read `NAME[,method=POST][,path=/apikeys][,nth=2][,times=1][,rate=0.1]…`; ValueError says what is wrong with it.

    A bare name hits every matching request.
    """
    name, *pairs = text.split(",")
    if name not in list(FaultName):
        raise ValueError(_unknown("fault", name, [str(one) for one in FaultName]))
    how: dict[str, Any] = {"times": None}
    for pair in pairs:
        key, _, value = pair.partition("=")
        key = key.replace("-", "_")
        if key in _WORDS:
            how[key] = value.upper() if key == "method" else value
        elif key in _NUMBERS:
            try:
                how[key] = _NUMBERS[key](value)
            except ValueError:
                raise ValueError(f"fault {name!r}: {key} wants a number, not {value!r}") from None
        else:
            raise ValueError(_unknown(f"fault {name!r}: setting", key, [*_WORDS, *_NUMBERS]))
    return Fault(FaultName(name), **how)


def _unknown(what: str, name: str, known: list[str]) -> str:
    hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
    return f"unknown {what} {name!r}: {hint}"
