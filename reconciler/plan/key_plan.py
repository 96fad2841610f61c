"""One key while it is being planned: what is known about it, and the questions that every part of the planning asks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.model import dates
from reconciler.model.action import Action, ActionKind, Change, Operation
from reconciler.model.desired import DesiredKey, KeyState, VaultPath
from reconciler.model.names import Kind, ObjectId
from reconciler.model.observed import Observed, SecretMetadata
from reconciler.model.state import Intent, Record
from reconciler.plan import differ, digest
from reconciler.plan.draft import Draft
from reconciler.plan.levels import LevelIndex
from reconciler.plan.origin import Sides
from reconciler.providers.base import Expiry, Write

_NOTHING = SecretMetadata(current_version=0, live=False)


@dataclass(slots=True)
class KeyPlan:
    """See the module's text. Planning fills in `record` and `found`, and puts actions, blocks and notes into `draft`."""

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
    superseded: bool = False
    """That secret lies on top of the current one, which consumers can no longer read."""
    tried: int = 0
    """The generation that an interrupted run was making: the next one must be another."""
    kept: tuple[Change, ...] = ()
    """Of what was compared last: differences that the manifest leaves alone."""

    @property
    def now(self) -> datetime:
        """The time, as Vault tells it."""
        return self.draft.view.now

    def secret(self, path: VaultPath) -> SecretMetadata:
        """What Vault says of an entry."""
        return self.draft.view.secrets.get(path, _NOTHING)

    def wanted(self) -> DesiredKey:
        """The key as the manifests want it; only for keys that are wanted."""
        if self.desired is None:  # pragma: no cover  a mistake of ours, for the type checker
            raise AssertionError("only keys that are wanted get here")
        return self.desired

    def why_removed(self) -> str:
        """Why the key should not be there; empty if it should."""
        if self.desired is None:
            return "taken out of Git"
        if self.desired.state is KeyState.ABSENT:
            return "state: absent"
        if self.desired.expires is not None and self.desired.expires <= self.now:
            return f"expired {dates.written(self.desired.expires)}"
        if self.desired.state is KeyState.LOCKED and not self.draft.traits.reversible_lock:
            return "state: locked, and this product can lock a key only by deleting it"
        return ""

    @property
    def next_generation(self) -> int:
        """The generation that a new key would be."""
        return max(self.record.generation if self.record else 0, self.tried) + 1

    @property
    def level_word(self) -> str:
        """The manifest's field that names what gives the key its permissions."""
        return "serviceUser" if self.wanted().level.kind is Kind.SERVICE_USER else "accessLevel"

    def level_is_known(self) -> bool:
        """Whether the key's access level can be told; if not the object is blocked."""
        level = self.levels.resolve(self.wanted().level)
        if level.problem:
            self.block(level.problem, level.hint)
        return not level.problem

    def is_own(self, vendor_id: str) -> bool:
        """Whether this is the key that we are calling with; if so the object is blocked."""
        if vendor_id != self.draft.view.observed.own_key_id:
            return False
        self.block(
            f"id {vendor_id} is the key that the reconciler itself is using",
            "it never deletes, locks or regenerates that one: give the tenant another credential first",
        )
        return True

    def may_write(self, path: VaultPath) -> bool:
        """Whether a new secret may go to a path: never over one that is not this key's current secret."""
        record = self.record
        previous = record.previous if record else None
        if previous is not None and path == VaultPath(previous.mount, previous.path):
            self.block(
                f"{path} is the place of generation {previous.generation}, whose end will empty it",
                "the next secret is written there once that generation is gone: plan again then",
            )
            return False
        ours = {self.left_behind, record and VaultPath(record.mount, record.path)}
        if path in ours or not self.secret(path).live:
            return True
        self.block(
            f"{path} already holds a secret that the reconciler did not write",
            "move it away, or give the tenant another secrets path",
        )
        return False

    def differences(
        self, found: Observed, *, former: int = 0, left_alone: Collection[str] = ()
    ) -> tuple[list[Change], str | None]:
        """What is to be repaired of what differs between vendor and manifests, and the id of the wanted access level.

        Where the manifest leaves the level alone that is the level found. `former`: the generation, if it is in its
        overlap; `left_alone`: fields that are not compared then.
        """
        changed, level_id = self._compared(found)
        if former:
            kept_name = (
                self.record is not None and self.record.previous is not None and self.record.previous.vendor_name
            )
            changed = [
                change
                for change in changed
                if change.path.split(".")[0] not in left_alone and (change.path != "name" or found.name != kept_name)
            ]
        if not changed:
            return changed, level_id
        wanted = self.draft.provider.key_fields(self.wanted())
        sides = Sides(found.fields, wanted, self.record.applied if self.record else {})
        changed, self.kept = self.draft.differ(self.wanted(), found, sides, changed, former)
        return changed, found.level_id if any(change.path == "accessLevel" for change in self.kept) else level_id

    def _compared(self, found: Observed) -> tuple[list[Change], str | None]:
        desired, traits = self.wanted(), self.draft.traits
        applied = self.record.applied if self.record else {}
        fields = self.draft.provider.key_fields(desired)
        changed = differ.differences(found.fields, fields, applied, traits.unreadable)
        renamed: list[Change] = []
        if self.record is not None and found.name == self.record.vendor_name:  # adopted, and called so by others
            renamed = [change for change in changed if change.path == "name"]
            changed = [change for change in changed if change.path != "name"]
        if traits.expiry in {Expiry.FIXED, Expiry.ROUNDED}:
            changed = [change for change in changed if change.path != "expires" or self._ends_too_soon(found)]
        level_id = self.levels.resolve(desired.level).vendor_id
        if found.level_id is None and traits.fixed_level and desired.state is KeyState.LOCKED:
            return changed, level_id  # what is locked by losing its level has none
        if found.level_id == "":
            return changed, level_id  # nobody can tell: the vendor does not list keys, and the state was rebuilt
        if level_id is None or level_id != found.level_id:
            changed.append(Change("accessLevel", self.levels.label(found.level_id), str(desired.level)))
        if traits.named_in_comment and {"description", "accessLevel"} & {change.path for change in changed}:
            changed += renamed
        return changed, level_id

    def _ends_too_soon(self, found: Observed) -> bool:
        """Whether the vendor ends a key before the manifest does, other than by shortening what was asked for.

        A vendor's end that lies later is none of its business: the reconciler itself ends the key in time.
        """
        desired, ends = self.wanted(), found.fields.get("expires")
        if ends is None or (desired.expires is not None and desired.expires <= ends):
            return False
        applied = self.record.applied.get("expires") if self.record else None
        return applied != digest.field(desired.expires)

    def reissue(self, reason: str, generation: int, path: VaultPath, intent: Intent | None = None) -> None:
        """Plan a new secret for the key that is there; where that cannot be, a new key in its place."""
        found = self.found
        self.secret_pending = True
        if found is None or self.is_own(found.vendor_id):
            return
        previous = self.record.previous if self.record else None
        if not self.draft.traits.regenerates_in_place and previous and Write.CREATE_KEY in self.draft.traits.by_hand:
            # The state can remember one generation beside the next: a person ends the older one first.
            why = f"generation {previous.generation} (id {previous.vendor_id}): it makes room for the next one"
            self.act(ActionKind.RETIRE, Operation.REMOVE, why, vendor_id=previous.vendor_id)
            return
        if not self.draft.traits.regenerates_in_place:
            self.issue(ActionKind.REPAIR, reason, path)
            self.end_former(found.vendor_id, "its secret is in nobody's Vault")
            return
        self.act(
            ActionKind.REPAIR, Operation.REGENERATE, reason, vendor_id=found.vendor_id, generation=generation,
            base_version=self.secret(path).current_version, intent=intent,
        )  # fmt: skip

    def end_former(self, vendor_id: str, reason: str) -> None:
        """Plan the end of the current generation, once its successor that is planned already has been issued."""
        record = self.record
        generation = f"generation {record.generation} " if record else ""
        self.act(ActionKind.RETIRE, Operation.REMOVE, f"{generation}(id {vendor_id}): {reason}", vendor_id=vendor_id)

    def issue(self, kind: ActionKind, reason: str, path: VaultPath, **more: object) -> None:
        """Plan the next generation, whose secret goes to a path; `more` as of `act`."""
        base = self.secret(path).current_version
        self.act(kind, Operation.ISSUE, reason, generation=self.next_generation, base_version=base, **more)

    def block(self, reason: str, hint: str = "") -> None:
        """Say that this key cannot be reconciled."""
        self.draft.block(self.id, reason, hint, self.desired.source if self.desired else None)

    def act(self, kind: ActionKind, operation: Operation, reason: str, **more: object) -> None:
        """Plan an action; `more` replaces what would be derived."""
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
            seen=digest.seen(
                self.found if operation is Operation.UPDATE or kind is ActionKind.REPLACE else None, self.record
            ),
        )
        if operation is Operation.UPDATE:
            action = replace(action, kept=self.kept)
        self.draft.actions.append(replace(action, **more))  # type: ignore[arg-type]
