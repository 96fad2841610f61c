"""Grouped commits of the state document: opening intents is one write for a whole batch, closing them is shared.

A commit is a check-and-set write under the lease, so a run that has lost its lease cannot record anything. What is queued
here and never written is found by the next run from the open intents.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import reduce
from typing import Final

from reconciler.model.state import StateDocument
from reconciler.vault.lease import TenantLease

Mutation = Callable[[StateDocument], StateDocument]

MOST_QUEUED: Final = 64
LONGEST_WAIT: Final = 2.0  # seconds


class Journal:
    """Collects changes to one tenant's document and writes them in groups. Safe to use from many threads."""

    def __init__(self, lease: TenantLease, clock: Callable[[], float] = time.monotonic) -> None:
        self._lease = lease
        self._clock = clock
        self._lock = threading.Lock()
        self._queue: list[Mutation] = []
        self._oldest = 0.0

    @property
    def document(self) -> StateDocument:
        """The document as last written: queued changes are not in it."""
        return self._lease.document

    def later(self, mutation: Mutation) -> None:
        """Queue a change; it is written with others, after at most 64 of them or 2 seconds."""
        with self._lock:
            if not self._queue:
                self._oldest = self._clock()
            self._queue.append(mutation)
            due = len(self._queue) >= MOST_QUEUED or self._clock() - self._oldest >= LONGEST_WAIT
        if due:
            self.flush()

    def flush(self, *more: Mutation) -> None:
        """Write everything that is queued, and `more`, in one commit. LeaseLost if the lease is gone."""
        with self._lock:
            queue, self._queue = [*self._queue, *more], []
        if queue:
            self._lease.commit(lambda document: reduce(lambda so_far, change: change(so_far), queue, document))
