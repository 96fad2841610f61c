"""Problems as text, and the error that holds them all."""

from __future__ import annotations

from reconciler.errors import InvalidInput
from reconciler.manifest.problems import InvalidManifests, Problem, Severity, counted, summary
from reconciler.model.desired import Source

FIRST = Problem(Source("a.yaml", 2, 3), "this is wrong", "that is right")
SECOND = Problem(Source("a.yaml", 10, 1), "so is this")
WARNING = Problem(Source("b.yaml", 1), "mind this", severity=Severity.WARNING)


def test_text() -> None:
    """A line has the place, the severity, what is wrong, and the hint if there is one."""
    assert [str(problem) for problem in (FIRST, SECOND, WARNING)] == [
        "a.yaml:2:3: error: this is wrong (that is right)",
        "a.yaml:10:1: error: so is this",
        "b.yaml:1:1: warning: mind this",
    ]


def test_terminal() -> None:
    """What a manifest says cannot steer a terminal."""
    assert "\x1b" not in str(Problem(Source("a\x1b.yaml", 1), "x\x1b[31m", "\u202e"))
    assert "\u202e" not in str(Problem(Source("a", 1), "x", "\u202e"))


def test_all_in_one_error() -> None:
    """The error holds every problem, sorted by place, and says them all."""
    error = InvalidManifests([WARNING, SECOND, FIRST])

    assert isinstance(error, InvalidInput)
    assert error.problems == (FIRST, SECOND, WARNING)
    assert str(error).splitlines() == [str(FIRST), str(SECOND), str(WARNING), "2 problems in 1 file"]


def test_counting() -> None:
    """One thing is not two things."""
    assert [counted(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert summary([FIRST]) == "1 problem in 1 file"
