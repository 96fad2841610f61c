"""The kinds of manifest, as pydantic models: what `validate` checks, `explain` prints and the JSON Schemas are made of.

Rules that concern one field or one object are here; what needs other objects is in `references` and `expand`.
"""

from __future__ import annotations

from typing import Final

from reconciler.manifest.models.access_level import AccessLevel
from reconciler.manifest.models.api_key import ApiKey, ApiKeySpec, Existing, NetworkListRef, RotationSpec
from reconciler.manifest.models.approval import Approval, ApprovedObject, read_object
from reconciler.manifest.models.base import API_VERSION, ManifestKind, ObjectMetadata, Section
from reconciler.manifest.models.endpoint_map import EndpointMap
from reconciler.manifest.models.estate import Estate, LimitSection, PolicySection, RuleSection
from reconciler.manifest.models.ignore_drift import IgnoreDriftSpec
from reconciler.manifest.models.network_list import NetworkList
from reconciler.manifest.models.policy import Policy, RuleSpec
from reconciler.manifest.models.scope import Scope
from reconciler.manifest.models.service_user import ServiceUser, UserState
from reconciler.manifest.models.tenant import Credential, Credentials, RemovalSpec, SecretsLocation, Tenant, VaultEntry
from reconciler.manifest.models.vault import Login, StateLocation, VaultLogin
from reconciler.manifest.models.waiver import Waiver

__all__ = [
    "API_VERSION",
    "MODELS",
    "AccessLevel",
    "ApiKey",
    "ApiKeySpec",
    "Approval",
    "ApprovedObject",
    "Credential",
    "Credentials",
    "EndpointMap",
    "Estate",
    "Existing",
    "IgnoreDriftSpec",
    "LimitSection",
    "Login",
    "Manifest",
    "ManifestKind",
    "NetworkList",
    "NetworkListRef",
    "ObjectMetadata",
    "Policy",
    "PolicySection",
    "RemovalSpec",
    "RotationSpec",
    "RuleSection",
    "RuleSpec",
    "Scope",
    "SecretsLocation",
    "Section",
    "ServiceUser",
    "StateLocation",
    "Tenant",
    "UserState",
    "VaultEntry",
    "VaultLogin",
    "Waiver",
    "read_object",
]

Manifest = (
    Estate
    | Tenant
    | AccessLevel
    | ApiKey
    | ServiceUser
    | Scope
    | NetworkList
    | EndpointMap
    | Approval
    | Policy
    | Waiver
)

MODELS: Final[dict[ManifestKind, type[Manifest]]] = {
    ManifestKind.ESTATE: Estate,
    ManifestKind.TENANT: Tenant,
    ManifestKind.ACCESS_LEVEL: AccessLevel,
    ManifestKind.API_KEY: ApiKey,
    ManifestKind.SERVICE_USER: ServiceUser,
    ManifestKind.SCOPE: Scope,
    ManifestKind.NETWORK_LIST: NetworkList,
    ManifestKind.ENDPOINT_MAP: EndpointMap,
    ManifestKind.APPROVAL: Approval,
    ManifestKind.POLICY: Policy,
    ManifestKind.WAIVER: Waiver,
}
"""The model of every kind."""
