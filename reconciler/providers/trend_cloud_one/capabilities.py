"""What the product can do and how sure we are (`vendors/trend-micro.md`, part B; T-numbers are its sources)."""

from __future__ import annotations

from typing import Final

from reconciler.providers.base import Capabilities, Capability, Evidence, Expiry, How, Operation, OwnKey, Rate, Traits

_D, _C, _I = Evidence.DOCUMENTED, Evidence.OBSERVED, Evidence.ASSUMED

_FIELDS: Final = (
    Capability("ApiKey.metadata.name", How.API, _D, "the key's alias, as it stands in the manifest"),
    Capability(
        "ApiKey.metadata.owner", How.ENFORCED, _D, "kept in our state and beside the secret; the product has no owner"
    ),
    Capability("ApiKey.spec.description", How.API, _D, "our mark stands at its end at the vendor"),
    Capability("ApiKey.spec.accessLevel", How.API, _D, "the key's role; that it can be changed in place is assumed"),
    Capability("ApiKey.spec.expires", How.ENFORCED, _D, "the product's keys have no end: we remove the key in time"),
    Capability("ApiKey.spec.state", How.API, _D, "locked is disabled: reversible"),
    Capability("ApiKey.spec.rotation", How.ENFORCED, _D, "a second key of the same alias for the overlap"),
    Capability(
        "ApiKey.spec.rotation.strategy", How.UNSUPPORTED, _D, "a key keeps its secret for life: inPlace is a new key"
    ),
    Capability("ApiKey.spec.protect", How.ENFORCED, _D, "remembered in our state"),
    Capability("ApiKey.spec.allowedIPs", How.API, _D, "allowedIPs and allowedCIDRs; changing them later is assumed"),
    Capability("ApiKey.spec.options.locale", How.API, _D, "en or ja"),
    Capability("ApiKey.spec.options.timeZone", How.API, _D, "a name of the tz database"),
    Capability("ApiKey.spec.scope", How.UNSUPPORTED, _D, "what a key reaches is part of its role: name service roles"),
    Capability("AccessLevel.metadata.name", How.API, _D, "the role's name"),
    Capability("AccessLevel.spec.description", How.API, _D, "our mark stands at its end at the vendor"),
    Capability("AccessLevel.spec.permissions", How.API, _D, "serviceRoleURNs: one role per service and region"),
    Capability("AccessLevel.spec.protect", How.ENFORCED, _D, "remembered in our state"),
)

_OPERATIONS: Final = (
    Operation("list keys", "GET /apikeys", _D, "T11", read=True),
    Operation("list access levels", "GET /roles", _D, "T11", read=True),
    Operation("describe a key (to verify it)", "GET /apikeys/{id}", _D, "T11, T10", read=True),
    Operation("create key", "POST /apikeys", _D, "T11, T12"),
    Operation("update key", "POST /apikeys/{id}", _I, "T11"),
    Operation("delete key", "DELETE /apikeys/{id}", _I, "T12"),
    Operation("create access level", "POST /roles", _D, "T11"),
    Operation("update access level", "POST /roles/{id}", _I, "T11"),
    Operation("delete access level", "DELETE /roles/{id}", _I, "T11"),
)

CAPABILITIES: Final = Capabilities(
    fields=_FIELDS,
    operations=_OPERATIONS,
    rate=Rate(300, 60.0, _I, "T11"),  # it answers 429 with Retry-After, but publishes no figure
    credential_fields=(frozenset({"apiKey"}),),
    high_risk=("serviceRoleURNs.*:role/full-access",),  # T11
    high_risk_levels=("Full Access",),  # its id `full-access` is in T11
    traits=Traits(regenerates_in_place=False, expiry=Expiry.NONE),
    own_key=OwnKey(
        too_much_to_plan=frozenset({"full-access"}),
        advice="give it a role that may view keys and roles (assumed to be enough for planning), where the account has one",
    ),
)
