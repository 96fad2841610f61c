"""The careful pass: where everything stands, aliases, and problems by name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifest import positions
from reconciler.manifest.positions import MAX_ALIASED, Place, Trouble
from reconciler.manifest.reader import MAX_DEPTH, Unusual, values

TEXT = """\
# first line
kind: Tenant
metadata: {name: a, labels: {env: prod}}
spec:
  list:
    - one
    - two: 2
  'quoted key': |
    text
  empty:
---
x: 1
"""


@pytest.mark.parametrize(
    ("number", "path", "key", "place"),
    [
        (0, (), False, (2, 1)),
        (0, ("kind",), False, (2, 7)),
        (0, ("kind",), True, (2, 1)),
        (0, ("metadata", "labels", "env"), False, (3, 35)),
        (0, ("metadata", "labels", "env"), True, (3, 30)),
        (0, ("spec", "list", 0), False, (6, 7)),
        (0, ("spec", "list", 1, "two"), False, (7, 12)),
        (0, ("spec", "list", 1, "two"), True, (7, 7)),
        (0, ("spec", "quoted key"), True, (8, 3)),
        (0, ("spec", "quoted key"), False, (8, 17)),
        (0, ("spec", "empty"), False, (10, 9)),
        (0, ("spec", "missing"), False, (4, 1)),
        (0, ("spec", "list", 7), False, (5, 3)),
        (0, ("kind", "deeper"), False, (2, 1)),
        (1, ("x",), False, (12, 4)),
    ],
)
def test_places(number: int, path: tuple[str | int, ...], key: bool, place: tuple[int, int]) -> None:
    """Keys and values are found; what is missing is said to be where it is missing."""
    assert positions.read(TEXT.encode()).locate(number, path, key=key) == Place(*place)


def test_no_such_document() -> None:
    """A document that is not there (the file changed meanwhile) has no place."""
    assert positions.read(b"a: 1").locate(3, ()) is None


def troubles(text: str | bytes) -> list[Trouble]:
    return positions.read(text if isinstance(text, bytes) else text.encode()).troubles


@pytest.mark.parametrize(
    ("text", "line", "column", "code", "what", "hint"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "duplicate-key", "the key 'a' is given twice", "the first is at 1:1"),
        ("x: {a: 1, a: {a: 2}}", 1, 11, "duplicate-key", "the key 'a' is given twice", "the first is at 1:5"),
        ("a:\n  1: 2\n", 2, 3, "key-type", "a key must be a text, not a number", 'quote it: "1"'),
        ("no: 1\ntrue: 2\n", 2, 1, "key-type", "a key must be a text, not a boolean", 'quote it: "true"'),
        ("a:\n  ~: 2\n", 2, 3, "key-type", "a key must be a text, not nothing", 'quote it: "~"'),
        ("? [a]\n: 1", 1, 3, "key-type", "a key must be a text, not a list", ""),
        ("? {a: 1}\n: 1", 1, 3, "key-type", "a key must be a text, not a mapping", ""),
        ("a: &x b\n*x : 1", 2, 1, "key-type", "a key must be a text, not an alias", ""),
        (
            "a: &x {b: 1}\nc:\n  <<: *x\n",
            3,
            3,
            "merge-key",
            "the merge key '<<' is not supported",
            "YAML 1.2 has no merge keys",
        ),
        ("a: !!int 3", 1, 4, "tag", "the tag 'tag:yaml.org,2002:int' is not known", "tags are not used"),
        ("a: !vault [x]", 1, 4, "tag", "the tag '!vault' is not known", "tags are not used"),
        ("a: &base 1\nb: *bas", 2, 4, "alias", "the alias *bas refers to no anchor", "did you mean 'base'?"),
        ("a: &x [1, *x]", 1, 11, "alias", "the alias *x stands within its own anchor", "a value cannot hold itself"),
        ('a: "b\\e"', 1, 4, "control-character", "the text holds the control character U+001B", ""),
        ("a: b\x07", 1, 5, "control-character", "the file holds the control character U+0007", "remove it"),
        ("a: b\r\nc: \0", 2, 4, "control-character", "the file holds the control character U+0000", "remove it"),
        (f"a: [1, {'9' * 101}]", 1, 8, "number", "the number is too long", "quote it"),
        (f"{'9' * 101}: 1", 1, 1, "number", "the number is too long", "quote it"),
        ("a: [1\nb: 2", 2, 2, "syntax", "this is not YAML: did not find expected ',' or ']'", ""),
        ("a:\n\tb: 1", 2, 1, "syntax", "this is not YAML: found character that cannot start any token", "not tabs"),
        ("a: b: c", 1, 5, "syntax", "this is not YAML: mapping values are not allowed", ""),
        ("%YAML 3.0\n---\na: 1", 1, 1, "syntax", "this is not YAML: found incompatible YAML document", ""),
        (b"a: 1\nbc: \xff\n", 2, 5, "encoding", "the file is not UTF-8 (byte 0xff)", "save it as UTF-8"),
        ("a: ä".encode("utf-16"), 1, 1, "encoding", "the file is not UTF-8 (UTF-16)", "save it as UTF-8"),
    ],
)
def test_troubles(text: str | bytes, line: int, column: int, code: str, what: str, hint: str) -> None:
    """What is wrong is named, with its place and what would be right."""
    [found] = troubles(text)

    assert (found.line, found.column, found.code) == (line, column, code)
    assert found.what.startswith(what)
    assert hint in found.hint


def test_all_of_them() -> None:
    """Every problem of a file is found, and what is right is read."""
    reading = positions.read(b"a: 1\na: 2\n1: x\nb: !t 3\n---\nc: 1\nc: 2\n")

    assert [(trouble.line, trouble.code) for trouble in reading.troubles] == [
        (2, "duplicate-key"),
        (3, "key-type"),
        (4, "tag"),
        (7, "duplicate-key"),
    ]
    assert [document.value for document in reading.documents] == [{"a": 1, "b": 3}, {"c": 1}]
    assert reading.complete


def test_before_a_syntax_error() -> None:
    """Documents before a syntax error are read, and the reading says that it is not complete."""
    reading = positions.read(b"a: 1\n---\nb: [\n---\nc: 1\n")

    assert [document.value for document in reading.documents] == [{"a": 1}]
    assert not reading.complete


def test_aliases() -> None:
    """An alias is the anchor's value, and a problem in it is at the anchor."""
    reading = positions.read(b"a: &x {b: [1, 2]}\nc: *x\nd: [*x, &y z, *y]\n")

    [document] = reading.documents
    assert document.value == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}, "d": [{"b": [1, 2]}, "z", "z"]}
    assert reading.troubles == []
    assert reading.locate(0, ("c", "b", 1)) == Place(1, 15)
    assert reading.locate(0, ("c",), key=True) == Place(2, 1)


