"""What a file's manifests say, as plain data: what one process hands to another, and what the cache keeps.

Only files in which every document is right by itself have entries. Of a key, which nearly all of a large estate are, an
entry holds the draft, so that nobody has to check it again; of any other manifest it holds the document's value.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from reconciler.manifest import models, reader
from reconciler.manifest.check import Wrong, check
from reconciler.manifest.drafts import KeyDraft, ListName, Place, ignored
from reconciler.model.desired import NO_TEXTS, KeyState, LevelRef, Rotation, Strategy
from reconciler.model.names import Kind

Record = list[Any]
"""A key's draft without its place: texts, numbers, truth values, lists and mappings, in the order of `record`."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STATES: Final = {state.value: state for state in KeyState}
_SECOND: Final = timedelta(seconds=1)
_encode: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


Entry = tuple[int, int, int, Record | dict[str, Any]]
"""One document: its number in the file, the line and column where it begins, and what it says: a record, or the value."""


def digest(data: bytes) -> str:
    """What a file's content is known by: SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def entries(data: bytes) -> list[Entry] | None:
    """The entries of a file; None if something in it needs the careful pass, or is wrong."""
    found = []
    try:
        for document in reader.values(data):
            manifest = check(document)
            if isinstance(manifest, Wrong):
                return None
            content = record(manifest) if isinstance(manifest, models.ApiKey) else document.value
            found.append((document.number, document.line, document.column, content))
    except reader.Unusual:
        return None
    return found


def encode(found: list[Entry]) -> bytes:
    """A file's entries as one line of JSON."""
    return _encode(found).encode()


def decode(line: bytes) -> list[Entry]:
    """The entries again. The line must be one that `encode` wrote."""
    found: list[Entry] = json.loads(line)
    return found


# --- a key --------------------------------------------------------------------------------------------------------------


def record(manifest: models.ApiKey) -> Record:
    """What a key's manifest says. Times are seconds since 1970, durations seconds; a network list is a list of its name."""
    metadata, spec = manifest.metadata, manifest.spec
    selector, rotation = metadata.tenant_selector, spec.rotation
    return [
        metadata.name,
        metadata.tenant,
        selector.match_labels if selector is not None else None,
        metadata.owner,
        spec.description.strip(),
        _level(spec),
        _seconds(spec.expires),
        rotation.effective if rotation is not None else None,
        spec.state.value,
        spec.protect,
        spec.options,
        [one if isinstance(one, str) else [one.network_list] for one in spec.allowed_ips] if spec.allowed_ips else None,
        spec.scope,
        metadata.previous_names,
        _seconds(spec.reissue_after),
        metadata.labels or None,
        metadata.annotations or None,
        [[one.fields, _seconds(one.until), one.reason] for one in spec.ignore_drift] if spec.ignore_drift else None,
    ]


def _level(spec: models.ApiKeySpec) -> Any:
    kind, given = Kind.ACCESS_LEVEL, spec.access_level
    if given is None:
        kind, given = Kind.SERVICE_USER, spec.service_user
    assert given is not None  # noqa: S101  checked before
    if isinstance(given, str):
        return given if kind is Kind.ACCESS_LEVEL else [given, False, kind.value]
    return [given.existing, True, kind.value]


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // _SECOND


@lru_cache(maxsize=4096)
def _moment(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


class Keys:
    """Records to drafts. Small values that thousands of keys have in common are kept once."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._levels: dict[Any, LevelRef] = {}
        self._rotations: dict[tuple[Any, ...], Rotation] = {}
        self._networks: dict[tuple[str | ListName, ...], tuple[str | ListName, ...]] = {}
        self._labels: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}

    def draft(self, said: Record, place: Place) -> KeyDraft:
        """The draft of a key."""
        (name, tenant, selector, owner, description, level, expires, rotation,
         state, protect, options, networks, scope, previous_names, reissue_after, labels, annotations,
         ignore_drift) = said  # fmt: skip
        text = self._texts.setdefault
        return KeyDraft(
            place,
            name,
            text(tenant, tenant),
            selector,
            text(owner, owner),
            text(description, description),
            self._level(level),
            _moment(expires) if expires is not None else None,
            self._rotation(rotation) if rotation is not None else None,
            _STATES[state],
            protect,
            options,
            self._allowed(networks) if networks is not None else (),
            scope,
            tuple(previous_names) if previous_names else (),
            _moment(reissue_after) if reissue_after is not None else None,
            self._shared(labels) if labels else NO_TEXTS,
            self._shared(annotations) if annotations else NO_TEXTS,
            ignored((fields, _moment(until), reason) for fields, until, reason in ignore_drift) if ignore_drift else (),
        )

    def _shared(self, said: dict[str, str]) -> Mapping[str, str]:
        """Labels or annotations: equal ones are one mapping."""
        return self._labels.setdefault(tuple(said.items()), said)

    def _level(self, said: Any) -> LevelRef:
        same = said if isinstance(said, str) else tuple(said)
        found = self._levels.get(same)
        if found is None:
            found = LevelRef(said) if isinstance(said, str) else LevelRef(said[0], existing=said[1], kind=Kind(said[2]))
            self._levels[same] = found
        return found

    def _rotation(self, said: Record) -> Rotation:
        same = tuple(said)
        found = self._rotations.get(same)
        if found is None:
            every, overlap, strategy, renew_before, hold = said
            found = self._rotations[same] = Rotation(
                timedelta(seconds=every),
                timedelta(seconds=overlap),
                Strategy(strategy),
                timedelta(seconds=renew_before),
                hold,
            )
        return found

    def _allowed(self, said: Record) -> tuple[str | ListName, ...]:
        networks = tuple(one if isinstance(one, str) else ListName(*one) for one in said)
        return self._networks.setdefault(networks, networks)
