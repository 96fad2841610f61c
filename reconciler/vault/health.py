"""What a server says of itself, and of the token that we call with: for the check of a set-up. It holds no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from reconciler.errors import ContractBroken
from reconciler.vault.connection import Vault

_ROOT: Final = "root"
_AWAY: Final = (429, 472, 473, 501, 503)
"""How `sys/health` says standby, recovery, performance standby, not initialised and sealed: no failures, here."""


@dataclass(frozen=True, slots=True)
class Health:
    """What `sys/health` tells everybody."""

    initialised: bool
    sealed: bool
    standby: bool
    version: str


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What Vault tells a token of itself. The token itself, which is in that answer too, is not."""

    policies: tuple[str, ...]
    path: str
    """How it was made: `auth/token/create`, `auth/jwt/login`."""
    ttl: timedelta | None
    """How long it lives on; None: for ever."""
    renewable: bool
    uses: int | None
    """How many calls are left to it; None: any number."""

    @property
    def root(self) -> bool:
        """Whether it may do everything."""
        return _ROOT in self.policies


def health(vault: Vault) -> Health:
    """Ask a server how it is; no token is needed. ContractBroken if what answers is no Vault; else Vault's errors."""
    found = vault.call("GET", "sys/health", need="read", expect=_AWAY).content
    if not isinstance(found.get("initialized"), bool) or not isinstance(found.get("sealed"), bool):
        raise ContractBroken(
            "this does not answer like Vault or OpenBao", where=vault.address, hint="check the address"
        )
    return Health(
        initialised=found["initialized"],
        sealed=found["sealed"],
        standby=found.get("standby") is True,
        version=str(found.get("version") or ""),
    )


def token_facts(vault: Vault) -> TokenFacts:
    """Ask after the token that we call with. AuthenticationFailed if Vault does not know it."""
    found = vault.call("GET", "auth/token/lookup-self", need="read").data
    ttl, uses = _number(found, "ttl"), _number(found, "num_uses")
    return TokenFacts(
        policies=tuple(sorted(map(str, found.get("policies") or ()))),
        path=str(found.get("path") or ""),
        ttl=timedelta(seconds=ttl) if ttl else None,
        renewable=found.get("renewable") is True,
        uses=uses or None,
    )


def plugin_version(vault: Vault, mount: str) -> str:
    """The version of the engine behind a mount, `v2.7.2+builtin.bao`; empty if the server does not say."""
    return str(
        vault.call("GET", f"sys/internal/ui/mounts/{mount}", need="any").data.get("running_plugin_version") or ""
    )


def _number(found: Mapping[str, object], name: str) -> int:
    value = found.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
