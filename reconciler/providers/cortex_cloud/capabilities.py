"""What the product can do and how sure we are (`vendors/cortex-cloud.md`, whose sources are named in capitals)."""

from __future__ import annotations

from typing import Final

from reconciler.providers.base import Capabilities, Capability, Evidence, Expiry, How, Operation, OwnKey, Rate, Traits
from reconciler.providers.cortex_cloud import scopes

_D, _C, _I = Evidence.DOCUMENTED, Evidence.OBSERVED, Evidence.ASSUMED

SECURITY_LEVELS: Final = ("advanced", "standard")
"""The default comes first: a secret that never travels is better than one that does."""

LEAST_ROLE: Final = "Viewer"
"""What new keys start with: of the built-in roles that are known, the one that only reads and is there on every product."""

_FIELDS: Final = (
    Capability(
        "ApiKey.metadata.name", How.API, _D, "keys have no names: it stands at the start of the comment, before a colon"
    ),
    Capability(
        "ApiKey.metadata.owner", How.ENFORCED, _D, "kept in our state and beside the secret; the product has no owner"
    ),
    Capability("ApiKey.spec.description", How.API, _D, "in the comment, between the name and our mark"),
    Capability(
        "ApiKey.spec.accessLevel", How.API, _D, "the key's role; changed in place by a call that nobody has confirmed"
    ),
    Capability("ApiKey.spec.scope", How.API, _C, "which assets, endpoints, cases and dataset rows the key reaches"),
    Capability(
        "ApiKey.spec.expires",
        How.API,
        _D,
        "required; set at creation only, and shortened by the vendor when far off (observed: about 180 days)",
    ),
    Capability("ApiKey.spec.state", How.ENFORCED, _D, "keys cannot be disabled: locked deletes the key"),
    Capability("ApiKey.spec.rotation", How.ENFORCED, _D, "a second key for the overlap"),
    Capability(
        "ApiKey.spec.rotation.strategy",
        How.UNSUPPORTED,
        _D,
        "inPlace: a key cannot get a new secret, only overlap works",
    ),
    Capability("ApiKey.spec.protect", How.ENFORCED, _D, "remembered in our state"),
    Capability(
        "ApiKey.spec.options.securityLevel",
        How.API,
        _D,
        "advanced or standard; set at creation, a change replaces the key",
    ),
    Capability(
        "ApiKey.spec.allowedIPs",
        How.UNSUPPORTED,
        _D,
        "the product cannot restrict API keys to addresses; restrict access in front of it instead",
    ),
    Capability(
        "AccessLevel.metadata.name", How.API, _D, "a role named after it, with eight digits that its content decides"
    ),
    Capability("AccessLevel.spec.description", How.API, _D, "our mark stands at its end; a change makes another role"),
    Capability(
        "AccessLevel.spec.permissions",
        How.API,
        _D,
        "components and datasets; a change makes another role, and the vendor does not tell what a role permits",
    ),
    Capability("AccessLevel.spec.protect", How.ENFORCED, _D, "remembered in our state"),
)

_OPERATIONS: Final = (
    Operation("list keys", "POST /public_api/v1/api_keys/get_api_keys", _D, "DOC, PROBE", read=True),
    Operation("list access levels", "GET /platform/iam/v1/role", _D, "DOC, GOSDK", read=True),
    Operation("read scope", "GET /platform/iam/v1/scope/api-key/{api_key_id}", _C, "DOC, PROV", read=True),
    Operation("create key", "POST /public_api/v1/api_keys/generate", _D, "DOC, PROBE"),
    Operation("update key", "PUT /platform/iam/v1/api-key/{api_key_id}", _D, "DOC, CLIENT"),
    Operation("delete key", "POST /public_api/v1/api_keys/delete", _D, "DOC, PROBE"),
    Operation("update scope", "PUT /platform/iam/v1/scope/api-key/{api_key_id}", _C, "DOC, PROV"),
    Operation("create access level", "POST /platform/iam/v1/role", _D, "DOC, GOSDK"),
    Operation("delete access level", "DELETE /platform/iam/v1/role/{role_id}", _D, "DOC, TF"),
)

_HIGH_RISK: Final = (
    "components.actions_center_action",
    "components.data_management_action",
    "components.external_alerts_action",
    "components.file_search",
    "components.rules_action",
    "components.wf_verdict_change",
    "datasets.*.accessAll",
)
"""Of the tokens that were seen (3), those that act and do not only show (inferred), and access to all of a category."""

_HIGH_RISK_LEVELS: Final = ("Account Admin", "Instance Administrator", "Privileged Responder")
"""Of the built-in names that were seen (3); what they may do is in the tenant's own catalogue (inferred from the names)."""

TRAITS: Final = Traits(
    marked_only=True,
    named_in_comment=True,
    regenerates_in_place=False,
    reversible_lock=False,
    replaces_levels=True,
    fixed=frozenset({"securityLevel"}),
    unreadable=frozenset({"permissions"}),
    expiry=Expiry.FIXED,
)
FIXED_TRAITS: Final = Traits(
    marked_only=True,
    named_in_comment=True,
    regenerates_in_place=False,
    reversible_lock=False,
    replaces_levels=True,
    fixed_level=True,
    fixed=frozenset({"securityLevel", "name", "description"}),
    unreadable=frozenset({"permissions"}),
    expiry=Expiry.FIXED,
)
"""Where the tenant's API cannot edit keys (`options.editableKeys: false`)."""

CAPABILITIES: Final = Capabilities(
    fields=_FIELDS,
    operations=_OPERATIONS,
    rate=Rate(10, 1.0, _D, "ELASTIC"),
    credential_fields=(frozenset({"keyId", "key"}), frozenset({"keyId", "key", "securityLevel"})),
    high_risk=_HIGH_RISK,
    high_risk_levels=_HIGH_RISK_LEVELS,
    implied=(
        (r"components\.(.+)_view", r"components.\1_action"),  # an action permission brings its view along (3)
        (r"datasets\.(.+)\.permissions\..+", r"datasets.\1.accessAll"),
    ),
    weak_options=("securityLevel.standard",),  # the secret itself travels with every request (1)
    scope_within=scopes.within,
    traits=TRAITS,
    own_key=OwnKey(
        too_much_to_plan=frozenset({"Account Admin", "Instance Administrator"}),
        advice="give it a role with View on Public API and on Access Management, and View/Edit on both to apply",
        signs_time=True,
    ),
)
