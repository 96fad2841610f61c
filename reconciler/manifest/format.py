"""The formatter behind `reconciler fmt`: the usual order and style, comments kept, meaning untouched.

It lays out a tree of `layout` anew and lets every value keep its own spelling, save quotes that nobody needs. What it
wrote is read again and compared, values and comments, before anyone gets to see it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import yaml

from reconciler.errors import InvalidInput
from reconciler.manifest.layout import Document, Entry, Node, Stream, parse

Order = Mapping[str, Any]
"""Field names in their canonical order, each with the order of what is below it."""

_INDENT: Final = 2
_LINE_ENDS: Final = re.compile("\r\n?")
_INDICATORS: Final = re.compile(r"([|>])([-+1-9]{0,2})")
_KEEPS_BLANKS: Final = re.compile(r"(?:^|\s)[|>][1-9]?\+[1-9]?(?:\s+#.*)?$")
_SAFE: Final = re.compile(r"[\w./(][\w./@+=()%~-]*(?:[ :][\w./@+=()%~-]+)*")
_SAFE_IN_FLOW: Final = re.compile(r"[\w./(][\w./@+=()%~-]*(?: [\w./@+=()%~-]+)*")
_NOT_TEXT: Final = re.compile(
    # What YAML 1.2's core schema reads as something else, and YAML 1.1 by its letter (PyYAML's own list is shorter).
    r"(?:~|null|true|false|yes|no|on|off|y|n|[-+]?\.inf|\.nan|=|<<"
    r"|[-+]?(?:0o[0-7]+|0x[0-9a-f_]+|0b[01_]+|[0-9][0-9_]*(?::[0-5]?[0-9])*(?:\.[0-9_]*)?)"
    r"|[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9.]*)?)(?:e[-+]?[0-9]+)?"
    r"|[-+]?(?:[0-9][0-9_]*)?\.[0-9.]*(?:e[-+][0-9]+)?|[0-9]{4}-[0-9][0-9]?-[0-9][0-9]?.*|---.*|\.\.\.)",
    re.IGNORECASE,
)


def format_text(text: str, file: str, order_of: Callable[[str], Order]) -> str:
    """The text in the usual form; the same text when it is in that form already.

    `order_of` gives the order of fields by kind. `file` is named in errors. InvalidInput when the text is no YAML, holds
    what cannot be laid out (directives, explicit keys), or could not be laid out without a change of meaning.
    """
    text = _LINE_ENDS.sub("\n", text.removeprefix("\ufeff"))
    before = parse(text, file)
    meaning = _meaning(text)
    for orders in (order_of, _as_it_is):  # an alias may not come before its anchor: then the order stays
        written = _write(before, orders)
        try:
            after = parse(written, file)
        except InvalidInput:
            continue
        if _meaning(written) == meaning and sorted(after.comments) == sorted(before.comments):
            return written
    raise InvalidInput(
        "cannot be laid out without a change of meaning", where=file, hint="fmt left it as it is; write it more simply"
    )


def _as_it_is(_: str) -> Order:
    return {}


# --- what must not change -----------------------------------------------------------------------------------------------


def _meaning(text: str) -> list[Any]:
    """All documents as values that compare equal exactly when they mean the same; the order of mappings does not count."""
    events: Iterator[Any] = yaml.parse(text, Loader=yaml.CSafeLoader)
    next(events)
    documents = []
    while isinstance(next(events), yaml.DocumentStartEvent):
        documents.append(_value(next(events), events, {}))
        next(events)
    return documents


def _value(event: Any, events: Iterator[Any], anchors: dict[str | None, int]) -> Any:
    """One node. An alias is the hash of what it stands for: following it could take for ever."""
    if isinstance(event, yaml.AliasEvent):
        return ("alias", event.anchor, anchors.get(event.anchor))
    value = _anchored(event, events, anchors)
    if event.anchor is not None:
        anchors[event.anchor] = hash(repr(value))
    return value


def _anchored(event: Any, events: Iterator[Any], anchors: dict[str | None, int]) -> Any:
    if isinstance(event, yaml.ScalarEvent):
        plain = not event.style and event.tag is None and _NOT_TEXT.fullmatch(event.value) is not None
        return ("scalar", event.anchor, event.tag, plain or not (event.value or event.style), event.value)
    items = []
    while not isinstance(child := next(events), yaml.CollectionEndEvent):
        item = _value(child, events, anchors)
        if isinstance(event, yaml.MappingStartEvent):
            items.append((item, _value(next(events), events, anchors)))
        else:
            items.append(item)
    if isinstance(event, yaml.MappingStartEvent):
        return ("mapping", event.anchor, event.tag, sorted(items, key=repr))
    return ("sequence", event.anchor, event.tag, items)


# --- writing ------------------------------------------------------------------------------------------------------------


def _write(stream: Stream, order_of: Callable[[str], Order]) -> str:
    lines: list[str] = []
    for number, document in enumerate(stream.documents):
        lines += document.prologue
        if document.explicit or number:
            lines.append("---" + _behind(document.comment))
        lines += _document(document, order_of)
    lines += stream.tail
    return "".join(f"{line}\n" for line in _squeeze(lines))


def _squeeze(lines: Iterable[str]) -> Iterator[str]:
    """Without blank lines at both ends, after another one, or after a text that would swallow them."""
    last, blank = "", False
    for line in lines:
        if line:
            if blank and last and not _KEEPS_BLANKS.search(last.partition("\n")[0]):
                yield ""
            yield line
            last = line
        blank = not line


def _document(document: Document, order_of: Callable[[str], Order]) -> list[str]:
    root, head = document.root, document.head
    if not root.block:
        text = _leaf(root, 0, {}) + _behind(root.comment)
        return [*head, *filter(None, [text]), *_closing(root, 0)]
    order = order_of(_kind(root))
    entries = root.entries or []
    head = [*head, *entries[0].before]
    stays, moves = _split_head(head, entries[0])
    entries[0].before = moves
    return [*_lstrip(stays), *filter(None, [root.text]), *_block(root, 0, order)]


def _split_head(head: list[str], first: Entry) -> tuple[list[str], list[str]]:
    """What heads the document, and what heads its first entry and moves with it.

    A comment above `apiVersion` or `kind` speaks of the whole document, and so does one that a blank line sets off.
    """
    if first.key is not None and first.key.value in {"apiVersion", "kind"}:
        return head, []
    last_blank = max((number for number, line in enumerate(head) if not line), default=-1)
    return head[: last_blank + 1], head[last_blank + 1 :]


def _lstrip(lines: list[str]) -> list[str]:
    first = next((number for number, line in enumerate(lines) if line), len(lines))
    return lines[first:]


def _kind(root: Node) -> str:
    return next((e.value.value for e in root.entries or () if e.key is not None and e.key.value == "kind"), "")


def _ordered(node: Node, order: Order) -> list[Entry]:
    ranks = {name: rank for rank, name in enumerate(order)}
    entries = node.entries or []
    if not node.mapping:
        return entries
    return sorted(entries, key=lambda entry: ranks.get(entry.key.value if entry.key else "", len(ranks)))


def _below(order: Order, entry: Entry) -> Order:
    if entry.key is None:
        return order
    below: Order = order.get(entry.key.value) or {}
    return below


def _behind(comment: str) -> str:
    return f"  {comment}" if comment else ""


def _block(node: Node, indent: int, order: Order) -> list[str]:
    """A block collection's lines, all indented."""
    margin = " " * indent
    lines: list[str] = []
    for number, entry in enumerate(_ordered(node, order)):
        before = entry.before if number else _lstrip(entry.before)
        lines += [margin + line if line else "" for line in before]
        lines += _entry(entry, indent, _below(order, entry))
    return lines + _closing(node, indent)


