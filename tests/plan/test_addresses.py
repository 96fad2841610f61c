"""Arithmetic of addresses: against plain sets on a small space, and the laws of sets on any."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.plan.addresses import ANY, Addresses, from_to

_SPACE = {4: (ip_network("203.0.113.0/28"), 32), 6: (ip_network("2001:db8::/124"), 128)}


@st.composite
def small(draw: st.DrawFn) -> list[str]:
    """Networks of both versions within sixteen addresses each, overlapping and touching as they like."""
    found = []
    for _ in range(draw(st.integers(0, 5))):
        space, bits = _SPACE[draw(st.sampled_from([4, 6]))]
        length = draw(st.integers(bits - 4, bits))
        subnets = list(space.subnets(new_prefix=length))
        found.append(str(draw(st.sampled_from(subnets))))
    return found


def plain(networks: list[str]) -> set[str]:
    """The model: every address by itself."""
    return {str(address) for network in networks for address in ip_network(network)}


@given(small(), small())
@settings(deadline=None)
def test_differences_are_those_of_plain_sets(one: list[str], other: list[str]) -> None:
    """What is left, how many that are, what is within what, and whether two are the same."""
    a, b = Addresses.of(one), Addresses.of(other)
    left = plain(one) - plain(other)
    assert sum((a - b).counts) == len(left)
    assert (a - b) == Addresses.of(sorted(left))
    assert (a <= b) == (plain(one) <= plain(other))
    assert (a == b) == (plain(one) == plain(other))
    assert bool(a) == bool(plain(one))


@given(small(), small())
@settings(deadline=None)
def test_union_does_not_depend_on_how_networks_are_written(one: list[str], other: list[str]) -> None:
    """Order, repetition, overlaps and halves make no difference."""
    halves = [
        str(half)
        for text in one
        for half in (ip_network(text).subnets() if ip_network(text).num_addresses > 1 else [ip_network(text)])
    ]
    assert Addresses.of([*one, *other]) == Addresses.of([*reversed(other), *halves, *one])


@given(small())
@settings(deadline=None)
def test_everything_holds_each_set(one: list[str]) -> None:
    """Nothing is beyond any address; a set without itself is empty."""
    a = Addresses.of(one)
    assert a <= ANY
    assert not a - a
    assert not a - ANY
    assert (ANY - a) - ANY == Addresses()
    assert sum((ANY - a).counts) == 2**32 + 2**128 - len(plain(one))


def test_no_list_is_any_address() -> None:
    """So it is with the vendors; both zero networks are the same."""
    assert Addresses.allowed([]) == ANY == Addresses.of(["0.0.0.0/0", "::/0"])
    assert Addresses.of(["0.0.0.0/1", "128.0.0.0/1"]).everything
    assert not Addresses.of(["0.0.0.0/1"]).everything
    assert not Addresses.allowed(["203.0.113.7"]).everything


@pytest.mark.parametrize(
    ("networks", "told"),
    [
        (["203.0.113.0/28"], "16 addresses"),
        (["203.0.113.7"], "1 address"),
        (["10.0.0.0/8"], "16,777,216 addresses"),
        (["2001:db8::/48"], "2^80 IPv6 addresses"),
        (["2001:db8::/48", "2001:db9::1"], "about 2^80 IPv6 addresses"),
        (["2001:db8::1"], "1 IPv6 address"),
        (["203.0.113.0/28", "2001:db8::/48"], "16 addresses and 2^80 IPv6 addresses"),
        (["0.0.0.0/0"], "any IPv4 address (4,294,967,296)"),
        (["0.0.0.0/0", "2001:db8::1"], "any IPv4 address (4,294,967,296) and 1 IPv6 address"),
        (["203.0.113.7", "::/0"], "1 address and any IPv6 address"),
        (["0.0.0.0/0", "::/0"], "any address"),
    ],
)
def test_sets_in_words(networks: list[str], told: str) -> None:
    """As a reviewer counts them."""
    assert str(Addresses.of(networks)) == told


def test_no_address_in_words() -> None:
    """The empty set, which no manifest can say."""
    assert str(Addresses()) == "no address"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (["203.0.113.0/28"], ["203.0.0.0/16"], "from 16 to 65,536 addresses"),
        (["203.0.113.0/28"], ["203.0.113.1"], "from 16 to 1 address"),
        (["10.0.0.1", "2001:db8::/48"], ["10.0.0.0/24", "2001:db8::/48"], "from 1 to 256 IPv4 addresses"),
        (["10.0.0.1", "2001:db8::/48"], ["10.0.0.1", "2001:db8::/47"], "from 2^80 to 2^81 IPv6 addresses"),
        (["10.0.0.1"], [], "from 1 address to any address"),
        (["10.0.0.1"], ["2001:db8::1"], "from 1 address to 1 IPv6 address"),
    ],
)
def test_changes_in_words(old: list[str], new: list[str], told: str) -> None:
    """Of the version that changes, if it is only one."""
    assert from_to(Addresses.allowed(old), Addresses.allowed(new)) == told


def test_sets_as_ranges() -> None:
    """The first few."""
    assert (Addresses.of(["10.0.0.0/30"]) - Addresses.of(["10.0.0.1"])).shown() == "10.0.0.0, 10.0.0.2-10.0.0.3"
    assert Addresses.of(["10.0.0.1", "10.0.0.3", "2001:db8::1"]).shown(most=2) == "10.0.0.1, 10.0.0.3 and 1 more"


def test_what_is_no_address_is_refused() -> None:
    """By the standard library's own error."""
    with pytest.raises(ValueError, match="everywhere"):
        Addresses.of(["everywhere"])
