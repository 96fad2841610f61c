"""How the records of a large tenant are spread over several Vault entries, and how one commit still covers them all.

A tenant of up to 1,000 objects is one entry. Beyond that its records go to *buckets*: ranges of object keys, of at most
1,000 records each, and the root entry names for each bucket the exact version that counts and the SHA-256 of its text. A
reader reads those versions and no others. A writer writes changed buckets first and the root last, by check-and-set: the
root's write is the commit. A writer that dies before it leaves versions that no root names, and nothing else.

A bucket has two entries, `a` and `b`, and is always written to the one that the current root does not name. So however
many writers die, none of their versions can push the one that counts out of Vault's `max_versions`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict, TypeAdapter

from reconciler.model.state import Record

RECORDS: Final = 1_000
BYTES: Final = 380_000
"""The most that a bucket's text may have: with its quotes escaped it fits Consul's 512 KiB."""

_RECORDS: Final = TypeAdapter(dict[str, Record])


class Bucket(BaseModel):
    """One bucket as the root names it. It holds the keys from `first` on, up to the next bucket's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: str
    name: str
    slot: str
    version: int
    sha256: str

    @property
    def entry(self) -> str:
        """The entry's name below the tenant's."""
        return f"{self.name}{self.slot}"


@dataclass(frozen=True, slots=True)
class Part:
    """Records that belong into one bucket. `bucket` is the one that they replace, None for a new one."""

    first: str
    name: str
    bucket: Bucket | None
    records: Mapping[str, Record]
    before: Mapping[str, Record]
    """What the bucket holds now."""

    @property
    def unchanged(self) -> bool:
        """Whether the bucket holds just these records already. The very same ones: comparing by value costs too much."""
        same = len(self.before) == len(self.records)
        return self.bucket is not None and same and all(self.before.get(k) is r for k, r in self.records.items())

    @property
    def next_slot(self) -> str:
        """The entry that the current root does not name."""
        return "b" if self.bucket is not None and self.bucket.slot == "a" else "a"


def encode(records: Mapping[str, Record]) -> str:
    """A bucket's text."""
    return _RECORDS.dump_json(dict(records), by_alias=True, exclude_none=True).decode()


def decode(text: str) -> dict[str, Record]:
    """The records in a bucket's text; ValueError if it is none."""
    return _RECORDS.validate_json(text)


def fits_one_entry(records: Mapping[str, Record], *, bucketed: bool) -> bool:
    """Whether the records stay in the root entry. One that has buckets keeps them until it is half empty."""
    return len(records) <= (RECORDS // 2 if bucketed else RECORDS) and len(encode(records).encode()) <= BYTES


def split(records: Mapping[str, Record], buckets: Sequence[Bucket], before: Mapping[str, Record]) -> list[Part]:
    """Spread records over the buckets that there are, cutting in two what has grown too large, dropping what is empty.

    `before` is what all those buckets hold now.
    """
    number = max((int(bucket.name) for bucket in buckets), default=0)
    old: Sequence[Bucket | None] = buckets or [None]
    parts: list[Part] = []
    for bucket, members, held in zip(old, _by_bucket(records, buckets), _by_bucket(before, buckets), strict=True):
        for index, piece in enumerate(_halved(members)):
            replaced = bucket if index == 0 else None
            if replaced is None:
                number += 1
            parts.append(
                Part(
                    first=next(iter(piece)) if parts else "",
                    name=f"{number:04}" if replaced is None else replaced.name,
                    bucket=replaced,
                    records=piece,
                    before={} if replaced is None else held,
                )
            )
    return parts


def _by_bucket(records: Mapping[str, Record], buckets: Sequence[Bucket]) -> list[dict[str, Record]]:
    bounds = [bucket.first for bucket in buckets]
    found: list[dict[str, Record]] = [{} for _ in buckets] or [{}]
    for key in sorted(records):
        found[max(0, bisect_right(bounds, key) - 1)][key] = records[key]
    return found


def _halved(records: dict[str, Record]) -> list[dict[str, Record]]:
    if not records:
        return []
    if len(records) == 1 or (len(records) <= RECORDS and len(encode(records).encode()) <= BYTES):
        return [records]
    keys = list(records)
    middle = len(keys) // 2
    return [piece for half in (keys[:middle], keys[middle:]) for piece in _halved({key: records[key] for key in half})]
