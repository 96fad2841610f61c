"""Adoption: manifests and records for what exists at a vendor already, such that the next plan has nothing to do.

A pure function. What it proposes has been planned: an object that a plan would touch, for its manifest cannot say quite
what it is, is left out with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from reconciler.errors import Conflict, InvalidInput, foreign
from reconciler.manifest import write
from reconciler.manifest.check import Wrong
from reconciler.model.action import Action, TenantPlan
from reconciler.model.desired import DesiredKey, DesiredLevel, DesiredTenant, KeyState
from reconciler.model.mark import Mark, new_nonce, owner_tag
from reconciler.model.names import Kind, ObjectId
from reconciler.model.observed import KnownKey, Observed
from reconciler.model.state import Phase, Record, StateDocument
from reconciler.plan import digest
from reconciler.plan.declare import numbered, slug, wanted
from reconciler.plan.draft import Draft, TenantView, is_untouched
from reconciler.plan.levels import LEVEL_KINDS
from reconciler.plan.planner import plan_tenant
from reconciler.providers.base import Problem, Provider
from reconciler.suggest import did_you_mean

_FIELDS: Final = {Kind.ACCESS_LEVEL: "accessLevel", Kind.SERVICE_USER: "serviceUser"}


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be adopted, and from what."""

    desired: DesiredTenant
    provider: Provider
    view: TenantView
    estate: UUID
    only: tuple[str, ...] = ()
    """`KIND/NAME` by the vendor's name or id; empty: everything."""
    known: Mapping[str, str] = field(default_factory=dict)
    """Names of keys by vendor id, where the vendor does not list keys: somebody has told us of them."""
    holds: Callable[[ObjectId, str], bool] = lambda _name, _text: False
    """Whether an object's file says just this text already."""
    nonce: Callable[[], str] = new_nonce


