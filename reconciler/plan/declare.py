"""What the manifest of one object that exists is called, and what it wants once it is written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from reconciler.manifest.models import AccessLevel, ApiKey, Manifest, ServiceUser, UserState
from reconciler.manifest.paths import fill
from reconciler.model.desired import DesiredKey, DesiredLevel, DesiredTenant, LevelRef, Source
from reconciler.model.names import NAME, Kind

_LONGEST: Final = 63
_NOT_NAMED: Final = re.compile(r"[^a-z0-9.-]+")
_STANDS_FOR: Final = {Kind.ACCESS_LEVEL: "level", Kind.SERVICE_USER: "user", Kind.API_KEY: "key"}
_NEW: Final = Source("a new manifest", 1)


def slug(name: str, kind: Kind) -> str:
    """A manifest's name made from what the vendor calls an object: always a valid one."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    made = _NOT_NAMED.sub("-", ascii_only).strip("-.")[:_LONGEST].strip("-.")
    return made if NAME.fullmatch(made) else _STANDS_FOR[kind]


def numbered(name: str, number: int) -> str:
    """The name, or another one of it that ends in a number."""
    ending = f"-{number}" if number > 1 else ""
    return name[: _LONGEST - len(ending)].rstrip("-.") + ending


def wanted(manifest: Manifest, tenant: DesiredTenant) -> DesiredLevel | DesiredKey:
    """What a manifest that was just written wants, as loading the estate would say it."""
    if isinstance(manifest, ApiKey):
        return _key(manifest, tenant)
    if isinstance(manifest, ServiceUser):
        locked = manifest.spec.state is UserState.LOCKED
        return _level(manifest, Kind.SERVICE_USER, {"groups": manifest.spec.groups}, tenant, locked=locked)
    if isinstance(manifest, AccessLevel):
        return _level(manifest, Kind.ACCESS_LEVEL, manifest.spec.permissions, tenant)
    raise TypeError(f"{manifest.kind} is nothing that lives at a vendor")  # pragma: no cover  a mistake of ours


def _level(
    manifest: AccessLevel | ServiceUser,
    kind: Kind,
    permissions: Mapping[str, Any],
    tenant: DesiredTenant,
    *,
    locked: bool = False,
) -> DesiredLevel:
    return DesiredLevel(
        tenant=tenant.name,
        name=manifest.metadata.name,
        description=manifest.spec.description,
        permissions=permissions,
        protect=False,
        source=_NEW,
        kind=kind,
        locked=locked,
    )


def _key(manifest: ApiKey, tenant: DesiredTenant) -> DesiredKey:
    spec, name = manifest.spec, manifest.metadata.name
    kind = Kind.SERVICE_USER if spec.service_user is not None else Kind.ACCESS_LEVEL
    level = spec.service_user if spec.service_user is not None else spec.access_level
    ref = LevelRef(level, kind=kind) if isinstance(level, str) else LevelRef(level.existing, existing=True, kind=kind)  # type: ignore[union-attr]
    return DesiredKey(
        tenant=tenant.name,
        name=name,
        owner="",
        description=spec.description,
        level=ref,
        expires=spec.expires,
        rotation=None,
        state=spec.state,
        protect=False,
        options=spec.options,
        allowed_ips=tuple(network for network in spec.allowed_ips or () if isinstance(network, str)),
        scope=spec.scope if isinstance(spec.scope, dict) else None,
        secret_path=fill(tenant.secrets, tenant.name, name),
        source=_NEW,
    )
