"""The values that policies are evaluated with: of a key, of what gives it its permissions, of its tenant and its plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from reconciler.model.action import TenantPlan
from reconciler.model.desired import NO_TEXTS, DesiredKey, DesiredLevel, DesiredTenant, KeyState, LevelRef
from reconciler.providers import registry
from reconciler.providers.base import How
from reconciler.providers.permissions import is_high_risk, leaves, written

_SPEC: Final = "ApiKey.spec."


class Facts:
    """What policies may ask of the keys of one tenant. Without a plan nothing is known of changes and of the vendor."""

    def __init__(self, tenant: DesiredTenant, plan: TenantPlan | None, now: datetime) -> None:
        self._plan = plan
        self._kinds: dict[str, list[str]] = {}
        self._fields: dict[str, list[str]] = {}
        for action in plan.actions if plan is not None else ():
            if not action.object.kind.is_level:
                self._kinds.setdefault(action.object.name, []).append(str(action.kind))
                self._fields.setdefault(action.object.name, []).extend(change.path for change in action.changes)
        can = registry.get(tenant.provider).capabilities
        supported = [one.field.removeprefix(_SPEC) for one in can.fields
                     if one.field.startswith(_SPEC) and one.how is not How.UNSUPPORTED]  # fmt: skip
        self._high_risk = can.high_risk
        self._keys = Counter(key.level for key in tenant.keys if key.state is not KeyState.ABSENT)
        self._declared = {level.id: level for level in tenant.levels}
        self._levels: dict[LevelRef, dict[str, Any]] = {}
        self._tenant = {
            "tenant.name": tenant.name,
            "tenant.provider": tenant.provider,
            "tenant.endpoint": tenant.endpoint,
            "tenant.labels": dict(tenant.labels),
            "tenant.supports": supported,
            "now": now,
        }

    def of(self, key: DesiredKey) -> dict[str, Any]:
        """A value for each of `VARIABLES`."""
        rotation = key.rotation
        seen = self._plan.facts.get(key.name) if self._plan is not None else None
        found: Mapping[str, Any] = seen or {}
        return {
            "key.name": key.name,
            "key.owner": key.owner,
            "key.description": key.description,
            "key.labels": dict(key.labels),
            "key.annotations": dict(key.annotations),
            "key.expires": key.expires,
            "key.rotation.every": rotation.every if rotation is not None else None,
            "key.rotation.overlap": rotation.overlap if rotation is not None else None,
            "key.allowedIPs": list(key.allowed_ips),
            "key.state": str(key.state),
            "key.scope": dict(key.scope or {}),
            "key.options": dict(key.options),
            "key.protect": key.protect,
            **self._level(key.level),
            **self._tenant,
            "change.kinds": self._kinds.get(key.name, []),
            "change.fields": self._fields.get(key.name, []),
            "observed.exists": seen is not None,
            "observed.lastUsed": found.get("lastUsed"),
            "observed.deprecated": str(found.get("deprecated") or ""),
        }

    def _level(self, reference: LevelRef) -> dict[str, Any]:
        known = self._levels.get(reference)
        if known is None:
            declared = self._declared.get(reference.id) if reference.id is not None else None
            known = self._levels[reference] = self._of_level(reference, declared)
        return known

    def _of_level(self, reference: LevelRef, level: DesiredLevel | None) -> dict[str, Any]:
        tree = dict(level.permissions) if level is not None else {}
        paths = [written(one) for one in leaves(tree)]
        return {
            "level.kind": str(reference.kind),
            "level.name": reference.name,
            "level.existing": reference.existing,
            "level.owner": level.owner if level is not None else "",
            "level.labels": dict(level.labels if level is not None else NO_TEXTS),
            "level.annotations": dict(level.annotations if level is not None else NO_TEXTS),
            "level.permissions": paths,
            "level.tree": tree,
            "level.highRisk": [path for path in paths if is_high_risk(path, self._high_risk)],
            "level.keys": self._keys[reference],
        }
