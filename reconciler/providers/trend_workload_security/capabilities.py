"""What the product can do and how sure we are (`vendors/trend-micro.md`, part A; T-numbers are its sources)."""

from __future__ import annotations

from typing import Final

from reconciler.providers.base import Capabilities, Capability, Evidence, How, Operation, OwnKey, Rate

_D, _C, _I = Evidence.DOCUMENTED, Evidence.OBSERVED, Evidence.ASSUMED

_FIELDS: Final = (
    Capability("ApiKey.metadata.name", How.API, _D, "the key's name at the vendor, as it stands in the manifest"),
    Capability(
        "ApiKey.metadata.owner", How.ENFORCED, _D, "kept in our state and beside the secret; the product has no owner"
    ),
    Capability("ApiKey.spec.description", How.API, _D, "our mark stands at its end at the vendor"),
    Capability("ApiKey.spec.accessLevel", How.API, _D, "the key's role; it can be changed in place"),
    Capability("ApiKey.spec.expires", How.API, _D, "milliseconds at the vendor; compared by the second"),
    Capability("ApiKey.spec.state", How.API, _D, "locked is lock-out: reversible, and authentication stops"),
    Capability("ApiKey.spec.rotation", How.ENFORCED, _D, "a second key for the overlap, or a new secret in place"),
    Capability("ApiKey.spec.rotation.strategy", How.API, _D, "inPlace: the former secret is dead at once"),
    Capability("ApiKey.spec.protect", How.ENFORCED, _D, "remembered in our state"),
    Capability("ApiKey.spec.options.locale", How.API, _D, "en-US or ja-JP"),
    Capability(
        "ApiKey.spec.options.timeZone", How.API, _C, "sent under the older name where the vendor's list lacks the newer"
    ),
    Capability(
        "ApiKey.spec.allowedIPs",
        How.UNSUPPORTED,
        _D,
        "the product cannot restrict API keys to addresses; restrict access in front of it instead",
    ),
    Capability(
        "ApiKey.spec.scope",
        How.UNSUPPORTED,
        _D,
        "what a key reaches is part of its role: name computers and policies in the access level's permissions",
    ),
    Capability("AccessLevel.metadata.name", How.API, _D, "the administrator role's name"),
    Capability("AccessLevel.spec.description", How.API, _D, "our mark stands at its end at the vendor"),
    Capability(
        "AccessLevel.spec.permissions", How.API, _D, "all rights, and which computers and policies the role reaches"
    ),
    Capability("AccessLevel.spec.protect", How.ENFORCED, _D, "remembered in our state"),
)

_OPERATIONS: Final = (
    Operation("list keys", "POST /apikeys/search", _D, "T1, T3", read=True),
    Operation("list access levels", "POST /roles/search", _D, "T1, T3", read=True),
    Operation("describe the key in use", "GET /apikeys/current", _D, "T1", read=True),
    Operation("create key", "POST /apikeys", _D, "T1, T3"),
    Operation("update key", "POST /apikeys/{apiKeyID}", _D, "T1, T3"),
    Operation("regenerate secret", "POST /apikeys/{apiKeyID}/secretkey", _D, "T1, T3"),
    Operation("delete key", "DELETE /apikeys/{apiKeyID}", _D, "T1, T5"),
    Operation("create access level", "POST /roles", _D, "T1, T3"),
    Operation("update access level", "POST /roles/{roleID}", _D, "T1, T3"),
    Operation("delete access level", "DELETE /roles/{roleID}", _D, "T1, T5"),
)

_HIGH_RISK: Final = (
    "platformRights.apikeyRights.canCreateNewApiKeys",
    "platformRights.apikeyRights.canEditApiKeyProperties",
    "platformRights.apikeyRights.canDeleteApiKeys",
    "platformRights.administratorRights.canCreateNewAdministrators",
    "platformRights.administratorRights.canDeleteAdministrators",
    "platformRights.administratorRights.canEditAdministratorProperties",
    "platformRights.administratorRoleRights.canCreateNewAdministratorRoles",
    "platformRights.administratorRoleRights.canDeleteAdministratorRoles",
    "platformRights.administratorRoleRights.canEditAdministratorRoleProperties",
    "platformRights.multiTenantRights.canSignInAsTenant",
    "platformRights.multiTenantRights.canManageTenantAPIKeys",
    "platformRights.computerRights.canDeleteComputers",
    "platformRights.policyRights.canCreateNewPolicies",
    "platformRights.policyRights.canDeletePolicies",
    "platformRights.policyRights.canEditPolicyProperties",
    "platformRights.policyRights.canImportPolicies",
    "platformRights.settingRights.canEditSettings",
    "platformRights.systemInformationRights.canManageNodes",
    "platformRights.updateRights.canDeleteRuleUpdates",
    "platformRights.updateRights.canDeleteSoftware",
)

_KEYS: Final = "platformRights.apikeyRights."
_ROLES: Final = "platformRights.administratorRoleRights."
_TO_PLAN: Final = frozenset({f"{_KEYS}canViewApiKeys", f"{_ROLES}canViewAdministratorRoles"})
_TO_APPLY: Final = _TO_PLAN | {
    f"{_KEYS}canCreateNewApiKeys",
    f"{_KEYS}canEditApiKeyProperties",
    f"{_KEYS}canDeleteApiKeys",
    f"{_ROLES}canCreateNewAdministratorRoles",
    f"{_ROLES}canEditAdministratorRoleProperties",
    f"{_ROLES}canDeleteAdministratorRoles",
}
_OWN_KEY: Final = OwnKey(
    plan=_TO_PLAN,
    apply=_TO_APPLY,
    harmless=("*.canView*",),
    advice="make a role for it (Administration, User Management, Roles) with just the rights that it needs; "
    "Auditor will do for planning",
)

CAPABILITIES: Final = Capabilities(
    fields=_FIELDS,
    operations=_OPERATIONS,
    rate=Rate(500, 60.0, _D, "T4"),
    credential_fields=(frozenset({"secretKey"}), frozenset({"apiKey"})),
    high_risk=_HIGH_RISK,
    own_key=_OWN_KEY,
    high_risk_levels=("Full Access",),  # "both read and write access" to everything, by the vendor's own guide
    restrictions=("canOnlyManipulateUsersWithEqualOrLesserRights",),
    implied=(
        (r"(computerIDs|computerGroupIDs)\..+", "allComputers"),
        (r"policyIDs\..+", "allPolicies"),
    ),
)
