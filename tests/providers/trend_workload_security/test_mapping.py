from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.desired import DesiredKey, DesiredLevel, KeyState
from reconciler.model.mark import Mark, new_nonce
from reconciler.providers.trend_workload_security import mapping
from reconciler.providers.trend_workload_security.records import KeyRecord, RoleRecord
from reconciler.providers.trend_workload_security.rights import FLAGS, LISTS, RIGHTS
from reconciler.providers.zones import canonical, known
from tests.support.builders import desired_key, desired_level

MARK = Mark("0" * 16, 1, new_nonce())


def level(permissions: dict[str, Any], description: str = "") -> DesiredLevel:
    return desired_level("reader", description=description, permissions=permissions)


_leaves = [(group, thing, right) for group, things in RIGHTS.items() for thing, rs in things.items() for right in rs]
_texts = st.text(st.characters(exclude_categories=("C",)), max_size=40)


@st.composite
def _permissions(draw: st.DrawFn) -> dict[str, Any]:
    tree: dict[str, Any] = {flag: draw(st.booleans()) for flag in draw(st.sets(st.sampled_from([*FLAGS])))}
    for name, (flag, _) in LISTS.items():
        if not tree.get(flag) and draw(st.booleans()):
            tree[name] = draw(st.lists(st.integers(0, 99), max_size=4))
    for group, thing, right in draw(st.lists(st.sampled_from(_leaves), max_size=12)):
        tree.setdefault(group, {}).setdefault(thing, {})[right] = draw(st.booleans())
    return tree


