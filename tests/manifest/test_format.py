from __future__ import annotations

from collections import Counter

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reconciler.errors import InvalidInput
from reconciler.manifest.format import format_text
from reconciler.manifest.jsonschema import field_order
from reconciler.manifest.layout import parse


def fmt(text: str) -> str:
    written = format_text(text, "keys.yaml", field_order)
    assert format_text(written, "keys.yaml", field_order) == written
    return written


def test_fields_come_in_canonical_order_and_unknown_ones_last() -> None:
    """Field order is the models', at every depth; what they do not know keeps its order, after what they know."""
    assert fmt(
        "zeta: 1\nspec:\n  unknown: 1\n  another: 2\n  rotation: {overlap: 24h, every: 90d}\n  accessLevel: a\n"
        "  description: d\n"
        "kind: ApiKey\nmetadata:\n  labels: {b: x, a: y}\n  owner: o\n  tenant: t\n  name: n\napiVersion: reconciler/v1\n"
    ) == (
        "apiVersion: reconciler/v1\nkind: ApiKey\nmetadata:\n  name: n\n  tenant: t\n  owner: o\n  labels: {b: x, a: y}\n"
        "spec:\n  description: d\n  accessLevel: a\n  rotation: {every: 90d, overlap: 24h}\n  unknown: 1\n  another: 2\n"
        "zeta: 1\n"
    )


def test_a_document_of_no_known_kind_gets_the_frame_only() -> None:
    """Where the kind is missing or unknown, only the fields that every manifest has are put in order."""
    assert fmt("spec: {b: 1, a: 2}\nkind: Else\n") == "kind: Else\nspec: {b: 1, a: 2}\n"
    assert (
        fmt("spec: {b: 1, a: 2}\nmetadata: {tenant: t, name: n}\n")
        == "metadata: {name: n, tenant: t}\nspec: {b: 1, a: 2}\n"
    )


def test_lists_of_mappings_are_ordered_too() -> None:
    """A list's items have the order of the list's field, however deep."""
    estate = "kind: Estate\nspec:\n  limits: {deletes: {floor: 1, ratio: 0.1}}\n"
    assert fmt(estate) == "kind: Estate\nspec:\n  limits: {deletes: {ratio: 0.1, floor: 1}}\n"
    assert fmt("kind: ApiKey\nspec: {allowedIPs: [{networkList: a}, 203.0.113.0/28]}\n").endswith(
        "allowedIPs: [{networkList: a}, 203.0.113.0/28]}\n"
    )


COMMENTED = """\

# licence

# about the document
kind: ApiKey # on kind
# on apiVersion
apiVersion: reconciler/v1
spec: # on spec
    # on state

    # more on state
    state: active   # behind state
    description: d
    accessLevel:
      # on the value
      siem   # behind the value
    options:
    # on locale
    - locale   # behind locale
    - # behind the dash
      a: 1
    -
      # below the dash
      b: 2
      # closes b
    # closes options
    # closes spec


# on metadata
metadata: {tenant: t, name: n}
# end
--- # second
# about the second
a: 1
"""

ORDERED = """\
# licence

# about the document
# on apiVersion
apiVersion: reconciler/v1
kind: ApiKey  # on kind

# on metadata
metadata: {name: n, tenant: t}
spec:  # on spec
  description: d
  accessLevel:
    # on the value
    siem  # behind the value
  # on state

  # more on state
  state: active  # behind state
  options:
    # on locale
    - locale  # behind locale
    -  # behind the dash
      a: 1
    -
      # below the dash
      b: 2
      # closes b
    # closes options
    # closes spec
# end
---  # second
# about the second
a: 1
"""


def test_comments_move_with_what_they_stand_before_or_behind() -> None:
    """Each comment stays with its field, its block or its document."""
    assert fmt(COMMENTED) == ORDERED


