"""Network lists: what keys may be used from."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifest.drafts import ListName, Place, SharedDraft
from reconciler.manifest.library import Library
from reconciler.manifest.models import ManifestKind
from reconciler.manifest.references import Broken
from reconciler.model.desired import Source
from reconciler.providers.base import Problem
from tests.manifest.estates import Fake, Folder, install, key, manifest, tenant

TREND = "trend-workload-security"


@pytest.fixture
def estate(bare: Folder, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A tenant of a product that can restrict addresses."""
    install(monkeypatch, Fake("fenced"))
    bare.write("tenant.yaml", tenant("cbc", "fenced"))
    return bare


def listed(name: str, *networks: str) -> str:
    return manifest("NetworkList", name, f"networks: [{', '.join(map(repr, networks))}]")


def allowed(ips: str) -> str:
    return key("splunk", "cbc", f"allowedIPs: {ips}")


def test_networks_are_canonical_and_sorted(estate: Folder) -> None:
    """Lists and single entries become one sorted tuple: each network once, none merged."""
    estate.write("a.yaml", listed("egress", "203.0.113.9", "2001:db8::1", "198.51.100.0/24", "10.0.0.0/255.0.0.0"))
    estate.write(
        "b.yaml", allowed("[203.0.113.0/28, {networkList: egress}, 203.0.113.9/32, '2001:DB8::/32', 203.0.113.0/24]")
    )
    [one] = estate.tenant().keys
    assert one.allowed_ips == (
        "10.0.0.0/8", "198.51.100.0/24", "203.0.113.0/24", "203.0.113.0/28", "203.0.113.9/32", "2001:db8::/32",
        "2001:db8::1/128",
    )  # fmt: skip
    assert estate.found() == []


def test_lists_are_shared_by_all_tenants(estate: Folder) -> None:
    """A list is in no tenant, and keys with the same entries share one tuple in memory."""
    estate.write("other.yaml", tenant("cbc-2", "fenced"))
    everywhere = allowed("[{networkList: egress}]").replace("tenant: cbc", "tenantSelector: {matchLabels: {env: prod}}")
    estate.write("a.yaml", listed("egress", "203.0.113.9"), everywhere, everywhere.replace("splunk", "soar"))
    from reconciler.manifest import load_estate

    found = [one.allowed_ips for each in load_estate(estate.path).tenants for one in each.keys]
    assert found == [("203.0.113.9/32",)] * 4
    assert len({id(one) for one in found}) == 1


@pytest.mark.promise(9)
def test_promise_9_network_lists(estate: Folder) -> None:
    """A missing, unused, empty, misspelt or doubled list is told of at its place; so is a network that is none."""
    estate.write(
        "a.yaml", listed("egress", "203.0.113.9"), listed("spare", "10.0.0.0/8"), allowed("[{networkList: egres}]")
    )
    assert estate.found() == [
        "a.yaml:3:18: warning: the network list 'egress' is not used (delete it, or refer to it)",
        "a.yaml:9:18: warning: the network list 'spare' is not used (delete it, or refer to it)",
        "a.yaml:18:30: error: there is no network list 'egres' (did you mean 'egress'?)",
    ]
    estate.write(
        "a.yaml", listed("egress", "10.0.0.1/8"), listed("none"), listed("twice", "::1"), listed("twice", "::1")
    )
    estate.write("b.yaml", allowed("[{networkList: egress}, {networkList: twice}]"))
    assert estate.found() == [
        (
            "a.yaml:5:14: error: spec.networks[0] is '10.0.0.1/8', which has bits set beyond its prefix "
            "(did you mean '10.0.0.0/8'?)"
        ),
        "a.yaml:11:13: error: spec.networks is empty",
        "a.yaml:21:18: error: NetworkList 'twice' is declared twice (the first is at a.yaml:13:1)",
    ]


@pytest.mark.promise(9)
def test_promise_9_no_addresses_at_all(estate: Folder) -> None:
    """An empty `allowedIPs` would mean any address: it is refused. So is an address of one machine's interface."""
    estate.write("b.yaml", allowed("[]"), allowed("['fe80::1%eth0']").replace("splunk", "b"))
    assert estate.found() == [
        (
            "b.yaml:6:15: error: spec.allowedIPs is empty, and that would mean any address "
            "(name networks, or leave it out to allow any)"
        ),
        (
            "b.yaml:13:16: error: spec.allowedIPs[0] is 'fe80::1%eth0', which names an interface of one machine "
            "(such as 203.0.113.7 or 203.0.113.0/28)"
        ),
    ]


@pytest.mark.promise(9)
def test_promise_9_a_list_in_a_tenant(estate: Folder) -> None:
    """A list is the whole estate's: a tenant in it is refused."""
    estate.write(
        "a.yaml", manifest("NetworkList", "x", "networks: [10.0.0.0/8]", tenant="cbc"), allowed("[{networkList: x}]")
    )
    assert estate.found() == [
        "a.yaml:3:21: error: unknown field metadata.tenant (known here: name, owner, labels, annotations)"
    ]


def test_a_network_that_the_vendor_refuses(bare: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers see networks in canonical order; their problem is shown at the entry that the network comes from."""

    def only_v4(wanted: object) -> list[Problem]:
        networks = wanted.allowed_ips  # type: ignore[attr-defined]
        return [Problem(("allowedIPs", n), f"{one} is not IPv4") for n, one in enumerate(networks) if ":" in one]

    install(monkeypatch, Fake("old", key=only_v4))
    bare.write("a.yaml", tenant("cbc", "old"), listed("six", "2001:db8::/32"))
    bare.write("b.yaml", allowed("['::1', {networkList: six}, 10.0.0.0/8]"))
    assert bare.found() == [
        "b.yaml:6:16: error: ::1/128 is not IPv4",
        "b.yaml:6:23: error: 2001:db8::/32 is not IPv4",
    ]


def test_where_addresses_cannot_be_restricted(bare: Folder) -> None:
    """A product without address restrictions refuses the field with its reason, lists or not."""
    bare.write("a.yaml", tenant("cbc", TREND), listed("egress", "::1"), allowed("[{networkList: egress}]"))
    [line] = bare.found()
    assert line.startswith("a.yaml:20:15: error: allowedIPs cannot be honoured here (the product cannot restrict")


NETWORKS = st.one_of(
    st.ip_addresses().flatmap(lambda ip: st.integers(0, ip.max_prefixlen).map(lambda size: f"{ip}/{size}"))
).map(lambda text: str(ip_network(text, strict=False)))


@given(st.lists(NETWORKS, max_size=8), st.lists(NETWORKS, min_size=1, max_size=8), st.randoms())
def test_any_order_and_any_split_give_the_same(single: list[str], listed: list[str], random: object) -> None:
    """How networks are spread over lists and entries, in which order and how often, changes nothing."""
    place = Place(0, 0, Source("a.yaml", 1))
    library = Library([SharedDraft(place, ManifestKind.NETWORK_LIST, "x", tuple(listed))], lambda *_: None, Broken())
    entries: list[str | ListName] = [*single, ListName("x"), *single]
    random.shuffle(entries)  # type: ignore[attr-defined]
    found = library.networks(tuple(entries))
    assert set(found) == {*single, *listed}
    assert len(set(found)) == len(found)
    assert list(found) == sorted(found, key=lambda text: (ip_network(text).version, ip_network(text)))  # type: ignore[arg-type,type-var]
    assert library.networks(tuple(sorted({*single, *listed}))) == found