@dataclass(frozen=True, slots=True)
class Adopted:
    """One object: its manifest, what that wants, and the record that makes it ours."""

    found: Observed
    text: str
    desired: DesiredLevel | DesiredKey
    record: Record

    @property
    def id(self) -> ObjectId:
        """Its name in the manifests and in the state."""
        return self.desired.id


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An object that stays as it is, and why. `expected`: it is none of those that anybody would adopt."""

    found: Observed
    reason: str
    expected: bool = False


@dataclass(frozen=True, slots=True)
class Adoption:
    """What is proposed. `unseen` says what cannot be told of this vendor at all."""

    adopted: tuple[Adopted, ...]
    left_out: tuple[LeftOut, ...]
    unseen: str = ""

    def document(self, document: StateDocument) -> StateDocument:
        """The state with a record for everything that is adopted."""
        objects = {str(item.id): item.record for item in self.adopted}
        return document.model_copy(update={"objects": {**document.objects, **objects}})


def candidates(request: Request) -> tuple[KnownKey, ...]:
    """The keys that have to be read in full although they carry no mark of ours."""
    draft = _draft(request)
    nothing = Mark(draft.owner_tag, 1, request.nonce())  # that no object carries
    return tuple(
        KnownKey(key.vendor_id, key.name, nothing, key.level_id or "")
        for key in draft.owners.foreign(Kind.API_KEY)
        if key.mark is None
    )


def _draft(request: Request) -> Draft:
    return Draft(request.desired, request.provider, request.view, owner_tag(request.estate, request.desired.name))


def propose(request: Request) -> Adoption:
    """Everything that can be adopted. InvalidInput if `only` names what is not there, Conflict if the state was lost."""
    return _Proposal(request).run()


def mismatches(plan: TenantPlan, names: Iterable[ObjectId]) -> dict[ObjectId, str]:
    """Which of these objects a plan would touch or cannot reconcile, and why."""
    chosen = set(names)
    found = {item.object: item.reason for item in plan.blocked if item.object in chosen}
    for action in (*plan.actions, *(waiting.action for waiting in plan.waiting)):
        if action.object in chosen:
            found.setdefault(action.object, f"a plan would {action.kind} it: {_why(action)}")
    return found


def _why(action: Action) -> str:
    changes = (f"{one.path} from {_shown(one.old)} to {_shown(one.new)}" for one in action.changes)
    return action.reason or ", ".join(changes)


def _shown(value: object) -> str:
    return (
        foreign(str(value)) if isinstance(value, str | int | datetime) else "nothing" if not value else "other values"
    )


class _Refused(Exception):
    """An object that no manifest can declare, and why."""


@dataclass(slots=True)
class _Proposal:
    request: Request
    draft: Draft = field(init=False)
    left_out: dict[tuple[Kind, str], LeftOut] = field(default_factory=dict)
    nonces: dict[tuple[Kind, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.draft = _draft(self.request)

    def run(self) -> Adoption:
        """Leave out what a plan would touch, until there is nothing like that."""
        chosen = self._chosen()
        while True:
            before = len(self.left_out)
            adopted = self._build(item for item in chosen if _key(item) not in self.left_out)
            wrong = mismatches(self._planned(adopted), [item.id for item in adopted])
            for item in adopted:
                if item.id in wrong:
                    self._leave(item.found, wrong[item.id])
            if len(self.left_out) == before:
                break
        left_out = sorted(self.left_out.values(), key=lambda item: (item.found.kind, item.found.name))
        return Adoption(tuple(adopted), tuple(left_out), self._unseen())

    def _leave(self, found: Observed, reason: str, *, expected: bool = False) -> None:
        self.left_out[_key(found)] = LeftOut(found, reason, expected)

    def _unseen(self) -> str:
        if self.draft.traits.lists_keys:
            return ""
        return (
            f"{self.request.provider.title} does not list keys: only those named with --key-id can be looked at, "
            "and of the others nobody can tell that they exist"
        )

    # --- what is there ---

    def _chosen(self) -> list[Observed]:
        everything = [item for kind in (*LEVEL_KINDS, Kind.API_KEY) for item in self._foreign(kind)]
        picked = list(self._picked(everything)) if self.request.only else everything
        return sorted(  # what has a name that a manifest can have keeps it
            (item for item in picked if self._is_adoptable(item)),
            key=lambda item: (item.name != slug(item.name, item.kind), item.name, item.vendor_id),
        )

    def _foreign(self, kind: Kind) -> Iterator[Observed]:
        """What is not ours, and what is but has lost its manifest before anything was done with it."""
        owners, told = self.draft.owners, self.request.known
        orphans = [item for item in owners.orphans(kind) if item.vendor_id not in told or kind.is_level]
        if orphans and not owners.has_state:
            raise Conflict(
                f"{orphans[0].kind}/{foreign(orphans[0].name)} carries this estate's mark, and there is no state document",
                where=self.request.desired.name,
                hint="the state was lost: `reconciler state rebuild` first",
            )
        if kind is Kind.API_KEY and not self.draft.traits.lists_keys:
            keys = self.request.view.observed.keys
            yield from (item for item in keys if item.vendor_id in told and not owners.is_ours(item))
        else:
            yield from owners.foreign(kind)
        for text, record in owners.records.items():
            name = ObjectId.parse(text)
            found = owners.by_id(kind, record.vendor_id) if name.kind is kind else None
            if found is not None and name not in self._declared() and is_untouched(self.draft, record, found):
                yield found

    def _picked(self, everything: Sequence[Observed]) -> Iterator[Observed]:
        for text in self.request.only:
            kind, _, name = text.partition("/")
            same = [item for item in everything if item.kind == kind and name in {item.name, item.vendor_id}]
            if not same:
                known = [f"{item.kind}/{item.name}" for item in everything]
                raise InvalidInput(
                    f"--only names {foreign(text)}, which tenant {self.request.desired.name} does not have, or which is "
                    "not foreign",
                    hint=did_you_mean(text, known) or "KIND/NAME, by the vendor's name or id",
                )
            yield from (item for item in same if item.vendor_id not in {key for _, key in self.left_out})

    def _is_adoptable(self, item: Observed) -> bool:
        is_key = item.kind is Kind.API_KEY
        if (is_key and item.vendor_id == self.request.view.observed.own_key_id) or item.facts.get("own"):
            self._leave(item, "it is what the reconciler itself is calling with", expected=True)
        elif item.mark is not None and (self.draft.traits.lists_keys or not is_key) and not self._recorded(item):
            reason = "it carries a mark of another estate or tenant, or is a copy of one of ours"
            self._leave(item, reason, expected=True)
        return _key(item) not in self.left_out

    def _recorded(self, found: Observed) -> tuple[ObjectId, Record] | None:
        for text, record in self.draft.owners.records.items():
            name = ObjectId.parse(text)
            if name.kind is found.kind and record.vendor_id == found.vendor_id:
                return name, record
        return None

    def _declared(self) -> set[ObjectId]:
        desired = self.request.desired
        return {item.id for item in desired.levels} | {item.id for item in desired.keys}

    # --- what is made of it ---

    def _build(self, chosen: Iterable[Observed]) -> list[Adopted]:
        made: list[Adopted] = []
        taken: set[ObjectId] = set()
        for found in sorted(chosen, key=lambda item: not item.kind.is_level):
            try:
                item = self._adopted(found, taken, made)
            except _Refused as refused:
                self._leave(found, str(refused))
                continue
            if item is not None:
                made.append(item)
                taken.add(item.id)
        return made

    def _adopted(self, found: Observed, taken: set[ObjectId], made: Sequence[Adopted]) -> Adopted | None:
        provider = self.request.provider
        if found.kind.is_level:
            spec = provider.level_spec(found)
            if spec is None:
                reason = "the product does not tell or manage what it permits: keys refer to it as {existing: NAME}"
                self._leave(found, reason, expected=True)
                return None
        else:
            spec = provider.key_spec(found)
            if spec is None:
                raise _Refused("the product does not tell enough of it, or nobody could make such a key")
            field_name, level = self._level(found, made)
            spec = {
                **{name: value for name, value in spec.items() if name == "description"},
                field_name: level,
                **{name: value for name, value in spec.items() if name != "description"},
            }
        name, text = self._name(found, spec, taken)
        desired = self._desired(found, name, text, spec)
        problems: Iterable[Problem] = (
            provider.check_key(desired) if isinstance(desired, DesiredKey) else provider.check_level(desired)
        )
        for problem in problems:
            raise _Refused(f"{problem.what} ({problem.hint})" if problem.hint else problem.what)
        return Adopted(found, text, desired, self._record(found, desired))

    def _level(self, found: Observed, made: Sequence[Adopted]) -> tuple[str, Any]:
        """How a key's manifest names what gives the key its permissions."""
        if not found.level_id:
            raise _Refused("it has nothing that gives it permissions, or the product does not tell what")
        for item in made:
            if item.found.vendor_id == found.level_id and item.id.kind.is_level:
                return _FIELDS[item.id.kind], item.id.name
        level = next((one for one in self.request.view.observed.levels if one.vendor_id == found.level_id), None)
        if level is None:
            raise _Refused(f"its access level {foreign(found.level_id)} is none that the product lists")
        recorded = self._recorded(level)
        if recorded is not None and recorded[0] in self._declared():
            return _FIELDS[level.kind], recorded[0].name
        same = [one for one in self.request.view.observed.levels if (one.kind, one.name) == (level.kind, level.name)]
        if len(same) > 1:
            raise _Refused(f"the product has {len(same)} access levels named {foreign(level.name)!r}")
        return _FIELDS[level.kind], {"existing": level.name}

    def _name(self, found: Observed, spec: Mapping[str, Any], taken: set[ObjectId]) -> tuple[str, str]:
        """A name that nothing has yet, and the manifest under it."""
        again = self._recorded(found)
        if again is not None:
            return again[0].name, self._text(found, again[0].name, spec)
        declared, records = self._declared(), self.draft.owners.records
        namesake = ObjectId(found.kind, found.name)
        first = slug(self.request.known.get(found.vendor_id, found.name), found.kind)
        number = 1
        while True:
            name = ObjectId(found.kind, numbered(first, number))
            text = self._text(found, name.name, spec)
            if name not in taken and str(name) not in records:
                if name not in declared or self.request.holds(name, text):
                    return name.name, text
                if name == namesake:
                    raise _Refused(
                        f"a manifest declares {name} already, which would be made beside it: rename that one or take it away"
                    )
            number += 1

    def _text(self, found: Observed, name: str, spec: Mapping[str, Any]) -> str:
        comments = [] if name == found.name else [f"At the vendor it is called {foreign(found.name)!r}."]
        hidden = sorted(self._unreadable(found) - {"name", "state"})
        if hidden:
            comments.append(
                f"The vendor does not tell {', '.join(hidden)}: what stands here, or is left out, is taken for what it is."
            )
        try:
            return write.text_of(write.manifest(found.kind, name, self.request.desired.name, spec), comments)
        except InvalidInput as problem:
            raise _Refused(problem.what) from None

    def _unreadable(self, found: Observed) -> frozenset[str]:
        known = {"description", "allowedIPs", "state", "name"} if found.kind is Kind.API_KEY else {"description"}
        return frozenset(known & self.draft.traits.unreadable - found.fields.keys())

    def _desired(self, found: Observed, name: str, text: str, spec: Mapping[str, Any]) -> DesiredLevel | DesiredKey:
        try:
            value, manifest = write.read_back(text)
        except InvalidInput as problem:
            raise _Refused(problem.what) from None
        if isinstance(manifest, Wrong):
            wrong = manifest.findings[0]
            raise _Refused(f"{wrong.what} ({wrong.hint})" if wrong.hint else wrong.what)
        if value != write.manifest(found.kind, name, self.request.desired.name, spec):
            raise _Refused("it holds characters that no manifest can hold")
        return wanted(manifest, self.request.desired)

    def _record(self, found: Observed, desired: DesiredLevel | DesiredKey) -> Record:
        again = self._recorded(found)
        if again is not None:
            return again[1]
        provider = self.request.provider
        nonce = (
            found.mark.nonce if found.mark is not None else self.nonces.setdefault(_key(found), self.request.nonce())
        )
        if isinstance(desired, DesiredLevel):
            applied = digest.asked(provider, desired)
            return Record(vendor_id=found.vendor_id, nonce=nonce, adopted=True, vendor_name=found.name, applied=applied)
        created = found.facts.get("created")
        return Record(
            vendor_id=found.vendor_id,
            nonce=nonce,
            phase=Phase.LOCKED if desired.state is KeyState.LOCKED else Phase.CURRENT,
            # Where nobody tells how old it is, a rotation that somebody asks for counts from today.
            issued_at=created if isinstance(created, datetime) else self.request.view.now,
            expires=desired.expires,
            adopted=True,
            vendor_name=found.name,
            level_id=found.level_id or "",
            applied=digest.asked(provider, desired),
        )

    # --- whether it holds ---

    def _planned(self, adopted: Sequence[Adopted]) -> TenantPlan:
        """What the next plan would be."""
        request = self.request
        desired = request.desired
        new = {item.id: item.desired for item in adopted}
        known: dict[ObjectId, DesiredLevel | DesiredKey] = {}
        known |= {item.id: item for item in desired.levels} | {item.id: item for item in desired.keys}
        every = {**known, **new}.values()
        desired = replace(
            desired,
            levels=tuple(item for item in every if isinstance(item, DesiredLevel)),
            keys=tuple(item for item in every if isinstance(item, DesiredKey)),
            adopt_rotate=False,
        )
        document = request.view.document or StateDocument(
            estate=request.estate, tenant=desired.name, provider=desired.provider, endpoint=desired.endpoint
        )
        view = replace(request.view, document=Adoption(tuple(adopted), ()).document(document))
        return plan_tenant(desired, request.provider, view, request.estate)


def _key(found: Observed) -> tuple[Kind, str]:
    return found.kind, found.vendor_id
