"""Keys: each into its tenants, with its access level, networks and scope resolved, and the provider asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from reconciler.manifest.check import Finding, Path
from reconciler.manifest.drafts import KeyDraft, ListName, ScopeDraft, TenantDraft
from reconciler.manifest.library import Library
from reconciler.manifest.models import ManifestKind
from reconciler.manifest.paths import Reserved, fill
from reconciler.manifest.problems import Severity
from reconciler.manifest.references import Tenants, duplicate, missing_level, missing_scope, some
from reconciler.manifest.wanted import FIELDS, Load, Report, WantedTenant, ended, named, reason, told
from reconciler.model import dates
from reconciler.model.desired import DesiredKey, KeyState, LevelRef, Source, Strategy
from reconciler.model.names import Kind
from reconciler.providers.base import Doubt, Problem, Provider
from reconciler.suggest import did_you_mean


class Keys:
    """Drafts of keys to desired keys, one after the other."""

    def __init__(self, report: Report, where: Tenants, library: Library, reserved: Reserved, now: datetime) -> None:
        self._report_to = report
        self._broken = where.broken
        self._library = library
        self._where = where
        self._reserved = reserved
        self._now = now
        self._paths: dict[str, Source] = {}
        self._scopes_told: set[tuple[int, Finding]] = set()

    def _report(self, draft: KeyDraft, finding: Finding) -> None:
        self._report_to(draft.place, named(draft, "ApiKey"), finding)

    def expand(self, draft: KeyDraft) -> None:
        """Put a key into the tenants that it is wanted in."""
        tenants = self._where.of(draft)
        if isinstance(tenants, Finding):
            self._report(draft, tenants)
            return
        if draft.expires is not None and draft.expires <= self._now and draft.state is not KeyState.ABSENT:
            self._report(draft, _expired(draft.expires))
        for finding in ended(draft.ignore_drift, self._now):
            self._report(draft, finding)
        networks = self._networks(draft) if draft.allowed_ips else ()
        twice: list[tuple[str, Source]] = []
        lost: list[WantedTenant] = []
        no_scope: list[WantedTenant] = []
        asked: set[object] = set()
        for tenant in tenants:
            keys = tenant.keys
            if draft.name in keys:
                twice.append((tenant.name, keys[draft.name].source))
                continue
            level = draft.level
            has_kind = level.kind in tenant.traits.kinds
            if has_kind and not level.existing and level.name not in tenant.levels[level.kind]:
                lost.append(tenant)
            scope = self._scope(draft.scope, tenant, no_scope) if isinstance(draft.scope, str) else draft.scope
            key = keys[draft.name] = _key(draft, tenant.draft, networks, scope)
            self._check_path(draft, key)
            if tenant.traits.most_keys_per_level is not None:
                _count(draft, tenant)
            if (same := _same(tenant, draft)) not in asked:
                asked.add(same)
                self._ask(draft, tenant, key)
        if twice:
            self._report(draft, duplicate("ApiKey", draft.name, twice))
        if lost:
            self._tell_lost(draft, lost)
        if no_scope and not self._broken.may_declare("Scope", str(draft.scope)):
            known = {name for tenant in no_scope for name in tenant.scopes}
            self._report(draft, missing_scope(str(draft.scope), [tenant.name for tenant in no_scope], known))

    def _tell_lost(self, draft: KeyDraft, lost: list[WantedTenant]) -> None:
        level = draft.level
        if not self._broken.may_declare(level.kind, level.name):
            known = {name for tenant in lost for name in tenant.levels[level.kind]}
            self._report(draft, missing_level(level, [tenant.name for tenant in lost], known))

    # --- what a key refers to ---

    def _networks(self, draft: KeyDraft) -> tuple[str, ...]:
        for index, entry in enumerate(draft.allowed_ips):
            if isinstance(entry, ListName):
                path = ("spec", "allowedIPs", index, "networkList")
                found = self._library.find(ManifestKind.NETWORK_LIST, entry.name, *path)
                if isinstance(found, Finding):
                    self._report(draft, found)
        return self._library.networks(draft.allowed_ips)

    @staticmethod
    def _scope(name: str, tenant: WantedTenant, missing: list[WantedTenant]) -> Mapping[str, Any] | None:
        """The Scope of that name. Where the product has none, any will do: the provider refuses it."""
        found = tenant.scopes.get(name)
        if found is not None:
            found.used = True
            return found.scope
        if tenant.provider is not None and tenant.provider.scope_schema() is None:
            return {}
        missing.append(tenant)
        return None

    def _check_path(self, draft: KeyDraft, key: DesiredKey) -> None:
        path = str(key.secret_path)
        if (first := self._paths.get(path)) is not None:
            what = f"the secret's path {path!r} is another key's"
            hint = f"that is at {first}; let each tenant's spec.secrets.path hold {{tenant}} and {{key}} apart"
        elif (owner := self._reserved.above(path)) is not None:
            what = f"the secret's path {path!r} lies under {owner}"
            hint = f"change spec.secrets of {some([key.tenant])}"
        else:
            self._paths[path] = key.source
            return
        self._report(draft, Finding(("metadata", "name"), what, hint, "vault-path"))

    # --- what the vendor can do ---

    def _ask(self, draft: KeyDraft, tenant: WantedTenant, key: DesiredKey) -> None:
        """Ask the provider, and hold the key against how the tenant's objects behave."""
        if tenant.provider is None:
            return
        refused: set[Path] = set()
        field = FIELDS[draft.level.kind]
        for problem in tenant.provider.check_key(key):
            refused |= set() if isinstance(problem, Doubt) else {problem.path[:1], problem.path}
            scope = tenant.scopes.get(draft.scope) if isinstance(draft.scope, str) else None
            if scope is not None and problem.path[:1] == ("scope",) and problem.path[1:]:
                self._tell_scope(scope, told(problem))
            else:
                self._report(draft, told(problem, "spec", *self._origin(draft, key, problem)))
        if (field,) not in refused and (lacks := _lacks(draft.level, tenant)) is not None:
            self._report(draft, told(lacks, "spec", field))
        in_place = draft.rotation is not None and draft.rotation.strategy is Strategy.IN_PLACE
        if in_place and not tenant.traits.regenerates_in_place and ("rotation", "strategy") not in refused:
            what = f"{tenant.draft.provider} cannot give a key a new secret in place"
            hint = reason(tenant.provider, "ApiKey.spec.rotation.strategy") or "use strategy: overlap"
            self._report(draft, Finding(("spec", "rotation", "strategy"), what, hint, "provider"))
        for finding in _no_options(draft, tenant.provider):
            self._report(draft, finding)

    def _tell_scope(self, scope: ScopeDraft, finding: Finding) -> None:
        """In the Scope's own manifest, once, though many keys have it."""
        if (id(scope), finding) not in self._scopes_told:
            self._scopes_told.add((id(scope), finding))
            self._report_to(scope.place, named(scope, "Scope"), finding)

    def _origin(self, draft: KeyDraft, key: DesiredKey, problem: Problem) -> Path:
        """Where below `spec` a problem is: of a network in canonical order, the manifest's entry that it comes from."""
        match problem.path:
            case ("allowedIPs", int(index), *_) if index < len(key.allowed_ips):
                network = key.allowed_ips[index]
                entries = enumerate(draft.allowed_ips)
                return ("allowedIPs", next(at for at, entry in entries if network in self._library.of(entry)))
        return problem.path


