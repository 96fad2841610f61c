"""What is wrong in manifests: always all of it, each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from reconciler.errors import InvalidInput, printable
from reconciler.model.desired import Source


class Severity(StrEnum):
    """Whether a problem stops everything."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in one place. `code` is a short name that does not change; `object` is `tenant/Kind/name` or empty."""

    source: Source
    what: str
    hint: str = ""
    object: str = ""
    severity: Severity = Severity.ERROR
    code: str = "invalid"

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        where = self.source.file if self.code == "empty" else self.source  # a folder has no lines
        return printable(f"{where}: {self.severity}: {self.what}{hint}")

    @property
    def order(self) -> tuple[str, int, int, str]:
        """What problems are sorted by: file, line, column."""
        return (self.source.file, self.source.line, self.source.column, self.what)


class InvalidManifests(InvalidInput):
    """The manifests are wrong. Holds every problem, sorted by place."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.order))
        super().__init__(summary(self.problems))

    def __str__(self) -> str:
        return "\n".join([*map(str, self.problems), self.what])


def counted(number: int, thing: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def summary(problems: Iterable[Problem]) -> str:
    """`3 problems in 2 files`, with warnings counted apart."""
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    files = {problem.source.file for problem in errors}
    return f"{counted(len(errors), 'problem')} in {counted(len(files), 'file')}"
