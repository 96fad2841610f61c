"""One tenant's apply: under one lease, level by level and key by key, each failure stopping only what depends on it.

Whatever a worker meets, a bug of ours included, becomes the result of one action: nothing is lost but that action.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Final

from reconciler.apply.handoff import open_handoff
from reconciler.apply.issue import complete, intent_for, issue
from reconciler.apply.journal import dropped
from reconciler.apply.overtaken import give_way, is_overtaken, lock_again, unlocks_leaked_keys
from reconciler.apply.perform import create_level, perform
from reconciler.apply.result import Result, Status
from reconciler.apply.tools import Tools, VaultAway, holder
from reconciler.errors import AuthenticationFailed, Interrupted, LeaseLost, ReconcilerError, Unexpected
from reconciler.model.action import Action, Operation
from reconciler.model.desired import DesiredKey
from reconciler.model.names import ObjectId
from reconciler.model.state import Intent, StateDocument
from reconciler.providers.base import Verification

BATCH: Final = 64
BATCHES: Final = 2
"""How many batches may be under way: while the last keys of one are being verified, the next one's are being created."""
WORKERS: Final = 8
"""How many actions of a tenant are being carried out at once, secrets that are only being verified left out."""
VERIFIERS: Final = 8
"""How many secrets may be verified beside that: while one is, the next key is being created."""

