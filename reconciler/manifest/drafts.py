"""Manifests that are right by themselves, in the form in which they wait for references to be resolved.

A pydantic model of a key takes ten times the memory of what it says, so none outlives its file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.manifest import models
from reconciler.model.desired import (
    CredentialRef,
    KeyState,
    LevelRef,
    RateLimit,
    Rotation,
    Source,
    Unmanaged,
    VaultPath,
)


@dataclass(slots=True)
class Place:
    """Which document of which file a draft comes from."""

    file: int
    number: int
    source: Source


@dataclass(slots=True)
class TenantDraft:
    """A tenant, without what is in it."""

    place: Place
    name: str
    provider: str
    endpoint: str
    plan: CredentialRef
    apply: CredentialRef
    secrets: VaultPath
    unmanaged: Unmanaged
    labels: Mapping[str, str]
    rate: RateLimit
    split: bool
    """Whether the credentials are given apart, as `plan` and `apply`."""


@dataclass(slots=True)
class ObjectDraft:
    """What levels and keys have in common: they are in a tenant that is only a name yet, or in those with these labels."""

    place: Place
    name: str
    tenant: str | None
    selector: Mapping[str, str] | None
    owner: str
    description: str


@dataclass(slots=True)
class LevelDraft(ObjectDraft):
    """An access level."""

    permissions: Mapping[str, Any]
    protect: bool


@dataclass(slots=True)
class KeyDraft(ObjectDraft):
    """A key."""

    level: LevelRef
    expires: datetime | None
    rotation: Rotation | None
    state: KeyState
    protect: bool
    options: Mapping[str, Any]
    allowed_ips: tuple[Any, ...]
    scope: Any


def vault_path(entry: models.VaultEntry | models.SecretsLocation | models.StateLocation) -> VaultPath:
    """A mount and a path."""
    return VaultPath(entry.mount, entry.path)


def tenant(manifest: models.Tenant, place: Place) -> TenantDraft:
    """Draft a tenant."""
    spec = manifest.spec
    given = spec.credentials
    split = given.plan is not None and given.apply is not None
    return TenantDraft(
        place=place,
        name=manifest.metadata.name,
        provider=spec.provider,
        endpoint=spec.endpoint,
        plan=_credential(given.plan or given),
        apply=_credential(given.apply or given),
        secrets=vault_path(spec.secrets),
        unmanaged=spec.unmanaged,
        labels=manifest.metadata.labels,
        rate=RateLimit(spec.rate.calls, spec.rate.per.total_seconds(), spec.rate.share),
        split=split,
    )


def _credential(given: models.Credential | models.Credentials) -> CredentialRef:
    return CredentialRef(vault_path(given.vault) if given.vault is not None else None, given.env or {})


def level(manifest: models.AccessLevel, place: Place) -> LevelDraft:
    """Draft an access level."""
    metadata, spec = manifest.metadata, manifest.spec
    return LevelDraft(
        place,
        metadata.name,
        metadata.tenant,
        metadata.tenant_selector.match_labels if metadata.tenant_selector is not None else None,
        metadata.owner,
        spec.description.strip(),
        spec.permissions,
        spec.protect,
    )


def key(manifest: models.ApiKey, place: Place, shared: Shared) -> KeyDraft:
    """Draft a key."""
    metadata, spec = manifest.metadata, manifest.spec
    return KeyDraft(
        place,
        metadata.name,
        metadata.tenant,
        metadata.tenant_selector.match_labels if metadata.tenant_selector is not None else None,
        metadata.owner,
        spec.description.strip(),
        shared.level(spec.access_level),
        spec.expires,
        shared.rotation(spec.rotation) if spec.rotation is not None else None,
        spec.state,
        spec.protect,
        spec.options,
        tuple(map(_allowed, spec.allowed_ips)) if spec.allowed_ips else (),
        spec.scope,
    )


def _allowed(entry: str | models.NetworkListRef) -> Any:
    return entry if isinstance(entry, str) else {"networkList": entry.network_list}


class Shared:
    """Small values that thousands of keys have in common, each kept once."""

    def __init__(self) -> None:
        self._levels: dict[str, LevelRef] = {}
        self._rotations: dict[Any, Rotation] = {}

    def level(self, given: str | models.ExistingLevel) -> LevelRef:
        """A reference to an access level."""
        if not isinstance(given, str):
            return LevelRef(given.existing, existing=True)
        found = self._levels.get(given)
        if found is None:
            found = self._levels[given] = LevelRef(given)
        return found

    def rotation(self, given: models.RotationSpec) -> Rotation:
        """A rotation with its defaults applied."""
        same = (given.every, given.overlap, given.strategy)
        found = self._rotations.get(same)
        if found is None:
            found = self._rotations[same] = Rotation(given.every, given.effective_overlap, given.strategy)
        return found