def test_what_heads_the_document_stays_there() -> None:
    """A comment set off by a blank line belongs to the document, one right above a field to the field."""
    text = "# heading\n\n# on spec\nspec: {}\nkind: ApiKey\n"
    assert fmt(text) == "# heading\n\nkind: ApiKey\n# on spec\nspec: {}\n"
    assert fmt("# of all\nkind: ApiKey\napiVersion: reconciler/v1\n").startswith("# of all\napiVersion")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a:   1\n", "a: 1\n"),
        ("a: 1", "a: 1\n"),
        ("\n\na: 1\n\n\n", "a: 1\n"),
        ("a: 1\n\n\n\nb: 2\n", "a: 1\n\nb: 2\n"),
        ("a:\n      b: 1\n", "a:\n  b: 1\n"),
        ("a:\n- 1\n-   - 2\n    - 3\n", "a:\n  - 1\n  - - 2\n    - 3\n"),
        ("a: {b: 1,c : [1,2 , ]}\n", "a: {b: 1, c: [1, 2]}\n"),
        ("a: { }\nb: [ ]\n", "a: {}\nb: []\n"),
        ("a: {b, c: }\n", "a: {b, c}\n"),
        ("a: [b: 1]\n", "a: [{b: 1}]\n"),
        ("a: 1\r\nb: |\r\n  x\r\n  y\r\n", "a: 1\nb: |\n  x\n  y\n"),
        ("\ufeffa: 1\n", "a: 1\n"),
        ("---\na: 1\n...\n---\nb: 1\n...\n", "---\na: 1\n---\nb: 1\n"),
        ("--- {a: 1}\n--- text\n", "---\n{a: 1}\n---\ntext\n"),
        ("a: 1 # x\n", "a: 1  # x\n"),
        ("", ""),
        ("\n# only\n\n\n# comments\n\n", "# only\n\n# comments\n"),
        ("---\n# nothing\n---\n", "---\n# nothing\n---\n"),
        ("a:\n- &x !!map\n  b: 1\n- *x\n", "a:\n  - &x !!map\n    b: 1\n  - *x\n"),
        ("a: &x   # c\n    b: 1\n", "a: &x  # c\n  b: 1\n"),
        ("a: &x {b:   1}\n", "a: &x {b:   1}\n"),
        ("&k a: 1\n*k : 2\n", "&k a: 1\n*k : 2\n"),
        ("{*k : 2}\n".replace("*k", "&k a"), "{&k a: 2}\n"),
        ("a:\n   b: 1\n\n   # x\n\n   # y\n\nc: 2\n", "a:\n  b: 1\n\n  # x\n\n  # y\n\nc: 2\n"),
        ("a:\n   b:\n     c: 1\n     # c\n   # b\n# d\nd: 2\n", "a:\n  b:\n    c: 1\n    # c\n  # b\n# d\nd: 2\n"),
        ("!x\n- 1\n", "!x\n- 1\n"),
        ("- 1\n# on two\n- 2\n", "- 1\n# on two\n- 2\n"),
    ],
)  # fmt: skip
def test_style(before: str, after: str) -> None:
    """Two-space indentation, one blank line at most, documents set apart by `---`, nothing else around them."""
    assert fmt(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("'abc'", "abc"),
        ('"secops@example.com"', "secops@example.com"),
        ("'https://vault.example.com:8200'", "https://vault.example.com:8200"),
        ('"Splunk ingestion"', "Splunk ingestion"),
        ("'90d'", "90d"),
        ("'203.0.113.0/28'", "203.0.113.0/28"),
        ("'é'", "é"),
    ],
)  # fmt: skip
def test_quotes_that_nobody_needs_go(before: str, after: str) -> None:
    """A text that every YAML reader reads as that text loses its quotes."""
    assert fmt(f"a: {before}\n") == f"a: {after}\n"


KEPT = [
    "no", "'no'", '"no"', "'y'", "'On'", "'null'", "'~'", "''", '""', "' x'", "'a: b'", "'a #b'", "'a:'", "'- a'", "'#a'",
    "'*a'", "0o17", "'0o17'", "017", "'017'", "'0x1F'", "'1_000'", "'12:30'", "'12:30:45.5'", "1.0e+3", "'1e3'", "'.5'",
    "'1.'", "'+1'", "'.inf'", "-.INF", "'.NaN'", "2027-06-30", "'2027-06-30'", "'2027-06-30T12:00:00Z'", "90d", "~", "null",
    "'='", "'<<'", "'@a'", "'`a'", "'%a'", "'!a'", "'[a'", "'{a'", "'a, b'", "'? a'", '"a\\tb"', "'203.0.113.7'", "!!str 1",
    "!!str '1'", "'1.2.3'", "x" * 500, "'---'", "'...'", "'-'",
]  # fmt: skip


@pytest.mark.parametrize("value", KEPT)
def test_spellings_stay(value: str) -> None:
    """Plain values always keep their spelling; quoted ones wherever some reader would take the text for something else."""
    assert fmt(f"a: {value}\n") == f"a: {value}\n"
    assert fmt(f"a: [{value}]\n") == f"a: [{value}]\n"


def test_quotes_in_flow_collections_stay_where_a_colon_is() -> None:
    """Readers differ on plain texts with colons between brackets."""
    assert fmt("a: ['b:c', \"d\"]\n") == "a: ['b:c', d]\n"


