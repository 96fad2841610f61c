"""When a key is exchanged for a token: once for a run, again shortly before the token ends, and never after a refusal.

A token outlives the deactivation of its key and cannot be revoked (FORTIQA), so it is asked for a short time only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from reconciler.errors import AuthenticationFailed, Denied
from reconciler.providers.pacing import Pacer

LIFETIME: Final = 900
"""Seconds that a run's token is asked for (at most 86,400: APIDOC)."""
MARGIN: Final = 60.0
"""A token is renewed so many seconds before its end: longer than a call may take."""


class Tokens:
    """Renews a token by `mint`, which asks for `LIFETIME` seconds. `clock` is monotonic. Threads may share it."""

    def __init__(self, mint: Callable[[], None], clock: Callable[[], float]) -> None:
        self._mint = mint
        self._clock = clock
        self._ends = float("-inf")
        self._refused: Denied | None = None
        self._lock = threading.Lock()

    def ensure(self) -> None:
        """See to it that there is a token that lives on for a while; what `mint` raises is raised."""
        with self._lock:
            if self._refused is not None:
                raise AuthenticationFailed(self._refused.what, hint=self._refused.hint)
            now = self._clock()
            if now < self._ends - MARGIN:
                return
            try:
                self._mint()
            except Denied as refused:
                self.refuse(refused)
                raise
            self._ends = now + LIFETIME

    def refuse(self, refused: Denied) -> None:
        """The vendor takes the key, or its token, no more: from now on there is none."""
        self._refused = refused


class Turns(Pacer):
    """The turns of one function, each of which comes with a token that is still good, however long the wait was."""

    def __init__(self, pacer: Pacer, tokens: Tokens) -> None:
        self._pacer = pacer
        self._tokens = tokens

    def acquire(self, while_waiting: Callable[[], None] | None = None) -> None:
        """Wait for a turn, take it, and see to the token."""
        self._pacer.acquire(while_waiting)
        self._tokens.ensure()

    def pause(self, seconds: float) -> None:
        """Let nobody through for so long."""
        self._pacer.pause(seconds)
