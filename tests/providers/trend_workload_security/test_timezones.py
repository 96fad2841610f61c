from __future__ import annotations

import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.providers.trend_workload_security import timezones
from reconciler.providers.trend_workload_security.timezones import Zone, canonical, known, suggest, vendor_spelling

_names = st.sampled_from(sorted(known()))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Asia/Kolkata", "Asia/Calcutta"),
        ("Europe/Kyiv", "Europe/Kiev"),
        ("UTC", "Etc/UTC"),
        ("Etc/Zulu", "Etc/Universal"),
        ("US/Eastern", "America/New_York"),
        ("America/Argentina/Buenos_Aires", "America/Buenos_Aires"),
    ],
)
def test_two_names_of_one_zone_are_equal(one: str, other: str) -> None:
    """Names are compared by what they stand for, and shown as they were written."""
    assert Zone(one) == Zone(other)
    assert hash(Zone(one)) == hash(Zone(other))
    assert Zone(one) == other
    assert other == Zone(one)
    assert str.__str__(Zone(one)) == one
    assert f"{Zone(one)}" == one


@pytest.mark.parametrize("other", ["Europe/Paris", "nowhere", "", None, 3])
def test_other_zones_are_not(other: object) -> None:
    """Different zones, unknown names and things that are no names differ."""
    assert Zone("Europe/Berlin") != other


def test_a_name_that_nobody_knows_is_itself() -> None:
    """The vendor's own names (`SystemV/*`) are compared as they are."""
    assert Zone("SystemV/EST5") == Zone("SystemV/EST5")
    assert Zone("SystemV/EST5") != Zone("SystemV/CST6")
    assert vendor_spelling("SystemV/EST5") == "SystemV/EST5"


def test_known_names_are_the_systems() -> None:
    """Whatever Python can load, a manifest may name."""
    zoneinfo.reset_tzpath([])
    try:
        assert known() == zoneinfo.available_timezones() | {"Factory"}
    finally:
        zoneinfo.reset_tzpath()


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


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("etc/utc", "Etc/UTC"),
        ("Asia/Calcuta", "Asia/Calcutta"),
        ("Mars/Olympus Mons", ""),
    ],
)
def test_suggestions(wrong: str, near: str) -> None:
    """A slip, another case, or a city without its area leads to the right name."""
    assert suggest(wrong) == near


def test_links_to_links_are_followed() -> None:
    """The database may link to a link."""
    assert timezones._follow("a", {"a": "b", "b": "c", "c": "c"}) == "c"
