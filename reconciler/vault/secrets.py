"""Issued secrets: written with check-and-set, never read back. What we know of them is Vault's metadata."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from reconciler.errors import (
    ContractBroken,
    InvalidInput,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
    printable,
)
from reconciler.model.desired import VaultPath
from reconciler.model.observed import SecretMetadata
from reconciler.model.secret import Secret
from reconciler.vault.connection import Answer, Vault

_NAMES_IN_A_PATH: Final = re.compile(r"(?!\.{1,2}(/|$))[A-Za-z0-9._@=+-]+(/(?!\.{1,2}(/|$))[A-Za-z0-9._@=+-]+)*")
_BULK: Final = "detailed-metadata"
"""OpenBao lists a folder with every entry's metadata in one call; HashiCorp Vault has nothing like it."""
_BULK_FROM: Final = 3
_BULK_WORKERS: Final = 4
_ASK_AT_ONCE: Final = 100
_SHOWN: Final = 5
_CLOCK_GRAIN: Final = timedelta(seconds=2)
_VALUE_BYTES: Final = 512
_KEY_BYTES: Final = 128
_APPLY_NEEDS: Final[Mapping[str, frozenset[str]]] = {
    "data": frozenset({"create", "update"}),
    "metadata": frozenset({"read"}),
    "delete": frozenset({"update"}),
}
_PLAN_NEEDS: Final[Mapping[str, frozenset[str]]] = {"metadata": frozenset({"read"})}


def api_path(path: VaultPath, area: str) -> str:
    """The request path of a KV v2 entry: `secret/data/a/b` for the area `data`. InvalidInput for a path that climbs."""
    if not (_NAMES_IN_A_PATH.fullmatch(path.mount) and _NAMES_IN_A_PATH.fullmatch(path.path)):
        raise InvalidInput(
            f"{printable(str(path))!r} is not a Vault path that we use",
            hint="letters, digits and ._@=+- between single slashes; no part may be . or ..",
        )
    return f"{path.mount}/{area}/{path.path}"


def written_version(answer: Answer, where: str) -> int:
    """The version that a write to `data` made; OutcomeUnknown if the answer does not say."""
    version = answer.data.get("version")
    if not isinstance(version, int):
        raise OutcomeUnknown("Vault's answer to a write names no version", where=where, hint="it may have acted")
    return version


