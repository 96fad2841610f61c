"""What the product can do and how sure we are (`vendors/carbon-black-cloud.md`; S-numbers are its sources)."""

from __future__ import annotations

from typing import Final

from reconciler.providers.base import (
    Capabilities,
    Capability,
    Evidence,
    Expiry,
    How,
    Operation,
    OwnKey,
    Rate,
    Traits,
    Write,
)
from reconciler.providers.carbon_black_cloud.catalogue import HIGH_RISK, HIGH_RISK_LEVELS

_D, _C, _I = Evidence.DOCUMENTED, Evidence.OBSERVED, Evidence.ASSUMED
_MAP: Final = "your EndpointMap"

_FIELDS: Final = (
    Capability("Tenant.spec.options.driver", How.ENFORCED, _D, "handoff: documented calls only; console: see below"),
    Capability(
        "ApiKey.metadata.name",
        How.HANDOFF,
        _D,
        "unique in the organisation: generation 2 is called NAME.g2 there; driver console: by the endpoint map",
    ),
    Capability("ApiKey.metadata.owner", How.ENFORCED, _D, "kept in our state and beside the secret"),
    Capability("ApiKey.spec.description", How.HANDOFF, _D, "our mark stands at its end; driver console: by the map"),
    Capability("ApiKey.spec.accessLevel", How.API, _D, "the key's grant; fixed at creation, another one is a new key"),
    Capability(
        "ApiKey.spec.allowedIPs",
        How.HANDOFF,
        _D,
        "cannot be read back: our state remembers what was set; driver console: by the map",
    ),
    Capability("ApiKey.spec.expires", How.ENFORCED, _I, "the product has no expiry: the key is removed when it is due"),
    Capability("ApiKey.spec.state", How.API, _C, "locked: the key's grant is deleted, and it may do nothing"),
    Capability("ApiKey.spec.rotation", How.ENFORCED, _D, "a second key for the overlap, or a new secret in place"),
    Capability("ApiKey.spec.rotation.strategy", How.HANDOFF, _D, "inPlace: the former secret is dead at once"),
    Capability("ApiKey.spec.protect", How.ENFORCED, _D, "remembered in our state"),
    Capability(
        "ApiKey.spec.options.type", How.HANDOFF, _D, "Custom alone: API, SIEM and LIVE_RESPONSE are switched off"
    ),
    Capability(
        "ApiKey.spec.scope",
        How.UNSUPPORTED,
        _D,
        "the product cannot narrow a key to some assets: narrow its access level's permissions instead",
    ),
    Capability("AccessLevel.metadata.name", How.HANDOFF, _D, "found by its exact name; driver console: by the map"),
    Capability("AccessLevel.spec.description", How.HANDOFF, _D, "our mark stands at its end"),
    Capability(
        "AccessLevel.spec.permissions",
        How.HANDOFF,
        _I,
        "cannot be read back: our state remembers what was set; driver console: by the map",
    ),
    Capability("AccessLevel.spec.protect", How.ENFORCED, _D, "remembered in our state"),
)

_ORG: Final = "/access/v2/orgs/{orgKey}/grants"

_OPERATIONS: Final = (
    Operation(
        "list access levels",
        "GET /access/v3/orgs/{orgKey}/principals/{apiId}/roles/permitted?type=API_KEY",
        _D,
        "S2, S5",
        read=True,
    ),
    Operation("look up grants", "POST /access/v2/grants/_fetch", _D, "S2, S3", read=True),
    Operation("describe a grant", f"GET {_ORG}/{{principal}}", _D, "S2", read=True),
    Operation("give a key its access level", f"POST {_ORG}", _D, "S2; on keys: observed, S17"),
    Operation("change a grant", f"PUT {_ORG}/{{principal}}", _D, "S2; on keys: assumed"),
    Operation("take a key's access away", f"DELETE {_ORG}/{{principal}}", _D, "S2; on keys: assumed"),
    Operation("search the audit log", "POST /audit_log/v1/orgs/{orgKey}/logs/_search", _D, "S3, S10", read=True),
    Operation(
        "list keys (driver console)", "POST /appservices/v5/orgs/{org}/connectors/find", _C, "S20, S21", read=True
    ),
    Operation("create key (driver console)", "createKey", _I, _MAP),
    Operation("update key (driver console)", "updateKey", _I, _MAP),
    Operation("regenerate secret (driver console)", "regenerateKey", _I, _MAP),
    Operation("delete key (driver console)", "deleteKey", _I, _MAP),
    Operation("create access level (driver console)", "createLevel", _I, _MAP),
    Operation("update access level (driver console)", "updateLevel", _I, _MAP),
    Operation("delete access level (driver console)", "deleteLevel", _I, _MAP),
)

WRITES: Final = {
    "createKey": Write.CREATE_KEY,
    "updateKey": Write.UPDATE_KEY,
    "regenerateKey": Write.REGENERATE_KEY,
    "deleteKey": Write.DELETE_KEY,
    "createLevel": Write.CREATE_LEVEL,
    "updateLevel": Write.UPDATE_LEVEL,
    "deleteLevel": Write.DELETE_LEVEL,
}
"""The operations that an endpoint map may name, and what each one does."""

BY_HAND_FIELDS: Final = frozenset({"name", "description", "allowedIPs"})
"""What of a key is changed in the console; `state` is a grant, and grants have an API."""


def traits(operations: frozenset[str] | None) -> Traits:
    """How a tenant's objects behave. `operations`: what its endpoint map offers; None: driver handoff, which has no map."""
    console = operations is not None
    offered = operations or frozenset()
    # A key's state is always changed by API, so that an update as a whole is never made by hand.
    by_hand = {write for name, write in WRITES.items() if name not in offered and write is not Write.UPDATE_KEY}
    return Traits(
        lists_keys=console,
        fixed_level=True,
        # A level's name and description are told; its description only if it has one, and nothing at all of a key's
        # unless the console's list is read.
        unreadable=frozenset({"allowedIPs", "permissions", "description"} | (set() if console else {"name"})),
        expiry=Expiry.NONE,
        by_hand=frozenset(by_hand),
        by_hand_fields=frozenset() if "updateKey" in offered else BY_HAND_FIELDS,
    )


CAPABILITIES: Final = Capabilities(
    fields=_FIELDS,
    operations=_OPERATIONS,
    rate=Rate(1000, 300.0, _D, "S24"),
    credential_fields=(frozenset({"apiId", "apiSecret"}),),
    high_risk=HIGH_RISK,
    high_risk_levels=HIGH_RISK_LEVELS,
    traits=traits(None),
    handoff_fields=("apiId", "apiSecret"),
    own_key=OwnKey(
        advice="the vendor wants a user role with Manage Users and Manage Roles, such as Super Admin, which holds what "
        "it gives away; whether less is enough for planning is not documented"
    ),
)
