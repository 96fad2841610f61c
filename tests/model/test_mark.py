"""Marks in descriptions."""

from __future__ import annotations

import time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model import mark as marks
from reconciler.model.mark import Mark
from tests.support import builders as b

MARKS = st.builds(
    Mark,
    estate=st.from_regex(r"\A[0-9a-f]{16}\Z"),
    generation=st.integers(1, 999_999_999),
    nonce=st.from_regex(r"\A[a-z2-7]{16}\Z"),
)
EXAMPLE = Mark("5b0c1f0e7c554e0e", 3, "abcdefgh234567ab")


@given(st.text(), MARKS)
def test_attached_mark_is_split_off_again(text: str, mark: Mark) -> None:
    """Whatever a person wrote comes back, stripped, and the mark whole."""
    assert marks.split(mark.attach(text)) == (text.strip(), mark)


@given(st.text())
def test_text_without_a_mark_stays(text: str) -> None:
    """No mark is made up."""
    if not marks.contains_mark(text):
        assert marks.split(text) == (text.strip(), None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, ("", None)),
        ("", ("", None)),
        ("[rcl:5b0c1f0e7c554e0e:3:abcdefgh234567ab]", ("", EXAMPLE)),
        ("a  \n[rcl:5b0c1f0e7c554e0e:3:abcdefgh234567ab] \n", ("a", EXAMPLE)),
        ("a [rcl:x] [rcl:5b0c1f0e7c554e0e:3:abcdefgh234567ab]", ("a [rcl:x]", EXAMPLE)),
        ("a [rcl:5b0c1f0e7c554e0e:3:abcdefgh234567ab] b", ("a [rcl:5b0c1f0e7c554e0e:3:abcdefgh234567ab] b", None)),
        ("a [rcl:5b0c1f0e7c554e0e:3:abcdefgh234567a", ("a [rcl:5b0c1f0e7c554e0e:3:abcdefgh234567a", None)),
        ("a [rcl:5B0C1F0E7C554E0E:3:abcdefgh234567ab]", ("a [rcl:5B0C1F0E7C554E0E:3:abcdefgh234567ab]", None)),
    ],
)
def test_only_a_whole_mark_at_the_end_counts(text: str | None, found: tuple[str, Mark | None]) -> None:
    """A mark in the middle, a cut one, or one in other letters is text."""
    assert marks.split(text) == found


def test_mark_alone_needs_no_space() -> None:
    """An empty description is just the mark."""
    assert EXAMPLE.attach("") == "[rcl:5b0c1f0e7c554e0e:3:abcdefgh234567ab]"


def test_long_descriptions_are_split_in_no_time() -> None:
    """A vendor's text of a million spaces costs nothing noticeable."""
    begun = time.perf_counter()
    marks.split(" " * 1_000_000 + "x")
    assert time.perf_counter() - begun < 1


def test_nonces_are_random_and_fit_a_mark() -> None:
    """16 characters, never the same."""
    nonces = {marks.new_nonce() for _ in range(100)}
    assert len(nonces) == 100
    assert all(marks.split(str(Mark("0" * 16, 1, nonce)))[1] is not None for nonce in nonces)


def test_owner_tag_tells_estate_and_tenant() -> None:
    """16 hexadecimal digits, the first 8 of them the estate's own."""
    estate = UUID("5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11")
    assert marks.owner_tag(estate, "dsm") == "5b0c1f0ee76f96ad"
    assert marks.owner_tag(estate, "other") != marks.owner_tag(estate, "dsm")
    assert b.TAG == "5b0c1f0ee76f96ad"
