"""Suggestions for misspelled words."""

from __future__ import annotations

from collections.abc import Iterable


def near(word: str, choices: Iterable[str], most: int) -> list[str]:
    """The choices that look like a word, in whatever case it was typed: the most like it first, `most` at the most."""
    import difflib  # noqa: PLC0415  the command line imports this module, and --help suggests nothing

    lowered = {choice.lower(): choice for choice in choices}
    return [lowered[found] for found in difflib.get_close_matches(word.lower(), lowered, n=most)]


def nearest(word: str, choices: Iterable[str]) -> str:
    """The choice that looks most like a word; empty if none does."""
    return next(iter(near(word, choices, 1)), "")


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`did you mean X?`, or nothing if no choice is near."""
    found = nearest(word, choices)
    return f"did you mean {found!r}?" if found else ""
