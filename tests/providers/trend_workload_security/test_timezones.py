"""Time zones: under which name the vendor knows them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.providers.trend_workload_security.timezones import vendor_spelling
from reconciler.providers.zones import Zone, canonical, known

_names = st.sampled_from(sorted(known()))


def test_a_name_that_nobody_knows_is_sent_as_it_is() -> None:
    """The vendor's own names (`SystemV/*`) have no other."""
    assert vendor_spelling("SystemV/EST5") == "SystemV/EST5"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("Etc/UTC", "Etc/UTC"),
        ("Europe/Berlin", "Europe/Berlin"),
        ("America/Toronto", "America/Toronto"),
        ("UTC", "Etc/UTC"),
        ("GMT", "Etc/GMT"),
        ("EST", "America/Panama"),
        ("Singapore", "Asia/Singapore"),
        ("Asia/Kolkata", "Asia/Calcutta"),
        ("Asia/Ho_Chi_Minh", "Asia/Saigon"),
        ("Asia/Kathmandu", "Asia/Katmandu"),
        ("Asia/Yangon", "Asia/Rangoon"),
        ("Europe/Kyiv", "Europe/Kiev"),
        ("America/Nuuk", "America/Godthab"),
        ("America/Argentina/Buenos_Aires", "America/Buenos_Aires"),
        ("America/Indiana/Indianapolis", "America/Indianapolis"),
        ("America/Kentucky/Louisville", "America/Louisville"),
        ("Africa/Asmara", "Africa/Asmera"),
        ("Pacific/Pohnpei", "Pacific/Ponape"),
        ("Etc/GMT+5", "Etc/GMT+5"),
        ("America/Kentucky/Monticello", "America/Kentucky/Monticello"),
    ],
)
def test_the_vendor_gets_a_name_that_its_list_has(written: str, sent: str) -> None:
    """Newer names go out under the older one; where there is none, the server has the last word."""
    assert vendor_spelling(written) == sent
    assert vendor_spelling(Zone(written)) == sent


@given(_names)
def test_what_is_sent_is_the_same_zone(name: str) -> None:
    """No spelling changes the zone, and a spelling for the vendor needs no other."""
    sent = vendor_spelling(name)
    assert type(sent) is str
    assert canonical(sent) == canonical(name)
    assert vendor_spelling(sent) == sent
    assert canonical(canonical(name)) == canonical(name)