def _closing(node: Node, indent: int) -> list[str]:
    return [" " * indent + line if line else "" for line in node.tail]


def _entry(entry: Entry, indent: int, order: Order) -> list[str]:
    margin = " " * indent
    head = margin + ("-" if entry.key is None else f"{_key(entry.key)}:")
    value = entry.value
    if value.block:
        lines = _block(value, indent + _INDENT, order)
        opening = f"{head} {value.text}" if value.text else head
        if entry.key is None and not value.text and not entry.comment and not lines[0].lstrip().startswith("#"):
            return [f"{head} {lines[0].lstrip()}", *lines[1:]]
        return [opening + _behind(entry.comment), *lines]
    text = _leaf(value, indent, order) + _behind(value.comment)
    if not entry.comment and not entry.between:
        return [f"{head} {text}" if text and not text.startswith("  #") else head + text]
    inner = margin + " " * _INDENT
    return [head + _behind(entry.comment), *(inner + line for line in entry.between), inner + text]


def _key(key: Node) -> str:
    text = _unquoted(key, _SAFE)
    return f"{text} " if text.startswith("*") else text


def _leaf(node: Node, indent: int, order: Order) -> str:
    """A scalar, an alias or a flow collection, the first line without indentation.

    Line feeds in it are its own: what is blank in there is not ours to count.
    """
    first, *rest = node.text.split("\n")
    if not rest:
        return _inline(node, order)
    if node.style in {"|", ">"}:
        first, *rest = _block_scalar(first, rest, node, indent)
    elif node.flow:
        rest = [_shifted(line, indent - node.parent, indent) for line in rest]
    else:
        margin = " " * (indent + _INDENT)
        rest = [margin + line.lstrip(" \t") if line.strip(" \t") else "" for line in rest]
    return "\n".join([first, *rest])


