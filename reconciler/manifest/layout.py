"""YAML text as a tree that remembers its text: where each node stands, and which comments and blank lines belong to it.

`fmt` prints such trees. A value keeps its own spelling, for the text between a node's start and end is all that is ever
printed of it; only what lies between nodes (indentation, order, blank lines) is the formatter's.

libyaml tells where tokens are; what lies between two tokens is white space and comments, so nothing else has to be parsed.
A comment on a line of its own belongs to what follows it, unless it is indented deeper than that: then it closes the
block before. A comment that ends a line belongs to what it stands behind.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from reconciler.errors import InvalidInput, foreign
from reconciler.manifest.reader import MAX_DEPTH

_COMMENT: Final = re.compile(r"#[^\n]*")
_PROPERTIES: Final = re.compile(r"[&!]\S*(?:\s+[&!]\S*)?")
_INDENTATION: Final = ("while parsing a block", "mapping values are not allowed", "could not find expected ':'")
"""What libyaml says when, most often, a line is indented wrongly."""
_BLANK_LINE: Final = re.compile(r"\n[ \t]*\n")


@dataclass(slots=True)
class Node:
    """A value. `text` is its own spelling; of a block collection, what stands before its first entry (anchor, tag)."""

    start: int
    column: int
    text: str = ""
    value: str = ""
    """Scalars: the value that the text spells."""
    style: str = ""
    """Scalars: empty (plain), a quote, `|` or `>`."""
    entries: list[Entry] | None = None
    """Collections: the entries."""
    mapping: bool = False
    flow: bool = False
    tagged: bool = False
    """Whether an anchor or a tag stands before it."""
    parent: int = 0
    """Column of the block collection that it stands in."""
    comment: str = ""
    """The comment at the end of its (last) line."""
    tail: list[str] = field(default_factory=list)
    """Block collections: comments and blank lines after the last entry."""

    @property
    def block(self) -> bool:
        """Whether it is a collection that is written by indentation."""
        return self.entries is not None and not self.flow


@dataclass(slots=True)
class Entry:
    """A key with its value, or a sequence's item. An empty text in `before` and `between` is a blank line."""

    key: Node | None
    value: Node
    before: list[str] = field(default_factory=list)
    comment: str = ""
    """A comment right behind the key or the dash, when the value begins on a later line."""
    between: list[str] = field(default_factory=list)
    """Comments between that line and a value which is no block."""


@dataclass(slots=True)
class Document:
    """One document: what precedes its `---`, whether there is one, and its root."""

    prologue: list[str]
    explicit: bool
    comment: str
    head: list[str]
    root: Node


@dataclass(slots=True)
class Stream:
    """All of a file. `tail`: what a file without documents consists of."""

    documents: list[Document]
    tail: list[str]
    comments: list[str]
    """All comments, in the order of the text."""


def parse(text: str, file: str) -> Stream:
    """Read a text whose lines end with a line feed. InvalidInput, with the place in `file`, when it is no YAML."""
    try:
        return _Parser(text, file).stream()
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file
        what = ", ".join(part for part in (problem.problem, problem.context) if part)
        raise InvalidInput(f"this is not YAML: {foreign(what)}", where=place, hint=_hint(text, what, mark)) from None
    except yaml.YAMLError as problem:
        raise InvalidInput(f"this is not YAML: {foreign(str(problem))}", where=file) from None


def _hint(text: str, what: str, mark: Any) -> str:
    """What a person should look at: most often it is the indentation."""
    lines = text.split("\n")
    if mark is not None and mark.line < len(lines) and lines[mark.line][mark.column : mark.column + 1] == "\t":
        return "indent with spaces, not tabs"
    if any(sign in what for sign in _INDENTATION):
        return "check the indentation here and above, and quote a text that holds ': '"
    return ""


def _start(item: Any) -> int:
    """Where a token or an event starts: a number of characters."""
    index: int = item.start_mark.index
    return index


def _end(item: Any) -> int:
    index: int = item.end_mark.index
    return index


_OPENS: Final = (
    yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken, yaml.BlockSequenceStartToken, yaml.BlockMappingStartToken,
)  # fmt: skip
_CLOSES: Final = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)


