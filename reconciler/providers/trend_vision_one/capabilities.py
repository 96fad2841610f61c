"""What the product can do and how sure we are (`vendors/trend-micro.md`, part C; T-numbers are its sources)."""

from __future__ import annotations

from typing import Final

from reconciler.model.names import Kind
from reconciler.providers.base import Capabilities, Capability, Evidence, Expiry, How, Operation, OwnKey, Rate, Traits

_D, _C, _I = Evidence.DOCUMENTED, Evidence.OBSERVED, Evidence.ASSUMED
_NO_LEVELS: Final = "how roles are made is not published: make one in the console, refer to it with {existing: NAME}"

_FIELDS: Final = (
    Capability("ApiKey.metadata.name", How.API, _D, "unique at the vendor: later generations are called NAME.g2, …"),
    Capability(
        "ApiKey.metadata.owner", How.ENFORCED, _D, "kept in our state and beside the secret; the product has no owner"
    ),
    Capability("ApiKey.spec.description", How.API, _D, "our mark stands at its end at the vendor"),
    Capability("ApiKey.spec.accessLevel", How.API, _D, "an existing role, by its name; it can be changed in place"),
    Capability(
        "ApiKey.spec.expires",
        How.ENFORCED,
        _D,
        "the vendor takes 1, 3, 6 or 12 months at creation: rounded up; beyond 12 months, or without it: never",
    ),
    Capability("ApiKey.spec.state", How.API, _D, "locked is disabled: reversible"),
    Capability("ApiKey.spec.rotation", How.ENFORCED, _D, "a second key under a name of its own for the overlap"),
    Capability(
        "ApiKey.spec.rotation.strategy", How.UNSUPPORTED, _D, "a key keeps its secret for life: inPlace is a new key"
    ),
    Capability("ApiKey.spec.protect", How.ENFORCED, _D, "remembered in our state"),
    Capability(
        "ApiKey.spec.allowedIPs",
        How.UNSUPPORTED,
        _D,
        "addresses can be restricted in the console only; the API has no field",
    ),
    Capability("ApiKey.spec.scope", How.UNSUPPORTED, _D, "what a key reaches is part of its role"),
    Capability("AccessLevel.metadata.name", How.UNSUPPORTED, _I, _NO_LEVELS),
    Capability("AccessLevel.spec.description", How.UNSUPPORTED, _I, _NO_LEVELS),
    Capability("AccessLevel.spec.permissions", How.UNSUPPORTED, _I, _NO_LEVELS),
)

_OPERATIONS: Final = (
    Operation("list keys", "GET /v3.0/iam/apiKeys", _D, "T14, T16", read=True),
    Operation("describe a key (for its ETag)", "GET /v3.0/iam/apiKeys/{id}", _D, "T14", read=True),
    Operation("list roles (only with options.listRoles)", "GET /v3.0/iam/roles", _I, "T16", read=True),
    Operation("try a new key", "GET /v3.0/healthcheck/connectivity", _D, "T14", read=True),
    Operation("create key", "POST /v3.0/iam/apiKeys", _D, "T14"),
    Operation("update key", "PATCH /v3.0/iam/apiKeys/{id}", _D, "T14"),
    Operation("delete key", "POST /v3.0/iam/apiKeys/delete", _D, "T14, T16"),
)

CAPABILITIES: Final = Capabilities(
    fields=_FIELDS,
    operations=_OPERATIONS,
    rate=Rate(300, 60.0, _I, "T17"),  # the window is documented, the quota is not published
    credential_fields=(frozenset({"token"}), frozenset({"token", "keyId"})),
    high_risk_levels=("Master Administrator",),  # T15: not for new keys since 27 October 2025; older ones have it
    traits=Traits(kinds=frozenset({Kind.API_KEY}), regenerates_in_place=False, expiry=Expiry.ROUNDED),
    own_key=OwnKey(
        too_much_to_plan=frozenset({"Master Administrator"}),
        too_much=frozenset({"Master Administrator"}),
        advice="make a role that may view API keys to plan, and configure them to apply (assumed: it is not published)",
    ),
)
