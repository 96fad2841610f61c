"""What the whole estate shares: network lists and endpoint maps, found by name."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network

from reconciler.manifest.check import Finding
from reconciler.manifest.drafts import ListName, SharedDraft
from reconciler.manifest.models import ManifestKind
from reconciler.manifest.problems import Severity
from reconciler.manifest.references import Broken, duplicate
from reconciler.manifest.wanted import Report
from reconciler.suggest import did_you_mean

_WORDS = {ManifestKind.NETWORK_LIST: "network list", ManifestKind.ENDPOINT_MAP: "endpoint map"}


class Library:
    """Shared objects by name. Those that nobody asked for are told of at the end."""

    def __init__(self, drafts: Iterable[SharedDraft], report: Report, broken: Broken) -> None:
        self._report = report
        self._broken = broken
        self._known: dict[ManifestKind, dict[str, SharedDraft]] = {kind: {} for kind in _WORDS}
        self._resolved: dict[tuple[str | ListName, ...], tuple[str, ...]] = {}
        for draft in drafts:
            if (first := self._known[draft.kind].setdefault(draft.name, draft)) is not draft:
                report(draft.place, _name(draft), duplicate(draft.kind, draft.name, [("", first.place.source)]))

    def find(self, kind: ManifestKind, name: str, *path: str | int) -> SharedDraft | Finding | None:
        """The object of that name; a finding at the path if there is none. None if that is another problem's fault."""
        found = self._known[kind].get(name)
        if found is not None:
            found.used = True
            return found
        if self._broken.may_declare(kind, name):
            return None
        hint = did_you_mean(name, self._known[kind]) or f"add a manifest of kind {kind} with that name"
        return Finding(path, f"there is no {_WORDS[kind]} {name!r}", hint, f"unknown-{_WORDS[kind].replace(' ', '-')}")

    def networks(self, entries: tuple[str | ListName, ...]) -> tuple[str, ...]:
        """All networks of these entries, canonical, each once, sorted. Lists that are not there add nothing."""
        found = self._resolved.get(entries)
        if found is None:
            every = {network for entry in entries for network in self.of(entry)}
            found = self._resolved[entries] = tuple(sorted(every, key=_order))
        return found

    def of(self, entry: str | ListName) -> tuple[str, ...]:
        """The networks of one entry, in their own order."""
        if isinstance(entry, str):
            return (entry,)
        found = self.find(ManifestKind.NETWORK_LIST, entry.name)
        return found.content if isinstance(found, SharedDraft) else ()

    def tell_unused(self) -> None:
        """Warn of what nothing refers to."""
        for kind, drafts in self._known.items():
            for draft in drafts.values():
                if not draft.used:
                    self._report(draft.place, _name(draft), unused(f"the {_WORDS[kind]}", draft.name))


def unused(what: str, name: str) -> Finding:
    """A warning: nothing refers to it."""
    path = ("metadata", "name")
    return Finding(
        path, f"{what} {name!r} is not used", "delete it, or refer to it", "unused", severity=Severity.WARNING
    )


def _name(draft: SharedDraft) -> str:
    return f"{draft.kind}/{draft.name}"


def _order(text: str) -> tuple[int, int, int]:
    network = ip_network(text)
    return network.version, int(network.network_address), network.prefixlen
