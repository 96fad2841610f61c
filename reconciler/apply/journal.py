"""Grouped commits of the state document: opening intents is one write for a whole batch, closing them is shared.

A commit is a check-and-set write under the lease, so a run that has lost its lease cannot record anything. Changes are
written in the order in which they were queued, and what could not be written stays queued: the last flush of a run tells.
What is never written is found by the next run from the open intents.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import reduce
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.model.names import ObjectId
from reconciler.model.state import Intent, StateDocument
from reconciler.vault.lease import TenantLease

Mutation = Callable[[StateDocument], StateDocument]

MOST_QUEUED: Final = 64
LONGEST_WAIT: Final = 2.0  # seconds


def dropped(name: ObjectId, intent: Intent) -> Mutation:
    """A change that takes out just this intent: one that has been opened for the same object since stays."""

    def drop(document: StateDocument) -> StateDocument:
        found = document.intents.get(str(name))
        ours = found is not None and (found.run, found.nonce) == (intent.run, intent.nonce)
        return document.intend(str(name), None) if ours else document

    return drop


class Journal:
    """Collects changes to one tenant's document and writes them in groups. Safe to use from many threads."""

    def __init__(self, lease: TenantLease, clock: Callable[[], float] = time.monotonic) -> None:
        self._lease = lease
        self._clock = clock
        self._queueing = threading.Lock()
        self._writing = threading.Lock()
        """Held from taking the queue until it is written: a later change must never overtake an earlier one."""
        self._queue: list[Mutation] = []
        self._oldest = 0.0

    @property
    def document(self) -> StateDocument:
        """The document as last written: queued changes are not in it."""
        return self._lease.document

    def later(self, mutation: Mutation) -> None:
        """Queue a change; it is written with others, after at most 64 of them or 2 seconds.

        Vault's errors are not raised here, for they concern every queued change and not just this one: `flush` tells.
        """
        with self._queueing:
            if not self._queue:
                self._oldest = self._clock()
            self._queue.append(mutation)
            due = len(self._queue) >= MOST_QUEUED or self._clock() - self._oldest >= LONGEST_WAIT
        if due:
            try:
                self.flush()
            except ReconcilerError:
                return

    def flush(self, *more: Mutation) -> None:
        """Write everything that is queued, and `more`, in one commit. LeaseLost if the lease is gone, else Vault's errors.

        If it fails the queue stays as it was; `more` is not part of it.
        """
        with self._writing:
            with self._queueing:
                queued, self._queue = self._queue, []
            changes = [*queued, *more]
            if not changes:
                return
            try:
                self._lease.commit(lambda document: reduce(lambda so_far, change: change(so_far), changes, document))
            except BaseException:
                with self._queueing:
                    self._queue[:0] = queued
                raise
