"""The fast pass: what YAML's core schema means, and when it gives up."""

from __future__ import annotations

import json
import math
import re

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reconciler.manifest import positions, reader
from reconciler.manifest.reader import MAX_DEPTH, Document, Unusual, values

SCALARS = {
    "no": "no",
    "yes": "yes",
    "on": "on",
    "y": "y",
    "2027-06-30": "2027-06-30",
    "12:30:45": "12:30:45",
    "0o17": 15,
    "0x1F": 31,
    "017": 17,
    "-12": -12,
    "+3": 3,
    "1_000": "1_000",
    "1.5": 1.5,
    "1.": 1.0,
    ".5": 0.5,
    "-1e3": -1000.0,
    "6e-2": 0.06,
    ".inf": math.inf,
    "-.Inf": -math.inf,
    "+.INF": math.inf,
    "~": None,
    "": None,
    "null": None,
    "Null": None,
    "true": True,
    "TRUE": True,
    "False": False,
    "tRue": "tRue",
    "0b1": "0b1",
    "-": "-",
    "1.2.3": "1.2.3",
    "90d": "90d",
    '"no"': "no",
    "'1'": "1",
}


def plain(text: str) -> list[object]:
    return [document.value for document in values(text.encode())]


@pytest.mark.parametrize(("text", "value"), [item for item in SCALARS.items() if item[0] != "-"])
def test_scalars(text: str, value: object) -> None:
    """Plain scalars follow YAML 1.2's core schema; quoted ones are texts."""
    [document] = plain(f"a: {text}\nb: [{text}]\n") if text else plain("a:\nb:\n- \n")

    assert document == {"a": value, "b": [value]}
    assert type(document["a"]) is type(value)  # type: ignore[index]


def test_nan() -> None:
    """`.nan` is a float."""
    [document] = plain("a: .nan")
    assert math.isnan(document["a"])  # type: ignore[index]


def test_documents() -> None:
    """Documents are numbered and begin at their first key; empty ones are left out but counted."""
    text = "# c\n---\n---\na: 1\n---\n~\n--- # x\n\n  [1, {b: 2}]\n---\ntext\n"
    assert list(values(text.encode())) == [
        Document(1, {"a": 1}, 4, 1),
        Document(3, [1, {"b": 2}], 9, 3),
        Document(4, "text", 11, 1),
    ]


def test_nested() -> None:
    """Mappings and lists nest in each other in any order, block and flow."""
    [document] = plain("a:\n  - b: {c: [1, [2], {}]}\n    d: |\n      x\n      y\n  - []\ne: f\n")
    assert document == {"a": [{"b": {"c": [1, [2], {}]}, "d": "x\ny\n"}, []], "e": "f"}