def test_anchors_end_with_the_document() -> None:
    """An alias does not reach into another document."""
    assert [trouble.code for trouble in troubles("a: &x 1\n---\nb: *x\n")] == ["alias"]


def test_alias_bomb() -> None:
    """Aliases of aliases of aliases are refused long before they fill the memory."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    [found] = troubles("\n".join(lines))

    assert found.code == "alias-bomb"
    assert found.line < 8
    assert str(MAX_ALIASED) in found.what


@pytest.mark.parametrize(
    "text",
    [
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        "{a: " * (MAX_DEPTH + 1) + "}" * (MAX_DEPTH + 1),
        "[" * 100_000,
        "a0: &a0 []\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 5_000)),
    ],
    ids=["lists", "mappings", "open", "aliases"],
)
def test_depth(text: str) -> None:
    """Nesting is bounded, by whatever means it is reached."""
    assert [trouble.code for trouble in troubles(text)] == ["too-deep"]


def test_byte_order_mark() -> None:
    """A byte order mark does not move the first line's columns."""
    reading = positions.read(b"\xef\xbb\xbfa: 1\n")
    assert reading.locate(0, ("a",)) == Place(1, 4)


def test_columns_count_characters() -> None:
    """Columns count characters, not bytes."""
    reading = positions.read("a: {ä€😀: 1, b: 2}".encode())
    assert reading.locate(0, ("a", "b"), key=True) == Place(1, 13)


@given(st.binary(max_size=200) | st.text("ab:-[]{}&*!|>'\"#%@,? \n\t\\x0~<", max_size=60).map(str.encode))
@settings(deadline=None, max_examples=500)
def test_any_bytes(data: bytes) -> None:
    """Whatever bytes come, the fast pass gives up or agrees with the careful one, which always ends with a verdict."""
    reading = positions.read(data)
    try:
        fast = list(values(data))
    except Unusual:
        return
    assert repr(fast) == repr(reading.documents)
    assert reading.troubles == []
    assert reading.complete
