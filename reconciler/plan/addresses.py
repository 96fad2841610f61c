"""Sets of IP addresses: how many a key may be used from, and which come or go when its networks change. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from math import log2
from typing import Final

_BITS: Final = (32, 128)
_MANY: Final = 2**40
"""From here on a number is easier to read as a power of two."""

Ranges = tuple[tuple[int, int], ...]
"""First and last addresses as numbers: sorted, apart from each other, never touching."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """A set of IPv4 and IPv6 addresses. Equal sets are equal, however their networks were written."""

    v4: Ranges = ()
    v6: Ranges = ()

    @classmethod
    def of(cls, networks: Iterable[str]) -> Addresses:
        """The union of networks and single addresses; ValueError for a text that is neither."""
        found: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
        for text in networks:
            network = ip_network(text, strict=False)
            first, last = int(network.network_address), int(network.broadcast_address)
            found[network.version == 6].append((first, last))
        return cls(_merged(found[0]), _merged(found[1]))

    @classmethod
    def allowed(cls, networks: Iterable[str]) -> Addresses:
        """From where a key may be used: without any network, from everywhere."""
        networks = tuple(networks)
        return cls.of(networks) if networks else ANY

    def __bool__(self) -> bool:
        return bool(self.v4 or self.v6)

    def __sub__(self, other: Addresses) -> Addresses:
        """Those that are not in the other set."""
        return Addresses(_without(self.v4, other.v4), _without(self.v6, other.v6))

    def __le__(self, other: Addresses) -> bool:
        """Whether all of them are in the other set."""
        return not self - other

    @property
    def everything(self) -> bool:
        """Whether these are all addresses of IPv4, or of IPv6."""
        return ANY.v4 == self.v4 or ANY.v6 == self.v6

    @property
    def counts(self) -> tuple[int, int]:
        """How many addresses of IPv4 and of IPv6."""
        return _count(self.v4), _count(self.v6)

    def __str__(self) -> str:
        """`16 addresses`, `any address`, `16 addresses and 2^80 of IPv6`."""
        if self == ANY:
            return "any address"
        v4, v6 = self.counts
        old = f"any IPv4 address ({_number(v4)})" if self.v4 == ANY.v4 else f"{_number(v4)} address{'es' * (v4 != 1)}"
        if not v6:
            return old if v4 else "no address"
        new = "any IPv6 address" if self.v6 == ANY.v6 else f"{_number(v6)} IPv6 address{'es' * (v6 != 1)}"
        return f"{old} and {new}" if v4 else new

    def shown(self, most: int = 4) -> str:
        """The addresses as ranges, the first few: `203.0.113.0-203.0.113.15`."""
        parts = [_range(IPv4Address, first, last) for first, last in self.v4]
        parts += [_range(IPv6Address, first, last) for first, last in self.v6]
        more = f" and {len(parts) - most} more" if len(parts) > most else ""
        return ", ".join(parts[:most]) + more


def from_to(old: Addresses, new: Addresses) -> str:
    """`from 16 to 65,536 addresses`: of the version that changes, if it is only one."""
    if not (old.everything or new.everything):
        (old4, old6), (new4, new6) = old.counts, new.counts
        if old.v6 == new.v6 and old4 and new4:
            return f"from {_number(old4)} to {_number(new4)} {'IPv4 ' * bool(old6)}address{'es' * (new4 != 1)}"
        if old.v4 == new.v4 and old6 and new6:
            return f"from {_number(old6)} to {_number(new6)} IPv6 address{'es' * (new6 != 1)}"
    return f"from {old} to {new}"


def _range(kind: type[IPv4Address | IPv6Address], first: int, last: int) -> str:
    return str(kind(first)) if first == last else f"{kind(first)}-{kind(last)}"


def _number(count: int) -> str:
    if count < _MANY:
        return f"{count:,}"
    power = log2(count)
    return f"2^{power:.0f}" if count.bit_count() == 1 else f"about 2^{power:.0f}"


def _count(ranges: Ranges) -> int:
    return sum(last - first + 1 for first, last in ranges)


def _merged(ranges: list[tuple[int, int]]) -> Ranges:
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return tuple(found)


def _without(ranges: Ranges, others: Ranges) -> Ranges:
    left: list[tuple[int, int]] = []
    position = 0
    for first, last in ranges:
        start = first
        while position < len(others) and others[position][1] < start:
            position += 1
        at = position
        while at < len(others) and others[at][0] <= last and start <= last:
            if others[at][0] > start:
                left.append((start, others[at][0] - 1))
            start = others[at][1] + 1
            at += 1
        if start <= last:
            left.append((start, last))
    return tuple(left)


ANY: Final = Addresses(*(((0, 2**bits - 1),) for bits in _BITS))
"""All there are."""
