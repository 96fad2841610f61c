"""The figures as JSON for machines and as a table for people."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.budgets import PEERS, Verdict, judge, ratios
from benchmarks.generate import Size
from benchmarks.measure import medians


def write(out: Path | None, figures: Mapping[str, Sequence[float]], size: Size) -> int:
    """Print the table, write the JSON, and return the exit status: 1 if an enforced budget is broken."""
    middle = medians(figures)
    middle.update({name: round(value, 3) for name, value in ratios(middle).items()})
    verdicts = judge(middle, size.keys)
    document = {
        "estate": asdict(size),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "medians": middle,
        "budgets": [verdict.as_json() for verdict in verdicts],
        "rounds": {name: [round(value, 5) for value in values] for name, values in figures.items()},
    }
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    else:
        json.dump(document, sys.stdout, indent=2)
        print()
    table(middle, verdicts)
    return int(any(not verdict.kept and verdict.budget.enforced for verdict in verdicts))


def unit(figure: str) -> str:
    """What a figure counts, by its name."""
    if figure in {"keys", "documents", "calls", "created"}:
        return ""
    return "MB" if figure.endswith("_mb") else "×" if figure.endswith("_ratio") else "s"


def table(middle: Mapping[str, float], verdicts: Sequence[Verdict]) -> None:
    line = "{:<46} {:>11} {:>11}  {}".format
    judged = {verdict.budget.figure for verdict in verdicts}
    print(line("median", "measured", "budget", ""), file=sys.stderr)
    for name, value in middle.items():
        if name not in judged:
            digits = 3 if unit(name) in {"s", "×"} else 0
            print(line(name, f"{value:.{digits}f} {unit(name)}".strip(), "", "").rstrip(), file=sys.stderr)
    for verdict in verdicts:
        budget = verdict.budget
        words = "kept" if verdict.kept else "BROKEN" if budget.enforced else "over (this machine)"
        measured = f"{verdict.value:.2f} {budget.unit}"
        print(line(budget.what, measured, f"{budget.limit:g} {budget.unit}", words), file=sys.stderr)
    print("\nfor comparison:", *PEERS, sep="\n  ", file=sys.stderr)
