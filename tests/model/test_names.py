"""Names, values and actions: what their texts and shapes are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.action import ActionKind, Operation
from reconciler.model.desired import LevelRef, Source, VaultPath
from reconciler.model.names import NAME, NAME_PATTERN, Kind, ObjectId
from tests.support import builders as b


@given(st.sampled_from(Kind), st.from_regex(NAME_PATTERN.replace("$", r"\Z")))
def test_object_id_round_trip(kind: Kind, name: str) -> None:
    """Text and back."""
    assert ObjectId.parse(str(ObjectId(kind, name))) == ObjectId(kind, name)


@pytest.mark.parametrize(
    "text", ["", "ApiKey", "ApiKey/", "ApiKey/-a", "ApiKey/A", "Role/a", "ApiKey/a\n", "ApiKey/a/b"]
)
def test_object_id_that_is_none(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError):  # noqa: PT011  enum and names word it differently
        ObjectId.parse(text)


@pytest.mark.parametrize(
    ("name", "good"), [("a", True), ("a.b-c9", True), ("a" * 63, True), ("a" * 64, False), ("a.", False)]
)
def test_names(name: str, good: bool) -> None:
    """Up to 63 characters, ending like they begin."""
    assert bool(NAME.fullmatch(name)) == good


def test_texts() -> None:
    """What people read."""
    assert str(Source("a.yaml", 3, 5)) == "a.yaml:3:5"
    assert repr(Source("a.yaml", 3)) == "Source(a.yaml:3:1)"
    assert [str(LevelRef("a")), str(LevelRef("a", existing=True))] == ["a", "a (existing)"]


@pytest.mark.parametrize(
    ("path", "under", "lies"),
    [("a/b", "a", True), ("a", "a", True), ("a/b", "a/", True), ("ab", "a", False), ("a", "a/b", False)],
)
def test_path_lies_under_another(path: str, under: str, lies: bool) -> None:
    """By whole segments, within one mount."""
    assert VaultPath("secret", path).lies_under(VaultPath("secret", under)) == lies
    assert not VaultPath("other", path).lies_under(VaultPath("secret", under))


def test_action_knows_what_it_wants() -> None:
    """A key's action has a key, a level's a level; asking for the other is a mistake of ours."""
    key = b.action(desired=b.desired_key())
    level = b.action(ActionKind.DELETE, Operation.DELETE, object=b.level_id(), desired=b.desired_level())
    nothing = b.action(ActionKind.DELETE, Operation.DELETE)
    assert (key.key.name, level.level.name) == ("splunk", "read")
    assert (str(key.source), nothing.source) == ("keys.yaml:7:3", None)
    for ask in (lambda: key.level, lambda: level.key, lambda: nothing.key):
        with pytest.raises(TypeError, match="wants no"):
            ask()
