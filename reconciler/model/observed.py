"""What a vendor says exists, in canonical form, and what Vault's metadata says about secrets. No secret is in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reconciler.model.mark import Mark
from reconciler.model.names import Kind

Fields = Mapping[str, Any]
"""Canonical values by manifest field name: text, bool, int, None, UTC datetime, tuple or nested mapping of these."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One object at the vendor. `fields`: what a manifest can say; `facts`: what only the vendor knows (volatile)."""

    kind: Kind
    vendor_id: str
    name: str
    mark: Mark | None
    fields: Fields
    level_id: str | None = None
    """Keys only: the vendor's id of the key's access level."""
    builtin: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that our records name: all that there is to go by where the vendor does not list keys."""

    vendor_id: str
    name: str
    mark: Mark
    level_id: str


@dataclass(frozen=True, slots=True)
class ObservedTenant:
    """Everything that one tenant's list calls returned. `levels` are access levels, or users that own keys."""

    levels: tuple[Observed, ...]
    keys: tuple[Observed, ...]
    own_key_id: str | None = None
    """The vendor's id of the key that we are calling with, where the vendor tells."""

    def of(self, kind: Kind) -> tuple[Observed, ...]:
        """The objects of one kind."""
        return tuple(item for item in self.levels if item.kind is kind) if kind.is_level else self.keys


@dataclass(frozen=True, slots=True)
class SecretMetadata:
    """What Vault's metadata says of one KV v2 entry, without reading it."""

    current_version: int
    """The base for check-and-set: 0 if nothing was ever written."""
    live: bool
    """Whether the current version can be read: written, not deleted, not destroyed, not past its deletion time."""
    updated: datetime | None = None
    custom: Mapping[str, str] = field(default_factory=dict)
