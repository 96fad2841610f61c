"""Digests: what they notice and what they leave out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.model.desired import KeyState, LevelRef, Source
from reconciler.plan import digest
from tests.support import builders as b

KEY, LEVEL = b.desired_key(rotation=b.rotation(), options={"locale": "en-US"}), b.desired_level()
AUDITOR = b.found_level(b.desired_level("Auditor"), "5", marked=None)


@pytest.mark.parametrize(
    "more",
    [
        {"owner": "x"}, {"state": KeyState.LOCKED}, {"protect": True}, {"options": {}}, {"expires": b.NOW},
        {"level": LevelRef("read", existing=True)}, {"rotation": b.rotation(30)}, {"secret_path": b.path_of("x")},
    ],
)  # fmt: skip
def test_every_wish_counts(more: dict[str, Any]) -> None:
    """Any field of the manifest changes the digest."""
    assert digest.wanted(replace(KEY, **more), LEVEL) != digest.wanted(KEY, LEVEL)


def test_place_in_the_manifests_does_not_count() -> None:
    """Moving a manifest to another file is no change."""
    moved = replace(KEY, source=Source("other.yaml", 99))
    assert digest.wanted(moved, replace(LEVEL, source=Source("b", 1))) == digest.wanted(KEY, LEVEL)


@pytest.mark.promise(6)
def test_promise_6_what_an_object_depends_on_counts() -> None:
    """Our level as wanted; an existing one as found: which one it is and what it may do, not its volatile facts."""
    assert digest.wanted(KEY, replace(LEVEL, permissions={})) != digest.wanted(KEY, LEVEL)
    found = digest.wanted(KEY, AUDITOR)
    assert digest.wanted(KEY, replace(AUDITOR, vendor_id="6")) != found
    assert digest.wanted(KEY, replace(AUDITOR, fields={**AUDITOR.fields, "permissions": {}})) != found
    assert digest.wanted(KEY, replace(AUDITOR, facts={"seen": b.NOW})) == found
    assert digest.wanted(KEY, None) != found


@pytest.mark.promise(6)
def test_promise_6_volatile_facts_are_left_out() -> None:
    """Last use changes nothing; a field, the name, the level, the mark and the record do."""
    key = b.found_key(KEY)
    found = digest.seen(key, b.record())
    assert digest.seen(replace(key, facts={"lastUsed": b.NOW + timedelta(days=1)}), b.record()) == found
    others = [
        replace(key, vendor_id="7"), replace(key, name="x"), replace(key, mark=None), replace(key, level_id=None),
        replace(key, fields={}),
    ]  # fmt: skip
    assert found not in {digest.seen(other, b.record()) for other in others}
    assert found not in {digest.seen(key, b.record(version=2)), digest.seen(key, None), digest.seen(None, b.record())}
