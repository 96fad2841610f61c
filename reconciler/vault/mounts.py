"""Which KV version a mount has. Without asking, a wrong mount reads as "everything is gone"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import InvalidInput, NotFound, NotPermitted

if TYPE_CHECKING:
    from reconciler.vault.connection import Vault


class Mounts:
    """Remembers for a connection which mounts have proved to be KV v2."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._good: set[str] = set()

    def require_v2(self, mount: str) -> None:
        """Return if the mount is KV version 2. InvalidInput for any other kind, NotFound if it is not there."""
        if mount in self._good:
            return
        where = f"Vault mount {mount}/"
        try:
            found = self._vault.call("GET", f"sys/internal/ui/mounts/{mount}", need="any").data
        except NotPermitted:
            raise NotFound(
                "there is no such mount, or our policies grant nothing in it", where=where, hint="see docs/vault.md"
            ) from None
        real = str(found.get("path", "")).rstrip("/")
        options = found.get("options") or {}
        kind, version = found.get("type"), options.get("version", "1")
        if real != mount:
            raise InvalidInput(f"the mount is `{real}`, not `{mount}`", where=where, hint="move the rest to the path")
        if kind not in {"kv", "generic"}:
            raise InvalidInput(f"this is a {kind} mount", where=where, hint="secrets need a KV version 2 mount")
        if version != "2":
            raise InvalidInput(
                f"this is a KV version {version} mount: it has no check-and-set and keeps no versions",
                where=where,
                hint="use a KV version 2 mount (vault secrets enable -path=NAME kv-v2)",
            )
        self._good.add(mount)
