"""What the product can do and how sure we are. G is Lantern's (invented) API guide."""

from __future__ import annotations

from typing import Final

from reconciler.providers.base import Capabilities, Capability, Evidence, How, Operation, OwnKey, Rate, Traits

_D, _I = Evidence.DOCUMENTED, Evidence.ASSUMED

FIELDS: Final = (
    Capability("ApiKey.metadata.name", How.API, _D, "the key's name; names may repeat"),
    Capability("ApiKey.metadata.owner", How.ENFORCED, _D, "kept in our state and beside the secret"),
    Capability("ApiKey.spec.description", How.API, _D, "the key's note, our mark at its end"),
    Capability("ApiKey.spec.accessLevel", How.API, _D, "the key's role; it can be changed in place"),
    Capability("ApiKey.spec.expires", How.API, _D, "seconds since 1970"),
    Capability("ApiKey.spec.state", How.API, _D, "locked is disabled: reversible"),
    Capability("ApiKey.spec.rotation", How.ENFORCED, _D, "a second key for the overlap"),
    Capability("ApiKey.spec.rotation.strategy", How.UNSUPPORTED, _D, "inPlace: a key keeps its secret for life"),
    Capability("ApiKey.spec.protect", How.ENFORCED, _D, "remembered in our state"),
    Capability("ApiKey.spec.options.colour", How.API, _D, "amber, green or red: what the console shows"),
    Capability("ApiKey.spec.allowedIPs", How.UNSUPPORTED, _D, "the product cannot restrict keys to addresses"),
    Capability("ApiKey.spec.scope", How.UNSUPPORTED, _D, "what a key reaches is part of its role"),
    Capability("AccessLevel.metadata.name", How.API, _D, "the role's name"),
    Capability("AccessLevel.spec.description", How.API, _D, "the role's note, our mark at its end"),
    Capability("AccessLevel.spec.permissions", How.API, _D, "rights: a list of names"),
    Capability("AccessLevel.spec.protect", How.ENFORCED, _D, "remembered in our state"),
)

OPERATIONS: Final = (
    Operation("list keys", "GET /v1/keys", _D, "G 2.1", read=True),
    Operation("list roles", "GET /v1/roles", _D, "G 3.1", read=True),
    Operation("describe the key in use", "GET /v1/me", _D, "G 1.2", read=True),
    Operation("create key", "POST /v1/keys", _D, "G 2.2"),
    Operation("change key", "PATCH /v1/keys/{id}", _D, "G 2.3"),
    Operation("delete key", "DELETE /v1/keys/{id}", _D, "G 2.4"),
    Operation("create role", "POST /v1/roles", _D, "G 3.2"),
    Operation("change role", "PATCH /v1/roles/{id}", _I, "G 3.3, which names keys only"),
    Operation("delete role", "DELETE /v1/roles/{id}", _D, "G 3.4"),
)

CAPABILITIES: Final = Capabilities(
    fields=FIELDS,
    operations=OPERATIONS,
    rate=Rate(100, 60.0, _D, "G 1.3"),
    credential_fields=(frozenset({"secret"}),),
    high_risk=("rights.everything",),
    traits=Traits(regenerates_in_place=False),
    own_key=OwnKey(too_much_to_plan=frozenset({"admin"}), advice="make a role with the rights read and list"),
)