class _Parser:
    """Walks libyaml's events. `cursor` is the end of what was last read: comments up to there have found their place."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.dashes: list[int] = []
        self.comments: list[tuple[int, str]] = list(self._scan())
        self.starts = [index for index, _ in self.comments]
        self.events: Iterator[Any] = yaml.parse(text, Loader=yaml.CSafeLoader)
        self.anchors: set[str | None] = set()
        self.cursor = 0
        self.depth = 0
        self.last: Node | None = None

    def _scan(self) -> Iterator[tuple[int, str]]:
        end = depth = 0
        for token in yaml.scan(self.text, Loader=yaml.CSafeLoader):
            start = _start(token)
            depth += isinstance(token, _OPENS) - isinstance(token, _CLOSES)
            if depth > MAX_DEPTH:
                return  # each further level costs libyaml more than the last; `_node` says where it is too deep
            for found in _COMMENT.finditer(self.text, end, max(start, end)):
                yield found.start(), found[0].rstrip()
            end = max(end, _end(token))
            if isinstance(token, yaml.BlockEntryToken):
                self.dashes.append(start)
            if isinstance(token, yaml.DirectiveToken) or (
                isinstance(token, yaml.KeyToken) and _end(token) > start  # a key without '?' has no width
            ):
                what = "a directive" if isinstance(token, yaml.DirectiveToken) else "an explicit key ('? key')"
                place = f"{self.file}:{self.text.count(chr(10), 0, start) + 1}:{self._column(start) + 1}"
                raise InvalidInput(
                    f"{what} is not something that fmt can lay out", where=place, hint="write it without"
                )

    def _place(self, index: int) -> str:
        line = self.text.count("\n", 0, index) + 1
        return f"{self.file}:{line}:{self._column(index) + 1}"

    def _check_alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            raise InvalidInput(f"the alias *{event.anchor} has no anchor before it", where=self._place(_start(event)))

    # --- what lies between nodes ---

    def _column(self, index: int) -> int:
        return index - (self.text.rfind("\n", 0, index) + 1)

    def _take(self, upto: int) -> tuple[str, list[tuple[int, str]]]:
        """What lies between the cursor and `upto`: the comment on the cursor's line, and (column, text) of other lines."""
        lines: list[tuple[int, str]] = []
        behind, position = "", self.cursor
        for index, comment in self.comments[bisect_left(self.starts, self.cursor) : bisect_left(self.starts, upto)]:
            if self.cursor and "\n" not in self.text[self.cursor : index]:
                behind = comment
            else:
                self._blank(lines, position, index)
                lines.append((self._column(index), comment))
            position = index
        self._blank(lines, position, upto)
        self.cursor = max(self.cursor, upto)
        return behind, lines

    def _blank(self, lines: list[tuple[int, str]], start: int, end: int) -> None:
        if _BLANK_LINE.search(self.text, start, end) or (not start and self.text.startswith("\n")):
            lines.append((-1, ""))

    def _close(self, block: Node | None, upto: int, column: int) -> list[str]:
        """Take what lies before `upto`; give what closes `block` (indented deeper than `column`) to it, return the rest."""
        behind, lines = self._take(upto)
        if behind and self.last is not None:
            self.last.comment = behind
        own = next((i for i, (at, text) in enumerate(lines) if text and at <= column), len(lines))
        if own == len(lines):
            own = max((i + 1 for i, (_, text) in enumerate(lines) if text), default=0)
        elif own and not lines[own - 1][1]:
            own -= 1
        for at, text in self._closing(lines[:own], block):
            at.tail.append(text)
        return [text for _, text in (lines if block is None else lines[own:])]

    def _closing(self, lines: list[tuple[int, str]], block: Node | None) -> Iterator[tuple[Node, str]]:
        """The innermost open blocks that lines belong to; a later line can only close more of them."""
        if block is None:
            return
        open_blocks = [block]
        while (entries := open_blocks[-1].entries) and entries[-1].value.block:
            open_blocks.append(entries[-1].value)
        blank = False
        for at, text in lines:
            if not text:
                blank = True
                continue
            while len(open_blocks) > 1 and open_blocks[-1].column > at:
                open_blocks.pop()
            if blank:
                yield open_blocks[-1], ""
            blank = False
            yield open_blocks[-1], text

    # --- nodes ---

    def stream(self) -> Stream:
        next(self.events)
        documents: list[Document] = []
        previous: Node | None = None
        while isinstance(event := next(self.events), yaml.DocumentStartEvent):
            prologue: list[str] = []
            if event.explicit:
                prologue = self._finish(previous, _start(event))
                self.cursor = _end(event)
            self.anchors.clear()
            documents.append(self._document(prologue, bool(event.explicit)))
            previous = documents[-1].root
            next(self.events)
        tail = self._finish(previous, len(self.text))
        return Stream(documents, tail, [text for _, text in self.comments])

    def _finish(self, previous: Node | None, upto: int) -> list[str]:
        rest = self._close(previous if previous is not None and previous.block else None, upto, -1)
        if previous is None:
            return rest
        previous.tail.extend(text for text in rest if text)
        return []

    def _document(self, prologue: list[str], explicit: bool) -> Document:
        event = next(self.events)
        behind, lines = self._take(_start(event))
        head = [text for _, text in lines]
        self.last = None
        return Document(prologue, explicit, behind, head, self._node(event, 0))

    def _node(self, event: Any, parent: int) -> Node:
        """Read a node whose first event is given; the cursor is at its start, or before it if it is a block."""
        start = _start(event)
        node = Node(start, event.start_mark.column, parent=parent)
        if isinstance(event, yaml.AliasEvent):
            self._check_alias(event)
        else:
            node.tagged = event.anchor is not None or event.tag is not None
            self.anchors.add(event.anchor)
        if isinstance(event, yaml.CollectionStartEvent):
            if self.depth >= MAX_DEPTH:
                raise InvalidInput(f"the nesting is deeper than {MAX_DEPTH} levels", where=self._place(start))
            self.depth += 1
            node.mapping = isinstance(event, yaml.MappingStartEvent)
            node.flow = bool(event.flow_style)
            node.entries = []
            if node.flow:
                self._flow(node)
            else:
                if node.tagged:
                    properties = _PROPERTIES.match(self.text, start)
                    node.text = " ".join(properties[0].split()) if properties else ""
                self._block(node, node.mapping)
            self.depth -= 1
        else:
            end = _end(event)
            if isinstance(event, yaml.ScalarEvent):
                node.value, node.style = event.value, event.style or ""
                if node.style in ("|", ">"):
                    end = self._end_of_block_scalar(start, end)
            node.text = self.text[start:end]
            self.cursor = max(self.cursor, end)
        self.last = self.last if node.block else node
        return node

    def _end_of_block_scalar(self, start: int, end: int) -> int:
        """Without the last line feed, and without blank lines that are not part of the value."""
        lines = self.text[start:end].split("\n")
        if "+" in lines[0].partition("#")[0]:
            lines = lines if lines[-1] else lines[:-1]
        else:
            while not lines[-1].strip(" "):
                lines.pop()
        return start + len("\n".join(lines))

    def _flow(self, node: Node) -> None:
        entries: list[Entry] = []
        while not isinstance(event := next(self.events), yaml.CollectionEndEvent):
            key = None
            if node.mapping:
                key = self._node(event, node.parent)
                event = next(self.events)
            entries.append(Entry(key, self._node(event, node.parent)))
        node.entries = entries
        node.text = self.text[node.start : _end(event)]
        self.cursor = max(self.cursor, _end(event))

    def _block(self, node: Node, mapping: bool) -> None:
        entries: list[Entry] = []
        node.entries = entries
        while not isinstance(event := next(self.events), yaml.CollectionEndEvent):
            start = _start(event)
            if not mapping:
                start = self.dashes[bisect_left(self.dashes, start) - 1]
            if not entries:
                node.column = self._column(start)
            previous = entries[-1].value if entries else None
            if previous is not None:
                before = self._close(previous if previous.block else None, start, node.column)
            else:
                behind, lines = self._take(start)
                before = [*([behind] if behind else []), *(text for _, text in lines)]
            key = None
            if mapping:
                key = self._node(event, node.column)
                event = next(self.events)
            else:
                self.cursor = start + 1
            entry = Entry(key, Node(0, 0), before)
            entries.append(entry)
            self._value(entry, event, node.column)

    def _value(self, entry: Entry, event: Any, column: int) -> None:
        """Read an entry's value, and the comments between it and its key or dash."""
        start = _start(event)
        if isinstance(event, yaml.CollectionStartEvent) and not event.flow_style:
            entry.comment = self._comment_behind()
        else:
            entry.comment, lines = self._take(start)
            entry.between = [text for _, text in lines if text]
        entry.value = self._node(event, column)

    def _comment_behind(self) -> str:
        """The comment that ends the cursor's line, unless a node stands in between."""
        position = bisect_left(self.starts, self.cursor)
        if position < len(self.comments):
            index, comment = self.comments[position]
            if re.fullmatch(r"[ \t]*:?[ \t]*(?:[&!]\S*[ \t]*)*", self.text[self.cursor : index]):
                self.cursor = index + 1
                return comment
        return ""
