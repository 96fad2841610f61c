"""The expression language: what is wrong is said with its place, what would not end is refused, nothing raises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.cel import Failure, Language, Mistake
from reconciler.model.policy import MAX_LENGTH, VARIABLES, Type

NOW = datetime(2026, 6, 1, tzinfo=UTC)
WITHIN = {"one": {"params.within": timedelta(days=3)}, "two": {"params.names": ("a", "b")}}
USUAL: dict[Type, Any] = {
    Type.TEXT: "splunk", Type.BOOL: True, Type.INT: 2, Type.TIME: NOW, Type.DURATION: timedelta(days=90),
    Type.TEXTS: ["203.0.113.0/28", "x"], Type.LABELS: {"env": "prod"}, Type.TREE: {"a": {"b": [1, None, "c"]}},
}  # fmt: skip


def values(**given: Any) -> dict[str, Any]:
    """A value for each variable."""
    return {one.name: USUAL[one.type] for one in VARIABLES} | {
        name.replace("_", "."): value for name, value in given.items()
    }


@pytest.mark.parametrize(
    ("text", "line", "column", "what", "hint"),
    [
        ("key.ownr == ''", 1, 4, "there is no variable or function key.ownr", "did you mean 'key.owner'?"),
        ("key.owner == '' &&\n  kye.name == ''", 2, 6, "there is no variable or function kye.name", "did you mean"),
        ("key.owner ==", 1, 13, "Syntax error", ""),
        ("key.owner.startsWith(3)", 1, 21, "no matching overload for 'startsWith' applied to '(string, int)'", ""),
        ("key.protect == 'yes'", 1, 13, "applied to '(bool, string)'", ""),
        ("level == 'x'", 1, 1, "there is no variable or function level", "there are level.kind, level.name"),
        ("frob(key.name)", 1, 5, "there is no variable or function frob", ""),
        ("key.name", 0, 0, "gives a string, not a bool", "compare it with something"),
        ("has(key.expires)", 1, 1, "key.expires is always there", "write key.expires != null"),
        ("has(params.within)", 1, 1, "params.within is always there", "!= null"),
        ("[1].map(x, x) == []", 1, 5, "map() is not available", "exists()"),
        ("1+1+1+1+1+1 == 6", 0, 0, "more than 4 '+'", "builds no texts"),
        ("'" + "x" * MAX_LENGTH + "' == ''", 0, 0, f"longer than {MAX_LENGTH} characters", "several rules"),
        ("(" * 100 + "true" + ")" * 100, 0, 0, "recursion limit", ""),
        ("!" * 40 + "(" * 40 + "true" + ")" * 40, 0, 0, "recursion limit", ""),
        ("key.name" + ".a" * 60, 0, 0, "recursion depth", ""),
    ],
)  # fmt: skip
def test_mistakes_have_a_place_and_a_way_out(text: str, line: int, column: int, what: str, hint: str) -> None:
    """Line and column in the expression, what is wrong with it, and what would be right where that can be told."""
    found = Language(VARIABLES, WITHIN).check(text, "one")
    assert isinstance(found, Mistake)
    assert (found.line, found.column) == (line, column)
    assert what in found.what
    assert hint in found.hint
    assert "\n" not in found.what


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("has(key.labels.env) && !has(key.labels.none) && 'env' in key.labels", True),
        ("key.labels['env'] == 'prod' && key.labels.env == 'prod'", True),
        ("key.allowedIPs.all(n, n != '') && key.allowedIPs.exists(n, n.endsWith('/28'))", True),
        ("key.allowedIPs.exists_one(n, n == 'x') && key.allowedIPs.filter(n, n == 'x') == ['x']", True),
        ("key.name.startsWith('s') && key.name.endsWith('k') && key.name.contains('plu')", True),
        ("key.name.matches('^s[a-z]+$') && size(key.name) == 6 && key.name.size() == 6", True),
        ("key.expires > timestamp('2026-05-31T00:00:00Z') && key.expires.getFullYear() == 2026", True),
        ("key.rotation.every == duration('2160h') && now + key.rotation.every > now", True),
        ("key.options.a.b[0] == 1 && key.options.a.b[1] == null && key.options.a.b[2] == 'c'", True),
        ("key.protect ? level.keys + 1 == 3 : false", True),
        ("level.keys > 1 ? 'many' : 'few'", "many"),
        ("key.labels.none == '' || true", True),
        ("'a has(key.name) + + + + + + .map(x) b' == ''", False),
    ],
)  # fmt: skip
def test_the_language_is_the_language(text: str, value: object) -> None:
    """A small list of conformance: entries, macros, texts, times, types, short circuits; literals are left alone."""
    spoken = Language(VARIABLES)
    assert spoken.check(text, wanted=None) is None
    assert spoken.evaluation(values()).value(text) == value


def test_what_is_absent_is_null() -> None:
    """Types are known all the same, so that a mistake is found while every key has a value."""
    spoken = Language(VARIABLES)
    there, absent = spoken.evaluation(values()), spoken.evaluation(values(key_expires=None, key_rotation_every=None))
    ask = "key.expires != null && key.expires <= now + duration('1h')"
    assert [there.value(ask), absent.value(ask), there.value(ask)] == [True, False, True]
    assert [one.value("key.rotation.every == null") for one in (there, absent)] == [False, True]
    assert [one.value("now") for one in (there, absent)] == [NOW, NOW]
    assert isinstance(absent.value("key.expires < now"), Failure)
    assert absent.value("key.expires.getFullYear() > 1") == Failure(
        "No matching overloads found : (null_type).getFullYear()"
    )


def test_constants_belong_to_their_scope() -> None:
    """A rule has its own parameters, under the same names as another's, and none of another's."""
    spoken = Language(VARIABLES, WITHIN | {"three": {"params.within": 7}})
    evaluation = spoken.evaluation(values())
    assert evaluation.value("params.within", "one") == timedelta(days=3)
    assert evaluation.value("params.within + 1", "three") == 8
    assert evaluation.value("'b' in params.names", "two") is True
    assert spoken.check("params.within > duration('1h')", "one") is None
    for scope in ("two", "three", ""):
        assert spoken.check("params.within > duration('1h')", scope) is not None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("key.labels.none == ''", 'Key not found in map : "none"'),
        ("level.keys / 0 == 1", "divide by zero"),
        ("now - timestamp('9999-12-31T00:00:00Z') < duration('1h')", "overflow"),
        ("key.name.matches('[')", "invalid regular expression"),
        ("key.options.a.c == 1", "Key not found"),
        ("key.options.a > 1", "No matching overloads"),
        ("timestamp('nonsense') < now", "conversion failed"),
    ],
)
def test_what_has_no_value_says_why(text: str, why: str) -> None:
    """A failure, in one line, without the library's codes."""
    found = Language(VARIABLES).evaluation(values()).value(text)
    assert isinstance(found, Failure)
    assert why in found.what
    assert "INVALID_ARGUMENT" not in found.what


