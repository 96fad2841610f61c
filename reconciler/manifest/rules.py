"""Rules over all objects of a tenant: previous names that nobody else has, and no more keys than a level can have."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.manifest.check import Finding
from reconciler.manifest.drafts import ObjectDraft
from reconciler.manifest.references import Tenants
from reconciler.manifest.wanted import FIELDS, WORDS, Report, WantedTenant, named
from reconciler.model.desired import DesiredKey, DesiredLevel
from reconciler.model.names import Kind


class Claims:
    """Who says to have had which name."""

    def __init__(self) -> None:
        self._drafts: list[tuple[Kind, ObjectDraft, tuple[str, ...]]] = []

    def add(self, kind: Kind, draft: ObjectDraft, names: tuple[str, ...]) -> None:
        """Note the previous names of an object."""
        if names:
            self._drafts.append((kind, draft, names))

    def check(self, where: Tenants, report: Report) -> None:
        """Refuse a name that is not the object's alone: two would take over one object at the vendor."""
        claimed: dict[tuple[str, Kind, str], ObjectDraft] = {}
        for kind, draft, names in self._drafts:
            tenants = where.of(draft)
            for index, name in enumerate(names):
                if isinstance(tenants, Finding):
                    continue
                finding = _own(draft, names, index)
                for tenant in tenants:
                    first = claimed.setdefault((tenant.name, kind, name), draft)
                    finding = finding or _others(kind, name, index, tenant, first if first is not draft else None)
                if finding is not None:
                    report(draft.place, named(draft, kind), finding)


def _own(draft: ObjectDraft, names: tuple[str, ...], index: int) -> Finding | None:
    if names[index] == draft.name:
        return _refused(index, f"{names[index]!r} is the object's name now", "leave it out")
    if names[index] in names[:index]:
        return _refused(index, f"the previous name {names[index]!r} is given twice", "once is enough")
    return None


def _others(kind: Kind, name: str, index: int, tenant: WantedTenant, first: ObjectDraft | None) -> Finding | None:
    now: Mapping[str, DesiredKey | DesiredLevel] = tenant.keys if kind is Kind.API_KEY else tenant.levels[kind]
    if name in now:
        what = f"the previous name {name!r} is another {kind}'s name in tenant {tenant.name}"
        return _refused(index, what, f"that is at {now[name].source}")
    if first is not None:
        what = f"the previous name {name!r} is claimed by {kind} {first.name!r}, too"
        return _refused(index, what, f"that is at {first.place.source}")
    return None


def _refused(index: int, what: str, hint: str) -> Finding:
    return Finding(("metadata", "previousNames", index), what, hint, "previous-name")


def crowded(wanted: WantedTenant, report: Report) -> None:
    """Tell of access levels and users with more keys than the vendor allows, at the first key that is too many."""
    limit = wanted.traits.most_keys_per_level
    for (kind, name, _), load in wanted.loads.items():
        if load.over is None:
            continue
        place, key = load.over
        more = f", and {load.total} while they rotate" if load.total > load.keys else ""
        what = (
            f"{WORDS[kind]} {name!r} of tenant {wanted.name} has {load.keys} keys{more}: "
            f"{wanted.draft.provider} allows {limit}"
        )
        hint = f"give some of them another {WORDS[kind]}"
        report(place, key, Finding(("spec", FIELDS[kind]), what, hint, "too-many-keys"))
