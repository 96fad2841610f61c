"""The careful pass over a YAML file: values as in `reader`, where each of them stands, aliases, and every problem by name.

It is run over files that the fast pass gave up on, and over those in which something turned out to be wrong.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import yaml
from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from reconciler.errors import foreign
from reconciler.manifest.reader import CONTROL, MAX_DEPTH, MERGE_KEY, Document, Unusual, resolve, values
from reconciler.manifest.scalars import kind_of, shown
from reconciler.suggest import did_you_mean

MAX_ALIASED: Final = 100_000
"""How many values the aliases of one file may repeat."""

_BREAK: Final = re.compile(r"\r\n|\r|\n")
_NOT_YAML: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOTHING: Final = object()


class Trouble(NamedTuple):
    """Something wrong with a file as YAML."""

    line: int
    column: int
    code: str
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """Where a value stands, and what is in it: nodes by key with the key's own place, or by index."""

    line: int
    column: int
    fields: dict[str, tuple[int, int, Node]] = field(default_factory=dict)
    items: list[Node] = field(default_factory=list)


class Place(NamedTuple):
    """A line and a column, counted from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Reading:
    """What the careful pass found. `complete` is False if the end of the file could not be read."""

    documents: list[Document] = field(default_factory=list)
    nodes: dict[int, Node] = field(default_factory=dict)
    """By the document's number."""
    troubles: list[Trouble] = field(default_factory=list)
    complete: bool = True

    def locate(self, number: int, path: Sequence[str | int], *, key: bool = False) -> Place | None:
        """Where a value of a document stands, or its key. What is not there is said to be where it is missing."""
        node = self.nodes.get(number)
        if node is None:
            return None
        place = Place(node.line, node.column)
        for depth, step in enumerate(path):
            if isinstance(step, str) and step in node.fields:
                line, column, node = node.fields[step]
                value = Place(node.line, node.column)
                place = value if depth == len(path) - 1 and not key else Place(line, column)
            elif isinstance(step, int) and step < len(node.items):
                node = node.items[step]
                place = Place(node.line, node.column)
            else:
                break
        return place


class _GiveUp(Exception):
    """The rest of the file cannot be read."""


class _Read(NamedTuple):
    """A value, where it stands, of how many values it consists, and how deeply they are nested."""

    value: Any
    node: Node
    size: int = 1
    height: int = 0


def documents(data: bytes) -> Sequence[Document]:
    """A file's documents by the fast pass, or by the careful one if that gives up. What is wrong with them is left out."""
    try:
        return list(values(data))
    except Unusual:
        return read(data).documents


def read(data: bytes) -> Reading:
    """Read a whole file. Raises nothing: what is wrong is in `troubles`."""
    careful = _Careful()
    try:
        careful.file(data)
    except _GiveUp:
        careful.reading.complete = False
    except yaml.YAMLError as error:
        careful.reading.complete = False
        careful.syntax(error)
    return careful.reading


