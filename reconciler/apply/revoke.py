"""Revoking keys now: the tombstone first, then every key at the vendor, then every version of the secret.

The order is what makes it safe. Once the tombstone is in the state no plan issues the key again, whatever else fails; a run
that is at work meanwhile finds it at its next commit. Nothing here needs the tenant's lease, a manifest or a quiet moment,
and everything may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from reconciler.apply.emergency import Carriers, Ended, Scene, Trail, carriers, end, known_mark, open_without_lease
from reconciler.apply.run import PARALLEL_TENANTS
from reconciler.apply.tenant import WORKERS
from reconciler.errors import AuthenticationFailed, InvalidInput, ReconcilerError, Unexpected, foreign
from reconciler.model.desired import VaultPath
from reconciler.model.mark import new_nonce, owner_tag
from reconciler.model.names import Kind, ObjectId
from reconciler.model.observed import Observed
from reconciler.model.outcome import ExitCode, combine
from reconciler.model.state import Handoff, HandoffAction, Phase, Previous, Record, Revoked, StateDocument
from reconciler.plan.handoff import digest_of
from reconciler.plan.observe import Access, OpenTenant
from reconciler.providers.base import Step, Write
from reconciler.suggest import did_you_mean
from reconciler.vault import tags

_POLL: Final = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class KeyEnd:
    """What became of one key. `left`: what still has to be done by repeating; `steps`: what a person has to do."""

    name: ObjectId
    tombstone: Revoked
    ended: tuple[Ended, ...] = ()
    emptied: tuple[VaultPath, ...] = ()
    steps: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def code(self) -> ExitCode:
        """This key's own exit code."""
        if self.left:
            return ExitCode.PARTIAL
        return ExitCode.HANDOFF if self.steps else ExitCode.DONE


@dataclass(frozen=True, slots=True)
class TenantEnd:
    """What became of one tenant's keys; `error` if not even the tombstones could be written."""

    tenant: str
    keys: tuple[KeyEnd, ...] = ()
    error: ReconcilerError | None = None

    @property
    def code(self) -> ExitCode:
        """This tenant's own exit code."""
        return ExitCode.ERROR if self.error is not None else combine(key.code for key in self.keys)


def condemn(document: StateDocument, names: Sequence[str]) -> tuple[Trail, ...]:
    """What the state knows of these keys. InvalidInput for one of which it knows nothing."""
    trails = tuple(Trail.of(document, ObjectId(Kind.API_KEY, name)) for name in names)
    for trail in trails:
        if trail.record is None and trail.intent is None:
            parsed = map(ObjectId.parse, {**document.objects, **document.intents})
            known = [object_id.name for object_id in parsed if object_id.kind is Kind.API_KEY]
            raise InvalidInput(
                f"there is no {trail.name} in its state",
                where=document.tenant,
                hint=did_you_mean(trail.name.name, known)
                or f"is the state older than the key? Then first: reconciler state rebuild {document.tenant}",
            )
    return trails


@dataclass(frozen=True, slots=True)
class Revocation:
    """One `revoke`: who does it, why, and with what."""

    access: Access
    by: str
    reason: str
    progress: Callable[[str, KeyEnd], None] = lambda _tenant, _key: None

    def revoke_all(self, wanted: Mapping[str, Sequence[str]]) -> tuple[TenantEnd, ...]:
        """Revoke keys, given by tenant; the tenants side by side, and each to the end whatever becomes of the others."""
        with ThreadPoolExecutor(PARALLEL_TENANTS, thread_name_prefix="revoke") as pool:
            return tuple(pool.map(lambda item: self._tenant(*item), sorted(wanted.items())))

    def _tenant(self, tenant: str, names: Sequence[str]) -> TenantEnd:
        work = _Work(self, tenant, tuple(ObjectId(Kind.API_KEY, name) for name in names))
        try:
            work.bury()
        except Exception as problem:  # noqa: BLE001  what ends one tenant must not end the others
            error = problem if isinstance(problem, ReconcilerError) else Unexpected.of(problem)
            return TenantEnd(tenant, error=error.at(tenant))
        return TenantEnd(tenant, work.finish())


