"""What to do about one tenant's keys: recovery of what an earlier run left open, then drift, rotation and removal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.errors import foreign
from reconciler.model.action import Action, ActionKind, Change, Operation
from reconciler.model.desired import DesiredKey, KeyState, Strategy, VaultPath
from reconciler.model.names import Kind, ObjectId
from reconciler.model.observed import Observed, SecretMetadata
from reconciler.model.state import Intent, IntentAction, Previous, Record
from reconciler.plan import differ, digest
from reconciler.plan.draft import Draft
from reconciler.plan.levels import LevelIndex, granted, remembered, remove_orphan
from reconciler.plan.ownership import Unclear

_NOTHING = SecretMetadata(current_version=0, live=False)


def plan_keys(draft: Draft, levels: LevelIndex) -> None:
    """Plan every key that is wanted or recorded."""
    wanted = {key.name: key for key in draft.desired.keys}
    names = set(wanted)
    for key in (*draft.owners.records, *draft.owners.intents):
        object_id = ObjectId.parse(key)
        if object_id.kind is Kind.API_KEY:
            names.add(object_id.name)
    for name in sorted(names):
        _Key(draft, levels, ObjectId(Kind.API_KEY, name), wanted.get(name)).plan()
    for orphan in draft.owners.orphans(Kind.API_KEY):
        if orphan.vendor_id == draft.view.observed.own_key_id:
            draft.block(ObjectId(Kind.API_KEY, foreign(orphan.name)), "it is the key that the reconciler is using")
        else:
            remove_orphan(draft, orphan)


@dataclass(slots=True)
class _Key:
    draft: Draft
    levels: LevelIndex
    id: ObjectId
    desired: DesiredKey | None
    record: Record | None = None
    found: Observed | None = None
    secret_pending: bool = False
    """An action that is already planned brings the secret into Vault."""
    left_behind: VaultPath | None = None
    """Where a run that died stored a secret of a key that has gone since."""

    @property
    def now(self) -> datetime:
        return self.draft.view.now

    def secret(self, path: VaultPath) -> SecretMetadata:
        return self.draft.view.secrets.get(path, _NOTHING)

    def plan(self) -> None:
        self.record = self.draft.owners.records.get(str(self.id))
        intent = self.draft.owners.intents.get(str(self.id))
        if intent is not None:
            self._recover(intent)
        if self.record is not None and self.found is None:
            found = self.draft.owners.recorded(self.id, self.record.vendor_id, self.record.nonce)
            if isinstance(found, Unclear):
                self._block(
                    f"our records say id {self.record.vendor_id}, but that is now {found.observed.name!r} without our mark",
                    "its owner cannot be told: look at it in the vendor's console",
                )
                return
            self.found = found
        removal = self._why_removed()
        if removal:
            self._remove(removal)
        elif self.record is None:
            self._create()
        else:
            self._keep(self.record)

    # -- recovery ------------------------------------------------------------------------------------------------------

    def _recover(self, intent: Intent) -> None:
        path = VaultPath(intent.mount, intent.path)
        stored = self.secret(path).current_version > intent.base_version
        if intent.action is IntentAction.REGENERATE:
            self._recover_regeneration(intent, path, stored=stored)
            return
        created = self.draft.owners.intended(self.id, intent)
        if self.record is not None and self.record.revoked is not None:
            self._recover_revoked(intent, created)
            return
        if created is None:
            self.left_behind = path if stored else None
            if self._why_removed() or self.record is not None:
                self._settle("a run died before it created anything", intent)
            return
        replaced = self.record
        self.record = Record(
            vendor_id=created.vendor_id,
            generation=intent.generation,
            nonce=intent.nonce,
            mount=intent.mount,
            path=intent.path,
            version=self.secret(path).current_version,
            issued_at=self.secret(path).updated,
            expires=self.desired.expires if self.desired else None,
            owner=replaced.owner if replaced else self.desired.owner if self.desired else "",
            protect=replaced.protect if replaced else self.desired.protect if self.desired else False,
            previous=self._retiring(replaced, path),
        )
        self.found = created
        if stored:
            reason = f"key {created.vendor_id} exists and its secret is in Vault: only the record is missing"
            self._settle(reason, intent)
        elif not self._why_removed():
            reason = f"key {created.vendor_id} exists, its secret was never stored: reissue"
            self._reissue(reason, intent.generation, path, intent=intent)

    def _recover_regeneration(self, intent: Intent, path: VaultPath, *, stored: bool) -> None:
        if self.record is not None:
            found = self.draft.owners.recorded(self.id, intent.vendor_id, self.record.nonce)
            if isinstance(found, Unclear):
                return
            self.found = found
        if stored and self.record is not None:
            self.record = self.record.model_copy(
                update={
                    "generation": intent.generation,
                    "mount": path.mount,
                    "path": path.path,
                    "version": self.secret(path).current_version,
                    "issued_at": self.secret(path).updated,
                }
            )
            reason = f"the new secret of key {intent.vendor_id} is in Vault: only the record is missing"
            self._settle(reason, intent)
        elif self.found is not None and (self._why_removed() or self._revoked()):
            return  # the removal ends the intent; if it is blocked, the intent still says that the secret may be dead
        elif self.found is not None:
            reason = f"key {intent.vendor_id} may have a new secret that was never stored: reissue"
            self.secret_pending = True
            if self._may_write(self._desired().secret_path):  # the manifest may have moved it since
                self._reissue(reason, intent.generation, self._desired().secret_path, intent=intent)
        else:
            self._settle("a run died before it stored a secret", intent)

    def _recover_revoked(self, intent: Intent, created: Observed | None) -> None:
        """What a run issued while somebody revoked the key only ever goes."""
        reason = "it was revoked while a run was issuing it"
        if created is not None and not self._is_own(created.vendor_id):
            self._act(ActionKind.REPAIR, Operation.REMOVE, reason, vendor_id=created.vendor_id)
        if created is None or not self._is_own(created.vendor_id):
            self._settle(reason, intent)

    def _revoked(self) -> bool:
        return self.record is not None and self.record.revoked is not None

    def _settle(self, reason: str, intent: Intent) -> None:
        """Close an intent and record what came of it, as found: what the manifest now says beside it is another action."""
        self._act(ActionKind.REPAIR, Operation.RECORD, reason, intent=intent, desired=None)

    def _retiring(self, replaced: Record | None, new_path: VaultPath) -> Previous | None:
        """What the key that a rotation replaced becomes: it goes on working until the overlap ends."""
        if replaced is None:
            return None
        if self.draft.owners.by_id(Kind.API_KEY, replaced.vendor_id) is None:
            return replaced.previous
        rotation = self.desired.rotation if self.desired else None
        until = self.now + rotation.overlap if rotation else self.now
        return retiring(replaced, new_path, until)

    # -- removal -------------------------------------------------------------------------------------------------------

    def _why_removed(self) -> str:
        if self.desired is None:
            return "taken out of Git"
        if self.desired.state is KeyState.ABSENT:
            return "state: absent"
        if self.desired.expires is not None and self.desired.expires <= self.now:
            return f"expired {self.desired.expires:%Y-%m-%d %H:%M}Z"
        return ""

    def _remove(self, reason: str) -> None:
        if self.record is None:
            if reason.startswith("expired"):
                self.draft.note(self.id, f"{reason}: not created")
            return
        if self.record.protect or (self.desired is not None and self.desired.protect):
            self._block(
                f"it is protected, and {reason}",
                "protection is lifted in a commit of its own: apply protect: false while the key is still wanted",
            )
            return
        if self._is_own(self.record.vendor_id) or not self._previous_can_go(self.record):
            return
        if self.found is None:
            reason += "; gone at the vendor already, its secret is not"
        self._act(
            ActionKind.DELETE, Operation.DELETE, reason, vendor_id=self.record.vendor_id,
        )  # fmt: skip

    # -- creation ------------------------------------------------------------------------------------------------------

    def _create(self) -> None:
        desired = self._desired()
        if self.draft.block_foreign(self.id, desired.source) or not self._level_is_known():
            return
        if not self._may_write(desired.secret_path):
            return
        self._act(
            ActionKind.CREATE,
            Operation.ISSUE,
            "",
            changes=self._all_fields(),
            base_version=self.secret(desired.secret_path).current_version,
        )

    def _may_write(self, path: VaultPath) -> bool:
        """Whether a new secret may go to a path: never over one that is not this key's current secret."""
        record = self.record
        previous = record.previous if record else None
        if previous is not None and path == VaultPath(previous.mount, previous.path):
            self._block(
                f"{path} is the place of generation {previous.generation}, whose end will empty it",
                "the next secret is written there once that generation is gone: plan again then",
            )
            return False
        ours = {self.left_behind, record and VaultPath(record.mount, record.path)}
        if path in ours or not self.secret(path).live:
            return True
        self._block(
            f"{path} already holds a secret that the reconciler did not write",
            "move it away, or give the tenant another secrets path",
        )
        return False

    def _all_fields(self) -> tuple[Change, ...]:
        desired = self._desired()
        fields = dict(self.draft.provider.key_fields(desired), accessLevel=str(desired.level))
        return (*granted(fields), Change("secret", None, str(desired.secret_path)))

    # -- a key that we have --------------------------------------------------------------------------------------------

    def _keep(self, record: Record) -> None:
        desired = self._desired()
        if record.revoked is not None:
            self._block(f"it was revoked {record.revoked.at:%Y-%m-%d %H:%M}Z: {record.revoked.reason}")
            return
        self.draft.vanished += self.found is None
        if not self._level_is_known():
            return
        if self.found is None:
            if self.draft.block_foreign(self.id, desired.source) or not self._may_write(desired.secret_path):
                return
            self._act(
                ActionKind.REPAIR,
                Operation.ISSUE,
                f"key {record.vendor_id} is gone at the vendor: issue a new one",
                changes=self._all_fields(),
                generation=record.generation + 1,
                base_version=self.secret(desired.secret_path).current_version,
            )
            self._retire(record)
            return
        self._update(record, self.found)
        if not self.secret_pending:
            self._mend_secret(record)
        if not self._retire(record) and not self.secret_pending:
            self._rotate(record)

    def _update(self, record: Record, found: Observed) -> None:
        desired = self._desired()
        changed, level_id = self._differences(found)
        if self.draft.mark_is_lost(found, record):
            changed.append(Change("mark", "missing", "restored"))
        at_vendor = bool(changed)
        changed += remembered(record, desired.owner, desired.protect)
        if not changed:
            return
        state = next((change.new for change in changed if change.path == "state"), None)
        if state == KeyState.LOCKED and self._is_own(found.vendor_id):
            return
        kinds = {KeyState.LOCKED.value: ActionKind.LOCK, KeyState.ACTIVE.value: ActionKind.UNLOCK}
        self._act(
            kinds.get(str(state), ActionKind.UPDATE),
            Operation.UPDATE if at_vendor else Operation.RECORD,
            "",
            changes=tuple(changed),
            vendor_id=found.vendor_id,
            generation=record.generation,
            level_id=level_id,
        )

    def _differences(self, found: Observed) -> tuple[list[Change], str | None]:
        desired = self._desired()
        changed = list(differ.changes(found.fields, self.draft.provider.key_fields(desired)))
        level_id = self.levels.resolve(desired.level).vendor_id
        if level_id is None or level_id != found.level_id:
            changed.append(Change("accessLevel", self.levels.label(found.level_id), str(desired.level)))
        return changed, level_id

    def _mend_secret(self, record: Record) -> None:
        path = VaultPath(record.mount, record.path)
        secret = self.secret(path)
        if not secret.live:
            if self._may_write(self._desired().secret_path):
                self._reissue(
                    f"its secret is missing from {path}: reissue", record.generation + 1, self._desired().secret_path
                )
            return
        if secret.current_version != record.version:
            self.draft.note(
                self.id,
                f"{path} is at version {secret.current_version}, and we wrote {record.version}: "
                "somebody else wrote there; rotate the key to be sure of it",
            )
        if path != self._desired().secret_path:
            self.draft.note(
                self.id,
                f"its secret stays at {path} until the next rotation, then moves to {self._desired().secret_path}",
            )

    def _reissue(self, reason: str, generation: int, path: VaultPath, intent: Intent | None = None) -> None:
        found = self.found
        self.secret_pending = True
        if found is None or self._is_own(found.vendor_id):
            return
        self._act(
            ActionKind.REPAIR, Operation.REGENERATE, reason, vendor_id=found.vendor_id, generation=generation,
            base_version=self.secret(path).current_version, intent=intent,
        )  # fmt: skip

    # -- rotation ------------------------------------------------------------------------------------------------------

    def _retire(self, record: Record) -> bool:
        """Plan the end of the previous generation when its time has come. True while one is still waiting."""
        previous = record.previous
        if previous is None:
            return False
        locked = self._desired().state is KeyState.LOCKED
        gone = self.draft.owners.by_id(Kind.API_KEY, previous.vendor_id) is None
        if previous.until > self.now and not locked and not gone:
            self.draft.note(
                self.id,
                f"generation {previous.generation} (id {previous.vendor_id}) keeps working "
                f"until {previous.until:%Y-%m-%d %H:%M}Z",
            )
            self._update_retiring(previous)
            return True
        if not self._previous_can_go(record):
            return True
        reason = "it is gone at the vendor" if gone else "the key is locked" if locked else "its overlap is over"
        self._act(
            ActionKind.RETIRE,
            Operation.REMOVE,
            f"generation {previous.generation} (id {previous.vendor_id}): {reason}",
            vendor_id=previous.vendor_id,
            generation=record.generation,
        )
        return False

    def _previous_can_go(self, record: Record) -> bool:
        """Whether the retiring generation, if there is one, is clearly ours to delete; if not the object is blocked."""
        if record.previous is None:
            return True
        found = self.draft.owners.recorded(self.id, record.previous.vendor_id, record.previous.nonce)
        if isinstance(found, Unclear):
            self._block(
                f"our records say that its generation {record.previous.generation} is id {record.previous.vendor_id}, "
                f"but that is now {found.observed.name!r} without our mark",
                "its owner cannot be told: look at it in the vendor's console",
            )
            return False
        return not self._is_own(record.previous.vendor_id)

    def _update_retiring(self, previous: Previous) -> None:
        """A generation in its overlap must not keep access that the manifest has since taken away."""
        found = self.draft.owners.recorded(self.id, previous.vendor_id, previous.nonce)
        if not isinstance(found, Observed):
            return
        changed, level_id = self._differences(found)
        changed = [change for change in changed if change.path != "expires"]
        if changed and self.record is not None:
            self._act(
                ActionKind.UPDATE, Operation.UPDATE, f"generation {previous.generation}, in its overlap",
                changes=tuple(changed), vendor_id=found.vendor_id, generation=previous.generation, level_id=level_id,
                observed=found, seen=digest.seen(found, self.record),
            )  # fmt: skip

    def _rotate(self, record: Record) -> None:
        desired = self._desired()
        rotation = desired.rotation
        if rotation is None or record.issued_at is None or record.issued_at + rotation.every > self.now:
            return
        if desired.state is KeyState.LOCKED:
            self.draft.note(self.id, "rotation is due, and waits until the key is unlocked")
            return
        due = f"issued {record.issued_at:%Y-%m-%d}, due every {spell(rotation.every)}"
        path = desired.secret_path
        if not self._may_write(path):
            return
        in_place = rotation.strategy is Strategy.IN_PLACE or not rotation.overlap
        if in_place and self.draft.provider.capabilities.regenerates_in_place:
            if not self._is_own(record.vendor_id):
                self._act(
                    ActionKind.ROTATE, Operation.REGENERATE, f"{due}; in place: the old secret dies at once",
                    vendor_id=record.vendor_id, generation=record.generation + 1,
                    base_version=self.secret(path).current_version,
                )  # fmt: skip
            return
        self._act(
            ActionKind.ROTATE,
            Operation.ISSUE,
            f"{due}; the old key keeps working for {spell(rotation.overlap)}",
            generation=record.generation + 1,
            base_version=self.secret(path).current_version,
        )

    # -- shared --------------------------------------------------------------------------------------------------------

    def _desired(self) -> DesiredKey:
        if self.desired is None:  # pragma: no cover  a mistake of ours, for the type checker
            raise AssertionError("only keys that are wanted get here")
        return self.desired

    def _level_is_known(self) -> bool:
        level = self.levels.resolve(self._desired().level)
        if level.problem:
            self._block(level.problem, level.hint)
        return not level.problem

    def _is_own(self, vendor_id: str) -> bool:
        """Whether this is the key that we are calling with; if so the object is blocked."""
        if vendor_id != self.draft.view.observed.own_key_id:
            return False
        self._block(
            f"id {vendor_id} is the key that the reconciler itself is using",
            "it never deletes, locks or regenerates that one: give the tenant another credential first",
        )
        return True

    def _block(self, reason: str, hint: str = "") -> None:
        self.draft.block(self.id, reason, hint, self.desired.source if self.desired else None)

    def _act(self, kind: ActionKind, operation: Operation, reason: str, **more: object) -> None:
        desired = self.desired
        depends = self.levels.dependency(desired.level) if desired is not None else None
        level_id = self.levels.resolve(desired.level).vendor_id if desired is not None else None
        action = Action(
            kind,
            operation,
            self.id,
            reason=reason,
            desired=desired,
            observed=self.found,
            record=self.record,
            level_id=level_id,
            wanted=digest.wanted(desired, depends),
            seen=digest.seen(self.found if operation is Operation.UPDATE else None, self.record),
        )
        self.draft.actions.append(replace(action, **more))  # type: ignore[arg-type]


def retiring(replaced: Record, new_path: VaultPath, until: datetime) -> Previous:
    """The record of a key that has a successor. Where its secret lies is kept only if the path has moved."""
    moved = VaultPath(replaced.mount, replaced.path) != new_path
    return Previous(
        vendor_id=replaced.vendor_id,
        generation=replaced.generation,
        nonce=replaced.nonce,
        until=until,
        mount=replaced.mount if moved else "",
        path=replaced.path if moved else "",
    )


def spell(span: timedelta) -> str:
    """A duration as manifests write it, in its largest whole unit: `90d`, `36h`, `90m`, `45s`."""
    seconds = int(span.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
