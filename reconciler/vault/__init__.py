"""Secrets, state documents and leases in OpenBao or HashiCorp Vault (KV v2). Alone in opening a `Secret` to store it."""
