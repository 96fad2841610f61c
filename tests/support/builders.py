"""Short ways to say what is wanted, what was found and what is remembered, for tests of pure code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from reconciler.model.action import Action, ActionKind, Operation, TenantPlan
from reconciler.model.desired import (
    CredentialRef,
    DesiredKey,
    DesiredLevel,
    DesiredTenant,
    KeyState,
    LevelRef,
    Rotation,
    Source,
    Strategy,
    Unmanaged,
    VaultPath,
)
from reconciler.model.estate import Estate, VaultConfig
from reconciler.model.mark import Mark, owner_tag
from reconciler.model.names import Kind, ObjectId
from reconciler.model.observed import Observed, ObservedTenant, SecretMetadata
from reconciler.model.state import Intent, IntentAction, Previous, Record, StateDocument
from reconciler.plan.draft import TenantView
from reconciler.plan.planner import plan_tenant
from reconciler.providers.trend_workload_security import PROVIDER

ESTATE_ID = UUID("5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11")
OTHER_ESTATE = UUID("11111111-2222-4333-8444-555555555555")
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TENANT = "dsm"
TAG = owner_tag(ESTATE_ID, TENANT)
ENDPOINT = "https://dsm.example.com:4119/api"
PERMISSIONS = {"platformRights": {"computerRights": {"canViewOtherComputers": True}}}


def nonce(seed: str) -> str:
    """A nonce that a test can tell apart: the seed, filled up."""
    return (seed.replace("1", "b").replace("0", "a") + "a" * 16)[:16]


def key_id(name: str = "splunk") -> ObjectId:
    return ObjectId(Kind.API_KEY, name)


def level_id(name: str = "read") -> ObjectId:
    return ObjectId(Kind.ACCESS_LEVEL, name)


def path_of(key: str = "splunk", folder: str = "keys") -> VaultPath:
    return VaultPath("secret", f"{folder}/{TENANT}/{key}")


def rotation(every: float = 90, overlap: float = 1, *, in_place: bool = False) -> Rotation:
    """Durations in days."""
    strategy = Strategy.IN_PLACE if in_place else Strategy.OVERLAP
    return Rotation(timedelta(days=every), timedelta(0) if in_place else timedelta(days=overlap), strategy)


def desired_key(name: str = "splunk", **more: Any) -> DesiredKey:
    level = more.pop("level", LevelRef("read"))
    key = DesiredKey(
        tenant=TENANT, name=name, owner="secops@example.com", description=f"Key {name}",
        level=LevelRef(level) if isinstance(level, str) else level,
        expires=None, rotation=None, state=KeyState.ACTIVE, protect=False, options={}, allowed_ips=(), scope=None,
        secret_path=path_of(name), source=Source("keys.yaml", 7, 3),
    )  # fmt: skip
    return replace(key, **more)


def desired_level(name: str = "read", **more: Any) -> DesiredLevel:
    level = DesiredLevel(
        tenant=TENANT, name=name, description=f"Level {name}", permissions=PERMISSIONS, protect=False,
        source=Source("levels.yaml", 3, 3), owner="secops@example.com",
    )  # fmt: skip
    return replace(level, **more)


def desired_tenant(
    keys: Iterable[DesiredKey] = (), levels: Iterable[DesiredLevel] | None = None, **more: Any
) -> DesiredTenant:
    tenant = DesiredTenant(
        name=TENANT, provider=PROVIDER.name, endpoint=ENDPOINT,
        credentials_plan=CredentialRef(VaultPath("secret", "credentials/dsm")),
        credentials_apply=CredentialRef(VaultPath("secret", "credentials/dsm")),
        secrets=VaultPath("secret", "keys/{tenant}/{key}"), unmanaged=Unmanaged.REPORT,
        levels=(desired_level(),) if levels is None else tuple(levels), keys=tuple(keys),
        source=Source("tenant.yaml", 1, 1),
    )  # fmt: skip
    return replace(tenant, **more)


def estate(digest: str = "d" * 64, **more: Any) -> Estate:
    config = VaultConfig("https://vault.example.com:8200")
    return replace(Estate(ESTATE_ID, "acme", config, tenants=(), digest_of=lambda: digest), **more)


def mark(seed: str = "k1", generation: int = 1, tag: str = TAG) -> Mark:
    return Mark(tag, generation, nonce(seed))


def found_key(
    desired: DesiredKey, vendor_id: str = "100", *, level: str = "10", marked: Mark | str | None = "k1",
    fields: Mapping[str, Any] | None = None,
) -> Observed:  # fmt: skip
    """A key at the vendor that is just as wanted, but for `fields`."""
    every = {**PROVIDER.key_fields(desired), **(fields or {})}
    return Observed(
        kind=Kind.API_KEY, vendor_id=vendor_id, name=str(every["name"]),
        mark=mark(marked) if isinstance(marked, str) else marked, fields=every, level_id=level,
        facts={"lastUsed": NOW},
    )  # fmt: skip


def found_level(
    desired: DesiredLevel | None = None, vendor_id: str = "10", *, marked: Mark | str | None = "l1",
    fields: Mapping[str, Any] | None = None, builtin: bool = False,
) -> Observed:  # fmt: skip
    """A level at the vendor that is just as wanted, but for `fields`."""
    every = {**PROVIDER.level_fields(desired or desired_level()), **(fields or {})}
    return Observed(
        kind=Kind.ACCESS_LEVEL, vendor_id=vendor_id, name=str(every["name"]),
        mark=mark(marked) if isinstance(marked, str) else marked, fields=every, builtin=builtin,
    )  # fmt: skip


def record(desired: DesiredKey | None = None, vendor_id: str = "100", seed: str = "k1", **more: Any) -> Record:
    """The record of a key that was issued a day ago."""
    path = (desired or desired_key()).secret_path
    known = Record(
        vendor_id=vendor_id, nonce=nonce(seed), mount=path.mount, path=path.path, version=1,
        issued_at=NOW - timedelta(days=1), owner="secops@example.com",
    )  # fmt: skip
    return known.model_copy(update=more)


def level_record(vendor_id: str = "10", seed: str = "l1", **more: Any) -> Record:
    return Record(vendor_id=vendor_id, nonce=nonce(seed), owner="secops@example.com").model_copy(update=more)


def previous(vendor_id: str = "99", seed: str = "k0", hours: float = 5, **more: Any) -> Previous:
    """A retiring generation that goes on working for so many hours."""
    until = NOW + timedelta(hours=hours)
    return Previous(vendor_id=vendor_id, generation=1, nonce=nonce(seed), until=until).model_copy(update=more)


def intent(
    seed: str = "k2", action: IntentAction = IntentAction.CREATE, *, path: VaultPath | None = None, **more: Any
) -> Intent:
    path = path or path_of()
    known = Intent(run="dead", action=action, nonce=nonce(seed), mount=path.mount, path=path.path)
    return known.model_copy(update=more)


def document(
    objects: Mapping[ObjectId, Record] | None = None, intents: Mapping[ObjectId, Intent] | None = None, **more: Any
) -> StateDocument:
    return StateDocument(
        estate=ESTATE_ID, tenant=TENANT, provider=PROVIDER.name, endpoint=ENDPOINT,
        objects={str(name): item for name, item in (objects or {}).items()},
        intents={str(name): item for name, item in (intents or {}).items()},
        **more,
    )  # fmt: skip


def secret(version: int = 1, *, live: bool = True, updated: datetime | None = NOW) -> SecretMetadata:
    return SecretMetadata(current_version=version, live=live, updated=updated)


def view(
    *, levels: Iterable[Observed] = (), keys: Iterable[Observed] = (), state: StateDocument | None = None,
    secrets: Mapping[VaultPath, SecretMetadata] | None = None, own: str | None = "1", now: datetime = NOW,
) -> TenantView:  # fmt: skip
    return TenantView(
        observed=ObservedTenant(tuple(levels), tuple(keys), own), document=state,
        state_version=3 if state else 0, secrets=secrets or {}, now=now,
    )  # fmt: skip


def plan(desired: DesiredTenant, seen: TenantView, provider: Any = PROVIDER) -> TenantPlan:
    return plan_tenant(desired, provider, seen, ESTATE_ID)


def settled(
    key: DesiredKey, *, marked: Mark | str | None = "k1", fields: Mapping[str, Any] | None = None,
    known: Record | None = None, **more: Any,
) -> TenantView:  # fmt: skip
    """What is seen when a key and its level are just as the last apply left them; each part can be replaced."""
    seen = {
        "levels": [found_level()],
        "keys": [found_key(key, marked=marked, fields=fields)],
        "state": document({level_id(): level_record(), key.id: known or record(key)}),
        "secrets": {key.secret_path: secret()},
        **more,
    }
    return view(**seen)


def told(result: TenantPlan) -> list[tuple[str, str, str]]:
    """The actions as (kind, operation, object)."""
    return [(str(a.kind), str(a.operation), str(a.object)) for a in result.actions]


def why_blocked(result: TenantPlan) -> dict[str, str]:
    """Blocked objects and the reasons."""
    return {str(item.object): item.reason for item in result.blocked}


def action(
    kind: ActionKind = ActionKind.CREATE, operation: Operation = Operation.ISSUE, name: str = "splunk", **more: Any
) -> Action:
    """An action by itself, for code that only counts or shows actions."""
    return Action(kind, operation, more.pop("object", key_id(name)), **more)


def tenant_plan(*actions: Action, tenant: str = TENANT, population: int = 10, **more: Any) -> TenantPlan:
    return TenantPlan(tenant, PROVIDER.name, ENDPOINT, actions=actions, population=population, **more)
