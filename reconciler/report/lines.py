"""Lines for people: whole words at a terminal, no trailing spaces, and ASCII where nothing else can be shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, cast

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.text import Text
from rich.tree import Tree

_WORD: Final = re.compile(r"\s*\S+\s*")
_UNLIMITED: Final = 1_000_000
_NARROWEST: Final = 20
_GUIDE: Final = 4
"""Columns by which each level of a tree is indented."""
_GAP: Final = 2
_ASCII: Final = str.maketrans({
    "·": "-", "→": "->", "±": "+-", "↻": "@", "⚒": "*", "×": "x", "○": "o", "…": "...", "─": "-", "«": '"', "»": '"',
    "✔": "+", "✘": "x",
})  # fmt: skip


def prose(console: Console, line: Text) -> None:
    """Print a sentence: wrapped between words at a terminal, on one line elsewhere, for logs wrap by themselves.

    A word that is longer than the line, mostly a path, stays in one piece, so that it can be copied.
    """
    for one in _fitting(console, line, console.width).split("\n"):
        _raw(console, one)


def hanging(console: Console, head: Text, body: Text, below: int | None = None) -> None:
    """Print a head and a sentence beside it, whose further lines begin where its first one does.

    `below`: the sentence gets lines of its own, so many columns in, at a terminal that is too narrow for both.
    """
    if not console.is_terminal:
        _raw(console, Text.assemble(head, body))
        return
    indent = head.cell_len if below is None else below
    if below is not None:
        _raw(console, head)
        head = Text(" " * below)
    for line in _fitting(console, body, console.width - indent).split("\n"):
        _raw(console, Text.assemble(head, line))
        head = Text(" " * indent)


def whole(console: Console, line: Text) -> None:
    """Print a line as it is, for people to copy: a terminal that is too narrow breaks it by itself."""
    _raw(console, line)


def tree(console: Console, item: Tree) -> None:
    """Print a tree; its labels are wrapped like prose."""
    if console.is_terminal:
        _fit(console, item, console.width)
    options = console.options.update(width=_UNLIMITED)
    width = Measurement.get(console, options, item).maximum
    for line in console.render_lines(item, options.update(width=width), pad=False):
        _raw(console, Text.assemble(*((segment.text, segment.style or "") for segment in line)))


def table(console: Console, rows: Sequence[Sequence[Text]]) -> None:
    """Print rows in columns. The last column may be as long as it likes; at a terminal it gets a line of its own then."""
    widths = [max(row[column].cell_len for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        head = Text()
        for cell, width in zip(row, widths, strict=False):
            head = Text.assemble(head, cell, " " * (width - cell.cell_len + _GAP))
        if console.is_terminal and row[-1].cell_len and head.cell_len + row[-1].cell_len > console.width:
            _raw(console, head)
            head = Text(" " * _GUIDE)
        _raw(console, Text.assemble(head, row[-1]))


def _fitting(console: Console, text: Text, width: int) -> Text:
    if not console.is_terminal:
        return text
    return Text("\n").join(_stripped(line) for line in text.divide(_breaks(text.plain, max(width, _NARROWEST))))


def _breaks(text: str, width: int) -> Iterator[int]:
    """Where lines begin but the first. rich's own wrapping cuts long words up."""
    column = 0
    for found in _WORD.finditer(text):
        if column and column + cell_len(found[0].rstrip()) > width:
            yield found.start()
            column = 0
        column += cell_len(found[0])


def _fit(console: Console, item: Tree, width: int) -> None:
    item.label = _fitting(console, cast("Text", item.label), width)
    for child in item.children:
        _fit(console, child, width - _GUIDE)


def _raw(console: Console, line: Text) -> None:
    if console.options.ascii_only:
        parts = ((part.text.translate(_ASCII), part.style or "") for part in line.render(console))
        line = Text.assemble(*parts)
    console.print(_stripped(line), soft_wrap=True)


def _stripped(line: Text) -> Text:
    line.rstrip()
    return line