def _lacks(level: LevelRef, tenant: WantedTenant) -> Problem | None:
    """Why a key cannot refer to that. An access level may exist where none can be declared."""
    if level.existing and level.kind is Kind.ACCESS_LEVEL:
        return None
    return tenant.lacks(level.kind)


def _no_options(draft: KeyDraft, provider: Provider) -> Iterator[Finding]:
    """Options whose drift is to be ignored, and that keys of this vendor do not have."""
    known = provider.options_schema().get("properties", {}) if draft.ignore_drift else {}
    for index, item in enumerate(draft.ignore_drift):
        for number, field in enumerate(item.fields):
            first, _, rest = field.partition(".")
            name = rest.partition(".")[0]
            if first == "options" and name not in known:
                what = f"spec.ignoreDrift[{index}].fields names {field!r}, which keys of {provider.name} do not have"
                hint = did_you_mean(name, known) or (
                    f"its options are {', '.join(known)}" if known else "it has no options"
                )
                yield Finding(("spec", "ignoreDrift", index, "fields", number), what, hint, "provider")


def _same(tenant: WantedTenant, draft: KeyDraft) -> object:
    """Tenants for which this is the same have nothing different to say about the key."""
    if isinstance(draft.scope, str):
        return tenant.draft.provider, id(tenant.traits), id(tenant.scopes.get(draft.scope))
    return tenant.draft.provider, id(tenant.traits)


def _count(draft: KeyDraft, tenant: WantedTenant) -> None:
    """Count a key against its level's limit; twice if its rotation lets two live at a time."""
    if draft.state is KeyState.ABSENT:
        return
    level = draft.level
    load = tenant.loads.setdefault((level.kind, level.name, level.existing), Load())
    load.keys += 1
    load.total += 2 if draft.rotation is not None and draft.rotation.strategy is Strategy.OVERLAP else 1
    if load.over is None and load.total > (tenant.traits.most_keys_per_level or 0):
        load.over = (draft.place, named(draft, Kind.API_KEY))


def _expired(expires: datetime) -> Finding:
    what = f"spec.expires has passed: it was {dates.written(expires)}"
    hint = "the key is not created, and removed if it lives; set a later time, or state: absent"
    return Finding(("spec", "expires"), what, hint, "expired", severity=Severity.WARNING)


def _key(
    draft: KeyDraft, tenant: TenantDraft, networks: tuple[str, ...], scope: Mapping[str, Any] | None
) -> DesiredKey:
    return DesiredKey(
        tenant.name,
        draft.name,
        draft.owner,
        draft.description,
        draft.level,
        draft.expires,
        draft.rotation,
        draft.state,
        draft.protect,
        draft.options,
        networks,
        scope,
        fill(tenant.secrets, tenant.name, draft.name),
        draft.place.source,
        draft.previous_names,
        draft.reissue_after,
        draft.labels,
        draft.annotations,
        draft.ignore_drift,
    )
