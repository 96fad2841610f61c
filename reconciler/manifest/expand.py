"""Drafts to desired tenants: every reference and selector resolved, every provider asked, all that is wrong collected."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from reconciler.errors import InvalidInput
from reconciler.manifest.check import Finding
from reconciler.manifest.drafts import KeyDraft, LevelDraft, ObjectDraft, Place, TenantDraft
from reconciler.manifest.paths import Reserved, fill
from reconciler.manifest.problems import Severity
from reconciler.manifest.references import Broken, Tenants, duplicate, missing_level, some
from reconciler.model.desired import DesiredKey, DesiredLevel, DesiredTenant, KeyState, Source, VaultPath
from reconciler.providers import registry
from reconciler.providers.base import Problem as ProviderProblem
from reconciler.providers.base import Provider
from reconciler.suggest import did_you_mean

Report = Callable[[Place, str, Finding], None]
"""Takes what is wrong: where, with which object, and what."""


class Expansion:
    """The desired tenants of a set of drafts. What is wrong goes to `report`; the rest is in the result all the same."""

    def __init__(self, report: Report, broken: Broken, state: VaultPath | None, now: datetime) -> None:
        self._report = report
        self._broken = broken
        self._state = state
        self._now = now
        self._providers: dict[str, Provider | None] = {}
        self._levels: dict[str, dict[str, DesiredLevel]] = {}
        self._keys: dict[str, dict[str, DesiredKey]] = {}
        self._paths: dict[str, Source] = {}

    def run(
        self, tenants: list[TenantDraft], levels: list[LevelDraft], keys: list[KeyDraft]
    ) -> tuple[DesiredTenant, ...]:
        """Everything wanted, sorted by name. Empties the lists, so that memory is not held twice."""
        by_name = self._unique(tenants)
        self._levels = {name: {} for name in by_name}
        self._keys = {name: {} for name in by_name}
        where = Tenants(by_name, self._broken)
        for level in levels:
            self._expand_level(level, where)
        levels.clear()
        reserved = Reserved(self._reserved(by_name.values()))
        for tenant in by_name.values():
            self._check_credentials(tenant)
        for index, key in enumerate(keys):
            self._expand_key(key, where, reserved)
            keys[index] = None  # type: ignore[call-overload]
        keys.clear()
        return tuple(self._desired(by_name[name]) for name in sorted(by_name))

    # --- tenants ---

    def _unique(self, tenants: list[TenantDraft]) -> dict[str, TenantDraft]:
        found: dict[str, TenantDraft] = {}
        for tenant in tenants:
            if (first := found.setdefault(tenant.name, tenant)) is not tenant:
                finding = duplicate("Tenant", tenant.name, [("", first.place.source)])
                self._report(tenant.place, f"Tenant/{tenant.name}", finding)
        return found

    def _reserved(self, tenants: Iterable[TenantDraft]) -> Iterable[tuple[VaultPath, str]]:
        for tenant in tenants:
            for credential in (tenant.plan, tenant.apply):
                if credential.vault is not None:
                    yield credential.vault, f"the credential of tenant {tenant.name!r}"
        if self._state is not None:
            yield self._state, "the state documents"

    def _check_credentials(self, tenant: TenantDraft) -> None:
        """A credential among the state documents could be read by whoever reads those."""
        for part, credential in (("plan", tenant.plan), ("apply", tenant.apply)):
            if self._state is not None and credential.vault is not None and credential.vault.lies_under(self._state):
                path = ("spec", "credentials", *((part,) if tenant.split else ()), "vault", "path")
                what = (
                    f"the credential {str(credential.vault)!r} lies under the state documents at {str(self._state)!r}"
                )
                self._report(
                    tenant.place, f"Tenant/{tenant.name}", Finding(path, what, "keep it elsewhere", "vault-path")
                )
                if not tenant.split:
                    return

    def _desired(self, draft: TenantDraft) -> DesiredTenant:
        levels, keys = self._levels.pop(draft.name), self._keys.pop(draft.name)
        tenant = DesiredTenant(
            name=draft.name,
            provider=draft.provider,
            endpoint=draft.endpoint,
            credentials_plan=draft.plan,
            credentials_apply=draft.apply,
            secrets=draft.secrets,
            unmanaged=draft.unmanaged,
            levels=tuple(levels[name] for name in sorted(levels)),
            keys=tuple(keys[name] for name in sorted(keys)),
            source=draft.place.source,
            labels=draft.labels,
            rate=draft.rate,
        )
        if (provider := self._provider(draft.provider)) is not None:
            self._ask(draft.place, f"Tenant/{draft.name}", provider.check_tenant(tenant))
        return tenant

    # --- access levels ---

    def _expand_level(self, draft: LevelDraft, where: Tenants) -> None:
        name = _object(draft, "AccessLevel")
        tenants = where.of(draft)
        if isinstance(tenants, Finding):
            self._report(draft.place, name, tenants)
            return
        twice: list[tuple[str, Source]] = []
        asked: set[str] = set()
        for tenant in tenants:
            levels = self._levels[tenant.name]
            if draft.name in levels:
                twice.append((tenant.name, levels[draft.name].source))
                continue
            level = levels[draft.name] = DesiredLevel(
                tenant=tenant.name,
                name=draft.name,
                description=draft.description,
                permissions=draft.permissions,
                protect=draft.protect,
                source=draft.place.source,
                owner=draft.owner,
            )
            if tenant.provider not in asked and (provider := self._provider(tenant.provider)) is not None:
                asked.add(tenant.provider)
                self._ask(draft.place, name, provider.check_level(level))
        if twice:
            self._report(draft.place, name, duplicate("AccessLevel", draft.name, twice))

    # --- keys ---

    def _expand_key(self, draft: KeyDraft, where: Tenants, reserved: Reserved) -> None:
        tenants = where.of(draft)
        if isinstance(tenants, Finding):
            self._report(draft.place, _object(draft, "ApiKey"), tenants)
            return
        if draft.expires is not None and draft.expires <= self._now and draft.state is not KeyState.ABSENT:
            self._report(draft.place, _object(draft, "ApiKey"), _expired(draft.expires))
        twice: list[tuple[str, Source]] = []
        lost: list[str] = []
        asked: set[str] = set()
        for tenant in tenants:
            keys = self._keys[tenant.name]
            if draft.name in keys:
                twice.append((tenant.name, keys[draft.name].source))
                continue
            if not draft.level.existing and draft.level.name not in self._levels[tenant.name]:
                lost.append(tenant.name)
            key = keys[draft.name] = _key(draft, tenant)
            self._check_path(draft, key, reserved)
            if tenant.provider not in asked and (provider := self._provider(tenant.provider)) is not None:
                asked.add(tenant.provider)
                self._ask(draft.place, "", provider.check_key(key), draft)
        if twice:
            self._report(draft.place, _object(draft, "ApiKey"), duplicate("ApiKey", draft.name, twice))
        if lost and not self._broken.may_declare("AccessLevel", draft.level.name):
            known = {name for tenant in lost for name in self._levels[tenant]}
            self._report(draft.place, _object(draft, "ApiKey"), missing_level(draft.level.name, lost, known))

    def _check_path(self, draft: KeyDraft, key: DesiredKey, reserved: Reserved) -> None:
        path = str(key.secret_path)
        if (first := self._paths.get(path)) is not None:
            what = f"the secret's path {path!r} is another key's"
            hint = f"that is at {first}; let each tenant's spec.secrets.path hold {{tenant}} and {{key}} apart"
        elif (owner := reserved.above(path)) is not None:
            what = f"the secret's path {path!r} lies under {owner}"
            hint = f"change spec.secrets of {some([key.tenant])}"
        else:
            self._paths[path] = key.source
            return
        self._report(draft.place, _object(draft, "ApiKey"), Finding(("metadata", "name"), what, hint, "vault-path"))

    # --- providers ---

    def _provider(self, name: str) -> Provider | None:
        if name not in self._providers:
            try:
                self._providers[name] = registry.get(name)
            except InvalidInput:
                self._providers[name] = None
        return self._providers[name]

    def check_providers(self, tenants: Iterable[tuple[Place, str, str]]) -> None:
        """Report the tenants (place, name, provider) whose provider is not installed."""
        for place, name, provider in tenants:
            if self._provider(provider) is None:
                installed = registry.names()
                hint = did_you_mean(provider, installed) or f"installed are {', '.join(installed)}"
                finding = Finding(("spec", "provider"), f"unknown provider {provider!r}", hint, "unknown-provider")
                self._report(place, f"Tenant/{name}", finding)

    def _ask(self, place: Place, name: str, problems: Iterable[ProviderProblem], draft: KeyDraft | None = None) -> None:
        for problem in problems:
            finding = Finding(("spec", *problem.path), problem.what, problem.hint, "provider", key=_about_key(problem))
            self._report(place, name or (_object(draft, "ApiKey") if draft is not None else ""), finding)


def _about_key(problem: ProviderProblem) -> bool:
    """Whether it is a name that is wrong, and not its value: then the provider quotes the name."""
    return bool(problem.path) and repr(problem.path[-1]) in problem.what


def _expired(expires: datetime) -> Finding:
    what = f"spec.expires has passed: it was {expires:%Y-%m-%dT%H:%M:%SZ}"
    hint = "the key is not created, and removed if it lives; set a later time, or state: absent"
    return Finding(("spec", "expires"), what, hint, "expired", severity=Severity.WARNING)


def _object(draft: ObjectDraft, kind: str) -> str:
    return f"{draft.tenant}/{kind}/{draft.name}" if draft.tenant is not None else f"{kind}/{draft.name}"


def _key(draft: KeyDraft, tenant: TenantDraft) -> DesiredKey:
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
        draft.allowed_ips,
        draft.scope,
        fill(tenant.secrets, tenant.name, draft.name),
        draft.place.source,
    )
