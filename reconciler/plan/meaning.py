"""What one change means for access, in words that fit one key or many; and findings made of what several keys share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from reconciler.errors import printable
from reconciler.model.action import Change
from reconciler.model.desired import DesiredKey, DesiredLevel, DesiredTenant, LevelRef
from reconciler.model.finding import Finding, Severity
from reconciler.model.impact import Impact
from reconciler.model.names import ObjectId
from reconciler.plan.permissions import Permissions
from reconciler.providers.base import Capabilities, Provider

_NAMED: Final = 8


@dataclass(frozen=True)
class Side:
    """One tenant as one of two revisions has it."""

    tenant: DesiredTenant
    provider: Provider

    @property
    def can(self) -> Capabilities:
        """What the product can do."""
        return self.provider.capabilities

    @cached_property
    def levels(self) -> Mapping[ObjectId, DesiredLevel]:
        """The levels and users by name."""
        return {level.id: level for level in self.tenant.levels}

    @cached_property
    def _permissions(self) -> dict[ObjectId, Permissions]:
        return {}

    def permissions(self, ref: LevelRef) -> Permissions | None:
        """What a level of ours grants; None for one that exists at the vendor, of which Git does not say."""
        if ref.id is None:
            return None
        if ref.id not in self._permissions:
            self._permissions[ref.id] = Permissions.of(self.provider.level_fields(self.levels[ref.id]), self.can)
        return self._permissions[ref.id]


def renamed(before: Side | None, after: Side) -> Mapping[ObjectId, ObjectId]:
    """Levels that are called otherwise than before: new name to old."""
    old = before.levels if before is not None else {}
    found = {}
    for name, level in after.levels.items():
        names = (ObjectId(level.kind, one) for one in level.previous_names if name not in old)
        was = next((one for one in names if one in old and one not in after.levels), None)
        if was is not None:
            found[name] = was
    return found


@dataclass(frozen=True, slots=True)
class Meaning:
    """One thing that a change of a key means."""

    rule: str
    impact: Impact
    severity: Severity
    text: str
    """A part of a sentence that goes on from the key's name."""
    changes: tuple[Change, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    hint: str = ""

    @property
    def same(self) -> tuple[object, ...]:
        """Equal for changes that can be told in one finding."""
        return self.rule, self.impact, self.severity, self.text, str(self.changes), str(self.figures), self.hint


def findings(tenant: DesiredTenant, told: Iterable[tuple[DesiredKey, Meaning]]) -> Iterator[Finding]:
    """One finding for all keys of a tenant of which the same is to be said: a network list may be in many."""
    groups: dict[tuple[object, ...], tuple[Meaning, list[DesiredKey]]] = {}
    for key, meaning in told:
        groups.setdefault(meaning.same, (meaning, []))[1].append(key)
    for meaning, keys in groups.values():
        one = len(keys) == 1
        yield Finding(
            meaning.rule,
            meaning.severity,
            meaning.text if one else f"{named(keys)}: {meaning.text}",
            tenant=tenant.name,
            object=keys[0].id if one else None,
            source=keys[0].source,
            hint=meaning.hint,
            impact=meaning.impact,
            changes=meaning.changes,
            figures={**meaning.figures, **about(keys)},
        )


def about(keys: Sequence[DesiredKey]) -> dict[str, Any]:
    """The keys of a finding and who answers for them, for machines."""
    return {
        "keys": sorted(key.name for key in keys),
        "owners": sorted({printable(key.owner) for key in keys if key.owner}),
    }


def named(keys: Iterable[DesiredKey]) -> str:
    """`2 keys (jira, splunk)`, the first few by name."""
    names = sorted(key.name for key in keys)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{counted(len(names), 'key')} ({', '.join(names[:_NAMED])}{more})"


def some(texts: Sequence[str], most: int = 3) -> str:
    """The first few of some texts, the rest counted."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def counted(count: int, noun: str) -> str:
    """`1 key`, `1,200 keys`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"
