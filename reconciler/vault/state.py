"""The state documents: one small text without secrets per tenant, at `ROOT/ESTATE/TENANT` in a KV v2 mount.

A document is stored as one JSON text in the field `document`, for Vault limits how many strings a request may hold.
A document that cannot be read as ours is an error and never an empty tenant: that would make everything look new.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

from reconciler.errors import (
    Conflict,
    ContractBroken,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    ReconcilerError,
    Rejected,
    foreign,
)  # fmt: skip
from reconciler.model.desired import VaultPath
from reconciler.model.state import FORMAT, Record, StateDocument
from reconciler.suggest import did_you_mean
from reconciler.vault import buckets
from reconciler.vault.buckets import Bucket, Part
from reconciler.vault.connection import Vault
from reconciler.vault.secrets import api_path, written_version

_DOCUMENT: Final = "document"
_ROOT_BYTES: Final = 800_000  # 1 MiB in Vault, where its quotes are escaped
_KEEP_VERSIONS: Final = 10
_READ_AGAIN: Final = 5
_AMEND_TRIES: Final = 50
_SHOWN: Final = 8


class _Root(StateDocument):
    """What the tenant's entry holds: the document itself, or with buckets all of it but the records."""

    buckets: tuple[Bucket, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    """The version that was last loaded or committed, to find out which buckets a commit changes."""

    version: int
    objects: Mapping[str, Record]
    buckets: tuple[Bucket, ...]


class StateStore:
    """The state documents of one estate. Safe for many threads."""

    def __init__(self, vault: Vault, root: VaultPath, estate: UUID) -> None:
        self.vault = vault
        self._root = root
        self._estate = estate
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def path(self, tenant: str) -> VaultPath:
        """Where the tenant's document is."""
        return VaultPath(self._root.mount, f"{self._root.path.strip('/')}/{self._estate}/{tenant}")

    def load(self, tenant: str) -> tuple[StateDocument | None, int]:
        """The document and the version that a commit must name: `(None, 0)` if there has never been one.

        What was loaded is remembered, for the commit that comes next. ContractBroken when it is damaged or was removed,
        InvalidInput when it is another estate's or a newer program's.
        """
        document, known = self._load(tenant)
        self._remember(tenant, known)
        return document, known.version

    def read(self, tenant: str) -> tuple[StateDocument | None, int]:
        """As `load`, for somebody who is not about to commit: nothing of it is kept."""
        document, known = self._load(tenant)
        return document, known.version

    def _load(self, tenant: str) -> tuple[StateDocument | None, _Known]:
        seen = -1
        for _ in range(_READ_AGAIN):
            root, version = self._read_root(tenant)
            if root is None:
                return None, _Known(version, {}, ())
            try:
                objects = self._objects(tenant, root)
            except NotFound as gone:
                if version == seen:
                    raise self._damaged(tenant, f"its bucket {gone.what} is gone") from None
                seen = version  # a commit may have come between our reads: look at the root again
                continue
            return _document(root, objects), _Known(version, objects, root.buckets)
        raise Conflict("the state changes faster than it can be read", where=self._where(tenant), hint="run it again")

    def commit(self, document: StateDocument, cas: int) -> int:
        """Write the document as the version after `cas` and return its version. Only changed buckets are written.

        Conflict if somebody else committed first; OutcomeUnknown if no answer came: load, and look.
        """
        if document.estate != self._estate:
            raise ValueError("the document belongs to another estate")
        tenant = document.tenant
        known = self._state_at(tenant, cas)
        objects = document.objects
        if buckets.fits_one_entry(objects, bucketed=bool(known.buckets)):
            layout: tuple[Bucket, ...] = ()
            text = _encode(document, {}, objects)
        else:
            parts = buckets.split(objects, known.buckets, known.objects if known.buckets else {})
            layout = tuple(self.vault.each(lambda part: self._write_part(tenant, part), parts))
            text = _encode(document, {"buckets": layout}, {})
        if len(text.encode()) > _ROOT_BYTES:
            raise Rejected(
                "the state document is too large", where=self._where(tenant), hint="fewer open intents at once"
            )
        if cas == 0:
            self._prepare(self.path(tenant))
        try:
            version = self._write(self.path(tenant), text, cas)
        except ReconcilerError:
            self._forget(tenant)
            raise
        self._remember(tenant, _Known(version, dict(objects), layout))
        return version

    def amend(self, tenant: str, change: Callable[[StateDocument], StateDocument]) -> StateDocument:
        """Change a document without holding its lease, and return it as it is then: for an emergency.

        Check-and-set on what was read, as often as somebody else is faster: lease and records of a run at work stay as
        they are. `change` may be called several times, and on its own result if an answer was lost. A change that
        changes nothing writes nothing. NotFound if there is no document.
        """
        for _ in range(_AMEND_TRIES):
            document, version = self.load(tenant)
            if document is None:
                raise NotFound("there is no state", where=self._where(tenant), hint=self.nearest(tenant))
            wanted = change(document)
            if wanted == document:
                return document
            try:
                self.commit(wanted, version)
            except (Conflict, OutcomeUnknown):
                continue
            return wanted
        raise Conflict("the state keeps changing", where=self._where(tenant), hint="run it again")

    def release(self, tenant: str) -> None:
        """Keep no longer what was loaded or committed last: no commit will come. One that comes loads it again."""
        self._forget(tenant)

    def forget(self, tenant: str) -> int:
        """The version that a commit must name to put a new document in the place of one that cannot be read any more."""
        version = self._current_version(self.path(tenant))
        self._remember(tenant, _Known(version, {}, ()))
        return version

    def tenants(self) -> tuple[str, ...]:
        """The tenants of this estate that have a document, sorted. Needs `list` on the documents' metadata."""
        folder = self.path("any")
        self.vault.mounts.require_v2(folder.mount)
        where = api_path(folder, "metadata").rpartition("/")[0]
        answer = self.vault.call("LIST", where, need="list", expect=(404,))
        names = map(str, answer.data.get("keys", ()))
        return tuple(sorted(name for name in names if not name.endswith("/")))

    def nearest(self, tenant: str) -> str:
        """A hint for a name that may be mistyped; nothing where the names cannot be listed."""
        try:
            known = self.tenants()
        except ReconcilerError:
            return ""
        return did_you_mean(tenant, known) or f"there are: {', '.join(known[:_SHOWN]) or 'none'}"

    # -- the root entry --------------------------------------------------------------------------------------------

    def _read_root(self, tenant: str) -> tuple[_Root | None, int]:
        path = self.path(tenant)
        found = self._read(path)
        if found is None:
            return None, 0
        text, version = found
        try:
            root = _Root.model_validate_json(text)
        except ValidationError as problem:
            damage = problem.errors(include_input=False, include_url=False)[0]
            raise self._unreadable(tenant, text, f"{damage['loc']}: {damage['msg']}") from None
        if root.estate != self._estate or root.tenant != tenant:
            raise self._of_another(tenant, root.estate, root.tenant)
        return root, version

    def _unreadable(self, tenant: str, text: str, problem: str) -> ReconcilerError:
        """Say why a text is no document of ours: newer than we are, or damaged."""
        try:
            head = json.loads(text)
        except ValueError:
            return self._damaged(tenant, "it is not JSON")
        number = head.get("format") if isinstance(head, dict) else None
        if isinstance(number, int) and number > FORMAT:
            return InvalidInput(
                f"the state has format {number}, and this program knows formats up to {FORMAT}",
                where=self._where(tenant),
                hint="a newer access-reconciler wrote it: upgrade this one",
            )
        return self._damaged(tenant, foreign(problem))

    def _of_another(self, tenant: str, estate: UUID, name: str) -> InvalidInput:
        return InvalidInput(
            f"this is the state of estate {estate}, tenant {foreign(name)}",
            where=self._where(tenant),
            hint="was it copied here? Restore an older version in Vault",
        )

    def _damaged(self, tenant: str, how: str) -> ContractBroken:
        return ContractBroken(
            f"the state document is damaged: {how}",
            where=self._where(tenant),
            hint="restore an older version in Vault",
        )

    def _where(self, tenant: str) -> str:
        return f"Vault {self.path(tenant)}"

    # -- buckets ---------------------------------------------------------------------------------------------------

    def _entry(self, tenant: str, name: str) -> VaultPath:
        path = self.path(tenant)
        return VaultPath(path.mount, f"{path.path}/{name}")

    def _objects(self, tenant: str, root: _Root) -> Mapping[str, Record]:
        if not root.buckets:
            return root.objects
        read = self.vault.each(lambda bucket: self._read_bucket(tenant, bucket), root.buckets)
        return {key: record for records in read for key, record in records.items()}

    def _read_bucket(self, tenant: str, bucket: Bucket) -> dict[str, Record]:
        found = self._read(self._entry(tenant, bucket.entry), bucket.version)
        if found is None:
            raise NotFound(f"{bucket.entry}, version {bucket.version},", where=self._where(tenant))
        text, _ = found
        if _sha256(text) != bucket.sha256:
            raise self._damaged(tenant, f"its bucket {bucket.entry} is not the one that was committed")
        try:
            return buckets.decode(text)
        except ValidationError:
            raise self._damaged(tenant, f"its bucket {bucket.entry} cannot be read") from None

    def _write_part(self, tenant: str, part: Part) -> Bucket:
        """Write one bucket beside the version that counts, unless nothing in it has changed."""
        if part.bucket is not None and part.unchanged:
            return part.bucket.model_copy(update={"first": part.first})
        text = buckets.encode(part.records)
        slot = part.next_slot
        path = self._entry(tenant, f"{part.name}{slot}")
        for _ in range(_READ_AGAIN):
            current = self._current_version(path)
            if current == 0:
                self._prepare(path)
            try:
                version = self._write(path, text, current)
            except Conflict:
                continue  # another writer's try at the same bucket: ours goes on top, and the root decides between us
            return Bucket(first=part.first, name=part.name, slot=slot, version=version, sha256=_sha256(text))
        raise Conflict("somebody else is writing this tenant's state", where=self._where(tenant), hint="run it again")

    # -- entries ---------------------------------------------------------------------------------------------------

    def _read(self, path: VaultPath, version: int | None = None) -> tuple[str, int] | None:
        """An entry's text and version. None if there never was one, or not this version; an error if it was removed."""
        self.vault.mounts.require_v2(path.mount)
        params = None if version is None else {"version": version}
        answer = self.vault.call("GET", api_path(path, "data"), need="read", params=params, expect=(404,))
        if answer.missing:
            return None
        facts = answer.data.get("metadata")
        if not isinstance(facts, Mapping):
            raise ContractBroken("Vault's answer is not that of a KV version 2 mount", where=f"Vault {path}")
        content = answer.data.get("data")
        if content is None:
            raise ContractBroken(
                "the state was removed from Vault",
                where=f"Vault {path}",
                hint="undelete it in Vault",
            )
        text = content.get(_DOCUMENT) if isinstance(content, Mapping) else None
        version_read = facts.get("version")
        if not isinstance(version_read, int):
            raise ContractBroken("Vault's answer names no version", where=f"Vault {path}")
        # A text of another shape is told apart, and explained, by whoever parses it.
        return text if isinstance(text, str) else json.dumps(content), version_read

    def _write(self, path: VaultPath, text: str, cas: int) -> int:
        self.vault.mounts.require_v2(path.mount)
        body = {"options": {"cas": cas}, "data": {_DOCUMENT: text}}
        answer = self.vault.call("POST", api_path(path, "data"), need="update" if cas else "create", body=body)
        return written_version(answer, f"Vault {path}")

    def _current_version(self, path: VaultPath) -> int:
        self.vault.mounts.require_v2(path.mount)
        answer = self.vault.call("GET", api_path(path, "metadata"), need="read", expect=(404,))
        if not answer.missing and answer.status == 404:
            raise NotFound("Vault has nothing there", where=f"Vault {path}")
        return int(answer.data.get("current_version") or 0)

    def _prepare(self, path: VaultPath) -> None:
        """Have Vault keep some versions of a new entry, whatever the mount's own limit is."""
        self.vault.mounts.require_v2(path.mount)
        body: dict[str, Any] = {"max_versions": _KEEP_VERSIONS}
        self.vault.call("POST", api_path(path, "metadata"), need="update", body=body, repeatable=True)

    # -- what we last saw ------------------------------------------------------------------------------------------

    def _state_at(self, tenant: str, version: int) -> _Known:
        with self._lock:
            known = self._known.get(tenant)
        if known is None or known.version != version:
            self.load(tenant)
            with self._lock:
                known = self._known[tenant]
        if known.version != version:
            raise Conflict("somebody else has written the state", where=self._where(tenant))
        return known

    def _remember(self, tenant: str, known: _Known) -> None:
        with self._lock:
            self._known[tenant] = known

    def _forget(self, tenant: str) -> None:
        with self._lock:
            self._known.pop(tenant, None)


def _document(root: _Root, objects: Mapping[str, Record]) -> StateDocument:
    fields = {name: getattr(root, name) for name in StateDocument.model_fields}
    return StateDocument.model_construct(**{**fields, "objects": objects})


def _encode(document: StateDocument, extra: Mapping[str, Any], objects: Mapping[str, Record]) -> str:
    fields = {name: getattr(document, name) for name in StateDocument.model_fields}
    root = _Root.model_construct(**{**fields, "objects": objects, **extra})
    return root.model_dump_json(by_alias=True, exclude_none=True)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
