"""The rules of findings about access and trust: what each means, in which direction, how severe it is. For docs and SARIF.

A test compares the table with what is really found: every rule is in it, and every impact and severity of it is named.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Rule(NamedTuple):
    """One rule, in words."""

    text: str
    impact: str
    severity: str


ACCESS: Final[dict[str, Rule]] = {
    "access/permissions": Rule(
        "Keys gain or lose permissions: their access level changes, or they get another one.",
        "widens, narrows",
        "gained: high if one of them is high-risk, else medium; lost: low; of a level that no key has: medium, low",
    ),
    "access/level": Rule(
        "A key gets a level of which Git does not say what it permits, or one that permits the same.",
        "widens; narrows when it leaves a high-risk role; neutral when both permit the same",
        "medium; high for a high-risk role or high-risk permissions; low when it leaves one; info for the same",
    ),
    "access/addresses": Rule(
        "Keys may be used from more, fewer or other addresses.",
        "widens, narrows",
        "widened: high if all of IPv4 or IPv6 is allowed now, else medium; narrowed: low",
    ),
    "access/scope": Rule(
        "Keys reach more or less data and assets.",
        "widens, narrows",
        "wider: medium, high without any scope; narrower: low",
    ),
    "access/expiry": Rule(
        "The end of keys moves, comes or goes.", "widens, narrows", "later: medium; removed: high; sooner: low"
    ),
    "access/rotation": Rule(
        "Secrets live longer or shorter: the interval, the overlap, holding a generation that is in use.",
        "widens, narrows, neutral",
        "longer or removed: medium; else info",
    ),
    "access/options": Rule(
        "Options that only this vendor has change.",
        "widens when an option gives up protection; narrows when it gets it back; else neutral",
        "high when it gives up protection, else low",
    ),
    "access/owner": Rule("Somebody else answers for keys or a level.", "neutral", "low; medium when nobody does"),
    "access/protect": Rule("Protection is lifted or given.", "neutral", "lifted: high; given: info"),
    "access/key-created": Rule(
        "A key is there that was not.", "widens", "medium; high with high-risk permissions or a high-risk role"
    ),
    "access/key-removed": Rule(
        "A key goes: taken out of Git, absent, or expired.",
        "destroys; neutral where it lives on (onRemoval: orphan)",
        "medium; critical for a protected key",
    ),
    "access/key-renamed": Rule("A key has another name.", "neutral", "low"),
    "access/key-locked": Rule(
        "A key stops working.", "destroys", "medium; high where it cannot be undone, critical for a protected key then"
    ),
    "access/key-unlocked": Rule(
        "A locked key works again.", "widens", "medium; high with high-risk permissions or a high-risk role"
    ),
    "access/key-reissued": Rule("A key that was revoked is issued again.", "rotates", "medium"),
    "access/key-replaced": Rule(
        "The vendor fixes what changes for a key's life: another key takes its place.", "rotates", "medium"
    ),
    "access/secret-path": Rule("Secrets move to another place in Vault.", "neutral", "high"),
    "access/level-created": Rule(
        "An access level or a service user is new.", "neutral", "info; low with high-risk permissions"
    ),
    "access/level-removed": Rule(
        "An access level or a service user goes.",
        "narrows; destroys if it is protected",
        "low; critical if it is protected",
    ),
    "access/level-locked": Rule("A service user is locked, and its keys with it.", "destroys", "medium"),
    "access/level-unlocked": Rule("A locked service user works again, and so do its keys.", "widens", "medium"),
    "access/tenant-created": Rule("A tenant is new: a credential goes to its endpoint.", "widens", "high"),
    "access/tenant-removed": Rule(
        "A tenant is taken out of Git: its keys live on, and nobody looks after them.",
        "neutral",
        "high; medium without keys; critical with a protected one",
    ),
    "access/unmanaged": Rule(
        "What is done about keys that are not ours.",
        "destroys when pruning is opted into, else neutral",
        "prune: high; ignore: medium; report: info",
    ),
    "access/on-removal": Rule(
        "What becomes of keys that are taken out of Git.", "neutral", "medium; info for a quarantine that is no shorter"
    ),
    "access/adopt": Rule(
        "Whether adopted keys get new secrets by themselves.", "rotates when they do, else neutral", "medium, info"
    ),
}
"""What a key may do, from where, how long, and for whom."""

TRUST: Final[dict[str, Rule]] = {
    "trust/endpoint": Rule("A tenant's credential is sent elsewhere.", "neutral", "critical"),
    "trust/provider": Rule("Another provider's code gets a tenant's credential.", "neutral", "critical"),
    "trust/credential": Rule("A tenant uses another credential.", "neutral", "high"),
    "trust/secrets": Rule("A tenant's secrets are written elsewhere.", "neutral", "high"),
    "trust/options": Rule(
        "A tenant's options change: the organisation, the driver, the endpoint map.", "neutral", "high"
    ),
    "trust/endpoint-map": Rule("Undocumented requests change.", "neutral", "high"),
    "trust/vault": Rule("Another Vault, login or CA certificate.", "neutral", "high; critical for the address"),
    "trust/state": Rule("Another place of the state documents.", "neutral", "critical"),
    "trust/estate": Rule(
        "Another id of the estate, or an estate that is new.", "neutral", "critical; high when it is new"
    ),
    "trust/limits": Rule("A guardrail's limit changes.", "widens, narrows", "looser: high; tighter: low"),
    "trust/settings": Rule(
        "Another section of reconciler.yaml changes, such as what the built-in rules do.", "neutral", "high"
    ),
    "trust/policy": Rule("A policy is added, changed or removed.", "neutral", "high"),
    "trust/waiver": Rule("A waiver is added, changed or removed.", "neutral", "high; info when it is removed"),
    "trust/approval": Rule(
        "Leave to prune is given, changed or taken back.", "destroys; neutral when it is taken back", "high; info then"
    ),
    "trust/pipeline": Rule(
        "Files differ that say what the pipeline installs and runs: a plugin may come with them.", "neutral", "high"
    ),
    "trust/unread": Rule("A submodule differs, of which the content is not compared.", "neutral", "high"),
}
"""Where credentials go, and what judges a change."""

RULES: Final[dict[str, Rule]] = {**ACCESS, **TRUST}
"""All of them."""
