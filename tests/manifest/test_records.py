"""What a file's manifests say survives the way through plain data, exactly."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifest import records
from reconciler.manifest.drafts import ListName, Place
from reconciler.model.desired import IgnoredDrift, KeyState, LevelRef, Rotation, Source, Strategy
from reconciler.model.names import Kind
from tests.manifest.estates import manifest

PLACE = Place(3, 1, Source("k.yaml", 7, 1))
FULL = b"""\
apiVersion: reconciler/v1
kind: ApiKey
metadata: {name: splunk, tenantSelector: {matchLabels: {env: prod}}, owner: secops@example.com, previousNames: [old, older]}
spec:
  description: "  Splunk \\u00e9  "
  serviceUser: siem
  expires: 2027-06-30
  rotation: {every: 1d, overlap: 1h, strategy: overlap, holdWhileUsed: true}
  state: locked
  protect: true
  options: {locale: en-US, list: [1, 2.5, null, true]}
  allowedIPs: [203.0.113.0/28, {networkList: egress}]
  scope: {assets: [a]}
  reissueAfter: 1969-12-31T23:59:59Z
  ignoreDrift: [{fields: [description, state], reason: testing, until: 2027-06-30}]
"""


def through(data: bytes) -> list[records.Entry]:
    """What a file says, by way of bytes."""
    found = records.entries(data)
    assert found is not None
    again = [tuple(entry) for entry in records.decode(records.encode(found))]
    assert again == found
    return again  # type: ignore[return-value]


def test_every_field_of_a_key() -> None:
    """A draft says all that the manifest says, in the model's own types."""
    [(number, line, column, content)] = through(FULL)
    assert (number, line, column) == (0, 1, 1)
    assert isinstance(content, list)
    draft = records.Keys().draft(content, PLACE)
    assert draft.place is PLACE
    assert (draft.name, draft.tenant, draft.selector, draft.owner) == (
        "splunk", None, {"env": "prod"}, "secops@example.com",
    )  # fmt: skip
    assert draft.description == "Splunk é"
    assert draft.level == LevelRef("siem", kind=Kind.SERVICE_USER)
    assert draft.expires == datetime(2027, 7, 1, tzinfo=UTC)
    assert draft.rotation == Rotation(
        timedelta(days=1), timedelta(hours=1), Strategy.OVERLAP, timedelta(hours=12), hold_while_used=True
    )
    assert draft.state is KeyState.LOCKED
    assert draft.protect is True
    assert draft.options == {"locale": "en-US", "list": [1, 2.5, None, True]}
    assert draft.allowed_ips == ("203.0.113.0/28", ListName("egress"))
    assert draft.scope == {"assets": ["a"]}
    assert draft.previous_names == ("old", "older")
    assert draft.reissue_after == datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)
    until = datetime(2027, 7, 1, tzinfo=UTC)
    assert draft.ignore_drift == (IgnoredDrift(("description", "state"), until, "testing"),)


def test_levels_of_every_kind() -> None:
    """A level of ours, one that the vendor ships, and a user that somebody else manages are told apart."""
    keys = records.Keys()
    level = next(line for line in FULL.split(b"\n") if b"serviceUser" in line)
    drafts = [
        keys.draft(content, PLACE)
        for given in (b"accessLevel: siem", b"accessLevel: {existing: siem}", b"serviceUser: {existing: siem}")
        for *_, content in through(FULL.replace(level, b"  " + given))
        if isinstance(content, list)
    ]
    assert [draft.level for draft in drafts] == [
        LevelRef("siem"),
        LevelRef("siem", existing=True),
        LevelRef("siem", existing=True, kind=Kind.SERVICE_USER),
    ]


def test_what_keys_have_in_common_is_kept_once() -> None:
    """Equal levels, rotations, networks and texts of thousands of keys are one object."""
    keys = records.Keys()
    one, other = (
        keys.draft(content, PLACE)
        for *_, content in through(FULL) + through(FULL.replace(b"name: splunk", b"name: soar"))
        if isinstance(content, list)
    )
    for field in ("level", "rotation", "allowed_ips", "owner", "description"):
        assert getattr(one, field) is getattr(other, field), field


def test_other_kinds_are_kept_as_they_are() -> None:
    """Of any other kind the entry is the document's value."""
    level = manifest("AccessLevel", "l", "permissions: {a: [.inf]}", tenant="t").encode()
    [entry, key] = through(b"---\n" + level + b"---\n" + FULL)
    assert entry == (0, 2, 1, {
        "apiVersion": "reconciler/v1", "kind": "AccessLevel", "metadata": {"name": "l", "tenant": "t"},
        "spec": {"permissions": {"a": [float("inf")]}},
    })  # fmt: skip
    assert key[:2] == (1, 8)


def test_files_that_need_care_have_none() -> None:
    """Aliases, broken YAML, and a document that is not valid: somebody has to look, every time."""
    for data in (FULL.replace(b"{locale", b"&a {locale"), b"a: [\n", FULL + b"  x: 1\n", b"--- 7\n", b"\xff\xfea"):
        assert records.entries(data) is None, data
    assert records.entries(b"") == []


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8"))
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
)


@given(st.dictionaries(st.text(max_size=9), TREES, max_size=3), st.integers(0, 9), st.integers(1, 999), st.booleans())
def test_any_tree_survives(tree: dict[str, Any], number: int, line: int, wrapped: bool) -> None:
    """Whatever plain values a document holds, the bytes are one line, and give the same values of the same types."""
    entry: records.Entry = (number, line, 1, [tree] if wrapped else tree)
    encoded = records.encode([entry])
    assert len(encoded.splitlines()) == 1
    [again] = records.decode(encoded)
    assert repr(tuple(again)) == repr(entry)
    assert json.loads(encoded)


@given(st.integers(-62135596800, 253402300799))
def test_any_moment_survives(seconds: int) -> None:
    """Every second that a manifest can name."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    assert records._moment(records._seconds(moment) or 0) == moment


def test_digest_is_of_the_content() -> None:
    """Other bytes have another digest."""
    assert records.digest(b"a") != records.digest(b"b")
    assert len(records.digest(b"")) == 64
