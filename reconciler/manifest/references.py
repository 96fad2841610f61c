"""What manifests say of each other: which tenants a selector means, which access level a key has, who was first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reconciler.manifest.check import Finding
from reconciler.manifest.drafts import ObjectDraft, Place
from reconciler.manifest.wanted import FIELDS, WORDS, WantedTenant
from reconciler.model.desired import LevelRef, Source
from reconciler.suggest import did_you_mean

_NAMED: Final = 3


@dataclass(slots=True)
class Broken:
    """What is declared by manifests with problems of their own: it is not missing, so nobody is told that it is."""

    tenants: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """Labels by name."""
    others: dict[str, set[str]] = field(default_factory=dict)
    """Names by kind."""
    texts: list[str] = field(default_factory=list)
    """Files that could be read in part only."""
    providers: list[tuple[Place, str, str]] = field(default_factory=list)
    """Tenants of which nothing else is left: place, name and provider."""
    found: bool = False
    """Whether any document is not valid."""

    def __bool__(self) -> bool:
        """Whether there is anything of the kind: then nobody can tell that something is not used."""
        return self.found or bool(self.texts)

    def add(self, value: Any, place: Place, *, provider: bool) -> None:
        """Note what a document declares that is not valid."""
        self.found = True
        if not isinstance(value, dict) or not isinstance(metadata := value.get("metadata"), dict):
            return
        name, labels = metadata.get("name"), metadata.get("labels")
        if isinstance(name, str):
            if value.get("kind") == "Tenant":
                self.tenants[name] = labels if isinstance(labels, dict) else {}
                spec = value.get("spec")
                if provider and isinstance(spec, dict) and isinstance(spec.get("provider"), str):
                    self.providers.append((place, name, spec["provider"]))
            elif isinstance(kind := value.get("kind"), str):
                self.others.setdefault(kind, set()).add(name)

    def may_declare(self, kind: str, name: str) -> bool:
        """Whether a broken document declares such an object, or a file that could not be read might."""
        known: Iterable[str] = self.tenants if kind == "Tenant" else self.others.get(kind, ())
        return name in known or any(kind in text and name in text for text in self.texts)

    def may_match(self, selector: Mapping[str, str]) -> bool:
        """Whether a broken tenant matches, or a file that could not be read might hold one that does."""
        if any(matches(labels, selector) for labels in self.tenants.values()):
            return True
        return any("Tenant" in text and all(value in text for value in selector.values()) for text in self.texts)


def matches(labels: Mapping[str, Any], selector: Mapping[str, str]) -> bool:
    """Whether an object with these labels is selected."""
    return all(labels.get(name) == value for name, value in selector.items())


class Tenants:
    """The tenants by name, and who is meant by a reference to one or by a selector."""

    def __init__(self, tenants: Mapping[str, WantedTenant], broken: Broken) -> None:
        self._by_name = {name: (wanted,) for name, wanted in tenants.items()}
        self.broken = broken
        self._selected: dict[tuple[tuple[str, str], ...], tuple[WantedTenant, ...]] = {}

    def of(self, draft: ObjectDraft) -> tuple[WantedTenant, ...] | Finding:
        """The tenants that an object is wanted in; a finding if there is none. Empty if that is another problem's fault."""
        if draft.tenant is not None:
            return self._by_name.get(draft.tenant) or self._missing(draft.tenant)
        selector = draft.selector or {}
        key = tuple(sorted(selector.items()))
        if key not in self._selected:
            self._selected[key] = tuple(
                tenant for (tenant,) in self._by_name.values() if matches(tenant.draft.labels, selector)
            )
        return self._selected[key] or self._nothing(selector)

    def _missing(self, name: str) -> tuple[WantedTenant, ...] | Finding:
        if self.broken.may_declare("Tenant", name):
            return ()
        hint = (
            did_you_mean(name, [*self._by_name, *self.broken.tenants]) or "add a manifest of kind Tenant with that name"
        )
        return Finding(("metadata", "tenant"), f"there is no tenant {name!r}", hint, "unknown-tenant")

    def _nothing(self, selector: Mapping[str, str]) -> tuple[WantedTenant, ...] | Finding:
        if self.broken.may_match(selector):
            return ()
        wanted = ", ".join(f"{name}={value}" for name, value in selector.items())
        path = ("metadata", "tenantSelector", "matchLabels")
        return Finding(
            path, f"no tenant has the labels {wanted}", self._nearest_label(selector), "empty-selector", key=True
        )

    def _nearest_label(self, selector: Mapping[str, str]) -> str:
        labels = [tenant.draft.labels for (tenant,) in self._by_name.values()]
        for name, value in selector.items():
            if not any(name in given for given in labels):
                return did_you_mean(name, {each for given in labels for each in given})
            values = {given[name] for given in labels if name in given}
            if value not in values:
                near = did_you_mean(value, values)
                return near or f"{name} is one of {', '.join(sorted(values)[:10])}"
        return "each is there, but no tenant has all of them"


def duplicate(kind: str, name: str, where: list[tuple[str, Source]]) -> Finding:
    """One manifest declares what others have declared: `where` has each tenant, and the first place."""
    tenants = some([tenant for tenant, _ in where])
    what = f"{kind} {name!r} is declared twice" + (f" in {tenants}" if tenants else "")
    return Finding(("metadata", "name"), what, f"the first is at {where[0][1]}", "duplicate-object")


def missing_level(level: LevelRef, tenants: list[str], known: Iterable[str]) -> Finding:
    """A key refers to an access level or a service user that is not declared in its tenants."""
    word = WORDS[level.kind]
    hint = did_you_mean(level.name, known) or "declare it, or write {existing: NAME} for one that the vendor ships"
    what = f"there is no {word} {level.name!r} in {some(tenants)}"
    return Finding(("spec", FIELDS[level.kind]), what, hint, f"unknown-{word.replace(' ', '-')}")


def missing_scope(name: str, tenants: list[str], known: Iterable[str]) -> Finding:
    """A key refers to a scope that is not declared in its tenants."""
    hint = (
        did_you_mean(name, known) or "add a manifest of kind Scope with that name, or write the scope here as a mapping"
    )
    return Finding(("spec", "scope"), f"there is no scope {name!r} in {some(tenants)}", hint, "unknown-scope")


def some(tenants: list[str]) -> str:
    """`tenant a`, `tenants a, b, c and 47 more`; nothing for none."""
    named = ", ".join(tenants[:_NAMED])
    more = f" and {len(tenants) - _NAMED} more" if len(tenants) > _NAMED else ""
    return f"tenant{'s' if len(tenants) > 1 else ''} {named}{more}" if any(tenants) else ""