@dataclass(slots=True)
class _Work:
    """One tenant's keys on their way."""

    run: Revocation
    tenant: str
    names: tuple[ObjectId, ...]
    _document: StateDocument = field(init=False)
    _trails: dict[ObjectId, Trail] = field(default_factory=dict)
    _ended: dict[ObjectId, dict[str, Ended]] = field(default_factory=dict)
    _emptied: dict[ObjectId, set[VaultPath]] = field(default_factory=dict)
    _left: dict[ObjectId, dict[str, str]] = field(default_factory=dict)
    _steps: dict[ObjectId, tuple[str, ...]] = field(default_factory=dict)
    _session: OpenTenant | None = None
    _seen: bool = False
    """Whether the vendor's list has been read."""

    # -- 1. the tombstones, in one commit ---------------------------------------------------------------------------------

    def bury(self) -> None:
        """Write every tombstone."""
        access = self.run.access
        tombstone = Revoked(at=access.vault.now(), by=self.run.by, reason=self.run.reason)

        def entomb(document: StateDocument) -> StateDocument:
            condemn(document, [name.name for name in self.names])
            for name in self.names:
                document = document.record(str(name), _entombed(Trail.of(document, name), tombstone))
            return document

        self._document = access.states.amend(self.tenant, entomb)

    # -- 2. the vendor, 3. the secrets, 4. a run that is at work -----------------------------------------------------------

    def finish(self) -> tuple[KeyEnd, ...]:
        """Kill, empty, look again, and remember what is left. The tombstones stand: nothing is raised any more."""
        self._trails = {name: Trail.of(self._document, name) for name in self.names}
        with ExitStack() as stack:
            self._attempt("vendor", "nothing could be done at the vendor", lambda: self._open(stack))
            self._attempt("secrets", "its secret may still be readable", lambda: self._empty(self.names))
            self._attempt("run", "whether a run is still at work on it could not be told", self._outlast)
            self._attempt("state", "it is revoked, but what became of it could not be recorded", self._remember)
        ends = tuple(map(self._end, self.names))
        for one in ends:
            self.run.progress(self.tenant, one)
        return ends

    def _attempt(self, about: str, what: str, step: Callable[[], None]) -> None:
        """Take one step; what goes wrong in it is left over, and the next one is taken all the same."""
        try:
            step()
        except Exception as problem:  # noqa: BLE001  the tombstones stand: the rest goes on
            error = problem if isinstance(problem, ReconcilerError) else Unexpected.of(problem)
            self._leave(self.names, about, f"{what}: {error}")

    def _open(self, stack: ExitStack) -> None:
        self._session = open_without_lease(self.run.access, self._document)
        stack.callback(self._session.session.close)
        self._kill(self._session, self.names)

    def _kill(self, tenant: OpenTenant, names: Sequence[ObjectId]) -> None:
        """End every key that carries the mark of one of these objects."""
        tag = self._tag
        known = [key for name in names for key in self._trails[name].known(tag)]
        observed = tenant.session.observe(known)
        self._seen = True
        for name in names:
            self._left.get(name, {}).pop("vendor", None)
        scene = Scene(observed, self._document, tag)
        doomed = [(name, carriers(scene, self._trails[name])) for name in names]
        for name, found in doomed:
            self._delete_unlisted(tenant, self._trails[name], found, observed.own_key_id)
        jobs = [
            (name, item) for name, found in doomed for item in found.keys if not self._is_done(name, item.vendor_id)
        ]
        refused: list[AuthenticationFailed] = []

        def one(job: tuple[ObjectId, Observed]) -> Ended:
            name, item = job
            if refused:  # one refused credential is enough: more of that locks it
                return Ended(item.vendor_id, left=f"id {item.vendor_id} may still work: {refused[0]}")
            try:
                return end(tenant, scene, self._trails[name], item)
            except AuthenticationFailed as problem:
                refused.append(problem)
                return Ended(item.vendor_id, left=f"id {item.vendor_id} may still work: {problem}")
            except Exception as problem:  # noqa: BLE001  one key's trouble must not hide what became of the others
                return Ended(item.vendor_id, left=f"id {item.vendor_id} may still work: {Unexpected.of(problem)}")

        with ThreadPoolExecutor(WORKERS, thread_name_prefix=f"revoke-{self.tenant}") as pool:
            results = list(pool.map(one, jobs))
        for (name, _), result in zip(jobs, results, strict=True):
            self._ended.setdefault(name, {})[result.vendor_id] = result
        for name, found in doomed:
            for item in found.unclear:
                shown = f"id {item.vendor_id} is now {foreign(item.name)!r} without our mark, and is left alone"
                self._leave([name], item.vendor_id, f"{shown}: look at it in the vendor's console")
            self._ask(tenant, name, found)

    def _delete_unlisted(self, tenant: OpenTenant, trail: Trail, found: Carriers, own: str | None) -> None:
        """Delete what is recorded and not listed as well: a list may lag behind, and one that is gone is success."""
        traits = tenant.provider.traits(tenant.desired)
        if not traits.lists_keys or Write.DELETE_KEY in traits.by_hand:
            return
        listed = {item.vendor_id for item in (*found.keys, *found.unclear)}
        for vendor_id, _, _ in trail.recorded():
            if vendor_id not in listed and vendor_id != own:
                try:
                    tenant.session.delete_key(vendor_id)
                except ReconcilerError as problem:
                    what = f"id {vendor_id} is not listed, and could not be deleted: {problem}"
                    self._leave([trail.name], vendor_id, what)

    def _is_done(self, name: ObjectId, vendor_id: str) -> bool:
        before = self._ended.get(name, {}).get(vendor_id)
        return before is not None and not before.left

    def _ask(self, tenant: OpenTenant, name: ObjectId, found: Carriers) -> None:
        """What a person has to click for what could only be locked."""
        waiting = [item for item in found.keys if self._ended.get(name, {}).get(item.vendor_id, _NOT).to_delete]
        steps: list[str] = []
        for item in waiting:
            mark = known_mark(item, self._trails[name], self._tag)
            step = Step(name=name.name, fields=item.fields, mark=mark, vendor_id=item.vendor_id)
            steps += tenant.provider.console_steps(tenant.desired, Write.DELETE_KEY, step)
        if waiting:
            self._steps[name] = tuple(steps) or tuple(f"delete key {item.vendor_id}" for item in waiting)

    def _empty(self, names: Sequence[ObjectId]) -> None:
        """Delete every version of the secrets, and write beside them that they are revoked."""
        jobs = [(name, path) for name in names if not self._own(name) for path in self._trails[name].paths]
        secrets = self.run.access.secrets

        def one(job: tuple[ObjectId, VaultPath]) -> str:
            name, path = job
            tombstone = self._tombstone(name)
            try:
                if not secrets.metadata(path).current_version:
                    return ""  # nothing was ever there, and metadata alone would be odd
                secrets.delete_all_versions(path)
                secrets.annotate(path, tags.tombstone(tombstone, self.tenant, name.name))
            except ReconcilerError as problem:
                return f"its secret at {path} may still be readable: {problem}"
            return ""

        for (name, path), problem in zip(jobs, self.run.access.vault.each(one, jobs), strict=True):
            if problem:
                self._leave([name], str(path), problem)
            else:
                self._left.get(name, {}).pop(str(path), None)
                self._emptied.setdefault(name, set()).add(path)

    def _own(self, name: ObjectId) -> bool:
        """Whether the key that we are calling with is one of its keys: then its secret is in use."""
        return any(one.own for one in self._ended.get(name, {}).values())

    def _outlast(self) -> None:
        """Wait for a run that was issuing one of the keys at that moment, and end what it has brought about.

        A request that is on its way cannot be called back. It takes as long as a vendor call may take, and whatever comes
        of it carries the nonce of the open intent.
        """
        patience = self.run.access.settings.timeout
        busy = self._busy(self._document)
        if not busy:
            return
        waited = 0.0
        still = busy
        while still and waited < patience:
            self.run.access.settings.sleep(_POLL)
            waited += _POLL
            document, _ = self.run.access.states.load(self.tenant)
            self._document = document or self._document
            still = {name: holder for name, holder in self._busy(self._document).items() if name in busy}
        for name in busy:
            self._trails[name] = _both(self._trails[name], Trail.of(self._document, name))
        if self._session is not None:
            try:
                self._kill(self._session, tuple(busy))
            except ReconcilerError as problem:
                self._leave(tuple(busy), "again", f"the vendor could not be asked again: {problem}")
        self._empty(tuple(busy))
        for name, holder in still.items():
            self._leave([name], "run", f"{holder} is still at work on it, and may bring another key about")

    def _busy(self, document: StateDocument) -> dict[ObjectId, str]:
        """The keys that a run with a living lease is issuing now, and who that is."""
        lease = document.lease
        if lease is None or lease.expires <= self.run.access.vault.now():
            return {}
        intents = {name: document.intents.get(str(name)) for name in self.names}
        return {
            name: lease.holder
            for name, intent in intents.items()
            if intent is not None and intent.handoff is None and intent.run == lease.run
        }

    # -- 5. what the state says in the end ---------------------------------------------------------------------------------

    def _remember(self) -> None:
        """Record what is gone, and what a person still has to delete; put back a tombstone that a run wrote over."""
        tenant = self._session
        if tenant is None or not self._seen:
            return
        lists = tenant.provider.traits(tenant.desired).lists_keys
        now = self.run.access.vault.now()

        def settle(document: StateDocument) -> StateDocument:
            for name in self.names:
                record = document.objects.get(str(name)) or self._trails[name].record
                if record is None or record.generation > self._generation(name):
                    continue  # somebody has asked for a new one since
                record = record.model_copy(update={"revoked": self._tombstone(name), "phase": Phase.REVOKED})
                document = document.record(str(name), self._settled(name, record, now, lists=lists))
            return document

        self._document = self.run.access.states.amend(self.tenant, settle)

    def _settled(self, name: ObjectId, record: Record, now: datetime, *, lists: bool) -> Record:
        ended = self._ended.get(name, {})
        update: dict[str, object] = {"previous": self._previous(record.previous, ended, lists=lists)}
        steps = self._steps.get(name, ())
        if steps:
            wanted = digest_of(steps)
            if record.handoff is None or record.handoff.wanted != wanted:
                action = HandoffAction.DELETE
                update["handoff"] = Handoff(action=action, opened=now, by=self.run.by, wanted=wanted)
        elif record.handoff is not None and record.handoff.action is HandoffAction.DELETE:
            update["handoff"] = None
        if not record.vendor_id and len(ended) == 1:
            update["vendor_id"] = next(iter(ended))
        return record.model_copy(update=update)

    def _previous(self, previous: Previous | None, ended: Mapping[str, Ended], *, lists: bool) -> Previous | None:
        """The former generation, unless it is gone."""
        if previous is None:
            return None
        found = ended.get(previous.vendor_id)
        gone = lists if found is None else found.how == "deleted"
        return None if gone else previous

    # -- in the end --------------------------------------------------------------------------------------------------------

    @property
    def _tag(self) -> str:
        return owner_tag(self.run.access.estate.id, self.tenant)

    def _tombstone(self, name: ObjectId) -> Revoked:
        record = self._trails[name].record
        if record is None or record.revoked is None:  # pragma: no cover  a mistake of ours, for the type checker
            raise AssertionError("the tombstone comes first")
        return record.revoked

    def _generation(self, name: ObjectId) -> int:
        """The latest generation that was revoked."""
        record, intent = self._trails[name].record, self._trails[name].intent
        return max(record.generation if record else 0, intent.generation if intent else 0)

    def _leave(self, names: Sequence[ObjectId], about: str, text: str) -> None:
        for name in names:
            self._left.setdefault(name, {})[about] = text

    def _end(self, name: ObjectId) -> KeyEnd:
        ended = tuple(self._ended.get(name, {}).values())
        return KeyEnd(
            name=name,
            tombstone=self._tombstone(name),
            ended=ended,
            emptied=tuple(sorted(self._emptied.get(name, ()))),
            steps=self._steps.get(name, ()),
            left=(*(one.left for one in ended if one.left), *self._left.get(name, {}).values()),
        )


