"""What the checks of tenants share, and whether Vault can be asked for what one of them needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.desired import VaultPath
from reconciler.providers.base import ConnectionSettings
from reconciler.vault.connection import Vault
from reconciler.vault.failures import Identity
from reconciler.vault.state import StateStore


@dataclass(frozen=True, slots=True)
class Tools:
    """What the checks of tenants share. `settings` refuses all but reads, whatever the identity."""

    identity: Identity
    environ: Mapping[str, str]
    trust_endpoints: bool
    settings: ConnectionSettings
    vault: Vault | None = None
    """None: it is not there, and `no_vault` says why."""
    no_vault: str = ""
    states: StateStore | None = None
    closed: Mapping[str, str] = field(default_factory=dict)
    """Mounts that cannot be used, each with the reason."""
    unreadable: frozenset[str] = frozenset()
    """Entries (mount and path) that this identity may not read."""

    def closed_to(self, path: VaultPath) -> str:
        """Why an entry cannot be read; empty if it can, as far as was found."""
        if self.vault is None:
            return self.no_vault
        if path.mount in self.closed:
            return f"{self.closed[path.mount]}: see vault-mounts"
        if str(path) in self.unreadable:
            return f"the {self.identity} identity may not read {path}: see vault-capabilities"
        return ""
