"""Becoming somebody in Vault: by a token from the environment, by AppRole, or by the JSON Web Token of a CI system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, assert_never

from reconciler.errors import ContractBroken, InvalidInput
from reconciler.model.estate import AppRoleAuth, JwtAuth, TokenAuth, VaultAuth
from reconciler.model.secret import Secret
from reconciler.vault.settings import variable

if TYPE_CHECKING:
    from reconciler.vault.connection import Vault

_DUE_AFTER: Final = 2 / 3
_TRY_AGAIN: Final = 5.0


@dataclass(frozen=True, slots=True)
class Login:
    """A token, and how long it lives where we know. `since` and `due` are seconds of `connection.uptime`."""

    token: Secret
    ours: bool = False
    """Whether we logged in for it, so that it is ours to renew and to revoke."""
    ttl: float = 0.0
    since: float = 0.0

    def due(self, now: float) -> bool:
        """Whether it is time to renew."""
        return self.ttl > 0 and now - self.since > self.ttl * _DUE_AFTER

    def renewed(self, answer: Mapping[str, Any], now: float) -> Login:
        """The same token with the life that Vault now gives it; after a failure it is due again in a few seconds."""
        ttl = _ttl(answer.get("auth"))
        if ttl > 0:
            return replace(self, ttl=ttl, since=now)
        return replace(self, since=now - self.ttl * _DUE_AFTER + _TRY_AGAIN)


def login(vault: Vault, method: VaultAuth, environ: Mapping[str, str]) -> Login:
    """Get a token. InvalidInput for what the environment lacks, AuthenticationFailed if Vault says no."""
    match method:
        case TokenAuth():
            token = variable(environ, "TOKEN")
            if not token:
                raise InvalidInput(
                    "no Vault token in the environment",
                    hint="set VAULT_TOKEN (a token in a home folder is never used), or configure approle or jwt",
                )
            return Login(Secret(token))
        case AppRoleAuth():
            role = method.role_id or _from(environ, method.role_id_env, "the AppRole's role id")
            secret = _from(environ, method.secret_id_env, "the AppRole's secret id")
            return _log_in(vault, method.mount, {"role_id": role, "secret_id": secret})
        case JwtAuth():
            jwt = _from(environ, method.env, "the JSON Web Token to log in with")
            return _log_in(vault, method.mount, {"role": method.role, "jwt": jwt})
        case _:
            assert_never(method)


def _from(environ: Mapping[str, str], name: str, what: str) -> Secret:
    value = environ.get(name, "").strip()
    if not value:
        raise InvalidInput(f"{what} is missing", where=f"environment variable {name}", hint="set it for this run")
    return Secret(value)


def _log_in(vault: Vault, mount: str, body: Mapping[str, Any]) -> Login:
    from reconciler.vault.connection import uptime  # noqa: PLC0415  it needs this module

    path = f"auth/{mount.strip('/')}/login"
    answer = vault.call("POST", path, need="update", body=body, login=True)
    found = answer.content.get("auth")
    token = found.get("client_token") if isinstance(found, Mapping) else None
    if not isinstance(token, str) or not token:
        raise ContractBroken("Vault's answer to the login holds no token", where=f"Vault {path}")
    return Login(Secret(token), ours=True, ttl=_ttl(found), since=uptime())


def _ttl(found: object) -> float:
    """The life in seconds of a token that can be renewed; 0 for one that cannot."""
    if not isinstance(found, Mapping) or not found.get("renewable"):
        return 0.0
    return float(found.get("lease_duration") or 0)
