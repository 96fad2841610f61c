"""Where Vault is, as a manifest may say it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from reconciler.manifest.models.vault import VaultSection


def test_vault_over_plain_http_is_for_this_machine_only() -> None:
    """A token must not travel unprotected because a file says so."""
    for address in ("https://vault.example.com:8200", "http://127.0.0.1:8200", "http://localhost:1", ""):
        assert VaultSection.model_validate({"address": address}).address == address
    with pytest.raises(ValidationError, match="plain http"):
        VaultSection.model_validate({"address": "http://vault.example.com:8200"})