@pytest.mark.parametrize(
    "text",
    [
        "('a' + key.name).matches('^(a+)+$')",
        "key.name.matches('(a{1,1000}){1,1000}')",
        "key.allowedIPs.all(a, key.allowedIPs.all(b, key.allowedIPs.all(c, key.allowedIPs.all(d, a != b + c + d))))",
    ],
)
@pytest.mark.timeout(10)
def test_what_would_not_end_ends(text: str) -> None:
    """Regular expressions take linear time, and iterations are counted."""
    spoken = Language(VARIABLES)
    assert spoken.check(text) is None
    many = values(key_name="a" * 5000 + "!", key_allowedIPs=[str(number) for number in range(200)])
    assert spoken.evaluation(many).value(text) in (False, True) or isinstance(
        spoken.evaluation(many).value(text), Failure
    )


@pytest.mark.parametrize("wrong", ["\ud800", 2**80, object(), {1: 2}, [None], NOW])
def test_a_value_of_a_wrong_type_is_a_failure(wrong: object) -> None:
    """What the language cannot hold is told where it is asked for, and is no exception."""
    evaluation = Language(VARIABLES).evaluation(values(key_name=wrong, key_options={"x": wrong}))
    assert isinstance(evaluation.value("key.name == 'a'"), Failure)


_PARTS = st.sampled_from(
    ["key.name", "key.expires", "key.labels", "key.options.a", "level.keys", "now", "'x'", "1", "null", "true", "[1]",
     " == ", " && ", " || ", " - ", " + ", " in ", "!", "(", ")", ".exists(i, ", ".matches('(')", "has(", ".size()",
     "duration('1h')", "{", "}", "\n", "é", "?", ":"]
)  # fmt: skip
_TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(_PARTS, max_size=12).map("".join) | st.text(max_size=40),
    st.dictionaries(st.text(max_size=3), _TREES, max_size=3),
)
def test_nothing_raises(text: str, tree: dict[str, Any]) -> None:
    """Whatever is asked of whatever: an expression is refused, or has a value, or fails."""
    spoken = Language(VARIABLES)
    found = spoken.check(text, wanted=None)
    value = spoken.evaluation(values(key_options=tree, key_expires=None)).value(text)
    assert found is None or isinstance(value, Failure) or found.what
