"""Durations, expiry times, networks: the texts with a meaning."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from reconciler.manifest.scalars import Description, Duration, Expires, Line, Name, Network, kind_of, shown

DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)
EXPIRES: TypeAdapter[datetime] = TypeAdapter(Expires)
NETWORK: TypeAdapter[str] = TypeAdapter(Network)


def message(adapter: TypeAdapter[object], value: object) -> str:
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(value)
    [error] = caught.value.errors()
    return f"{error['ctx']['what']} ({error['ctx']['hint']})" if "ctx" in error else error["type"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1w", 604_800), ("90d", 90 * 86_400), ("24h", 86_400), ("30m", 1_800), ("45s", 45), ("0h", 0)],
)
def test_durations(text: str, seconds: int) -> None:
    """A whole number and a unit."""
    assert DURATION.validate_python(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value", ["90", "d", "1.5d", "-1d", "01d", "1y", "1d12h", " 1d", "1d\n", "", 90, True, None, [1], {}]
)
def test_no_durations(value: object) -> None:
    """Everything else is refused with an example."""
    assert message(DURATION, value) == (
        f"must be a duration, not {shown(value)} (a whole number and w, d, h, m or s, such as 90d, 24h or 30m)"
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2027-06-30", datetime(2027, 7, 1, tzinfo=UTC)),
        ("2024-02-29", datetime(2024, 3, 1, tzinfo=UTC)),
        ("2027-12-31", datetime(2028, 1, 1, tzinfo=UTC)),
        ("2027-06-30T12:00:00Z", datetime(2027, 6, 30, 12, tzinfo=UTC)),
        ("2027-06-30t12:00:00z", datetime(2027, 6, 30, 12, tzinfo=UTC)),
        ("2027-06-30 12:00:00+02:00", datetime(2027, 6, 30, 10, tzinfo=UTC)),
        ("2027-06-30T12:00:00.000-03:30", datetime(2027, 6, 30, 15, 30, tzinfo=UTC)),
    ],
)
def test_expires(text: str, wanted: datetime) -> None:
    """A bare date ends with that day in UTC; a time is that moment."""
    found = EXPIRES.validate_python(text)
    assert found == wanted
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "start"),
    [
        ("2027-02-29", "is '2027-02-29', a time that does not exist"),
        ("2027-13-01", "is '2027-13-01', a time that does not exist"),
        ("2027-06-30T25:00:00Z", "is '2027-06-30T25:00:00Z', a time that does not exist"),
        ("2027-06-30T23:59:60Z", "is '2027-06-30T23:59:60Z', a time that does not exist"),
        ("9999-12-31", "is '9999-12-31', a time that does not exist"),
        ("0001-01-01T00:00:00+01:00", "is '0001-01-01T00:00:00+01:00', a time that does not exist"),
        ("2027-06-30T12:00:00", "is '2027-06-30T12:00:00', which does not say its time zone (add Z for UTC"),
        ("2027-06-30T12:00:00.5Z", "is '2027-06-30T12:00:00.5Z', which has fractions of a second"),
        ("30.06.2027", "must be a date or a time, not '30.06.2027' (a date such as 2027-06-30"),
        ("2027-6-30", "must be a date or a time"),
        ("next year", "must be a date or a time"),
        ("٢٠٢٧-06-30", "must be a date or a time"),
        (20270630, "must be a date or a time, not 20270630"),
        (None, "must be a date or a time, not nothing"),
    ],
)
def test_no_dates(value: object, start: str) -> None:
    """A date that is none is refused, and it is said what is wrong with it."""
    assert message(EXPIRES, value).startswith(start)


@given(
    st.text(max_size=30)
    | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([Zz]|[+-][0-9]{2}:[0-9]{2}))?")
)
def test_expires_or_refusal(text: str) -> None:
    """Any text is a time in UTC of whole seconds, or refused."""
    try:
        found = EXPIRES.validate_python(text)
    except ValidationError:
        return
    assert found.utcoffset() == timedelta(0)
    assert found.microsecond == 0


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("203.0.113.0/28", "203.0.113.0/28"),
        ("203.0.113.7", "203.0.113.7/32"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("203.0.113.0/255.255.255.240", "203.0.113.0/28"),
    ],
)
def test_networks(text: str, canonical: str) -> None:
    """Networks have one spelling."""
    assert NETWORK.validate_python(text) == canonical


def test_no_networks() -> None:
    """A network with bits beyond its prefix is refused with the right one; anything else with an example."""
    assert message(NETWORK, "203.0.113.9/28").endswith("(did you mean '203.0.113.0/28'?)")
    assert message(NETWORK, "office").startswith("is 'office', which is neither an address nor a network")


@pytest.mark.parametrize("name", ["a", "0", "a-b.c", "a" * 63])
def test_names(name: str) -> None:
    """Names are what DESIGN section 5 says."""
    assert TypeAdapter(Name).validate_python(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a.", "A", "a_b", "a/b", "a\n", "ä", "a" * 64, "..", "٣"])
def test_no_names(name: str) -> None:
    """… and nothing else."""
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(name)


def test_marks_in_descriptions() -> None:
    """A description cannot pretend to carry one of our marks."""
    adapter: TypeAdapter[str] = TypeAdapter(Description)
    assert adapter.validate_python("reads [rcl] events") == "reads [rcl] events"
    assert message(adapter, "x [rcl:0000000000000000:1:aaaaaaaaaaaaaaaa]").startswith("looks like a mark")
    assert adapter.validate_python("[rcl: unclosed") == "[rcl: unclosed"


@pytest.mark.parametrize("text", ["a\nb", "\x1b[1m", "\x7f"])
def test_lines(text: str) -> None:
    """One line has no control characters."""
    with pytest.raises(ValidationError):
        TypeAdapter(Line).validate_python(text)


def test_words() -> None:
    """Values are called what a writer of YAML calls them, and long ones are cut."""
    assert [kind_of(value) for value in (None, True, 1, 1.5, "x", {}, [])] == [
        "nothing", "a boolean", "a number", "a number", "a text", "a mapping", "a list",
    ]  # fmt: skip
    assert shown(False) == "false"
    assert shown("x" * 100) == "'" + "x" * 58 + "…"