_WITH_INTENT: Final = frozenset({Operation.CREATE, Operation.ISSUE, Operation.REGENERATE})
_ENDS_THE_TENANT: Final = (LeaseLost, AuthenticationFailed, VaultAway)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Objects that were announced together, and the work on them."""

    chains: Sequence[Sequence[Action]]
    intents: Mapping[ObjectId, Intent]
    work: list[Future[None]]


@dataclass(slots=True)
class TenantRun:
    """Carries out one tenant's actions, in the planner's order."""

    tools: Tools
    stop: threading.Event
    progress: Callable[[Result], None] = lambda _: None
    error: ReconcilerError | None = None
    """Why what was done is not recorded, or not all of it could be begun."""
    _left: list[str] = field(default_factory=list)
    """What may still work of keys that somebody has revoked meanwhile, of all batches."""
    _begun: set[int] = field(default_factory=set)
    _results: dict[int, Result] = field(default_factory=dict)
    _failed: dict[ObjectId, str] = field(default_factory=dict)
    _halted: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _turns: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(WORKERS))

    def carry_out(self, actions: Sequence[Action]) -> tuple[Result, ...]:
        """Do everything that can be done, and say what became of each action, in the given order."""
        under_way: list[_Batch] = []
        try:
            with ThreadPoolExecutor(WORKERS + VERIFIERS, f"apply-{self.tools.tenant.desired.name}") as pool:
                for _, phase in groupby(actions, key=_phase):
                    for chains in _batches(_chains(phase)):
                        batch = _Batch(chains, self._open_intents(chains), [])
                        under_way.append(batch)
                        for chain in chains:
                            batch.work.append(pool.submit(self._chain, chain, batch.intents))
                        if len(under_way) == BATCHES:
                            self._end(under_way)
                    while under_way:
                        self._end(under_way)
        except Exception as problem:  # noqa: BLE001  no more threads, no more memory
            self.error = Unexpected.of(problem)
            for number in range(len(under_way)):  # the pool has waited for it all: what was done is recorded
                with contextlib.suppress(Exception):
                    self._end(under_way[number:])
        return tuple(
            self._results.get(id(action)) or Result(action, Status.SKIPPED, f"not begun: {self.error}")
            for action in actions
        )

    def _open_intents(self, batch: Sequence[Sequence[Action]]) -> dict[ObjectId, Intent]:
        """One commit announces all of a batch. If it fails nothing of the batch is begun."""
        intents = {
            action.object: intent_for(self.tools, action)
            for chain in batch
            for action in chain
            if action.operation in _WITH_INTENT
        }
        if not intents or self._reason_to_skip(None):
            return {}

        def open_all(document: StateDocument) -> StateDocument:
            for chain in batch:  # the intent must not stand under a name that the record does not have yet
                for action in chain:
                    if action.renamed_from:
                        document = document.rename(action.renamed_from, str(action.object))
            opened = {str(name): intent for name, intent in intents.items()}
            return document.model_copy(update={"intents": {**document.intents, **opened}})

        try:
            self.tools.journal.flush(open_all)
        except ReconcilerError as error:
            self._halt(str(error))
        return intents

    def _end(self, under_way: list[_Batch]) -> None:
        """Wait for the first of these batches, record it, and take it off the list."""
        batch, *beside = under_way
        wait(batch.work)
        self._drop_unused(batch.chains, batch.intents)
        self._flush()
        begun = [action for chain in batch.chains for action in chain if id(action) in self._begun]
        if any(is_overtaken(self.tools.journal.document, action) for action in begun):
            for other in beside:  # the vendor is listed then, and a list that changes may pass over the very key
                wait(other.work)
        with self.tools.tenant.gate.patient():
            self._give_way(begun, batch.intents)
        del under_way[0]
        for work in batch.work:
            work.result()  # a mistake of ours outside of any action

    def _give_way(self, begun: Sequence[Action], intents: Mapping[ObjectId, Intent]) -> None:
        """End what was made of keys that somebody has revoked since: the commit that has just been made tells."""
        document = self.tools.journal.document
        given = give_way(self.tools, begun, intents)
        for action in begun:
            if action.object in given and is_overtaken(document, action):
                became = given[action.object] or "what was made of it is removed"
                self._finish(Result(action, Status.FAILED, f"it was revoked meanwhile: {became}"))
            elif unlocks_leaked_keys(document, action):
                problem = lock_again(self.tools, action)
                given[action.object] = problem
                became = problem or "a key of it was revoked meanwhile: it is locked"
                self._finish(Result(action, Status.FAILED, became))
        self._left += [f"{name}: {problem}" for name, problem in given.items() if problem]
        if self._left:
            self.error = ReconcilerError("; ".join(self._left), hint="repeat `reconciler revoke`, or run this again")
        self._flush()

    def _drop_unused(self, batch: Sequence[Sequence[Action]], intents: Mapping[ObjectId, Intent]) -> None:
        """What was announced and not begun (its role failed, the run was interrupted) needs no looking after."""
        for action in (action for chain in batch for action in chain if action.operation in _WITH_INTENT):
            intent = intents.get(action.object)
            if intent is not None and action.intent is None and id(action) not in self._begun:
                self.tools.journal.later(dropped(action.object, intent))

    def _chain(self, chain: Sequence[Action], intents: Mapping[ObjectId, Intent]) -> None:
        """All of one object's actions, one after the other; the first failure ends the chain."""
        for action in chain:
            with contextlib.ExitStack() as turn:
                turn.enter_context(self._turns)
                reason = self._reason_to_skip(action)
                if reason:
                    self._finish(Result(action, Status.SKIPPED, reason))
                    continue
                self._finish(self._attempt(action, intents.get(action.object), turn))

    def _attempt(self, action: Action, intent: Intent | None, turn: contextlib.ExitStack) -> Result:
        with self._lock:
            self._begun.add(id(action))
        try:
            return self._one(action, intent, turn)
        except Interrupted:
            # What was sent is done, and what was not is not: the next run goes on from the intent, if there is one.
            return Result(
                action, Status.FAILED, "interrupted while it waited for the vendor's rate; run again to go on"
            )
        except Exception as problem:  # noqa: BLE001  what ends one action must not end the others
            error = problem if isinstance(problem, ReconcilerError) else Unexpected.of(problem)
        if isinstance(error, _ENDS_THE_TENANT):
            self._halt(str(error))
        return Result(action, Status.FAILED, str(error))

    def _one(self, action: Action, intent: Intent | None, turn: contextlib.ExitStack) -> Result:
        if action.operation is Operation.HAND_OFF:
            open_handoff(self.tools, action, holder())
            return Result(action, Status.WAITING, "waits for a person")
        if action.operation not in _WITH_INTENT:
            return Result(action, Status.DONE, perform(self.tools, action))
        if intent is None:  # pragma: no cover  a mistake of ours, for the type checker
            raise AssertionError("nothing is created without an intent")
        if action.operation is Operation.CREATE:
            return Result(action, Status.DONE, f"id {create_level(self.tools, action, intent)}")
        fresh = issue(self.tools, action, intent)
        turn.close()  # the next key may be created while this one's secret is verified
        stored = complete(self.tools, action, intent, fresh)
        detail = (
            "" if stored.verification is Verification.GOOD else "not verified: it cannot be used from here or is locked"
        )
        return Result(action, Status.DONE, detail, stored.path, stored.version)

    def _reason_to_skip(self, action: Action | None) -> str:
        if self._halted:
            return f"not begun: {self._halted}"
        if self.stop.is_set():
            return "not begun: the run was interrupted; run again to go on"
        if action is None:
            return ""
        return self._depends_on_failure(action)

    def _depends_on_failure(self, action: Action) -> str:
        if is_overtaken(self.tools.journal.document, action):
            return "not begun: it was revoked meanwhile"
        if action.object in self._failed:
            return f"not begun: {self._failed[action.object]} failed"
        if isinstance(action.desired, DesiredKey):
            level = action.desired.level.id
            if level in self._failed:
                return f"not begun: {level} failed"
        if action.object.kind.is_level and action.operation in {Operation.REMOVE, Operation.DELETE}:
            for key in self._still_using(action.vendor_id):
                return f"not begun: {key} still uses it"
        return ""

    def _still_using(self, level_id: str) -> Iterator[ObjectId]:
        """The keys that were to leave a level in this run, and could not."""
        with self._lock:
            results = tuple(self._results.values())
        for result in results:
            action = result.action
            if result.status is not Status.DONE and action.observed and action.observed.level_id == level_id:
                yield action.object

    def _finish(self, result: Result) -> None:
        with self._lock:
            self._results[id(result.action)] = result
            if result.status not in {Status.DONE, Status.WAITING}:
                self._failed.setdefault(result.action.object, f"{result.action.kind} of {result.action.object}")
        with contextlib.suppress(Exception):  # whoever watches may have gone: the work goes on
            self.progress(result)

    def _halt(self, reason: str) -> None:
        with self._lock:
            self._halted = self._halted or reason

    def _flush(self) -> None:
        try:
            self.tools.journal.flush()
        except ReconcilerError as error:
            self._halt(str(error))
            with self._lock:
                results = tuple(self._results.values())
            if any(result.status is not Status.SKIPPED for result in results):
                error.what = f"not everything could be recorded, the next run will find out: {error.what}"
            self.error = error


def _phase(action: Action) -> tuple[bool, bool]:
    """Levels before keys, removals after everything; within a phase objects do not depend on each other."""
    late = action.operation is Operation.DELETE or (
        action.object.kind.is_level and action.operation is Operation.REMOVE
    )
    return action.object.kind.is_level, late


def _chains(actions: Iterable[Action]) -> list[list[Action]]:
    chains: dict[ObjectId, list[Action]] = {}
    for action in actions:
        chains.setdefault(action.object, []).append(action)
    return list(chains.values())


def _batches(chains: Sequence[list[Action]]) -> Iterator[list[list[Action]]]:
    rest = iter(chains)
    while batch := list(islice(rest, BATCH)):
        yield batch
