from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.mark import Mark
from reconciler.providers.trend_cloud_one import mapping
from reconciler.providers.trend_cloud_one.records import KeyRecord, RoleRecord

MARK = Mark("ab" * 8, 1, "a" * 16)
NETWORKS = st.lists(
    st.one_of(
        st.tuples(st.ip_addresses(v=4), st.integers(0, 32)), st.tuples(st.ip_addresses(v=6), st.integers(0, 128))
    ).map(lambda pair: str(ip_network(pair, strict=False)))
)


@given(NETWORKS)
def test_networks_survive_being_split_in_two(wanted: list[str]) -> None:
    """Whatever is sent as addresses and as networks reads back as the same list, each once, sorted."""
    body = mapping.key_body({"allowedIPs": mapping.networks(wanted)}, None, MARK)
    back = mapping.networks([*body["allowedCIDRs"], *body["allowedIPs"]])
    assert back == mapping.networks(wanted) == tuple(sorted(set(wanted)))
    assert not any("/" in one for one in body["allowedIPs"])
    assert not any(one.endswith(("/128",)) for one in body["allowedCIDRs"])


def test_addresses_in_other_spellings() -> None:
    """Host bits, capitals and blanks do not matter; what is no address is kept, for somebody to see."""
    assert mapping.networks([" 203.0.113.9/28", "2001:0DB8::1", "office"]) == (
        "2001:db8::1/128",
        "203.0.113.0/28",
        "office",
    )


def test_what_is_left_out_of_an_answer() -> None:
    """A key with nothing but an id is an observation all the same; it is not active."""
    key = mapping.observed_key(KeyRecord(id="a"))
    assert (key.name, key.level_id, key.mark) == ("", None, None)
    assert key.fields["state"] == "locked"
    level = mapping.observed_level(RoleRecord(id="r", name="R"))
    assert level.fields == {"name": "R", "description": "", "permissions": {"serviceRoleURNs": ()}}
    assert level.facts == {}


def test_a_field_that_nobody_knows_is_a_mistake() -> None:
    """Nothing is dropped silently."""
    with pytest.raises(KeyError, match="expires"):
        mapping.key_body({"expires": None}, None, MARK)
