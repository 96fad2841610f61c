"""Drafts to desired tenants: every reference and selector resolved, every provider asked, all that is wrong collected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from reconciler.manifest.accounts import Accounts
from reconciler.manifest.check import Finding
from reconciler.manifest.drafts import ApprovalDraft, Drafts, LevelDraft, ObjectDraft, Place, ScopeDraft
from reconciler.manifest.keys import Keys
from reconciler.manifest.library import Library, unused
from reconciler.manifest.paths import Reserved
from reconciler.manifest.problems import Severity
from reconciler.manifest.references import Broken, Tenants, duplicate
from reconciler.manifest.rules import Claims, crowded
from reconciler.manifest.wanted import Report, WantedTenant, ended, named, reason, told
from reconciler.model.desired import DesiredLevel, DesiredTenant, Source, Unmanaged, VaultPath
from reconciler.model.names import Kind
from reconciler.providers.base import Problem

_A_REASON: Final = 1
"""Problems of a level with a path of this length at most are about its kind, where the product does not have that."""


class Expansion:
    """The desired tenants of a set of drafts. What is wrong goes to `report`; the rest is in the result all the same."""

    def __init__(self, report: Report, broken: Broken, state: VaultPath | None, now: datetime) -> None:
        self._report = report
        self._broken = broken
        self._state = state
        self._now = now

    def run(self, drafts: Drafts) -> tuple[DesiredTenant, ...]:
        """Everything wanted, sorted by name. Empties the drafts' lists, so that memory is not held twice."""
        library = Library(drafts.shared, self._report, self._broken)
        accounts = Accounts(self._report, library, self._state)
        accounts.check_providers([(draft.place, draft.name, draft.provider) for draft in drafts.tenants])
        accounts.check_providers(self._broken.providers)
        tenants = accounts.of(drafts.tenants)
        where = Tenants(tenants, self._broken)
        claims = Claims()
        for level in drafts.levels:
            self._expand_level(level, where)
            claims.add(level.kind, level, level.previous_names)
        drafts.levels.clear()
        for scope in drafts.scopes:
            self._expand_scope(scope, where)
        for approval in drafts.approvals:
            self._expand_approval(approval, where)
        self._expand_keys(drafts, where, library, Reserved(accounts.reserved(tenants.values())), claims)
        claims.check(where, self._report)
        for wanted in tenants.values():
            crowded(wanted, self._report)
        if not self._broken:
            library.tell_unused()
            for scope in drafts.scopes:
                if not scope.used:
                    self._report(scope.place, named(scope, "Scope"), unused("the scope", scope.name))
        return tuple(_desired(tenants.pop(name)) for name in sorted(tenants))

    def _expand_keys(
        self, drafts: Drafts, where: Tenants, library: Library, reserved: Reserved, claims: Claims
    ) -> None:
        keys = Keys(self._report, where, library, reserved, self._now)
        for index, draft in enumerate(drafts.keys):
            keys.expand(draft)
            if draft.previous_names:
                claims.add(Kind.API_KEY, draft, draft.previous_names)
            drafts.keys[index] = None  # type: ignore[call-overload]
        drafts.keys.clear()

    # --- access levels and service users ---

    def _expand_level(self, draft: LevelDraft, where: Tenants) -> None:
        name = named(draft, draft.kind)
        tenants = where.of(draft)
        if isinstance(tenants, Finding):
            self._report(draft.place, name, tenants)
            return
        for finding in ended(draft.ignore_drift, self._now):
            self._report(draft.place, name, finding)
        twice: list[tuple[str, Source]] = []
        asked: set[tuple[str, bool]] = set()
        for tenant in tenants:
            levels = tenant.levels[draft.kind]
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
                kind=draft.kind,
                locked=draft.locked,
                previous_names=draft.previous_names,
                labels=draft.labels,
                annotations=draft.annotations,
                ignore_drift=draft.ignore_drift,
            )
            same = (tenant.draft.provider, draft.kind in tenant.traits.kinds)
            if same not in asked and tenant.provider is not None:
                asked.add(same)
                self._tell(draft.place, name, draft.kind, tenant, tenant.provider.check_level(level))
        if twice:
            self._report(draft.place, name, duplicate(draft.kind, draft.name, twice))

    def _tell(self, place: Place, name: str, kind: Kind, tenant: WantedTenant, problems: Iterable[Problem]) -> None:
        """What a provider says of a level; of a kind that it does not have only why, and in general words if it does not."""
        lacks = tenant.lacks(kind)
        if lacks is None:
            for problem in problems:
                self._report(place, name, told(problem, "spec", *_in_manifest(kind, problem)))
            return
        reasons = [problem for problem in problems if len(problem.path) <= _A_REASON] or [lacks]
        for problem in reasons:
            self._report(place, name, told(problem, "kind"))

    # --- scopes and approvals ---

    def _expand_scope(self, draft: ScopeDraft, where: Tenants) -> None:
        name = named(draft, "Scope")
        tenants = where.of(draft)
        if isinstance(tenants, Finding):
            self._report(draft.place, name, tenants)
            draft.used = True  # so that it is not said to be unused on top of that
            return
        refused: set[str] = set()
        for tenant in tenants:
            tenant.scopes.setdefault(draft.name, draft)
            provider = tenant.provider
            if provider is not None and provider.name not in refused and provider.scope_schema() is None:
                refused.add(provider.name)
                hint = reason(provider, "ApiKey.spec.scope")
                self._report(draft.place, name, told(Problem((), f"{provider.name} has no scopes", hint), "kind"))
                draft.used = True
        draft.used |= self._duplicates(draft, "Scope", [(tenant.name, tenant.scopes[draft.name]) for tenant in tenants])

    def _expand_approval(self, draft: ApprovalDraft, where: Tenants) -> None:
        name = named(draft, "Approval")
        tenants = where.of(draft)
        if isinstance(tenants, Finding):
            self._report(draft.place, name, tenants)
            return
        for tenant in tenants:
            tenant.approvals.setdefault(draft.name, draft)
            if tenant.draft.unmanaged is not Unmanaged.PRUNE:
                what = f"the approval changes nothing: tenant {tenant.name} does not prune"
                hint = "give the tenant unmanaged: prune, or delete the approval"
                self._report(
                    draft.place, name, Finding(("spec", "action"), what, hint, "unused", severity=Severity.WARNING)
                )
        self._duplicates(draft, "Approval", [(tenant.name, tenant.approvals[draft.name]) for tenant in tenants])
        if draft.approval.until <= self._now:
            what = f"spec.until has passed: it was {draft.approval.until:%Y-%m-%dT%H:%M:%SZ}"
            hint = "the approval counts no more; delete it, or set a later time"
            self._report(
                draft.place, name, Finding(("spec", "until"), what, hint, "expired", severity=Severity.WARNING)
            )

    def _duplicates(self, draft: ObjectDraft, kind: str, first: list[tuple[str, ObjectDraft]]) -> bool:
        twice = [(tenant, other.place.source) for tenant, other in first if other is not draft]
        if twice:
            self._report(draft.place, named(draft, kind), duplicate(kind, draft.name, twice))
        return bool(twice)


def _in_manifest(kind: Kind, problem: Problem) -> tuple[str | int, ...]:
    """Where below `spec` a problem of a level is: a service user has no `permissions` and no `locked` there."""
    if kind is Kind.SERVICE_USER:
        if problem.path[:1] == ("permissions",):
            return problem.path[1:]
        if problem.path[:1] == ("locked",):
            return ("state",)
    return problem.path


def _desired(wanted: WantedTenant) -> DesiredTenant:
    levels = [level for each in wanted.levels.values() for level in each.values()]
    approvals = [draft.approval for draft in wanted.approvals.values()]
    return replace(
        wanted.bare,
        levels=tuple(sorted(levels, key=lambda level: (level.name, level.kind))),
        keys=tuple(wanted.keys[name] for name in sorted(wanted.keys)),
        approvals=tuple(sorted(approvals, key=lambda one: (one.kind, one.name, one.vendor_id, one.until))),
    )
