"""What is written beside a secret in Vault: whose it is. For people, for other tools, and for a state that was lost."""

from __future__ import annotations

from reconciler.apply.tools import Tools
from reconciler.errors import ReconcilerError
from reconciler.model.desired import VaultPath
from reconciler.model.names import ObjectId
from reconciler.vault import tags


def annotate(tools: Tools, name: ObjectId, path: VaultPath, *, vendor_id: str, generation: int, owner: str) -> None:
    """Say of which key and generation the newest version at a path is. Nothing depends on it, so nothing fails with it."""
    custom = {
        "managed-by": tags.MANAGER,
        "tenant": tools.tenant.desired.name,
        "key": name.name,
        "vendor-id": vendor_id,
        "generation": str(generation),
        "owner": owner or "unknown",
        **tags.NOT_REVOKED,
    }
    try:
        tools.access.secrets.annotate(path, custom)
    except ReconcilerError:
        return
