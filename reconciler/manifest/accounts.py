"""Tenants: their names, providers and credentials, what their options choose, and what becomes of removed keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from reconciler.errors import InvalidInput
from reconciler.manifest.check import Finding
from reconciler.manifest.drafts import Place, SharedDraft, TenantDraft, on_removal
from reconciler.manifest.library import Library
from reconciler.manifest.models import ManifestKind
from reconciler.manifest.references import duplicate
from reconciler.manifest.wanted import Report, WantedTenant, told
from reconciler.model.desired import DesiredTenant, OnRemoval, Removal, VaultPath
from reconciler.model.names import Kind
from reconciler.providers import registry
from reconciler.providers.base import Provider, Traits
from reconciler.suggest import did_you_mean

_MAP = "endpointMap"
_ANYTHING = Traits(kinds=frozenset(Kind))
"""What an unknown provider has: its absence is the only problem told."""


class Accounts:
    """Drafts of tenants to tenants that objects can be put into. What is wrong with them goes to `report`."""

    def __init__(self, report: Report, library: Library, state: VaultPath | None) -> None:
        self._report = report
        self._library = library
        self._state = state
        self._providers: dict[str, Provider | None] = {}
        self._traits: dict[Traits, Traits] = {}
        """Each kind of behaviour once, so that tenants of one kind can be told by identity."""
        self._told: set[tuple[str, Finding]] = set()

    def of(self, drafts: Iterable[TenantDraft]) -> dict[str, WantedTenant]:
        """All tenants by name; of two with one name, the first."""
        found: dict[str, WantedTenant] = {}
        for draft in drafts:
            if draft.name in found:
                first = found[draft.name].draft.place.source
                self._report(draft.place, f"Tenant/{draft.name}", duplicate("Tenant", draft.name, [("", first)]))
            else:
                found[draft.name] = self._wanted(draft)
        return found

    def check_providers(self, tenants: Iterable[tuple[Place, str, str]]) -> None:
        """Report the tenants (place, name, provider) whose provider is not installed."""
        for place, name, provider in tenants:
            if self._provider(provider) is None:
                installed = registry.names()
                hint = did_you_mean(provider, installed) or f"installed are {', '.join(installed)}"
                finding = Finding(("spec", "provider"), f"unknown provider {provider!r}", hint, "unknown-provider")
                self._report(place, f"Tenant/{name}", finding)

    def reserved(self, tenants: Iterable[WantedTenant]) -> Iterable[tuple[VaultPath, str]]:
        """Entries in Vault that are no key's, each and what it is."""
        for tenant in tenants:
            for credential in (tenant.draft.plan, tenant.draft.apply):
                if credential.vault is not None:
                    yield credential.vault, f"the credential of tenant {tenant.name!r}"
        if self._state is not None:
            yield self._state, "the state documents"

    def _provider(self, name: str) -> Provider | None:
        if name not in self._providers:
            try:
                self._providers[name] = registry.get(name)
            except InvalidInput:
                self._providers[name] = None
        return self._providers[name]

    def _wanted(self, draft: TenantDraft) -> WantedTenant:
        self._check_credentials(draft)
        provider = self._provider(draft.provider)
        shared = self._map(draft)
        bare = DesiredTenant(
            name=draft.name,
            provider=draft.provider,
            endpoint=draft.endpoint,
            credentials_plan=draft.plan,
            credentials_apply=draft.apply,
            secrets=draft.secrets,
            unmanaged=draft.unmanaged,
            levels=(),
            keys=(),
            source=draft.place.source,
            labels=draft.labels,
            rate=draft.rate,
            options=draft.options,
            endpoint_map=shared.content if shared is not None else None,
            adopt_rotate=draft.adopt_rotate,
        )
        traits = _ANYTHING if provider is None else self._checked(draft, provider, bare, shared)
        wanted = WantedTenant(draft, provider, traits, bare)
        wanted.bare = replace(bare, on_removal=self._on_removal(wanted))
        return wanted

    def _map(self, draft: TenantDraft) -> SharedDraft | None:
        """The endpoint map that the options name, if any."""
        name = draft.options.get(_MAP)
        if not isinstance(name, str):
            return None
        found = self._library.find(ManifestKind.ENDPOINT_MAP, name, "spec", "options", _MAP)
        if isinstance(found, Finding):
            self._report(draft.place, f"Tenant/{draft.name}", found)
            return None
        return found

    def _checked(
        self, draft: TenantDraft, provider: Provider, bare: DesiredTenant, shared: SharedDraft | None
    ) -> Traits:
        """Ask the provider, and what the tenant's options choose; what is usual where the options are wrong."""
        usual = False
        lost = isinstance(draft.options.get(_MAP), str) and shared is None  # which is said, or another problem's fault
        for problem in provider.check_tenant(bare):
            about_map = problem.path[:1] == (_MAP,)
            usual = usual or about_map or problem.path[:1] == ("options",)
            if about_map and shared is not None:
                self._tell_map(shared, told(problem, "spec", *problem.path[1:]))
            elif lost and (about_map or problem.path == ("options",)):
                continue
            else:
                place = ("spec", "options") if about_map else ("spec", *problem.path)
                self._report(draft.place, f"Tenant/{draft.name}", told(problem, *place))
        traits = provider.capabilities.traits if usual or lost else provider.traits(bare)
        return self._traits.setdefault(traits, traits)

    def _tell_map(self, shared: SharedDraft, finding: Finding) -> None:
        """Once, though many tenants use the map."""
        if (shared.name, finding) not in self._told:
            self._told.add((shared.name, finding))
            self._report(shared.place, f"EndpointMap/{shared.name}", finding)

    def _on_removal(self, wanted: WantedTenant) -> OnRemoval:
        given, reversible = wanted.draft.on_removal, wanted.traits.reversible_lock
        if given is None:
            return on_removal(Removal.QUARANTINE if reversible else Removal.DELETE)
        if given.action is Removal.QUARANTINE and not reversible:
            what = f"spec.onRemoval cannot be quarantine: {wanted.draft.provider} has no lock that can be undone"
            finding = Finding(("spec", "onRemoval"), what, "use delete or orphan", "provider")
            self._report(wanted.draft.place, f"Tenant/{wanted.name}", finding)
        return given

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
