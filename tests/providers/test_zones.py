"""Time zones: which names mean the same one."""

from __future__ import annotations

import zoneinfo

import pytest

from reconciler.providers import zones
from reconciler.providers.zones import Zone, known, suggest


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


def test_known_names_are_the_systems() -> None:
    """Whatever Python can load, a manifest may name."""
    zoneinfo.reset_tzpath([])
    try:
        assert known() == zoneinfo.available_timezones() | {"Factory"}
    finally:
        zoneinfo.reset_tzpath()


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
    assert zones._follow("a", {"a": "b", "b": "c", "c": "c"}) == "c"


def test_names_are_equal_to_plain_text() -> None:
    """Names of one zone are equal, other names are not, and hashes agree."""
    assert Zone("Asia/Kolkata") == Zone("Asia/Calcutta")
    assert hash(Zone("Asia/Kolkata")) == hash(Zone("Asia/Calcutta"))
    assert Zone("Etc/UTC") == "UTC"
    assert Zone("Asia/Kolkata") != Zone("Asia/Tokyo")
    assert Zone("Nowhere") == "Nowhere"
    assert Zone("Nowhere") != 7
    assert suggest("America/Torono") == "America/Toronto"
    assert "Etc/UTC" in known()