class SecretStore:
    """The issued secrets of one Vault. Safe for many threads."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._no_bulk: set[str] = set()

    # -- reading metadata ------------------------------------------------------------------------------------------

    def metadata(self, path: VaultPath) -> SecretMetadata:
        """What Vault knows of one entry; `current_version` 0 if nothing was ever written. A failed read raises."""
        return _metadata(self._entry(path), self._vault.now())

    def metadata_of(self, paths: Collection[VaultPath]) -> dict[VaultPath, SecretMetadata]:
        """The same for many entries, by folder where the server can (OpenBao), else one by one, side by side."""
        folders: dict[tuple[str, str], list[VaultPath]] = defaultdict(list)
        for path in sorted(set(paths)):
            api_path(path, "metadata")
            folders[path.mount, path.path.rpartition("/")[0]].append(path)
        for mount in sorted({mount for mount, _ in folders}):
            self._vault.mounts.require_v2(mount)
        large = [item for item in folders.items() if len(item[1]) >= _BULK_FROM]
        listed = self._vault.each(lambda item: self._folder(*item[0]), large, workers=_BULK_WORKERS)
        now = self._vault.now()
        found: dict[VaultPath, SecretMetadata] = {}
        for (_, members), entries in zip(large, listed, strict=True):
            if entries is not None:
                for path in members:
                    found[path] = _metadata(entries.get(path.path.rpartition("/")[2], {}), now)
        rest = [path for members in folders.values() for path in members if path not in found]
        found.update(zip(rest, self._vault.each(self.metadata, rest), strict=True))
        return found

    def _entry(self, path: VaultPath) -> Mapping[str, Any]:
        self._vault.mounts.require_v2(path.mount)
        answer = self._vault.call("GET", api_path(path, "metadata"), need="read", expect=(404,))
        if answer.status == 404 and not answer.missing:
            raise NotFound("Vault has nothing there", where=f"Vault {path}", hint="check mount and namespace")
        if answer.status == 200 and not isinstance(answer.data.get("versions"), Mapping):
            raise ContractBroken("Vault's metadata lists no versions", where=f"Vault {path}")
        return answer.data

    def _folder(self, mount: str, folder: str) -> Mapping[str, Mapping[str, Any]] | None:
        """Name → metadata of a folder's entries; None where the server has no such listing, or denies it."""
        if mount in self._no_bulk:
            return None
        where = "/".join(part for part in (mount, _BULK, folder) if part)
        try:
            answer = self._vault.call("LIST", where, need="list", expect=(404, 405))
        except NotPermitted:
            # Older policies do not know this path. Reading one by one then says what is really denied.
            self._no_bulk.add(mount)
            return None
        if answer.missing:
            return {}
        entries = answer.data.get("key_info")
        if answer.status != 200 or not isinstance(entries, Mapping):
            self._no_bulk.add(mount)
            return None
        names = {str(name) for name in answer.data.get("keys", ())}
        # An entry without its versions would read as "never written": leave such a folder to the single reads.
        whole = all(
            isinstance(entries.get(name), Mapping) and isinstance(entries[name].get("versions"), Mapping)
            for name in names
            if not name.endswith("/")
        )
        return entries if whole else None

    # -- writing ---------------------------------------------------------------------------------------------------

    def write(self, path: VaultPath, fields: Mapping[str, Secret | str], *, cas: int) -> int:
        """Store a secret as the version after `cas` (0: the first) and return its version.

        Conflict if the path is not at that version, NotPermitted, or OutcomeUnknown if no answer came: then it may
        be stored, which a second write under the lease settles (PROTOCOL.md, "Issuing one key").
        """
        if not fields:
            raise ValueError("a secret without fields is none")
        self._vault.mounts.require_v2(path.mount)
        where = api_path(path, "data")
        answer = self._vault.call(
            "POST",
            where,
            need="update" if cas else "create",
            body={"options": {"cas": cas}, "data": dict(fields)},
            quotable=False,
        )
        return written_version(answer, f"Vault {where}")

    def annotate(self, path: VaultPath, custom: Mapping[str, str]) -> None:
        """Merge text into the entry's `custom_metadata`, cut to what Vault takes; an empty value removes its key.

        For people and other tools only: nothing of ours depends on it.
        """
        self._vault.mounts.require_v2(path.mount)
        where = api_path(path, "metadata")
        wanted = {_cut(key, _KEY_BYTES): _cut(value, _VALUE_BYTES) or None for key, value in custom.items()}
        patch = {"custom_metadata": wanted}
        answer = self._vault.call("PATCH", where, need="patch", body=patch, expect=(404, 405), repeatable=True)
        if answer.status >= 400:
            # Nothing there yet, or a server without PATCH; POST replaces the whole map.
            held = self._entry(path).get("custom_metadata") or {}
            merged = {key: value for key, value in {**held, **wanted}.items() if value is not None}
            self._vault.call("POST", where, need="update", body={"custom_metadata": merged}, repeatable=True)

    def delete_all_versions(self, path: VaultPath, *, up_to: int | None = None) -> int:
        """Delete every version that can still be read, and return how many there were. Nothing there is success.

        `up_to` spares later versions: somebody else wrote those.
        A soft delete: `undelete` needs a permission of its own. Deleting only the newest would leave the older readable.
        """
        versions = self._entry(path).get("versions") or {}
        now = self._vault.now()
        live = sorted(
            int(number)
            for number, version in versions.items()
            if _lives(version, now) and (up_to is None or int(number) <= up_to)
        )
        if live:
            body = {"versions": [str(number) for number in live]}
            self._vault.call("POST", api_path(path, "delete"), need="update", body=body, repeatable=True)
        return len(live)

    # -- permissions -----------------------------------------------------------------------------------------------

    def capabilities(self, api_paths: Collection[str]) -> dict[str, frozenset[str]]:
        """What our token may do on each request path (`secret/data/a`). Needs Vault's `default` policy."""
        asked = sorted(set(api_paths))
        chunks = [asked[start : start + _ASK_AT_ONCE] for start in range(0, len(asked), _ASK_AT_ONCE)]

        def ask(chunk: list[str]) -> dict[str, frozenset[str]]:
            answer = self._vault.call(
                "POST", "sys/capabilities-self", need="update", body={"paths": chunk}, repeatable=True
            )
            return {path: frozenset(answer.data.get(path, ())) - {"deny"} for path in chunk}

        return {path: granted for found in self._vault.each(ask, chunks) for path, granted in found.items()}

    def preflight(self, paths: Collection[VaultPath]) -> None:
        """Check before the first vendor call that secrets can be stored at these paths. NotPermitted names what lacks."""
        for mount in sorted({path.mount for path in paths}):
            self._vault.mounts.require_v2(mount)
        needs = _APPLY_NEEDS if self._vault.identity == "apply" else _PLAN_NEEDS
        wanted = {api_path(path, area): need for path in paths for area, need in needs.items()}
        granted = self.capabilities(wanted)
        lacking = [
            f"{', '.join(sorted(need - granted[path]))} on {path}"
            for path, need in sorted(wanted.items())
            if not (need <= granted[path] or "root" in granted[path])
        ]
        if lacking:
            more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
            raise NotPermitted(
                f"the {self._vault.identity} identity lacks {'; '.join(lacking[:_SHOWN])}{more}",
                where=f"Vault {self._vault.address}",
                hint="grant it in its policy; see docs/vault.md",
            )


def _metadata(entry: Mapping[str, Any], now: datetime) -> SecretMetadata:
    current = int(entry.get("current_version") or 0)
    version = (entry.get("versions") or {}).get(str(current))
    return SecretMetadata(
        current_version=current,
        live=version is not None and _lives(version, now),
        updated=_moment((version or entry).get("created_time")),
        custom=dict(entry.get("custom_metadata") or {}),
    )


def _lives(version: Mapping[str, Any], now: datetime) -> bool:
    """Whether a version can be read now. A deletion time may lie in the future (`delete_version_after`).

    `now` comes from a header with whole seconds: what was deleted this very second must not look alive.
    """
    deleted = _moment(version.get("deletion_time"))
    return not version.get("destroyed") and (deleted is None or deleted > now + _CLOCK_GRAIN)


def _moment(text: object) -> datetime | None:
    """Vault's RFC 3339 times; empty means never."""
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None


def _cut(text: str, limit: int) -> str:
    """What Vault takes as custom metadata: printable, and at most so many bytes of UTF-8."""
    if not text.isprintable():
        text = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text)
    return text.strip().encode()[:limit].decode(errors="ignore").strip()
