"""A vendor, a Vault and an apply that are nothing but values: what a plan does, said a second time and much simpler.

`World.apply` carries a plan out in the protocol's order and can die before any of its steps. It knows no failures but that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from reconciler.apply.perform import without
from reconciler.model.action import Action, ActionKind, Operation, TenantPlan
from reconciler.model.desired import DesiredKey, DesiredTenant, KeyState, VaultPath
from reconciler.model.mark import Mark
from reconciler.model.names import Kind
from reconciler.model.observed import Observed, SecretMetadata
from reconciler.model.state import Intent, IntentAction, Previous, Record, StateDocument
from reconciler.plan.draft import TenantView
from reconciler.providers.trend_workload_security import PROVIDER
from tests.support import builders

_MAKES_SECRET = {Operation.ISSUE, Operation.REGENERATE}


class Died(Exception):
    """The run was killed."""


@dataclass(frozen=True)
class Written:
    """One version at a path: which key's secret, and the how manieth of that key; None: somebody else wrote it."""

    key: str
    serial: int
    live: bool = True


@dataclass
class World:
    """Everything outside of the process. Secrets are serial numbers: a key works with its newest alone."""

    now: datetime = builders.NOW
    levels: dict[str, Observed] = field(default_factory=dict)
    keys: dict[str, Observed] = field(default_factory=dict)
    serials: dict[str, int] = field(default_factory=dict)
    vault: dict[VaultPath, list[Written]] = field(default_factory=dict)
    document: StateDocument | None = None
    own: str | None = None
    deleted: set[str] = field(default_factory=set)
    regenerated: set[str] = field(default_factory=set)
    issued: list[str] = field(default_factory=list)
    _ids: Any = field(default_factory=lambda: count(100))
    _nonces: Any = field(default_factory=lambda: count(1))
    _left: int | None = None

    # -- what a plan is made from --------------------------------------------------------------------------------------

    def view(self) -> TenantView:
        secrets = {
            path: SecretMetadata(len(versions), live=versions[-1].live, updated=self.now)
            for path, versions in self.vault.items()
            if versions
        }
        return replace(
            builders.view(
                levels=self.levels.values(), keys=self.keys.values(), state=self.document, secrets=secrets,
                own=self.own, now=self.now,
            ),
            state_version=0 if self.document is None else 1,
        )  # fmt: skip

    def plan(self, desired: DesiredTenant) -> TenantPlan:
        return builders.plan(desired, self.view())

    # -- carrying a plan out -------------------------------------------------------------------------------------------

    def apply(self, plan: TenantPlan, die_before: int | None = None) -> None:
        """Do everything; raise `Died` instead of taking step `die_before`, counted from 1."""
        self.deleted, self.regenerated, self.issued = set(), set(), []
        if not plan.actions:
            return
        self._left = die_before
        if self.document is None:
            self._step()
            self.document = builders.document()
        for action in plan.actions:
            self._act(action)

    def _act(self, action: Action) -> None:
        match action.operation:
            case Operation.RECORD:
                self._commit(lambda document: self._remember(document, action))
            case Operation.CREATE:
                self._create_level(action)
            case Operation.ISSUE | Operation.REGENERATE:
                self._issue(action)
            case Operation.UPDATE:
                self._update(action)
            case Operation.DELETE:
                self._delete(action)
            case Operation.REMOVE:
                self._remove(action)

    def _step(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                raise Died

    def _commit(self, change: Callable[[StateDocument], StateDocument]) -> None:
        self._step()
        assert self.document is not None
        self.document = change(self.document)

    def nonce(self) -> str:
        digits = "abcdefghij"
        return "n" * 8 + "".join(digits[int(d)] for d in f"{next(self._nonces):08d}")

    def _open(self, action: Action, intent: Intent) -> None:
        self._commit(lambda document: document.intend(str(action.object), intent))

    def _create_level(self, action: Action) -> None:
        intent = Intent(run="r", action=IntentAction.CREATE, generation=action.generation, nonce=self.nonce())
        self._open(action, intent)
        self._step()
        vendor_id = str(next(self._ids))
        fields = PROVIDER.level_fields(action.level)
        mark = Mark(builders.TAG, intent.generation, intent.nonce)
        self.levels[vendor_id] = Observed(Kind.ACCESS_LEVEL, vendor_id, action.object.name, mark, fields)
        record = Record(
            vendor_id=vendor_id, generation=intent.generation, nonce=intent.nonce,
            owner=action.level.owner, protect=action.level.protect,
        )  # fmt: skip
        name = str(action.object)
        self._commit(lambda document: document.record(name, record).intend(name, None))

    def _issue(self, action: Action) -> None:
        path = action.key.secret_path
        intent = Intent(
            run="r",
            action=IntentAction.CREATE if action.operation is Operation.ISSUE else IntentAction.REGENERATE,
            generation=action.generation, nonce=self.nonce(), base_version=action.base_version,
            mount=path.mount, path=path.path, vendor_id=action.vendor_id, overlap=action.overlap.total_seconds(),
        )  # fmt: skip
        if action.intent is not None and action.intent.action is IntentAction.CREATE:
            intent = action.intent.model_copy(update={"base_version": action.base_version})
        self._open(action, intent)
        self._step()
        if action.operation is Operation.ISSUE:
            vendor_id = str(next(self._ids))
            fields = PROVIDER.key_fields(action.key)
            mark = Mark(builders.TAG, intent.generation, intent.nonce)
            self.keys[vendor_id] = Observed(
                Kind.API_KEY, vendor_id, action.object.name, mark, fields, level_id=self._level(action)
            )
            self.serials[vendor_id] = 1
            self.issued.append(vendor_id)
        else:
            vendor_id = action.vendor_id
            self.serials[vendor_id] += 1
            self.regenerated.add(vendor_id)
        self._step()
        stored = VaultPath(intent.mount, intent.path)
        versions = self.vault.setdefault(stored, [])
        assert len(versions) == intent.base_version, "check-and-set"
        versions.append(Written(vendor_id, self.serials[vendor_id]))
        self._commit(lambda document: self._close(document, action, intent, vendor_id))
        moved = action.record is not None and VaultPath(action.record.mount, action.record.path) != stored
        if moved and action.record is not None and action.operation is Operation.REGENERATE:
            self._forget(VaultPath(action.record.mount, action.record.path))

    def _close(self, document: StateDocument, action: Action, intent: Intent, vendor_id: str) -> StateDocument:
        name = str(action.object)
        current = document.objects.get(name)
        before: Previous | None = None
        if current is not None and current.vendor_id == vendor_id:
            before = current.previous
        elif action.operation is Operation.REGENERATE:
            before = action.record.previous if action.record else None
        elif current is not None and action.observed is not None:
            moved = (current.mount, current.path) != (intent.mount, intent.path)
            before = Previous(
                vendor_id=current.vendor_id, generation=current.generation, nonce=current.nonce,
                until=self.now + action.overlap,
                mount=current.mount if moved else "", path=current.path if moved else "",
            )  # fmt: skip
        elif current is not None:
            before = current.previous
        same = action.operation is Operation.REGENERATE and action.record is not None
        record = Record(
            vendor_id=vendor_id, generation=intent.generation,
            nonce=action.record.nonce if same and action.record else intent.nonce,
            mount=intent.mount, path=intent.path, version=len(self.vault[VaultPath(intent.mount, intent.path)]),
            issued_at=self.now, expires=action.key.expires, owner=action.key.owner, protect=action.key.protect,
            previous=before,
        )  # fmt: skip
        return document.record(name, record).intend(name, None)

    def _update(self, action: Action) -> None:
        self._step()
        names = {change.path.split(".")[0] for change in action.changes}
        if isinstance(action.desired, DesiredKey):
            found = self.keys[action.vendor_id]
            every = PROVIDER.key_fields(action.desired)
            changed = {n: v for n, v in every.items() if n in names}
            level = self._level(action) if "accessLevel" in names else found.level_id
            record = action.record
            assert record is not None
            old = record.previous if record.previous and record.previous.vendor_id == action.vendor_id else record
            mark = Mark(builders.TAG, old.generation, old.nonce)
            fields = {**found.fields, **changed}
            self.keys[action.vendor_id] = replace(
                found, fields=fields, name=str(fields["name"]), level_id=level,
                mark=mark if "mark" in names else found.mark,
            )  # fmt: skip
        else:
            found = self.levels[action.vendor_id]
            assert action.record is not None
            fields = dict(PROVIDER.level_fields(action.level))
            mark = Mark(builders.TAG, action.record.generation, action.record.nonce)
            self.levels[action.vendor_id] = replace(found, fields=fields, name=str(fields["name"]), mark=mark)
        self._commit(lambda document: self._remember(document, action))

    def _remember(self, document: StateDocument, action: Action) -> StateDocument:
        name = str(action.object)
        record = document.objects.get(name)
        if action.operation is Operation.RECORD and action.intent is not None:
            if document.intents.get(name) == action.intent:
                document = document.intend(name, None)
            record = action.record
            document = document.record(name, record)
        if record is None or action.desired is None:
            return document
        update = {"owner": action.desired.owner, "protect": action.desired.protect}
        return document.record(name, record.model_copy(update=update))

    def _delete(self, action: Action) -> None:
        record = action.record
        assert record is not None
        for one in [record, *([record.previous] if record.previous else [])]:
            if one.vendor_id:
                self._kill(action.object.kind, one.vendor_id)
            if one.path:
                self._forget(VaultPath(one.mount, one.path))
        self._commit(lambda document: without(document, action.object))

    def _remove(self, action: Action) -> None:
        self._kill(action.object.kind, action.vendor_id)
        previous = action.record.previous if action.record else None
        if action.kind is not ActionKind.RETIRE or previous is None:
            return
        if previous.path:
            self._forget(VaultPath(previous.mount, previous.path))
        name = str(action.object)

        def forget(document: StateDocument) -> StateDocument:
            record = document.objects.get(name)
            if record is None or record.previous is None or record.previous.vendor_id != action.vendor_id:
                return document
            return document.record(name, record.model_copy(update={"previous": None}))

        self._commit(forget)

    def _kill(self, kind: Kind, vendor_id: str) -> None:
        self._step()
        self.deleted.add(vendor_id)
        (self.levels if kind is Kind.ACCESS_LEVEL else self.keys).pop(vendor_id, None)

    def _forget(self, path: VaultPath) -> None:
        self._step()
        self.vault[path] = []

    def _level(self, action: Action) -> str:
        if action.key.level.existing:
            assert action.level_id is not None
            return action.level_id
        assert self.document is not None
        return self.document.objects[f"AccessLevel/{action.key.level.name}"].vendor_id

    # -- what must be so -----------------------------------------------------------------------------------------------

    def works(self, record: Record) -> bool:
        """Whether the secret at the recorded version is the one that the vendor takes."""
        versions = self.vault.get(VaultPath(record.mount, record.path), [])
        if len(versions) < record.version or record.vendor_id not in self.keys:
            return False
        written = versions[record.version - 1]
        return written.live and (written.key, written.serial) == (record.vendor_id, self.serials[record.vendor_id])

    def check(self, desired: DesiredTenant, plan: TenantPlan) -> None:
        """After a plan that came out empty: every wanted key that is not blocked is one living key with its secret."""
        assert self.document is not None
        blocked = {str(item.object) for item in plan.blocked}
        for key in desired.keys:
            name = str(key.id)
            gone = key.state is KeyState.ABSENT or (key.expires is not None and key.expires <= self.now)
            record = self.document.objects.get(name)
            if name in blocked:
                continue
            assert name not in self.document.intents or record is None
            if gone:
                assert record is None or (record.revoked is not None and not record.vendor_id)  # a tombstone stays
                continue
            assert record is not None
            found = self.keys[record.vendor_id]
            assert self.works(record), name
            assert dict(PROVIDER.key_fields(key)) == dict(found.fields)
            assert found.mark is not None
            assert found.mark.nonce == record.nonce
            generations = [
                k for k in self.keys.values() if k.mark and k.mark.estate == builders.TAG and k.name == key.name
            ]
            claimed = {record.vendor_id, *([record.previous.vendor_id] if record.previous else [])}
            copies = {k.vendor_id for k in generations} - claimed - {item.vendor_id for item in plan.unmanaged}
            assert not copies
        for vendor_id in self.deleted:
            assert vendor_id != self.own

    def pass_time(self, span: timedelta) -> None:
        self.now += span
