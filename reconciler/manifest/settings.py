"""The estate's own settings, from `reconciler.yaml`, and the digest over everything that is declared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from reconciler.manifest import models
from reconciler.manifest.drafts import Place, vault_path
from reconciler.model.desired import CredentialRef, DesiredKey, DesiredLevel, DesiredTenant, IgnoredDrift, Rotation
from reconciler.model.estate import (
    AppRoleAuth,
    Estate,
    JwtAuth,
    Limit,
    Limits,
    Timeouts,
    TokenAuth,
    VaultAuth,
    VaultConfig,
)
from reconciler.model.policy import NO_POLICIES, Policies


@dataclass(slots=True)
class SettingsDraft:
    """The Estate manifest, and where it stands."""

    place: Place
    manifest: models.Estate


def to_estate(
    settings: SettingsDraft,
    root: Path,
    tenants: tuple[DesiredTenant, ...],
    warnings: tuple[str, ...],
    policies: Policies = NO_POLICIES,
) -> Estate:
    """The estate with defaults applied. A CA file is looked for beside `reconciler.yaml`."""
    spec = settings.manifest.spec
    vault, limits = spec.vault, spec.limits
    return Estate(
        id=spec.id,
        name=settings.manifest.metadata.name,
        vault=VaultConfig(
            address=vault.address,
            namespace=vault.namespace,
            ca_cert=str(root / vault.ca_cert) if vault.ca_cert else "",
            auth_plan=_login(vault.auth.plan or vault.auth),
            auth_apply=_login(vault.auth.apply or vault.auth),
            state=vault_path(vault.state),
        ),
        tenants=tenants,
        digest_of=cache(lambda: digest(settings, tenants)),
        limits=Limits(
            deletes=_limit(limits.deletes),
            replacements=_limit(limits.replacements),
            rotations=limits.rotations.max_per_run,
            locks=_limit(limits.locks),
            widenings=_limit(limits.widenings) if limits.widenings is not None else None,
        ),
        timeouts=Timeouts(spec.timeouts.call.total_seconds(), spec.timeouts.lease.total_seconds()),
        warnings=warnings,
        policies=policies,
    )


def _login(given: models.Login | models.VaultLogin) -> VaultAuth:
    if given.app_role is not None:
        role = given.app_role
        return AppRoleAuth(role.mount, role.role_id, role.role_id_env, role.secret_id_env)
    if given.jwt is not None:
        return JwtAuth(given.jwt.role, given.jwt.mount, given.jwt.env)
    return TokenAuth()


def _limit(given: models.LimitSection) -> Limit:
    return Limit(given.ratio, given.max, given.floor)


# --- digest -------------------------------------------------------------------------------------------------------------


def digest(settings: SettingsDraft, tenants: Iterable[DesiredTenant]) -> str:
    """SHA-256 over what is declared, in canonical form, hexadecimal. Layout, comments, files and order do not matter."""
    encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
    rotations: dict[int, Any] = {}
    total = hashlib.sha256()
    spec = settings.manifest.spec
    vault = spec.vault.model_dump(mode="json", by_alias=True)
    limits = spec.limits.model_dump(mode="json", by_alias=True)
    total.update(encode([str(spec.id), settings.manifest.metadata.name, vault, limits]).encode())
    for tenant in tenants:
        total.update(encode(_tenant(tenant)).encode())
        total.update(encode([_level(level) for level in tenant.levels]).encode())
        total.update(ascii([_key(key, rotations) for key in tenant.keys]).encode())  # texts, numbers: half JSON's time
        total.update(encode([(key.options, key.allowed_ips, key.scope) for key in tenant.keys]).encode())
    return total.hexdigest()


def _tenant(tenant: DesiredTenant) -> list[Any]:
    return [
        tenant.name,
        tenant.provider,
        tenant.endpoint,
        _credential(tenant.credentials_plan),
        _credential(tenant.credentials_apply),
        str(tenant.secrets),
        tenant.unmanaged,
        tenant.labels,
        tenant.options,
        tenant.endpoint_map,
        [tenant.on_removal.action, tenant.on_removal.grace.total_seconds()],
        tenant.adopt_rotate,
        [[one.kind, one.name, one.vendor_id, one.until.timestamp()] for one in tenant.approvals],
    ]


def _credential(reference: CredentialRef) -> list[Any]:
    return [str(reference.vault) if reference.vault is not None else None, reference.env]


def _level(level: DesiredLevel) -> list[Any]:
    return [
        level.kind,
        level.name,
        level.owner,
        level.description,
        level.permissions,
        level.protect,
        level.locked,
        level.previous_names,
        *_ignored(level.ignore_drift),
    ]


def _key(key: DesiredKey, rotations: dict[int, Any]) -> list[Any]:
    rotation = None
    if key.rotation is not None:  # one object is many keys'
        rotation = rotations.get(id(key.rotation)) or rotations.setdefault(id(key.rotation), _rotation(key.rotation))
    return [
        key.name,
        key.owner,
        key.description,
        key.level.name,
        key.level.existing,
        key.level.kind.value,
        key.expires.timestamp() if key.expires is not None else None,
        rotation,
        key.state.value,
        key.protect,
        key.secret_path.mount,
        key.secret_path.path,
        key.previous_names,
        key.reissue_after.timestamp() if key.reissue_after is not None else None,
        *_ignored(key.ignore_drift),
    ]


def _ignored(items: Sequence[IgnoredDrift]) -> list[Any]:
    return [[item.fields, item.until.timestamp(), item.reason] for item in items]


def _rotation(rotation: Rotation) -> list[Any]:
    return [
        rotation.every.total_seconds(),
        rotation.overlap.total_seconds(),
        rotation.strategy.value,
        rotation.renew_before.total_seconds(),
        rotation.hold_while_used,
    ]
