from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.mark import Mark
from reconciler.model.names import NAME_PATTERN
from reconciler.providers.cortex_cloud import mapping, permissions
from reconciler.providers.cortex_cloud.records import KeyRecord, RoleRecord
from reconciler.providers.times import from_milliseconds
from tests.support.builders import desired_key, desired_level

OURS = Mark("0" * 16, 3, "a" * 16)
LEVEL = desired_level(name="read", description=" Reads ", permissions={"components": ["rules_view", "a_view"]})


@given(st.from_regex(NAME_PATTERN, fullmatch=True), st.text(st.characters(codec="utf-8", exclude_categories=["C"])))
def test_a_comment_gives_back_what_was_put_in(name: str, description: str) -> None:
    """Name, description and mark come back whole, whatever the description says (without a mark of its own)."""
    description = description.replace("[", "(").strip()
    record = KeyRecord(id=7, comment=mapping.comment(name, description, OURS))
    assert mapping.comment_parts(record) == (name, description, OURS)


def test_a_keys_expiry_is_sent_in_whole_milliseconds() -> None:
    """Integers, whatever the time zone; whole seconds when read."""
    at = datetime(2026, 7, 1, 2, 0, 0, 999, tzinfo=timezone(timedelta(hours=2)))
    fields = mapping.key_fields(desired_key(expires=at))
    assert fields["expires"] == datetime(2026, 7, 1, tzinfo=UTC)
    body = mapping.key_to_create(fields, "Viewer", OURS)
    assert body == {
        "roles": ["Viewer"],
        "security_level": "advanced",
        "comment": f"splunk: Key splunk {OURS}",
        "expiration": 1_782_864_000_000,
    }
    assert from_milliseconds(body["expiration"] + 999) == fields["expires"]


def test_security_levels_in_any_case() -> None:
    """Whether lists capitalise them is not known."""
    found = mapping.observed_key(KeyRecord(id=7, security_level="Standard", roles=["A"]), {"A": "1"}, None)
    assert found.fields["securityLevel"] == "standard"
    assert found.level_id == "1"
    assert mapping.observed_key(KeyRecord(id=7), {}, None).fields["securityLevel"] == ""


def test_a_roles_name_is_that_of_its_content() -> None:
    """Another content or generation is another name; the order of what it permits is not; read back it is ours."""
    fields = mapping.level_fields(LEVEL)
    name = mapping.role_name(fields, OURS)
    assert name.startswith("read-")
    assert len(name) == len("read-") + 8
    same = desired_level(name="read", description="Reads", permissions={"components": ["a_view", "rules_view"]})
    assert mapping.role_name(mapping.level_fields(same), OURS._replace(nonce="b" * 16)) == name
    others = [
        mapping.role_name(fields, OURS._replace(generation=4)),
        mapping.role_name(fields, OURS._replace(estate="1" * 16)),
        mapping.role_name({**fields, "description": "x"}, OURS),
        mapping.role_name({**fields, "permissions": permissions.canonical({"components": ["a_view"]})}, OURS),
    ]
    assert len({name, *others}) == 5
    assert "dataset_permissions" not in mapping.role_to_create(fields, OURS)
    found = mapping.observed_level(RoleRecord(role_id="r", pretty_name=name, description=f"Reads {OURS}"))
    assert (found.name, found.fields, found.mark) == ("read", {"name": "read", "description": "Reads"}, OURS)
    foreign = mapping.observed_level(
        RoleRecord(role_id="r", pretty_name="soc-0123abcd", is_custom=True, created_ts=1000)
    )
    assert (foreign.name, foreign.builtin) == ("soc-0123abcd", False)
    assert foreign.facts["created"] == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
