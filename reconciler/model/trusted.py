"""An estate of which a trusted Git revision decides where credentials go, and how the working tree differs from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from reconciler.errors import printable
from reconciler.model.estate import Estate

_RULES: Final = {"Policy": "policy", "Waiver": "waiver", "Tenant": "tenant", "EndpointMap": "endpoint-map"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which the working tree differs from the trusted revision. `str()` is the line for people."""

    subject: str
    """`vault.address`, `EndpointMap/console`, `Tenant/dsm-prod` …"""
    text: str
    """What differs, and which of the two is used."""

    @property
    def rule(self) -> str:
        """The finding's name: `trust/policy`, `trust/waiver`, `trust/tenant`, `trust/endpoint-map` or `trust/settings`."""
        return f"trust/{_RULES.get(self.subject.partition('/')[0], 'settings')}"

    def __str__(self) -> str:
        return printable(f"finding: {self.text}")


@dataclass(frozen=True, slots=True)
class TrustedEstate(Estate):
    """An estate of which the trusted revision decides what it has to."""

    ref: str = ""
    commit: str = ""
    differences: tuple[Difference, ...] = ()
    unvouched: tuple[str, ...] = ()
    """Tenants whose credential comes from the environment, and of which the revision does not name endpoint and credential.

    Nothing but `--trust-endpoints` binds such a credential to an endpoint, and that would trust the working tree."""
