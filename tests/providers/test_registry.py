"""Providers are found by name, ours first, and others wherever they are installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints, PackageNotFoundError

import pytest

from reconciler.errors import InvalidInput
from reconciler.providers import registry

OURS = "trend-workload-security"


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    """What was found before a test counts neither in it nor after it."""
    caches = (registry._ours, registry._all, registry.names, registry.get)
    for one in caches:
        one.cache_clear()
    yield
    for one in caches:
        one.cache_clear()


def installed(monkeypatch: pytest.MonkeyPatch, *points: tuple[str, str]) -> list[str]:
    """Let these be all entry points that there are; the list gets what is asked for."""
    asked: list[str] = []

    def entry_points(group: str) -> EntryPoints:
        asked.append(group)
        return EntryPoints(EntryPoint(name, value, group) for name, value in points)

    monkeypatch.setattr(registry, "entry_points", entry_points)
    return asked


def test_ours_are_found_without_looking_at_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most runs need our own providers, which one file names."""
    asked = installed(monkeypatch)
    assert registry.get(OURS).name == OURS
    assert asked == []


def test_a_plugin_cannot_take_our_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package's entry point of the same name is passed over, whoever comes first."""
    installed(monkeypatch, (OURS, "nowhere:PROVIDER"), ("other", "reconciler.providers.lacework:PROVIDER"))
    assert registry.get("other").name == "lacework"
    assert registry.get(OURS).name == OURS
    assert registry.names().count(OURS) == 1


def test_plugins_are_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All packages are searched once, whatever is asked for; of two plugins with one name the first counts."""
    asked = installed(
        monkeypatch, ("other", "reconciler.providers.lacework:PROVIDER"), ("other", "nowhere:PROVIDER"), ("more", "x:Y")
    )
    assert registry.get("other").name == "lacework"
    assert {"more", "other", OURS} <= set(registry.names())
    with pytest.raises(InvalidInput, match="unknown provider 'missing'") as caught:
        registry.get("missing")
    assert "more, other" in str(caught.value.hint)
    assert asked == [registry.GROUP]


def test_from_a_source_tree_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without our own package's metadata there are the plugins."""

    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(registry, "distribution", missing)
    installed(monkeypatch, ("other", "reconciler.providers.lacework:PROVIDER"))
    assert registry.names() == ("other",)
