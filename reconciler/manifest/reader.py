"""YAML to plain values, straight from libyaml's event stream.

Two passes share this module's rules. `values` is the fast one: no positions but each document's first, and it gives up with
`Unusual` at anything but plain mappings, lists and scalars. `positions.read` is the careful one, for files in which the fast
one gave up or a problem was found: it knows where every value stands, resolves aliases, and names every problem.

Scalars follow YAML 1.2's core schema: `no` and `2027-06-30` are texts, `0o17` and `0x1f` are numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

import yaml
from yaml.events import DocumentStartEvent, MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceEndEvent

MAX_DEPTH: Final = 50
MERGE_KEY: Final = "<<"
CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
"""Characters that only an escape in double quotes can bring into a value, and that no value may hold."""

_NUMBER: Final = re.compile(
    r"(?P<int>[-+]?[0-9]+)|0o(?P<octal>[0-7]+)|0x(?P<hex>[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)"
    r"|(?P<sign>[-+])?\.(?P<inf>inf|Inf|INF)|\.(?P<nan>nan|NaN|NAN)"
)
_WORDS: Final[dict[str, bool | None]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_MARKERS: Final = (b"!", b"&", b"*")
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_SPECIAL_STARTS: Final = frozenset("0123456789+-.~nNtTfF")
_LONGEST_NUMBER: Final = 100
_NOT_SEEN: Final = object()


class Unusual(Exception):
    """The file holds something that needs the careful pass."""


class Document(NamedTuple):
    """One YAML document that is not empty, and where its content begins (counted from 1)."""

    number: int
    """Its place among all documents of the file, empty ones included."""
    value: Any
    line: int
    column: int


def resolve(text: str) -> Any:  # noqa: PLR0911  one return per kind of scalar
    """What a plain scalar means in YAML 1.2's core schema. ValueError for a number of unreasonable length."""
    if text and text[0] not in _SPECIAL_STARTS:
        return text
    if text in _WORDS:
        return _WORDS[text]
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(text)
    match found.lastgroup:
        case "int":
            return int(text)
        case "octal":
            return int(found["octal"], 8)
        case "hex":
            return int(found["hex"], 16)
        case "inf":
            return float(f"{found['sign'] or ''}inf")
        case "nan":
            return float("nan")
        case _:
            return float(text)


def may_hold(data: bytes, words: Iterable[bytes]) -> bool:
    """Whether one of some ASCII words may stand in a file, for those who would rather not read all of it."""
    return data.startswith(_UTF16) or any(word in data for word in words)


def values(data: bytes) -> Iterator[Document]:
    """The documents of a file, fast. Raises `Unusual` where only `positions.read` can help; documents before it are good.

    Equal plain scalars are one object in memory, across files too: manifests repeat themselves.
    """
    if data.startswith(_UTF16):
        raise Unusual
    get_event = yaml.CLoader(data).get_event
    try:
        yield from _documents(_plain_only(get_event) if any(map(data.__contains__, _MARKERS)) else get_event)
    except (yaml.YAMLError, ValueError):
        raise Unusual from None


def _plain_only(get_event: Callable[[], Any]) -> Callable[[], Any]:
    """Refuse anchors, aliases and tags. Files without a `&`, `*` or `!` are spared this."""

    def get() -> Any:
        event = get_event()
        if getattr(event, "anchor", None) is not None or getattr(event, "tag", None) is not None:
            raise Unusual
        return event

    return get


def _documents(get_event: Callable[[], Any]) -> Iterator[Document]:
    memory = _MEMORY
    if len(memory.texts) > _MOST_TEXTS:
        memory.forget()
    get_event()  # the stream's start
    number = 0
    while get_event().__class__ is DocumentStartEvent:
        event = get_event()
        scalar = event.__class__ is ScalarEvent
        value = memory.scalar(event) if scalar else _collection(event, get_event, memory)
        if value is not None:
            yield Document(number, value, event.start_mark.line + 1, event.start_mark.column + 1)
        get_event()  # the document's end
        number += 1


class _Memory:
    """Scalars that were seen before, and what they mean, which does not depend on where they stand."""

    __slots__ = ("keys", "others", "texts")

    def __init__(self) -> None:
        self.keys: dict[str, str] = {}
        """Texts that are keys in whatever style they are written."""
        self.texts: dict[str, str] = {}
        """Texts that are texts in whatever style they are written."""
        self.others: dict[str, Any] = {}
        """Numbers and words, which mean this only when plain."""

    def forget(self) -> None:
        """Make room."""
        self.keys.clear()
        self.texts.clear()
        self.others.clear()

    def scalar(self, event: Any) -> Any:
        text: str = event.value
        if event.style:
            if event.style == '"' and CONTROL.search(text):
                raise Unusual
            return text
        value = self.others.get(text, _NOT_SEEN)
        if value is _NOT_SEEN:
            value = resolve(text)
            if value.__class__ is str:
                self.texts[text] = text
            else:
                self.others[text] = value
        return value

    def key(self, event: Any) -> str:
        text: str = event.value
        if event.style:
            if CONTROL.search(text):
                raise Unusual
        elif text == MERGE_KEY or resolve(text).__class__ is not str:
            raise Unusual
        else:
            self.keys[text] = text
        return text


_MEMORY: Final = _Memory()
_MOST_TEXTS: Final = 20_000


def _collection(event: Any, get_event: Callable[[], Any], memory: _Memory) -> Any:
    """The mapping or list that begins with this event. One loop, for calls would cost more than the work in it."""
    known_key, known_text, scalar = memory.keys.get, memory.texts.get, memory.scalar
    outer: list[Any] = []
    mapping = event.__class__ is MappingStartEvent
    current: Any = {} if mapping else []
    inner: Any
    for event in iter(get_event, None):  # pragma: no branch  # noqa: PLR1704  the next event
        cls = event.__class__
        if cls is ScalarEvent:
            if not mapping:
                current.append(known_text(event.value) or scalar(event))
                continue
            key = known_key(event.value) or memory.key(event)
            if key in current:
                raise Unusual
            event = get_event()  # noqa: PLW2901
            cls = event.__class__
            if cls is ScalarEvent:
                current[key] = known_text(event.value) or scalar(event)
                continue
            current[key] = inner = {} if cls is MappingStartEvent else []
        elif cls is MappingEndEvent or cls is SequenceEndEvent:
            if not outer:
                return current
            current = outer.pop()
            mapping = current.__class__ is dict
            continue
        elif mapping:  # a collection as a key
            raise Unusual
        else:
            inner = {} if cls is MappingStartEvent else []
            current.append(inner)
        outer.append(current)
        current = inner
        mapping = cls is MappingStartEvent
        if len(outer) >= MAX_DEPTH:
            raise Unusual
    raise Unusual  # pragma: no cover  libyaml ends what it began
