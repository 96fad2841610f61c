"""What is new since an earlier run, and what is gone: two reports compared by what makes a finding the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Findings = Mapping[str, Mapping[str, Any]]
"""Findings as the JSON report has them, by their identity."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A report: the findings of the tenants that could be read, and what is last known of those that could not."""

    tenants: Mapping[str, Findings]
    last_known: Mapping[str, Findings] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class News:
    """The difference between two reports."""

    new: Sequence[str]
    """Identities that only the later one has."""
    resolved: Sequence[Mapping[str, Any]]
    """The findings that only the earlier one has."""
    changed: Sequence[str]
    """Identities that both have, of which the values at the vendor are others now."""

    def __bool__(self) -> bool:
        return bool(self.new or self.resolved or self.changed)


def compare(before: Reported, now: Reported) -> News:
    """What has happened between two reports of the same tenants.

    Of a tenant that cannot be read nothing is new and nothing resolved; when it can be read again, it is compared with
    what was last known of it.
    """
    old = _merged([before.tenants, before.last_known], leave_out=now.last_known.keys())
    new = _merged([now.tenants], leave_out=())
    both = old.keys() & new.keys()
    return News(
        new=sorted(new.keys() - old.keys()),
        resolved=[old[key] for key in sorted(old.keys() - new.keys())],
        changed=sorted(key for key in both if old[key].get("changes") != new[key].get("changes")),
    )


def carried(before: Reported, unreadable: Collection[str]) -> dict[str, Findings]:
    """What is last known of the tenants that cannot be read now."""
    return {name: before.tenants.get(name, before.last_known.get(name, {})) for name in unreadable}


def _merged(parts: Sequence[Mapping[str, Findings]], leave_out: Collection[str]) -> dict[str, Mapping[str, Any]]:
    return {
        key: one
        for part in parts
        for tenant, findings in part.items()
        if tenant not in leave_out
        for key, one in findings.items()
    }