def test_same_text_is_one_object() -> None:
    """Texts that repeat are kept once."""
    [[one, other]] = plain("[some-long-text, some-long-text]")  # type: ignore[misc]
    assert one is other


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read before is forgotten when there is too much of it."""
    monkeypatch.setattr(reader, "_MOST_TEXTS", 10)
    for number in range(5):
        plain(f"[{', '.join(f'text-{number}-{n}' for n in range(10))}]")
    assert len(reader._MEMORY.texts) <= 20


def test_quoted_and_plain_apart() -> None:
    """A word that was seen quoted still means what it means when plain, and the other way round."""
    assert plain('["true", true, "true", 1, "1", "", ~, \'\']') == [["true", True, "true", 1, "1", "", None, ""]]
    assert plain('{"1": a, "true": b}') == [{"1": "a", "true": "b"}]


def test_byte_order_mark() -> None:
    """A UTF-8 byte order mark is no part of the text."""
    assert [d.value for d in values(b"\xef\xbb\xbfa: \xc3\xa4\n")] == [{"a": "ä"}]


UNUSUAL = {
    "duplicate key": "a: 1\na: 2",
    "duplicate quoted key": "a: 1\n'a': 2",
    "number as a key": "1: 2",
    "null as a key": "~: 2",
    "boolean as a key": "true: 2",
    "list as a key": "? [a]\n: 1",
    "mapping as a key": "? {a: b}\n: 1",
    "merge key": "<<: {a: 1}",
    "anchor": "a: &x 1",
    "anchor on a mapping": "a: &x {b: 1}",
    "alias": "a: *x",
    "tag": "a: !!str 1",
    "tag on a list": "a: !x [1]",
    "control character": '"\\e"',
    "control character in a key": '"\\0": 1',
    "number too long": f"a: {'9' * 101}",
    "syntax": "a: [",
    "tab": "a:\n\t- b",
    "UTF-16": "\ufeffa: 1".encode("utf-16-le").decode("latin-1"),
    "deep": "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
    "deep mapping": "{a: " * (MAX_DEPTH + 1) + "}" * (MAX_DEPTH + 1),
    "NUL": "a: \0",
}


@pytest.mark.parametrize("text", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_unusual(text: str) -> None:
    """What the fast pass cannot do, it leaves to the careful one."""
    with pytest.raises(Unusual):
        list(values(text.encode("latin-1") if text.startswith("\xff") else text.encode()))


def test_before_unusual() -> None:
    """Documents before the unusual place are given."""
    found = []
    with pytest.raises(Unusual):
        found.extend(iter_all := values(b"a: 1\n---\nb: &x 1\n"))
    assert found == [Document(0, {"a": 1}, 1, 1)]
    assert list(iter_all) == []


@pytest.mark.parametrize("text", ["a: R&D", "a: wow!", "a: 2*3"])
def test_markers_within_text(text: str) -> None:
    """A `&`, `!` or `*` within a text is nothing unusual."""
    assert plain(text) == [{"a": text[3:]}]


def test_deepest() -> None:
    """The deepest nesting allowed is read."""
    assert plain("[" * MAX_DEPTH + "]" * MAX_DEPTH)


# --- properties ---------------------------------------------------------------------------------------------------------

TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"], exclude_characters="\ufeff"), max_size=20
)
WORDS = st.sampled_from(
    ["no", "true", "~", "", "<", "a b", "2027-01-01", "0o7", "0x1f", "1e3", "-", "#", ": x", "'", '"', "&a", "*a", "!t"]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | TEXT
    | WORDS
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT | WORDS, inner, max_size=4),
    max_leaves=20,
)


@given(TREES)
@settings(deadline=None)
def test_json_is_yaml(tree: object) -> None:
    """JSON reads as what it says."""
    text = json.dumps(tree, ensure_ascii=False).encode()
    assert list(values(text)) == ([] if tree is None else [Document(0, tree, 1, 1)])


class Writer(yaml.SafeDumper):
    """Writes block style, with texts in one of the three quoted styles and no aliases."""

    text_style = '"'

    def ignore_aliases(self, data: object) -> bool:
        return True

    def represent_text(self, data: str) -> yaml.Node:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=self.text_style)


Writer.add_representer(str, Writer.represent_text)


@given(st.lists(TREES, max_size=3), st.sampled_from(["'", '"', "|", ">"]))
@settings(deadline=None)
def test_what_pyyaml_writes(trees: list[object], style: str) -> None:
    """Documents in block style are read as they were, by both passes, whatever the style of their texts."""
    writer = type("Styled", (Writer,), {"text_style": style})
    data = yaml.dump_all(
        trees, Dumper=writer, default_flow_style=False, allow_unicode=True, explicit_start=True
    ).encode()

    found = list(values(data))
    assert [document.value for document in found] == [tree for tree in trees if tree is not None]
    careful = positions.read(data)
    assert careful.documents == found
    assert careful.troubles == []


CORE_SCHEMA = [
    (r"null|Null|NULL|~", lambda text: None),
    (r"true|True|TRUE", lambda text: True),
    (r"false|False|FALSE", lambda text: False),
    (r"[-+]?[0-9]+", int),
    (r"0o[0-7]+", lambda text: int(text, 8)),
    (r"0x[0-9a-fA-F]+", lambda text: int(text, 16)),
    (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", float),
    (r"[-+]?(\.inf|\.Inf|\.INF)", lambda text: -math.inf if text[0] == "-" else math.inf),
]
"""The table of YAML 1.2.2, section 10.3.2, in its order; `.nan` has a test of its own."""


@given(
    st.one_of(*(st.from_regex(pattern, fullmatch=True) for pattern, _ in CORE_SCHEMA))
    | st.from_regex(r"[-+.0-9a-zA-Z_~]{1,12}", fullmatch=True)
)
@settings(deadline=None, max_examples=300)
def test_core_schema(text: str) -> None:
    """A plain scalar means what the first row of the specification's table says that matches it, else it is a text."""
    assume(len(text) <= 100 and text.isascii() and text.lower() != ".nan" and text != "-")
    wanted = next((meaning(text) for pattern, meaning in CORE_SCHEMA if re.fullmatch(pattern, text)), text)
    [[found]] = plain(f"[{text}]")  # type: ignore[misc]
    assert found == wanted
    assert type(found) is type(wanted)
