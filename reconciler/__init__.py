"""GitOps for the API keys of security products: YAML in Git, keys at the vendor, secrets in Vault."""

__version__ = "0.1.0"
