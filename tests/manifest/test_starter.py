from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest

from reconciler.manifest.format import format_text
from reconciler.manifest.jsonschema import field_order
from reconciler.manifest.starter import estate_name, files
from reconciler.model.names import NAME

ID = UUID("5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11")


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("acme", "acme"), ("My Estate_2", "my-estate-2"), ("", "estate"), ("...", "estate"), ("äöü", "estate"),
        ("x" * 80, "x" * 63),
    ],
)  # fmt: skip
def test_a_folders_name_becomes_a_name(folder: str, name: str) -> None:
    """Whatever the folder is called, the estate's name is one that names may be."""
    assert estate_name(folder) == name
    assert NAME.fullmatch(estate_name(folder))


def test_the_key_lives_for_a_year_from_today() -> None:
    """The date is made, not copied, so that a new estate never starts with a key that has ended."""
    assert "\n  expires: 2027-03-01\n" in files("acme", ID, date(2026, 3, 1))["keys/splunk.yaml"]
    assert "\n  expires: 2029-02-27\n" in files("acme", ID, date(2028, 2, 28))["keys/splunk.yaml"]


def test_everything_is_in_the_usual_form() -> None:
    """`fmt` has nothing to do, and lines fit a screen."""
    for path, text in files("acme", ID, date(2026, 3, 1)).items():
        assert max(map(len, text.splitlines())) <= 120
        if path.endswith(".yaml"):
            assert format_text(text, path, field_order) == text