_keys = st.builds(
    desired_key,
    description=_texts,
    expires=st.none() | st.datetimes(datetime(2000, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001
    state=st.sampled_from([KeyState.ACTIVE, KeyState.LOCKED]),
    options=st.fixed_dictionaries(
        {}, optional={"locale": st.sampled_from(mapping.LOCALES), "timeZone": st.sampled_from(sorted(known()))}
    ),
)


def _server_role(body: dict[str, Any], before: dict[str, Any] | None = None) -> RoleRecord:
    """What the vendor would answer: partial modify on top of what was there, left-out booleans false."""
    merged = {**(before or {}), **body, "ID": 7, "immutable": False}
    rights: dict[str, Any] = {}
    for tree in ((before or {}).get("rights", {}), body["rights"]):
        for group, things in tree.items():
            for thing, leaves in things.items():
                rights.setdefault(group, {}).setdefault(thing, {}).update(leaves)
    return RoleRecord.model_validate(merged | {"rights": rights})


@pytest.mark.promise(5)
@given(_permissions(), _texts)
def test_promise_5_a_created_level_reads_back_as_wanted(permissions: dict[str, Any], description: str) -> None:
    """What a creation made true compares equal to what was asked for, mark and all."""
    fields = mapping.level_fields(level(permissions, description))
    observed = mapping.observed_level(_server_role(mapping.role_to_create(fields, MARK)))
    assert observed.fields == fields
    assert observed.mark == MARK
    assert observed.vendor_id == "7"


@pytest.mark.promise(5)
@given(_permissions(), _permissions())
def test_promise_5_an_updated_level_reads_back_as_wanted(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Whatever was granted before, an update leaves exactly what is wanted, on a server that only merges."""
    old = mapping.role_to_create(mapping.level_fields(level(before)), MARK)
    fields = mapping.level_fields(level(after))
    observed = mapping.observed_level(_server_role(mapping.role_to_update(fields, MARK), old))
    assert observed.fields == fields


@pytest.mark.promise(5)
@given(_keys, st.booleans(), st.integers(0, 999))
def test_promise_5_a_key_reads_back_as_wanted(wanted: DesiredKey, aliases: bool, milliseconds: int) -> None:
    """Servers that cut times to seconds, keep other milliseconds, or store another name of the zone change nothing."""
    fields = mapping.key_fields(wanted)
    body = mapping.key_to_create(fields, "3", MARK)
    assert "expiryDate" not in body or body["expiryDate"] % 1000 == 0
    stored = {**body, "ID": 17, "created": 1, "unsuccessfulSignInAttempts": 0}
    stored["timeZone"] = canonical(stored["timeZone"]) if aliases else stored["timeZone"]
    if "expiryDate" in stored:
        stored["expiryDate"] += milliseconds
    observed = mapping.observed_key(KeyRecord.model_validate(stored))
    assert observed.fields == fields
    assert observed.mark == MARK
    assert observed.level_id == "3"


def test_a_level_is_complete_in_canonical_form() -> None:
    """Every property is explicit; rights are what is granted; ids are sorted, each once."""
    fields = mapping.level_fields(
        level(
            {
                "computerIDs": [3, 1, 3],
                "platformRights": {"settingRights": {"canViewSettings": True, "canEditSettings": False}},
            }
        )
    )
    assert fields["permissions"] == {
        **dict.fromkeys(FLAGS, False),
        "computerIDs": (1, 3),
        "computerGroupIDs": (),
        "policyIDs": (),
        "platformRights": {"settingRights": {"canViewSettings": True}},
    }


def test_a_key_has_defaults() -> None:
    """Locale and zone that a manifest leaves out have a value."""
    assert mapping.key_fields(desired_key(description="")) == {
        "name": "splunk",
        "description": "",
        "locale": "en-US",
        "timeZone": "Etc/UTC",
        "expires": None,
        "state": "active",
    }


def test_expiry_is_compared_in_utc_by_the_second() -> None:
    """Another offset and a fraction of a second are no difference."""
    there = datetime(2027, 6, 30, 2, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert mapping.key_fields(desired_key(expires=there))["expires"] == datetime(2027, 6, 30, tzinfo=UTC)


def test_an_update_sends_what_changed_and_nothing_else() -> None:
    """A partial modify: 0 clears an expiry, `active` unlocks, the mark goes with the description."""
    sent = mapping.key_to_update({"expires": None, "state": "active", "description": "d"}, None, MARK)
    assert sent == {"expiryDate": 0, "active": True, "description": f"d {MARK}"}
    assert mapping.key_to_update({"state": "locked"}, "4", MARK) == {"active": False, "roleID": 4}
    assert mapping.key_to_update({"timeZone": "Asia/Kolkata", "locale": "ja-JP"}, None, MARK) == {
        "timeZone": "Asia/Calcutta",
        "locale": "ja-JP",
    }
    assert mapping.key_to_update({"name": "n"}, None, MARK) == {"keyName": "n"}
    with pytest.raises(KeyError):
        mapping.key_to_update({"colour": "red"}, None, MARK)


def test_what_only_the_vendor_knows_are_facts() -> None:
    """Volatile values stay out of the fields that are compared."""
    record = KeyRecord.model_validate(
        {"ID": 5, "keyName": "k", "created": 1_000_000_000_000, "unsuccessfulSignInAttempts": 2, "secretKey": "x"}
    )
    observed = mapping.observed_key(record)
    assert observed.facts == {
        "created": datetime.fromtimestamp(1_000_000_000, UTC),
        "lastUsed": None,
        "unlockTime": None,
        "failedSignIns": 2,
        "serviceAccount": False,
    }
    assert observed.fields["state"] == "locked"
    assert observed.level_id is None
    assert not hasattr(record, "secretKey")


def test_rights_of_a_newer_server_are_seen_and_can_be_taken_back() -> None:
    """A granted right that the contract does not name is drift, and an update sends it as false."""
    role = RoleRecord.model_validate(
        {
            "ID": 7,
            "name": "r",
            "urn": "urn:x",
            "immutable": True,
            "allComputers": True,
            "computerIDs": [4],
            "rights": {"platformRights": {"newRights": {"canFly": True}, "odd": 1}, "note": "x", "empty": None},
        }
    )
    observed = mapping.observed_level(role)
    assert observed.builtin
    assert observed.facts == {"urn": "urn:x"}
    assert observed.fields["permissions"]["computerIDs"] == ()
    assert observed.fields["permissions"]["platformRights"] == {"newRights": {"canFly": True}}
    assert mapping.unknown_rights(observed) == (("platformRights", "newRights", "canFly"),)
    wanted = mapping.level_fields(level({}))
    body = mapping.role_to_update(wanted, MARK, also_revoked=mapping.unknown_rights(observed))
    assert body["rights"]["platformRights"]["newRights"] == {"canFly": False}
