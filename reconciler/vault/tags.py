"""What stands beside a secret in its `custom_metadata`: whose it is, and that it was revoked.

It is written for people and other tools. Nothing depends on it but the rebuilding of a state that was lost, which has
nothing else to go by.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reconciler.model.observed import SecretMetadata
from reconciler.model.state import Revoked

MANAGER: Final = "access-reconciler"
_AT: Final = "revoked-at"
_BY: Final = "revoked-by"
_WHY: Final = "revoked-reason"
NOT_REVOKED: Final = {_AT: "", _BY: "", _WHY: ""}
"""For `SecretStore.annotate` when a new secret is written: it takes a tombstone out."""


@dataclass(frozen=True, slots=True)
class Issued:
    """For which vendor-side key the newest version of an entry was written."""

    vendor_id: str
    generation: int


def tombstone(revoked: Revoked, tenant: str, key: str) -> dict[str, str]:
    """What to write beside the secret of a revoked key."""
    return {_AT: revoked.at.isoformat(), _BY: revoked.by, _WHY: revoked.reason, "tenant": tenant, "key": key}


def revoked_of(secret: SecretMetadata, tenant: str, names: Collection[str]) -> Revoked | None:
    """The tombstone of a key of that name, unless a secret has been written there since."""
    text = secret.custom.get(_AT)
    if not text or not _is_of(secret, tenant, names):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    if at.tzinfo is None or (secret.live and secret.updated is not None and secret.updated > at):
        return None
    return Revoked(at=at, by=secret.custom.get(_BY, "unknown"), reason=secret.custom.get(_WHY, "unknown"))


def issued_of(secret: SecretMetadata, tenant: str, names: Collection[str]) -> Issued | None:
    """Whose secret it is, if we wrote it for a key of that name."""
    vendor_id, generation = secret.custom.get("vendor-id", ""), secret.custom.get("generation", "")
    ours = secret.custom.get("managed-by") == MANAGER and _is_of(secret, tenant, names)
    if not ours or not vendor_id or not generation.isdecimal():
        return None
    return Issued(vendor_id, int(generation))


def _is_of(secret: SecretMetadata, tenant: str, names: Collection[str]) -> bool:
    return secret.custom.get("tenant") == tenant and secret.custom.get("key") in names
