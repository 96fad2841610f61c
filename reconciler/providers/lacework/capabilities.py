"""What the product can do and how sure we are (`vendors/lacework.md`, whose words name the sources).

No public API manages keys. The console's own `/api/v1/access/keys` is known from one QA repository only; a driver on it
would be an option of the tenant, with traits and operations of its own, and is not built.
"""

from __future__ import annotations

from typing import Final

from reconciler.model.names import Kind
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

_D, _C, _I = Evidence.DOCUMENTED, Evidence.OBSERVED, Evidence.ASSUMED

KEYS_PER_USER: Final = 20

_FIELDS: Final = (
    Capability(
        "ServiceUser.metadata.name",
        How.API,
        _I,
        "the service user's name; our mark stands at its end, for names are the one text that the API is known to tell "
        "back (that names may hold it is assumed)",
    ),
    Capability(
        "ServiceUser.spec.description", How.API, _D, "sent; the API is not known to tell it back, so we remember it"
    ),
    Capability(
        "ServiceUser.spec.groups",
        How.API,
        _D,
        "membership in user groups, by their GUIDs; groups themselves are made in the console",
    ),
    Capability(
        "ServiceUser.spec.state",
        How.API,
        _D,
        "locked disables the user; tokens issued before live on, at most 24 h; that its keys get no new ones is assumed",
    ),
    Capability("ServiceUser.spec.protect", How.ENFORCED, _D, "remembered in our state"),
    Capability("ApiKey.metadata.name", How.HANDOFF, _D, "entered in the console; later generations end in .g2, .g3, …"),
    Capability("ApiKey.metadata.owner", How.ENFORCED, _D, "kept in our state and beside the secret"),
    Capability("ApiKey.spec.description", How.HANDOFF, _D, "entered in the console, our mark at its end"),
    Capability(
        "ApiKey.spec.serviceUser", How.HANDOFF, _D, "chosen when the key is made, for good: another one is another key"
    ),
    Capability("ApiKey.spec.expires", How.ENFORCED, _D, "the product's keys never expire"),
    Capability("ApiKey.spec.state", How.HANDOFF, _D, "locked is disabled in the console, which can be undone"),
    Capability(
        "ApiKey.spec.rotation",
        How.HANDOFF,
        _D,
        "a second key for the overlap, made in the console; at most 20 per user",
    ),
    Capability(
        "ApiKey.spec.rotation.strategy", How.UNSUPPORTED, _D, "inPlace: the product gives a key no second secret"
    ),
    Capability("ApiKey.spec.protect", How.ENFORCED, _D, "remembered in our state"),
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
        "a key has all the permissions of its user: choose the service user's groups instead",
    ),
    Capability(
        "AccessLevel",
        How.UNSUPPORTED,
        _D,
        "keys have the permissions of the user that they belong to: declare a ServiceUser with its groups",
    ),
)

_OPERATIONS: Final = (
    Operation("exchange a key for a token", "POST /api/v2/access/tokens", _D, "APIDOC, KEYDOC, GOSDK", read=True),
    Operation("list users", "GET /api/v2/TeamUsers", _D, "APIDOC, PYSDK", read=True),
    Operation("list users, further pages", "GET {paging.urls.nextPage}", _D, "APIDOC", read=True),
    Operation("describe user", "GET /api/v2/TeamUsers/{userGuid}", _D, "APIDOC, PYSDK", read=True),
    Operation("describe the user in use", "GET /api/v2/UserProfile", _D, "APIDOC, GOSDK", read=True),
    Operation("create service user", "POST /api/v2/TeamUsers", _D, "APIDOC, PYSDK"),
    Operation("update service user", "PATCH /api/v2/TeamUsers/{userGuid}", _D, "APIDOC, PYSDK"),
    Operation("delete service user", "DELETE /api/v2/TeamUsers/{userGuid}", _D, "APIDOC, PYSDK"),
    Operation("join a group", "POST /api/v2/UserGroups/{userGroupGuid}/addUsers", _D, "APIDOC, PYSDK"),
    Operation("leave a group", "POST /api/v2/UserGroups/{userGroupGuid}/removeUsers", _D, "APIDOC, PYSDK"),
)

TRAITS: Final = Traits(
    kinds=frozenset({Kind.SERVICE_USER, Kind.API_KEY}),
    lists_keys=False,
    regenerates_in_place=False,
    reversible_lock=True,
    fixed_level=True,
    unreadable=frozenset({"name", "description", "state"}),
    expiry=Expiry.NONE,
    by_hand=frozenset({Write.CREATE_KEY, Write.REGENERATE_KEY, Write.UPDATE_KEY, Write.DELETE_KEY}),
    most_keys_per_level=KEYS_PER_USER,
)

CAPABILITIES: Final = Capabilities(
    fields=_FIELDS,
    operations=_OPERATIONS,
    rate=Rate(480, 3600.0, _D, "APIDOC: per user and function"),
    credential_fields=(frozenset({"keyId", "secret"}),),
    high_risk=(
        "groups.LACEWORK_USER_GROUP_ADMIN",
        "groups.LACEWORK_USER_GROUP_POWER_USER",
    ),  # 4.2; the former is inferred
    traits=TRAITS,
    handoff_fields=("keyId", "secret"),
    own_key=OwnKey(
        too_much_to_plan=frozenset({"LACEWORK_USER_GROUP_ADMIN"}),
        advice="plan with a key of a user in LACEWORK_USER_GROUP_READ_ONLY_USER (assumed to be enough)",
    ),
)