_NOT: Final = Ended("")


def _entombed(trail: Trail, tombstone: Revoked) -> Record:
    """The object's record with the tombstone, in the place of an earlier one: the last word counts.

    For a run may be about to issue the key again, as Git has asked for after an earlier revocation. It knows that one.

    A key that is only being created has no record yet: it gets one, with a nonce of its own. The creation's nonce stays in
    the intent alone, so that a key which comes late, when the intent is closed, is found as an orphan.
    """
    record, intent = trail.record, trail.intent
    if record is None:
        record = Record(
            vendor_id="",
            generation=intent.generation if intent else 1,
            nonce=new_nonce(),
            mount=intent.mount if intent else "",
            path=intent.path if intent else "",
            protect=intent.protect if intent else False,
        )
    before = record.revoked
    if before is not None:
        if (before.by, before.reason) == (tombstone.by, tombstone.reason) and before.at >= tombstone.at:
            return record  # ours: only the answer to its writing was lost
        # Vault tells the time in whole seconds, give or take one: a later word must not look like an earlier one.
        tombstone = tombstone.model_copy(update={"at": max(tombstone.at, before.at + timedelta(microseconds=1))})
    return record.model_copy(update={"revoked": tombstone, "phase": Phase.REVOKED})


def _both(before: Trail, now: Trail) -> Trail:
    """What the state says now, with what it knew before: a run may have closed the intent, and its key may come late."""
    record = now.record if now.record is not None and now.record.revoked is not None else before.record
    return Trail(now.name, record, now.intent or before.intent)