class _Careful:
    def __init__(self) -> None:
        self.reading = Reading()
        self._text = ""
        self._events: Any
        self._anchors: dict[str, _Read | None] = {}
        """None for one that is not complete."""
        self._values = 0
        self._aliased = 0

    def file(self, data: bytes) -> None:
        self._text = text = self._decode(data)
        if found := _NOT_YAML.search(text):
            place = _place_in(text, found.start())
            code = f"U+{ord(found[0]):04X}"
            self._stop(*place, "control-character", f"the file holds the control character {code}", "remove it")
        self._events = yaml.CLoader(data)
        self._events.get_event()  # the stream's start
        number = 0
        while self._events.get_event().__class__ is DocumentStartEvent:
            self._anchors = {}
            value, node, _, _ = self._value(self._events.get_event(), 0)
            if value is not None and value is not _NOTHING:
                self.reading.documents.append(Document(number, value, node.line, node.column))
                self.reading.nodes[number] = node
            self._events.get_event()  # the document's end
            number += 1

    def syntax(self, error: yaml.YAMLError) -> None:
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        parts = [error.problem, error.context] if isinstance(error, MarkedYAMLError) else [str(error)]
        what = ", ".join(part for part in parts if part)
        lines = _BREAK.split(self._text)
        tab = line <= len(lines) and lines[line - 1][column - 1 : column] == "\t"
        hint = "indent with spaces, not tabs" if tab else ""
        self._trouble(line, column, "syntax", f"this is not YAML: {foreign(what)}", hint)

    def _trouble(self, line: int, column: int, code: str, what: str, hint: str = "") -> None:
        self.reading.troubles.append(Trouble(line, column, code, what, hint))

    def _stop(self, line: int, column: int, code: str, what: str, hint: str = "") -> None:
        self._trouble(line, column, code, what, hint)
        raise _GiveUp

    def _decode(self, data: bytes) -> str:
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = data[: error.start].decode("utf-8-sig")
            place = _place_in(before, len(before))
            looks = "UTF-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else f"byte 0x{data[error.start]:02x}"
            self._stop(*place, "encoding", f"the file is not UTF-8 ({looks})", "save it as UTF-8")
            raise AssertionError from error  # pragma: no cover  _stop raises

    def _value(self, event: Any, depth: int) -> _Read:
        """The value that begins with this event."""
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if event.__class__ is AliasEvent:
            return self._alias(str(event.anchor), line, column, depth)
        if event.tag is not None:
            hint = "tags are not used in manifests: quote what is meant to be a text"
            self._trouble(line, column, "tag", f"the tag {event.tag!r} is not known", hint)
        node = Node(line, column)
        self._values += 1
        if event.__class__ is ScalarEvent:
            read = _Read(self._scalar(event, line, column), node)
        else:
            if depth >= MAX_DEPTH:
                self._too_deep(line, column)
            if event.anchor is not None:
                self._anchors[event.anchor] = None
            collection = self._mapping if event.__class__ is MappingStartEvent else self._list
            read = collection(node, depth + 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = read
        return read

    def _alias(self, name: str, line: int, column: int, depth: int) -> _Read:
        if name not in self._anchors:
            hint = did_you_mean(name, self._anchors)
            self._trouble(line, column, "alias", f"the alias *{name} refers to no anchor", hint)
            return _Read(_NOTHING, Node(line, column))
        anchor = self._anchors[name]
        if anchor is None:
            what = f"the alias *{name} stands within its own anchor"
            self._trouble(line, column, "alias", what, "a value cannot hold itself")
            return _Read(_NOTHING, Node(line, column))
        if depth + anchor.height > MAX_DEPTH:
            self._too_deep(line, column)
        self._aliased += anchor.size
        if self._aliased > MAX_ALIASED + 20 * self._values:
            what = f"the aliases of this file expand to more than {MAX_ALIASED} values"
            self._stop(line, column, "alias-bomb", what, "write the values out, or use fewer aliases")
        return anchor

    def _too_deep(self, line: int, column: int) -> None:
        self._stop(line, column, "too-deep", f"the nesting is deeper than {MAX_DEPTH} levels")

    def _scalar(self, event: Any, line: int, column: int) -> Any:
        text: str = event.value
        if event.style:
            if found := CONTROL.search(text):
                self._trouble(
                    line, column, "control-character", f"the text holds the control character U+{ord(found[0]):04X}"
                )
            return text
        try:
            return resolve(text)
        except ValueError:
            self._trouble(line, column, "number", "the number is too long", "quote it if it is meant to be a text")
            return _NOTHING

    def _list(self, node: Node, depth: int) -> _Read:
        container: list[Any] = []
        size, height = 1, 0
        while (event := self._events.get_event()).__class__ is not SequenceEndEvent:
            read = self._value(event, depth)
            container.append(None if read.value is _NOTHING else read.value)
            node.items.append(read.node)
            size, height = size + read.size, max(height, read.height)
        return _Read(container, node, size, height + 1)

    def _mapping(self, node: Node, depth: int) -> _Read:
        container: dict[str, Any] = {}
        size, height = 1, 0
        while (event := self._events.get_event()).__class__ is not MappingEndEvent:
            line, column = event.start_mark.line + 1, event.start_mark.column + 1
            key = self._key(event, depth)
            read = self._value(self._events.get_event(), depth)
            size, height = size + 1 + read.size, max(height, read.height)
            if key is None:
                continue
            if key in node.fields:
                first = node.fields[key]
                what, hint = f"the key {shown(key)} is given twice", f"the first is at {first[0]}:{first[1]}"
                self._trouble(line, column, "duplicate-key", what, hint)
                continue
            node.fields[key] = (line, column, read.node)
            if read.value is not _NOTHING:
                container[key] = read.value
        return _Read(container, node, size, height + 1)

    def _key(self, event: Any, depth: int) -> str | None:
        """The text that begins with this event; None if it is none, which has been reported then."""
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if event.__class__ is ScalarEvent and not event.style and event.value == MERGE_KEY:
            hint = "YAML 1.2 has no merge keys; write the fields out, or use an alias for a whole value"
            self._trouble(line, column, "merge-key", "the merge key '<<' is not supported", hint)
            return None
        aliased = event.__class__ is AliasEvent
        key = self._value(event, depth).value
        if isinstance(key, str) and not aliased:
            return key
        if key is not _NOTHING:
            what = "an alias" if aliased else kind_of(key)
            hint = f'quote it: "{event.value}"' if event.__class__ is ScalarEvent and event.value else ""
            self._trouble(line, column, "key-type", f"a key must be a text, not {what}", hint)
        return None


def _place_in(text: str, index: int) -> Place:
    """The line and column of a position in a text."""
    line, start = 1, 0
    for found in _BREAK.finditer(text, 0, index):
        line, start = line + 1, found.end()
    return Place(line, index - start + 1)