@pytest.mark.parametrize("header", ["|", "|-", "|+", ">", ">-", ">+", "|  # hdr", "&x |", "!!str >-"])
def test_block_scalars_are_moved_as_a_whole(header: str) -> None:
    """The content keeps its own shape and is indented with the key."""
    text = f"a:\n     b: {header}\n        one \n\n          two\n        three\n     c: 1\n"
    assert fmt(text) == f"a:\n  b: {header}\n    one \n\n      two\n    three\n  c: 1\n"


@pytest.mark.parametrize("header", ["|2", "|-2  # hdr", ">2+"])
def test_block_scalars_keep_a_given_indentation(header: str) -> None:
    """What begins with spaces says how deep it is indented; that stays true."""
    text = f"a:\n     b: {header}\n         one\n       two\n     c: 1\n"
    assert fmt(text) == f"a:\n  b: {header}\n      one\n    two\n  c: 1\n"


def test_a_block_scalar_keeps_the_blank_lines_that_are_its_own() -> None:
    """`+` keeps blank lines at the end; elsewhere they are between fields."""
    assert fmt("a: |+\n    x\n\n\nb: |\n   y\n\n\nc: 1\n") == "a: |+\n  x\n\n\nb: |\n  y\n\nc: 1\n"
    assert fmt("a: |+\n  x\n\n") == "a: |+\n  x\n\n"
    assert fmt("a: |\n\n\nb: 1\n") == "a: |\n\nb: 1\n"


def test_a_last_line_without_a_line_feed_gets_one_that_is_no_part_of_the_text() -> None:
    """An editor that leaves out the last line feed has changed the value; it stays as it is read."""
    assert fmt("a: |  # c\n   x") == "a: |-  # c\n  x\n"
    assert fmt("a: >2+\n  x") == "a: >2-\n  x\n"
    assert fmt("a: |-\n  x") == "a: |-\n  x\n"


def test_texts_of_several_lines_are_not_folded_anew() -> None:
    """Line breaks inside quotes and plain texts stay where they are; what follows is indented with the key."""
    assert fmt('a:\n    b: "one\n\n       two"   # c\n    d: three\n     four\n') == (
        'a:\n  b: "one\n\n    two"  # c\n  d: three\n    four\n'
    )


def test_flow_collections_of_several_lines_keep_their_shape() -> None:
    """Somebody laid them out by hand; they move as a whole."""
    assert fmt("a:\n    b: {c: 1,  # one\n        d: [2,\n    3]\n    }\n") == (
        "a:\n  b: {c: 1,  # one\n      d: [2,\n    3]\n  }\n"
    )
    assert fmt("a: [\n  1,\n\n  2\n]\n") == "a: [\n  1,\n\n  2\n]\n"


def test_an_alias_never_comes_before_its_anchor() -> None:
    """Where the order of fields would break an alias, the order stays as it is."""
    text = "spec:   {options: &o {a: 1}}\nmetadata: {labels: *o}\nkind: ApiKey\n"
    assert fmt(text) == "spec: {options: &o {a: 1}}\nmetadata: {labels: *o}\nkind: ApiKey\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [\n", "keys.yaml:3:1"),
        ("a: 'x\n", "keys.yaml:2:1"),
        ("a: *nothing\n", "keys.yaml:1:4"),
        ("a: \x00\n", "keys.yaml: "),
        ("%YAML 1.2\n---\na: 1\n", "keys.yaml:1:1: a directive"),
        ("a: 1\n? b\n: 2\n", "keys.yaml:2:1: an explicit key"),
        ("[" * 5000 + "]" * 5000, "keys.yaml"),
    ],
)
def test_what_cannot_be_laid_out_is_refused_with_its_place(text: str, message: str) -> None:
    """No YAML, or YAML that a manifest has no use for: a message with file, line and column."""
    with pytest.raises(InvalidInput) as problem:
        format_text(text, "keys.yaml", field_order)
    assert message in str(problem.value)
    assert "\x00" not in str(problem.value)


def test_nothing_is_written_that_would_mean_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """The formatter reads what it wrote; were it wrong, it would say so instead."""
    monkeypatch.setattr("reconciler.manifest.format._write", lambda *_: "a: 2\n")
    with pytest.raises(InvalidInput, match="without a change of meaning"):
        format_text("a: 1\n", "keys.yaml", field_order)
    monkeypatch.setattr("reconciler.manifest.format._write", lambda *_: "a: [\n")
    with pytest.raises(InvalidInput, match="without a change of meaning"):
        format_text("a: 1\n", "keys.yaml", field_order)


