"""The figures as JSON for machines and as a table for people."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.budgets import QUOTED, QUOTIENTS, Verdict, judge
from benchmarks.measure import medians

_COUNTS = frozenset({"keys", "documents", "calls", "created", "bytes", "files", "left_to_do"})
_PEERS = ("csafeloader", "octodns_", "bare_loop", "import_")


def write(out: Path | None, figures: Mapping[str, Sequence[float]], keys: int, tenants: int, clock: str) -> int:
    """Print the table, write the JSON, and return the exit status: 1 if an enforced budget is broken."""
    middle = medians(figures)
    verdicts = judge(middle, keys)
    document = {
        "estate": {"keys": keys, "tenants": tenants},
        "clock": clock,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "medians": middle,
        "budgets": [verdict.as_json() for verdict in verdicts],
        "peers": {name: value for name, value in middle.items() if name.startswith(_PEERS)},
        "quoted": QUOTED,
        "rounds": {name: [round(value, 5) for value in values] for name, values in figures.items()},
    }
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    else:
        json.dump(document, sys.stdout, indent=2)
        print()
    table(middle, verdicts, f"median, {clock} clock")
    return int(any(not verdict.kept and verdict.budget.enforced for verdict in verdicts))


def unit(figure: str) -> str:
    """What a figure counts, by its name."""
    if figure in _COUNTS:
        return ""
    return "MB" if figure.endswith("_mb") else "×" if figure in QUOTIENTS else "s"


def table(middle: Mapping[str, float], verdicts: Sequence[Verdict], title: str) -> None:
    line = "{:<58} {:>12} {:>11}  {}".format
    judged = {verdict.budget.figure for verdict in verdicts}
    print(line(title, "measured", "budget", ""), file=sys.stderr)
    for name, value in middle.items():
        if name not in judged:
            digits = 3 if unit(name) in {"s", "×"} else 0
            peer = "a peer's" if name.startswith(_PEERS) else ""
            print(line(name, f"{value:.{digits}f} {unit(name)}".strip(), "", peer).rstrip(), file=sys.stderr)
    for verdict in verdicts:
        budget = verdict.budget
        words = "kept" if verdict.kept else "BROKEN" if budget.enforced else "over (this machine)"
        measured = f"{verdict.value:.2f} {budget.unit}"
        print(line(budget.what, measured, f"{verdict.limit:g} {budget.unit}", words), file=sys.stderr)
    print("\nnot measured here:", *QUOTED, sep="\n  ", file=sys.stderr)
