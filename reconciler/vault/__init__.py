"""Secrets, state documents and leases in OpenBao or HashiCorp Vault (KV v2). Alone in opening a `Secret` to store it."""

from reconciler.vault.connection import Vault
from reconciler.vault.credentials import read_credential
from reconciler.vault.lease import TenantLease
from reconciler.vault.secrets import SecretStore
from reconciler.vault.state import StateStore

__all__ = ["SecretStore", "StateStore", "TenantLease", "Vault", "read_credential"]
