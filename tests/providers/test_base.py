from __future__ import annotations

import inspect

import pytest

from reconciler.errors import InvalidInput
from reconciler.model.desired import RateLimit
from reconciler.providers import base, registry


def _members(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


@pytest.mark.parametrize("name", registry.names())
def test_every_provider_has_the_whole_interface(name: str) -> None:
    """Each installed provider answers to its name and has every member, with the same parameters."""
    provider = registry.get(name)
    assert provider.name == name
    assert all(hasattr(provider, member) for member in _members(base.Provider))
    for member in _members(base.Provider):
        wanted = vars(base.Provider)[member]
        if inspect.isfunction(wanted):
            ours = inspect.signature(getattr(type(provider), member)).parameters
            assert list(ours) == list(inspect.signature(wanted).parameters)


def test_settings_are_careful_by_default() -> None:
    """Half of the rate, certificates checked, and no default for whether writing is allowed."""
    settings = base.ConnectionSettings(write=False)
    assert (settings.rate, settings.ca_cert, settings.before_write) == (RateLimit(None, share=0.5), True, None)
    with pytest.raises(TypeError):
        base.ConnectionSettings()  # type: ignore[call-arg]


def test_an_unknown_provider_is_refused_with_the_known_ones() -> None:
    """Names are what is installed."""
    with pytest.raises(InvalidInput, match="trend-workload-security"):
        registry.get("nonesuch")
