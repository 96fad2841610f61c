from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.mark import Mark
from reconciler.providers.lacework.mapping import Guid, groups, observed_user, user_to_create, user_to_update
from reconciler.providers.lacework.records import UserRecord

MARK = Mark("ab" * 8, 1, "a" * 16)
GUIDS = st.text("abAB_", min_size=1, max_size=4)


def user(**members: Any) -> UserRecord:
    return UserRecord.model_validate({"userGuid": "U", "type": "ServiceUser", "userEnabled": 1, **members})


@given(st.lists(GUIDS), st.randoms())
def test_groups_are_a_set_in_any_case(guids: list[str], chance: Any) -> None:
    """Order, repetition and case make no difference; each is spelled as somebody wrote it."""
    shuffled = [chance.choice((guid.upper(), guid.lower(), guid)) for guid in guids + guids]
    chance.shuffle(shuffled)
    assert groups(guids) == groups(shuffled)
    assert hash(groups(guids)) == hash(groups(shuffled))
    assert {str(guid) for guid in groups(guids)} <= set(guids)
    assert len(groups(guids)) == len({guid.upper() for guid in guids})


def test_a_guid_is_no_other_kind_of_thing() -> None:
    """It equals texts only."""
    assert Guid("a") != 7
    assert Guid("a") != "b"


@pytest.mark.parametrize("kind", ["ServiceUser", "SERVICE_USER", "serviceuser"])
def test_the_mark_is_in_the_name(kind: str) -> None:
    """It comes off again, in whatever spelling the vendor names the type."""
    body = user_to_create("siem", {"description": "", "state": "locked"}, MARK)
    assert body == {"type": "ServiceUser", "name": f"siem {MARK}", "userEnabled": 0}
    found = observed_user(user(name=body["name"], type=kind, userEnabled=False))
    assert (found.name, found.mark, found.fields["state"], found.builtin) == ("siem", MARK, "locked", False)


def test_an_update_can_empty_a_description() -> None:
    """It is sent, while a creation leaves it out."""
    assert user_to_update({"name": "siem", "description": "", "state": "active"}, MARK)["description"] == ""


@pytest.mark.parametrize(("told", "seen"), [({}, None), ({"description": None}, ""), ({"description": " x "}, "x")])
def test_a_description_is_a_field_where_it_is_told(told: dict[str, Any], seen: str | None) -> None:
    """Else it is left out, and the state remembers what was asked for."""
    assert observed_user(user(name="siem", **told)).fields.get("description") == seen


@pytest.mark.parametrize(
    ("name", "email", "seen"),
    [("Alice", " Alice@Example.com ", "alice@example.com"), ("Bob", None, "bob"), (None, None, "")],
)
def test_people_are_never_ours(name: str | None, email: str | None, seen: str) -> None:
    """Whatever their name says."""
    found = observed_user(user(type="StandardUser", name=name and f"{name}", email=email))
    assert (found.name, found.mark, found.builtin) == (seen, None, True)
    marked = observed_user(user(type="StandardUser", name=f"siem {MARK}"))
    assert (marked.mark, marked.builtin) == (None, True)


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (1_767_225_600_999, datetime(2026, 1, 1, tzinfo=UTC)),
        ("1767225600000", datetime(2026, 1, 1, tzinfo=UTC)),
        *((nothing, None) for nothing in (None, 0, "", "never", -5, 10**18)),
    ],
)
def test_the_last_sign_in(value: Any, seen: datetime | None) -> None:
    """Milliseconds as a number or a text; whatever is no time is none."""
    assert observed_user(user(name="siem", lastLoginTime=value)).facts["lastUsed"] == seen
