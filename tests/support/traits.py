"""A provider that behaves as a test says: the first product's offline half, with other traits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reconciler.model.desired import DesiredTenant
from reconciler.providers.base import Provider, Step, Traits, Write
from reconciler.providers.trend_workload_security import PROVIDER

_UNLIKE: Traits = PROVIDER.capabilities.traits


class Unlike:
    """Everything is as at the first product but the traits, and what a person is told to do."""

    def __init__(self, **traits: Any) -> None:
        self._traits = replace(_UNLIKE, **traits)

    def __getattr__(self, name: str) -> Any:
        return getattr(PROVIDER, name)

    def traits(self, tenant: DesiredTenant) -> Traits:
        """As the test says."""
        return self._traits

    def console_steps(self, tenant: DesiredTenant, write: Write, step: Step) -> tuple[str, ...]:
        """One line that has every value."""
        values = ", ".join(f"{name}={value}" for name, value in sorted(_plain(step.fields).items()))
        return (f"{write} {step.name} {step.mark} {step.vendor_id} [{values}]",)


def unlike(**traits: Any) -> Provider:
    """A provider with these traits."""
    made: Any = Unlike(**traits)
    return made  # type: ignore[no-any-return]


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name in {"name", "description", "expires", "state"}}
