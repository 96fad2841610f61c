"""Digests of what a plan was decided on, so that a saved plan applies only while it stands."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from reconciler.model.action import Change
from reconciler.model.desired import DesiredKey, DesiredLevel
from reconciler.model.observed import Observed
from reconciler.model.state import Record
from reconciler.providers.base import Expiry, Provider, Traits

_UNTOLD: Final = frozenset({"source", "labels", "annotations"})
"""What no vendor is told of: it may change while a plan stands."""


def wanted(desired: DesiredKey | DesiredLevel | None, depends_on: DesiredLevel | Observed | None = None) -> str:
    """Digest of what is wanted of an object and of its access level; positions in files do not count.

    A level of ours counts as the manifests want it, one that the vendor ships as it was found.
    """
    if isinstance(depends_on, Observed):
        return _digest([_plain(desired), [depends_on.vendor_id, depends_on.name, _plain(depends_on.fields)]])
    return _digest([_plain(desired), _plain(depends_on)])


def seen(observed: Observed | None, record: Record | None) -> str:
    """Digest of what was found: the vendor's fields and our record. Last use and the like are left out."""
    found = observed and [observed.vendor_id, observed.name, observed.mark, _plain(observed.fields), observed.level_id]
    known = record and [record.vendor_id, record.generation, record.version]
    return _digest([found, known])


def field(value: Any) -> str:
    """Digest of one field's canonical value, for fields that the vendor does not tell back."""
    return _digest(_plain(value))[:16]


def fields_of(wanted: Mapping[str, Any], names: Collection[str]) -> dict[str, str]:
    """The digests of these fields, as the state remembers them."""
    return {name: field(wanted[name]) for name in sorted(names) if name in wanted}


def untold(provider: Provider, traits: Traits, desired: DesiredKey | DesiredLevel) -> dict[str, str]:
    """The digests of what an object is wanted to be in fields that the vendor does not tell, or not as they were given."""
    if isinstance(desired, DesiredKey):
        fixed = {"expires"} if traits.expiry in {Expiry.FIXED, Expiry.ROUNDED} else set()
        return fields_of(provider.key_fields(desired), traits.unreadable | fixed)
    return fields_of(provider.level_fields(desired), traits.unreadable)


def asked(provider: Provider, desired: DesiredKey | DesiredLevel) -> dict[str, str]:
    """The digests of everything that an object is wanted to be, its level by name: what an apply leaves in the state.

    They stand in for fields that the vendor does not tell, and tell a change in Git from one at the vendor.
    """
    if isinstance(desired, DesiredKey):
        fields = provider.key_fields(desired)
        return {**fields_of(fields, fields.keys()), "accessLevel": field(str(desired.level))}
    fields = provider.level_fields(desired)
    return fields_of(fields, fields.keys())


def changed(changes: Iterable[Change]) -> dict[str, str]:
    """The digests of what these changes lead to. They are of whole fields, not of parts of one."""
    return {change.path: field(change.new) for change in changes}


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return _plain_container(value)


def _plain_container(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclass_fields(value) if f.name not in _UNTOLD}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value]