def test_losing_a_comment_counts_as_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comments are checked as values are."""
    monkeypatch.setattr("reconciler.manifest.format._write", lambda *_: "a: 1\n")
    with pytest.raises(InvalidInput, match="without a change of meaning"):
        format_text("a: 1  # gone\n", "keys.yaml", field_order)


# --- any text -----------------------------------------------------------------------------------------------------------


def loaded(text: str) -> list[object]:
    try:
        return list(yaml.load_all(text, Loader=yaml.BaseLoader))
    except yaml.YAMLError as problem:  # PyYAML's composer knows fewer texts than libyaml's parser
        return [type(problem)]


SCALARS = st.sampled_from(
    [*KEPT, "a", "'b c'", '"d"', "|\n      text\n       more", ">-\n         folded\n\n         text",
     '"one\n          two"',
     "plain\n          text", "[1, 'x']", "{b: 1, a: 'q'}", "[1,\n        2]", "&a x", "", "!!null", "|+\n        keep\n\n"]
)  # fmt: skip
NAMES = st.sampled_from(
    [
        "apiVersion",
        "kind",
        "metadata",
        "name",
        "tenant",
        "spec",
        "rotation",
        "every",
        "overlap",
        "x",
        "'y'",
        '"no"',
        "&k z",
    ]
)
COMMENTS = st.sampled_from(["", "", "", "# one", "#two", "# drei ä", "\n", "\n\n# four\n"])


@st.composite
def blocks(draw: st.DrawFn, indent: int = 0, depth: int = 3) -> str:
    """A block mapping or list, carelessly written."""
    mapping = draw(st.booleans()) or not depth
    margin, lines = " " * indent, []
    for name in draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)):
        for comment in draw(st.lists(COMMENTS, max_size=2)):
            shift = draw(st.sampled_from([0, 0, 0, 2, 5]))
            lines.append(" " * (indent + shift) + comment if comment.startswith("#") else comment)
        head = f"{margin}{name}:" if mapping else f"{margin}-"
        behind = draw(st.sampled_from(["", "", "", "  # behind"]))
        if depth and draw(st.booleans()):
            deeper = indent + draw(st.sampled_from([1, 2, 4]))
            lines.append(f"{head}{behind}")
            lines.append(draw(blocks(deeper, depth - 1)))
        else:
            value = draw(SCALARS).replace("\n  ", "\n" + margin + "  ")
            lines.append(f"{head} {value}" + ("" if "\n" in value and value[0] in "|>" else behind))
    return "\n".join(lines)


def test_the_order_of_the_other_kinds() -> None:
    """Approvals, scopes and users have an order, too; what the provider defines keeps its own."""
    written = fmt(
        "spec: {until: 2031-01-01, action: prune, object: ApiKey/x}\nmetadata: {tenant: t, name: a}\nkind: Approval\n"
        "---\nkind: Scope\nspec:\n  scope: {b: 1, a: 2}\n  description: x\n"
        "---\nkind: ApiKey\nmetadata: {tenant: t, previousNames: [q], name: b}\nspec: {scope: x, serviceUser: u}\n"
    )
    assert written == (
        "kind: Approval\nmetadata: {name: a, tenant: t}\nspec: {object: ApiKey/x, action: prune, until: 2031-01-01}\n"
        "---\nkind: Scope\nspec:\n  description: x\n  scope: {b: 1, a: 2}\n"
        "---\nkind: ApiKey\nmetadata: {name: b, previousNames: [q], tenant: t}\nspec: {serviceUser: u, scope: x}\n"
    )


@settings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.lists(blocks(), min_size=1, max_size=2), st.sampled_from(["", "---\n", "# head\n\n", "# head\n---\n"]))
@example(["a: 1"], "")
def test_formatting_twice_changes_nothing_and_meaning_and_comments_stay(documents: list[str], head: str) -> None:
    """Any text of ours either is refused in a sentence, or is brought in a form that stays, with all it says."""
    text = head + "\n---\n".join(documents) + "\n"
    try:
        parse(text, "keys.yaml")
    except InvalidInput:
        return
    written = fmt(text)
    assert loaded(text) == loaded(written)
    assert Counter(parse(text, "f").comments) == Counter(parse(written, "f").comments)
    assert written.endswith("\n")
    assert not written.endswith("\n\n") or "|+" in written


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ab:-#[]{},'\"|>&*!?% \n\t~01"), max_size=40))
def test_any_text_is_formatted_or_refused(text: str) -> None:
    """No text makes the formatter stumble: what YAML can read, it can lay out, or it says why not."""
    try:
        fmt(text)
    except InvalidInput as problem:
        refused = str(problem)
    else:
        refused = ""
    # A tag may stand for a value that is not there; `validate` refuses every tag, so it is left at a refusal here too.
    assert "change of meaning" not in refused or "\t" in text or "!" in text