def _shifted(line: str, shift: int, indent: int) -> str:
    """A line of a flow collection, moved with it, but never left of where YAML wants it."""
    bare = line.strip(" \t")
    least = indent if bare.startswith(("]", "}")) else indent + _INDENT
    width = len(line) - len(line.lstrip(" \t")) + shift
    return " " * max(width, least) + bare if bare else ""


def _block_scalar(header: str, lines: list[str], node: Node, indent: int) -> list[str]:
    """A block scalar, its content moved as a whole."""
    found = _INDICATORS.search(header)
    indicators = found[2] if found else ""
    if digit := indicators.strip("+-"):
        old, new = node.parent + int(digit), indent + int(digit)
    else:
        old = next((len(line) - len(line.lstrip(" ")) for line in lines if line.strip(" ")), 0)
        new = indent + _INDENT
    if node.value and not node.value.endswith("\n") and "-" not in indicators:
        # The file ended without a line feed. We write one, so the header must say that it is not part of the value.
        header = _INDICATORS.sub(rf"\g<1>{digit}-", header, count=1)
    return [header, *(" " * new + line[old:] if line[old:] else "" for line in lines)]


def _inline(node: Node, order: Order) -> str:
    """A value on one line."""
    if node.entries is None:
        return _unquoted(node, _SAFE)
    if node.tagged:
        return node.text
    if not node.mapping:
        return f"[{', '.join(_in_flow(entry.value, order) for entry in node.entries)}]"
    pairs = (_pair(entry, _below(order, entry)) for entry in _ordered(node, order))
    return "{" + ", ".join(pairs) + "}"


def _pair(entry: Entry, order: Order) -> str:
    key = _in_flow(entry.key, {}) if entry.key else ""
    key = f"{key} " if key.startswith("*") else key
    value = _in_flow(entry.value, order)
    return f"{key}: {value}" if value else key


def _in_flow(node: Node, order: Order) -> str:
    return _inline(node, order) if node.entries is not None else _unquoted(node, _SAFE_IN_FLOW)


def _unquoted(node: Node, safe: re.Pattern[str]) -> str:
    """The scalar's own text, without quotes when every reader would read the same without them."""
    if (
        node.style in {"'", '"'}
        and not node.tagged
        and safe.fullmatch(node.value)
        and not _NOT_TEXT.fullmatch(node.value)
    ):
        return node.value
    return node.text
