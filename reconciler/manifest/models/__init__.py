"""The kinds of manifest, as pydantic models: what `validate` checks, `explain` prints and the JSON Schemas are made of.

Rules that concern one field or one object are here; what needs other objects is in `references` and `expand`.
"""

from __future__ import annotations

from typing import Final

from reconciler.manifest.models.access_level import AccessLevel
from reconciler.manifest.models.api_key import ApiKey, ExistingLevel, NetworkListRef, RotationSpec
from reconciler.manifest.models.base import API_VERSION, ManifestKind, ObjectMetadata, Section
from reconciler.manifest.models.estate import Estate, LimitSection
from reconciler.manifest.models.tenant import Credential, Credentials, SecretsLocation, Tenant, VaultEntry
from reconciler.manifest.models.vault import Login, StateLocation, VaultLogin

__all__ = [
    "API_VERSION",
    "MODELS",
    "AccessLevel",
    "ApiKey",
    "Credential",
    "Credentials",
    "Estate",
    "ExistingLevel",
    "LimitSection",
    "Login",
    "Manifest",
    "ManifestKind",
    "NetworkListRef",
    "ObjectMetadata",
    "RotationSpec",
    "SecretsLocation",
    "Section",
    "StateLocation",
    "Tenant",
    "VaultEntry",
    "VaultLogin",
]

Manifest = Estate | Tenant | AccessLevel | ApiKey

MODELS: Final[dict[ManifestKind, type[Manifest]]] = {
    ManifestKind.ESTATE: Estate,
    ManifestKind.TENANT: Tenant,
    ManifestKind.ACCESS_LEVEL: AccessLevel,
    ManifestKind.API_KEY: ApiKey,
}
"""The model of every kind."""
