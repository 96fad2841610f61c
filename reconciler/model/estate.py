"""The estate's own settings, from `reconciler.yaml`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from reconciler.model.desired import DesiredTenant, VaultPath
from reconciler.model.policy import NO_POLICIES, Policies


@dataclass(frozen=True, slots=True)
class TokenAuth:
    """Use the token in `VAULT_TOKEN` (or `BAO_TOKEN`) as it is."""


@dataclass(frozen=True, slots=True)
class AppRoleAuth:
    """Log in by AppRole. Role id and secret id come from environment variables; the role id may stand in the file."""

    mount: str = "approle"
    role_id: str = ""
    role_id_env: str = "VAULT_ROLE_ID"
    secret_id_env: str = "VAULT_SECRET_ID"  # noqa: S105  the variable's name


@dataclass(frozen=True, slots=True)
class JwtAuth:
    """Log in with a JSON Web Token of a CI system, read from an environment variable."""

    role: str
    mount: str = "jwt"
    env: str = "VAULT_JWT"


DEFAULT_STATE = VaultPath("secret", "reconciler")
VaultAuth = TokenAuth | AppRoleAuth | JwtAuth


@dataclass(frozen=True, slots=True)
class VaultConfig:
    """Which Vault, who we are there, and where the state is kept."""

    address: str
    namespace: str = ""
    ca_cert: str = ""
    auth_plan: VaultAuth = TokenAuth()
    auth_apply: VaultAuth = TokenAuth()
    state: VaultPath = DEFAULT_STATE


@dataclass(frozen=True, slots=True)
class Limit:
    """A guardrail's threshold: stop above `ratio` of the population or above `max`, but never at or below `floor`."""

    ratio: float
    max: int
    floor: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may go in one run, per tenant and over all tenants."""

    deletes: Limit = Limit(0.3, 10, 3)
    replacements: Limit = Limit(0.3, 10, 3)
    rotations: int = 50
    locks: Limit = Limit(0.3, 10, 3)
    """Locks that cannot be undone."""
    widenings: Limit | None = None
    """Access that widens. None: it is marked, and not limited."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. A vendor call may take `call`; a lease lives `lease` and is renewed well before."""

    call: float = 30.0
    lease: float = 120.0


@dataclass(frozen=True, slots=True)
class Estate:
    """Everything a run needs to know that is not at a vendor or in Vault."""

    id: UUID
    name: str
    vault: VaultConfig
    tenants: tuple[DesiredTenant, ...]
    digest_of: Callable[[], str]
    """Computes `digest`: only saved plans need it, so that other runs do not pay for it."""
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    warnings: tuple[str, ...] = field(default=())
    policies: Policies = NO_POLICIES

    @property
    def digest(self) -> str:
        """SHA-256 over the manifests' meaning (not their layout), hexadecimal."""
        return self.digest_of()
